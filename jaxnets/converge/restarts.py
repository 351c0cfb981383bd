"""A network trained to convergence from many starts, the best one chosen by validation."""

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array, lax

from jaxnets.converge.lbfgs import minimise
from jaxnets.converge.levenberg_marquardt import levenberg_marquardt
from jaxnets.converge.minimum import Minimum, Params
from jaxnets.host import checks
from jaxnets.losses import LOSSES, AnyLoss, get_loss
from jaxnets.objective import (
    Objective,
    as_part,
    calls_of,
    metrics_of,
    outputs_of,
    weights,
    without_statistics,
)


class Converged(NamedTuple):
    """The best of many starts, and what all of them reached.

    Example:
        >>> Converged({}, 0.1, 0.2, 1e-6, 3, {}).best
        3
    """

    params: Params
    """Of the best start."""
    train_loss: float
    """Its mean loss on the training samples, without penalty."""
    valid_loss: float
    """The same on the validation samples, by which it was chosen; NaN without any."""
    gradient_norm: float
    """The norm of the gradient of its objective."""
    best: int
    """Which start it is."""
    starts: dict[str, np.ndarray]
    """`train_loss`, `valid_loss`, `gradient_norm`, `steps` and `converged`, each `[starts]`."""


def converge(
    model: Any,
    loss: AnyLoss,
    key: Array,
    data: Any,
    *,
    starts: int = 8,
    method: str = "lbfgs",
    steps: int = 1000,
    tolerance: float | None = None,
    l2: float = 0.0,
    group: int | None = None,
) -> Converged:
    """Trains a network on all samples at once until its gradient is small, from many starts.

    Threads of BLAS wait for each other: where a machine has other work to do, set
    OPENBLAS_NUM_THREADS=1, which makes Levenberg-Marquardt several times faster there.

    Args:
        model: a Flax module, or a hashable object with `init(key, x) -> params` and
            `apply(params, x) -> outputs [batch, k]`, each sample's outputs its own.
        loss: a name in `jaxnets.LOSSES`, or a `Loss`.
        key: decides the starts.
        data: parts `train` and `valid`, each `{"x": [samples, ...], "y": targets}`; `valid` may be
            None, and then the best start is that with the lowest training loss.
        starts: how many.
        method: a name in `METHODS`: "lbfgs" for any smooth loss, "levenberg_marquardt" for the
            squared error.
        steps: the most steps of a start.
        tolerance: as in `minimise` and `levenberg_marquardt`.
        l2: the coefficient of the penalty on the squares of all weights.
        group: how many starts run side by side; by default all. A start that has ended waits for
            the slowest of its group.

    Raises:
        ValueError: data that do not fit the model and the loss, an unknown method or loss,
            Levenberg-Marquardt with another loss than the squared error, a negative l2,
            weights of samples, or no start with a finite loss.
        TypeError: a key that was not made by `jax.random.key`, or a model without `init` and
            `apply`.

    Example:
        >>> import jax, numpy as np, jaxnets as jn
        >>> from jaxnets.converge import converge
        >>> from jaxnets.data import from_arrays
        >>> x = np.linspace(-3.0, 3.0, 100)[:, None]
        >>> data = from_arrays(x, np.sin(x))
        >>> choices = {"starts": 4, "method": "levenberg_marquardt"}
        >>> found = converge(jn.MLP((4,)), "squared_error", jax.random.key(0), data, **choices)
        >>> found.valid_loss < 1e-5
        True
    """
    checks.require_model(model)
    checks.require_keys(key, 0, "key")
    for name, count in {"starts": starts, "steps": steps, "group": group or 1}.items():
        checks.require_count(count, name)
    if tolerance is not None:
        checks.require_positive(tolerance, "tolerance")
    if checks.as_number(l2, "l2") < 0:
        raise ValueError(f"l2 is {l2}; it must be 0 or more")
    checks.lookup(METHODS, method, "method")
    if method == "levenberg_marquardt" and get_loss(loss) is not LOSSES["squared_error"]:
        raise ValueError(
            f"levenberg_marquardt minimises sums of squares, not {loss!r}: use method='lbfgs'"
        )
    train = as_part(model, loss, data.train, "train")
    valid = None if data.valid is None else as_part(model, loss, data.valid, "valid")
    if "weight" in train or (valid and "weight" in valid):
        raise ValueError("the samples have weights, which converge does not use: leave them out")
    found, losses = _run(
        model, loss, method, float(l2), group, jax.random.split(key, starts), (train, valid), steps,
        tolerance,
    )  # fmt: skip
    best = best_of(losses["train_loss" if valid is None else "valid_loss"])
    rows = losses | found._asdict()
    named = {name: np.asarray(rows[name]) for name in (*losses, *RECORDED)}
    train_loss, valid_loss, norm = (float(named[name][best]) for name in BEST)
    params = jax.tree.map(lambda leaf: leaf[best], found.params)
    return Converged(params, train_loss, valid_loss, norm, best, named)


BEST = ("train_loss", "valid_loss", "gradient_norm")
"""What is told of the best start."""
RECORDED = ("gradient_norm", "steps", "converged")
"""What is told of every start beside its losses."""


def best_of(losses: Any) -> int:
    """Returns the index of the lowest of `losses [starts]`; NaN is never the lowest.

    Raises:
        ValueError: no loss is finite, or they are not a vector.

    Example:
        >>> best_of([0.5, float("nan"), 0.25])
        2
    """
    losses = np.asarray(losses, float)
    if losses.ndim != 1:
        raise ValueError(f"losses have shape {losses.shape}; they must be a vector [starts]")
    if not np.isfinite(losses).any():
        raise ValueError(
            f"none of {len(losses)} starts has a finite loss: scale x and y, or start nearer 0"
        )
    return int(np.argmin(np.where(np.isfinite(losses), losses, np.inf)))


@partial(jax.jit, static_argnums=(0, 1, 2, 3, 4))
def _run(
    model: Any,
    loss: AnyLoss,
    method: str,
    l2: float,
    group: int | None,
    keys: Array,
    parts: tuple,
    steps: Array,
    tolerance: Array | None,
) -> tuple[Minimum, dict[str, Array]]:
    train, valid = parts

    def one(key: Array) -> tuple[Minimum, dict[str, Array]]:
        start = calls_of(model).init(key, train["x"][:1])
        found = METHODS[method](model, loss, l2, start, train, steps=steps, tolerance=tolerance)
        losses = {"train_loss": _mean_loss(model, loss, found.params, train)}
        losses["valid_loss"] = jnp.full_like(losses["train_loss"], jnp.nan)
        if valid is not None:
            losses["valid_loss"] = _mean_loss(model, loss, found.params, valid)
        return found, losses

    return jax.vmap(one)(keys) if group is None else lax.map(one, keys, batch_size=group)


def _mean_loss(model: Any, loss: AnyLoss, params: Params, part: Any) -> Array:
    return metrics_of(get_loss(loss), outputs_of(model, params, part["x"]), part["y"])["loss"]


def _by_lbfgs(
    model: Any, loss: AnyLoss, l2: float, start: Params, part: Any, **limits: Any
) -> Minimum:
    objective = Objective(model, loss, l2=l2)
    return minimise(lambda params, part: objective(params, part)[0], start, part, **limits)


def _by_levenberg_marquardt(
    model: Any, loss: AnyLoss, l2: float, start: Params, part: Any, **limits: Any
) -> Minimum:
    return levenberg_marquardt(
        squared_error_residuals(model, l2),
        start,
        part,
        jacobian=squared_error_jacobian(model, l2),
        **limits,
    )


METHODS: dict[str, Callable[..., Minimum]] = {
    "lbfgs": _by_lbfgs,
    "levenberg_marquardt": _by_levenberg_marquardt,
}
"""Name to a search from one start."""


def squared_error_residuals(model: Any, l2: float = 0.0) -> Callable[[Params, Any], Array]:
    """Builds residuals r of which `1/2 |r|^2` is the mean squared error plus `l2 |weights|^2`.

    They are `(params, {"x", "y" [samples, k]}) -> [samples k]`, longer by the weights with an l2.
    """

    def residuals(params: Params, part: Any) -> Array:
        outputs = calls_of(model).evaluate(without_statistics(params), part["x"])
        errors = _factor(part) * (outputs - part["y"])
        return jnp.concatenate([errors.ravel(), *_shrinking(l2, params)])

    return residuals


def squared_error_jacobian(model: Any, l2: float = 0.0) -> Callable[[Params, Any], Params]:
    """Builds the Jacobian of these residuals, one backward pass for each output of each sample."""

    def jacobian(params: Params, part: Any) -> Params:
        def outputs(params: Params, sample: Array) -> Array:
            return calls_of(model).evaluate(without_statistics(params), sample[None])[0]

        by_sample = jax.vmap(jax.jacrev(outputs), in_axes=(None, 0))(params, part["x"])
        rows = jax.tree.map(
            lambda a: _factor(part) * a.reshape(-1, *a.shape[2:]).astype(a.dtype), by_sample
        )
        if not l2:
            return rows
        below = jax.jacobian(lambda params: jnp.concatenate(_shrinking(l2, params)))(params)
        return jax.tree.map(lambda *blocks: jnp.concatenate(blocks), rows, below)

    return jacobian


def _factor(part: Any) -> Array:
    """Makes half the squares of the residuals a mean over samples."""
    return jnp.sqrt(2 / len(part["x"])).astype(part["y"].dtype)


def _shrinking(l2: float, params: Params) -> list[Array]:
    return [(2 * l2) ** 0.5 * w.ravel() for w in weights(params)] if l2 else []
