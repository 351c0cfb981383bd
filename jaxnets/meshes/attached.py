"""Vertices of a zero set as a differentiable function of what the set depends on."""

from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
from jax import Array

from jaxnets.host import checks

FLATTEST = 1e-6
"""The least square of the gradient that is divided by."""
Field = Callable[[Any, Array], Array]
"""`(code, points [n, 3]) -> values [n]`."""


def attach(f: Field, code: Any, vertices: Any) -> Array:
    r"""Returns the vertices `[n, 3]`, unchanged, with their derivative with respect to the code.

    Marching cubes has no derivative, but its vertices solve f = 0, so that by the implicit
    function theorem $dv / dC = -(\nabla f / |\nabla f|^2) \, df / dC$: how they move along the
    normal. Where $|\nabla f| = 1$ this is $-n \, df / dC$ of Remelli et al., "MeshSDF" (2020).

    Args:
        f: the function whose zeros the vertices are, of all that may be differentiated.
        code: its first argument: a code, params, sizes, or several of them in one tree.
        vertices: on the zero set; constants, whatever they were computed from.

    Raises:
        ValueError: vertices that are not `[n, 3]`, or values of f that are not `[n]`.
        TypeError: f that cannot be called, or vertices that are not numbers.

    Example:
        >>> import jax, numpy as np
        >>> from jaxnets import shapes
        >>> north = np.array([[0.0, 0.0, 1.0]], np.float32)  # on the unit sphere
        >>> moves = jax.jacobian(lambda r: attach(lambda r, x: shapes.sphere(x, r), r, north))
        >>> abs(moves(1.0)).tolist()  # outward, as fast as the radius grows
        [[0.0, 0.0, 1.0]]
    """
    checks.require_callable(f, "f", "lambda radius, x: jaxnets.shapes.sphere(x, radius)")
    vertices = jnp.asarray(checks.as_array(vertices, "vertices"), float)
    if vertices.ndim != 2 or vertices.shape[1] != 3:
        raise ValueError(f"vertices have shape {vertices.shape}; expected [n, 3]")
    values = jax.eval_shape(f, code, vertices)
    if values.shape != vertices.shape[:1]:
        raise ValueError(f"f returns the shape {values.shape} for {len(vertices)} vertices")
    return _attached(f, code, vertices)


@partial(jax.custom_jvp, nondiff_argnums=(0,))
def _attached(f: Field, code: Any, vertices: Array) -> Array:
    return vertices


@_attached.defjvp
def _attached_jvp(f: Field, primals: tuple, tangents: tuple) -> tuple[Array, Array]:
    code, vertices = primals
    _, change = jax.jvp(lambda c: f(c, vertices), (code,), tangents[:1])
    slopes = jax.grad(lambda p: jnp.sum(f(code, p)))(vertices)
    squared = jnp.maximum(jnp.sum(slopes**2, axis=1), FLATTEST)
    return vertices, -slopes * (change / squared)[:, None]
