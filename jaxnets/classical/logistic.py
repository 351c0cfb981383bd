"""Logistic regression by gradient descent, with the gradient in closed form (row A5)."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array, lax

from jaxnets.classical.checked import checked
from jaxnets.classical.scaling import (
    is_traced,
    largest_feature,
    linear_scores,
    measure,
    require_alike,
)
from jaxnets.classical.threshold import signs

Params = dict[str, Array]


@checked
def logistic_loss(params: Params, x: Array, y: Array, l2: float = 0.0) -> Array:
    r"""Computes $\frac{1}{N} \sum_n -\log \sigma(y_n (w \cdot x_n + b)) + \lambda \|w\|^2$.

    For samples x `[samples, features]` of classes y `[samples]`, 0 or 1. The formula has them as -1
    and 1, as L2 does; the value equals L0's binary cross entropy, whose targets are
    0 and 1. L2 sums over samples; with the mean one learning rate suits any `N`.

    Example:
        >>> import jax.numpy as jnp
        >>> params = {"w": jnp.zeros(1), "b": jnp.zeros(())}
        >>> round(float(logistic_loss(params, jnp.array([[1.0]]), jnp.array([1]))), 4)  # log 2
        0.6931
    """
    margins = signs(y) * linear_scores(params, x)
    return jnp.mean(jax.nn.softplus(-margins)) + l2 * params["w"] @ params["w"]


@checked
def logistic_gradient(params: Params, x: Array, y: Array, l2: float = 0.0) -> Params:
    r"""Computes the gradient of `logistic_loss` by hand, in the shape of `params` (L2, row A5).

    For samples x `[samples, features]` of classes y `[samples]`, 0 or 1, which are -1 and 1 here.

    $u_n = y_n \sigma(-y_n (w \cdot x_n + b))$ and $v_n = u_n x_n$; then $\partial b$ is the mean of
    $-u_n$ and $\partial w$ that of $-v_n$, plus $2 \lambda w$.

    Example:
        >>> import jax.numpy as jnp
        >>> params = {"w": jnp.zeros(1), "b": jnp.zeros(())}
        >>> logistic_gradient(params, jnp.array([[2.0]]), jnp.array([1]))["w"].tolist()
        [-1.0]
    """
    y = signs(y)
    u = y * jax.nn.sigmoid(-y * linear_scores(params, x))
    return {"w": -(u @ x) / len(x) + 2 * l2 * params["w"], "b": -jnp.mean(u)}


@checked
def logistic_regression(
    x: Array,
    y: Array,
    *,
    learning_rate: float = 0.1,
    steps: int,
    l2: float = 0.0,
    init: Params | None = None,
) -> tuple[Params, dict[str, Array]]:
    """Minimises `logistic_loss` by gradient descent; it is convex, with one optimum for `l2 > 0`.

    Cox (1958); L0, L2 and L4, row A5. L2's rate 0.1 on a sum over 100 points is 10 here, on their
    mean. scikit-learn's `LogisticRegression` minimises the same loss with `C = 1 / (2 l2 N)`.

    Args:
        x: `[samples, features]`.
        y: class indices 0 or 1, `[samples]`.
        learning_rate: eta.
        steps: full-batch updates.
        l2: lambda; the bias is not penalised.
        init: `{"w": [features], "b": []}` to start from, zeros if None.

    Returns:
        `{"w": [features], "b": []}`, and the `loss` before each step, `[steps]`.

    Raises:
        ValueError: features from which gradient descent cannot learn as they are: too unlike each
            other, too far from 0, or of a size that does not suit the learning rate. Their names
            are in the message. Nothing is checked under a trace.

    Example:
        >>> import jax.numpy as jnp
        >>> x, y = jnp.array([[-1.0], [1.0]]), jnp.array([0, 1])
        >>> params, history = logistic_regression(x, y, learning_rate=1.0, steps=50)
        >>> bool(params["w"][0] > 0)
        True
    """
    require_alike(x)
    _require_moving(x, learning_rate, steps)
    params, history = _descend(x, y, learning_rate, steps, l2, init)
    _require_descent(x, history["loss"], logistic_loss(params, x, y, l2))
    return params, history


@partial(jax.jit, static_argnames="steps")
def _descend(
    x: Array, y: Array, learning_rate: float, steps: int, l2: float, init: Params | None
) -> tuple[Params, dict[str, Array]]:
    zeros = {"w": jnp.zeros(x.shape[1]), "b": jnp.zeros(())}
    start = zeros if init is None else jax.tree.map(lambda a: jnp.asarray(a, float), init)

    def step(params, _):
        grads = logistic_gradient(params, x, y, l2)
        after = jax.tree.map(lambda p, g: p - learning_rate * g, params, grads)
        return after, logistic_loss(params, x, y, l2)

    params, losses = lax.scan(step, start, length=steps)
    return params, {"loss": losses}


def _require_moving(x: Array, learning_rate: float, steps: int) -> None:
    """Refuses features so small that all steps together cannot move their margins by 1e-9."""
    if is_traced(x, learning_rate):
        return
    found = measure(x)
    sizes = np.maximum(np.abs(found.centre), found.typical)
    still = (learning_rate * steps * sizes**2 < 1e-9) & (sizes < 1e-3)
    for j in np.flatnonzero(~found.constant & still):
        raise ValueError(
            f"feature {j} varies by only about {found.typical[j]:.3g}: {steps} steps with learning "
            f"rate {learning_rate} cannot learn from it; divide it by its standard deviation first"
        )


def _require_descent(x: Array, losses: Array, last: Array) -> None:
    """Refuses a loss that ended above its start, and names the largest feature."""
    if is_traced(x, losses, last) or not len(losses) or last <= losses[0] + 1e-3:
        return
    j, size = largest_feature(x)
    raise ValueError(
        f"the loss rose from {losses[0]:.3g} to {last:.3g}: the learning rate is too high for "
        f"feature {j} with values up to {size:.3g}; lower it, or subtract the mean of every "
        "feature and divide by its standard deviation first"
    )


@checked
def logistic_probabilities(params: Params, x: Array) -> Array:
    r"""Computes $P(Y = 1 | X = x) = \sigma(w \cdot x + b)$, `[samples]`; class 1 from 1/2 up.

    Example:
        >>> import jax.numpy as jnp
        >>> params = {"w": jnp.ones(1), "b": jnp.zeros(())}
        >>> logistic_probabilities(params, jnp.array([[0.0]])).tolist()
        [0.5]
    """
    return jax.nn.sigmoid(jnp.asarray(linear_scores(params, x)))
