"""Winograd's form of convolution: against loops, how it rounds, and where it is taken."""

import hypothesis
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import strategies as st

from jaxnets import ops
from jaxnets.ops import convolution, winograd
from jaxnets.ops.windows import windows
from tests.support.windows_by_loops import (
    EACH_PRECISION,
    TOLERANCE,
    Case,
    assert_close,
    convolution_by_loops,
    draw_arrays,
)

FORMS = winograd.winograd_forward, winograd.winograd_input_grad, winograd.winograd_kernel_grad


@st.composite
def cases(draw):
    """Images whose sides are even or odd, with padding that is larger than the kernel too."""
    size = draw(st.sampled_from([3, 5]))
    pads = st.tuples(st.integers(0, size + 1), st.integers(0, size + 1))
    padding = draw(st.one_of(st.just("VALID"), st.just("SAME"), st.tuples(pads, pads)))
    sides = draw(st.tuples(st.integers(size, 8), st.integers(size, 8)))
    shape = (draw(st.integers(1, 5)), *sides, draw(st.integers(1, 3)))
    return Case(shape, draw(st.integers(1, 3)), (size, size), (1, 1), padding)


def all_forms(x, kernel, g, at):
    forward, input_grad, kernel_grad = FORMS
    return forward(x, kernel, at), input_grad(g, kernel, at), kernel_grad(x, g, at)


def assert_equals_native(x, kernel, g, at):
    native = (
        convolution._forward_native(x, kernel, at),
        convolution._input_grad_native(g, kernel, at),
        convolution._kernel_grad_native(x, g, at),
    )
    assert_close(all_forms(*map(jnp.asarray, (x, kernel, g)), at), native, 1e-12)


@EACH_PRECISION
@pytest.mark.parametrize("most", [1, 2 * 16 * 16 * 3, 2**21], ids=["one by one", "blocks", "all"])
@hypothesis.settings(max_examples=10)
@hypothesis.given(case=cases())
def test_outputs_and_gradients_equal_loops(precision, most, case):
    arrays = draw_arrays(case)
    with pytest.MonkeyPatch.context() as patch, jax.enable_x64(precision == "float64"):
        patch.setattr(winograd, "MOST_ENTRIES", most)
        found = all_forms(*(jnp.asarray(a, precision) for a in arrays), case.at)
    assert [a.dtype for a in found] == [precision] * 3
    assert_close(found, convolution_by_loops(*arrays, case), TOLERANCE[precision])


@pytest.mark.parametrize("images", [1, 3], ids=["fewer tiles than channels", "more"])
def test_tiles_are_multiplied_at_once_or_one_matrix_after_the_other(x64, images):
    random = np.random.default_rng(0)
    x, kernel = random.standard_normal((images, 7, 8, 20)), random.standard_normal((3, 3, 20, 24))
    at = windows(x.shape, 3, 1, "SAME")
    g = random.standard_normal((images, *at.outputs, 24))
    assert_equals_native(x, kernel, g, at)


def test_cropped_images_are_convolved(x64):
    """Negative padding, which loops do not have."""
    random = np.random.default_rng(0)
    x, kernel = random.standard_normal((2, 9, 8, 3)), random.standard_normal((3, 3, 3, 4))
    at = windows(x.shape, 3, 1, ((-2, 1), (0, -3)))
    g = random.standard_normal((2, *at.outputs, 4))
    assert_equals_native(x, kernel, g, at)


@pytest.mark.parametrize(
    ("size", "most"), [(3, (1e-6, 1e-6, 1e-6)), (5, (4e-6, 4e-6, 8e-6))], ids=["3", "5"]
)
@pytest.mark.parametrize(("channels", "side"), [(32, 16), (64, 28), (256, 14)])
def test_rounds_little(x64, size, most, channels, side):
    """In single precision, against double; other points or larger tiles would lose a digit."""
    random = np.random.default_rng(0)
    x = random.standard_normal((4, side, side, channels))
    kernel = random.standard_normal((size, size, channels, channels))
    g = random.standard_normal(x.shape)
    at = windows(x.shape, size, 1, "SAME")
    exact = (
        convolution._forward_native(x, kernel, at),
        convolution._input_grad_native(g, kernel, at),
        convolution._kernel_grad_native(x, g, at),
    )
    single = [jnp.asarray(a, jnp.float32) for a in (x, kernel, g)]
    rounded = jax.jit(all_forms, static_argnums=3)(*single, at)
    for found, expected, share in zip(rounded, exact, most, strict=True):
        assert np.abs(found - expected).max() <= share * np.abs(expected).max()


@pytest.mark.parametrize("size", [3, 5])
def test_the_matrices_filter_exactly(size):
    """One product for each point gives both outputs of every kernel of one axis."""
    matrices = winograd.matrices_of(size)
    kernel = matrices.kernel.reshape(size + 1, size + 1, size, size)
    random = np.random.default_rng(0)
    x, one = random.standard_normal(size + 1), random.standard_normal(size)
    transformed = np.einsum("abij,i,j->ab", kernel, one, one)
    y = matrices.outputs @ (transformed * np.outer(*[matrices.inputs @ x] * 2)) @ matrices.outputs.T
    expected = np.correlate(x, one)
    np.testing.assert_allclose(y, np.outer(expected, expected), atol=1e-12)


SHAPES = {3: ((8, 8, 8, 32), (3, 3, 32, 32)), 5: ((8, 8, 8, 64), (5, 5, 64, 64))}


def products_of(shape, kernel, strides=1, padding="SAME", dtype="float32"):
    """How many products of matrices a step has."""
    arrays = [jax.ShapeDtypeStruct(sizes, dtype) for sizes in (shape, kernel)]

    def energy(x, kernel):
        return jnp.sum(ops.convolve(x, kernel, strides, padding).astype(float) ** 2)

    traced = jax.jit(jax.grad(energy, (0, 1))).trace(*arrays)
    text = traced.lower(lowering_platforms=("cpu",)).as_text()
    return text.count("stablehlo.dot_general")


FEW_TILES = (4, 8, 8, 64), (3, 3, 64, 64)


@pytest.mark.parametrize(
    ("shapes", "products"),
    [
        (SHAPES[3], 2 * (4 + 4) + 16 + 1),
        (FEW_TILES, 2 * (4 + 4) + 16 + 1),
        (SHAPES[5], 2 * (6 + 6) + 5),
    ],
)
def test_a_step_has_a_product_for_each_row_of_a_tile(shapes, products):
    """And one for its matrices. The kernel's gradient has one an entry, for 5 x 5 rows of sums."""
    assert products_of(*shapes) == products


@pytest.mark.parametrize(
    "other",
    [
        {"dtype": "float64"},
        {"dtype": "bfloat16"},
        {"strides": (1, 2)},
        {"kernel": (7, 7, 32, 32)},
        {"kernel": (3, 1, 32, 32)},
        {"kernel": (3, 3, 32, 16)},
        {"kernel": (5, 5, 32, 32)},
        {"shape": (8, 8, 8, 16), "kernel": (3, 3, 16, 32)},
        {"shape": (1, 8, 8, 32)},
        {"shape": (20, 3, 3, 32), "padding": "VALID"},
    ],
    ids=str,
)
def test_sums_of_rows_remain_for_few_tiles_or_channels_and_other_types(x64, other):
    shape, kernel = SHAPES[3]
    like = {"shape": shape, "kernel": kernel} | other
    assert products_of(**like) <= 3 * like["kernel"][0]


def test_small_maps_spread_their_derivatives_in_rows():
    """In full, maps of 4 x 4 have 16 tiles of 36 entries, and 16 windows of only 25."""
    assert products_of((128, 8, 8, 64), (5, 5, 64, 64), padding="VALID") == 6 + 6 + 1 + 5


@pytest.mark.parametrize(
    ("devices", "side", "channels", "suits"),
    [
        (1, 14, 256, False),
        (2, 14, 256, True),
        (2, 14, 128, False),
        (2, 12, 256, False),
        (1, 28, 256, True),
    ],
)
def test_a_core_by_itself_takes_it_for_small_deep_maps(monkeypatch, devices, side, channels, suits):
    """Without a gradient: in training all cores share the products of many images."""
    monkeypatch.setattr(convolution.jax, "local_device_count", lambda backend: devices)
    x, kernel = jnp.zeros((1, side, side, channels)), jnp.zeros((3, 3, channels, channels))
    at = windows(x.shape, (3, 3), 1, "SAME")
    form = convolution._evaluation_form(x, kernel, at)
    assert (form is winograd.winograd_forward) == suits
    trained = convolution._training_form(x, kernel, at)
    assert (trained is winograd.winograd_forward) == (side == 28)
