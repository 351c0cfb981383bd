"""Max and average pooling of images, and their gradients (row C3; lecture L2)."""

from collections.abc import Callable
from functools import partial, reduce

import jax
import jax.numpy as jnp
from jax import Array, lax

from jaxnets.ops.windows import Padding, Pair, Windows, as_images, pad, taps, unview, view, windows


def max_pool(
    x: Array, size: int | Pair, strides: int | Pair | None = None, padding: Padding = "VALID"
) -> Array:
    """Takes the largest entry of each window, `[batch, rows, columns, channels]` in and out.

    Where entries tie, the derivative goes to the first in reading order, as in
    `lax.reduce_window` and PyTorch. Differentiable in reverse mode.

    Args:
        x: images.
        size: rows and columns of a window, or one number for both.
        strides: steps down and to the right; by default the size, so that windows do not overlap.
        padding: "VALID", "SAME", or `((above, below), (left, right))`; it is never the maximum.

    Raises:
        ValueError: images without four axes, or smaller than a window, or padding as large as one.
        TypeError: images that are not an array of floats.

    Example:
        >>> import jax.numpy as jnp
        >>> max_pool(jnp.arange(4.0).reshape(1, 2, 2, 1), 2).tolist()
        [[[[3.0]]]]
    """
    x = jnp.asarray(as_images(x))
    at = windows(x.shape, size, strides, padding)
    if any(max(pads) >= n for pads, n in zip(at.pads, at.size, strict=True)):
        raise ValueError(
            f"the padding {at.pads} holds whole windows of {at.size}, which have no maximum: it "
            "must be smaller than a window"
        )
    return _max_pool(x, at)


def average_pool(
    x: Array, size: int | Pair, strides: int | Pair | None = None, padding: Padding = "VALID"
) -> Array:
    """Takes the mean of each window, `[batch, rows, columns, channels]` in and out.

    The arguments are those of `max_pool`; padding counts as zeros.

    Raises:
        ValueError: as `max_pool`.

    Example:
        >>> import jax.numpy as jnp
        >>> average_pool(jnp.arange(4.0).reshape(1, 2, 2, 1), 2).tolist()
        [[[[1.5]]]]
    """
    x = jnp.asarray(as_images(x))
    return _average_pool(x, windows(x.shape, size, strides, padding))


def max_pool_grad(
    x: Array,
    g: Array,
    size: int | Pair,
    strides: int | Pair | None = None,
    padding: Padding = "VALID",
) -> Array:
    """Computes `dE/dx` of `max_pool`, `[batch, rows, columns, channels]`, from `g = dE/dy`.

    It is `g` at the first largest entry of each window, else 0.

    Raises:
        ValueError: as `max_pool`.

    Example:
        >>> import jax.numpy as jnp
        >>> x = jnp.arange(4.0).reshape(1, 2, 2, 1)
        >>> max_pool_grad(x, jnp.ones((1, 1, 1, 1)), 2).ravel().tolist()
        [0.0, 0.0, 0.0, 1.0]
    """
    x, g = jnp.asarray(as_images(x)), jnp.asarray(as_images(g, "g"))
    at = windows(x.shape, size, strides, padding)
    return _to_first(_first_largest(x, at), g, at)


def average_pool_grad(
    g: Array,
    shape: tuple[int, ...],
    size: int | Pair,
    strides: int | Pair | None = None,
    padding: Padding = "VALID",
) -> Array:
    """Computes `dE/dx` of `average_pool`, `[batch, rows, columns, channels]`, from `g = dE/dy`.

    It has the given shape; each entry of `g` is shared equally among those of its window.

    Raises:
        ValueError: as `max_pool`.

    Example:
        >>> import jax.numpy as jnp
        >>> average_pool_grad(jnp.ones((1, 1, 1, 1)), (1, 2, 2, 1), 2).ravel().tolist()
        [0.25, 0.25, 0.25, 0.25]
    """
    g = jnp.asarray(as_images(g, "g"))
    return _average_grad(g, windows(shape, size, strides, padding))


def _max_cpu(x: Array, at: Windows) -> Array:
    return _largest(_parts(x, at))


def _max_by_axis(x: Array, at: Windows) -> Array:
    """Takes the largest of each column of a window, then of these: faster where windows overlap."""
    x = pad(x, at, -jnp.inf)
    for axis, size, stride, outputs in zip((1, 2), at.size, at.strides, at.outputs, strict=True):
        x = reduce(jnp.maximum, taps(x, axis, size, stride, outputs))
    return x


@partial(jax.custom_vjp, nondiff_argnums=(1,))
def _max_pool(x: Array, at: Windows) -> Array:
    """Where no gradient is asked for, which would take the windows' entries."""
    return _max(x, at, _max_cpu if at.size == at.strides else _max_by_axis)


def _max(x: Array, at: Windows, cpu: Callable = _max_cpu) -> Array:
    return lax.platform_dependent(x, cpu=partial(cpu, at=at), default=partial(_max_native, at=at))


_max_pool.defvjp(
    lambda x, at: (_max(x, at), _first_largest(x, at)),
    lambda at, first, g: (_to_first(first, g, at),),
)


@partial(jax.custom_vjp, nondiff_argnums=(1,))
def _average_pool(x: Array, at: Windows) -> Array:
    return _average(x, at)


def _average(x: Array, at: Windows) -> Array:
    return lax.platform_dependent(
        x, cpu=partial(_average_cpu, at=at), default=partial(_average_native, at=at)
    )


_average_pool.defvjp(
    lambda x, at: (_average(x, at), None), lambda at, _, g: (_average_grad(g, at),)
)


def _first_largest(x: Array, at: Windows) -> Array:
    """Returns the index of each window's first largest entry in reading order, as a float.

    XLA vectorises comparisons of floats, but not of integers. It would also recompute these indices
    for each entry that the derivative may go to; a square root is too expensive for that, so they
    are stored, which halves the time of a CNN's step. Accelerators may round a root the wrong way.
    """
    parts = _parts(x, at)
    largest, width = _largest(parts)[:, :, :, None], parts[0].shape[3]
    column = jnp.arange(width, dtype=jnp.float32)[:, None]
    square = jnp.full((), (len(parts) * width) ** 2, jnp.float32)
    for k in reversed(range(len(parts))):
        square = jnp.where(parts[k] == largest, (k * width + column) ** 2, square)
    return jnp.round(jnp.sqrt(square.min(3)))


FEW = 16
"""Up to this many entries of a window are compared one by one, not by a reduction per row.

One by one, they fuse with what computed the images, which is faster for few entries.
"""


def _parts(x: Array, at: Windows) -> list[Array]:
    """Cuts windows into parts `[batch, rows, columns, entries, channels]`, in reading order."""
    entries = view(pad(x, at, -jnp.inf), at)
    rows, columns = at.size
    width = 1 if rows * columns <= FEW else columns
    starts = range(0, columns, width)
    return [entries[:, :, i, :, j : j + width] for i in range(rows) for j in starts]


def _largest(parts: list[Array]) -> Array:
    return reduce(jnp.maximum, [part.max(3) for part in parts])


def _to_first(first: Array, g: Array, at: Windows) -> Array:
    """Puts the derivative of each window at its entry of that index."""
    rows, columns = at.size
    number = jnp.arange(rows * columns, dtype=jnp.float32).reshape(1, 1, rows, 1, columns, 1)
    return unview(jnp.where(_spread(first) == number, _spread(g), 0), at)


def _average_cpu(x: Array, at: Windows) -> Array:
    return view(pad(x, at), at).mean((2, 4))


def _average_grad(g: Array, at: Windows) -> Array:
    rows, columns = at.size
    share = _spread(g / (rows * columns))
    batch, n_rows, _, n_columns, _, channels = share.shape
    return unview(jnp.broadcast_to(share, (batch, n_rows, rows, n_columns, columns, channels)), at)


def _spread(x: Array) -> Array:
    return x[:, :, None, :, None]


def _max_native(x: Array, at: Windows) -> Array:
    return _reduce(x, -jnp.inf, lax.max, at)


def _average_native(x: Array, at: Windows) -> Array:
    return _reduce(x, 0.0, lax.add, at) / (at.size[0] * at.size[1])


def _reduce(x: Array, start: float, operation: Callable, at: Windows) -> Array:
    return lax.reduce_window(
        x, start, operation, (1, *at.size, 1), (1, *at.strides, 1), ((0, 0), *at.pads, (0, 0))
    )
