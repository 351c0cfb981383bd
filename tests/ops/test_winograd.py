"""Winograd's form of 3 x 3 convolutions: against loops, how it rounds, and where it is taken."""

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
    pads = st.tuples(st.integers(0, 4), st.integers(0, 4))
    padding = draw(st.one_of(st.just("VALID"), st.just("SAME"), st.tuples(pads, pads)))
    sides = draw(st.tuples(st.integers(3, 8), st.integers(3, 8)))
    shape = (draw(st.integers(1, 5)), *sides, draw(st.integers(1, 3)))
    return Case(shape, draw(st.integers(1, 3)), (3, 3), (1, 1), padding)


def all_forms(x, kernel, g, at):
    forward, input_grad, kernel_grad = FORMS
    return forward(x, kernel, at), input_grad(g, kernel, at), kernel_grad(x, g, at)


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


def test_cropped_images_are_convolved(x64):
    """Negative padding, which loops do not have."""
    random = np.random.default_rng(0)
    x, kernel = random.standard_normal((2, 9, 8, 3)), random.standard_normal((3, 3, 3, 4))
    at = windows(x.shape, 3, 1, ((-2, 1), (0, -3)))
    g = random.standard_normal((2, *at.outputs, 4))
    native = (
        convolution._forward_native(x, kernel, at),
        convolution._input_grad_native(g, kernel, at),
        convolution._kernel_grad_native(x, g, at),
    )
    assert_close(all_forms(*map(jnp.asarray, (x, kernel, g)), at), native, 1e-12)


@pytest.mark.parametrize(("channels", "side"), [(32, 16), (64, 28), (256, 14)])
def test_rounds_about_as_much_as_sums_do(x64, channels, side):
    """In single precision, against double; a rule for larger tiles would lose a digit."""
    random = np.random.default_rng(0)
    x = random.standard_normal((4, side, side, channels))
    kernel = random.standard_normal((3, 3, channels, channels))
    g = random.standard_normal(x.shape)
    at = windows(x.shape, 3, 1, "SAME")
    exact = (
        convolution._forward_native(x, kernel, at),
        convolution._input_grad_native(g, kernel, at),
        convolution._kernel_grad_native(x, g, at),
    )
    single = [jnp.asarray(a, jnp.float32) for a in (x, kernel, g)]
    for found, expected in zip(
        jax.jit(all_forms, static_argnums=3)(*single, at), exact, strict=True
    ):
        assert np.abs(found - expected).max() <= 2e-6 * np.abs(expected).max()


def test_a_step_takes_sixteen_products_for_each_of_three():
    x, kernel = jnp.ones((8, 8, 8, 32)), jnp.ones((3, 3, 32, 32))
    step = jax.grad(lambda x, kernel: jnp.sum(ops.convolve(x, kernel) ** 2), (0, 1))
    assert str(jax.make_jaxpr(ops.convolve)(x, kernel)).count("dot_general[") == 16
    assert jax.jit(step).lower(x, kernel).as_text().count("stablehlo.dot_general") == 48


LIKE = {"shape": (8, 8, 8, 32), "kernel": (3, 3, 32, 32), "strides": 1, "dtype": "float32"}


@pytest.mark.parametrize(
    "other",
    [
        {"dtype": "float64"},
        {"dtype": "bfloat16"},
        {"strides": (1, 2)},
        {"kernel": (5, 5, 32, 32)},
        {"kernel": (3, 1, 32, 32)},
        {"kernel": (3, 3, 32, 16)},
        {"shape": (8, 8, 8, 16), "kernel": (3, 3, 16, 32)},
        {"shape": (1, 8, 8, 32)},
    ],
    ids=str,
)
def test_is_taken_for_many_tiles_and_channels_in_single_precision_only(x64, other):
    def takes(shape, kernel, strides, dtype):
        x, kernel = jnp.ones(shape, dtype), jnp.ones(kernel, dtype)
        step = jax.grad(lambda *a: jnp.sum(ops.convolve(*a, strides).astype(float) ** 2), (0, 1))
        return jax.jit(step).lower(x, kernel).as_text().count("stablehlo.dot_general") == 48

    assert takes(**LIKE)
    assert not takes(**LIKE | other)
