"""Batches and optimizers against closed forms; the judges on made-up results."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from experiments.optimisation import descent, gradient_descent, local_minima
from experiments.optimisation.random_surfaces import SHARES

# Batches and optimizers.


def line_problem(n=12):
    """`1/2 (w . x - y)^2` for integer data: losses and slopes are exact sums."""
    rng = np.random.default_rng(0)
    part = {"x": jnp.asarray(rng.integers(-3, 4, (n, 2)), float), "y": jnp.arange(n) / 4}

    def loss(w, batch):
        return jnp.mean((batch["x"] @ w - batch["y"]) ** 2) / 2

    return descent.Problem(lambda key: jax.random.normal(key, (2,)), loss, part)


@pytest.mark.parametrize("size", [1, 5, 12])
def test_accumulated_gradients_are_the_closed_form(x64, size):
    problem, w = line_problem(), jnp.asarray([0.3, -1.2])
    x, y = problem.data["x"], problem.data["y"]
    found = descent.accumulate_gradients(problem, w, size)
    np.testing.assert_allclose(found, x.T @ (x @ w - y), rtol=1e-13)


def test_accumulation_errors_see_a_lost_sample(x64, key):
    problem, row = line_problem(), {"w": jnp.asarray([0.3, -1.2]), "key": key}
    assert float(descent.batch_gradients(problem, (1, 5, 12), 2, row)[0].max()) < 1e-14
    lossy = problem._replace(loss=lambda w, b: problem.loss(w, jax.tree.map(lambda a: a[:2], b)))
    assert float(descent.batch_gradients(lossy, (5,), 2, row)[0][0]) > 0.01


def test_variances_of_batches_are_those_of_all_subsets(x64, key):
    """All 6 pairs of 4 rows, against the formula and against random orders."""
    rows = jnp.asarray([[1.0, 0.0], [4.0, 2.0], [-3.0, 1.0], [0.0, -5.0]])
    centred = np.asarray(rows - rows.mean(0, keepdims=True))
    pairs = [(centred[i] + centred[j]) / 2 for i in range(4) for j in range(i)]
    exact = np.mean(np.sum(np.square(pairs), 1)) / np.mean(np.sum(centred**2, 1))
    (expected,) = gradient_descent.expected_variances(np.asarray([2]), 4)
    assert exact == pytest.approx(expected)
    found = descent.relative_variances(rows, (1, 2, 4), 4000, key)
    np.testing.assert_allclose(found, [1, exact, 0], atol=0.05)


def test_copies_multiply_the_work_of_the_full_set_only(key):
    """Two identical samples: any batch of two copies is the full set."""
    part = {"x": jnp.ones((2, 1)), "y": jnp.ones(2)}
    problem = descent.Problem(
        lambda key: jnp.zeros(1),
        lambda w, batch: jnp.mean((batch["x"] @ w - batch["y"]) ** 2),
        part,
    )
    row = {"w": jnp.zeros(1), "key": key}
    one, three = (descent.samples_seen(problem, k, 30, 0.25, 1e-3, row) for k in (1, 3))
    steps = 5  # the error halves at every step: 4^-5 < 1e-3 < 4^-4
    np.testing.assert_array_equal(one, [2 * steps, 2 * steps])
    np.testing.assert_array_equal(three, [6 * steps, 2 * steps])
    never = descent.samples_seen(problem, 1, 4, 0.25, 1e-3, row)
    assert np.isinf(never).all()


ROW = {"rate": 0.1, "w": np.asarray([0.5, 2.0])}
WRONG = descent.Rule(descent.momentum, partial(optax.sgd, momentum=0.5), 0.1)


@pytest.mark.parametrize("rule", descent.RULES)
def test_rules_by_hand_are_optax(x64, rule):
    losses, gap = descent.side_by_side(line_problem(), descent.RULES[rule], 50, ROW)
    assert float(gap) < 1e-12
    assert float(losses[-1]) < float(losses[0])


@pytest.mark.parametrize("rule", [WRONG, descent.EPSILON_OUTSIDE])
def test_another_optimizer_is_noticed(x64, rule):
    assert float(descent.side_by_side(line_problem(), rule, 50, ROW)[1]) > 1e-12


def test_the_digits_problem_is_the_networks_loss(key):
    """Zero output weights: every class has probability one tenth."""
    problem = descent.digits_problem(20, 3)
    w = problem.start(key)
    assert w.shape == (64 * 3 + 3 + 3 * 10 + 10,)
    assert float(problem.loss(0 * w, problem.data)) == pytest.approx(np.log(10))


# The judges.

JITTER = np.linspace(-0.01, 0.01, 6)


def losses(plain=0.5, momentum=0.3, adam=0.2):
    """`[rules, seeds, rates, steps]`: the first rate is best, at the second all diverge."""
    last = np.asarray([plain, momentum, adam])[:, None] + JITTER[None]
    both = np.stack([last, np.full_like(last, np.nan)], axis=2)
    return np.stack([np.ones_like(both), both], axis=3)


def result(**changes):
    sizes = np.asarray([1, 4])
    fields = {
        "samples": np.asarray(16),
        "sizes": sizes,
        "copies": np.asarray([2, 8]),
        "rates": np.asarray([0.1, 3.0]),
        "starts": np.asarray(9),
        "errors": np.full((6, 2), 1e-16),
        "variances": gradient_descent.expected_variances(sizes, 16)[None] * (1 + JITTER[:, None]),
        "seen": np.stack([np.stack([100 * k + JITTER, 100 - JITTER], 1) for k in (2, 8)]),
        "losses": losses(),
        "gaps": np.full((4, 6), 1e-15),
    }
    for name in local_minima.NAMES.values():
        shares = np.linspace(0.2, 0.6, len(SHARES))[:, None] + JITTER[None]
        fields |= {
            f"different_{name}": 3 + JITTER,
            f"closest_{name}": 0.95 + JITTER,
            f"settled_{name}": np.stack([0.9 + JITTER, 0.2 + JITTER]),
            f"lowest_{name}": shares,
        }
    return fields | changes


def test_every_claim_holds_for_good_numbers():
    judged = [claim.judge(result()) for claim in gradient_descent.CLAIMS]
    assert [verdict.status for verdict in judged] == ["reproduced"] * 12


LOWEST = np.linspace(0.2, 0.6, len(SHARES))[:, None] + JITTER[None]
CONTRARY = {
    "a lost sample": ({"errors": np.full((6, 2), 1e-3)}, {0}),
    "a biased batch": ({"variances": np.asarray([[1.0, 0.3]] * 6)}, {1}),
    "no saving": ({"seen": np.ones((2, 6, 2))}, {2}),
    "never there": ({"seen": np.full((2, 6, 2), np.inf)}, {2}),
    "other momentum": ({"gaps": np.asarray([[0.0], [1e-3], [0.0], [0.0]]) * np.ones(6)}, {3}),
    "other Adam": ({"gaps": np.asarray([[0.0], [0.0], [1e-3], [0.0]]) * np.ones(6)}, {4}),
    "slow momentum": ({"losses": losses(momentum=0.6)}, {5}),
    "slow Adam": ({"losses": losses(adam=0.5)}, {6}),
    "one minimum": ({"different_plane": np.ones(6)}, {7}),
    "far from the start": ({"closest_line": 0.85 + JITTER}, {8}),
    "mostly global": ({"lowest_plane": LOWEST + 0.4}, {9}),
    "the step does not matter": ({"settled_line": np.stack([0.9 + JITTER, 0.9 - JITTER])}, {10}),
    "noise does not help": ({"lowest_line": LOWEST[::-1] - 0.2}, {11}),
}


@pytest.mark.parametrize(("changes", "failing"), CONTRARY.values(), ids=CONTRARY)
def test_contrary_numbers_fail_their_own_claims(changes, failing):
    judged = [claim.judge(result(**changes)) for claim in gradient_descent.CLAIMS]
    assert {i for i, verdict in enumerate(judged) if verdict.status != "reproduced"} == failing
