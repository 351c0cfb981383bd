"""Losses along lines of the parameter space, and how far they are from convex (row E5; L1, L3)."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from scipy.signal import find_peaks

Loss = Callable[[Any], Array]
"""Parameters to a scalar."""


def along(loss: Loss, centre: Any, direction: Any, positions: Array) -> Array:
    """The loss at `centre + s direction` for each of `positions [points]`, `[points]`.

    Centre and direction are parameters of the same structure.
    """

    def at(s: Array) -> Array:
        return loss(jax.tree.map(lambda c, d: c + s * d, centre, direction))

    return jax.vmap(at)(positions)


def filter_normalised(direction: Any, params: Any) -> Any:
    """The direction, with every unit's weights scaled to the norm they have in `params`.

    A unit is a row of a weight matrix `[out, in]` or a channel of a kernel `[h, w, in, out]`; of
    biases nothing is left. Directions of networks of different scale are so comparable (Li, Xu,
    Taylor, Studer and Goldstein, "Visualizing the loss landscape of neural nets", 2018).
    """

    def scaled(drawn: Array, leaf: Array) -> Array:
        if leaf.ndim < 2:
            return jnp.zeros_like(drawn)
        axes = (1,) if leaf.ndim == 2 else tuple(range(leaf.ndim - 1))
        norms = [jnp.sqrt(jnp.sum(a**2, axes, keepdims=True)) for a in (leaf, drawn)]
        return drawn * norms[0] / norms[1]

    return jax.tree.map(scaled, direction, params)


def excess(losses: Array, t: Array) -> Array:
    """How far `losses [points]` at `t [points]` in 0..1 rise above the chord of their ends.

    Relative to the larger end, which is positive. A convex function gives 0, up to rounding.
    """
    chord = (1 - t) * losses[0] + t * losses[-1]
    return jnp.max(losses - chord) / jnp.maximum(losses[0], losses[-1])


def convex_minorant(y: np.ndarray) -> np.ndarray:
    """The largest convex function nowhere above `y [points]`, which lie on an even grid."""
    corners: list[int] = []
    for i in range(len(y)):
        while len(corners) > 1 and _on_or_above(y, corners[-2], corners[-1], i):
            corners.pop()
        corners.append(i)
    return np.interp(np.arange(len(y)), corners, y[corners])


def _on_or_above(y: np.ndarray, left: int, middle: int, right: int) -> bool:
    """Whether a point lies on or above the chord of two others."""
    return (y[middle] - y[left]) * (right - left) >= (y[right] - y[left]) * (middle - left)


def gap(y: np.ndarray) -> float:
    """The largest violation of convexity on any segment of `y [points]`, relative to its range.

    That is the largest distance to the convex minorant, 0 for a convex function. `y` varies.
    """
    return float((y - convex_minorant(y)).max() / np.ptp(y))


def valleys(y: np.ndarray, depth: float = 0.01) -> np.ndarray:
    """The positions of the inner minima of `y [points]` deeper than a share of its range."""
    return find_peaks(-y, prominence=depth * np.ptp(y))[0]


def local_minima(y: np.ndarray, depth: float = 0.01) -> int:
    """How many valleys lie more than that share of the range above the lowest point."""
    return int((y[valleys(y, depth)] > y.min() + depth * np.ptp(y)).sum())
