"""Every row of the table of classifiers: what it learns and what it refuses."""

import jax
import numpy as np
import pytest

from jaxnets.classical import CLASSIFIERS, knn, rbf_svm

BINARY = [name for name in CLASSIFIERS if name not in ("rbf_svm", "knn")]
MULTICLASS = [name for name in CLASSIFIERS if name not in BINARY]


def blobs(seed, classes=2, features=2, samples=40):
    rng = np.random.default_rng(seed)
    centres = 6 * np.eye(max(classes, features))[:classes, :features]
    y = np.arange(samples * classes) % classes
    return (centres[y] + 0.5 * rng.normal(size=(len(y), features))).astype(np.float32), y


@pytest.mark.parametrize("features", [2, 5])
@pytest.mark.parametrize("name", CLASSIFIERS)
def test_separable_blobs_are_learned(name, features, key):
    fit, predict = CLASSIFIERS[name]
    x, y = blobs(0, features=features)
    x_test, y_test = blobs(1, features=features)
    params = fit(key, x, y)
    for a, b in [(x, y), (x_test, y_test)]:
        labels = predict(params, a)
        assert labels.dtype == np.int32
        np.testing.assert_array_equal(labels, b)


@pytest.mark.parametrize("name", MULTICLASS)
def test_four_blobs_are_learned(name, key):
    x, y = blobs(0, classes=4, features=4)
    fit, predict = CLASSIFIERS[name]
    np.testing.assert_array_equal(predict(fit(key, x, y), blobs(1, 4, 4)[0]), blobs(1, 4, 4)[1])


@pytest.mark.parametrize("name", CLASSIFIERS)
def test_images_are_flattened_and_pixels_scaled_alike_in_fit_and_predict(name, key):
    rng = np.random.default_rng(0)
    y = np.arange(80) % 2
    images = rng.integers(0, 60, (80, 5, 1), np.uint8)
    images[y == 1, 0] += np.uint8(180)
    fit, predict = CLASSIFIERS[name]
    floats = images.reshape(80, 5).astype(np.float32) / np.float32(255)
    params = fit(key, images, y)
    np.testing.assert_array_equal(predict(params, images), y)
    np.testing.assert_array_equal(predict(params, floats), y)


X, Y = blobs(0)
BAD = {
    "lengths": (X, Y[:-1], ValueError, "80 samples and y has 79"),
    "nan": (np.where(np.arange(160).reshape(80, 2) == 7, np.nan, X), Y, ValueError, "row 3"),
    "one axis": (X[:, 0], Y, ValueError, r"reshape\(-1, 1\)"),
    "empty": (X[:0], Y[:0], ValueError, "nothing to train on"),
    "signs for labels": (X, 2 * Y - 1, ValueError, "y\\[0\\] is -1"),
    "float labels": (X, Y.astype(float), TypeError, "class labels are integers"),
    "column of labels": (X, Y[:, None], ValueError, "ravel"),
}


@pytest.mark.parametrize("case", BAD)
@pytest.mark.parametrize("name", CLASSIFIERS)
def test_malformed_data_are_refused(name, case, key):
    x, y, error, message = BAD[case]
    with pytest.raises(error, match=message):
        CLASSIFIERS[name].fit(key, x, y)


@pytest.mark.parametrize("name", BINARY)
def test_a_third_class_is_refused(name, key):
    with pytest.raises(ValueError, match="2 classes are labelled"):
        CLASSIFIERS[name].fit(key, *blobs(0, classes=3, features=3))


def test_the_key_chooses_adaboosts_hyperplanes():
    fit, _ = CLASSIFIERS["adaboost"]
    x, y = blobs(0, features=5)
    first, again, other = (fit(jax.random.key(seed), x, y)["w"] for seed in (0, 0, 1))
    np.testing.assert_array_equal(first, again)
    assert not np.allclose(first, other)


def test_baselines_take_their_own_hyperparameters():
    rng = np.random.default_rng(0)
    x = rng.random((60, 2))
    y = rng.integers(0, 2, 60)
    assert (knn(x, y, n_neighbors=1).predict(x) == y).all()
    assert (knn(x, y, n_neighbors=60).predict(x) == (y.mean() > 0.5)).all()
    assert (rbf_svm(x, y, C=1e6, gamma=1e4).predict(x) == y).all()
    assert not (rbf_svm(x, y, C=1e-3, gamma=1.0).predict(x) == y).all()
