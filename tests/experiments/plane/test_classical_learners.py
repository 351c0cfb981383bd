"""What `classical_learners` draws and measures, and what its claims make of it."""

import jax
import numpy as np
import pytest
from scipy.optimize import linprog

from experiments.lab import run
from experiments.plane import free_lunch, margins, neighbours, vc_dimension
from experiments.plane.region_learners import LEARNERS, next_errors

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


def test_a_line_has_every_labeling_of_three_points_not_on_a_line():
    """516 of the 560 triples of a 4 x 4 grid are no line (OEIS A045996)."""
    found = vc_dimension.three_points()
    assert len(found) == 516
    assert (found == 1).all()


def by_linear_programming(x, y):
    """Whether `sign (w x + b) >= 1` has a solution for these labels."""
    rows = -np.where(y == 1, 1, -1)[:, None] * np.column_stack([x, np.ones(len(x))])
    return linprog(np.zeros(3), rows, -np.ones(len(x)), bounds=(None, None)).status == 0


def test_the_labeling_of_the_proof_is_not_separable_and_others_are():
    assert len(vc_dimension.four_points()) == 1820
    assert not vc_dimension.four_points().any()
    rng = np.random.default_rng(0)
    every = vc_dimension.grid(4)
    line = every[:4]
    for points in [line, *(every[np.sort(rng.choice(16, 4, replace=False))] for _ in range(20))]:
        weights = vc_dimension.dependence(np.column_stack([points, np.ones(4, int)]))
        used = weights != 0
        assert not by_linear_programming(points[used], weights[used] > 0)
        assert by_linear_programming(points, np.ones(4))


def test_a_hyperplane_of_more_features_errs_more_and_one_of_more_samples_less():
    rng = np.random.default_rng(0)
    few, many = (vc_dimension.errors(rng, d, (50, 400), 4).mean(axis=0) for d in (2, 20))
    assert few[1] < few[0] < many[0]
    assert few[1] < many[1] < many[0]
    assert 0 < few[1] < 0.05


# The claims.


def made_up(**changes):
    """A result as the lectures claim it."""
    result = {f"region_{name}": 0.98 + JITTER for name in LEARNERS}
    result |= {"region_next_errors": np.full((SEEDS, 10), 0.5)}
    result |= {"region_gradient_norm": np.full(SEEDS, 1e-5), "sizes": np.asarray([64, 256, 1024])}
    margin = np.tile([0.02, 0.1, 0.5], (SEEDS, 1))
    result |= {"margin_margin": margin, "margin_radius": np.ones_like(margin)}
    result |= {"margin_updates": 1 / margin + 100 * JITTER[:, None]}
    accuracies = 0.9 + np.tile(JITTER[:, None], 3)
    result |= {"margin_perceptron": accuracies, "margin_widest": accuracies + 0.02}
    power = (-1 + JITTER)[:, None]
    errors = 0.5 * (result["sizes"] / 64) ** power
    result |= {"errors": np.stack([errors] * len(neighbours.FUNCTIONS))}
    samples = np.asarray([100, 200, 400])
    result |= {"rule_three": np.ones(516), "rule_four": np.zeros(1820, int)}
    result |= {"rule_sizes": samples, "rule_dimension": np.asarray(11)}
    result |= {"rule_errors": 0.6 * 11 * samples**power}
    shown = np.asarray([[0.0, 1.0], [1.0, 0.0]])
    return result | {"lunch_errors": np.repeat(shown, 3, axis=0)} | changes


def statuses(**changes):
    rows = run.claims_of("classical_learners", made_up(**changes))
    return {row["claim"]: {p["part"]: p["verdict"] for p in row["parts"]} for row in rows}


def test_errors_under_the_next_weights_round_by_round():
    """The slide's update, one round after the other; 1/2 only with its alpha."""
    rng = np.random.default_rng(0)
    y, h = rng.integers(2, size=40), rng.choice([-1.0, 1.0], size=(3, 40))
    sign, weights, votes, expected = 2 * y - 1, np.full(40, 1 / 40), [], []
    for i, guesses in enumerate(h):
        error = weights[guesses != sign].sum()
        alpha = np.log((1 - error) / error) / 2 if i < 2 else 0.7
        weights = weights * np.exp(-alpha * sign * guesses)
        weights /= weights.sum()
        votes.append(alpha * guesses)
        expected.append(weights[(alpha * guesses) * sign < 0].sum())
    found = next_errors(np.asarray(votes), y)
    np.testing.assert_allclose(found, expected)
    np.testing.assert_allclose(found[:2], 0.5)
    assert abs(found[2] - 0.5) > 0.05


def test_an_error_that_is_not_a_half_refutes():
    wrong = np.full((SEEDS, 10), 0.5)
    wrong[3, 4] = 0.51
    (verdict,) = statuses(region_next_errors=wrong)["next_weights_are_fair"].values()
    assert verdict == "refuted"


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
    roots = 11 * good["rule_sizes"] ** (-0.5 + JITTER[:, None])
    against("rule_of_thumb", "exponent", rule_errors=roots)
    against("rule_of_thumb", "factor", rule_errors=0.1 * good["rule_errors"])
    against("rule_of_thumb", "three points", rule_three=np.full(516, 0.875))
    against("rule_of_thumb", "four points", rule_four=np.eye(1, 1820, dtype=int)[0])
    best = good["lunch_errors"].copy()
    best[0] = 0.0
    against("no_free_lunch", "mean error", lunch_errors=best)
