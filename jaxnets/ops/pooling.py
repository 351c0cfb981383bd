"""Max and average pooling of images, and their gradients (row C3; lecture L2)."""

from collections.abc import Callable
from functools import partial

import jax
import jax.numpy as jnp
from jax import Array, lax

from jaxnets.ops.windows import Padding, Pair, Windows, padded, taps, untaps, windows


def max_pool(
    x: Array, size: int | Pair, strides: int | Pair | None = None, padding: Padding = "VALID"
) -> Array:
    """The largest entry of each window, `[batch, rows, columns, channels]` in and out.

    Where entries tie, the derivative goes to the first in reading order, as in
    `lax.reduce_window` and PyTorch. Differentiable in reverse mode.

    Args:
        x: images.
        size: rows and columns of a window, or one number for both.
        strides: steps down and to the right; by default the size, blocks side by side.
        padding: "VALID", "SAME", or `((above, below), (left, right))`; it is never the maximum.

    Raises:
        ValueError: not four axes, or images smaller than a window.
    """
    return _max_pool(x, windows(x.shape, size, strides or size, padding))


def average_pool(
    x: Array, size: int | Pair, strides: int | Pair | None = None, padding: Padding = "VALID"
) -> Array:
    """The mean of each window; arguments as for `max_pool`. Padding counts as zeros."""
    return _average_pool(x, windows(x.shape, size, strides or size, padding))


def max_pool_grad(
    x: Array,
    g: Array,
    size: int | Pair,
    strides: int | Pair | None = None,
    padding: Padding = "VALID",
) -> Array:
    """`dE/dx` of `max_pool` from `g = dE/dy`: `g` at the first largest entry, else 0."""
    return _max_grad(x, g, windows(x.shape, size, strides or size, padding))


def average_pool_grad(
    g: Array,
    shape: tuple[int, ...],
    size: int | Pair,
    strides: int | Pair | None = None,
    padding: Padding = "VALID",
) -> Array:
    """`dE/dx` of `average_pool`, of `shape`, from `g = dE/dy`: an equal share to every entry."""
    return _average_grad(g, windows(shape, size, strides or size, padding))


@partial(jax.custom_vjp, nondiff_argnums=(1,))
def _max_pool(x: Array, at: Windows) -> Array:
    return lax.platform_dependent(
        x, cpu=partial(_max_cpu, at=at), default=partial(_max_native, at=at)
    )


_max_pool.defvjp(
    lambda x, at: (_max_pool(x, at), x), lambda at, x, g: (_max_grad(x, g, at),)
)


@partial(jax.custom_vjp, nondiff_argnums=(1,))
def _average_pool(x: Array, at: Windows) -> Array:
    return lax.platform_dependent(
        x, cpu=partial(_average_cpu, at=at), default=partial(_average_native, at=at)
    )


_average_pool.defvjp(
    lambda x, at: (_average_pool(x, at), None), lambda at, _, g: (_average_grad(g, at),)
)


def _max_cpu(x: Array, at: Windows) -> Array:
    return jax.tree.reduce(jnp.maximum, _entries(padded(x, at, -jnp.inf), at))


def _max_grad(x: Array, g: Array, at: Windows) -> Array:
    best, *rest = _entries(padded(x, at, -jnp.inf), at)
    winner = jnp.zeros(best.shape, jnp.uint8)
    for i, entry in enumerate(rest, 1):
        winner = jnp.where(entry > best, jnp.uint8(i), winner)
        best = jnp.maximum(entry, best)
    return _from_entries([jnp.where(winner == i, g, 0) for i in range(len(rest) + 1)], at)


def _average_cpu(x: Array, at: Windows) -> Array:
    return sum(_entries(padded(x, at), at)) / (at.size[0] * at.size[1])


def _average_grad(g: Array, at: Windows) -> Array:
    share = g / (at.size[0] * at.size[1])
    return _from_entries([share] * (at.size[0] * at.size[1]), at)


def _entries(x: Array, at: Windows) -> list[Array]:
    """Each entry of the windows in reading order, `[batch, *outputs, channels]`, from padded x."""
    return [
        entry
        for row in taps(x, 1, at.size[0], at.strides[0], at.outputs[0])
        for entry in taps(row, 2, at.size[1], at.strides[1], at.outputs[1])
    ]


def _from_entries(parts: list[Array], at: Windows) -> Array:
    """The transpose of `_entries`, without the padding."""
    rows, columns = at.size
    strips = [
        untaps(parts[i * columns : (i + 1) * columns], 2, at.padded[1], at.strides[1])
        for i in range(rows)
    ]
    dx = untaps(strips, 1, at.padded[0], at.strides[0])
    return padded(dx, at._replace(pads=tuple((-lo, -hi) for lo, hi in at.pads)))


def _max_native(x: Array, at: Windows) -> Array:
    return _reduce(x, -jnp.inf, lax.max, at)


def _average_native(x: Array, at: Windows) -> Array:
    return _reduce(x, 0.0, lax.add, at) / (at.size[0] * at.size[1])


def _reduce(x: Array, start: float, operation: Callable, at: Windows) -> Array:
    return lax.reduce_window(
        x, start, operation, (1, *at.size, 1), (1, *at.strides, 1), ((0, 0), *at.pads, (0, 0))
    )
