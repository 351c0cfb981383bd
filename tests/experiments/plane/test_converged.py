"""Training to convergence on sets of the plane, and what the claims say about it."""

import jax
import numpy as np
import pytest

import jaxnets as jn
from experiments.lab import judging
from experiments.plane import checkerboard, rosenbrock_region
from experiments.shared import converged, planar
from jaxnets.converge import converge
from jaxnets.data import Dataset


@pytest.fixture(scope="module")
def noisy():
    """Labels that follow a line with noise, so that the loss has a minimum."""
    random = np.random.default_rng(0)
    parts = []
    for n in (80, 60, 200):
        x = random.normal(size=(n, 2)) * [1, 30] + [5, 0]
        y = (x @ [1.0, 0.05] - 5 + random.logistic(size=n) > 0).astype(np.int32)
        parts.append({"x": x.astype(np.float32), "y": y})
    return Dataset(*parts)


def test_every_part_is_scaled_by_the_training_part(noisy):
    scaled = converged.standardise(noisy)
    np.testing.assert_allclose(scaled.train["x"].mean(axis=0), 0, atol=1e-12)
    np.testing.assert_allclose(scaled.train["x"].std(axis=0), 1, rtol=1e-12)
    center, scale = (f(noisy.train["x"].astype(float), axis=0) for f in (np.mean, np.std))
    np.testing.assert_allclose(scaled.test["x"] * scale + center, noisy.test["x"], rtol=1e-5)
    np.testing.assert_array_equal(scaled.test["y"], noisy.test["y"])


def test_each_set_and_width_is_the_best_of_its_own_starts(noisy, key):
    other = Dataset(*({"x": part["x"], "y": 1 - part["y"]} for part in noisy))
    found = converged.train((1, 2), key, [noisy, other], 2, 30)
    assert {name: values.shape for name, values in found.items()} == {
        "mlp_converged": (2, 2),
        "converged_slope": (2, 2),
    }
    model, set_key = jn.MLP((2,)), jax.random.split(key)[1]
    with jax.enable_x64(True):
        data = converged.standardise(other)
        best = converge(
            model,
            converged.LOSS,
            set_key,
            data,
            starts=2,
            steps=30,
            tolerance=converged.SLOPE,
        )
        outputs = model.apply(best.params, data.test["x"])[:, 0]
    right = np.mean((np.asarray(outputs) > 0) == data.test["y"])
    assert found["mlp_converged"][1, 1] == pytest.approx(right, abs=0.01)
    assert found["converged_slope"][1, 1] == pytest.approx(best.gradient_norm, rel=0.01)


def test_the_maps_are_those_of_the_last_set(noisy, key):
    """Of the test points themselves: as many right as the accuracy says."""
    other = Dataset(*({"x": part["x"], "y": 1 - part["y"]} for part in noisy))
    found = converged.train((1, 2), key, [noisy, other], 2, 30, noisy.test["x"])
    right = np.mean(found["maps"] == other.test["y"], axis=1)
    np.testing.assert_allclose(right, found["mlp_converged"][1], atol=1e-6)


def made_up():
    return {
        "widths": np.asarray([4, 10]),
        "mlp": np.asarray([[0.8, 0.9]] * 4),
        "adaboost": np.asarray([0.9, 0.9, 0.9, 0.5]),
        "mlp_converged": np.asarray([[0.85, 0.95], [0.87, 0.97]]),
        "converged_slope": np.asarray([[1e-5, 1e-4], [1e-3, 1e-4]]),
    }


def test_claims_say_what_converged_training_found():
    gains = planar.converged_gains(made_up())
    assert "n = 4 -4.00 [" in gains
    assert "n = 10 +6.00 [" in gains
    assert "1e-05 to 1e-03, median 1e-04; n = 2" in gains
    beats = rosenbrock_region.CLAIMS["mlp_beats_adaboost"](made_up())
    assert beats.converged == gains
    for claim in (
        rosenbrock_region.CLAIMS["accuracy_grows"],
        checkerboard.CLAIMS["mlp_succeeds"],
    ):
        measured = claim(made_up())
        assert isinstance(measured, judging.Measured)
        assert "n = 10 96.00 ± 1.41 %" in measured.converged
