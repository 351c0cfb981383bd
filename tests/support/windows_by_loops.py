"""Convolution and pooling by loops in NumPy, over random images, windows, strides and padding."""

from typing import NamedTuple

import chex
import numpy as np
import pytest
from hypothesis import strategies as st

from jaxnets.ops.windows import windows

TOLERANCE = {"float32": 1e-5, "float64": 1e-12}
EACH_PRECISION = pytest.mark.parametrize("precision", TOLERANCE)


class Case(NamedTuple):
    """What to slide over images of which shape; `features` is of a convolution."""

    shape: tuple[int, int, int, int]
    features: int
    size: tuple[int, int]
    strides: tuple[int, int]
    padding: str | tuple[tuple[int, int], tuple[int, int]]

    @property
    def pads(self):
        """What "VALID" and "SAME" mean, in numbers."""
        if self.padding == "VALID":
            return (0, 0), (0, 0)
        if self.padding != "SAME":
            return self.padding
        pads = []
        for n, size, stride in zip(self.shape[1:3], self.size, self.strides, strict=True):
            missing = max((-(-n // stride) - 1) * stride + size - n, 0)
            pads.append((missing // 2, missing - missing // 2))
        return tuple(pads)

    @property
    def outputs(self):
        return tuple(
            len(range(0, n + sum(pads) - size + 1, stride))
            for n, size, stride, pads in zip(
                self.shape[1:3], self.size, self.strides, self.pads, strict=True
            )
        )

    @property
    def at(self):
        return windows(self.shape, self.size, self.strides, self.padding)


@st.composite
def cases(draw, blocks=False):
    """Windows that fit; `blocks` for those side by side too, as pooling has them."""
    rows, columns = draw(st.integers(1, 8)), draw(st.integers(1, 8))
    pads = st.tuples(st.integers(0, 3), st.integers(0, 3))
    padding = draw(st.one_of(st.just("VALID"), st.just("SAME"), st.tuples(pads, pads)))
    extra = (4, 4) if padding == "SAME" else (0, 0)
    extra = extra if isinstance(padding, str) else tuple(map(sum, padding))
    size = tuple(
        draw(st.integers(1, min(4, n + more)))
        for n, more in zip((rows, columns), extra, strict=True)
    )
    strides = draw(st.tuples(st.integers(1, 4), st.integers(1, 4)))
    if blocks and draw(st.booleans()):
        strides = size
    channels = draw(st.sampled_from([1, 3, 4, 5, 6]))
    shape = (draw(st.integers(1, 3)), rows, columns, channels)
    return Case(shape, draw(st.integers(1, 4)), size, strides, padding)


def draw_arrays(case, *, ties=False, features=None):
    """Images, a kernel and the derivative of the outputs, in double precision."""
    rng = np.random.default_rng(sum(case.shape))
    x = rng.integers(-1, 2, case.shape).astype(float) if ties else rng.normal(size=case.shape)
    kernel = rng.normal(size=(*case.size, case.shape[3], case.features))
    g = rng.normal(size=(case.shape[0], *case.outputs, features or case.features))
    return x, kernel, g


def corners(case):
    """Every output's place and its window's slices of the padded image."""
    for r, c in np.ndindex(*case.outputs):
        top, left = r * case.strides[0], c * case.strides[1]
        yield r, c, np.s_[:, top : top + case.size[0], left : left + case.size[1]]


def padded_by_numpy(x, case, value=0.0):
    return np.pad(x, ((0, 0), *case.pads, (0, 0)), constant_values=value)


def cropped_by_numpy(x, case):
    (above, _), (left, _) = case.pads
    return x[:, above : above + case.shape[1], left : left + case.shape[2]]


def convolution_by_loops(x, kernel, g, case):
    """`(y, dE/dx, dE/dkernel)`: an output's every entry of its window, one after the other."""
    x = padded_by_numpy(x, case)
    y, dx, dkernel = np.zeros_like(g), np.zeros_like(x), np.zeros_like(kernel)
    for r, c, window in corners(case):
        for n, i, j, k, o in np.ndindex(len(x), *kernel.shape):
            y[n, r, c, o] += x[window][n, i, j, k] * kernel[i, j, k, o]
            dx[window][n, i, j, k] += g[n, r, c, o] * kernel[i, j, k, o]
            dkernel[i, j, k, o] += g[n, r, c, o] * x[window][n, i, j, k]
    return y, cropped_by_numpy(dx, case), dkernel


def max_pool_by_loops(x, g, case):
    """`(y, dE/dx)`: the derivative goes to the first of the largest."""
    x = padded_by_numpy(x, case, -np.inf)
    y, dx = np.zeros_like(g), np.zeros_like(x)
    for r, c, window in corners(case):
        for n, k in np.ndindex(len(x), x.shape[3]):
            entries = x[window][n, :, :, k]
            largest = np.unravel_index(entries.argmax(), entries.shape)
            y[n, r, c, k] = entries[largest]
            dx[window][(n, *largest, k)] += g[n, r, c, k]
    return y, cropped_by_numpy(dx, case)


def average_pool_by_loops(x, g, case):
    x = padded_by_numpy(x, case)
    y, dx = np.zeros_like(g), np.zeros_like(x)
    for r, c, window in corners(case):
        y[:, r, c] = x[window].sum((1, 2)) / np.prod(case.size)
        dx[window] += g[:, r, c][:, None, None] / np.prod(case.size)
    return y, cropped_by_numpy(dx, case)


def assert_close(ours, truth, tolerance):
    """The norm of every difference against the truth's; -inf must be where it should be."""
    for a, b in zip(ours, truth, strict=True):
        chex.assert_equal_shape([a, b])
        a, b = np.asarray(a, np.float64), np.asarray(b)
        assert np.array_equal(np.isinf(a), np.isinf(b))
        a, b = (np.where(np.isinf(v), 0, v) for v in (a, b))
        assert np.linalg.norm(a - b) <= tolerance * np.linalg.norm(b)
