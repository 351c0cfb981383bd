"""What `many_networks` says about made-up results, and its statistics."""

import numpy as np
import pytest
from scipy import stats

from experiments.optimisation import many_networks
from experiments.optimisation.many_networks import differences
from experiments.optimisation.seed_power import POWER, power, seeds_needed

SPREAD = np.linspace(-1, 1, 101)


def made_up(gain=10.0, std=0.007, difference=1e-5, same=True, wobble=0.05, devices=2):
    """A loop of 0.02 s a network, and a sweep that is `gain` times as fast."""
    jitter = 1 + wobble * np.linspace(-1, 1, 7)
    spread = SPREAD / SPREAD.std(ddof=1)
    return {
        "counts": np.asarray([1, 64]),
        "devices": np.asarray(devices),
        "seconds_loop": 0.02 * jitter,
        "seconds_vmap": np.full((2, 7), 0.02),
        "seconds_sweep": np.stack([0.02 * jitter, 0.02 / gain * jitter[::-1]]),
        "difference": np.asarray([1e-7, difference]),
        "difference_single": np.asarray([0.06, 0.01]),
        "same_accuracy": np.asarray([True, same]),
        "accuracy": 0.96 + std * spread,
        "accuracy_anew": 0.96 + 0.02 * spread,
    }


CASES = {
    "as claimed": ({}, set()),
    "no more than the cores": ({"gain": 2.0}, {0}),
    "more, but within the spread": ({"gain": 2.1, "wobble": 0.3}, {0}),
    "enough cores to explain it": ({"devices": 16}, {0}),
    "other parameters": ({"difference": 2e-3}, {1}),
    "other predictions": ({"same": False}, {1}),
    "far apart": ({"std": 0.02}, {2}),
}


@pytest.mark.parametrize(("changes", "failing"), CASES.values(), ids=CASES)
def test_contrary_numbers_fail_their_own_claims_only(changes, failing):
    result = made_up(**changes)
    judged = [claim.judge(result).status for claim in many_networks.CLAIMS]
    assert judged == ["not reproduced" if i in failing else "reproduced" for i in range(3)]


@pytest.mark.parametrize(("effect", "cohen"), [(0.2, 394), (0.5, 64), (0.8, 26), (1.0, 17)])
def test_seeds_needed_are_those_of_published_tables(effect, cohen):
    """Two-sided 5 %, power 80 %, two groups: what G*Power prints."""
    assert seeds_needed(1.0, effect) == cohen
    assert seeds_needed(0.01, 0.01 * effect) == cohen


@pytest.mark.parametrize("effect", [0.05, 0.31, 1.0, 2.5, 8.0])
def test_seeds_needed_are_the_fewest(effect):
    seeds = seeds_needed(1.0, effect)
    assert power(seeds, effect) >= POWER
    assert seeds == 2 or power(seeds - 1, effect) < POWER


def test_without_a_difference_the_power_is_the_significance():
    assert power(7, 0.0) == pytest.approx(0.05)


@pytest.mark.parametrize(("seeds", "effect"), [(4, 1.5), (20, 0.6)])
def test_power_is_how_often_a_t_test_finds_the_difference(seeds, effect):
    rng = np.random.default_rng(0)
    ones, others = rng.normal(size=(2, 4000, seeds))
    found = stats.ttest_ind(ones, others + effect, axis=1).pvalue < 0.05
    assert np.mean(found) == pytest.approx(power(seeds, effect), abs=0.03)


def test_differences_by_hand():
    ones = {"a": np.asarray([[[1.0, 2.0]], [[4.0, 0.0]]]), "b": np.asarray([[-8.0], [1.0]])}
    others = {"a": np.asarray([[[1.0, 6.0]], [[4.0, 0.0]]]), "b": np.asarray([[-8.0], [3.0]])}
    np.testing.assert_allclose(differences(ones, others), [0.5, 0.5])
    np.testing.assert_array_equal(differences(ones, ones), [0, 0])
