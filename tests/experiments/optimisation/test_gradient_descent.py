"""Batches and optimizers against closed forms; what is measured of made-up results."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from experiments.lab import run
from experiments.optimisation import descent, gradient_descent, local_minima
from experiments.optimisation.random_surfaces import SHARES
from jaxnets.data import Dataset

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
    variances, _ = descent.relative_moments(rows, (1, 2, 4), 4000, key)
    np.testing.assert_allclose(variances, [1, exact, 0], atol=0.05)


def test_biases_of_batches_are_0_on_average_and_seen_where_draws_agree(x64, key, monkeypatch):
    rows = jax.random.normal(key, (20, 3))

    def biases(key):
        return descent.relative_moments(rows, (1, 5), 16, key)[1]

    many = np.asarray(jax.lax.map(biases, jax.random.split(key, 400)))
    assert (np.abs(many.mean(0)) < 3 * many.std(0) / 20).all()
    monkeypatch.setattr(jax.random, "permutation", lambda key, a: a)
    np.testing.assert_allclose(biases(key), [1, 1])


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


def test_copies_in_turn_are_the_full_set(x64, key):
    """Steps on one copy after the other: as many, each of one copy instead of all of three."""
    row, problem = {"w": jnp.asarray([2.0, -1.0]), "key": key}, line_problem()
    best = jnp.linalg.lstsq(problem.data["x"], problem.data["y"])[0]
    target = 1.01 * float(problem.loss(best, problem.data))
    arguments = (problem, 3, 200, 0.1, target, row)
    full, parts = descent.samples_seen(*arguments, order="one copy after the other")
    assert 12 < full == 3 * parts < np.inf


ROW = {"rate": 0.1, "w": np.asarray([0.5, 2.0])}
WRONG = descent.Rule(descent.momentum, partial(optax.sgd, momentum=0.5), 0.1)


@pytest.mark.parametrize("rule", descent.RULES)
def test_rules_by_hand_are_optax(x64, rule):
    losses, gap = descent.side_by_side(line_problem(), descent.RULES[rule], 50, ROW)
    assert float(gap) < 1e-12
    assert float(losses[-1]) < float(losses[0])


def test_steps_on_mini_batches_take_the_samples_in_turn(x64):
    """Against a loop over 40 samples, 16 at a time; losses are of all of them."""
    problem, rule = line_problem(40), descent.RULES["gradient descent"]
    row = {"rate": 0.02, "w": jnp.asarray([0.5, 2.0])}
    losses, gap = descent.side_by_side(problem, rule, 4, row, "mini-batches")
    w, expected = np.asarray(row["w"]), []
    x, y = (np.asarray(problem.data[name]) for name in "xy")
    for rows in ((16, 32), (32, 48), (48, 64), (64, 80)):
        expected.append(np.mean((x @ w - y) ** 2) / 2)
        at = np.arange(*rows) % 40
        w = w - 0.02 * (x[at] @ w - y[at]) @ x[at] / 16
    np.testing.assert_allclose(losses, expected)
    assert float(gap) < 1e-12


@pytest.mark.parametrize("rule", [WRONG, descent.EPSILON_OUTSIDE])
def test_another_optimizer_is_noticed(x64, rule):
    assert float(descent.side_by_side(line_problem(), rule, 50, ROW)[1]) > 1e-12


def test_the_digits_problem_is_the_networks_loss(key):
    """Zero output weights: every class has probability one tenth."""
    problem = descent.digits_problem(20, 3)
    w = problem.start(key)
    assert w.shape == (64 * 3 + 3 + 3 * 10 + 10,)
    assert float(problem.loss(0 * w, problem.data)) == pytest.approx(np.log(10))


def test_the_problem_of_mnist_has_its_images(key, monkeypatch):
    seen = []

    def load(name):
        seen.append(name)
        part = {"x": np.ones((30, 784), np.float32), "y": np.zeros(30, int)}
        return Dataset(part, None, None)

    monkeypatch.setattr(descent.data, "load", load)
    problem = descent.digits_problem(20, 3, "MNIST")
    assert problem.start(key).shape == (784 * 3 + 3 + 3 * 10 + 10,)
    assert (seen, len(problem.data["y"])) == (["mnist"], 20)


# The claims.

JITTER = np.linspace(-0.01, 0.01, 6)
SIZES = (1, 5, 16, 60)


def losses(plain=0.5, momentum=0.3, adam=0.2):
    """`[rules, seeds, rates, steps]`: the first rate is best, at the second all diverge."""
    last = np.asarray([plain, momentum, adam])[:, None] + JITTER[None]
    both = np.stack([last, np.full_like(last, np.nan)], axis=2)
    return np.stack([np.ones_like(both), both], axis=3)


def variances(factor=1.0):
    expected = gradient_descent.expected_variances(np.asarray(SIZES), 128)
    return factor * expected[None] * (1 + JITTER[:, None])


def savings(factor=1.0):
    full = [[100 * factor * k + JITTER, 100 - JITTER] for k in (2, 4, 8)]
    return np.asarray(full).transpose(0, 2, 1)


def result(**changes):
    fields = {
        "samples": np.asarray(128),
        "share": np.asarray("1/4"),
        "sizes": np.asarray(SIZES),
        "copies": np.asarray([2, 4, 8]),
        "rates": np.asarray([0.1, 3.0]),
        "errors": np.full((6, 4), 1e-16),
        "variances": variances(),
        "biases": np.tile(JITTER[:, None] / 10, (1, 4)),
        "seen": savings(),
        "losses": losses(),
        "gaps": np.full((4, 6), 1e-15),
    }
    for name in local_minima.NAMES.values():
        fields |= {
            f"different_{name}": 0.6 + JITTER,
            f"closest_{name}": 0.95 + JITTER,
            f"settled_{name}": np.stack([0.9 + JITTER, 0.2 + JITTER]),
            f"global_{name}": LOWEST[0],
            f"lowest_{name}": LOWEST,
        }
    return fields | changes


LOWEST = np.linspace(0.2, 0.6, len(SHARES))[:, None] + JITTER[None]
PARTS = {
    "accumulates": ["error"],
    "unbiased": [f"{kind}, B = {size}" for kind in ("bias", "variance") for size in SIZES],
    "cheaper": ["K = 2", "K = 4", "K = 8"],
    **{f"{rule}_is_optax": ["distance"] for rule in ("momentum", "adam")},
    **{f"{rule}_improves": ["gain"] for rule in ("momentum", "adam")},
    **{name: ["line", "plane"] for name in local_minima.CLAIMS},
}


def contrary(**changes):
    """The verdicts on the parts that are not reproduced."""
    rows = run.claims_of("gradient_descent", result(**changes))
    assert {row["claim"]: [part["part"] for part in row["parts"]] for row in rows} == PARTS
    parts = {(row["claim"], part["part"]): part["verdict"] for row in rows for part in row["parts"]}
    return {part: verdict for part, verdict in parts.items() if verdict != "reproduced"}


def test_every_claim_holds_for_good_numbers():
    assert contrary() == {}


def test_noise_is_judged_at_the_share_that_is_set():
    """The lowest line has 20 % without noise, and as many with all shares but one of 64."""
    flat = np.full((len(SHARES), 1), 0.2) + JITTER[None]
    flat[-1] += 0.3
    changes = dict.fromkeys([f"lowest_{name}" for name in local_minima.NAMES.values()], flat)
    assert ("noise_helps", "line") in contrary(**changes)
    assert ("noise_helps", "line") not in contrary(**changes, share=np.asarray("1/64"))


NO, OPEN, UNJUDGED = "refuted", "inconclusive", "not judged"
ALL_K = [("cheaper", part) for part in PARTS["cheaper"]]
CONTRARY = {
    "a lost sample": ({"errors": np.full((6, 4), 1e-3)}, {("accumulates", "error"): NO}),
    "a biased batch": (
        {"biases": 0.04 * (np.asarray(SIZES) == 16) + JITTER[:, None] / 10},
        {("unbiased", "bias, B = 16"): NO},
    ),
    "no greater variance": (
        {"variances": np.ones((6, 4)) * (1 + JITTER[:, None])},
        {("unbiased", f"variance, B = {size}"): NO for size in SIZES[1:]},
    ),
    "variances off by a fifth": (
        {"variances": variances(0.8)},
        {("unbiased", f"variance, B = {size}"): NO for size in SIZES},
    ),
    "less saved": ({"seen": savings(0.8)}, dict.fromkeys(ALL_K, NO)),
    "more saved": ({"seen": savings(1.2)}, dict.fromkeys(ALL_K, NO)),
    "never there": ({"seen": np.full((3, 6, 2), np.inf)}, dict.fromkeys(ALL_K, UNJUDGED)),
    "other momentum": (
        {"gaps": np.asarray([[0.0], [1e-3], [0.0], [0.0]]) * np.ones(6)},
        {("momentum_is_optax", "distance"): NO},
    ),
    "other Adam": (
        {"gaps": np.asarray([[0.0], [0.0], [1e-3], [0.0]]) * np.ones(6)},
        {("adam_is_optax", "distance"): NO},
    ),
    "slow momentum": ({"losses": losses(momentum=0.6)}, {("momentum_improves", "gain"): NO}),
    "slow Adam": ({"losses": losses(adam=0.5)}, {("adam_improves", "gain"): NO}),
    "one minimum": ({"different_plane": JITTER + 0.01}, {("depends_on_start", "plane"): NO}),
    "far from the start": ({"closest_line": 0.85 + JITTER}, {("closest", "line"): NO}),
    "mostly global": (
        {"global_plane": LOWEST[0] + 0.4},
        {("rarely_global", "plane"): NO},
    ),
    "half of them global": (
        {"global_line": LOWEST[0] + 0.3},
        {("rarely_global", "line"): OPEN},
    ),
    "the step does not matter": (
        {"settled_line": np.stack([0.9 + JITTER, 0.9 - JITTER])},
        {("step_matters", "line"): NO},
    ),
    "noise does not help": (
        {"lowest_line": LOWEST[::-1] - 0.2},
        {("noise_helps", "line"): NO},
    ),
}


@pytest.mark.parametrize(("changes", "expected"), CONTRARY.values(), ids=CONTRARY)
def test_contrary_numbers_fail_their_own_parts(changes, expected):
    assert contrary(**changes) == expected
