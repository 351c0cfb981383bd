"""The exact limits of few pieces, the fits and the claims of `sawtooth`."""

from itertools import combinations, pairwise

import jax
import numpy as np
import pytest
from jax.flatten_util import ravel_pytree
from scipy.optimize import linprog

import jaxnets as jn
from experiments.functions import sawtooth, zigzags
from experiments.lab import run
from jaxnets import MLP
from jaxnets.data.toy import checkerboard

SEEDS = 32
JITTER = np.linspace(-0.01, 0.01, SEEDS)


def test_a_sawtooth_by_hand():
    np.testing.assert_allclose(
        zigzags.sawtooth(2, np.asarray([0, 0.125, 0.25, 0.5, 0.75, 1])), [0, 0.5, 1, 0, 1, 0]
    )


@pytest.mark.parametrize("layers", [1, 2, 4])
def test_a_folding_network_doubles_the_teeth_with_each_layer(layers):
    x = np.linspace(0, 1, 257)
    expected = zigzags.sawtooth(2 ** (layers - 1), x)
    np.testing.assert_allclose(zigzags.folded(layers, x), expected, atol=1e-12)


def divisions(n, pieces):
    """All divisions of n points into so many consecutive pieces."""
    for cuts in combinations(range(1, n), pieces - 1):
        ends = (0, *cuts, n)
        yield [slice(a, b) for a, b in pairwise(ends)]


def largest_error(x, y):
    """Of the best line, by linear programming over its slope, its offset and the error."""
    a = np.column_stack([x, np.ones_like(x), -np.ones_like(x)])
    b = np.column_stack([-x, -np.ones_like(x), -np.ones_like(x)])
    bounds = [(None, None), (None, None), (0, None)]
    return linprog([0, 0, 1], np.vstack([a, b]), np.append(y, -y), bounds=bounds).fun


def squared_error(x, y):
    rows = np.column_stack([x, np.ones_like(x)])
    return np.sum((y - rows @ np.linalg.lstsq(rows, y)[0]) ** 2)


@pytest.mark.parametrize("pieces", [1, 2, 3])
def test_least_errors_are_those_of_all_divisions(pieces):
    rng = np.random.default_rng(pieces)
    x, y = np.sort(rng.uniform(size=7)), rng.normal(size=7)
    every = list(divisions(7, pieces))
    largest = min(max(largest_error(x[p], y[p]) for p in pieces) for pieces in every)
    squared = min(sum(squared_error(x[p], y[p]) for p in pieces) for pieces in every) / 7
    assert zigzags.least_uniform(x, y, pieces) == pytest.approx(largest, abs=1e-8)
    assert zigzags.least_squares(x, y, pieces) == pytest.approx(squared, abs=1e-10)


def test_all_pieces_leave_nothing():
    x = np.linspace(0, 1, 33)
    y = zigzags.sawtooth(4, x)
    assert zigzags.least_squares(x, y, 8) == pytest.approx(0, abs=1e-12)
    assert zigzags.least_uniform(x, y, 8) == pytest.approx(0, abs=1e-12)


def test_a_layer_of_so_many_units_has_no_more_pieces():
    config = sawtooth.Config(seeds=2, starts=3, fitted=5)
    x = np.linspace(0, 1, 1025)
    outputs = sawtooth.fit(config, 2, jax.random.key(0), x)
    bends = np.abs(np.diff(outputs, 2, axis=-1)) > 1e-4
    assert outputs.shape == (2, 3, 1025)
    assert (bends.sum(axis=-1) <= 2 * 3).all()


def test_networks_have_the_weights_that_the_figure_says():
    def count(widths):
        shapes = jax.eval_shape(MLP(widths).init, jax.random.key(0), np.zeros((1, 2)))
        return sum(leaf.size for leaf in jax.tree.leaves(shapes))

    counts = tuple(count(widths) for widths in sawtooth.NETWORKS.values())
    assert counts == sawtooth.WEIGHTS


@pytest.mark.parametrize("optimiser", sawtooth.OPTIMISERS)
def test_exclusive_or_is_learned_by_either_optimiser(optimiser, key):
    """The norm is that of the objective where the training ended, by finite differences."""
    config = sawtooth.Config(samples=128, cells=2, trained=60, optimiser=optimiser)
    accuracy, _ = sawtooth.generalise(config, MLP((8,)), key)
    assert accuracy > 0.9
    objective = jn.Objective(MLP((2,)), "binary_cross_entropy", l2=0.1)
    train = checkerboard(key, 64, cells=2)
    params, norm = sawtooth.OPTIMISERS[optimiser](config, objective, key, train)
    flat, restore = ravel_pytree(params)
    steps = 1e-2 * np.eye(len(flat), dtype=np.float32)
    value = jax.vmap(lambda p: objective(restore(p), train)[0])
    slopes = (value(flat[None] + steps) - value(flat[None] - steps)) / 2e-2
    assert norm == pytest.approx(np.linalg.norm(slopes), abs=1e-3)


# The claims.


def made_up(**changes):
    """A result as the lectures claim it."""
    accuracies = 0.8 + np.asarray([0.0, 0.02, 0.05, 0.06]) + 0.1 * JITTER[:, None] * [1, 2, 3, 4]
    return {
        "teeth": np.asarray([1, 2, 4]),
        "uniform": np.ones(3),
        "squared": np.asarray([0.6, 0.5, 0.5]),
        "written": np.zeros(3),
        "fitted": 0.8 + np.tile(JITTER[:, None], 3),
        "optimiser": np.asarray("L-BFGS"),
        "accuracies": accuracies,
        "gradient_norms": np.full_like(accuracies, 1e-6),
    } | changes


def parts_of(**changes):
    rows = run.claims_of("sawtooth", made_up(**changes))
    return {row["claim"]: {p["part"]: p["verdict"] for p in row["parts"]} for row in rows}


def test_all_hold_for_results_as_the_lectures_say():
    assert {one for parts in parts_of().values() for one in parts.values()} == {"reproduced"}


def test_each_part_can_fail():
    good = made_up()
    cases = {
        "largest error": {"uniform": np.asarray([1.0, 0.9, 1.0])},
        "below the least": {"fitted": good["fitted"] - 0.35},
        "all oscillations": {"written": np.asarray([0.0, 0.1, 0.0])},
        "least squared error": {"squared": np.asarray([0.6, 0.2, 0.5])},
    }
    for part, changes in cases.items():
        assert parts_of(**changes)["few_against_many"][part] == "refuted"
    backwards = good["accuracies"][:, ::-1]
    assert set(parts_of(accuracies=backwards)["depth_beats_width"].values()) == {"refuted"}
