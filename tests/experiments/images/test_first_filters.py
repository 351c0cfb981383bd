"""The patches that first filters are learned from, their comparison and its judge."""

import numpy as np
import pytest

from experiments.images import first_filters, gaussian_bank


def statuses(module, result):
    return [claim.judge(result).status for claim in module.CLAIMS]


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
    return first_filters.patches(200, 0.5, seed=0)


def test_a_patch_turned_back_is_in_its_side_of_a_photograph(patch_sets):
    grey = first_filters._grey()
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


# The judge of the filters.


def filter_result(gains, data="mnist"):
    """Similarities of 5 seeds; learned ones above each control by `gains[network][control]`."""
    jitter = np.linspace(-0.02, 0.02, 5)[:, None] + np.zeros(8)
    result = {"data": np.asarray(data), "score_digits": np.full(5, 0.9)}
    for name, gain in gains.items():
        result[f"similarity_{name}_learned"] = 0.8 + jitter
        for kind, wobble in (("initial", 0.9), ("random", 1.1), ("shuffled", 1.0)):
            result[f"similarity_{name}_{kind}"] = 0.8 - gain.get(kind, 0.1) + wobble * jitter
    return result


FILTERS = {
    "all above": ({}, "reproduced"),
    "not above their start": ({"initial": 0.0}, "not reproduced"),
    "below noise": ({"random": -0.1}, "not reproduced"),
    "within the spread": ({"random": 0.0005}, "not reproduced"),
    "a shuffle as good": ({"shuffled": 0.0}, "reproduced"),
}


@pytest.mark.parametrize(("gain", "expected"), FILTERS.values(), ids=FILTERS)
@pytest.mark.parametrize("name", first_filters.NETWORKS)
def test_claims_on_filters_can_fail(name, gain, expected):
    result = filter_result({n: gain if n == name else {} for n in first_filters.NETWORKS})
    assert statuses(first_filters, result) == [
        expected if n == name else "reproduced" for n in first_filters.NETWORKS
    ]


def test_only_the_filters_of_digits_need_mnist():
    result = filter_result({name: {} for name in first_filters.NETWORKS}, data="digits")
    assert statuses(first_filters, result) == ["not tested", "reproduced", "reproduced"]
