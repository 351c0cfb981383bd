"""SweepSearchCV against GridSearchCV with the same estimators."""

import pickle

import numpy as np
import optax
import pytest
import sklearn
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.compose import TransformedTargetRegressor
from sklearn.datasets import load_digits, load_iris, make_regression
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score, make_scorer
from sklearn.model_selection import GridSearchCV, KFold, StratifiedKFold
from sklearn.multiclass import OneVsRestClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.random_projection import GaussianRandomProjection
from sklearn.utils import check_random_state
from sklearn.utils.estimator_checks import check_estimator

from jaxnets.estimator import CNNClassifier, MLPClassifier, MLPRegressor
from jaxnets.models import Activate, BatchNorm, Conv, Dropout, Flatten
from jaxnets.search import SweepSearchCV

X, Y = load_iris(return_X_y=True)
NET = MLPClassifier((6,), epochs=8, batch_size=32, random_state=3)
GRID = {"learning_rate": [1e-3, 1e-2, 1e-1], "l2": [0.0, 0.01]}


def assert_same(ours, theirs):
    assert ours.best_params_ == theirs.best_params_
    for name, scores in theirs.cv_results_.items():
        if "score" in name and "time" not in name:
            np.testing.assert_allclose(ours.cv_results_[name], scores, atol=1e-9, err_msg=name)


def searches(estimator, grid, x=X, y=Y, **options):
    return [
        search(estimator, grid, **options).fit(x, y) for search in (SweepSearchCV, GridSearchCV)
    ]


@pytest.mark.filterwarnings("ignore")  # as GridSearchCV, it warns of fits and scores that fail
def test_passes_the_checks_of_scikit_learn():
    net = MLPClassifier((), epochs=30, batch_size=None, learning_rate=0.03, random_state=0)
    check_estimator(SweepSearchCV(net, {"l2": [0.0, 1e-3]}, cv=2), on_skip=None)


def test_results_are_those_of_a_grid_search():
    ours, theirs = searches(NET, GRID, cv=3, return_train_score=True)
    assert_same(ours, theirs)
    np.testing.assert_array_equal(ours.predict(X), theirs.predict(X))
    assert ours.train_seconds_ > 0


def test_folds_of_two_sizes_architectures_and_a_list_of_grids():
    grid = [{"hidden_layer_sizes": [(4,), (3, 3)]}, {"activation": ["tanh"], "dropout": [0.0, 0.2]}]
    assert_same(*searches(NET, grid, cv=StratifiedKFold(4, shuffle=True, random_state=1)))


def test_a_pipeline_prepares_each_fold_by_itself():
    pipe = make_pipeline(StandardScaler(), NET)
    grid = {"mlpclassifier__learning_rate": [1e-3, 1e-2], "standardscaler__with_std": [True, False]}
    ours, theirs = searches(
        pipe, grid, cv=3, scoring=["accuracy", "neg_log_loss"], refit="accuracy"
    )
    for name in ("accuracy", "neg_log_loss"):
        key = f"mean_test_{name}"
        np.testing.assert_allclose(ours.cv_results_[key], theirs.cv_results_[key], rtol=1e-4)
    assert type(ours.best_estimator_[-1]) is MLPClassifier


def test_what_draws_without_a_seed_draws_as_in_a_grid_search():
    pipe = make_pipeline(StandardScaler(), GaussianRandomProjection(3), NET)
    found = []
    for search in (SweepSearchCV, GridSearchCV):
        check_random_state(None).seed(5)
        found.append(search(pipe, {"mlpclassifier__learning_rate": [0.01, 0.1]}, cv=3).fit(X, Y))
    assert_same(*found)


class Turn(TransformerMixin, BaseEstimator):
    """Turns samples by another random matrix at each fit."""

    def fit(self, x, y=None):
        noise = np.random.default_rng().normal(size=(x.shape[1],) * 2)
        self.matrix_ = np.linalg.qr(noise)[0]
        return self

    def transform(self, x):
        return x @ self.matrix_


def test_networks_are_scored_on_the_features_that_they_were_trained_on():
    net = MLPClassifier((), epochs=60, batch_size=None, learning_rate=0.1, random_state=0)
    pipe = make_pipeline(StandardScaler(), Turn(), net)
    found = SweepSearchCV(pipe, {"mlpclassifier__l2": [0.0, 1e-4]}, cv=3).fit(X, Y)
    assert (found.cv_results_["mean_test_score"] > 0.85).all()


def test_the_first_sample_may_have_weight_0():
    weight = np.ones(len(Y))
    weight[:40] = 0
    folds, grid = KFold(3, shuffle=True, random_state=0), {"learning_rate": [1e-3, 1e-2]}
    ours, theirs = (
        search(NET, grid, cv=folds, error_score="raise").fit(X, Y, sample_weight=weight)
        for search in (SweepSearchCV, GridSearchCV)
    )
    assert_same(ours, theirs)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_networks_of_one_against_the_rest_have_their_own_targets(dtype):
    net = MLPClassifier((6,), epochs=20, learning_rate=0.03, random_state=0)
    grid = {"estimator__l2": [0.0, 1e-3]}
    assert_same(*searches(OneVsRestClassifier(net), grid, X.astype(dtype), cv=3))


def test_a_network_within_another_estimator_can_be_pickled():
    x, y = make_regression(60, 3, random_state=0)
    net = MLPRegressor((4,), epochs=5, random_state=0)
    net = TransformedTargetRegressor(net, transformer=StandardScaler())
    found = SweepSearchCV(net, {"regressor__l2": [0.0, 1e-3]}, cv=2).fit(x, y)
    again = pickle.loads(pickle.dumps(found))
    np.testing.assert_array_equal(again.predict(x), found.predict(x))
    assert type(again.best_estimator_.regressor_) is MLPRegressor


def test_weights_are_routed_to_the_network_and_to_the_score():
    weight = np.tile([0.5, 2.0], 75)
    with sklearn.config_context(enable_metadata_routing=True):
        net = MLPClassifier((4,), epochs=5, random_state=0).set_fit_request(sample_weight=True)
        score = make_scorer(accuracy_score).set_score_request(sample_weight=True)
        ours, theirs = (
            search(net, {"l2": [0.0, 1e-2]}, cv=3, scoring=score).fit(X, Y, sample_weight=weight)
            for search in (SweepSearchCV, GridSearchCV)
        )
    assert_same(ours, theirs)


def test_numbers_are_searched_too():
    x, y = make_regression(90, 4, n_targets=2, random_state=0)
    net = MLPRegressor((8,), epochs=5, random_state=0, validation_fraction=0.2)
    ours, theirs = searches(net, {"learning_rate": [1e-3, 1e-2]}, x, y / 100, cv=KFold(3))
    np.testing.assert_allclose(
        ours.cv_results_["mean_test_score"], theirs.cv_results_["mean_test_score"], rtol=1e-4
    )
    assert {*ours.best_estimator_.history_} == {"train_loss", "valid_loss"}


def test_images_weights_and_early_stopping():
    x, y = load_digits(return_X_y=True)
    x, y = x[:300] / 16, y[:300]
    layers = Conv(4, 3, strides=2), Activate("relu"), Flatten()
    net = CNNClassifier(layers, image_shape=(8, 8), epochs=30, early_stopping=True, random_state=1)
    net.set_params(n_iter_no_change=2, tol=0.01, batch_size=50)
    weight = {"sample_weight": np.tile([0.5, 2.0], 150)}
    ours, theirs = (
        search(net, {"learning_rate": [1e-4, 1e-2]}, cv=3).fit(x, y, **weight)
        for search in (SweepSearchCV, GridSearchCV)
    )
    assert_same(ours, theirs)
    assert ours.best_estimator_.n_iter_ == theirs.best_estimator_.n_iter_ < 30
    np.testing.assert_array_equal(ours.predict(x), theirs.predict(x))


@pytest.mark.parametrize("layer", [BatchNorm(), Dropout(0.5)])
def test_layers_that_see_a_whole_batch_get_no_padding(layer):
    net = CNNClassifier((Flatten(), layer), image_shape=(1, 4), epochs=4, random_state=0)
    net.set_params(batch_size=40)
    options = {"cv": 3, "scoring": "neg_log_loss"}
    ours, theirs = searches(net, {"learning_rate": [1e-3, 1e-2]}, X[:-1], Y[:-1], **options)
    scores = ours.cv_results_["mean_test_score"]
    np.testing.assert_allclose(scores, theirs.cv_results_["mean_test_score"], rtol=1e-4)


def test_all_folds_candidates_and_the_best_on_all_samples_share_a_program(compilations):
    options = {"cv": 4, "n_jobs": 2}
    SweepSearchCV(NET, {"learning_rate": [1e-3, 1e-2, 1e-1]}, **options).fit(X[:-1], Y[:-1])
    before = compilations()
    SweepSearchCV(NET, {"l2": [0.0, 1e-4, 1e-2]}, **options).fit(X[:-1], Y[:-1])
    assert compilations() == before


def test_without_a_random_state_each_network_has_its_own():
    net = MLPClassifier((6,), epochs=30, learning_rate=0.03)
    found = SweepSearchCV(net, {"l2": [0.0, 0.0, 0.0]}, cv=3, scoring="neg_log_loss").fit(X, Y)
    assert np.ptp(found.cv_results_["mean_test_score"]) > 0
    assert found.score(X, Y) > -0.8


def test_what_was_found_can_be_pickled_and_the_search_fitted_again():
    search = SweepSearchCV(NET, {"learning_rate": [1e-3, 1e-2]}, cv=3).fit(X, Y)
    again = pickle.loads(pickle.dumps(search))
    np.testing.assert_array_equal(again.predict(X), search.predict(X))
    assert search.estimator is NET
    assert search.cv == 3
    scores = search.cv_results_["mean_test_score"]
    np.testing.assert_array_equal(search.fit(X, Y).cv_results_["mean_test_score"], scores)


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.FitFailedWarning")
@pytest.mark.filterwarnings("ignore:One or more of the test scores are non-finite")
def test_candidates_that_fail_have_the_error_score_and_the_others_theirs():
    grid = {"learning_rate": [1e-2, -1.0], "hidden_layer_sizes": [(6,), (0,)]}
    assert_same(*searches(NET, grid, cv=3, error_score=-1.0))


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.FitFailedWarning")
def test_candidates_that_diverge_have_the_error_score():
    net = MLPRegressor((), epochs=60, learning_rate=1e-3, batch_size=None, random_state=0)
    x, y = make_regression(60, 3, random_state=0)
    net.set_params(optimizer=optax.sgd)
    found = SweepSearchCV(net, {"learning_rate": [1e-3, 1e6]}, cv=2, error_score=-9.0).fit(x, y)
    assert found.cv_results_["mean_test_score"][1] == -9.0
    assert found.best_params_ == {"learning_rate": 1e-3}


def test_another_estimator_is_refused():
    with pytest.raises(TypeError, match="LogisticRegression without a network of jaxnets"):
        SweepSearchCV(LogisticRegression(), {"C": [1.0]}).fit(X, Y)


def test_wrong_parameters_are_named_as_scikit_learn_does():
    with pytest.raises(ValueError, match="Invalid parameter 'lr'"):
        SweepSearchCV(NET, {"lr": [0.1]}).fit(X, Y)
    with pytest.raises(ValueError, match="learning_rate"):
        SweepSearchCV(NET, {"learning_rate": [-1.0]}, error_score="raise").fit(X, Y)
