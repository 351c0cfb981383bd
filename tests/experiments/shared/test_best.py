"""A network that diverged is never chosen for its NaN, at whichever place its rate stands."""

from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxnets as jn
from experiments.functions import image_surface, random_wiring, sawtooth
from experiments.gradients import gated_units
from experiments.images import image_feature_problems, image_features
from experiments.optimisation import gradient_descent, overfitting
from experiments.plane import decision_regions
from experiments.shared import planar
from experiments.shared.best import best
from experiments.units import activation_choice
from jaxnets.data import toy

NAN = np.nan
DIVERGES = 1e38
ORDERS = pytest.mark.parametrize("rates", [(DIVERGES, 0.1), (0.1, DIVERGES)], ids=["first", "last"])


@pytest.mark.parametrize(
    ("scores", "axis", "expected"),
    [
        ([0.1, 0.3, 0.2], None, 1),
        ([NAN, 0.3, 0.2], None, 1),
        ([NAN, -np.inf], None, 0),
        ([NAN, NAN], None, 0),
        ([[NAN, 0.1], [0.2, NAN]], 0, [1, 0]),
        ([[NAN, 0.1], [0.2, NAN]], 1, [1, 0]),
    ],
)
def test_nan_is_below_all_others(scores, axis, expected):
    np.testing.assert_array_equal(best(np.asarray(scores), axis), expected)
    np.testing.assert_array_equal(best(jnp.asarray(scores), axis), expected)


@ORDERS
def test_gated_units_choose_a_rate_that_learns(rates, key):
    config = gated_units.Config(seeds=2, epochs=3, rates=rates)
    model = gated_units.network(config, "residual", 2)
    data = gated_units.load_standardised("digits", gated_units.SAMPLES)
    keys = jax.random.split(key, config.seeds)
    found = gated_units._accuracies(config, model, keys, data, None)
    alone = gated_units._accuracies(replace(config, rates=(0.1,)), model, keys, data, None)
    np.testing.assert_allclose(found, alone, atol=0.01)
    assert (found > 0.5).all()


@ORDERS
def test_planar_networks_choose_a_rate_that_learns(rates, key):
    config = planar.Config(
        widths=(8,), rates=rates, epochs=30, samples=200, converged_seeds=1, starts=1, iterations=2
    )
    sets = [planar.draw("two_moons", key, config.samples)]
    grid = np.zeros((1, 2), np.float32)
    found = planar._by_adam(config, key, [key], sets, grid, None)
    assert found["mlp"][0, 0] > 0.8


@ORDERS
def test_regions_choose_a_rate_that_learns(rates, key):
    config = decision_regions.Config(rates=rates, samples=40, epochs=3, batch_size=20)
    data = decision_regions._draw(config, toy.two_moons, key)
    choose = jax.jit(lambda: decision_regions._best(config, jn.MLP((4,)), key, data, {}))
    assert all(jnp.isfinite(leaf).all() for leaf in jax.tree.leaves(choose()))


@ORDERS
def test_surfaces_are_of_a_rate_that_learns(rates, key):
    config = image_surface.Config(rates=rates, seeds=2, epochs=2)
    x = np.linspace(-1, 1, image_surface.SIDE**2 * 2, dtype=np.float32).reshape(-1, 2)
    image = np.zeros((image_surface.SIDE,) * 2, np.float32)
    found = image_surface._train(config, key, jn.MLP((4,)), x, image)
    assert np.isfinite(found).all()


@ORDERS
def test_patches_are_classified_at_a_rate_that_learns(rates, key):
    config = image_features.Config(rates=rates, epochs=4, batch_size=8)
    x = np.array(jax.random.randint(key, (40, 32, 32, 3), 0, 256))
    x[::2] //= 4
    part = {"x": x.astype(np.float32), "y": np.arange(40) % 2}
    found = image_feature_problems._network(config, key, part, part, [part])
    assert found[0] > 0.9


@pytest.mark.parametrize("place", [0, 1])
def test_rates_of_finished_results_are_chosen_so_too(place):
    valid = np.asarray([[0.8, 0.9], [0.8, 0.9]])
    valid[place, 0] = NAN
    assert activation_choice.best_rate(valid[..., None]) == 1 - place
    assert random_wiring._best(valid.reshape(-1), 2).tolist() == [2 * (1 - place), 1]
    losses = -np.stack([valid.T] * 3)[..., None]
    rates, curves = gradient_descent.best_losses({"losses": losses, "rates": np.arange(2)})
    assert rates.tolist() == [1 - place] * 3
    assert np.isfinite(curves).all()
    chosen = overfitting.choose({"valid_width": -valid.T, "test_width": valid.T}, "width", "test")
    assert chosen.tolist() == [0.8, 0.9]


def test_a_start_that_diverged_is_none_of_the_best_fits(monkeypatch, key):
    x = np.linspace(0, 1, sawtooth.GRID)
    good = 0 * x
    monkeypatch.setattr(sawtooth, "fit", lambda *_: np.stack([[good + NAN, good]] * 3))
    result = sawtooth.run(sawtooth.SMOKE, key)
    assert (result["fits"] == 0).all()
