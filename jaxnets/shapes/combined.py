"""Signed distances of what is made of several solids, from the distances of each.

A union is exact outside, a difference a lower bound there; their zero sets are exact.
"""

from functools import reduce
from typing import Any

import jax.numpy as jnp
from jax import Array

from jaxnets.host import checks


def union(*distances: Any) -> Array:
    """Computes `min_i d_i`, `[...]`, of distances `[...]` each: what is in any of them.

    Raises:
        ValueError: no distances, or different shapes.
        TypeError: not arrays of numbers.

    Example:
        >>> import jax.numpy as jnp
        >>> union(jnp.array([0.25, -1.0]), jnp.array([0.5, 0.0])).tolist()
        [0.25, -1.0]
    """
    return reduce(jnp.minimum, _as_alike(*distances))


def difference(a: Any, b: Any) -> Array:
    """Computes `max(a, -b)`, `[...]`: what is in the first and not in the second.

    Raises:
        ValueError: different shapes.
        TypeError: not arrays of numbers.

    Example:
        >>> import jax.numpy as jnp
        >>> difference(jnp.array([-0.5]), jnp.array([-0.25])).tolist()  # in both: outside
        [0.25]
    """
    a, b = _as_alike(a, b)
    return jnp.maximum(a, -b)


def smooth_union(a: Any, b: Any, radius: Any) -> Array:
    r"""Computes a union whose crease is rounded off, `[...]`.

    $\min(a, b) - h^2 / 4 r$ with $h = \max(r - |a - b|, 0)$ (Quilez, "Smooth minimum", 2013): it is
    the union where the distances differ by r or more, is at most r / 4 below it, and has a
    continuous derivative.

    Args:
        a: distances `[...]`.
        b: likewise.
        radius: r, above 0.

    Raises:
        ValueError: different shapes, or a radius that is not above 0.
        TypeError: not arrays of numbers.

    Example:
        >>> import jax.numpy as jnp
        >>> smooth_union(jnp.array([0.0, 2.0]), jnp.array([0.0, 0.0]), 1.0).tolist()
        [-0.25, 0.0]
    """
    a, b = _as_alike(a, b)
    if not checks.is_traced(radius):
        checks.require_positive(radius, "radius")
    gap = a - b
    near = jnp.maximum(radius - jnp.abs(gap), 0)
    return jnp.minimum(a, b) - near**2 / (4 * radius)


def _as_alike(*distances: Any) -> list[Array]:
    if not distances:
        raise ValueError("a union needs the distances of one solid or more")
    found = [jnp.asarray(checks.as_array(d, "distances")) for d in distances]
    shapes = {d.shape for d in found}
    if len(shapes) > 1:
        raise ValueError(f"distances have the shapes {sorted(shapes)}; all must have one shape")
    return found
