"""Results do not depend on the unit of a feature, or an error names the feature."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import linprog
from sklearn.decomposition import PCA
from sklearn.ensemble import AdaBoostClassifier
from sklearn.svm import SVC

from jaxnets.analysis.projections import pca, project
from jaxnets.classical import (
    CLASSIFIERS,
    adaboost,
    adaboost_predict,
    linear_predict,
    linear_svm,
    linear_svm_loss,
    logistic_loss,
    logistic_regression,
    max_margin,
    perceptron,
    perceptron_bound,
    perceptron_gd,
)
from jaxnets.word2vec import Vectors, analogy, most_similar, similarities

LINEAR = ["perceptron", "logistic_regression", "linear_svm"]
KEY = jax.random.key(0)
N = 200
Y = np.arange(N) % 2
RANDOM = np.random.default_rng(0)
GOOD = 0.1 * (2 * Y - 1) + 0.01 * RANDOM.normal(size=N)
NOISE = RANDOM.normal(size=N)
OUTLIER = np.where(np.arange(N) == 0, 1e7, NOISE)
OTHER = {
    "scale 1": NOISE,
    "scale 1e5": 1e5 * NOISE,
    "scale 1e-30": 1e-30 * NOISE,
    "scale 1e25": 1e25 * NOISE,
    "offset 1e5": 1e5 + NOISE,
    "time stamp": 1.7e9 + NOISE,
    "outlier 1e7": OUTLIER,
    "constant": np.full(N, 1.7e9),
    "two values": 1e9 + 1e3 * (NOISE > 0),
}
# The feature that separates the classes, itself in another unit.
SEPARATING = {
    "time stamp": 1.7e9 + GOOD,
    "scale 1e-30": 1e-30 * GOOD,
    "scale 1e30": 1e30 * GOOD,
    "subnormal in single precision": 1e-40 * GOOD,
    "two values, far away": 1e12 + Y,
}
EACH_OTHER = pytest.mark.parametrize("other", OTHER)
EACH_SEPARATING = pytest.mark.parametrize("unit", SEPARATING)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@EACH_OTHER
def test_case_08_adaboost_scales(other, dtype):
    x = np.stack([OTHER[other], GOOD], 1).astype(dtype)
    assert AdaBoostClassifier(n_estimators=1).fit(x, Y).score(x, Y) == 1
    params, history = adaboost(x, Y, jnp.eye(2), rounds=5)
    assert history["train_error"][0] == 0
    np.testing.assert_array_equal(adaboost_predict(params, x), Y)


@EACH_SEPARATING
def test_stumps_split_a_feature_in_any_unit(unit):
    x = np.stack([NOISE, SEPARATING[unit]], 1)
    params, history = adaboost(x, Y, jnp.eye(2), rounds=1)
    assert history["train_error"][0] == 0
    np.testing.assert_array_equal(adaboost_predict(params, x), Y)


def test_stumps_split_next_to_an_outlier_of_the_same_feature():
    x = np.where(np.arange(N) == 1, 1e7, GOOD)[:, None]
    _, history = adaboost(x.astype(np.float32), Y, jnp.eye(1), rounds=1)
    assert history["train_error"][0] == 0


@pytest.mark.parametrize("name", CLASSIFIERS)
@EACH_OTHER
def test_classifiers_ignore_a_feature_in_another_unit(name, other):
    x = np.stack([OTHER[other], GOOD], 1)
    if name == "logistic_regression" and other == "outlier 1e7":
        with pytest.raises(ValueError, match="feature 0"):
            CLASSIFIERS[name].fit(KEY, x, Y)
        return
    params = CLASSIFIERS[name].fit(KEY, x, Y)
    np.testing.assert_array_equal(CLASSIFIERS[name].predict(params, x), Y)


@pytest.mark.parametrize("name", CLASSIFIERS)
@EACH_SEPARATING
def test_classifiers_learn_a_feature_in_any_unit(name, unit):
    x = np.stack([0.1 * NOISE, SEPARATING[unit]], 1)
    params = CLASSIFIERS[name].fit(KEY, x, Y)
    np.testing.assert_array_equal(CLASSIFIERS[name].predict(params, x), Y)


@pytest.mark.parametrize("name", CLASSIFIERS)
def test_equal_samples_and_one_class(name):
    same = np.full((10, 3), 1e20)
    params = CLASSIFIERS[name].fit(KEY, same, np.arange(10) < 7)
    found = CLASSIFIERS[name].predict(params, same)
    majority = np.zeros(10) if name == "perceptron" else np.ones(10)  # it follows the last ones
    np.testing.assert_array_equal(found, majority)
    if name != "rbf_svm":  # scikit-learn refuses it with an error
        x = 1e15 * RANDOM.normal(size=(10, 3))
        params = CLASSIFIERS[name].fit(KEY, x, np.zeros(10, int))
        np.testing.assert_array_equal(CLASSIFIERS[name].predict(params, x), np.zeros(10))


Z = (2 * Y - 1) + 0.1 * NOISE
SINGULAR = {
    "equal": np.stack([Z, Z], 1),
    "equal, scale 1000": 1000 * np.stack([Z, Z], 1),
    "complementary": 1000 * np.stack([Z, 3 - Z], 1),
    "dummies": 1000.0 * np.eye(3)[np.where(Y, 0, 1 + np.arange(N) // 2 % 2)],
    "scale 1e20": 1e20 * Z[:, None],
    "equal in other units": np.stack([Z, 1e12 * Z], 1),
    "all zero beside": np.stack([Z, 0 * Z], 1),
    "sum of two": np.stack([Z, NOISE, 1e4 * (Z + NOISE)], 1),
}
OVERLAPPING = {
    "overlap": RANDOM.normal(size=(N, 2)) + Y[:, None],
    "overlap, equal": np.repeat(RANDOM.normal(size=(N, 1)) + Y[:, None], 3, axis=1),
    "overlap, far": RANDOM.normal(size=(N, 2)) + Y[:, None] + 1e6,
}


@pytest.mark.parametrize("features", SINGULAR)
def test_case_09_svm_singular(features):
    x = SINGULAR[features]
    params = CLASSIFIERS["linear_svm"].fit(KEY, x, Y)
    np.testing.assert_array_equal(CLASSIFIERS["linear_svm"].predict(params, x), Y)
    assert np.isfinite(params["w"]).all()
    assert params["w"].any()


def svm_loss(x, w, b, l2):
    return l2 * w @ w + np.mean(np.maximum(0, 1 - (2 * Y - 1) * (x @ w + b)))


@pytest.mark.parametrize("l2", [1e-2, 1e-5, 1e-9])
@pytest.mark.parametrize("features", [*sorted(SINGULAR.keys() - {"sum of two"}), *OVERLAPPING])
def test_the_svm_reaches_scikit_learns_loss_in_any_unit(features, l2):
    """scikit-learn gets the same problem in units that suit it."""
    x = (SINGULAR | OVERLAPPING)[features]
    unit = np.abs(x - x.mean(axis=0)).max()
    scaled = (x - x.mean(axis=0)) / unit
    strength = l2 / unit**2
    if features in OVERLAPPING and l2 < 1e-3:
        optimum, rtol = least_hinge(scaled), 2e-3
    else:
        optimum, rtol = separating_loss(scaled, strength), 1e-3
    params, history = linear_svm(x, Y, l2=l2)
    w, b = np.asarray(params["w"], np.float64), float(params["b"])
    ours = svm_loss(x, w, b, l2)
    assert ours <= optimum * (1 + rtol) + 1e-12
    assert ours >= optimum * (1 - rtol) - 1e-12
    np.testing.assert_allclose(history["loss"][-1], ours, rtol=1e-3, atol=1e-9)
    np.testing.assert_allclose(linear_svm_loss(params, x, Y, l2), ours, rtol=1e-3, atol=1e-9)


def separating_loss(x, l2):
    """The loss of scikit-learn's line; with a small l2 it is moved so that no hinge remains."""
    model = SVC(kernel="linear", C=1 / (2 * max(l2, 1e-5) * N), tol=1e-8, max_iter=10**6).fit(x, Y)
    w, scores = model.coef_[0], x @ model.coef_[0]
    if l2 > 1e-5:
        return svm_loss(x, w, model.intercept_[0], l2)
    half_gap = (scores[Y == 1].min() - scores[Y == 0].max()) / 2
    return l2 * w @ w / half_gap**2


def least_hinge(x):
    """The least mean hinge of all lines, which a tiny l2 approaches, by linear programming."""
    t = 2.0 * Y - 1
    rows = np.column_stack([-t[:, None] * x, -t, -np.eye(N)])
    cost = np.append(np.zeros(x.shape[1] + 1), np.full(N, 1 / N))
    bounds = [(None, None)] * (x.shape[1] + 1) + [(0, None)] * N
    return linprog(cost, A_ub=rows, b_ub=-np.ones(N), bounds=bounds).fun


def test_a_feature_that_the_penalty_silences_is_named():
    with pytest.raises(ValueError, match="feature 1 differs from its mean by only"):
        linear_svm(np.stack([Z, 1e-30 * Z], 1), Y, l2=1e-3)
    with pytest.raises(ValueError, match="l2 is 0"):
        linear_svm(Z[:, None], Y, l2=0.0)


X = np.stack([GOOD, NOISE], 1)
UNLIKE = {
    "too large": X * [1, 1e20],
    "too small": X * [1e-20, 1],
    "unlike": X * [1, 1e6],
    "far from 0": X + np.array([0, 1e6]),
    "lost in single precision": X + np.array([0, 1.7e9]),
}


@pytest.mark.parametrize("kind", UNLIKE)
def test_descent_on_unlike_features_names_one(kind):
    x = UNLIKE[kind]
    with pytest.raises(ValueError, match=r"feature [01] "):
        logistic_regression(x, Y, steps=10)
    with pytest.raises(ValueError, match=r"feature [01] "):
        perceptron_gd(KEY, x, Y, learning_rate=0.01, epochs=3)
    with pytest.raises(ValueError, match=r"feature [01] "):
        perceptron(x, Y, max_epochs=5)


def test_a_rate_that_does_not_suit_a_feature_is_refused():
    with pytest.raises(ValueError, match=r"the loss rose .* feature 0 with values up to"):
        logistic_regression(1e4 * (NOISE[:, None] + 0.1 * Y[:, None]), Y, steps=9)
    with pytest.raises(ValueError, match="feature 0 varies by only"):
        logistic_regression(1e-8 * Z[:, None], Y, steps=100)
    with pytest.raises(ValueError, match="weights are not finite"):
        perceptron_gd(KEY, 1e3 * Z[:, None], Y, learning_rate=0.1, epochs=10)


def test_losses_and_predictions_far_from_zero_are_exact():
    x = np.stack([1.7e9 + GOOD], 1)
    params = {"w": np.array([20.0]), "b": np.array(-20 * 1.7e9)}
    t = 2 * Y - 1
    margins = t * 20 * (x[:, 0] - 1.7e9)
    np.testing.assert_allclose(
        logistic_loss(params, x, Y), np.mean(np.log1p(np.exp(-margins))), rtol=1e-5
    )
    np.testing.assert_array_equal(linear_predict(params, x), Y)


@pytest.mark.parametrize("scale", [1e-30, 1e-6, 1.0, 1e30])
def test_bound_and_margin_do_not_depend_on_a_common_unit(scale):
    x = np.stack([Z, NOISE], 1)
    separator = max_margin(x, Y)
    one = perceptron_bound(x, Y, separator)
    margin = max_margin(scale * x, Y, constant=scale)
    found = perceptron_bound(scale * x, Y, margin, constant=scale)
    np.testing.assert_allclose(found["bound"], one["bound"], rtol=1e-9)
    np.testing.assert_allclose(found["gamma"], one["gamma"] * scale, rtol=1e-9)


GRID = RANDOM.integers(-(2**12), 2**12, (60, 2)) / 2**8
SIDE = (GRID @ [1.0, -0.7] + 0.3 * RANDOM.normal(size=60) * (np.arange(60) % 10 == 0) > 0) * 1
OTHERS = RANDOM.integers(-(2**12), 2**12, (200, 2)) / 2**8
EXPECTED = {}


def plain(name):
    """The predictions in the original units, computed once."""
    if name not in EXPECTED:
        EXPECTED[name] = train_and_predict(name, GRID, OTHERS, np.ones(2))
    return EXPECTED[name]


def train_and_predict(name, x, others, scales):
    if name == "adaboost stumps":
        return np.asarray(adaboost_predict(adaboost(x, SIDE, np.eye(2), rounds=10)[0], others))
    if name == "linear_svm function":
        l2 = 1e-2 * scales[0] ** 2
        return np.asarray(linear_predict(linear_svm(x, SIDE, l2=l2)[0], others))
    return CLASSIFIERS[name].predict(CLASSIFIERS[name].fit(KEY, x, SIDE), others)


NAMES = [*CLASSIFIERS, "adaboost stumps", "linear_svm function"]


@pytest.mark.parametrize("name", NAMES)
@given(
    exponents=st.tuples(st.integers(-60, 60), st.integers(-60, 60)),
    shifts=st.tuples(st.integers(-3, 24), st.integers(-3, 24)),
    signs=st.tuples(st.sampled_from([-1, 0, 1]), st.sampled_from([-1, 0, 1])),
)
@settings(max_examples=8)
def test_powers_of_two_change_no_prediction(name, exponents, shifts, signs):
    """Scaled by 2^-60 to 2^60, after moving by up to 2^24: all numbers are exact in doubles."""
    if name == "linear_svm function":
        exponents = (exponents[0], exponents[0])  # the penalty has one unit
    scales = 2.0 ** np.array(exponents)
    move = np.array(signs) * 2.0 ** np.array(shifts)
    x, others = ((a + move) * scales for a in (GRID, OTHERS))
    np.testing.assert_array_equal(train_and_predict(name, x, others, scales), plain(name))


WORDS = [f"w{i}" for i in range(20)]
MATRIX = RANDOM.normal(size=(20, 8)).astype(np.float32)


@given(exponents=st.lists(st.integers(-60, 60), min_size=20, max_size=20))
@settings(max_examples=20)
def test_powers_of_two_change_no_neighbours(exponents):
    """Every vector has a length of its own; cosines compare directions only."""
    one = Vectors(WORDS, MATRIX)
    other = Vectors(WORDS, MATRIX * 2.0 ** np.array(exponents)[:, None])
    assert most_similar(other, "w3", 19) == most_similar(one, "w3", 19)
    assert analogy(other, "w1", "w2", "w3", 5) == analogy(one, "w1", "w2", "w3", 5)


@pytest.mark.parametrize("scale", [1e-37, 1e-30, 1e-20, 1e30, 1e37])
def test_cosines_of_tiny_and_huge_vectors(scale):
    exact = MATRIX.astype(np.float64) / np.linalg.norm(MATRIX.astype(np.float64), axis=1)[:, None]
    np.testing.assert_allclose(
        similarities(Vectors(WORDS, MATRIX * scale), WORDS), exact @ exact.T, atol=1e-6
    )


def test_vectors_of_zeros_and_those_too_small_are_named():
    vectors = Vectors(["a", "b", "c"], np.array([[0, 0], [1, 0], [1, 1.0]]))
    np.testing.assert_array_equal(similarities(vectors, ["a", "b"]), [[0, 0], [0, 1]])
    assert dict(most_similar(vectors, "b"))["a"] == 0
    for call in (lambda: most_similar(vectors, "a"), lambda: analogy(vectors, "b", "a", "c")):
        with pytest.raises(ValueError, match="the vector of 'a' is zero"):
            call()
    with pytest.raises(ValueError, match="the vector of 'b' has no entry above 1e-60"):
        Vectors(["a", "b"], np.array([[1.0], [1e-60]]))


@pytest.mark.parametrize(("scale", "offset"), [(1e-30, 0), (1e30, 0), (1, 1.7e9)])
def test_principal_components_in_any_unit(scale, offset):
    x = scale * RANDOM.normal(size=(50, 3)) * [3, 2, 1] + offset
    reference = PCA(2).fit((x - offset) / scale)
    found = pca(x)
    np.testing.assert_allclose(found.variances / scale / scale, reference.explained_variance_, 1e-5)
    np.testing.assert_allclose(
        np.abs(project(found, x)) / scale, np.abs(reference.transform((x - offset) / scale)), 1e-3
    )
