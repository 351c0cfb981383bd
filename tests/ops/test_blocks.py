"""Images in blocks: any number of them, each exactly once."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxnets import CNN, ops
from jaxnets.models import Conv, Dense, Flatten
from jaxnets.ops.blocks import MOST_ENTRIES, block_of, map_blocks, sum_blocks
from jaxnets.ops.windows import windows

COUNTS = pytest.mark.parametrize("images", [1, 2, 3, 7, 10, 12])


@pytest.mark.parametrize(
    ("images", "entries", "block"),
    [
        (128, MOST_ENTRIES // 2, 2),
        (100, MOST_ENTRIES // 8, 5),
        (101, MOST_ENTRIES // 8, 8),
        (3, MOST_ENTRIES // 8, 3),
        (3, 10 * MOST_ENTRIES, 1),
        (7, 0, 7),
    ],
)
def test_a_block_fits_a_cache_and_divides_the_images_if_it_can(images, entries, block):
    assert block_of(images, entries) == block


@COUNTS
def test_blocks_give_what_all_images_give_at_once(key, images):
    x = jax.random.normal(key, (images, 4, 3, 2))
    at = windows(x.shape, 2, 1, "VALID")
    seen = []

    def double(part, over):
        seen.append(over.shape)
        assert over == at._replace(shape=part.shape)
        return 2 * part

    np.testing.assert_array_equal(map_blocks(double, x, at, MOST_ENTRIES // 3), 2 * x)
    assert all(shape[0] <= 3 for shape in seen)


@COUNTS
def test_sums_over_blocks_are_those_over_all_images(key, images):
    x = jax.random.normal(key, (images, 4, 3, 2))
    at = windows(x.shape, 2, 1, "VALID")
    product = jax.jit(lambda x, g: sum_blocks(_product, x, g, at, MOST_ENTRIES // 3))
    np.testing.assert_allclose(product(x, x + 1), np.einsum("nabc,nabd->cd", x, x + 1), rtol=1e-5)


def _product(x, g, _):
    return jnp.einsum("nabc,nabd->cd", x, g)


@pytest.mark.parametrize("images", [5, 13])
def test_gradients_of_left_over_images_are_not_lost(x64, key, images):
    """13 images are a prime number, of which blocks leave some over."""
    x = jax.random.normal(key, (images, 48, 48, 16))
    kernel = jax.random.normal(key, (3, 3, 16, 4))

    def energy(convolve, x, kernel):
        return jnp.sum(jnp.sin(convolve(x, kernel)))

    def natively(x, kernel):
        names = ("NHWC", "HWIO", "NHWC")
        return jax.lax.conv_general_dilated(x, kernel, (1, 1), "VALID", dimension_numbers=names)

    ours, truth = (
        jax.jit(jax.grad(lambda *a, f=f: energy(f, *a), (0, 1)))(x, kernel)
        for f in (ops.convolve, natively)
    )
    for found, expected in zip(ours, truth, strict=True):
        np.testing.assert_allclose(found, expected, atol=1e-9)


def test_sums_in_half_precision_do_not_stall():
    """A total of 256 in bfloat16 takes no further 1."""
    n = 600
    x = jnp.ones((n, 1, 1, 1), jnp.bfloat16)
    at = windows(x.shape, 1, 1, "VALID")
    total = sum_blocks(lambda x, g, at: (x * g).sum(), x, x, at, MOST_ENTRIES)
    assert total.dtype == jnp.bfloat16
    assert total == n


@pytest.mark.parametrize("channels", [1, 8])
def test_a_batch_of_no_images_is_convolved(channels):
    x, kernel = jnp.zeros((0, 8, 8, channels)), jnp.ones((3, 3, channels, 2))
    assert ops.convolve(x, kernel).shape == (0, 6, 6, 2)
    grad = jax.grad(lambda kernel: ops.convolve(x, kernel).sum())(kernel)
    np.testing.assert_array_equal(grad, 0)
    net = CNN((Conv(2, 3), Flatten(), Dense(3)))
    params = net.init(jax.random.key(0), jnp.ones((1, 8, 8, channels)))
    assert net.apply(params, x).shape == (0, 3)
