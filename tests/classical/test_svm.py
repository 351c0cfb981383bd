"""The linear SVM against scikit-learn's optimum of the same loss."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from sklearn.svm import SVC

from jaxnets.classical import linear_predict, linear_svm, linear_svm_loss


def overlapping(rng):
    y = rng.integers(0, 2, 200)
    return rng.normal(size=(200, 2)) + (2 * y[:, None] - 1), y


def wide_margin(rng):
    y = rng.integers(0, 2, 200)
    return 0.4 * rng.normal(size=(200, 2)) + 2 * (2 * y[:, None] - 1), y


def far_and_stretched(rng):
    y = rng.integers(0, 2, 200)
    return rng.normal(size=(200, 2)) * [1, 10] + (2 * y[:, None] - 1) + [30, 100], y


def many_features(rng):
    y = rng.integers(0, 2, 100)
    return rng.normal(size=(100, 40)) + 0.2 * (2 * y[:, None] - 1), y


def random_labels(rng):
    return rng.random((200, 2)), rng.integers(0, 2, 200)


def reference_loss(x, y, w, b, l2):
    return l2 * w @ w + np.mean(np.maximum(0, 1 - np.where(y == 1, 1, -1) * (x @ w + b)))


@pytest.mark.parametrize(("l2", "rtol"), [(1e-3, 1e-3), (1e-2, 1e-3), (1.0, 1e-4)])
@pytest.mark.parametrize(
    "make", [overlapping, wide_margin, far_and_stretched, many_features, random_labels]
)
def test_loss_is_scikit_learns_optimum(make, l2, rtol):
    x, y = make(np.random.default_rng(0))
    params, history = linear_svm(x, y, l2=l2)
    w, b = np.asarray(params["w"], np.float64), float(params["b"])
    ours = reference_loss(x, y, w, b, l2)
    centre = x.mean(axis=0)
    model = SVC(kernel="linear", C=1 / (2 * l2 * len(x)), tol=1e-6).fit(x - centre, y)
    optimum = reference_loss(x - centre, y, model.coef_[0], model.intercept_[0], l2)
    np.testing.assert_allclose(ours, optimum, rtol=rtol)
    np.testing.assert_allclose(linear_svm_loss(params, x, y, l2), ours, rtol=1e-3)
    np.testing.assert_allclose(history["loss"][-1], ours, rtol=1e-3)


def test_two_starts_reach_the_same_loss():
    x, y = many_features(np.random.default_rng(1))
    starts = np.random.default_rng(2).normal(size=(2, x.shape[1] + 1)) * [[0.1], [30.0]]

    def fit(start):
        return linear_svm(x, y, l2=0.01, init={"w": start[:-1], "b": start[-1]})

    params, history = jax.vmap(fit)(jnp.asarray(starts))
    np.testing.assert_allclose(history["loss"][0, -1], history["loss"][1, -1], rtol=1e-3)
    np.testing.assert_allclose(params["w"][0], params["w"][1], atol=0.02)


def test_the_loss_is_convex_along_random_segments():
    x, y = overlapping(np.random.default_rng(3))
    ends = np.random.default_rng(4).normal(size=(2, 500, 3))
    t = np.random.default_rng(5).random(500)

    @jax.jit
    @jax.vmap
    def loss(v):
        return linear_svm_loss({"w": v[:2], "b": v[2]}, x, y, 0.01)

    middles = (1 - t)[:, None] * ends[0] + t[:, None] * ends[1]
    a, b, between = loss(ends[0]), loss(ends[1]), loss(middles)
    assert (between <= (1 - t) * a + t * b + 1e-5).all()


def test_hard_margin_of_two_points_by_hand():
    x, y = np.array([[1.0, 1.0], [3.0, 1.0]]), np.array([0, 1])
    params, _ = linear_svm(x, y, l2=1e-3)
    np.testing.assert_allclose(params["w"], [1, 0], atol=1e-2)
    np.testing.assert_allclose(params["b"], -2, atol=2e-2)
    np.testing.assert_array_equal(linear_predict(params, x), y)
