"""What `many_networks` says about made-up results, and its statistics."""

import numpy as np
import pytest
from scipy import stats

from experiments.lab import claim_files, run
from experiments.optimisation.many_networks import differences
from experiments.optimisation.seed_power import POWER, power, seeds_needed

SPREAD = np.linspace(-1, 1, 101)


def made_up(gain=10.0, std=0.007, difference=1e-9, same=True, wobble=0.05, devices=2):
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


GAIN, VARIANCE = ("faster", "gain over cores"), ("enough_seeds", "variance")
PARAMETERS, ACCURACY = ("same", "parameters"), ("same", "equal accuracy")
NO, OPEN = "refuted", "inconclusive"
CASES = {
    "as claimed": ({}, {}),
    "no more than the cores": ({"gain": 2.0}, {GAIN: NO}),
    "twentieth more than the cores": ({"gain": 2.1, "wobble": 0.01}, {GAIN: NO}),
    "more, but within the spread": ({"gain": 2.3, "wobble": 0.3}, {GAIN: OPEN}),
    "enough cores to explain it": ({"devices": 16}, {GAIN: NO}),
    "other parameters": ({"difference": 2e-3}, {PARAMETERS: NO}),
    "other predictions": ({"same": False}, {ACCURACY: NO}),
    "far apart": ({"std": 0.02}, {VARIANCE: NO}),
    "just near enough": ({"std": 0.0138}, {VARIANCE: OPEN}),
}


@pytest.mark.parametrize(("changes", "expected"), CASES.values(), ids=CASES)
def test_contrary_numbers_fail_their_own_parts_only(changes, expected):
    rows = run.claims_of("many_networks", made_up(**changes))
    parts = {(row["claim"], part["part"]): part["verdict"] for row in rows for part in row["parts"]}
    assert len(parts) == 4
    assert {part: verdict for part, verdict in parts.items() if verdict != "reproduced"} == expected


def test_the_variance_that_is_claimed_is_what_32_seeds_can_bear():
    (part,) = claim_files.registered("many_networks")["enough_seeds"].parts
    assert power(32, 1 / np.sqrt(part.reference)) == pytest.approx(POWER, abs=1e-3)
    assert run.claims_of("many_networks", made_up())[0]["parts"][0]["estimate"] == pytest.approx(
        0.7**2
    )


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


def test_divisions_of_the_same_data_show_less_whatever_their_number():
    """The error of a difference tends to the square root of twice the ratio, not to 0."""
    assert seeds_needed(1.0, 0.5, divided=1 / 3) == np.inf
    assert power(10**9, 0.5, divided=1 / 3) == pytest.approx(power(10**9, 0.5 / np.sqrt(10**9 / 3)))
    few = seeds_needed(1.0, 3.0, divided=1 / 3)
    assert seeds_needed(1.0, 3.0) < few < np.inf
    assert power(few, 3.0, 1 / 3) >= POWER > power(few - 1, 3.0, 1 / 3)


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
