"""Learners of digits, templates, correlations of pixels, pooling, and what is claimed of them."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.svm import SVC

import jaxnets as jn
from experiments.images import digit_learners, reading_digits
from experiments.images import pixel_statistics as pixels
from experiments.lab import run
from experiments.shared.image_data import digits
from jaxnets.data import Dataset

SEEDS = 8
JITTER = np.linspace(-0.001, 0.001, SEEDS)


def test_rows_of_seeds_have_none_in_common_where_there_are_enough():
    rows = reading_digits.own_rows(jax.random.key(0), 20, 3, 6)
    assert rows.shape == (3, 6)
    assert len(np.unique(rows)) == 18
    few = reading_digits.own_rows(jax.random.key(0), 10, 3, 6)
    assert few.shape == (3, 6)
    assert all(len(np.unique(row)) == 6 for row in few)
    assert reading_digits.own_rows(jax.random.key(0), 4, 3, 6).shape == (3, 4)


@pytest.fixture(scope="module")
def own_digits():
    """Scikit-learn's digits, of which the last 797 are tested."""
    samples = digits()
    parts = [
        {name: a[rows] for name, a in samples.items()} for rows in (slice(1000), slice(1000, None))
    ]
    return Dataset(parts[0], test=parts[1])


def test_a_network_learns_from_its_own_rows_only(own_digits):
    """A network with zeros and ones to learn from reads no other digit."""
    model, y = jn.MLP((20,), 10, "relu"), own_digits.train["y"]
    few, every = np.flatnonzero(y < 2)[:200], np.arange(200)
    keys = jax.random.split(jax.random.key(0), 2)
    right = digit_learners.learning_curves(
        model, keys, own_digits, np.stack([few, every]), (200, 200), (5, 400), 16, 5e-3
    )
    assert right.shape == (2, 2, 797)
    wanted = own_digits.test["y"]
    assert right[0, -1, wanted < 2].mean() > 0.97
    assert not right[0, -1, wanted >= 2].any()
    assert right[1, -1].mean() > 0.8 > right[1, 0].mean()


def test_a_network_with_a_single_sample_knows_its_class(own_digits):
    keys, rows = jax.random.split(jax.random.key(0), 2), np.tile(np.arange(100), (2, 1))
    right = digit_learners.learning_curves(
        jn.MLP((10,), 10, "relu"), keys, own_digits, rows, (1, 100), (300,), 16, 1e-2
    )
    np.testing.assert_array_equal(right[0, 0], own_digits.test["y"] == own_digits.train["y"][0])
    assert right[1, 0].mean() > 0.6


def test_networks_of_all_sizes_and_depths_are_where_they_belong(own_digits):
    rows = np.tile(np.arange(400), (2, 1))
    right = digit_learners.by_samples_and_depth(
        jax.random.key(0), own_digits, rows, (1, 400), (1, 2), 20, 200, 16, 5e-3
    )
    assert right.shape == (2, 2, 2, 797)
    accuracies = right.mean(axis=-1)
    assert (accuracies[:, 0] < 0.2).all()
    assert (accuracies[:, 1] > 0.7).all()


def test_the_svm_is_scikit_learns_on_the_same_images(own_digits):
    images = own_digits._replace(
        train=own_digits.train | {"x": own_digits.train["x"].reshape(-1, 8, 8, 1)},
        test=own_digits.test | {"x": own_digits.test["x"].reshape(-1, 8, 8, 1)},
    )
    found = digit_learners.against_svm(
        jax.random.key(0), images, "digits", 1000, 2, 20, 3.0, (10, 300), 32, 5e-3
    )
    machine = SVC(C=3.0).fit(own_digits.train["x"], own_digits.train["y"])
    expected = machine.predict(own_digits.test["x"]) == own_digits.test["y"]
    assert np.mean(found["svm"] == expected) > 0.995
    for network in digit_learners.NETWORKS:
        assert found[network].shape == (2, 2, 797)
        assert found[network][:, -1].mean() > 0.85


def test_passing_is_for_good():
    accuracies = [[0.1, 0.9, 0.4, 0.8], [0.6, 0.7, 0.8, 0.9], [0.9, 0.9, 0.9, 0.5]]
    found = digit_learners.passing(np.asarray([1, 2, 4, 8]), np.asarray(accuracies), 0.5)
    np.testing.assert_array_equal(found, [8, 1, np.nan])


def test_correlations_of_every_pair_of_pixels():
    image = np.random.default_rng(0).normal(size=(5, 7)).cumsum(axis=0)
    for d, found in zip((1, 3), pixels.correlations(image, (1, 3)), strict=True):
        pairs = [
            (image[r, c], image[r + down, c + right])
            for down, right in ((0, d), (d, 0))
            for r in range(5 - down)
            for c in range(7 - right)
        ]
        assert found == pytest.approx(np.corrcoef(np.transpose(pairs))[0, 1], abs=1e-12)


def test_correlations_of_a_wave_are_its_cosine():
    wave = np.sin(2 * np.pi * np.arange(4000) / 16)
    found = pixels.correlations(wave[:, None] + wave[None, :], (4, 8, 16))
    # To the right one of the two waves is the same, and the other one moves.
    np.testing.assert_allclose(found, [0.5, 0, 1], atol=0.01)


def test_permuting_keeps_the_pixels_and_no_correlation():
    rng = np.random.default_rng(0)
    image = np.add.outer(np.arange(100.0), np.arange(100.0))
    mixed = pixels.shuffled(rng, image)
    np.testing.assert_array_equal(np.sort(mixed.ravel()), np.sort(image.ravel()))
    assert abs(pixels.correlations(mixed, (1,))[0]) < 0.03
    assert pixels.correlations(image, (1,))[0] > 0.99


def test_a_linear_classifier_is_scikit_learns():
    """Its penalty is C |w|^2 / 2 per sample, ours `l2 |w|^2` of the mean loss."""
    samples = digits()
    x, y, l2 = samples["x"][:600], samples["y"][:600], 1e-2
    weight, bias, norm = pixels.linear_classifier(jnp.asarray(x), jnp.asarray(y), l2, 500)
    theirs = LogisticRegression(C=1 / (2 * l2 * len(y)), tol=1e-8, max_iter=5000).fit(x, y)
    assert norm < 1e-3
    np.testing.assert_allclose(weight, theirs.coef_ - theirs.coef_.mean(axis=0), atol=5e-3)
    ours = np.argmax(samples["x"] @ np.asarray(weight).T + np.asarray(bias), axis=1)
    assert np.mean(ours == theirs.predict(samples["x"])) > 0.995


def test_likeness_is_scipys_correlation_of_each_pair():
    rng = np.random.default_rng(0)
    weights, means = rng.normal(size=(2, 10, 30))
    found = pixels.likeness(weights, means)
    assert found[3, 7] == pytest.approx(np.corrcoef(weights[3], means[7])[0, 1])
    np.testing.assert_allclose(np.diag(pixels.likeness(means, 2 * means + 1)), 1)


def test_a_convolution_finds_a_picture_on_an_empty_canvas():
    images = np.random.default_rng(0).uniform(size=(13, 6, 5)).astype(np.float32)
    assert not pixels.misses(images).any()


@pytest.mark.parametrize("size", [2, 3])
def test_moves_within_a_window_are_all_pairs_of_its_positions(size):
    found = pixels.pooled_positions(size, 3)
    assert len(found["moved_within"]) == 9 * size**4
    assert len(found["moved_out"]) == (9 * size**2) ** 2 - 9 * size**4
    assert not found["moved_within"].any()
    assert (found["moved_out"] == 1).all()


@pytest.mark.parametrize("shape", [(4, 8, 8), (3, 9, 7)])
def test_shuffling_within_windows_changes_the_map_but_not_its_maxima(shape):
    maps = np.random.default_rng(0).uniform(size=shape)
    pooled, plain = pixels.shuffled_windows(np.random.default_rng(1), maps, 2)
    assert not pooled.any()
    assert (plain > 0.1).all()


# The claims.


def made_up(**changes):
    """A result as the lectures claim it."""
    alike = 0.5 * np.eye(10) + JITTER[:, None, None]
    result = {"data": np.asarray("mnist"), "likeness": alike, "linear_norm": np.full(SEEDS, 1e-3)}
    result |= {"misses": np.zeros(100, int), "moved_within": np.zeros(8), "moved_out": np.ones(8)}
    rng = np.random.default_rng(0)
    level = np.asarray([[0.6, 0.7, 0.75], [0.8, 0.85, 0.88], [0.9, 0.94, 0.97]])
    right = rng.uniform(size=(SEEDS, 1, 1, 2000)) < level[:, :, None]
    result |= {"sizes": np.asarray([100, 400, 1600]), "depths": np.asarray([1, 2, 3])}
    result |= {"right": right, "records": np.asarray([10, 100])}
    svm = rng.uniform(size=2000) < 0.95
    worse = svm & (rng.uniform(size=(6, 2, 2000)) < 0.9)
    result |= {"read_svm": svm, "read_mlp": svm | worse, "read_convolutions": svm | ~worse}
    ten = 0.01 * np.linspace(-1, 1, 10)[:, None]
    falling = np.linspace(0.9, 0.2, 6)
    result |= {"photographs": falling + ten, "permuted": 0.1 * np.tile(ten, 6)}
    return (
        result
        | {
            "digits": np.linspace(0.8, 0.1, 4) + 0.01 * np.linspace(-1, 1, 1000)[:, None],
            "shuffled_pooled": np.zeros(100),
        }
        | changes
    )


def statuses(**changes):
    rows = run.claims_of("reading_digits", made_up(**changes))
    return {row["claim"]: {p["part"]: p["verdict"] for p in row["parts"]} for row in rows}


def test_all_hold_for_results_as_the_lectures_say():
    assert {one for parts in statuses().values() for one in parts.values()} == {"reproduced"}


def against(claim, part, **changes):
    found = statuses(**changes)
    assert found[claim][part] == "refuted"
    others = {one for name, parts in found.items() for one in parts.values() if name != claim}
    assert others == {"reproduced"}


def test_each_claim_can_fail():
    good = made_up()
    right, svm = good["right"], good["read_svm"]
    less = statuses(right=right[:, ::-1])["more_data_is_better"]
    assert set(less.values()) == {"refuted"}
    only_last = np.stack([right[:, 0], right[:, 2], right[:, 2]], axis=1)
    found = statuses(right=only_last)["more_data_is_better"]
    assert {found[f"last step, {depth}"] for depth in (1, 2, 3)} == {"refuted"}
    deep = statuses(right=right[:, :, ::-1])["deeper_is_better"]
    assert deep["2 over 1"] == "refuted"
    assert deep["3 over 1"] == "refuted"
    same = np.broadcast_to(svm, (6, 2, len(svm)))
    against("convolutions_pass_svm", "lead", read_convolutions=same)
    worse = same & (np.random.default_rng(1).uniform(size=same.shape) < 0.98)
    against("mlp_beside_svm", "lead", read_mlp=worse)
    other = np.roll(good["likeness"], 1, axis=2)
    for part in ("lead", "own is the best of ten"):
        against("weights_are_pictures", part, likeness=other)
    against("template_matcher", "misses", misses=np.eye(1, 100, dtype=int)[0])
    photos = good["photographs"]
    for part in ("photographs: trend", "photographs: ends"):
        against("neighbours_correlate", part, photographs=photos[:, ::-1])
    permuted = good["permuted"] + 0.1
    against("neighbours_correlate", "photographs, permuted", permuted=permuted)
    against("neighbours_correlate", "digits: ends", digits=good["digits"][:, ::-1])
    against("pooling_ignores_location", "within a window", moved_within=np.eye(1, 8)[0])
    against("pooling_ignores_location", "to another window", moved_out=np.zeros(8))
    against("pooling_ignores_location", "shuffled within windows", shuffled_pooled=np.ones(100))


def test_samples_of_other_digits_are_not_judged():
    found = statuses(data=np.asarray("digits"))
    assert found["template_matcher"] == {"misses": "reproduced"}
    judged = {name for name, parts in found.items() if "reproduced" in parts.values()}
    assert judged == {"template_matcher", "pooling_ignores_location"}
