"""What users of scikit-learn expect of a network, each against scikit-learn or a slower way."""

import jax
import numpy as np
import optax
import pytest
from scipy import sparse
from sklearn.datasets import load_digits, load_iris, make_multilabel_classification
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score, log_loss, mean_squared_error
from sklearn.preprocessing import StandardScaler
from sklearn.utils.class_weight import compute_sample_weight

import jaxnets as jn
from jaxnets.data import Dataset
from jaxnets.estimator import CNNClassifier, MLPClassifier, MLPRegressor
from jaxnets.models import Activate, Conv, Flatten, MaxPool

X, Y = load_iris(return_X_y=True)
X = StandardScaler().fit_transform(X)
FEW = np.r_[0:50, 50:70, 100:110]
QUICK = {"hidden_layer_sizes": 8, "epochs": 30, "batch_size": None, "learning_rate": 0.03}
SMALL = QUICK | {"random_state": 0}
DESCENT = {"optimizer": optax.sgd, "learning_rate": 0.3, "epochs": 3000, "batch_size": None}
DIGITS = load_digits()


def same_params(one, other, **tolerance):
    for a, b in zip(*map(jax.tree.leaves, (one.params_, other.params_)), strict=True):
        np.testing.assert_allclose(a, b, **tolerance)


@pytest.mark.parametrize("estimator", [MLPClassifier, MLPRegressor])
def test_a_weight_of_two_is_the_sample_twice_and_of_zero_not_at_all(estimator):
    weight = np.tile([0, 1, 2], 50)
    weighted = estimator(**SMALL).fit(X, Y, sample_weight=weight)
    repeated = estimator(**SMALL).fit(np.repeat(X, weight, 0), np.repeat(Y, weight))
    np.testing.assert_allclose(weighted.loss_curve_, repeated.loss_curve_, rtol=1e-5)
    np.testing.assert_allclose(weighted._outputs(X), repeated._outputs(X), rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("chosen", ["balanced", {0: 0.5, 2: 4}])
def test_class_weights_are_those_of_scikit_learn(chosen):
    l2, x, y = 0.01, X[FEW], Y[FEW]
    weight = compute_sample_weight(chosen, y)
    theirs = LogisticRegression(C=1 / (2 * l2 * weight.sum()), tol=1e-8, class_weight=chosen)
    ours = MLPClassifier((), **DESCENT, l2=l2, class_weight=chosen).fit(x, y)
    expected = theirs.set_params(max_iter=1000).fit(x, y).predict_proba(X)
    np.testing.assert_allclose(ours.predict_proba(X), expected, atol=1e-4)


def test_both_kinds_of_weights_multiply():
    both = MLPClassifier(**SMALL, class_weight={1: 3}).fit(X, Y, sample_weight=1 + X[:, 0] ** 2)
    product = (1 + X[:, 0] ** 2) * np.where(Y == 1, 3, 1)
    same_params(both, MLPClassifier(**SMALL).fit(X, Y, sample_weight=product), rtol=1e-4, atol=1e-5)


def test_several_labels_are_as_many_logistic_regressions():
    l2 = 0.01
    x, y = make_multilabel_classification(150, 5, n_classes=3, random_state=0)
    x = StandardScaler().fit_transform(x)
    ours = MLPClassifier((), **DESCENT, l2=l2).fit(x, y)
    theirs = LogisticRegression(C=1 / (2 * l2 * len(x)), tol=1e-8, max_iter=1000)
    expected = np.stack([theirs.fit(x, t).predict_proba(x)[:, 1] for t in y.T], axis=1)
    np.testing.assert_allclose(ours.predict_proba(x), expected, atol=1e-4)
    np.testing.assert_array_equal(ours.predict(x), ours.predict_proba(x) >= 0.5)
    assert ours.score(x, y) == accuracy_score(y, ours.predict(x))
    assert ours.fit(x, sparse.csr_array(y)).predict(x).shape == y.shape


@pytest.mark.parametrize("estimator", [MLPClassifier, MLPRegressor])
@pytest.mark.parametrize("kind", [sparse.csr_matrix, sparse.coo_array, sparse.csc_array])
def test_sparse_samples_are_the_dense_ones(estimator, kind):
    x = np.where(X > 0.5, X, 0)
    one, other = (estimator(**SMALL | {"epochs": 3}).fit(a, Y) for a in (x, kind(x)))
    same_params(one, other, rtol=0)
    np.testing.assert_array_equal(one.predict(x), other.predict(kind(x)))
    assert one.score(x, Y) == other.score(kind(x), Y)


@pytest.mark.parametrize("estimator", [MLPClassifier, MLPRegressor])
def test_early_stopping_returns_the_params_of_the_best_epoch(estimator):
    stops = {"early_stopping": True, "n_iter_no_change": 4, "tol": 0.0, "validation_fraction": 0.3}
    few = {"hidden_layer_sizes": 8, "learning_rate": 0.1, "batch_size": 16, "random_state": 1}
    net = estimator(**few, epochs=200, **stops).fit(X, Y)
    name = "valid_accuracy" if estimator is MLPClassifier else "valid_loss"
    curve = net.history_[name] * (-1 if name == "valid_accuracy" else 1)
    best = int(np.argmin(curve))
    assert net.n_iter_ == len(net.loss_curve_) == best + 1 + 4 < 200
    plain = estimator(**few, epochs=best + 1, validation_fraction=0.3).fit(X, Y)
    same_params(net, plain, rtol=1e-4, atol=1e-5)
    assert hasattr(net, "validation_scores_") == (estimator is MLPClassifier)


def test_early_stopping_holds_out_a_tenth_unless_told_otherwise():
    net = MLPClassifier(**SMALL, early_stopping=True).fit(X, Y)
    thirtieths = np.array(net.validation_scores_) * 15
    np.testing.assert_allclose(thirtieths, np.round(thirtieths), atol=1e-5)


def test_warm_start_goes_on_with_the_params():
    still = {"learning_rate": 1e-12, "warm_start": True}
    net = MLPClassifier(**SMALL).fit(X, Y)
    before = net.predict_proba(X)
    np.testing.assert_allclose(net.set_params(**still).fit(X, Y).predict_proba(X), before, 1e-5)
    other = net.set_params(warm_start=False).fit(X, Y).predict_proba(X)
    assert np.abs(other - before).max() > 0.1


@pytest.mark.parametrize("estimator", [MLPClassifier, MLPRegressor])
def test_calls_of_partial_fit_are_the_epochs_of_fit(estimator):
    whole, parts = estimator(**SMALL | {"epochs": 12}).fit(X, Y), estimator(**SMALL)
    named = {"classes": [0, 1, 2]} if estimator is MLPClassifier else {}
    for _ in range(12):
        parts.partial_fit(X, Y, **named)
    same_params(whole, parts, rtol=1e-3, atol=1e-5)
    np.testing.assert_allclose(whole.loss_curve_, parts.loss_curve_, rtol=1e-4)
    assert parts.n_iter_ == 12


def test_partial_fit_sees_classes_that_come_later(compilations):
    net, compiled = MLPClassifier(**SMALL), []
    for _ in range(20):
        for rows in (Y == 0, Y == 1, Y == 2):
            net.partial_fit(X[rows], Y[rows], classes=[2, 1, 0])
        compiled.append(compilations())
    assert compiled[0] == compiled[-1]
    assert net.score(X, Y) > 0.6


def test_names_and_sizes_of_scikit_learn():
    ours = MLPClassifier(**SMALL | {"hidden_layer_sizes": (8,)}, activation="sigmoid").fit(X, Y)
    same_params(ours, MLPClassifier(**SMALL, activation="logistic").fit(X, Y), rtol=0)


def test_the_loss_curve_is_the_mean_loss_before_each_epochs_updates():
    still = SMALL | {"learning_rate": 1e-9, "epochs": 2}
    net = MLPClassifier(**still).fit(X, Y)
    np.testing.assert_allclose(net.loss_curve_, log_loss(Y, net.predict_proba(X)), rtol=1e-4)
    numbers = MLPRegressor(**still).fit(X, X[:, 0])
    expected = mean_squared_error(X[:, 0], numbers.predict(X))
    np.testing.assert_allclose(numbers.loss_curve_, expected, rtol=1e-4)


def test_dropout_is_that_of_the_model():
    net = MLPClassifier(**SMALL | {"hidden_layer_sizes": 16}, dropout=0.3).fit(X, Y)
    key = jax.random.key(np.random.RandomState(0).randint(np.iinfo(np.int32).max))
    spec = jn.TrainSpec(jn.MLP((16,), 3, "relu", dropout=0.3), "softmax_cross_entropy", 30)
    state, history = jn.fit(spec, key, Dataset({"x": X, "y": Y}), {"learning_rate": 0.03})
    np.testing.assert_allclose(net.loss_curve_, history["train_loss"], rtol=1e-4)
    np.testing.assert_allclose(
        net._outputs(X), spec.model.apply(state.params, X), rtol=1e-3, atol=1e-4
    )


def test_verbose_shows_a_bar(capsys):
    MLPClassifier(**SMALL, verbose=True).fit(X, Y)
    assert "epoch" in capsys.readouterr().err


def test_many_samples_are_predicted_in_blocks():
    net = MLPRegressor(**SMALL).fit(X, Y)
    many = np.random.default_rng(0).normal(size=(2500, 4))
    parts = np.concatenate([net.predict(many[i : i + 50]) for i in range(0, 2500, 50)])
    np.testing.assert_allclose(net.predict(many), parts, rtol=1e-12, atol=1e-12)


def test_images_flat_or_not_with_pixels_of_either_kind_are_the_same():
    images, y = DIGITS.images[:300] * 15, DIGITS.target[:300]
    options = {"epochs": 2, "learning_rate": 0.003, "random_state": 0}
    net = CNNClassifier(**options).fit(images / 255, y)
    for x, shape in (
        (images.astype(np.uint8), None),
        (images[..., None] / 255, (8, 8)),
        (images.reshape(-1, 64) / 255, (8, 8)),
        (images.reshape(-1, 64).astype(np.uint8), (8, -1, 1)),
    ):
        other = CNNClassifier(image_shape=shape, **options).fit(x, y)
        same_params(net, other, rtol=1e-3, atol=1e-5)
        assert other.image_shape_ == (8, 8, 1)
        np.testing.assert_allclose(other.predict_proba(x), net.predict_proba(images / 255), 1e-3)


def test_pixels_in_a_table_are_those_of_an_array():
    pandas = pytest.importorskip("pandas", reason="needs the extra [pandas]")
    pixels, y = (DIGITS.data[:300] * 15).astype(np.uint8), DIGITS.target[:300]
    net = CNNClassifier(image_shape=(8, 8), epochs=2, random_state=0).fit(pixels, y)
    table = pandas.DataFrame(pixels, columns=[f"p{i}" for i in range(64)])
    other = CNNClassifier(image_shape=(8, 8), epochs=2, random_state=0).fit(table, y)
    same_params(net, other, rtol=1e-6)
    np.testing.assert_allclose(other.predict_proba(table), net.predict_proba(pixels), 1e-6)


def test_images_are_classified():
    x, y = DIGITS.images / 16, DIGITS.target
    layers, options = (Conv(8, 3), Activate("relu"), MaxPool(2)), {"random_state": 0}
    for net, least in ((CNNClassifier(**options), 0.9), (CNNClassifier(layers, **options), 0.85)):
        net.set_params(epochs=8, learning_rate=0.01).fit(x[:1200], y[:1200])
        assert net.score(x[1200:], y[1200:]) > least


def test_without_layers_images_are_classified_linearly():
    l2, x, y = 0.01, X.reshape(-1, 2, 2), Y
    theirs = LogisticRegression(C=1 / (2 * l2 * len(X)), tol=1e-8, max_iter=1000).fit(X, y)
    ours = CNNClassifier((Flatten(),), **DESCENT, l2=l2).fit(x, y)
    np.testing.assert_allclose(ours.predict_proba(x), theirs.predict_proba(X), atol=1e-4)


IMAGES = np.zeros((150, 4, 5))
INDICATOR = np.eye(3, dtype=int)[Y]
FAULTS = {
    "class weight word": (MLPClassifier(class_weight="equal"), {}, ValueError, "'balanced'"),
    "class weight list": (MLPClassifier(class_weight=[1, 2, 3]), {}, TypeError, "must be a dict"),
    "unknown class": (MLPClassifier(class_weight={7: 1.0}), {}, ValueError, "class 7, which y"),
    "negative class": (MLPClassifier(class_weight={1: -1}), {}, ValueError, "is -1"),
    "class weight text": (MLPClassifier(class_weight={1: "2"}), {}, TypeError, "class_weight of 1"),
    "labels": (MLPClassifier(class_weight="balanced"), {"y": INDICATOR}, ValueError, "one class a"),
    "several classes": (MLPClassifier(), {"y": INDICATOR * 2}, ValueError, "must be 0 or 1"),
    "few weights": (MLPClassifier(), {"sample_weight": [1.0]}, ValueError, "1 numbers for 150"),
    "negative weight": (MLPRegressor(), {"sample_weight": -np.ones(150)}, ValueError, "0 or more"),
    "NaN weight": (MLPRegressor(), {"sample_weight": X[:, 0] * np.nan}, ValueError, "weight"),
    "text weight": (MLPRegressor(), {"sample_weight": ["a"] * 150}, TypeError, "sample_weight"),
    "dropout": (MLPRegressor(dropout=1.0), {}, ValueError, "dropout is 1.0"),
    "patience": (MLPClassifier(early_stopping=True, n_iter_no_change=0), {}, ValueError, "is 0"),
    "tol": (MLPClassifier(early_stopping=True, tol=-1.0), {}, ValueError, "tol is -1"),
    "all columns": (CNNClassifier(), {}, ValueError, "or image_shape"),
    "other product": (CNNClassifier(image_shape=(3, 3)), {}, ValueError, "has shape .4,"),
    "other images": (CNNClassifier(image_shape=(5, 4)), {"X": IMAGES}, ValueError, "image_shape"),
    "one size": (CNNClassifier(image_shape=(4,)), {}, ValueError, "rows, columns"),
    "two free": (CNNClassifier(image_shape=(-1, -1)), {}, ValueError, "only one entry"),
    "five axes": (CNNClassifier(), {"X": IMAGES[..., None, None]}, ValueError, "an image is"),
    "no modules": (CNNClassifier(("conv",)), {"X": IMAGES}, TypeError, "Flax modules"),
}


@pytest.mark.parametrize(("net", "options", "error", "message"), FAULTS.values(), ids=FAULTS)
def test_refused_before_training(net, options, error, message, compilations):
    with pytest.raises(error, match=message):
        net.fit(**{"X": X, "y": Y} | options)
    assert not compilations()


def test_partial_fit_refuses_what_it_cannot_use():
    with pytest.raises(ValueError, match="classes is None"):
        MLPClassifier(**SMALL).partial_fit(X, Y)
    net = MLPClassifier(**SMALL).partial_fit(X[:100], Y[:100], classes=[0, 1])
    with pytest.raises(ValueError, match=r"y has a class .*2.*; the classes are"):
        net.partial_fit(X, Y)
    with pytest.raises(ValueError, match="before they were"):
        net.partial_fit(X, Y, classes=[0, 1, 2])
    with pytest.raises(ValueError, match="early_stopping must be False"):
        MLPClassifier(early_stopping=True).partial_fit(X, Y, classes=[0, 1, 2])
    numbers = MLPRegressor(**SMALL).partial_fit(X, Y)
    with pytest.raises(ValueError, match="targets were"):
        numbers.partial_fit(X, X[:, :2])


def test_warm_start_refuses_other_classes_and_layers():
    net = MLPClassifier(**SMALL, warm_start=True).fit(X[:100], Y[:100])
    with pytest.raises(ValueError, match="warm_start goes on with"):
        net.fit(X, Y)
    with pytest.raises(ValueError, match="use warm_start=False"):
        net.set_params(hidden_layer_sizes=9).fit(X[:100], Y[:100])


def test_images_of_another_shape_are_refused():
    net = CNNClassifier(epochs=1).fit(IMAGES, Y)
    with pytest.raises(ValueError, match=r"images have shape .5, 4."):
        net.predict(IMAGES.transpose(0, 2, 1))


def test_parameters_of_scikit_learn_are_named_as_here():
    with pytest.raises(TypeError, match="'max_iter' here is epochs; 'alpha' here is l2"):
        MLPClassifier(max_iter=3, alpha=0.1)
    with pytest.raises(ValueError, match="'solver' here is optimizer"):
        MLPRegressor().set_params(solver="sgd")
    with pytest.raises(TypeError, match="unexpected keyword argument 'depth'"):
        CNNClassifier(depth=3)


def test_scores_of_an_earlier_fit_go():
    net = MLPClassifier((4,), epochs=3, early_stopping=True, random_state=0).fit(X, Y)
    assert len(net.validation_scores_)
    net.set_params(early_stopping=False).fit(X, Y)
    assert not hasattr(net, "validation_scores_")
