"""Random shifts of images against NumPy, one image at a time."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxnets.augment import shift

PIXELS = jnp.asarray(np.random.default_rng(0).uniform(1, 2, (6, 5, 7, 2)), jnp.float32)


def shifted(image, down, right):
    """By padding with zeros and cutting out."""
    rows, columns, _ = image.shape
    wide = np.pad(image, ((rows, rows), (columns, columns), (0, 0)))
    return wide[rows - down : 2 * rows - down, columns - right : 2 * columns - right]


def distance(image, moved, pixels):
    """How far an image was moved: the only distances that explain what became of it."""
    span = range(-pixels, pixels + 1)
    found = [(d, r) for d in span for r in span if np.array_equal(shifted(image, d, r), moved)]
    assert len(found) == 1
    return found[0]


@pytest.mark.parametrize("pixels", [1, 2, 4])
def test_every_image_is_shifted(pixels):
    for seed in range(4):
        moved = np.asarray(shift(jax.random.key(seed), PIXELS, pixels))
        assert moved.shape == PIXELS.shape
        assert moved.dtype == PIXELS.dtype
        for before, after in zip(np.asarray(PIXELS), moved, strict=True):
            distance(before, after, pixels)


def test_no_pixels_change_nothing(key):
    np.testing.assert_array_equal(shift(key, PIXELS, 0), PIXELS)


def test_distances_are_uniform_and_independent(key):
    """One bright pixel in the middle shows them; 4 standard deviations of a binomial share."""
    n, pixels = 5000, 2
    x = np.zeros((n, 5, 5, 1), np.float32)
    x[:, 2, 2] = 1
    moved = np.asarray(shift(key, jnp.asarray(x), pixels))
    np.testing.assert_array_equal(moved.sum((1, 2, 3)), 1)
    shares = moved.mean((0, 3))
    np.testing.assert_allclose(shares, 1 / 25, atol=4 * np.sqrt(1 / 25 * 24 / 25 / n))


def test_the_default_is_two_pixels(key):
    np.testing.assert_array_equal(shift(key, PIXELS), shift(key, PIXELS, 2))
    assert not np.array_equal(shift(key, PIXELS), shift(key, PIXELS, 1))


def test_another_key_moves_otherwise(key):
    one, again, other = (shift(k, PIXELS) for k in (key, jax.random.key(0), jax.random.key(1)))
    np.testing.assert_array_equal(one, again)
    assert not np.array_equal(one, other)


def test_under_jit_and_vmap(key):
    keys = jax.random.split(key, 3)
    together = jax.jit(jax.vmap(partial(shift, pixels=3), (0, None)))(keys, PIXELS)
    alone = [shift(k, PIXELS, 3) for k in keys]
    np.testing.assert_array_equal(together, alone)


@pytest.mark.parametrize("shape", [(6, 35), (5, 7, 2), (1, 6, 5, 7, 2)], ids=str)
def test_other_axes_are_refused(key, shape):
    with pytest.raises(ValueError, match=r"\[batch, rows, columns, channels\], x has shape"):
        shift(key, jnp.zeros(shape))
