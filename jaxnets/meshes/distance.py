"""Exact signed distances of points to a mesh, and of two surfaces to each other.

Coordinates come first, so that all is elementwise on `[points, triangles]`: with a last axis of 3
it takes several times as long.
"""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array, lax

from jaxnets.host import checks
from jaxnets.meshes.mesh import Mesh, corners, surface_points

AT_ONCE = 64
"""Points for which all triangles are looked at together."""
Vectors = tuple[Array, Array, Array]
"""The coordinates of many vectors."""


def signed_distance(points: Any, mesh: Mesh) -> np.ndarray:
    """Computes the distances `[n]` of points `[n, 3]` to a closed mesh, negative inside.

    Each is the least over all triangles, in JAX's default precision. Inside is where the surface
    winds around a point by more than half (Jacobson et al., 2013), from the solid angles of all
    triangles (van Oosterom and Strackee, 1983).

    Raises:
        ValueError: points that are not `[n, 3]` or not finite.
        TypeError: not numbers.

    Example:
        >>> import numpy as np
        >>> from jaxnets import meshes, shapes
        >>> ball = meshes.march(np.asarray(shapes.sphere(meshes.grid(20), 0.5)).reshape(20, 20, 20))
        >>> round(float(signed_distance(np.array([[0.0, 0.0, 0.9]]), ball)[0]), 1)
        0.4
    """
    found = checks.as_finite(points, "points")
    if found.ndim != 2 or found.shape[1] != 3 or not len(found):
        raise ValueError(f"points have shape {found.shape}; expected [n, 3], one or more")
    padded = np.pad(found.astype(float), ((0, -len(found) % AT_ONCE), (0, 0)))
    groups = jnp.asarray(padded.reshape(-1, AT_ONCE, 3))
    return np.asarray(_distances(groups, jnp.asarray(corners(mesh))))[: len(found)]


def chamfer(a: Mesh, b: Mesh, n: int, rng: np.random.Generator) -> float:
    """Estimates the mean distance of two surfaces: n points on each, to the other's triangles.

    The average of both ways; unlike the distance between two sets of points it is 0 for equal
    surfaces.

    Raises:
        ValueError: n below 1, or a mesh without area.
        TypeError: n that is not an integer.

    Example:
        >>> import numpy as np
        >>> from jaxnets import meshes, shapes
        >>> ball = meshes.march(np.asarray(shapes.sphere(meshes.grid(10), 0.5)).reshape(10, 10, 10))
        >>> round(chamfer(ball, ball, 100, np.random.default_rng(0)), 5)
        0.0
    """
    ways = ((a, b), (b, a))
    return float(
        np.mean([np.abs(signed_distance(surface_points(p, n, rng), q)).mean() for p, q in ways])
    )


@jax.jit
def _distances(groups: Array, triangles: Array) -> Array:
    a, b, c = (
        (triangles[None, :, k, 0], triangles[None, :, k, 1], triangles[None, :, k, 2])
        for k in range(3)
    )

    def of_some(points: Array) -> Array:
        p = (points[:, :1], points[:, 1:2], points[:, 2:])
        to_corners = _minus(a, p), _minus(b, p), _minus(c, p)
        nearest = jnp.sqrt(jnp.min(_squared_distance(*to_corners), axis=1))
        winding = jnp.sum(_solid_angle(*to_corners), axis=1) / (4 * jnp.pi)
        return jnp.where(winding > 0.5, -nearest, nearest)

    return lax.map(of_some, groups).ravel()


def _squared_distance(a: Vectors, b: Vectors, c: Vectors) -> Array:
    """Of 0 to triangles with these corners: to the plane above the triangle, else to an edge."""
    normal = _cross(_minus(b, a), _minus(c, a))
    size = _dot(normal, normal)
    above, to_edge = size > 0, jnp.full_like(size, jnp.inf)
    for start, end in ((a, b), (b, c), (c, a)):
        edge = _minus(end, start)
        above &= _dot(_cross(start, edge), normal) >= 0
        to_edge = jnp.minimum(to_edge, _squared_to_segment(start, edge))
    to_plane = _dot(a, normal) ** 2 / jnp.where(size > 0, size, 1)
    return jnp.where(above, jnp.minimum(to_plane, to_edge), to_edge)


def _squared_to_segment(start: Vectors, edge: Vectors) -> Array:
    size = _dot(edge, edge)
    along = jnp.clip(-_dot(start, edge) / jnp.where(size > 0, size, 1), 0, 1)
    x, y, z = (s + along * e for s, e in zip(start, edge, strict=True))
    return x * x + y * y + z * z


def _solid_angle(a: Vectors, b: Vectors, c: Vectors) -> Array:
    """Of triangles seen from 0, positive where they are seen from behind."""
    la, lb, lc = (jnp.sqrt(_dot(v, v)) for v in (a, b, c))
    below = la * lb * lc + _dot(a, b) * lc + _dot(b, c) * la + _dot(c, a) * lb
    return 2 * jnp.arctan2(_dot(a, _cross(b, c)), below)


def _minus(x: Vectors, y: Vectors) -> Vectors:
    return x[0] - y[0], x[1] - y[1], x[2] - y[2]


def _dot(x: Vectors, y: Vectors) -> Array:
    return x[0] * y[0] + x[1] * y[1] + x[2] * y[2]


def _cross(x: Vectors, y: Vectors) -> Vectors:
    return (
        x[1] * y[2] - x[2] * y[1],
        x[2] * y[0] - x[0] * y[2],
        x[0] * y[1] - x[1] * y[0],
    )
