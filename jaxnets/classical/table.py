"""The table of all classical classifiers, with one interface, and two scikit-learn baselines."""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from jax import Array
from jax.typing import ArrayLike
from sklearn.neighbors import KNeighborsClassifier
from sklearn.svm import SVC

from jaxnets.classical.boosting import (
    adaboost,
    adaboost_predict,
    even_directions,
    random_directions,
)
from jaxnets.classical.logistic import logistic_regression
from jaxnets.classical.perceptrons import perceptron
from jaxnets.classical.svm import linear_svm
from jaxnets.classical.threshold import linear_predict
from jaxnets.host import checks


class Classifier(NamedTuple):
    """Fits and predicts with two functions that check their data before anything compiles.

    Args:
        fit: `(key, x [samples, ...], y [samples]) -> params`; features are flattened.
        predict: `(params, x [samples, ...]) -> class indices [samples]`.
    """

    fit: Callable[[Array, ArrayLike, ArrayLike], Any]
    predict: Callable[[Any, ArrayLike], np.ndarray]


def rbf_svm(x: np.ndarray, y: np.ndarray, *, C: float = 10.0, gamma: float | str = "scale") -> SVC:
    """Fits scikit-learn's SVM with kernel `exp(-gamma |x - x'|^2)` to any classes (row A8).

    Its own `predict` takes samples as they are, so pixels are not scaled here.
    """
    return SVC(kernel="rbf", C=C, gamma=gamma).fit(*_as_given(x, y))


def knn(x: np.ndarray, y: np.ndarray, *, n_neighbors: int = 5) -> KNeighborsClassifier:
    """Fits scikit-learn's nearest-neighbour classifier to any number of classes (row A8).

    Its own `predict` takes samples as they are, so pixels are not scaled here.
    """
    return KNeighborsClassifier(n_neighbors).fit(*_as_given(x, y))


def _as_given(x: Any, y: Any) -> tuple[np.ndarray, np.ndarray]:
    """Returns samples and classes as arrays; scikit-learn checks their values itself."""
    x, y = checks.as_rows(x, "x"), checks.as_rows(y, "y")
    checks.require_same_length(x, y)
    if x.dtype.kind in "mM":
        checks.as_numbers(x, "x")  # scikit-learn would take times for numbers
    return x, y if y.ndim == 1 else checks.as_labels(y, 2)


def _features(x: ArrayLike) -> np.ndarray:
    found = checks.as_features(x)
    return found.reshape(len(found), -1)


def _classes(y: ArrayLike) -> int:
    y = checks.as_numpy(y, "y")
    return int(y.max(initial=1)) + 1 if checks.is_integer(y.dtype) else 2


def _classifier(
    train: Callable[[Array, np.ndarray, np.ndarray], Any],
    predict: Callable[[Any, Any], Any],
    binary: bool = True,
) -> Classifier:
    def fit(key, x, y):
        x, y = _features(x), checks.as_labels(y, 2 if binary else _classes(y))
        checks.require_same_length(x, y)
        return train(key, x, y)

    return Classifier(fit, lambda params, x: np.asarray(predict(params, _features(x))))


def _adaboost(key: Array, x: np.ndarray, y: np.ndarray) -> Any:
    features = x.shape[1]
    plane = features == 2
    directions = even_directions(64) if plane else random_directions(key, 256, features)
    return adaboost(x, y, directions)[0]


def _predict_sklearn(model: Any, x: np.ndarray) -> np.ndarray:
    return model.predict(x).astype(np.int32)


CLASSIFIERS: dict[str, Classifier] = {
    "perceptron": _classifier(
        lambda key, x, y: perceptron(x, y, max_epochs=100)[0], linear_predict
    ),
    "logistic_regression": _classifier(
        lambda key, x, y: logistic_regression(x, y, steps=1000)[0], linear_predict
    ),
    "adaboost": _classifier(_adaboost, adaboost_predict),
    "linear_svm": _classifier(lambda key, x, y: linear_svm(x, y, l2=1e-3)[0], linear_predict),
    "rbf_svm": _classifier(lambda key, x, y: rbf_svm(x, y), _predict_sklearn, binary=False),
    "knn": _classifier(lambda key, x, y: knn(x, y), _predict_sklearn, binary=False),
}
"""Name to classifier with sensible defaults; call the functions themselves to choose settings.

The params of the first four are pytrees, those of `rbf_svm` and `knn` are scikit-learn models."""
