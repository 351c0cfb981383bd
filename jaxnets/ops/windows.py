"""The geometry of windows over images, and strided views of them."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np
from jax import Array, lax

from jaxnets.host import checks

Pair = tuple[int, int]
Padding = str | Sequence[Pair]
MOST = 4
"""How many times larger than an image, in rows or columns, a window may be."""


class Windows(NamedTuple):
    """Describes windows over images of `shape`; each pair is (rows, columns)."""

    shape: tuple[int, int, int, int]
    """`[batch, rows, columns, channels]`, without the padding."""
    size: Pair
    strides: Pair
    pads: tuple[Pair, Pair]
    """Zeros added (before, after)."""

    @property
    def padded_size(self) -> Pair:
        """Rows and columns, padding included."""
        (_, rows, columns, _), (vertical, horizontal) = self.shape, self.pads
        return rows + sum(vertical), columns + sum(horizontal)

    @property
    def outputs(self) -> Pair:
        """The number of windows, `(n + padding - size) // stride + 1`."""
        n_rows, n_columns = (
            (n - size) // stride + 1
            for n, size, stride in zip(self.padded_size, self.size, self.strides, strict=True)
        )
        return n_rows, n_columns


def windows(
    shape: Sequence[int], size: int | Pair, strides: int | Pair | None, padding: Padding
) -> Windows:
    """Lays windows over images `[batch, rows, columns, channels]`.

    Args:
        shape: of the images.
        size: rows and columns of a window, or one number for both.
        strides: steps down and to the right, or one number for both; None for the size.
        padding: "VALID" for none, "SAME" for `ceil(n / stride)` windows, or
            `((above, below), (left, right))`.

    Raises:
        ValueError: a shape without four axes, a size or stride below 1, an unknown padding, or
            padded images smaller than a window, or images much smaller than it.
        TypeError: a size or stride that is not an integer.
    """
    if len(shape) != 4:
        raise ValueError(
            f"expected images [batch, rows, columns, channels], x has shape {tuple(shape)}: "
            "use x[..., None] for images of one channel, x[None] for a single image"
        )
    size = pair(size, "size")
    strides = size if strides is None else pair(strides, "stride")
    if any(side > MOST * max(n, 1) for side, n in zip(size, shape[1:3], strict=True)):
        raise ValueError(
            f"the window of {size[0]} x {size[1]} is more than {MOST} times as large as the images "
            f"of {shape[1]} x {shape[2]}"
        )
    if isinstance(padding, str):
        checks.require_known([padding], ["VALID", "SAME"], "padding")
        padding = lax.padtype_to_pads(shape[1:3], size, strides, padding)
    (above, below), (left, right) = _pads(padding)
    batch, rows, columns, channels = shape
    found = Windows(
        (batch, rows, columns, channels), size, strides, ((above, below), (left, right))
    )
    if min(found.outputs) < 1:
        raise ValueError(
            f"images of {shape[1]} x {shape[2]} with padding {found.pads} are smaller than the "
            f'window of {size[0]} x {size[1]}: use a smaller window, or padding="SAME"'
        )
    return found


def as_images(x: Any, name: str = "x") -> Any:
    """Converts images to an array; raises a TypeError unless it is of floats."""
    x = checks.as_array(x, name)
    if not jnp.issubdtype(x.dtype, jnp.floating):
        raise TypeError(f"{name} has dtype {x.dtype}; expected floats: {name}.astype(np.float32)")
    return x


def _pads(padding: Any) -> tuple[Pair, Pair]:
    """Converts padding to two pairs of ints."""
    pads = np.asarray(padding, object)
    if pads.shape != (2, 2) or not all(isinstance(n, int | np.integer) for n in pads.flat):
        raise ValueError(
            f"padding is {padding!r}; it must be 'VALID', 'SAME' or ((above, below), (left, right))"
        )
    if any(abs(n) >= 2**31 for n in pads.flat):
        raise ValueError(f"padding is {padding!r}; each entry must be below 2^31")
    (above, below), (left, right) = pads.tolist()
    return (above, below), (left, right)


def pair(value: int | Pair, name: str) -> Pair:
    """Converts one number or two to a pair; both must be integers above 0.

    Raises:
        TypeError, ValueError: anything else.
    """
    if isinstance(value, tuple | list) and len(value) != 2:
        raise ValueError(f"a window's {name} is {value!r}; it must be one number or two")
    first, second = value if isinstance(value, tuple | list) else (value, value)
    checks.require_count(first, f"a window's {name}")
    checks.require_count(second, f"a window's {name}")
    return int(first), int(second)


def pad(x: Array, at: Windows, value: float = 0.0) -> Array:
    """Pads the images with `value`; negative padding crops."""
    config = [(0, 0, 0), *((lo, hi, 0) for lo, hi in at.pads), (0, 0, 0)]
    return lax.pad(x, jnp.asarray(value, x.dtype), config)


def unpad(x: Array, at: Windows) -> Array:
    """Transposes `pad`: removes the padding, and puts zeros where it had cropped."""
    crop = [
        (-lo, lo + n - m, 0)
        for (lo, _), n, m in zip(at.pads, at.shape[1:3], x.shape[1:3], strict=True)
    ]
    return lax.pad(x, jnp.zeros((), x.dtype), [(0, 0, 0), *crop, (0, 0, 0)])


def taps(x: Array, axis: int, size: int, stride: int, outputs: int) -> list[Array]:
    """Returns entry `i` of every window along an axis, for each `i < size`, as strided views."""
    return [
        lax.slice_in_dim(x, i, i + (outputs - 1) * stride + 1, stride, axis) for i in range(size)
    ]


UNROLLED = 64
"""Axes up to this length are summed entry by entry, a tenth faster; longer ones part by part."""


def untaps(parts: Sequence[Array], axis: int, n: int, stride: int) -> Array:
    """Transposes `taps`: `n` entries, each the sum of the parts' entries taken from it."""
    if n > UNROLLED:
        spread = [_spread(part, axis, i, n, stride) for i, part in enumerate(parts)]
        return sum(spread[1:], spread[0])
    outputs = parts[0].shape[axis]
    nothing = jnp.zeros_like(lax.index_in_dim(parts[0], 0, axis, keepdims=False))
    entries = []
    for k in range(n):
        sources = [(part, *divmod(k - i, stride)) for i, part in enumerate(parts)]
        found = [
            lax.index_in_dim(part, window, axis, keepdims=False)
            for part, window, rest in sources
            if rest == 0 and 0 <= window < outputs
        ]
        entries.append(sum(found[1:], found[0]) if found else nothing)
    return jnp.stack(entries, axis)


def _spread(part: Array, axis: int, start: int, n: int, stride: int) -> Array:
    """Puts the part's entries at `start, start + stride, ...` among `n` zeros."""
    reach = (part.shape[axis] - 1) * stride + 1
    config = [(0, 0, 0)] * part.ndim
    config[axis] = (start, n - start - reach, stride - 1)
    return lax.pad(part, jnp.zeros((), part.dtype), config)


def view(x: Array, at: Windows) -> Array:
    """Views a padded image as windows, `[batch, outputs, size, outputs, size, channels]`."""
    (rows, columns), (n_rows, n_columns) = at.size, at.outputs
    if at.size == at.strides:
        x = x[:, : n_rows * rows, : n_columns * columns]
        return x.reshape(len(x), n_rows, rows, n_columns, columns, x.shape[3])
    x = jnp.stack(taps(x, 1, rows, at.strides[0], n_rows), 2)
    return jnp.stack(taps(x, 3, columns, at.strides[1], n_columns), 4)


def unview(parts: Array, at: Windows) -> Array:
    """Transposes `view` and the padding: sums entries where windows overlap."""
    (rows, columns), (n_rows, n_columns) = at.size, at.outputs
    if at.size == at.strides:
        x = parts.reshape(len(parts), n_rows * rows, n_columns * columns, parts.shape[5])
    else:
        n = at.padded_size
        strips = untaps([parts[..., j, :] for j in range(columns)], 3, n[1], at.strides[1])
        x = untaps([strips[:, :, i] for i in range(rows)], 1, n[0], at.strides[0])
    return unpad(x, at)
