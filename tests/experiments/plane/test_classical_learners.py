"""What `classical_learners` draws and measures, and what its claims make of it."""

import jax
import numpy as np
import pytest

from experiments.lab import run
from experiments.plane import free_lunch, margins, neighbours
from experiments.plane.region_learners import LEARNERS

SEEDS = 32
JITTER = np.linspace(-0.001, 0.001, SEEDS)


@pytest.mark.parametrize("features", [2, 5])
def test_points_keep_their_distance_to_the_plane_and_stay_in_the_ball(features):
    part = margins.draw(jax.random.key(0), 0.3, 0.0, features, 500)
    x, y = np.asarray(part["x"]), np.asarray(part["y"])
    assert np.linalg.norm(x, axis=1).max() <= 1 + 1e-6
    assert (np.where(y == 1, x[:, 0], -x[:, 0]) >= 0.3).all()
    assert 0.4 < y.mean() < 0.6
    moved = margins.draw(jax.random.key(0), 0.3, 0.1, features, 500)
    assert np.std(np.asarray(moved["x"]) - x) == pytest.approx(0.1, rel=0.1)


@pytest.fixture(scope="module")
def measured():
    return margins.measure(jax.random.key(0), (0.1, 0.3), 2, 30, 1.0, 3)


def test_updates_are_within_novikoffs_bound(measured):
    bound = (measured["radius"] / measured["margin"]) ** 2
    assert (measured["updates"] >= 1).all()
    assert (measured["updates"] <= bound + 1e-6).all()


def test_margins_are_at_least_those_of_the_problem(measured):
    assert (measured["margin"] >= np.asarray([0.1, 0.3]) - 1e-6).all()
    assert (measured["margin"] <= measured["radius"]).all()


def test_a_perceptron_that_has_not_ended_is_not_counted(monkeypatch):
    monkeypatch.setattr(margins, "MOST_EPOCHS", 1)
    assert np.isnan(margins.measure(jax.random.key(0), (0.1,), 2, 30, 1.0, 2)["updates"]).all()


def test_a_plane_has_104_labelings_of_the_cube():
    """The number of threshold functions of three variables."""
    assert free_lunch.separable(free_lunch.CORNERS, free_lunch.labelings(8)).sum() == 104


@pytest.mark.parametrize("known", [3, 7])
def test_no_learner_is_better_over_all_labelings_but_over_some(known):
    found = free_lunch.measure(np.arange(8)[::-1], known)
    errors, separable = found["errors"], found["separable"]
    assert errors.shape == (len(free_lunch.LEARNERS), 256)
    assert separable.sum() == 104
    np.testing.assert_allclose(errors.mean(axis=1), 0.5, atol=1e-12)
    assert not free_lunch.imbalances(errors).any()
    assert np.ptp(errors[:, separable].mean(axis=1)) > 0.01


def test_imbalances_by_hand():
    errors = np.asarray([[0.0, 0.5, 1.0], [0.5, 1.0, 0.0]])
    np.testing.assert_array_equal(free_lunch.imbalances(errors), [1])


def test_exponent_of_a_power():
    sizes = np.asarray([10, 100, 1000])
    errors = np.stack([3 * sizes**-0.5, 0.2 * sizes**-1.0])
    np.testing.assert_allclose(neighbours.exponents(sizes, errors), [-0.5, -1])


def test_more_neighbours_than_jumps_blur_the_board():
    """All samples as neighbours predict the mean, whose squared error is the variance."""
    errors = neighbours.measure(np.random.default_rng(0), (400,), 400, 2)
    np.testing.assert_allclose(errors, 1, atol=0.05)
    assert (neighbours.measure(np.random.default_rng(0), (400,), 1, 2) < 0.8).all()


# The claims.


def made_up(**changes):
    """A result as the lectures claim it."""
    result = {f"region_{name}": 0.98 + JITTER for name in LEARNERS}
    result |= {"region_gradient_norm": np.full(SEEDS, 1e-5), "sizes": np.asarray([64, 256, 1024])}
    margin = np.tile([0.02, 0.1, 0.5], (SEEDS, 1))
    result |= {"margin_margin": margin, "margin_radius": np.ones_like(margin)}
    result |= {"margin_updates": 1 / margin + 100 * JITTER[:, None]}
    accuracies = 0.9 + np.tile(JITTER[:, None], 3)
    result |= {"margin_perceptron": accuracies, "margin_widest": accuracies + 0.02}
    power = (-1 + JITTER)[:, None]
    errors = 0.5 * (result["sizes"] / 64) ** power
    result |= {"errors": np.stack([errors] * len(neighbours.FUNCTIONS))}
    shown = np.asarray([[0.0, 1.0], [1.0, 0.0]])
    return result | {"lunch_errors": np.repeat(shown, 3, axis=0)} | changes


def statuses(**changes):
    rows = run.claims_of("classical_learners", made_up(**changes))
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
    against("all_learn_the_region", "forest", region_forest=0.9 + JITTER)
    against("larger_margin_is_quicker", "trend", margin_updates=10 * good["margin_margin"] + 1)
    same = good["margin_perceptron"] + 0.001 * JITTER[:, None]
    against("largest_margin_is_robust", "gain", margin_widest=same)
    flat = good["errors"].copy()
    flat[-1] = 0.5 + JITTER[:, None]
    against("neighbours_approximate", "board: exponent", errors=flat)
    best = good["lunch_errors"].copy()
    best[0] = 0.0
    against("no_free_lunch", "mean error", lunch_errors=best)
