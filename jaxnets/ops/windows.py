"""Where a window lies: its geometry, checked, and the views of an image that it touches."""

from collections.abc import Sequence
from typing import NamedTuple

import jax.numpy as jnp
from jax import Array, lax

from jaxnets import checks

Pair = tuple[int, int]
Padding = str | Sequence[Pair]


class Windows(NamedTuple):
    """Windows over images of `shape`, rows first: each pair is (of rows, of columns)."""

    shape: tuple[int, int, int, int]
    """`[batch, rows, columns, channels]`, without the padding."""
    size: Pair
    strides: Pair
    pads: tuple[Pair, Pair]
    """Added (before, after)."""

    @property
    def padded(self) -> Pair:
        """Rows and columns with the padding."""
        return tuple(n + sum(pad) for n, pad in zip(self.shape[1:3], self.pads, strict=True))

    @property
    def outputs(self) -> Pair:
        """The number of windows, `(n + padding - size) // stride + 1`."""
        return tuple(
            (n - size) // stride + 1
            for n, size, stride in zip(self.padded, self.size, self.strides, strict=True)
        )

    @property
    def tiled(self) -> bool:
        """Whether the windows neither overlap nor leave gaps nor are padded."""
        return self.size == self.strides and self.pads == ((0, 0), (0, 0))


def windows(
    shape: Sequence[int], size: int | Pair, strides: int | Pair, padding: Padding
) -> Windows:
    """The windows over images `[batch, rows, columns, channels]`, checked.

    Args:
        shape: of the images.
        size: rows and columns of a window, or one number for both.
        strides: steps down and to the right, or one number for both.
        padding: "VALID" for none, "SAME" for `ceil(n / stride)` windows, or
            `((above, below), (left, right))`.

    Raises:
        ValueError: not four axes, a size or stride below 1, an unknown padding, or images smaller
            than a window.
        TypeError: a size or stride that is no whole number.
    """
    if len(shape) != 4:
        raise ValueError(
            f"images are [batch, rows, columns, channels], x has shape {tuple(shape)}: "
            "use x[..., None] for images of one channel, x[None] for a single image"
        )
    size, strides = pair(size, "size"), pair(strides, "stride")
    if isinstance(padding, str):
        if padding not in ("VALID", "SAME"):
            checks.known_names([padding], ["VALID", "SAME"], "padding")
        pads = lax.padtype_to_pads(shape[1:3], size, strides, padding)
    else:
        pads = padding
    (above, below), (left, right) = pads
    found = Windows(tuple(shape), size, strides, ((above, below), (left, right)))
    if min(found.outputs) < 1:
        raise ValueError(
            f"images of {shape[1]} x {shape[2]} with padding {found.pads} are smaller than the "
            f'window of {size[0]} x {size[1]}: use a smaller window, or padding="SAME"'
        )
    return found


def pair(value: int | Pair, name: str) -> Pair:
    """One number as two, checked: a TypeError or ValueError unless both are whole and above 0."""
    first, second = value if isinstance(value, tuple | list) else (value, value)
    checks.count(first, f"a window's {name}")
    checks.count(second, f"a window's {name}")
    return int(first), int(second)


def padded(x: Array, at: Windows, value: float = 0.0) -> Array:
    """The images with their padding; negative padding crops."""
    config = [(0, 0, 0), *((lo, hi, 0) for lo, hi in at.pads), (0, 0, 0)]
    return lax.pad(x, jnp.asarray(value, x.dtype), config)


def taps(x: Array, axis: int, size: int, stride: int, outputs: int) -> list[Array]:
    """Entry `i` of every window along an axis, for each `i < size`: strided views of x."""
    return [
        lax.slice_in_dim(x, i, i + (outputs - 1) * stride + 1, stride, axis) for i in range(size)
    ]


def untaps(parts: Sequence[Array], axis: int, n: int, stride: int) -> Array:
    """The transpose of `taps`: the sum of the parts, each put where its entries came from."""
    total = None
    for i, part in enumerate(parts):
        reach = (part.shape[axis] - 1) * stride + 1
        config = [(0, 0, 0)] * part.ndim
        config[axis] = (i, n - i - reach, stride - 1)
        spread = lax.pad(part, jnp.zeros((), part.dtype), config)
        total = spread if total is None else total + spread
    return total
