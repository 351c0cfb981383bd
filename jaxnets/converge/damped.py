"""Damped least squares for one step: `(J^T J + mu D^2) h = -J^T r`, solved in three ways.

Each way is a NamedTuple of two pure functions, so that the loop of `levenberg_marquardt` knows none
of them. J is the Jacobian `[m, n]` of the residuals r `[m]` at weights w `[n]`, D a diagonal.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import Array, lax
from jax.scipy.linalg import cho_solve, solve_triangular
from jax.scipy.sparse.linalg import cg

from jaxnets.ops import one_by_one

BLOCK = 32
"""Columns or rows of a Jacobian computed at a time."""
CG_TOLERANCE, CG_STEPS = 1e-3, 500
"""When conjugate gradients end: the share of the gradient that is left, or steps."""

Residuals = Callable[[Array], Array]
"""Weights `[n]` to residuals `[m]`."""


class Linearised(NamedTuple):
    """The residuals near some weights, as far as a step needs them."""

    gradient: Array
    """`J^T r`, `[n]`."""
    lengths: Array
    """Of the columns of J, `[n]`; ones if J is never built."""
    matrix: Any
    """What is saved of J: `J^T J`, J itself, or nothing."""
    curvature: Array
    """`|J g|^2 / |g|^2` along the gradient g, a scalar."""


class Way(NamedTuple):
    """A way to solve the damped equations.

    Args:
        linearise: `(w, r) -> Linearised`.
        solve: `(w, r, linearised, scale [n], damping) -> h [n]`, where D is `scale`.
    """

    linearise: Callable[[Array, Array], Linearised]
    solve: Callable[[Array, Array, Linearised, Array, Array], Array]


def jacobian_of(residuals: Residuals, w: Array) -> Array:
    """Computes `[m, n]` forwards or backwards, whichever is shorter, in blocks that fit a cache."""
    value, push = jax.linearize(residuals, w)
    if w.size <= value.size:
        return lax.map(push, jnp.eye(w.size, dtype=w.dtype), batch_size=BLOCK).T
    pull = jax.linear_transpose(push, w)
    return lax.map(lambda c: pull(c)[0], jnp.eye(value.size, dtype=value.dtype), batch_size=BLOCK)


@one_by_one
def _solve_positive(matrix: Array, right: Array) -> Array:
    return cho_solve((lax.linalg.cholesky(matrix, symmetrize_input=False), True), right)


@one_by_one
def _solve_least_squares(joined: Array) -> Array:
    """Minimises `||A h - b||` for joined = [A b]."""
    factor, n = jnp.linalg.qr(joined, mode="r"), joined.shape[1] - 1
    return solve_triangular(factor[:n, :n], factor[:n, n])


def by_cholesky(jacobian: Residuals) -> Way:
    """Builds `J^T J` once for all dampings and factors it scaled to a unit diagonal."""

    def linearise(w: Array, r: Array) -> Linearised:
        j = jacobian(w)
        squares, gradient = j.T @ j, j.T @ r
        return Linearised(
            gradient, jnp.sqrt(jnp.diagonal(squares)), squares, _curvature(j @ gradient, gradient)
        )

    def solve(w: Array, r: Array, at: Linearised, scale: Array, damping: Array) -> Array:
        scaled = at.matrix / scale[:, None] / scale[None]
        raised = scaled + damping * jnp.eye(w.size, dtype=w.dtype)
        return -_solve_positive(raised, at.gradient / scale) / scale

    return Way(linearise, solve)


def by_qr(jacobian: Residuals) -> Way:
    """Factors `[J D^-1; sqrt(mu) I]` itself: half the digits that `J^T J` loses, at twice the cost.

    The right-hand side is one more column, so that Q is never built.
    """

    def linearise(w: Array, r: Array) -> Linearised:
        j = jacobian(w)
        gradient = j.T @ r
        lengths = jnp.sqrt(jnp.sum(j**2, axis=0))
        return Linearised(gradient, lengths, j, _curvature(j @ gradient, gradient))

    def solve(w: Array, r: Array, at: Linearised, scale: Array, damping: Array) -> Array:
        n = w.size
        upper = jnp.concatenate([at.matrix / scale[None], r[:, None]], axis=1)
        lower = jnp.sqrt(damping) * jnp.eye(n, n + 1, dtype=w.dtype)
        return -_solve_least_squares(jnp.concatenate([upper, lower])) / scale

    return Way(linearise, solve)


def by_conjugate_gradients(residuals: Residuals) -> Way:
    """Multiplies by J and `J^T` without building them, for many weights.

    Conjugate gradients that end early still give a step along which the quadratic model falls
    (Steihaug, 1983).
    """

    def linearise(w: Array, r: Array) -> Linearised:
        push, pull = _products(residuals, w)
        gradient = pull(r)
        return Linearised(gradient, jnp.ones_like(w), (), _curvature(push(gradient), gradient))

    def solve(w: Array, r: Array, at: Linearised, scale: Array, damping: Array) -> Array:
        push, pull = _products(residuals, w)

        def damped(h: Array) -> Array:
            return pull(push(h / scale)) / scale + damping * h

        found, _ = cg(damped, -at.gradient / scale, tol=CG_TOLERANCE, maxiter=CG_STEPS)
        return found / scale

    return Way(linearise, solve)


def _products(residuals: Residuals, w: Array) -> tuple[Callable, Callable]:
    _, push = jax.linearize(residuals, w)
    transposed = jax.linear_transpose(push, w)
    return push, lambda r: transposed(r)[0]


def _curvature(pushed: Array, gradient: Array) -> Array:
    length = jnp.sum(gradient**2)
    return jnp.sum(pushed**2) / jnp.where(length > 0, length, 1)
