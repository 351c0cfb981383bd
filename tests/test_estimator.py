"""The estimators: scikit-learn's own checks, its models as truth, its tools at work."""

import copy

import numpy as np
import optax
import pytest
from sklearn.base import clone
from sklearn.datasets import load_digits, load_iris
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.model_selection import GridSearchCV, cross_val_score, train_test_split
from sklearn.neural_network import MLPClassifier as SklearnMLP
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import check_estimator

from jaxnets import DivergedError
from jaxnets.estimator import CNNClassifier, MLPClassifier, MLPRegressor

IRIS_X, IRIS_Y = load_iris(return_X_y=True)
IRIS_X = StandardScaler().fit_transform(IRIS_X)
RATE = {"epochs": 30, "batch_size": None, "learning_rate": 0.03}
QUICK = {"hidden_layer_sizes": (8,)} | RATE
SMALL = QUICK | {"random_state": 0}
DESCENT = {"optimizer": optax.sgd, "learning_rate": 0.3, "epochs": 3000, "batch_size": None}
ESTIMATORS = [MLPClassifier, MLPRegressor]


def smooth(x):
    return np.sin(3 * x[:, 0]) + x[:, 1] ** 2


ROUNDED = dict.fromkeys(
    (
        "check_sample_weight_equivalence_on_dense_data",
        "check_sample_weight_equivalence_on_sparse_data",
    ),
    "trained in single precision, it agrees to 1e-6 and not 1e-7: see test_estimator_options",
)
CHECKED = [
    MLPClassifier(**QUICK),
    MLPRegressor(**QUICK),
    CNNClassifier(image_shape=(1, -1), **RATE),
]


@pytest.mark.parametrize("estimator", CHECKED, ids=lambda estimator: type(estimator).__name__)
def test_passes_the_checks_of_scikit_learn(estimator):
    check_estimator(estimator, on_skip=None, expected_failed_checks=ROUNDED)


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_is_as_accurate_as_scikit_learn_on_digits():
    x, y = load_digits(return_X_y=True)
    train_x, test_x, train_y, test_y = train_test_split(x / 16, y, test_size=0.4, random_state=0)
    ours = MLPClassifier((64,), epochs=30, random_state=0).fit(train_x, train_y)
    theirs = SklearnMLP((64,), batch_size=64, max_iter=30, random_state=0).fit(train_x, train_y)
    accuracy, reference = ours.score(test_x, test_y), theirs.score(test_x, test_y)
    assert reference > 0.95
    assert abs(accuracy - reference) < 0.02


def test_classifier_without_hidden_layers_is_logistic_regression():
    l2 = 0.01
    ours = MLPClassifier((), **DESCENT, l2=l2)
    theirs = LogisticRegression(C=1 / (2 * l2 * len(IRIS_X)), tol=1e-8, max_iter=1000)
    np.testing.assert_allclose(
        ours.fit(IRIS_X, IRIS_Y).predict_proba(IRIS_X),
        theirs.fit(IRIS_X, IRIS_Y).predict_proba(IRIS_X),
        atol=1e-4,
    )


@pytest.mark.parametrize("targets", [0, slice(1), slice(2)], ids=["1-D", "one column", "two"])
def test_regressor_without_hidden_layers_is_ridge_regression(targets):
    l2 = 0.1
    x, y = IRIS_X[:, 2:], IRIS_X[:, targets]
    ours = MLPRegressor((), **DESCENT, l2=l2).fit(x, y)
    expected = Ridge(alpha=l2 * len(x)).fit(x, y).predict(x).reshape(y.shape)
    np.testing.assert_allclose(ours.predict(x), expected, atol=1e-5)


def test_regressor_learns_a_smooth_function():
    train_x, test_x = np.random.default_rng(0).uniform(-1, 1, (2, 500, 2))
    net = MLPRegressor((32, 32), activation="tanh", residual=True, random_state=0)
    net.set_params(learning_rate=5e-3).fit(train_x, smooth(train_x))
    assert net.score(test_x, smooth(test_x)) > 0.99


def test_classes_may_be_strings():
    names = np.array(["virginica", "setosa", "a third"])[IRIS_Y]
    net = MLPClassifier(**SMALL).fit(IRIS_X, names)
    assert list(net.classes_) == ["a third", "setosa", "virginica"]
    assert net.score(IRIS_X, names) > 0.95


@pytest.mark.parametrize("labels", [IRIS_Y, IRIS_Y == 0], ids=["three classes", "two"])
def test_probabilities_sum_to_one_and_agree_with_predict(labels):
    net = MLPClassifier(**SMALL).fit(IRIS_X, labels)
    probabilities = net.predict_proba(IRIS_X)
    assert probabilities.shape == (150, len(np.unique(labels)))
    assert probabilities.min() >= 0
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, rtol=1e-12)
    np.testing.assert_array_equal(net.classes_[probabilities.argmax(axis=1)], net.predict(IRIS_X))


@pytest.mark.parametrize("batch_size", [64, None])
def test_random_state_decides_the_result(batch_size):
    net = MLPClassifier(**SMALL | {"batch_size": batch_size})
    one, again = (clone(net).fit(IRIS_X, IRIS_Y).predict_proba(IRIS_X) for _ in range(2))
    other = net.set_params(random_state=1).fit(IRIS_X, IRIS_Y).predict_proba(IRIS_X)
    np.testing.assert_array_equal(one, again)
    assert np.abs(one - other).max() > 1e-3


def test_prediction_does_not_depend_on_the_other_samples():
    net = MLPRegressor(**SMALL | {"hidden_layer_sizes": (100,)}).fit(IRIS_X, IRIS_X[:, 0])
    together, alone = net.predict(IRIS_X), [net.predict(row[None]) for row in IRIS_X[:20]]
    np.testing.assert_allclose(together[:20], np.concatenate(alone), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_history_has_a_row_an_epoch(estimator):
    metrics = {"loss", "accuracy"} if estimator is MLPClassifier else {"loss"}
    net = estimator(**SMALL).fit(IRIS_X, IRIS_Y)
    assert set(net.history_) == {f"train_{name}" for name in metrics}
    held_out = estimator(**SMALL, validation_fraction=0.2).fit(IRIS_X, IRIS_Y)
    assert set(held_out.history_) == {f"{p}_{name}" for p in ("train", "valid") for name in metrics}
    for curve in held_out.history_.values():
        assert curve.shape == (held_out.n_iter_,) == (30,)
    assert held_out.history_["valid_loss"][-1] < 0.5 * held_out.history_["valid_loss"][0]


def test_another_learning_rate_and_penalty_run_the_same_program(compilations):
    net = MLPRegressor(**SMALL, l2=0.1).fit(IRIS_X, IRIS_Y)
    before = compilations()
    net.set_params(learning_rate=0.01, l2=0.0, random_state=1).fit(IRIS_X, IRIS_Y)
    assert compilations() == before
    net.set_params(hidden_layer_sizes=(9,)).fit(IRIS_X, IRIS_Y)
    assert compilations() > before


def test_grid_search_over_a_pipeline():
    pipeline = make_pipeline(StandardScaler(), MLPClassifier(**SMALL))
    grid = {"mlpclassifier__learning_rate": [1e-5, 0.03], "mlpclassifier__l2": [0.0, 1e-3]}
    search = GridSearchCV(pipeline, grid, cv=3, error_score="raise").fit(IRIS_X, IRIS_Y)
    assert search.best_params_["mlpclassifier__learning_rate"] == 0.03
    assert search.best_score_ > 0.9


def test_cross_validation():
    scores = cross_val_score(MLPRegressor(**SMALL), IRIS_X[:, :3], IRIS_X[:, 3], cv=3)
    assert scores.shape == (3,)
    train_only = MLPRegressor(**SMALL).fit(IRIS_X[50:, :3], IRIS_X[50:, 3])
    assert scores[0] == train_only.score(IRIS_X[:50, :3], IRIS_X[:50, 3])


@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_a_copy_keeps_the_predictions(estimator):
    net = estimator(**SMALL).fit(IRIS_X, IRIS_Y)
    again = copy.deepcopy(net)
    np.testing.assert_array_equal(net.predict(IRIS_X), again.predict(IRIS_X))
    net.set_params(hidden_layer_sizes=(5, 5))
    np.testing.assert_array_equal(net.predict(IRIS_X), again.predict(IRIS_X))


@pytest.mark.parametrize(
    ("choice", "message"),
    [
        ({"hidden_layer_sizes": (0,)}, "hidden_layer_sizes"),
        ({"activation": "rleu"}, "relu"),
        ({"epochs": 0}, "epochs is 0"),
        ({"batch_size": 0}, "batch_size is 0"),
        ({"learning_rate": -1.0}, "learning_rate is -1"),
        ({"l2": -1.0}, "l2 is -1"),
        ({"validation_fraction": 1.0}, "validation_fraction is 1"),
        ({"validation_fraction": -0.1}, "validation_fraction is -0.1"),
    ],
)
def test_a_choice_out_of_range_is_an_error(choice, message):
    with pytest.raises(ValueError, match=message):
        MLPRegressor(**SMALL | choice).fit(IRIS_X, IRIS_Y)


def test_a_single_class_is_an_error():
    with pytest.raises(ValueError, match="only one class, setosa"):
        MLPClassifier().fit(IRIS_X, np.full(150, "setosa"))


def test_divergence_is_an_error():
    with pytest.raises(DivergedError, match="smaller learning rate"):
        MLPRegressor(**SMALL | {"optimizer": optax.sgd, "learning_rate": 1e4}).fit(IRIS_X, IRIS_Y)
