"""Max and average pooling: both forms against loops in NumPy, and ties as JAX breaks them."""

from functools import partial
from pathlib import Path

import chex
import hypothesis
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import strategies as st
from jax import lax

from jaxnets import ops
from jaxnets.data import idx
from jaxnets.ops import pooling
from jaxnets.ops import windows as geometry
from tests.support.windows_by_loops import (
    EACH_PRECISION,
    TOLERANCE,
    Case,
    assert_close,
    average_pool_by_loops,
    cases,
    draw_arrays,
    max_pool_by_loops,
)

MNIST = Path(__file__).parents[3] / "shared" / "data" / "mnist"
NEEDS_MNIST = pytest.mark.skipif(not MNIST.is_dir(), reason="needs ../shared/data/mnist")


@EACH_PRECISION
@hypothesis.settings(max_examples=10)
@hypothesis.given(case=cases(blocks=True), ties=st.booleans())
def test_pooling_equals_loops(precision, case, ties):
    at = case.at

    @jax.jit
    def forms(x, g):
        def grads():
            first = pooling._first_largest(x, at)
            return pooling._to_first(first, g, at), pooling._average_grad(g, at)

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(geometry, "UNROLLED", 0)
            long = grads()
        return {
            "max": [
                getattr(pooling, f"_max_{kind}")(x, at) for kind in ("cpu", "by_axis", "native")
            ],
            "average": [pooling._average_cpu(x, at), pooling._average_native(x, at)],
            "grads": [grads(), long],
        }

    x, _, g = draw_arrays(case, ties=ties, features=case.shape[3])
    (largest, largest_dx), (mean, mean_dx) = (
        pool(x.astype(precision).astype(float), g, case)
        for pool in (max_pool_by_loops, average_pool_by_loops)
    )
    with jax.enable_x64(precision == "float64"):
        found = forms(jnp.asarray(x, precision), jnp.asarray(g, precision))
    chex.assert_type(jax.tree.leaves(found), np.dtype(precision))
    for form in found["max"]:
        np.testing.assert_array_equal(form, largest)
    for form in found["average"]:
        assert_close([form], [mean], TOLERANCE[precision])
    for form in found["grads"]:
        assert_close(form, (largest_dx, mean_dx), TOLERANCE[precision])


@hypothesis.settings(max_examples=10)
@hypothesis.given(case=cases(blocks=True))
def test_ties_go_where_jax_sends_them(case):
    """Images of three values; JAX's derivative of `lax.reduce_window` is its own."""
    hypothesis.assume(
        all(max(pads) < n for pads, n in zip(case.at.pads, case.at.size, strict=True))
    )
    x, _, g = draw_arrays(case, ties=True, features=case.shape[3])
    ours, truth = both_max_pools(case)(*(jnp.asarray(a, jnp.float32) for a in (x, g)))
    assert_close(ours, truth, 1e-6)


def both_max_pools(case):
    """`(x, g) -> (y, dE/dx)` by `max_pool` and by JAX's own operation."""

    def reduced(x):
        window, strides = (1, *case.size, 1), (1, *case.strides, 1)
        return lax.reduce_window(
            x, -jnp.inf, lax.max, window, strides, ((0, 0), *case.pads, (0, 0))
        )

    pool = partial(ops.max_pool, size=case.size, strides=case.strides, padding=case.padding)

    @jax.jit
    def both(x, g):
        pairs = (jax.vjp(f, x) for f in (pool, reduced))
        return [(y, *back(g)) for y, back in pairs]

    return both


@NEEDS_MNIST
@pytest.mark.parametrize(("size", "strides"), [(2, 2), (3, 2)])
def test_ties_of_real_images_go_where_jax_sends_them(key, size, strides):
    """ReLU leaves entire windows at zero, and so does the border of an MNIST image."""
    pixels = idx.read(MNIST / "t10k-images-idx3-ubyte.gz")[:50, :, :, None]
    x = jnp.asarray(pixels, jnp.float32) / 255
    kernel = jax.random.normal(key, (5, 5, 1, 4))
    maps = jax.nn.relu(ops.convolve(x, kernel))
    for images in (x, maps):
        case = Case(images.shape, 4, (size, size), (strides, strides), "VALID")
        g = jax.random.normal(key, (50, *case.outputs, images.shape[3]))
        ours, truth = both_max_pools(case)(images, g)
        assert (ours[0] == 0).mean() > 0.1
        assert_close(ours, truth, 1e-6)


@pytest.mark.parametrize("padding", [((2, 0), (0, 0)), ((0, 0), (0, 3))])
def test_padding_that_holds_a_whole_window_is_refused(padding):
    """The largest of nothing was -inf, of which the next layer made NaN."""
    with pytest.raises(ValueError, match="must be smaller than a window"):
        ops.max_pool(jnp.ones((1, 2, 2, 1)), 2, 2, padding)
