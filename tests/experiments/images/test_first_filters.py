"""The patches that first filters are learned from, their comparison, and what is judged."""

import numpy as np
import pytest

from experiments.images import filter_tasks, first_filters, gaussian_bank
from experiments.lab import run


def test_filters_are_kernels_channel_by_channel():
    kernel = np.random.default_rng(4).normal(size=(2, 3, 3, 1, 5))
    filters = first_filters._filters(kernel)
    assert filters.shape == (2, 5, 9)
    np.testing.assert_array_equal(filters[1, 4].reshape(3, 3), kernel[1, :, :, 0, 4])


def test_comparison_shuffles_within_filters_and_preserves_the_sign_of_the_best():
    random = np.random.default_rng(5)
    shown = gaussian_bank.derivative(5, 1.5, orders=(1, 0)).ravel()
    learned = np.tile(-shown, (2, 4, 1))
    result = first_filters._compare("digits", learned, random.normal(size=learned.shape), random)
    np.testing.assert_allclose(result["best_digits"], learned[0] / np.linalg.norm(shown))
    assert (result["similarity_digits_learned"] > 0.999).all()
    assert (result["orders_digits_learned"] == 1).all()
    for kind in ("initial", "random", "shuffled"):
        assert (result[f"similarity_digits_{kind}"] < 0.97).all(), kind


# The patches.


@pytest.fixture(scope="module")
def patch_sets():
    return filter_tasks.patches(200, 0.5, seed=0)


def test_a_patch_turned_back_is_in_its_side_of_a_photograph(patch_sets):
    grey = filter_tasks._grey()
    edge = 3 * grey.shape[2] // 4
    for part, sides in (("train", grey[..., :edge]), ("test", grey[..., edge:])):
        x, y = getattr(patch_sets[0], part)["x"], getattr(patch_sets[0], part)["y"]
        assert set(y) == {0, 1, 2, 3}
        for patch, turns in zip(x[:3, ..., 0], y[:3], strict=True):
            back = np.rot90(patch, -turns)
            corner = np.argwhere(sides[:, :-23, :-23] == back[0, 0])
            assert any(np.array_equal(sides[i, r : r + 24, c : c + 24], back) for i, r, c in corner)


def test_noise_has_the_given_size_and_targets_have_none(patch_sets):
    part = patch_sets[1].train
    middle = part["x"][:, 6:-6, 6:-6, 0].reshape(200, -1)
    difference = middle - part["y"]
    assert difference.mean() == pytest.approx(0, abs=0.04)
    assert difference.std() == pytest.approx(0.5, abs=0.03)
    assert len(patch_sets[1].test["y"]) == 50


# What is judged.

CLAIMS = {"digits": "of_digits", "rotation": "of_rotated_patches", "noise": "of_noisy_patches"}


def filter_result(changes=None, data="mnist", score=0.9):
    """Similarities of 8 filters in 5 networks, the four most similar ones above the others."""
    jitter = np.linspace(-0.02, 0.02, 5)[:, None]
    result = {"data": np.asarray(data), "score_digits": np.full(5, score)}
    for name in first_filters.NETWORKS:
        of = {"some": 0.95, "others": 0.7, "initial": 0.55, "random": 0.5} | (changes or {})
        learned = np.repeat([of["others"], of["some"]], 4)
        result[f"similarity_{name}_learned"] = learned + jitter
        for kind, wobble in (("initial", 0.9), ("random", 0.6), ("shuffled", 0.0)):
            similarity = of.get(kind, 0.5) + wobble * jitter
            result[f"similarity_{name}_{kind}"] = similarity + np.zeros(8)
    return result


def found(result):
    """The verdicts on the parts of each claim."""
    rows = run.claims_of("first_filters", result)
    return {row["claim"]: [part["verdict"] for part in row["parts"]] for row in rows}


FILTERS = {
    "as claimed": ({}, ["reproduced", "reproduced", "reproduced"]),
    "none is very similar": ({"some": 0.85}, ["refuted", "reproduced", "reproduced"]),
    "all are rather similar": ({"others": 0.85, "some": 0.85}, ["refuted", *["reproduced"] * 2]),
    "as before training": ({"initial": 0.825}, ["reproduced", "refuted", "reproduced"]),
    "noise is as similar": ({"random": 0.825}, ["reproduced", "reproduced", "refuted"]),
    "hardly above noise": ({"random": 0.78}, ["reproduced", "reproduced", "inconclusive"]),
}


@pytest.mark.parametrize(("changes", "expected"), FILTERS.values(), ids=FILTERS)
@pytest.mark.parametrize("name", first_filters.NETWORKS)
def test_claims_on_filters_can_fail(name, changes, expected):
    assert found(filter_result(changes))[CLAIMS[name]] == expected


def test_claims_look_at_their_own_network_only():
    result = filter_result()
    result["similarity_noise_learned"] -= 0.3
    assert found(result) == {
        "of_digits": ["reproduced"] * 3,
        "of_rotated_patches": ["reproduced"] * 3,
        "of_noisy_patches": ["refuted"] * 3,
    }


def test_two_photographs_are_not_those_of_the_lecture():
    rows = run.claims_of("first_filters", filter_result())
    status = {row["claim"]: row["status"] for row in rows}
    assert status.pop("of_digits") == "reproduced"
    assert set(status.values()) == {"not comparable"}


def test_only_the_filters_of_digits_need_mnist_and_networks_that_learned():
    for result in (filter_result(data="digits"), filter_result(score=0.1)):
        assert {name for name, parts in found(result).items() if not parts} == {"of_digits"}
