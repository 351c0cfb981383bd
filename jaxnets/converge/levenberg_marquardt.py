"""Nonlinear least squares: Gauss-Newton steps, damped until the loss falls."""

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import Array, lax
from jax.flatten_util import ravel_pytree

from jaxnets.converge import damped
from jaxnets.converge.damped import Linearised, Way
from jaxnets.converge.minimum import (
    Minimum,
    Params,
    as_inexact,
    require_finite_value,
    require_function,
    require_limits,
    require_start,
)

FIRST_DAMPING = 1e-3
"""The first mu, as a share of the curvature along the gradient."""
WIDEST_DENSE, LARGEST_DENSE = 2000, 50_000_000
"""The most weights, and the most numbers of a Jacobian, for which it is built."""


class _Search(NamedTuple):
    """What a step needs of the one before."""

    weights: Array
    residuals: Array
    linearised: Linearised
    scale: Array
    damping: Array
    growth: Array
    """The factor of the damping after a refused step."""
    steps: Array
    offset: Array
    """`|r|` lost by the last step in the linear model, as a share (Bates and Watts, 1981)."""
    stalled: Array
    """Whether the last step was too short to change the weights."""


class _Limits(NamedTuple):
    """When a search ends, and the smallest damping."""

    tolerance: Array | float
    loss: Array
    damping: Array


def levenberg_marquardt(
    residuals: Callable[..., Array],
    params: Params,
    *args: Any,
    steps: int = 200,
    tolerance: float | None = None,
    dense: bool | None = None,
    scaled: bool | None = None,
    jacobian: Callable[..., Params] | None = None,
) -> Minimum:
    """Minimises `1/2 |r(w)|^2` by steps `(J^T J + mu D^2) h = -J^T r` (Levenberg, 1944).

    D has the lengths of the columns of J (Marquardt, 1963), the longest so far (Moré, 1978), so
    that the path does not depend on the units of the weights. A step is taken only if the loss
    falls; mu follows the ratio of its fall to the predicted one (Nielsen, 1999).

    It is a pure function: `jax.vmap(lambda start: levenberg_marquardt(residuals, start, x, y))`
    searches from many starts at once. Float64 params need `jax.enable_x64`; equal functions share a
    compiled program, so define the residuals once.

    Args:
        residuals: `(params, *args) -> [m]`, pure.
        params: where to start, any tree of floats, n in all.
        *args: passed on to the residuals: the data.
        steps: the most steps, refused ones included.
        tolerance: the cosine between r and every column of J, and between r and the change of r
            that the last step was to bring, at which the search has converged; by default the
            square root of the float type's precision. The first alone would end in a long valley.
        dense: whether J is built and the equations are factored (`J^T J` by Cholesky; J itself by
            QR where floats are single), or solved by conjugate gradients with products; by default
            it is built up to 2,000 weights.
        scaled: whether D is as above; otherwise it is the identity, as in Levenberg's paper and
            always with `dense=False`.
        jacobian: `(params, *args)` to a tree like params with leaves `[m, *leaf]`, as of
            `jax.jacobian(residuals)`, if you know a quicker way to compute it where it is built.

    Returns:
        The params with the lowest loss found, that loss `1/2 |r|^2` and the norm of its gradient
        `J^T r`. It has converged if the tolerance is reached, or if of the first loss no digit
        is left.

    Raises:
        ValueError: params or residuals that are not finite at the start, residuals that are not a
            vector, `scaled=True` or a jacobian with `dense=False`, steps or a tolerance of 0.
        TypeError: params that are not floats, steps that are not an integer.

    Example:
        >>> import jax.numpy as jnp
        >>> from jaxnets.converge import levenberg_marquardt
        >>> def residuals(params, x, y):
        ...     return params["a"] * jnp.exp(-params["b"] * x) - y
        >>> x = jnp.linspace(0.0, 2.0, 20)
        >>> y = 3 * jnp.exp(-0.5 * x)
        >>> found = levenberg_marquardt(residuals, {"a": 1.0, "b": 0.1}, x, y)
        >>> round(float(found.params["a"]), 3), round(float(found.params["b"]), 3)
        (3.0, 0.5)
    """
    require_function(residuals, "residuals", "lambda params, x, y: model(params, x) - y")
    if jacobian is not None:
        require_function(jacobian, "jacobian", "jax.jacobian(residuals)")
    require_start(params)
    require_limits(steps, tolerance)
    params = as_inexact(params)
    shape = _require_vector(residuals, params, args)
    weights = sum(leaf.size for leaf in jax.tree.leaves(params))
    if dense is not None and not dense and (scaled or jacobian is not None):
        raise ValueError(
            "dense=False never builds a Jacobian: it takes neither scaled=True nor a jacobian"
        )
    if dense is None:
        small = weights <= WIDEST_DENSE and weights * shape[0] <= LARGEST_DENSE
        dense = small or bool(scaled)
    require_finite_value(residuals, params, args, "residuals")
    scaled = dense and scaled is not False
    return _run(residuals, jacobian, dense, scaled, params, args, steps, tolerance)


def _require_vector(residuals: Callable, params: Params, args: tuple) -> tuple[int, ...]:
    found = jax.eval_shape(residuals, params, *args)
    shape = getattr(found, "shape", None)
    if shape is None or len(shape) != 1:
        what = f"shape {shape}" if shape is not None else f"type {type(found).__name__}"
        raise ValueError(f"residuals have {what}; they must be a vector [m]: use jnp.ravel")
    if not shape[0]:
        raise ValueError("residuals are empty: there is nothing to fit")
    return shape


@partial(jax.jit, static_argnums=(0, 1, 2, 3))
def _run(
    residuals: Callable,
    jacobian: Callable | None,
    dense: bool,
    scaled: bool,
    params: Params,
    args: tuple,
    steps: Array,
    tolerance: Array | None,
) -> Minimum:
    weights, unravel = ravel_pytree(params)

    def flat(w: Array) -> Array:
        return residuals(unravel(w), *args).astype(w.dtype)

    def flat_jacobian(w: Array) -> Array:
        if jacobian is None:
            return damped.jacobian_of(flat, w)
        leaves = jax.tree.leaves(jacobian(unravel(w), *args))
        return jnp.concatenate([a.reshape(len(a), -1) for a in leaves], axis=1).astype(w.dtype)

    way = _way(flat, flat_jacobian, dense, weights.dtype)
    begun = _begin(way, weights, flat(weights), scaled)
    limits = _limits(begun, tolerance)
    last = lax.while_loop(
        lambda now: (now.steps < steps) & ~_converged(now, limits) & ~now.stalled,
        partial(_step, way, flat, scaled, limits),
        begun,
    )
    return Minimum(
        unravel(last.weights),
        _loss(last.residuals),
        jnp.linalg.norm(last.linearised.gradient),
        last.steps,
        _converged(last, limits),
    )


def _way(flat: Callable, jacobian: Callable, dense: bool, dtype: Any) -> Way:
    if not dense:
        return damped.by_conjugate_gradients(flat)
    return (damped.by_cholesky if dtype == jnp.float64 else damped.by_qr)(jacobian)


def _begin(way: Way, weights: Array, residuals: Array, scaled: bool) -> _Search:
    at = way.linearise(weights, residuals)
    scale = _scale(at.lengths, jnp.zeros_like(weights), scaled)
    curvature = jnp.where(at.curvature > 0, at.curvature, 1)
    damping = FIRST_DAMPING * (jnp.ones_like(curvature) if scaled else curvature)
    growth = jnp.full_like(damping, 2)
    count, stalled = jnp.zeros((), jnp.int32), jnp.zeros((), bool)
    offset = jnp.full_like(damping, jnp.inf)
    return _Search(weights, residuals, at, scale, damping, growth, count, offset, stalled)


def _scale(lengths: Array, before: Array, scaled: bool) -> Array:
    """D: the longest columns so far, 1 for a weight that has moved nothing yet."""
    longest = jnp.maximum(lengths, before)
    return jnp.where(longest > 0, longest, 1) if scaled else jnp.ones_like(lengths)


def _limits(begun: _Search, tolerance: Array | None) -> _Limits:
    precision = float(jnp.finfo(begun.weights.dtype).eps)
    first = _loss(begun.residuals)
    cosine = precision**0.5 if tolerance is None else tolerance
    return _Limits(cosine, (10 * precision) ** 2 * first, precision * begun.damping)


def _step(way: Way, flat: Callable, scaled: bool, limits: _Limits, now: _Search) -> _Search:
    at = now.linearised
    h = way.solve(now.weights, now.residuals, at, now.scale, now.damping)
    trial = now.weights + h
    found = flat(trial)
    predicted = 0.5 * jnp.sum(h * (now.damping * now.scale**2 * h - at.gradient))
    # The difference of two losses, with the digits that subtracting the sums would lose.
    fall = 0.5 * jnp.sum((now.residuals - found) * (now.residuals + found))
    taken = (fall > 0) & jnp.isfinite(predicted)
    weights, residuals, at = lax.cond(
        taken,
        lambda: (trial, found, way.linearise(trial, found)),
        lambda: (now.weights, now.residuals, at),
    )
    factor = jnp.maximum(1 / 3, 1 - (2 * fall / predicted - 1) ** 3)
    damping = now.damping * jnp.where(taken, factor, now.growth)
    lengths = jnp.linalg.norm(now.scale * h), jnp.linalg.norm(now.scale * now.weights)
    stalled = lengths[0] <= jnp.finfo(h.dtype).eps * lengths[1]
    return _Search(
        weights,
        residuals,
        at,
        _scale(at.lengths, now.scale, scaled),
        jnp.maximum(damping, limits.damping),
        jnp.where(taken, 2, 2 * now.growth),
        now.steps + 1,
        jnp.sqrt(predicted / _loss(now.residuals)),
        stalled | ~jnp.isfinite(damping),
    )


def _converged(now: _Search, limits: _Limits) -> Array:
    at = now.linearised
    loss = _loss(now.residuals)
    longest = at.lengths * jnp.sqrt(2 * loss)
    level = (jnp.abs(at.gradient) <= limits.tolerance * longest).all()
    return (level & (now.offset <= limits.tolerance)) | (loss <= limits.loss)


def _loss(residuals: Array) -> Array:
    return 0.5 * jnp.sum(residuals**2)
