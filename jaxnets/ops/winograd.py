"""Convolution of 3 x 3 kernels with fewer products (Winograd, 1980; row C3).

A tile Y of 2 x 2 outputs depends on 4 x 4 inputs X. It takes 16 products in place of 36 by

    Y = A^T [(G K G^T) * (B^T X B)] A,

the minimal filtering of Lavin and Gray (2016), which rounds as little as the sums that it replaces.
With channels each product is one of matrices, over all tiles.
"""

from collections.abc import Iterable, Sequence

import jax.numpy as jnp
import numpy as np
from jax import Array, lax

from jaxnets.ops.blocks import map_blocks, sum_blocks
from jaxnets.ops.windows import Windows, pad, taps, windows

SIZE, TILE = 3, 2
INPUTS = np.array([[1, 0, -1, 0], [0, 1, 1, 0], [0, -1, 1, 0], [0, 1, 0, -1]])
KERNEL = np.array([[1, 0, 0], [0.5, 0.5, 0.5], [0.5, -0.5, 0.5], [0, 0, 1]])
OUTPUTS = np.array([[1, 1, 1, 0], [0, 1, -1, -1]])
"""B^T, G and A^T."""
MOST_ENTRIES = 2**21
"""How many entries the transformed inputs of a block of images may have."""

Entries = Sequence[Sequence[Array]]


def winograd_forward(x: Array, kernel: Array, at: Windows) -> Array:
    """Computes `y [batch, outputs, outputs, out]` for windows of 3 x 3 at steps of 1.

    Example:
        >>> from jaxnets.ops.windows import windows
        >>> x, kernel = jnp.ones((1, 5, 5, 2)), jnp.ones((3, 3, 2, 4))
        >>> winograd_forward(x, kernel, windows(x.shape, 3, 1, "VALID")).shape
        (1, 3, 3, 4)
    """
    return _multiply(x, _transform(KERNEL, kernel), at, 0)


def winograd_input_grad(g: Array, kernel: Array, at: Windows) -> Array:
    """Computes `dE/dx [batch, rows, columns, in]` from `g = dE/dy`.

    It is the convolution of g, padded in full, with the kernel turned by 180 degrees.

    Example:
        >>> from jaxnets.ops.windows import windows
        >>> g, kernel = jnp.ones((1, 3, 3, 4)), jnp.ones((3, 3, 2, 4))
        >>> winograd_input_grad(g, kernel, windows((1, 5, 5, 2), 3, 1, "VALID")).shape
        (1, 5, 5, 2)
    """
    rows, columns = ((SIZE - 1 - low, SIZE - 1 - high) for low, high in at.pads)
    full = windows(g.shape, SIZE, 1, (rows, columns))
    return _multiply(g, _transform(KERNEL, jnp.flip(kernel, (0, 1))), full, 1)


def _multiply(x: Array, weights: Entries, at: Windows, axis: int) -> Array:
    """Multiplies the tiles of each block by matrices, of which an axis is of the channels of x."""

    def form(x: Array, at: Windows) -> Array:
        products = [
            [lax.dot_general(_matrix(v), w, (((1,), (axis,)), ((), ()))) for v, w in pairs]
            for pairs in map(zip, _inputs(x, at), weights)
        ]
        return _join(_transform(OUTPUTS, products), at)

    return map_blocks(form, x, at, _of_an_image(at), MOST_ENTRIES)


def winograd_kernel_grad(x: Array, g: Array, at: Windows) -> Array:
    """Computes `dE/dkernel [3, 3, in, out]` from `g = dE/dy`, by the same products.

    Example:
        >>> from jaxnets.ops.windows import windows
        >>> x, g = jnp.ones((1, 5, 5, 2)), jnp.ones((1, 3, 3, 4))
        >>> winograd_kernel_grad(x, g, windows(x.shape, 3, 1, "VALID")).shape
        (3, 3, 2, 4)
    """

    def form(x: Array, g: Array, at: Windows) -> Array:
        derivatives = _transform(OUTPUTS.T, _cut(g, at))
        products = [
            [_matrix(v).T @ _matrix(d) for v, d in pairs]
            for pairs in map(zip, _inputs(x, at), derivatives)
        ]
        return jnp.stack([jnp.stack(row) for row in products])

    total = sum_blocks(form, x, g, at, _of_an_image(at), MOST_ENTRIES)
    return jnp.stack([jnp.stack(row) for row in _transform(KERNEL.T, total)])


def _matrix(entries: Array) -> Array:
    return entries.reshape(-1, entries.shape[3])


def _tiles(at: Windows) -> Windows:
    """The windows of entire tiles, of which the last may reach beyond the images."""
    size = TILE + SIZE - 1
    rows, columns = (
        (low, -(-outputs // TILE) * TILE + SIZE - 1 - n - low)
        for n, outputs, (low, _) in zip(at.shape[1:3], at.outputs, at.pads, strict=True)
    )
    return at._replace(size=(size, size), strides=(TILE, TILE), pads=(rows, columns))


def _of_an_image(at: Windows) -> int:
    tiles = _tiles(at)
    return int(np.prod([*tiles.size, *tiles.outputs, at.shape[3]]))


def _inputs(x: Array, at: Windows) -> list[list[Array]]:
    """The transformed inputs of all tiles, 4 x 4 arrays `[batch, tiles, tiles, in]`."""
    tiles = _tiles(at)
    return _transform(INPUTS, _entries(pad(x, tiles), tiles))


def _entries(x: Array, at: Windows) -> list[list[Array]]:
    """Entry `i, j` of every window of padded images."""
    rows = taps(x, 1, at.size[0], at.strides[0], at.outputs[0])
    return [taps(row, 2, at.size[1], at.strides[1], at.outputs[1]) for row in rows]


def _cut(y: Array, at: Windows) -> list[list[Array]]:
    """The entries of all tiles of outputs, 2 x 2 arrays, with zeros beyond the last outputs."""
    shape = (len(y), *at.outputs, y.shape[3])
    rows, columns = ((0, -outputs % TILE) for outputs in at.outputs)
    cut = Windows(shape, (TILE, TILE), (TILE, TILE), (rows, columns))
    return _entries(pad(y, cut), cut)


def _join(entries: Entries, at: Windows) -> Array:
    """Transposes `_cut`, of matrices with a row for every tile."""
    batch, (rows, columns) = at.shape[0], _tiles(at).outputs
    tiles = [[y.reshape(batch, rows, columns, -1) for y in row] for row in entries]
    y = jnp.stack([jnp.stack(row, 3) for row in tiles], 2)
    y = y.reshape(batch, rows * TILE, columns * TILE, -1)
    return lax.slice_in_dim(lax.slice_in_dim(y, 0, at.outputs[0], axis=1), 0, at.outputs[1], axis=2)


def _transform(matrix: np.ndarray, entries: Entries | Array) -> list[list[Array]]:
    """Computes M X M^T, where the entries of X are arrays of one shape."""
    columns = [_combine(matrix, column) for column in zip(*entries, strict=True)]
    return [_combine(matrix, row) for row in zip(*columns, strict=True)]


def _combine(matrix: np.ndarray, arrays: Iterable[Array]) -> list[Array]:
    """Sums arrays, weighted by each row of the matrix."""
    sums = []
    for row in matrix.tolist():
        terms = [x if w == 1 else w * x for w, x in zip(row, arrays, strict=True) if w]
        sums.append(sum(terms[1:], terms[0]))
    return sums
