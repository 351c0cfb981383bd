"""Losses along lines of parameter space, and their deviation from convexity (row E5; L1, L3)."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from scipy.signal import find_peaks

from jaxnets.objective import is_weight

Loss = Callable[[Any], Array]
"""Parameters to a scalar."""


def along(loss: Loss, centre: Any, direction: Any, positions: Array) -> Array:
    """Computes the loss at `centre + s direction` for each s of `positions [points]`, `[points]`.

    Centre and direction are parameters of the same structure.

    Example:
        >>> import jax.numpy as jnp
        >>> loss = lambda params: jnp.sum(params["w"] ** 2)
        >>> centre, direction = {"w": jnp.array([1.0])}, {"w": jnp.array([2.0])}
        >>> along(loss, centre, direction, jnp.array([-1.0, 0.0, 1.0])).tolist()
        [1.0, 1.0, 9.0]
    """

    def at(s: Array) -> Array:
        return loss(jax.tree.map(lambda c, d: c + s * d, centre, direction))

    return jax.vmap(at)(positions)


def filter_normalise(direction: Any, params: Any) -> Any:
    """Scales every unit's weights in `direction` to the norm that they have in `params`.

    A unit is a row of a weight matrix `[out, in]` or a channel of a kernel `[h, w, in, out]`;
    biases become 0. This makes directions comparable between networks of different scale (Li, Xu,
    Taylor, Studer and Goldstein, "Visualizing the loss landscape of neural nets", 2018).

    Example:
        >>> import jax.numpy as jnp
        >>> direction, params = {"w": jnp.array([[3.0, 4.0]])}, {"w": jnp.array([[0.0, 10.0]])}
        >>> filter_normalise(direction, params)["w"].tolist()
        [[6.0, 8.0]]
    """

    def scale(path: Any, drawn: Array, leaf: Array) -> Array:
        if not is_weight(path, leaf):
            return jnp.zeros_like(drawn)
        axes = (1,) if leaf.ndim == 2 else tuple(range(leaf.ndim - 1))
        norms = [jnp.sqrt(jnp.sum(a**2, axes, keepdims=True)) for a in (leaf, drawn)]
        return drawn * norms[0] / jnp.where(norms[1] > 0, norms[1], 1)

    return jax.tree.map_with_path(scale, direction, params)


def excess(losses: Array, t: Array) -> Array:
    """Measures how far `losses [points]` at `t [points]` in 0..1 rise above the chord of the ends.

    The result is relative to the larger end, which must be positive. A convex function has 0, up to
    rounding.

    Example:
        >>> import jax.numpy as jnp
        >>> t = jnp.array([0.0, 0.5, 1.0])
        >>> float(excess(jnp.array([1.0, 3.0, 1.0]), t))
        2.0
    """
    chord = (1 - t) * losses[0] + t * losses[-1]
    return jnp.max(losses - chord) / jnp.maximum(losses[0], losses[-1])


def convex_minorant(y: np.ndarray) -> np.ndarray:
    """Computes the largest convex function below `y [points]`, given on an even grid.

    Example:
        >>> convex_minorant(np.array([0.0, 5.0, 2.0])).tolist()
        [0.0, 1.0, 2.0]
    """
    corners: list[int] = []
    for i in range(len(y)):
        while len(corners) > 1 and _on_or_above(y, corners[-2], corners[-1], i):
            corners.pop()
        corners.append(i)
    return np.interp(np.arange(len(y)), corners, y[corners])


def _on_or_above(y: np.ndarray, left: int, middle: int, right: int) -> bool:
    """Checks whether a point lies on or above the chord of two others."""
    return (y[middle] - y[left]) * (right - left) >= (y[right] - y[left]) * (middle - left)


def gap(y: np.ndarray) -> float:
    """Measures the largest violation of convexity by `y [points]`, relative to its range.

    This is the largest distance to the convex minorant, 0 for a convex function. `y` must not be
    constant.

    Example:
        >>> float(gap(np.array([0.0, 5.0, 0.0]))), float(gap(np.array([4.0, 1.0, 0.0])))
        (1.0, 0.0)
    """
    return float((y - convex_minorant(y)).max() / np.ptp(y))


def valleys(y: np.ndarray, depth: float = 0.01) -> np.ndarray:
    """Finds the inner minima of `y [points]` deeper than a fraction `depth` of its range.

    Example:
        >>> valleys(np.array([3.0, 0.0, 2.0, 1.0, 4.0])).tolist()
        [1, 3]
    """
    return find_peaks(-y, prominence=depth * np.ptp(y))[0]


def local_minima(y: np.ndarray, depth: float = 0.01) -> int:
    """Counts the valleys of `y [points]` more than `depth` of its range above the lowest point.

    Example:
        >>> local_minima(np.array([3.0, 0.0, 2.0, 1.0, 4.0]))
        1
    """
    return int((y[valleys(y, depth)] > y.min() + depth * np.ptp(y)).sum())
