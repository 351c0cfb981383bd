"""The teacher, the two searches by slow copies, and what is judged of `found_by_sgd`."""

import dataclasses

import jax
import numpy as np
import pytest

import jaxnets as jn
from experiments.functions import found_by_sgd
from experiments.lab import run

SEEDS, WIDTHS = 32, (2, 4, 8)
JITTER = np.linspace(0.8, 1.2, SEEDS)[:, None]


def test_a_teacher_by_loops(key):
    params = found_by_sgd.teach(key, 3)
    data = found_by_sgd._label(jn.MLP((3,)), params, key, 5)
    hidden, output = (jax.tree.map(np.asarray, params["params"][n]) for n in ("hidden_0", "output"))
    for x, y in zip(np.asarray(data["x"]), np.asarray(data["y"]), strict=True):
        value = output["bias"][0]
        for w, b, v in zip(hidden["weight"], hidden["bias"], output["weight"][0], strict=True):
            value += v * np.tanh(w @ x + b)
        assert y[0] == pytest.approx(value, abs=1e-5)
        assert np.abs(x).max() <= found_by_sgd.HALF_SIDE


def test_descent_by_numpy(key):
    """One epoch of one batch is a step of plain gradient descent."""
    config = dataclasses.replace(found_by_sgd.Config(), samples=8, batch_size=8, epochs=1)
    student = jn.MLP((2,))
    with jax.enable_x64(True):
        train = found_by_sgd._label(student, found_by_sgd.teach(key, 2), key, 8)
        found = found_by_sgd._descend(config, student, key, train, 0.1)
        start = student.init(jax.random.split(key)[0], train["x"])
        w, b = (np.asarray(start["params"]["hidden_0"][n]) for n in ("weight", "bias"))
        v, c = (np.asarray(start["params"]["output"][n]) for n in ("weight", "bias"))
        x, y = np.asarray(train["x"]), np.asarray(train["y"])
        h = np.tanh(x @ w.T + b)
        delta = 2 * (h @ v.T + c - y) / len(x)
        below = (delta @ v) * (1 - h**2)
        expected = (w - 0.1 * below.T @ x, b - 0.1 * below.sum(0))
        hidden = found["params"]["hidden_0"]
        np.testing.assert_allclose(hidden["weight"], expected[0], atol=1e-9)
        np.testing.assert_allclose(hidden["bias"], expected[1], atol=1e-9)
        np.testing.assert_allclose(found["params"]["output"]["weight"], v - 0.1 * delta.T @ h)


def test_the_teachers_weights_leave_nothing_and_a_good_search_almost_nothing(key):
    config = dataclasses.replace(found_by_sgd.SMOKE, units=(1,), starts=8, iterations=100)
    result = found_by_sgd.run(config, key)
    assert result["written"].max() < 1e-20
    assert result["lm"].max() < 1e-9 < result["sgd"].min()
    (split,) = found_by_sgd.gaps(result).values()
    assert split.training_share > 0.99


def made_up(**changes):
    stuck = np.zeros((SEEDS, 3, 6))
    for i, failing in enumerate((2, 4, 6)):
        stuck[:, i, :failing] = 0.1
    stuck[::2, :, 0] = 0
    return {
        "units": np.asarray(WIDTHS),
        "optimiser": np.asarray("SGD"),
        "written": np.zeros((SEEDS, 3)),
        "sgd": 1e-2 * JITTER**2 * np.ones(3),
        "lm": 1e-6 * JITTER * np.ones(3),
        "starts": stuck,
        "gradient_norms": np.full((SEEDS, 3, 6), 1e-8),
    } | changes


ALL, FEW = np.full((SEEDS, 3, 6), 0.1), np.zeros((SEEDS, 3, 6))
FEW[::8, :, 0] = 0.1
CASES = {
    "as claimed": ({}, {}),
    "SGD finds it, too": (
        {"sgd": 1.5e-6 * JITTER**2 * np.ones(3)},
        {"stops_short": "refuted"},
    ),
    "a good search finds no more": (
        {"lm": 0.8e-2 * JITTER * np.ones(3)},
        {"stops_short": "refuted"},
    ),
    "a constant": ({"sgd": JITTER**2 * np.ones(3)}, {"stops_short": "not judged"}),
    "it cannot be represented": (
        {"written": np.full((SEEDS, 3), 1e-3)},
        {"stops_short": "refuted"},
    ),
    "hardly a start fails": (
        {"starts": FEW},
        {"one_start_may_fail": "refuted", "harder_with_units": "refuted"},
    ),
    "all starts fail": ({"starts": ALL}, {"harder_with_units": "refuted"}),
}


@pytest.mark.parametrize(("changes", "fail"), CASES.values(), ids=CASES)
def test_claims_can_fail(changes, fail):
    """What is refuted here is inconclusive as long as settings are open."""
    rows = run.claims_of("found_by_sgd", made_up(**changes))
    found = {
        row["claim"]: "refuted" if "refuted" in verdicts else row["status"]
        for row in rows
        for verdicts in [{part["verdict"] for part in row["parts"]}]
    }
    assert {name: status for name, status in found.items() if status != "reproduced"} == fail
