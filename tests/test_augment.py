"""Augmentations against NumPy, affine changes against SciPy, one sample at a time."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import ndimage, stats

from jaxnets.augment import (
    InTurn,
    affine,
    affine_points,
    crop,
    cutout,
    flip_left_right,
    flip_up_down,
    mixup,
    shift,
)
from jaxnets.data.hands import hands

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


@pytest.mark.parametrize(
    "change", [shift, affine, crop, cutout, flip_left_right, flip_up_down], ids=lambda f: f.__name__
)
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


FLIPS = {flip_left_right: np.fliplr, flip_up_down: np.flipud}


@pytest.mark.parametrize("flip", FLIPS, ids=lambda f: f.__name__)
def test_flips_are_numpy_s_for_half_of_the_images(key, flip):
    images = np.random.default_rng(2).uniform(size=(1000, 3, 4, 2)).astype(np.float32)
    found = np.asarray(flip(key, jnp.asarray(images)))
    flipped = np.stack([FLIPS[flip](image) for image in images])
    moved = (found != images).any((1, 2, 3))
    np.testing.assert_array_equal(found, np.where(moved[:, None, None, None], flipped, images))
    assert abs(moved.mean() - 0.5) < 4 * np.sqrt(0.25 / 1000)
    np.testing.assert_array_equal(flip(key, images, 0), images)
    np.testing.assert_array_equal(flip(key, images, 1.0), flipped)


@pytest.mark.parametrize("mode", ["constant", "edge", "reflect"])
def test_crops_are_windows_of_the_padded_images(key, mode):
    """All of which are as likely; and every window is a different picture here."""
    n, padding = 4000, 2
    images = np.random.default_rng(3).uniform(1, 2, (1, 5, 6, 1)).astype(np.float32)
    found = np.asarray(crop(key, jnp.asarray(np.tile(images, (n, 1, 1, 1))), padding, mode))
    wide = np.pad(images[0], ((padding,) * 2, (padding,) * 2, (0, 0)), mode)
    windows = np.lib.stride_tricks.sliding_window_view(wide[..., 0], (5, 6)).reshape(25, 5, 6)
    equal = (found[:, None, ..., 0] == windows[None]).all((2, 3))
    np.testing.assert_array_equal(equal.sum(axis=1), 1)
    np.testing.assert_allclose(equal.mean(axis=0), 1 / 25, atol=4 * np.sqrt(1 / 25 * 24 / 25 / n))


@pytest.mark.parametrize("size", [1, 2, 3, 8, 40])
def test_cutout_is_a_square_about_a_pixel_of_the_picture(key, size):
    n, rows, columns = 3000, 6, 5
    images = jnp.asarray(np.random.default_rng(4).uniform(1, 2, (n, rows, columns, 2)), jnp.float32)
    found = np.asarray(cutout(key, images, size))
    covered = (found == 0).all(-1)
    np.testing.assert_array_equal(found, np.where(covered[..., None], 0, images))
    squares = {}
    for row in range(rows):
        for column in range(columns):
            square = np.zeros((rows, columns), bool)
            above, left = (max(0, c - size // 2) for c in (row, column))
            square[above : row - size // 2 + size, left : column - size // 2 + size] = True
            squares.setdefault(square.tobytes(), []).append(1 / (rows * columns))
    shares = {square: np.mean([c.tobytes() == square for c in covered]) for square in squares}
    assert sum(shares.values()) == pytest.approx(1)
    for square, chances in squares.items():
        assert abs(shares[square] - sum(chances)) <= 4.5 * np.sqrt(sum(chances) / n)


def test_mixup_is_a_mixture_of_two_samples_and_of_their_targets(key):
    """One-hot targets of samples that are all of different classes tell both, and their shares."""
    n, alpha = 400, 0.7
    x = np.random.default_rng(5).normal(size=(n, 3, 2)).astype(np.float32)
    mixed, targets = (np.asarray(a) for a in mixup(key, jnp.asarray(x), jnp.eye(n), alpha))
    np.testing.assert_allclose(targets.sum(axis=1), 1, rtol=1e-6)
    assert (np.count_nonzero(targets, axis=1) <= 2).all()
    np.testing.assert_allclose(mixed, np.einsum("ij,jkl->ikl", targets, x), atol=1e-5)
    own = np.diagonal(targets)
    partner = np.array(
        [np.argmax(np.where(np.arange(n) == i, 0, t)) for i, t in enumerate(targets)]
    )
    others = own < 1
    assert len(set(partner[others])) == others.sum()
    assert stats.kstest(own[others], stats.beta(alpha, alpha).cdf).pvalue > 1e-3


def test_mixup_of_numbers_keeps_their_mean_line(key):
    """Targets that are linear in the samples stay so."""
    x = np.random.default_rng(6).normal(size=(50, 2)).astype(np.float32)
    mixed, targets = mixup(key, jnp.asarray(x), jnp.asarray(x @ [[2.0], [-1.0]], jnp.float32))
    np.testing.assert_allclose(targets, np.asarray(mixed) @ [[2.0], [-1.0]], atol=1e-5)
    assert not np.allclose(mixed, x)


def blobs(points, rows, columns):
    """Images of one bright spot a point, at `(column, row)`, wide enough to be interpolated."""
    row, column = np.arange(rows)[:, None], np.arange(columns)[None]
    images = [
        np.exp(-((row - y) ** 2 + (column - x) ** 2) / 8) for x, y in points.astype(np.float64)
    ]
    return np.stack(images)[..., None].astype(np.float32)


def centres(images):
    """The centre of mass of each image, as `(column, row)`."""
    grid = np.stack(np.meshgrid(*map(np.arange, images.shape[2:0:-1])), -1)
    mass = images[..., 0].astype(np.float64)
    return np.einsum("nrc,rcd->nd", mass, grid) / mass.sum((1, 2))[:, None]


@pytest.mark.parametrize("coordinates", ["pixels", "picture"])
def test_points_move_with_their_picture(key, coordinates):
    """A spot is where its point is, before and after."""
    rows, columns, n = 48, 60, 30
    middle = np.array([columns - 1, rows - 1]) / 2
    points = middle + np.random.default_rng(7).uniform(-7, 7, (n, 2))
    images = jnp.asarray(blobs(points, rows, columns))
    scale = np.array([columns / 2, -columns / 2])
    given = points if coordinates == "pixels" else (points - middle) / scale
    moved, found = affine_points(
        key, images, jnp.asarray(given, jnp.float32), 60, 0.2, 3, coordinates=coordinates
    )
    found = np.asarray(found) if coordinates == "pixels" else np.asarray(found) * scale + middle
    np.testing.assert_allclose(found, centres(np.asarray(moved)), atol=0.05)
    assert np.abs(found - points).max() > 3
    np.testing.assert_array_equal(moved, affine(key, images, 60, 0.2, 3))


def test_the_joints_of_a_hand_turn_with_it(key):
    """Joints are in the hand before and after, as far apart and as deep, in units of `hands`."""
    drawn = hands(key, 8, 24, noise=0, lost=0, occluder=0)
    turn = partial(affine_points, coordinates="picture", dims=3)
    x, y = turn(key, drawn["x"], drawn["y"], 30, 0, 0)
    before, after = (np.asarray(a).reshape(8, 21, 3) for a in (drawn["y"], y))
    np.testing.assert_array_equal(after[..., 2], before[..., 2])
    lengths = [np.linalg.norm(a[:, 1:, :2] - a[:, :1, :2], axis=-1) for a in (before, after)]
    np.testing.assert_allclose(*lengths, atol=1e-5)
    assert np.abs(after - before).max() > 0.2
    column = np.rint(after[..., 0] * 12 + 11.5).astype(int)
    row = np.rint(-after[..., 1] * 12 + 11.5).astype(int)
    inside = (column >= 0) & (column < 24) & (row >= 0) & (row < 24)
    at = np.asarray(x)[np.arange(8)[:, None], row.clip(0, 23), column.clip(0, 23), 0]
    assert (at[inside] > 0.1).mean() > 0.95
    assert (np.asarray(x) > 0.1).mean() < 0.5


def test_no_move_moves_no_point(key):
    y = jnp.asarray(np.random.default_rng(8).normal(size=(6, 8)), jnp.float32)
    same, points = affine_points(key, PIXELS, y, 0, 0, 0)
    np.testing.assert_allclose(same, PIXELS, atol=1e-5)
    np.testing.assert_allclose(points, y, atol=1e-5)


def test_in_turn_is_one_after_another(key):
    both = InTurn((partial(flip_left_right, probability=1), mixup, partial(flip_up_down)))
    x, y = both(key, PIXELS, jnp.eye(6))
    steps = [jax.random.fold_in(key, i) for i in range(3)]
    mixed, targets = mixup(steps[1], flip_left_right(steps[0], PIXELS, 1), jnp.eye(6))
    np.testing.assert_array_equal(x, flip_up_down(steps[2], mixed))
    np.testing.assert_array_equal(y, targets)


WRONG = {
    "a probability of 2": (lambda k: flip_up_down(k, PIXELS, 2), ValueError, "probability is 2"),
    "a padding of -1": (lambda k: crop(k, PIXELS, -1), ValueError, "padding is -1"),
    "half a pixel of padding": (lambda k: crop(k, PIXELS, 0.5), ValueError, "padding is 0.5"),
    "a reflection wider than the picture": (
        lambda k: crop(k, PIXELS, 5, "reflect"),
        ValueError,
        "padding is 5; it must be an integer, 0 or more, below 5",
    ),
    "an unknown mode": (
        lambda k: crop(k, PIXELS, 1, "reflection"),
        ValueError,
        "unknown mode 'reflection'; did you mean 'reflect'",
    ),
    "a square of 0 pixels": (lambda k: cutout(k, PIXELS, 0), ValueError, "size is 0"),
    "half a pixel": (lambda k: cutout(k, PIXELS, 1.5), TypeError, "size is 1.5"),
    "whole pixels": (
        lambda k: mixup(k, PIXELS.astype(jnp.uint8), jnp.eye(6)),
        TypeError,
        "x has dtype uint8, of which no share is left: divide pixels by 255",
    ),
    "mixed labels": (
        lambda k: mixup(k, PIXELS, jnp.arange(6)),
        TypeError,
        r"labels \(int32\), which cannot be mixed: .*soft_cross_entropy",
    ),
    "an alpha of 0": (lambda k: mixup(k, PIXELS, jnp.eye(6), 0), ValueError, "alpha is 0"),
    "points of another number of images": (
        lambda k: affine_points(k, PIXELS, jnp.zeros((5, 2))),
        ValueError,
        r"y is float32 \(5, 2\); expected the points of 6 images",
    ),
    "three numbers for points of two": (
        lambda k: affine_points(k, PIXELS, jnp.zeros((6, 3))),
        ValueError,
        r"floats \[batch, points \* 2\]",
    ),
    "points of four dimensions": (
        lambda k: affine_points(k, PIXELS, jnp.zeros((6, 4)), dims=4),
        ValueError,
        "dims is 4; points have 2 or 3",
    ),
    "unknown coordinates": (
        lambda k: affine_points(k, PIXELS, jnp.zeros((6, 4)), coordinates="pixel"),
        ValueError,
        "unknown coordinates 'pixel'; did you mean 'pixels'",
    ),
    "steps in a list": (lambda _: InTurn([mixup]), TypeError, "it must be a tuple of functions"),
    "a step that is a number": (lambda _: InTurn((mixup, 2)), TypeError, "a step is 2"),
}


@pytest.mark.parametrize("fault", WRONG)
def test_wrong_arguments_are_named(key, fault):
    call, kind, message = WRONG[fault]
    with pytest.raises(kind, match=message):
        call(key)
