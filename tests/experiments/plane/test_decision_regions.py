"""The verdicts of `decision_regions` on made-up results, and the lengths it measures."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.integrate import quad

import jaxnets as jn
from experiments.lab import run
from experiments.plane import boundaries, decision_regions
from experiments.plane.boundaries import PROBLEMS, Problem
from experiments.plane.decision_regions import Config
from jaxnets.data import toy
from jaxnets.training.optimizers import adam_cosine

HALVES = Problem(None, (-1.0, 1.0, -2.0, 2.0), lambda x: (x[:, 0] > 0).astype(float), 4.0)
"""Label 1 right of a vertical line of length 4."""


def made_up(distance=(0.06, 0.03), width=(0.08, 0.03), train=(0.6, 0.7, 0.9), accuracy=0.9):
    """Lengths of 1 x 100 and 2 x 10 on both problems or on each; accuracies of 3 widths."""
    jitter = np.linspace(-1, 1, 8)

    def lengths(pair):
        means = np.broadcast_to(np.reshape(pair, (2, -1)), (2, 2))
        return means[..., None] + 0.002 * np.stack([jitter, jitter[::-1]])[:, None]

    return {
        "accuracy": np.full((2, 2, 8), accuracy),
        "distance": lengths(distance),
        "width": lengths(width),
        "units": np.asarray([3, 6, 20]),
        "capacity_train": np.asarray(train)[:, None] + 0.01 * jitter[None] * [[1], [-1], [1]],
    }


NAMES = {
    "B": "better_defined_checkerboard",
    "R": "better_defined_rosenbrock_region",
    "C": "more_units_more_capacity",
}
CASES = {
    "as claimed": ({}, ""),
    "farther": ({"distance": (0.03, 0.06)}, "BR"),
    "wider": ({"width": (0.03, 0.08)}, "BR"),
    "equally far": ({"distance": (0.03, 0.03)}, "BR"),
    "nearer by less than the margin": ({"distance": (0.035, 0.03)}, "BR"),
    "farther on the board alone": ({"distance": ((0.03, 0.06), (0.06, 0.03))}, "B"),
    "wider on the region alone": ({"width": ((0.08, 0.03), (0.03, 0.08))}, "R"),
    "six no better than three": ({"train": (0.7, 0.7, 0.9)}, "C"),
    "twenty no better than six": ({"train": (0.6, 0.7, 0.705)}, "C"),
    "all at the ceiling": ({"train": (0.98, 0.985, 0.986)}, "C"),
}


def statuses(result):
    return {row["claim"]: row["status"] for row in run.claims_of("decision_regions", result)}


@pytest.mark.parametrize(("changes", "failing"), CASES.values(), ids=CASES)
def test_contrary_numbers_fail_their_own_claims_only(changes, failing):
    expected = {NAMES[c]: "inconclusive" if c in failing else "reproduced" for c in NAMES}
    assert statuses(made_up(**changes)) == expected


def test_boundaries_of_networks_at_chance_and_other_units_are_not_judged():
    result = made_up(accuracy=0.6)
    result["units"] = np.asarray([3, 6, 10])
    assert set(statuses(result).values()) == {"not judged"}


@pytest.mark.parametrize("name", PROBLEMS)
def test_true_labels_are_those_of_the_draws(name, key):
    drawn = PROBLEMS[name].draw(key, 500)
    labels = PROBLEMS[name].label(np.asarray(drawn["x"]))
    np.testing.assert_array_equal(labels, drawn["y"])
    assert 0.3 < labels.mean() < 0.7


def test_the_length_of_the_banana_is_its_integral():
    def speed(angle):
        sine, cosine = np.sqrt(0.5) * np.sin(angle), np.sqrt(0.5) * np.cos(angle)
        return np.hypot(sine, 2 * (1 - cosine) * sine + cosine / 10)

    expected, _ = quad(speed, 0, 2 * np.pi, limit=200)
    assert boundaries.banana_length() == pytest.approx(expected, rel=1e-6)


def test_centres_are_the_middles_of_cells():
    found = boundaries.centres((0.0, 2.0, -3.0, 3.0), 4)
    expected = [[x1, x2] for x2 in (-2.25, -0.75, 0.75, 2.25) for x1 in (0.25, 0.75, 1.25, 1.75)]
    np.testing.assert_allclose(found, expected)


@pytest.mark.parametrize("shift", [0.0, 0.1, -0.25])
def test_the_distance_of_a_shifted_line_is_its_shift(shift):
    grid = boundaries.centres(HALVES.limits, 200)
    p = (grid[:, 0] > shift).astype(float)
    found = boundaries.distance(HALVES, grid, np.stack([p, 1 - p]))
    np.testing.assert_allclose(found, [abs(shift), 2 - abs(shift)], atol=1e-6)


@pytest.mark.parametrize("scale", [0.02, 0.1])
def test_the_width_of_a_sigmoid_in_closed_form(scale):
    """The probability 1 / (1 + exp(-x1 / scale)) is 0.1 and 0.9 at -+ scale log 9."""
    grid = boundaries.centres(HALVES.limits, 400)
    p = 1 / (1 + np.exp(-grid[:, 0] / scale))
    assert boundaries.width(HALVES, p) == pytest.approx(2 * scale * np.log(9), abs=0.01)


def test_the_best_rate_is_that_of_the_single_runs(key):
    config = Config(rates=(1e-6, 0.3), samples=40, epochs=3, batch_size=20)
    model = jn.MLP((4,))
    data = decision_regions._draw(config, toy.two_moons, key)
    assert [len(part["y"]) for part in data] == [40, 40, 200]
    params = jax.jit(lambda key: decision_regions._best(config, model, key, data, {}))(key)
    spec = jn.TrainSpec(model, decision_regions.LOSS, 3, 20, adam_cosine(6), record_every=3)
    fits = [
        jn.fit(spec, key, data._replace(test=None), {"learning_rate": rate})
        for rate in config.rates
    ]
    accuracies = [history["valid_accuracy"][-1] for _, history in fits]
    assert accuracies[0] != accuracies[1]
    expected = fits[int(np.argmax(accuracies))][0].params
    for ours, theirs in zip(jax.tree.leaves(params), jax.tree.leaves(expected), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-5)


def test_probabilities_are_the_sigmoid_of_the_outputs(key):
    model, x = jn.MLP((3,)), jax.random.normal(key, (7, 2))
    params = model.init(key, x)
    expected = 1 / (1 + np.exp(-np.asarray(model.apply(params, x))[:, 0]))
    np.testing.assert_allclose(decision_regions._probabilities(model, params, x), expected, 1e-5)


def test_both_problems_are_drawn_from_the_seeds_own_key(monkeypatch, key):
    """With training left out: the accuracy on the test points that the key gives."""
    model = jn.MLP((2,))
    start = model.init(key, jnp.zeros((1, 2)))
    monkeypatch.setattr(decision_regions, "_best", lambda *_: start)
    config = Config(seeds=3, samples=20, steps=4)
    keys = jax.random.split(key, 3)
    grids = [boundaries.centres(problem.limits, 4) for problem in PROBLEMS.values()]
    accuracy, maps = decision_regions._boundaries(config, keys, model, grids)
    assert maps.shape == (2, 3, 16)
    for i, problem in enumerate(PROBLEMS.values()):
        data_key = jax.random.split(keys[2])[0]
        test = problem.draw(jax.random.split(data_key, 3)[2], 100)
        expected = np.mean((np.asarray(model.apply(start, test["x"]))[:, 0] >= 0) == test["y"])
        assert accuracy[i, 2] == pytest.approx(expected)


@pytest.mark.parametrize("cells", [2, 3, 6])
def test_a_board_of_other_cells_is_that_of_the_draws(cells, key):
    board = boundaries.board(cells)
    drawn = board.draw(key, 500)
    np.testing.assert_array_equal(board.label(np.asarray(drawn["x"])), drawn["y"])
    grid = boundaries.centres(board.limits, 40 * cells)
    labels = board.label(grid).reshape(40 * cells, 40 * cells)
    changes = [(np.diff(labels, axis=axis) != 0).sum() for axis in (0, 1)]
    assert board.length == pytest.approx(sum(changes) * 2 / (40 * cells))


def test_lbfgs_leaves_idle_units_idle_and_lowers_the_loss(key):
    config = Config(rates=(0.1, 0.2, 0.3), samples=60, epochs=15, optimiser="L-BFGS")
    model, data = jn.MLP((5,)), decision_regions._draw(config, toy.two_moons, key)
    params, valid = decision_regions._by_lbfgs(config, model, key, data, {"width": jnp.asarray(2)})
    assert valid.shape == (3,)
    hidden, output = params["params"]["hidden_0"], params["params"]["output"]
    for idle in (hidden["weight"][:, 2:], hidden["bias"][:, 2:], output["weight"][..., 2:]):
        np.testing.assert_array_equal(idle, 0)
    objective = jn.Objective(model, decision_regions.LOSS)
    losses = jax.vmap(lambda p: objective(p, data.train)[0])(params)
    assert losses.max() < 0.6 * np.log(2)


def test_the_turns_are_those_of_the_spirals(key):
    config = dataclasses.replace(decision_regions.SMOKE, turns=0.5, optimiser="L-BFGS", cells=2)
    result = decision_regions.run(config, key)
    x, y = result["points"], result["labels"]
    radius, angle = np.hypot(*x.T), np.arctan2(x[:, 1], x[:, 0])
    off = (angle - np.pi * (radius + y) + np.pi) % (2 * np.pi) - np.pi
    assert np.median(np.abs(off * radius)) < 2 * decision_regions.NOISE
    board = decision_regions.plot(result).axes[0]
    assert [line.get_xdata()[0] for line in board.lines if line.get_ydata()[1] == 1] == [0]
