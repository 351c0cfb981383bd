"""What `checkerboard` and `rosenbrock_region` share: boards, weak classifiers, optimisers."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from experiments.lab.rules import require_usable
from experiments.plane import checkerboard, rosenbrock_region
from experiments.shared import converged, planar
from experiments.shared.weak_learners import boost_least_squares
from jaxnets import classical
from jaxnets.data import toy


@pytest.fixture(scope="module")
def board():
    return toy.checkerboard(jax.random.key(3), 200)


def test_a_board_of_two_cells_is_exclusive_or(key):
    x, y = (np.asarray(v) for v in planar.draw("checkerboard", key, 64, cells=2).train.values())
    np.testing.assert_array_equal(y, (x[:, 0] >= 0) ^ (x[:, 1] >= 0))


def test_the_first_fit_is_that_of_ordinary_least_squares(board):
    params = boost_least_squares(**board, rounds=3)
    rows = np.column_stack([board["x"], np.ones(200)])
    expected = np.linalg.lstsq(rows, 2.0 * board["y"] - 1)[0]
    found = np.append(params["w"][0], params["b"][0])
    np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-5)


def test_a_classifier_is_at_chance_by_the_next_weights(board):
    """Freund and Schapire (1997): the next round learns nothing from the last one."""
    params = boost_least_squares(**board, rounds=6)
    signed = 2.0 * np.asarray(board["y"]) - 1
    votes = np.asarray(classical.boosting.adaboost_votes(params, board["x"]))
    for rounds in range(1, 7):
        weights = np.exp(-signed * votes[:rounds].sum(axis=0))
        wrong = (votes[rounds - 1] * signed * params["alpha"][rounds - 1]) < 0
        assert weights[wrong].sum() / weights.sum() == pytest.approx(0.5, abs=1e-3)


@pytest.mark.parametrize(("weak", "step"), [("any direction", 1), ("axis-aligned", 4)])
def test_normals_are_whole_multiples_of_an_angle(weak, step, board):
    w = np.asarray(planar.WEAK[weak](planar.Config(rounds=4, weak=weak, directions=8), board)["w"])
    multiples = np.arctan2(w[:, 1], w[:, 0]) / (step * np.pi / 8)
    np.testing.assert_allclose(multiples, np.round(multiples), atol=1e-4)


def test_lbfgs_alone_is_what_converged_training_finds(key):
    config = dataclasses.replace(checkerboard.SMOKE, optimiser="L-BFGS", converged_seeds=2)
    result = checkerboard.run(config, key)
    converged_key, *seed_keys = jax.random.split(key, 4)
    sets = [planar.draw("checkerboard", jax.random.split(k)[0], 128) for k in seed_keys]
    expected = converged.train((10,), converged_key, sets, 2, 10)["mlp_converged"]
    np.testing.assert_allclose(result["mlp"], expected)
    np.testing.assert_allclose(result["mlp_converged"], expected[:2])
    assert result["maps"].shape == (1, planar.MAP, planar.MAP)
    checkerboard.table(result)


def test_adaboost_is_that_of_the_chosen_weak_classifiers(key):
    config = dataclasses.replace(
        checkerboard.SMOKE, optimiser="L-BFGS", weak="axis-aligned", cells=2, iterations=1
    )
    result = checkerboard.run(config, key)
    for judged, stumps in (("adaboost", "adaboost_stumps"), ("first_weak", "first_stump")):
        np.testing.assert_array_equal(result[judged], result[stumps])
    assert checkerboard.plot(result).axes[1].get_title() == "AdaBoost, axis-aligned"
    assert (jnp.asarray(result["labels"]) == (result["points"] >= 0).sum(axis=1) % 2).all()


@pytest.mark.parametrize(("rates", "usable"), [((0.01,), True), ((0.1,), False)])
def test_lbfgs_is_not_tried_for_each_rate(rates, usable):
    config = rosenbrock_region.Config(optimiser="L-BFGS", rates=rates)
    if usable:
        require_usable("rosenbrock_region", config)
        return
    with pytest.raises(ValueError, match="L-BFGS takes no rate"):
        require_usable("rosenbrock_region", config)
