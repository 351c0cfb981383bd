"""Signed distances to solids, exact inside and outside (Hart, "Sphere tracing", 1996)."""

from typing import Any

import jax.numpy as jnp
from jax import Array

from jaxnets.host import checks

Sizes = Any
"""A number, or an array that broadcasts; traced or known."""


def sphere(points: Any, radius: Sizes) -> Array:
    """Computes `|x| - r`, the distances `[...]` of `points [..., 3]` to a ball around 0.

    Raises:
        ValueError: points that are not `[..., 3]`, or a radius that is not above 0.
        TypeError: not numbers.

    Example:
        >>> import jax.numpy as jnp
        >>> sphere(jnp.array([[3.0, 0.0, 4.0], [0.0, 0.0, 0.0]]), 2.0).tolist()
        [3.0, -2.0]
    """
    points = _as_points(points)
    _require_sizes(radius, "radius")
    return length(points) - radius


def box(points: Any, half: Any) -> Array:
    """Computes the distances `[...]` to a box around 0 with edges along the axes.

    With `q = |x| - half`: `|max(q, 0)| + min(max_i q_i, 0)`.

    Args:
        points: `[..., 3]`.
        half: half of each edge, `[3]`.

    Raises:
        ValueError: wrong shapes, or a size that is not above 0.
        TypeError: not numbers.

    Example:
        >>> import jax.numpy as jnp
        >>> box(jnp.array([[3.0, 0.0, 0.0], [0.0, 0.0, 0.0]]), jnp.array([1.0, 2.0, 2.0])).tolist()
        [2.0, -1.0]
    """
    points = _as_points(points)
    _require_sizes(half, "half")
    q = jnp.abs(points) - _as_vector(half, "half", points)
    return length(jnp.maximum(q, 0)) + jnp.minimum(jnp.max(q, axis=-1), 0)


def torus(points: Any, major: Sizes, minor: Sizes) -> Array:
    """Computes `|(|(x, y)| - R, z)| - r`, the distances `[...]` to a ring around the z axis.

    Args:
        points: `[..., 3]`.
        major: R, from the axis to the middle of the tube.
        minor: r, of the tube. The distance inside is exact for `minor <= major`.

    Raises:
        ValueError: points that are not `[..., 3]`, or a radius that is not above 0.
        TypeError: not numbers.

    Example:
        >>> import jax.numpy as jnp
        >>> torus(jnp.array([[2.0, 0.0, 0.0], [0.0, 0.0, 0.0]]), 2.0, 0.5).tolist()
        [-0.5, 1.5]
    """
    points = _as_points(points)
    _require_sizes(major, "major")
    _require_sizes(minor, "minor")
    outward = length(points[..., :2]) - major
    return length(jnp.stack([outward, points[..., 2]], axis=-1)) - minor


def capsule(points: Any, start: Any, end: Any, radius: Sizes) -> Array:
    """Computes the distances `[...]` to all that is within `radius` of a straight line.

    Args:
        points: `[..., 3]`.
        start: of the line, `[3]`.
        end: `[3]`; it may equal `start`.
        radius: above 0.

    Raises:
        ValueError: wrong shapes, or a radius that is not above 0.
        TypeError: not numbers.

    Example:
        >>> import jax.numpy as jnp
        >>> ends = jnp.array([0.0, 0.0, -1.0]), jnp.array([0.0, 0.0, 1.0])
        >>> capsule(jnp.array([[3.0, 0.0, 0.0], [0.0, 0.0, 0.0]]), *ends, 0.5).tolist()
        [2.5, -0.5]
    """
    points = _as_points(points)
    _require_sizes(radius, "radius")
    first = _as_vector(start, "start", points)
    line = _as_vector(end, "end", points) - first
    squared = jnp.sum(line**2, axis=-1)
    along = jnp.sum((points - first) * line, axis=-1) / jnp.where(squared > 0, squared, 1)
    nearest = first + jnp.clip(along, 0, 1)[..., None] * line
    return length(points - nearest) - radius


def length(x: Array) -> Array:
    """Computes `|x|` over the last axis, with the derivative 0 at 0, where `norm` has a NaN."""
    squared = jnp.sum(x**2, axis=-1)
    positive = squared > 0
    return jnp.where(positive, jnp.sqrt(jnp.where(positive, squared, 1)), 0)


def _as_points(points: Any) -> Array:
    points = checks.as_array(points, "points")
    if points.ndim == 0 or points.shape[-1] != 3:
        raise ValueError(f"points have shape {points.shape}; expected [..., 3]")
    if not checks.is_float(points.dtype):
        raise TypeError(f"points have dtype {points.dtype}; they must be floats")
    return jnp.asarray(points)


def _as_vector(value: Any, name: str, like: Array) -> Array:
    value = checks.as_array(value, name)
    if value.shape != (3,):
        raise ValueError(f"{name} has shape {value.shape}; expected [3]")
    return jnp.broadcast_to(jnp.asarray(value, like.dtype), like.shape)


def _require_sizes(value: Any, name: str) -> None:
    if not checks.is_traced(value):
        checks.require_positive(value, name)
