"""Minima and saddle points of the loss of small networks, found from many starts."""

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.flatten_util import ravel_pytree

from jaxnets.converge import levenberg_marquardt, minimise
from jaxnets.ops import one_by_one

Part = dict[str, Array]
CRITICAL = 1e-7
"""The largest norm of a gradient at a critical point."""
FLAT = 1e-7
"""The largest size of an eigenvalue of the Hessian that counts as 0."""
APART = 1e-6
"""By how much two losses differ if they belong to different points."""


def draw(key: Array, samples: int) -> Part:
    """Draws points `x [samples, 2]` of a square and a sum of four waves `y [samples, 1]`.

    The waves have random directions and up to one period a side; y has mean 0 and variance 1.
    """
    x_key, along_key, phase_key = jax.random.split(key, 3)
    x = jax.random.uniform(x_key, (samples, 2), minval=-1.0, maxval=1.0)
    along = jax.random.uniform(along_key, (2, 4), minval=-1.0, maxval=1.0)
    phase = jax.random.uniform(phase_key, (4,), maxval=2 * jnp.pi)
    y = jnp.cos(jnp.pi * x @ along + phase[None]).sum(axis=1)
    return {"x": x, "y": ((y - y.mean()) / y.std())[:, None]}


def loss(model: Any, l2: float, params: Any, part: Part) -> Array:
    """Computes the mean squared error plus `l2` times the sum of squares, biases included.

    A penalty on all of them leaves no minimum at infinity, and no direction without curvature.
    """
    errors = model.apply(params, part["x"]) - part["y"]
    return jnp.mean(errors**2) + l2 * jnp.sum(ravel_pytree(params)[0] ** 2)


def minima(
    model: Any, l2: float, keys: Array, parts: Part, starts: int, steps: int
) -> dict[str, np.ndarray]:
    """Minimises from many starts on each of several data sets, by Levenberg-Marquardt.

    Args:
        model: the network.
        l2: the penalty.
        keys: one for each data set, `[sets]`.
        parts: the data sets, with a leading axis.
        starts: for each of them.
        steps: the most for each start.

    Returns:
        `losses` and `gradient_norms` where the searches ended, `[sets, starts]`.
    """
    unravel = ravel_pytree(model.init(jax.random.key(0), parts["x"][0, :1]))[1]
    factor, decay = (2 / parts["x"].shape[1]) ** 0.5, (2 * l2) ** 0.5

    def output(w: Array, x: Array) -> Array:
        return model.apply(unravel(w), x[None])[0, 0]

    def residuals(w: Array, part: Part) -> Array:
        errors = model.apply(unravel(w), part["x"]) - part["y"]
        return jnp.concatenate([factor * errors[:, 0], decay * w])

    def jacobian(w: Array, part: Part) -> Array:
        rows = jax.vmap(jax.grad(output), in_axes=(None, 0))(w, part["x"])
        return jnp.concatenate([factor * rows, decay * jnp.eye(len(w))])

    def search(key: Array, part: Part) -> tuple[Array, Array]:
        start = ravel_pytree(model.init(key, part["x"][:1]))[0]
        found = levenberg_marquardt(residuals, start, part, steps=steps, jacobian=jacobian)
        return found.loss, found.gradient_norm

    losses, norms = _from_many(search, keys, parts, starts)
    return {"losses": losses, "gradient_norms": norms}


def critical(
    model: Any, l2: float, keys: Array, parts: Part, starts: int, steps: int
) -> dict[str, np.ndarray]:
    """Finds points without a gradient: half by descent, half as zeros of the gradient.

    The latter are found by Levenberg-Marquardt on the gradient, which is attracted by saddle points
    as much as by minima.

    Args:
        model: the network, small enough for its Hessian.
        l2: the penalty.
        keys: one for each data set, `[sets]`.
        parts: the data sets, with a leading axis.
        starts: of each of the two searches, with standard normal weights.
        steps: the most for each start.

    Returns:
        `losses` and `indices`, the number of directions in which the loss falls, both
        `[sets, 2 starts]`, NaN where the gradient is not 0 or the Hessian has an eigenvalue 0.
    """
    first, unravel = ravel_pytree(model.init(jax.random.key(0), parts["x"][0, :1]))

    def objective(w: Array, part: Part) -> Array:
        return loss(model, l2, unravel(w), part)

    gradient, hessian = jax.grad(objective), jax.hessian(objective)

    def describe(w: Array, part: Part) -> tuple[Array, Array]:
        eigenvalues = one_by_one(jnp.linalg.eigvalsh)(hessian(w, part))
        sure = jnp.linalg.norm(gradient(w, part)) < CRITICAL
        sure &= jnp.abs(eigenvalues).min() > FLAT
        index = jnp.sum(eigenvalues < 0)
        return jnp.where(sure, objective(w, part), jnp.nan), jnp.where(sure, index, jnp.nan)

    def descend(key: Array, part: Part) -> tuple[Array, Array]:
        start = jax.random.normal(key, first.shape)
        return describe(minimise(objective, start, part, steps=steps).params, part)

    def solve(key: Array, part: Part) -> tuple[Array, Array]:
        start = jax.random.normal(key, first.shape)
        found = levenberg_marquardt(
            gradient, start, part, steps=steps, tolerance=1e-14, jacobian=hessian
        )
        return describe(found.params, part)

    found = [_from_many(search, keys, parts, starts) for search in (descend, solve)]
    losses, indices = (np.concatenate(arrays, axis=1) for arrays in zip(*found, strict=True))
    return {"losses": losses, "indices": indices}


def _from_many(search: Any, keys: Array, parts: Part, starts: int) -> list[np.ndarray]:
    """Searches from every start on every set; what it returns becomes `[sets, starts]`."""
    each = jax.vmap(partial(jax.random.split, num=starts))(keys)
    found = jax.vmap(jax.vmap(search, in_axes=(0, None)))(each, parts)
    return [np.asarray(values) for values in found]


def distinct(losses: np.ndarray, chosen: np.ndarray) -> np.ndarray:
    """Counts the different losses of `losses [sets, points]` where `chosen`, for each set.

    Exchanging hidden units, or their signs, gives another point with the same loss.
    """
    return np.asarray([_count(row[keep]) for row, keep in zip(losses, chosen, strict=True)])


def _count(losses: np.ndarray) -> int:
    return int(np.sum(np.diff(np.sort(losses)) > APART) + 1) if losses.size else 0
