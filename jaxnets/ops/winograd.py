"""Convolution of 3 x 3 and 5 x 5 kernels with fewer products (Winograd, 1980; row C3).

A tile Y of 2 x 2 outputs depends on n x n inputs X, where n = r + 1 for a kernel K of r x r. It
takes n^2 products in place of 4 r^2, 16 in place of 36 for r = 3, by the minimal filtering

    Y = A^T [(G K G^T) * (B^T X B)] A

of Lavin and Gray (2016). With channels each product is one of matrices, over all tiles.
"""

import math
from collections.abc import Iterable, Sequence
from functools import cache, reduce
from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
from jax import Array, lax

from jaxnets.ops.blocks import map_blocks, sum_blocks
from jaxnets.ops.windows import Windows, pad, taps

TILE = 2
POINTS = {3: (0.0, 1.0, -1.0), 5: (0.0, 2 / 3, -2 / 3, 3 / 2, -3 / 2)}
"""Where polynomials are evaluated, for each r. Those for 5 round least of all that were tried.

For r = 3 outputs and gradients are wrong by about 5e-7 of the largest, as sums are; for r = 5 by
2e-6, and the gradient of the kernel by 5e-6.
"""
MOST_ENTRIES = 2**21
"""How many entries the transformed inputs of a block of images may have."""

Entries = Sequence[Sequence[Array]]


class Matrices(NamedTuple):
    """What sums the entries of inputs, kernels and products."""

    inputs: np.ndarray
    """B^T `[n, n]`."""
    kernel: np.ndarray
    """The Kronecker product of G, `[n, r]`, with itself."""
    outputs: np.ndarray
    """A^T `[2, n]`."""


@cache
def matrices_of(size: int) -> Matrices:
    """Builds the matrices for kernels of `size` x `size` (Toom, 1963; Cook, 1966).

    G and A evaluate polynomials at the points and at infinity, where only the highest power counts;
    the rows of B are the polynomials that vanish at all points but one.

    Example:
        >>> matrices_of(3).inputs.astype(int).tolist()
        [[-1, 0, 1, 0], [0, 1, 1, 0], [0, -1, 1, 0], [0, -1, 0, 1]]
    """
    points = POINTS[size]
    others = [np.poly(np.delete(points, i)) for i in range(len(points))]
    inputs = [*(np.append(row[::-1], 0) for row in others), np.poly(points)[::-1]]
    scales = [np.polyval(row, point) for row, point in zip(others, points, strict=True)]
    kernel = _powers(points, size) / np.append(scales, 1)[:, None]
    return Matrices(np.stack(inputs), np.kron(kernel, kernel), _powers(points, TILE).T)


def _powers(points: Sequence[float], n: int) -> np.ndarray:
    return np.vstack([np.vander(points, n, increasing=True), np.eye(n)[-1]])


def winograd_forward(x: Array, kernel: Array, at: Windows) -> Array:
    """Computes `y [batch, outputs, outputs, out]` for square windows at steps of 1.

    Example:
        >>> from jaxnets.ops.windows import windows
        >>> x, kernel = jnp.ones((1, 5, 5, 2)), jnp.ones((3, 3, 2, 4))
        >>> winograd_forward(x, kernel, windows(x.shape, 3, 1, "VALID")).shape
        (1, 3, 3, 4)
    """
    return _multiply(x, _weights(kernel), at, 0)


def winograd_input_grad(g: Array, kernel: Array, at: Windows) -> Array:
    """Computes `dE/dx [batch, rows, columns, in]` from `g = dE/dy`.

    It is the convolution of g, padded in full, with the kernel turned by 180 degrees.

    Example:
        >>> from jaxnets.ops.windows import windows
        >>> g, kernel = jnp.ones((1, 3, 3, 4)), jnp.ones((3, 3, 2, 4))
        >>> winograd_input_grad(g, kernel, windows((1, 5, 5, 2), 3, 1, "VALID")).shape
        (1, 5, 5, 2)
    """
    reach = len(kernel) - 1
    rows, columns = ((reach - low, reach - high) for low, high in at.pads)
    shape = (len(g), *at.outputs, g.shape[3])
    full = Windows(shape, at.size, (1, 1), (rows, columns))
    return _multiply(g, _weights(jnp.flip(kernel, (0, 1))), full, 1)


def _weights(kernel: Array) -> list[Array]:
    """Transforms the kernel, one product for each row of entries, `[n, in, out]`.

    XLA would copy the rows of a single product.
    """
    rows = np.split(matrices_of(len(kernel)).kernel, len(kernel) + TILE - 1)
    channels = kernel.shape[2:]
    flat = kernel.reshape(-1, math.prod(channels))
    return [(jnp.asarray(row, kernel.dtype) @ flat).reshape(-1, *channels) for row in rows]


def _multiply(x: Array, weights: Sequence[Array], at: Windows, axis: int) -> Array:
    """Multiplies the tiles of each block by matrices, of which an axis is of the channels of x.

    A row of entries at a time: one entry at a time compiles longer.
    """
    dimensions = ((2,), (1 + axis,)), ((0,), (0,))

    def form(x: Array, at: Windows) -> Array:
        products = [
            [*lax.dot_general(jnp.stack([_matrix(v) for v in row]), matrices, dimensions)]
            for row, matrices in zip(_inputs(x, at), weights, strict=True)
        ]
        return _join(_transform(matrices_of(at.size[0]).outputs, products), at)

    return map_blocks(form, x, at, entries_of_an_image(at), MOST_ENTRIES)


def winograd_kernel_grad(x: Array, g: Array, at: Windows) -> Array:
    """Computes `dE/dkernel [size, size, in, out]` from `g = dE/dy`, by the same products.

    Example:
        >>> from jaxnets.ops.windows import windows
        >>> x, g = jnp.ones((1, 5, 5, 2)), jnp.ones((1, 3, 3, 4))
        >>> winograd_kernel_grad(x, g, windows(x.shape, 3, 1, "VALID")).shape
        (3, 3, 2, 4)
    """
    matrices = matrices_of(at.size[0])

    def form(x: Array, g: Array, at: Windows) -> Array:
        derivatives = _transform(matrices.outputs.T, _cut(g, at))
        products = [
            [_matrix(v).T @ _matrix(d) for v, d in pairs]
            for pairs in map(zip, _inputs(x, at), derivatives)
        ]
        return jnp.stack([jnp.stack(row) for row in products])

    total = sum_blocks(form, x, g, at, entries_of_an_image(at), MOST_ENTRIES)
    matrix = jnp.asarray(matrices.kernel.T, total.dtype)
    dkernel = matrix @ total.reshape(matrix.shape[1], -1)
    return dkernel.reshape(*at.size, *total.shape[2:])


def _matrix(entries: Array) -> Array:
    return entries.reshape(-1, entries.shape[3])


def _tiles(at: Windows) -> Windows:
    """The windows of entire tiles, of which the last may reach beyond the images."""
    reach = at.size[0] - 1
    rows, columns = (
        (low, -(-outputs // TILE) * TILE + reach - n - low)
        for n, outputs, (low, _) in zip(at.shape[1:3], at.outputs, at.pads, strict=True)
    )
    size = (TILE + reach, TILE + reach)
    return at._replace(size=size, strides=(TILE, TILE), pads=(rows, columns))


def entries_of_an_image(at: Windows) -> int:
    """Counts the entries of all transformed inputs of an image.

    Example:
        >>> from jaxnets.ops.windows import windows
        >>> entries_of_an_image(windows((1, 4, 4, 10), 3, 1, "SAME"))
        640
    """
    tiles = _tiles(at)
    return int(np.prod([*tiles.size, *tiles.outputs, at.shape[3]]))


def _inputs(x: Array, at: Windows) -> list[list[Array]]:
    """The transformed inputs of all tiles, n x n arrays `[batch, tiles, tiles, in]`."""
    tiles = _tiles(at)
    return _transform(matrices_of(at.size[0]).inputs, _entries(pad(x, tiles), tiles))


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
    """Sums arrays, weighted by each row of the matrix.

    The operations are those of `lax`, which take a third of the time to trace.
    """
    sums = []
    for row in matrix.tolist():
        terms = [_times(w, x) for w, x in zip(row, arrays, strict=True) if w]
        sums.append(reduce(lax.add, terms))
    return sums


def _times(w: float, x: Array) -> Array:
    return x if w == 1 else lax.mul(x, np.asarray(w, x.dtype))
