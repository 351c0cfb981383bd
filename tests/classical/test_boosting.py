"""AdaBoost replayed round by round against a search over every hyperplane."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from sklearn.ensemble import AdaBoostClassifier
from sklearn.tree import DecisionTreeClassifier

from jaxnets.classical import (
    adaboost,
    adaboost_predict,
    adaboost_staged,
    adaboost_votes,
    even_directions,
    random_directions,
)


def cloud(seed, samples=50, features=2):
    rng = np.random.default_rng(seed)
    x = rng.uniform(-1, 1, (samples, features))
    return x.astype(np.float32), (np.linalg.norm(x, axis=1) < 0.7).astype(np.int32)


def lattice(seed, samples=50):
    """Points whose projections on a diagonal are equal in theory and not in floating point."""
    rng = np.random.default_rng(seed)
    x = rng.integers(0, 5, (samples, 2)) + 0.1
    return x.astype(np.float32), rng.integers(0, 2, samples).astype(np.int32)


def checkerboard(seed, samples):
    x = np.random.default_rng(seed).random((samples, 2)).astype(np.float32)
    return x, (np.floor(4 * x).sum(axis=1) % 2).astype(np.int32)


def least_error(x, t, weights, directions):
    """The least weighted error over every direction, offset and sign, one at a time."""
    best = 1.0
    for d in np.asarray(directions, np.float64):
        p = x.astype(np.float64) @ d
        values = np.unique(np.round(p, 5))
        for c in np.concatenate([[-np.inf], (values[1:] + values[:-1]) / 2]):
            error = weights[(p > c) != (t > 0)].sum()
            best = min(best, error, 1 - error)
    return best


CASES = {
    "plane": (cloud, even_directions(12)),
    "lattice": (lattice, even_directions(12)),
    "space": (lambda seed: cloud(seed, features=4), random_directions(jax.random.key(0), 9, 4)),
}


@pytest.mark.parametrize("case", list(CASES))
@pytest.mark.parametrize("seed", range(3))
def test_every_round_takes_the_best_hyperplane(case, seed):
    make, directions = CASES[case]
    x, y = make(seed)
    t = 2.0 * y - 1
    params, history = adaboost(x, y, directions, rounds=12)
    w, b = (np.asarray(params[k], np.float64) for k in ("w", "b"))
    weights, scores = np.full(len(x), 1 / len(x)), np.zeros(len(x))
    for r in range(12):
        assert np.isclose(np.abs(np.asarray(directions) @ w[r]).max(), 1, atol=1e-5)
        h = np.where(x @ w[r] + b[r] >= 0, 1, -1)
        error = weights[h != t].sum()
        np.testing.assert_allclose(history["weak_error"][r], error, atol=1e-5)
        np.testing.assert_allclose(error, least_error(x, t, weights, directions), atol=1e-5)
        alpha = 0.5 * np.log((1 - error) / error)
        np.testing.assert_allclose(params["alpha"][r], alpha, rtol=1e-3, atol=1e-5)
        weights = weights * np.exp(-alpha * t * h)
        weights = weights / weights.sum()
        scores = scores + alpha * h
        np.testing.assert_allclose(
            history["train_error"][r], np.mean(np.sign(scores) != t), atol=1e-6
        )


@pytest.mark.parametrize("seed", range(3))
def test_training_error_stays_below_freund_and_schapires_bound(seed):
    x, y = cloud(seed, samples=1000)
    _, history = adaboost(x, y, even_directions(4), rounds=100)
    eps = np.asarray(history["weak_error"], np.float64)
    bound = np.cumprod(2 * np.sqrt(eps * (1 - eps)))
    assert (history["train_error"] <= bound + 1e-6).all()
    assert bound[-1] < 0.25


def test_staged_predictions_end_in_the_prediction_and_follow_the_history():
    x, y = cloud(1)
    params, history = adaboost(x, y, even_directions(12), rounds=12)
    staged = adaboost_staged(params, x)
    np.testing.assert_allclose((staged != y[None]).mean(axis=1), history["train_error"], atol=1e-6)
    np.testing.assert_array_equal(staged[-1], adaboost_predict(params, x))
    votes = np.abs(adaboost_votes(params, x))
    np.testing.assert_allclose(votes, np.broadcast_to(params["alpha"][:, None], votes.shape))


def test_on_the_axes_it_is_as_accurate_as_scikit_learns_stumps():
    x, y = cloud(2, samples=1000)
    x_test, y_test = cloud(3, samples=4000)
    params, _ = adaboost(x, y, jnp.eye(2), rounds=100)
    stumps = AdaBoostClassifier(DecisionTreeClassifier(max_depth=1), n_estimators=100)
    stumps.fit(x, y)
    for a, b in [(x, y), (x_test, y_test)]:
        ours = np.mean(adaboost_predict(params, a) == b)
        np.testing.assert_allclose(ours, stumps.score(a, b), atol=0.03)
    agree = np.mean(adaboost_predict(params, x_test) == stumps.predict(x_test))
    assert agree > 0.95


def test_a_perfect_hyperplane_keeps_everything_finite():
    x = np.array([[0, 0], [1, 0], [3, 1], [4, 0], [5, 1]], np.float32)
    params, history = adaboost(x, np.array([0, 0, 1, 1, 1]), jnp.eye(2), rounds=4)
    np.testing.assert_array_equal(adaboost_predict(params, x), [0, 0, 1, 1, 1])
    assert np.isfinite(params["alpha"]).all()
    np.testing.assert_allclose(history["weak_error"], 0)


def test_samples_that_coincide_get_the_majority():
    same = np.ones((5, 2), np.float32)
    params, history = adaboost(same, np.array([0, 1, 0, 0, 1]), jnp.eye(2), rounds=4)
    np.testing.assert_array_equal(adaboost_predict(params, same), np.zeros(5))
    np.testing.assert_allclose(history["weak_error"][0], 0.4, rtol=1e-6)
    np.testing.assert_allclose(history["weak_error"][1:], 0.5, rtol=1e-5)


def board_accuracy(directions, seed):
    x, y = checkerboard(seed, 1000)
    x_test, y_test = checkerboard(seed + 100, 4000)
    params, _ = adaboost(x, y, directions, rounds=100)
    return np.mean(adaboost_predict(params, x_test) == y_test)


def test_stumps_stay_at_chance_on_the_checkerboard_and_diagonals_do_not():
    """A sum f(u) + g(v) cannot follow cos(u) cos(v), but (cos(u + v) + cos(u - v)) / 2 is one."""
    stumps = [board_accuracy(jnp.eye(2), seed) for seed in range(5)]
    assert min(stumps) > 0.44
    assert max(stumps) < 0.58
    diagonals = [board_accuracy(even_directions(4), seed) for seed in range(5)]
    assert min(diagonals) > 0.8


def test_vmap_over_data_sets():
    x, y = (np.stack(a) for a in zip(*[cloud(s) for s in range(3)], strict=True))
    together, _ = jax.vmap(lambda a, b: adaboost(a, b, even_directions(12), rounds=12))(x, y)
    for i in range(3):
        alone, _ = adaboost(x[i], y[i], even_directions(12), rounds=12)
        jax.tree.map(
            lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6),
            jax.tree.map(lambda a, i=i: a[i], together),
            alone,
        )


def test_directions_are_unit_normals():
    np.testing.assert_allclose(
        even_directions(4),
        [[1, 0], [0.5**0.5, 0.5**0.5], [0, 1], [-(0.5**0.5), 0.5**0.5]],
        atol=1e-6,
    )
    normals = random_directions(jax.random.key(3), 2000, 3)
    np.testing.assert_allclose(np.linalg.norm(normals, axis=1), 1, rtol=1e-5)
    np.testing.assert_allclose(normals.T @ normals / 2000, np.eye(3) / 3, atol=0.04)
    assert not np.allclose(normals, random_directions(jax.random.key(4), 2000, 3))
