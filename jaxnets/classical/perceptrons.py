"""The perceptron: Rosenblatt's algorithm, its convergence bound, and L1's gradient descent."""

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array, lax
from scipy.optimize import nnls

from jaxnets.classical.checked import checked
from jaxnets.classical.scaling import (
    doubles,
    is_traced,
    largest_feature,
    require_alike,
    require_single,
    unlike_features,
)
from jaxnets.classical.threshold import linear_predict, signs
from jaxnets.host import checks

Params = dict[str, Array]


def _augment(x: Any, constant: Any) -> Any:
    xp = np if isinstance(x, np.ndarray) and not is_traced(constant) else jnp
    return xp.concatenate([x, xp.full((len(x), 1), constant)], axis=1)


def _split(w: Array, constant: float) -> Params:
    return {"w": w[:-1], "b": w[-1] * constant}


def _visit(w: Array, sample: tuple[Array, Array]) -> tuple[Array, Array]:
    x_n, y_n = sample
    wrong = y_n * jnp.vdot(w, x_n, precision="highest") <= 0
    return w + jnp.where(wrong, y_n, 0) * x_n, wrong


@checked
def perceptron(
    x: Array,
    y: Array,
    *,
    max_epochs: int,
    constant: float = 1.0,
    x_test: Array | None = None,
    y_test: Array | None = None,
) -> tuple[Params, dict[str, Array]]:
    r"""Runs the perceptron algorithm: from 0, adds $y_n x_n$ whenever $y_n (w \cdot x_n) \leq 0$.

    Samples are visited in the given order, epoch after epoch, until an epoch changes nothing
    (Rosenblatt, 1957; L2, row A2). On separable data this happens after at most
    `perceptron_bound` updates; otherwise `max_epochs` ends it.

    Sums are float32 unless JAX runs in 64 bits. They, and so the comparison with 0, are exact for
    integer-valued features whose products stay below 2**24. Otherwise a sample within rounding of
    the boundary may count as either side, as in any floating-point program.

    The rule depends on the units of the features: one whose values are small takes many updates to
    count. `CLASSIFIERS["perceptron"]` scales them first.

    Args:
        x: `[samples, features]`.
        y: class indices 0 or 1, `[samples]`.
        max_epochs: the most passes over the data, 1 or more.
        constant: the component appended to every sample for the bias; 0 for no bias.
        x_test: `[test samples, features]`, for the error after each epoch.
        y_test: class indices, `[test samples]`.

    Returns:
        `{"w": [features], "b": []}` for `linear_predict`, and a history: the scalars `epochs`
        (including the one that changed nothing) and `updates` (in total); `changes`,
        `train_error` and, with a test set, `test_error`, each `[max_epochs]`, where entries after
        the last epoch repeat its values.

    Raises:
        ValueError: `max_epochs` below 1, only one of `x_test` and `y_test`, features that do not
            fit in single precision, or an end without separation whose likely cause is features
            that are very unlike. Features are not checked under a trace.

    Example:
        >>> import jax.numpy as jnp
        >>> from jaxnets.classical import linear_predict
        >>> x, y = jnp.array([[-2.0], [1.0], [2.0]]), jnp.array([0, 1, 1])
        >>> params, history = perceptron(x, y, max_epochs=10)
        >>> linear_predict(params, x).tolist()
        [0, 1, 1]
    """
    if max_epochs < 1:
        raise ValueError(f"max_epochs is {max_epochs}; it must be 1 or more")
    if (x_test is None) != (y_test is None):
        raise ValueError("a test set needs both x_test and y_test, got only one of them")
    require_single(x)
    params, history = _visit_all(x, y, max_epochs, constant, x_test, y_test)
    if not is_traced(history) and history["changes"][-1] > 0 and (unlike := unlike_features(x)):
        raise ValueError(f"{max_epochs} epochs did not separate the classes, and {unlike}")
    return params, history


@partial(jax.jit, static_argnames="max_epochs")
def _visit_all(
    x: Array,
    y: Array,
    max_epochs: int,
    constant: float,
    x_test: Array | None,
    y_test: Array | None,
) -> tuple[Params, dict[str, Array]]:
    inputs, targets = _augment(x, constant), signs(y)
    sets = {"train_error": (x, y)}
    if x_test is not None and y_test is not None:
        sets["test_error"] = (x_test, y_test)

    def epoch(state):
        w, e, history = state
        w, wrong = lax.scan(_visit, w, (inputs, targets))
        params = _split(w, constant)
        row = {k: jnp.mean(linear_predict(params, a) != b) for k, (a, b) in sets.items()}
        row["changes"] = wrong.sum()
        return w, e + 1, {k: history[k].at[e].set(row[k]) for k in history}

    def unfinished(state):
        _, e, history = state
        return (e == 0) | ((e < max_epochs) & (history["changes"][e - 1] > 0))

    blank = {k: jnp.zeros(max_epochs) for k in sets} | {"changes": jnp.zeros(max_epochs, int)}
    start = jnp.zeros(inputs.shape[1]), 0, blank
    w, epochs, history = lax.while_loop(unfinished, epoch, start)
    ran = jnp.arange(max_epochs) < epochs
    history = jax.tree.map(lambda h: jnp.where(ran, h, h[epochs - 1]), history)
    history |= {"epochs": epochs, "updates": history["changes"].sum()}
    return _split(w, constant), history


@checked
def perceptron_bound(
    x: Array, y: Array, separator: Params, *, constant: float = 1.0
) -> dict[str, Array]:
    r"""Bounds the perceptron's updates by $4 R^2 / \gamma^2$ (Novikoff, 1962; L2, row A3).

    $R = \max_n \|x_n\|$ is the radius of the sphere around the origin that contains the samples and
    $\gamma / 2 = \min_n y_n (x_n \cdot w^*)$ the margin of a separator of unit norm, both including
    the constant component. The bound is invariant to scaling samples and constant.

    Args:
        x: `[samples, features]`.
        y: class indices 0 or 1, `[samples]`.
        separator: `{"w": [features], "b": []}` of any norm; `max_margin` gives the tightest bound.
        constant: as for `perceptron`; 0 ignores the separator's bias.

    Returns:
        Scalars `radius`, `gamma` and `bound`; the bound is infinite if `separator` does not
        separate the classes.

    Example:
        >>> import numpy as np
        >>> x, y = np.array([[-2.0], [1.0], [2.0]]), np.array([0, 1, 1])
        >>> sorted(perceptron_bound(x, y, max_margin(x, y)))
        ['bound', 'gamma', 'radius']
    """
    x, w, b = doubles(x, separator["w"], separator["b"])
    xp = jnp if is_traced(x, y, w) else np
    inputs = _augment(x, constant)
    size = _or_one(xp.max(xp.abs(inputs)))  # the squares of what remains fit in any precision
    w = xp.append(w, b / constant if constant else 0.0)
    w = w / _or_one(xp.max(xp.abs(w)))
    targets = xp.where(xp.asarray(y) > 0, 1.0, -1.0)
    margin = xp.min(targets * (inputs / size @ w)) / _or_one(xp.linalg.norm(w))
    radius = xp.max(xp.linalg.norm(inputs / size, axis=1))
    ratio = radius / xp.where(margin > 0, margin, 1.0)
    bound = xp.where(margin > 0, ratio**2, xp.inf)
    return {"radius": radius * size, "gamma": 2 * margin * size, "bound": bound}


def _or_one(value: Any) -> Any:
    """Replaces 0 by 1, to divide by it."""
    return value + (value == 0)


@checked
def max_margin(x: Any, y: Any, *, constant: float = 1.0) -> Params:
    r"""Finds the separator with the largest margin, with the constant appended to the samples.

    A hard-margin SVM through the origin: the shortest `w` with $z_n \cdot w \geq 1$, where
    $z_n = y_n x_n$. Least-distance programming solves it exactly on the host, as one non-negative
    least-squares problem: $w = \sum_n u_n z_n$ with the $u \geq 0$ that minimises
    $\|w\|^2 + (\sum_n u_n - 1)^2$ (Lawson and Hanson, 1974). Row A3.

    Args:
        x: `[samples, features]`, uint8 or floats.
        y: class indices 0 or 1, `[samples]`.
        constant: as for `perceptron`.

    Returns:
        `{"w": [features], "b": []}`, of unit norm including the constant's weight.

    Raises:
        ValueError: classes that are not linearly separable, or malformed data.

    Example:
        >>> import numpy as np
        >>> from jaxnets.classical import linear_predict
        >>> x, y = np.array([[-2.0], [1.0], [2.0]]), np.array([0, 1, 1])
        >>> linear_predict(max_margin(x, y), x).tolist()
        [0, 1, 1]
    """
    (x,) = doubles(x)
    z = np.where(y > 0, 1, -1)[:, None] * _augment(x, constant)
    z = z / _or_one(np.abs(z).max())
    z = z / _or_one(np.linalg.norm(z, axis=1).max())
    w = nnls(np.vstack([z.T, np.ones(len(z))]), np.append(np.zeros(z.shape[1]), 1.0))[0] @ z
    if (z @ w).min() <= 0:
        raise ValueError("no hyperplane separates the two classes: their margin is not positive")
    return _split(w / np.linalg.norm(w), constant)


_SLOPES = {
    "squared": lambda s, y: s - y,
    "perceptron": lambda s, y: jnp.where(s * y > 0, 0.0, -y),
}


@checked
def perceptron_gd(
    key: Array, x: Array, y: Array, *, learning_rate: float, epochs: int, loss: str = "squared"
) -> tuple[Params, dict[str, Array]]:
    r"""Trains one linear unit by gradient descent on one sample at a time (L1, row A4).

    With $s = w \cdot x + b$ and `y` = -1 or 1, `squared` is L1's Algorithm 1,
    $\frac{1}{2} (s - y)^2$ (Widrow and Hoff, 1960), and `perceptron` is $\max(0, -y s)$, whose
    gradient $-y x$ acts on misclassified samples only. (L1 writes the labels as 0 and 1, which
    does not fit its own decision rule $s > 0$.)

    Args:
        key: draws the initial `w` and `b`, standard normal.
        x: `[samples, features]`, visited in the given order.
        y: class indices 0 or 1, `[samples]`.
        learning_rate: eta.
        epochs: passes over the data; 0 returns the initial params.
        loss: `squared` or `perceptron`.

    Returns:
        `{"w": [features], "b": []}` and `train_error` after each epoch, `[epochs]`.

    Raises:
        ValueError: an unknown loss, features that are too unlike for gradient descent, or a
            learning rate that is too high for them. Features are not checked under a trace.

    Example:
        >>> import jax, jax.numpy as jnp
        >>> x, y = jnp.array([[-2.0], [-1.0], [1.0], [2.0]]), jnp.array([0, 0, 1, 1])
        >>> params, _ = perceptron_gd(jax.random.key(0), x, y, learning_rate=0.1, epochs=50)
        >>> bool(params["w"][0] > 0)
        True
    """
    checks.require_known([loss], _SLOPES, "loss")
    require_alike(x)
    params, history = _descend(key, x, y, learning_rate, epochs, loss)
    if not is_traced(params) and not np.isfinite(np.append(params["w"], params["b"])).all():
        j, size = largest_feature(x)
        raise ValueError(
            f"the weights are not finite: learning_rate={learning_rate} is too high for feature "
            f"{j} with values up to {size:.3g}; lower it, or divide the feature by its "
            "standard deviation first"
        )
    return params, history


@partial(jax.jit, static_argnames=("epochs", "loss"))
def _descend(
    key: Array, x: Array, y: Array, learning_rate: float, epochs: int, loss: str
) -> tuple[Params, dict[str, Array]]:
    slope = _SLOPES[loss]
    start = jax.random.normal(key, (x.shape[1] + 1,))

    def visit(params, sample):
        x_n, y_n = sample
        ds = slope(jnp.vdot(params["w"], x_n) + params["b"], y_n)
        grads = {"w": ds * x_n, "b": ds}
        return jax.tree.map(lambda p, g: p - learning_rate * g, params, grads), None

    def epoch(params, _):
        params, _ = lax.scan(visit, params, (x, signs(y)))
        return params, jnp.mean(linear_predict(params, x) != y)

    params, errors = lax.scan(epoch, {"w": start[:-1], "b": start[-1]}, length=epochs)
    return params, {"train_error": errors}
