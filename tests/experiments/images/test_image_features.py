"""Hand-made features by loops and invariances, and what is judged of them."""

import jax
import numpy as np
import pytest

from experiments.images import image_descriptors as descriptors
from experiments.images import image_feature_problems as problems
from experiments.images import image_features
from experiments.lab import run
from jaxnets.models.mlp import count_parameters


@pytest.fixture
def patches():
    return np.random.default_rng(0).integers(256, size=(3, 16, 16, 3), dtype=np.uint8)


def test_colours_by_loops(patches):
    for image, histogram in zip(patches, descriptors.colour_histogram(patches, 2), strict=True):
        counts = np.zeros((2, 2, 2))
        for red, green, blue in image.reshape(-1, 3):
            counts[red // 128, green // 128, blue // 128] += 1
        np.testing.assert_allclose(histogram, counts.ravel() / 256)


def test_shuffling_preserves_the_colours_and_nothing_else(patches):
    mixed = descriptors.shuffle_pixels(np.random.default_rng(1), patches)
    for one, other in zip(patches, mixed, strict=True):
        pixels, moved = one.reshape(-1, 3), other.reshape(-1, 3)
        assert (pixels != moved).any(axis=1).mean() > 0.9
        np.testing.assert_array_equal(np.unique(pixels, axis=0), np.unique(moved, axis=0))
    histograms = [descriptors.colour_histogram(x) for x in (patches, mixed)]
    np.testing.assert_array_equal(*histograms)
    distributions = [descriptors.oriented_gradients(x) for x in (patches, mixed)]
    assert np.abs(distributions[0] - distributions[1]).max() > 0.02


def test_the_lectures_image_has_10800_numbers():
    image = np.random.default_rng(2).random((1, 240, 320, 1))
    found = descriptors.oriented_gradients(image)
    assert found.shape == (1, 30, 40, 9)
    assert found.size == 10_800


def test_a_waves_edges_are_in_the_bin_of_its_direction():
    """cos(k . x) changes along k alone."""
    row, column = np.indices((24, 24))
    for bin_ in range(9):
        angle = np.pi * (bin_ + 0.5) / 9
        wave = np.cos(0.3 * (np.cos(angle) * column + np.sin(angle) * row))
        middle = descriptors.oriented_gradients(wave[None, ..., None])[0, 1, 1]
        assert middle[bin_] > 0.9


def test_gradients_do_not_depend_on_brightness_and_contrast():
    x = np.random.default_rng(3).random((2, 16, 16, 1))
    found = descriptors.oriented_gradients(x)
    np.testing.assert_allclose(found.sum(axis=-1), 1, atol=1e-3)
    np.testing.assert_allclose(descriptors.oriented_gradients(3 * x + 2), found, atol=1e-3)
    assert not descriptors.oriented_gradients(np.ones((1, 16, 16, 1))).any()


def test_a_cell_is_that_part_of_the_image():
    x = np.random.default_rng(4).random((1, 24, 24, 1))
    changed = x.copy()
    changed[0, 18:22, 10:14] = 0
    moved = np.abs(descriptors.oriented_gradients(changed) - descriptors.oriented_gradients(x))
    assert moved[0, 2, 1].max() > 0.01
    moved[0, 2, 1] = 0
    assert moved.max() < 1e-12


def test_eight_directions_and_none_by_loops():
    """Central differences inside, one-sided ones at the borders, of the strongest channel."""
    image = np.random.default_rng(9).integers(30, size=(9, 18, 2)).astype(float)
    found = descriptors.with_no_edge(image[None], cell=4, weakest=8.0)[0]
    assert found.shape == (2, 4, 9)
    for row, column in np.ndindex(2, 4):
        sums, without = np.zeros(8), 0
        for i in range(4 * row, 4 * row + 4):
            for j in range(4 * column, 4 * column + 4):
                up, down, left, right = max(i - 1, 0), min(i + 1, 8), max(j - 1, 0), min(j + 1, 17)
                slopes = (image[down, j] - image[up, j]) / (down - up) * 1j
                slopes = slopes + (image[i, right] - image[i, left]) / (right - left)
                slope = slopes[np.abs(slopes).argmax()]
                if abs(slope) < 8:
                    without += 1
                else:
                    sums[int(np.angle(slope) % np.pi / np.pi * 8) % 8] += abs(slope)
        assert 0 < without < 16
        shares = sums / sums.sum() * (16 - without) / 16
        np.testing.assert_allclose(found[row, column], [*shares, without / 16])


def test_joined_features_are_side_by_side():
    one, other = np.arange(6.0).reshape(2, 3), -np.arange(4.0).reshape(2, 2)
    joined = problems.join([one, other])
    np.testing.assert_array_equal(joined, [[0, 1, 2, -0.0, -1], [3, 4, 5, -2, -3]])


def test_windows_are_counted_as_the_nearest_words(patches):
    book = descriptors.codebook(np.random.default_rng(5), patches, words=4, size=5)
    found = descriptors.visual_words(book, patches, size=5, stride=3)
    for image, shares in zip(patches, found, strict=True):
        counts = np.zeros(4)
        for row in range(0, 12, 3):
            for column in range(0, 12, 3):
                window = image[row : row + 5, column : column + 5].astype(float).ravel()
                counts[np.square(book.cluster_centers_ - window).sum(axis=1).argmin()] += 1
        np.testing.assert_allclose(shares, counts / 16)


@pytest.mark.parametrize("name", problems.CLASSIFIERS)
def test_a_linear_classifier_has_a_score_for_each_class(name):
    random = np.random.default_rng(6)
    y = random.integers(4, size=120)
    x = random.normal(size=(120, 6)) + 6 * np.eye(4, 6)[y]
    machine = problems.linear_classifier(name).fit(x[:80], y[:80])
    assert machine.score(x[80:], y[80:]) > 0.95
    assert machine[-1].coef_.shape == (4, 6)
    halves = machine.decision_function((x[:1] + x[1:2]) / 2)
    np.testing.assert_allclose(halves, machine.decision_function(x[:2]).mean(0, keepdims=True))


@pytest.mark.parametrize("name", problems.CHANGES)
def test_changes_by_nothing_change_nothing_and_larger_ones_more(name, key):
    """Of a ramp along the columns, which a shift and a turn move, and noise does not keep."""
    x = np.broadcast_to(np.linspace(0, 1, 28)[:, None], (8, 28, 28, 1))
    change = problems.CHANGES[name]
    by = [np.abs(np.asarray(change(key, x, n)) - x)[:, 9:19, 9:19].mean() for n in (0, 1, 2)]
    assert by[0] < 1e-6 < 0.003 < by[1] < by[2]


def test_noise_has_the_deviation_that_it_says(key):
    noise = problems.CHANGES["noise"](key, np.zeros((50, 28, 28, 1)), 2)
    np.testing.assert_allclose(noise.std(), 0.2, rtol=0.02)


def test_the_network_is_small(key):
    params = jax.eval_shape(problems.network().init, key, np.zeros((1, 32, 32, 3), np.float32))
    convolutions = 16 * (75 + 1) + 32 * (9 * 16 + 1)
    assert count_parameters(params) == convolutions + 10 * (5 * 5 * 32 + 1)


def test_every_test_patch_is_from_the_side_without_training_patches(monkeypatch, key):
    """Photographs whose last quarter, as the seed turns them, is brighter than the rest."""
    config, seen = image_features.SMOKE, []

    def look(classifier, features, train, tests):
        seen.append((train["x"].max(), tests[0]["x"].min(), train["y"], tests[0]["y"]))
        return [0.0, 0.0]

    monkeypatch.setattr(problems, "_shallow", look)
    monkeypatch.setattr(problems, "_network", lambda *_, **__: [0.0, 0.0])
    random = np.random.default_rng(7)
    for seed in range(4):
        picture = random.integers(100, size=(200, 200, 3), dtype=np.uint8)
        np.rot90(picture, seed)[:, 150:] += 100
        problems.patches(config, [picture] * 10, seed, key)
    for train_most, test_least, train_labels, test_labels in seen:
        assert train_most < 100 <= test_least
        assert (np.bincount(train_labels) == config.train).all()
        assert (np.bincount(test_labels) == config.test).all()


def test_what_shuffling_changes_is_measured(monkeypatch, key):
    monkeypatch.setattr(problems, "_shallow", lambda *_: [0.0, 0.0])
    monkeypatch.setattr(problems, "_network", lambda *_, **__: [0.0, 0.0])
    random = np.random.default_rng(8)
    pictures = [random.integers(256, size=(200, 200, 3), dtype=np.uint8) for _ in range(10)]
    row = problems.patches(image_features.SMOKE, pictures, 0, key)
    assert (row["colour_change"], row["moved"] > 0.99) == (0, True)
    monkeypatch.setattr(descriptors, "shuffle_pixels", lambda random, x: 255 - x)
    assert problems.patches(image_features.SMOKE, pictures, 0, key)["colour_change"] > 0
    monkeypatch.setattr(descriptors, "shuffle_pixels", lambda random, x: x)
    assert problems.patches(image_features.SMOKE, pictures, 0, key)["moved"] == 0


# What is judged.

JITTER = np.linspace(-0.01, 0.01, 8)
PATCHES = {
    "pixels": (0.4, 0.2),
    "colours": (0.6, 0.6),
    "hog": (0.6, 0.3),
    "words": (0.65, 0.1),
    "together": (0.77, 0.3),
    "network": (0.88, 0.2),
}
DIGITS = {"pixels": (0.8, 0.7, 0.5), "hog": (0.92, 0.9, 0.85), "orientations": (0.4, 0.4, 0.4)}


def made_up(data="mnist", cells=(30, 40, 9), photographs=(), digits=(), **changes):
    """Accuracies of 8 seeds; the jitter of what is compared has opposite signs."""
    signs = {"pixels": 1, "orientations": 1, "network": 1}

    def rows(accuracies):
        return np.stack(
            [np.asarray(a) + signs.get(n, -1) * JITTER[:, None] for n, a in accuracies.items()], 1
        )

    return {
        "photographs": rows(PATCHES | dict(photographs)),
        "digits": rows(DIGITS | dict(digits)),
        "example_hog": np.zeros(cells),
        "colour_change": np.zeros(8),
        "moved": 0.9 + JITTER,
        "cells_no_edge": np.asarray((30, 40, 9)),
        "share_no_edge": np.ones(9),
        "share_all_edges": np.zeros(9),
        "data": np.asarray(data),
    } | changes


def failing(result):
    """The parts of claims that are refuted, and what else is not reproduced."""
    parts = {
        f"{row['claim']}: {part['part']}": part["verdict"]
        for row in run.claims_of("image_features", result)
        for part in row["parts"]
    }
    return {name: verdict for name, verdict in parts.items() if verdict != "reproduced"}


def refuted(*names):
    return dict.fromkeys(names, "refuted")


CASES = {
    "as claimed": ({}, {}),
    "another size": (
        {"cells": (30, 40, 8)},
        refuted("hog_size: shape", "hog_size: numbers"),
    ),
    "as many numbers, of other cells": ({"cells": (40, 30, 9)}, refuted("hog_size: shape")),
    "colours change": (
        {"colour_change": np.eye(8)[0] * 1e-6},
        refuted("colours_ignore_positions: change"),
    ),
    "nothing is shuffled": ({"moved": JITTER}, refuted("colours_ignore_positions: moved")),
    "no worse without places": (
        {"digits": {"orientations": (0.92, 0.92, 0.92)}},
        refuted("hog_captures_position: gain"),
    ),
    "HOG suffers as much": (
        {"digits": {"hog": (0.92, 0.82, 0.62)}},
        refuted(*(f"hog_is_robust: {part}" for part in ("loss", "spared, 1 px", "spared, 2 px"))),
    ),
    "HOG suffers less, and much": (
        {"digits": {"hog": (0.92, 0.82, 0.72), "pixels": (0.8, 0.6, 0.4)}},
        refuted("hog_is_robust: loss"),
    ),
    "HOG no better on digits": (
        {"digits": {"hog": (0.8, 0.78, 0.73)}},
        refuted("hog_beats_pixels_of_digits: gain"),
    ),
    "HOG within the spread": (
        {"photographs": {"hog": (0.495, 0.1)}},
        {"hog_beats_pixels_of_photographs: gain": "inconclusive"},
    ),
    "colours below pixels": (
        {"photographs": {"colours": (0.3, 0.3)}},
        refuted("colours_beat_pixels: gain"),
    ),
    "words as good as pixels": (
        {"photographs": {"words": (0.4, 0.1)}},
        refuted("words_beat_pixels: gain"),
    ),
    "a network as good as words": (
        {"photographs": {"words": (0.88, 0.1), "together": (0.99, 0.1)}},
        refuted("network_is_best: over words"),
    ),
    "a network below colours": (
        {"photographs": {"colours": (0.9, 0.9), "together": (0.99, 0.1)}},
        refuted("network_is_best: over colours"),
    ),
    "together as good as words": (
        {"photographs": {"together": (0.65, 0.1)}},
        refuted(*(f"together_beats_each: over {name}" for name in problems.TOGETHER)),
    ),
    "no bin for no edge": (
        {"share_no_edge": np.zeros(9)},
        refuted("no_edge_is_a_direction: no edge"),
    ),
    "a bin of everything": (
        {"share_all_edges": np.ones(9)},
        refuted("no_edge_is_a_direction: edges everywhere"),
    ),
}


@pytest.mark.parametrize(("changes", "fail"), CASES.values(), ids=CASES)
def test_claims_can_fail(changes, fail):
    assert failing(made_up(**changes)) == fail


def test_contenders_at_chance_are_not_judged():
    status = {
        row["claim"]: row["status"]
        for row in run.claims_of("image_features", made_up(digits={"hog": (0.1, 0.1, 0.1)}))
    }
    for claim in ("hog_is_robust", "hog_beats_pixels_of_digits", "hog_captures_position"):
        assert status.pop(claim) == "not judged"
    assert set(status.values()) == {"reproduced"}


def test_only_claims_on_digits_need_mnist():
    rows = run.claims_of("image_features", made_up("digits"))
    needing = {row["claim"] for row in rows if row["ours"] == "needs MNIST"}
    assert needing == {
        "hog_captures_position",
        "hog_is_robust",
        "hog_beats_pixels_of_digits",
    }
    others = {row["status"] for row in rows if row["claim"] not in needing}
    assert others == {"reproduced"}
