"""Restarts: both methods reach the same minima, and validation chooses."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxnets as jn
from experiments.functions.grey_images import SIDE, photographs, standardise
from jaxnets.analysis import evaluate
from jaxnets.converge import best_of, converge
from jaxnets.data import Dataset

METHODS = pytest.mark.parametrize("method", jn.converge.METHODS)


def noisy_sine(samples=20, noise=0.3):
    rng = np.random.default_rng(0)
    parts = []
    for n in (samples, 200):
        x = rng.uniform(-np.pi, np.pi, (n, 1))
        parts.append({"x": x, "y": np.sin(x) + noise * rng.normal(size=(n, 1))})
    return Dataset(*parts)


@METHODS
def test_the_start_with_the_lowest_validation_loss_is_chosen(x64, key, method):
    data = noisy_sine()
    model = jn.MLP((8,))
    found = converge(model, "squared_error", key, data, starts=6, method=method, steps=60)
    assert found.valid_loss == found.starts["valid_loss"].min()
    assert found.best == found.starts["valid_loss"].argmin()
    assert found.best != found.starts["train_loss"].argmin(), "these data overfit"
    for name, part in (("train_loss", data.train), ("valid_loss", data.valid)):
        errors = model.apply(found.params, part["x"]) - part["y"]
        np.testing.assert_allclose(getattr(found, name), np.mean(np.asarray(errors) ** 2))
    assert all(len(values) == 6 for values in found.starts.values())


@METHODS
def test_without_validation_the_training_loss_chooses(x64, key, method):
    data = noisy_sine()._replace(valid=None)
    found = converge(jn.MLP((3,)), "squared_error", key, data, starts=4, method=method, steps=20)
    assert found.train_loss == found.starts["train_loss"].min()
    assert np.isnan(found.valid_loss)


def test_both_methods_find_the_minimum_of_ridge_regression(x64, key):
    """A linear network with a penalty has one minimum, known in closed form."""
    rng = np.random.default_rng(1)
    x, y = rng.normal(size=(50, 3)), rng.normal(size=(50, 1))
    centred = x - x.mean(axis=0)
    expected = np.linalg.solve(centred.T @ centred / 50 + 0.1 * np.eye(3), centred.T @ y / 50)
    for method in jn.converge.METHODS:
        found = converge(
            jn.MLP(()), "squared_error", key, Dataset({"x": x, "y": y}), starts=2, method=method,
            l2=0.1,
        )  # fmt: skip
        assert found.starts["converged"].all()
        np.testing.assert_allclose(
            found.params["params"]["output"]["weight"], expected.T, rtol=1e-5
        )


def test_a_classifier_converges(key):
    x = np.random.default_rng(0).normal(size=(200, 2))
    y = (x[:, 0] * x[:, 1] > 0).astype(int)
    part = {"x": x, "y": y}
    found = converge(
        jn.MLP((8,), 2), "softmax_cross_entropy", key, Dataset(part, part), starts=3, steps=200
    )
    assert found.valid_loss < 0.1


def test_groups_change_nothing(x64, key):
    data = noisy_sine()
    options = {"method": "levenberg_marquardt", "starts": 5, "steps": 5}
    one, other = (
        converge(jn.MLP((2,)), "squared_error", key, data, group=group, **options)
        for group in (None, 2)
    )
    np.testing.assert_allclose(one.starts["valid_loss"], other.starts["valid_loss"], rtol=1e-9)


def test_a_wide_network_is_trained_without_its_jacobian(key):
    """2,341 weights, for which none is built."""
    found = converge(
        jn.MLP((60, 36)), "squared_error", key, noisy_sine(), starts=1, steps=3,
        method="levenberg_marquardt",
    )  # fmt: skip
    assert found.train_loss < 0.3


def test_the_best_is_never_nan():
    assert best_of([np.nan, 3.0, 2.0, np.inf]) == 2
    with pytest.raises(ValueError, match="none of 2 starts"):
        best_of([np.nan, np.nan])
    with pytest.raises(ValueError, match="must be a vector"):
        best_of(1.0)


WRONG = {
    "sums of squares": {"loss": "binary_cross_entropy", "method": "levenberg_marquardt"},
    "did you mean 'lbfgs'": {"method": "lbgfs"},
    "starts is 0": {"starts": 0},
    "l2 is -1": {"l2": -1},
    "tolerance is 0": {"tolerance": 0},
}


@pytest.mark.parametrize("message", WRONG)
def test_wrong_choices_are_named(key, message):
    part = {"x": np.zeros((4, 1)), "y": np.zeros((4, 1))}
    options = {"loss": "squared_error"} | WRONG[message]
    with pytest.raises(ValueError, match=message):
        converge(jn.MLP((2,)), options.pop("loss"), key, Dataset(part), **options)


def test_one_layer_of_100_units_learns_the_image(x64, key):
    """Row F6: 0.11 after Adam with any number of units; an image of variance 1."""
    x = evaluate.plane((-1.0, 1.0, -1.0, 1.0), SIDE).astype(float)
    image, _ = standardise(photographs()[0].astype(float))
    part = {"x": (x - x.mean(axis=0)) / x.std(axis=0), "y": image.reshape(-1, 1)}
    found = converge(
        jn.MLP((100,)), "squared_error", key, Dataset(part), starts=1, steps=240,
        method="levenberg_marquardt",
    )  # fmt: skip
    assert found.train_loss < 0.034


def test_the_network_of_four_tanh_units_fits_the_sine(x64, key):
    """Row F8, whose trained networks stay behind; errors are root mean squares, as there."""
    x, valid = (np.linspace(-np.pi, np.pi, n)[:, None] for n in (256, 1001))
    data = Dataset({"x": x, "y": np.sin(x)}, {"x": valid, "y": np.sin(valid)})
    found = converge(
        jn.MLP((4,)), "squared_error", key, data, method="levenberg_marquardt", steps=1500
    )
    assert np.sqrt(found.valid_loss) < 1e-4
    assert np.isfinite(jnp.asarray(found.starts["train_loss"])).all()
    assert jax.tree.leaves(found.params)[0].dtype == jnp.float64
