"""Random shifts of images against NumPy, affine changes against SciPy, one image at a time."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import ndimage, stats

from jaxnets.augment import affine, shift

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


@pytest.mark.parametrize("change", [shift, affine])
@pytest.mark.parametrize("shape", [(6, 35), (5, 7, 2), (1, 6, 5, 7, 2)], ids=str)
def test_other_axes_are_refused(key, shape, change):
    with pytest.raises(ValueError, match=r"\[batch, rows, columns, channels\], x has shape"):
        change(key, jnp.zeros(shape))


ROWS, COLUMNS = 15, 12


def sources(key, n, **ranges):
    """Where the middle of each image comes from: `(matrix, offset)` of `source = M place + o`.

    Bilinear values of the images "row" and "column" are exact, so they tell the source.
    """
    ramps = np.stack(np.meshgrid(np.arange(ROWS), np.arange(COLUMNS), indexing="ij"), -1)
    moved = affine(key, jnp.broadcast_to(ramps.astype(np.float32), (n, *ramps.shape)), **ranges)
    middle = (slice(ROWS // 2 - 2, ROWS // 2 + 3), slice(COLUMNS // 2 - 2, COLUMNS // 2 + 2))
    place = ramps[middle].reshape(-1, 2)
    place = np.c_[place, np.ones(len(place))]
    for image in np.asarray(moved, np.float64):
        found, *_ = np.linalg.lstsq(place, image[middle].reshape(-1, 2))
        np.testing.assert_allclose(place @ found, image[middle].reshape(-1, 2), atol=1e-4)
        yield found[:2].T, found[2]


def test_affine_changes_are_as_scipy_makes_them(key):
    images = np.random.default_rng(1).uniform(1, 2, (20, ROWS, COLUMNS, 1)).astype(np.float32)
    moved = np.asarray(affine(key, jnp.asarray(images)))
    assert not np.array_equal(moved, images)
    transforms = sources(key, len(images))
    for before, after, (matrix, offset) in zip(images, moved, transforms, strict=True):
        want = ndimage.affine_transform(
            before[..., 0], matrix, offset, order=1, mode="grid-constant"
        )
        np.testing.assert_allclose(after[..., 0], want, atol=1e-3)


def test_affine_changes_are_uniform_similarities_about_the_centre(key):
    degrees, zoom, pixels, n = 20.0, 0.15, 1.0, 400
    found = list(sources(key, n, degrees=degrees, zoom=zoom, pixels=pixels))
    matrix, offset = (np.stack(part) for part in zip(*found, strict=True))
    size = np.linalg.det(matrix) ** -0.5
    turn = matrix * size[:, None, None]
    np.testing.assert_allclose(
        turn @ turn.transpose(0, 2, 1), np.tile(np.eye(2), (n, 1, 1)), atol=1e-3
    )
    angle = np.rad2deg(np.arctan2(turn[:, 1, 0], turn[:, 0, 0]))
    centre = np.array([ROWS - 1, COLUMNS - 1]) / 2
    move = np.linalg.solve(matrix, (centre - offset)[..., None])[..., 0] - centre
    for drawn, low, high in (
        (angle, -degrees, degrees),
        (size, 1 - zoom, 1 + zoom),
        (move[:, 0], -pixels, pixels),
        (move[:, 1], -pixels, pixels),
    ):
        assert low - 1e-3 < drawn.min() < drawn.max() < high + 1e-3
        assert stats.kstest(drawn, stats.uniform(low, high - low).cdf).pvalue > 1e-3
    correlations = np.corrcoef([angle, size, *move.T]) - np.eye(4)
    assert np.abs(correlations).max() < 4 / np.sqrt(n)


def test_no_affine_change_changes_nothing(key):
    same = affine(key, PIXELS, 0, 0, 0)
    np.testing.assert_allclose(same, PIXELS, atol=1e-5)
    assert same.dtype == PIXELS.dtype
