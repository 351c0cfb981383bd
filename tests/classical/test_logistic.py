"""Logistic regression: the gradient by hand, and the optimum of scikit-learn."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from jaxnets.classical import (
    linear_predict,
    logistic_gradient,
    logistic_loss,
    logistic_probabilities,
    logistic_regression,
)


def overlapping(seed, samples=100, features=3):
    rng = np.random.default_rng(seed)
    y = rng.integers(0, 2, samples)
    x = rng.normal(size=(samples, features)) + 0.8 * y[:, None] * np.arange(features)
    return x, y


def lecture_loss(x, t, w, b):
    return -np.log(1 / (1 + np.exp(-t * (x.dot(w) + b)))).sum()


def random_params(seed, features=3):
    rng = np.random.default_rng(seed)
    return {"w": rng.normal(size=features), "b": rng.normal()}


@pytest.mark.parametrize("seed", range(3))
def test_loss_is_the_lectures_and_the_binary_cross_entropy(seed):
    x, y = overlapping(seed)
    params = random_params(seed)
    loss = logistic_loss(params, x, y)
    np.testing.assert_allclose(
        loss, lecture_loss(x, 2 * y - 1, params["w"], params["b"]) / len(x), rtol=1e-5
    )
    p = np.asarray(logistic_probabilities(params, x), np.float64)
    np.testing.assert_allclose(loss, -np.mean(y * np.log(p) + (1 - y) * np.log(1 - p)), rtol=1e-4)
    penalised = logistic_loss(params, x, y, l2=0.3)
    np.testing.assert_allclose(penalised - loss, 0.3 * np.sum(params["w"] ** 2), rtol=1e-4)


@pytest.mark.parametrize("l2", [0.0, 0.1])
@pytest.mark.parametrize("seed", range(3))
@pytest.mark.usefixtures("x64")
def test_gradient_by_hand_equals_autodiff(seed, l2):
    x, y = overlapping(seed)
    params = jax.tree.map(jnp.asarray, random_params(seed))
    by_hand = logistic_gradient(params, jnp.asarray(x), y, l2)
    by_jax = jax.grad(logistic_loss)(params, jnp.asarray(x), y, l2)
    assert by_hand["w"].dtype == np.float64
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-12), by_hand, by_jax)


def test_loss_and_gradient_are_finite_at_huge_margins():
    x, y = np.array([[1e4], [-1e4]], np.float32), np.array([0, 0])
    params = {"w": np.array([1.0], np.float32), "b": np.float32(0)}
    np.testing.assert_allclose(logistic_loss(params, x, y), 5000.0)
    np.testing.assert_allclose(logistic_gradient(params, x, y)["w"], [5000.0])


@pytest.mark.parametrize("l2", [0.003, 0.1])
def test_optimum_and_probabilities_are_scikit_learns(l2):
    x, y = overlapping(4)
    params, history = logistic_regression(x, y, learning_rate=0.4, steps=4000, l2=l2)
    model = LogisticRegression(C=1 / (2 * l2 * len(x)), tol=1e-10, max_iter=10_000).fit(x, y)
    np.testing.assert_allclose(params["w"], model.coef_[0], atol=1e-3)
    np.testing.assert_allclose(params["b"], model.intercept_[0], atol=1e-3)
    np.testing.assert_allclose(
        logistic_probabilities(params, x), model.predict_proba(x)[:, 1], atol=1e-3
    )
    np.testing.assert_array_equal(linear_predict(params, x), model.predict(x))
    np.testing.assert_allclose(history["loss"][0], np.log(2), rtol=1e-6)


def test_two_starts_and_a_vmap_over_rates_reach_one_optimum():
    x, y = overlapping(5)
    far = {"w": jnp.full(3, 4.0), "b": jnp.array(-4.0)}

    def fit(rate, init):
        return logistic_regression(x, y, learning_rate=rate, steps=3000, l2=0.05, init=init)[0]

    rates = jnp.array([0.3, 0.5])
    near = jax.vmap(lambda rate: fit(rate, None))(rates)
    np.testing.assert_allclose(near["w"][0], near["w"][1], atol=1e-3)
    np.testing.assert_allclose(fit(0.4, far)["w"], near["w"][0], atol=1e-3)


def test_a_step_is_one_gradient():
    x, y = overlapping(6)
    start = jax.tree.map(jnp.asarray, random_params(6))
    params, _ = logistic_regression(x, y, learning_rate=10.0 / 100, steps=1, init=start)
    t = 2 * y - 1
    u = t / (1 + np.exp(t * (x @ random_params(6)["w"] + random_params(6)["b"])))
    np.testing.assert_allclose(params["w"], start["w"] + 0.1 * (u @ x) / 100, rtol=1e-5)
    np.testing.assert_allclose(params["b"], start["b"] + 0.1 * u.mean(), rtol=1e-5)


def test_a_start_of_integers_is_taken():
    x, y = jnp.array([[0.0, 1.0], [1.0, 0.0]]), jnp.array([0, 1])
    whole = {"w": np.zeros(2, int), "b": 0}
    ours, _ = logistic_regression(x, y, steps=10, init=whole)
    truth, _ = logistic_regression(x, y, steps=10)
    np.testing.assert_array_equal(ours["w"], truth["w"])
