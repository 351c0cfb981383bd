"""The table of all classical classifiers, with one interface, and two scikit-learn baselines."""

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import numpy as np
from jax import Array
from jax.typing import ArrayLike
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.svm import SVC

from jaxnets.classical.boosting import (
    adaboost,
    adaboost_predict,
    even_directions,
    random_directions,
)
from jaxnets.classical.logistic import logistic_regression
from jaxnets.classical.perceptrons import perceptron
from jaxnets.classical.scaling import exact_features, measure
from jaxnets.classical.svm import linear_svm
from jaxnets.classical.threshold import linear_predict
from jaxnets.host import checks


class Classifier(NamedTuple):
    """Fits and predicts with two functions that check their data before anything compiles.

    Args:
        fit: `(key, x [samples, ...], y [samples]) -> params`; features are flattened.
        predict: `(params, x [samples, ...]) -> class indices [samples]`.

    Example:
        >>> import jax, numpy as np
        >>> x, y = np.array([[-2.0], [-1.0], [1.0], [2.0]]), np.array([0, 0, 1, 1])
        >>> fit, predict = CLASSIFIERS["perceptron"]
        >>> predict(fit(jax.random.key(0), x, y), x).tolist()
        [0, 0, 1, 1]
    """

    fit: Callable[[Array, ArrayLike, ArrayLike], Any]
    predict: Callable[[Any, ArrayLike], np.ndarray]


def rbf_svm(x: np.ndarray, y: np.ndarray, *, C: float = 10.0, gamma: float | str = "scale") -> SVC:
    """Fits scikit-learn's SVM with kernel `exp(-gamma |x - x'|^2)` to any classes (row A8).

    It takes x `[samples, features]` and y `[samples]`.

    Its own `predict` takes samples as they are, so pixels are not scaled here.

    Example:
        >>> rbf_svm(np.array([[0.0], [1.0], [2.0]]), np.array([0, 1, 0])).predict([[1.0]]).tolist()
        [1]
    """
    return SVC(kernel="rbf", C=C, gamma=gamma).fit(*_as_given(x, y))


def knn(x: np.ndarray, y: np.ndarray, *, n_neighbors: int = 5) -> KNeighborsClassifier:
    """Fits scikit-learn's nearest-neighbour classifier to any number of classes (row A8).

    It takes x `[samples, features]` and y `[samples]`.

    Its own `predict` takes samples as they are, so pixels are not scaled here.

    Example:
        >>> knn(np.array([[0.0], [1.0]]), np.array([0, 1]), n_neighbors=1).predict([[0.9]]).tolist()
        [1]
    """
    return KNeighborsClassifier(n_neighbors).fit(*_as_given(x, y))


def _as_given(x: Any, y: Any) -> tuple[np.ndarray, np.ndarray]:
    """Returns samples and classes as arrays; scikit-learn checks their values itself."""
    x, y = checks.as_rows(x, "x"), checks.as_rows(y, "y")
    checks.require_same_length(x, y)
    if x.dtype.kind in "mM":
        checks.as_numbers(x, "x")  # scikit-learn would take times for numbers
    return x, y if y.ndim == 1 else checks.as_labels(y, 2)


class _Scaler(BaseEstimator, TransformerMixin):
    """The `Scaling` of this package as the first step of a scikit-learn pipeline."""

    def fit(self, x: np.ndarray, y: Any = None) -> "_Scaler":
        self.scaling_ = measure(x)
        return self

    def transform(self, x: np.ndarray) -> np.ndarray:
        return self.scaling_.apply(x)


def _features(x: ArrayLike) -> np.ndarray:
    found = exact_features(x)
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


def _linear(train: Callable[[np.ndarray, np.ndarray], Any]) -> Classifier:
    """Trains on scaled features, and returns the params for the features as they were given."""

    def fit(key: Array, x: np.ndarray, y: np.ndarray) -> Any:
        scaling = measure(x)
        return scaling.restore(train(scaling.apply(x), y))

    return _classifier(fit, linear_predict)


def _baseline(model: Callable[[], Any]) -> Classifier:
    def fit(key: Array, x: np.ndarray, y: np.ndarray) -> Any:
        return make_pipeline(_Scaler(), model()).fit(x, y)

    return _classifier(fit, _predict_sklearn, binary=False)


def _logistic(x: np.ndarray, y: np.ndarray) -> Any:
    """Uses the largest rate that never raises the loss: 4 over the largest eigenvalue."""
    rows = np.append(x, np.ones((len(x), 1)), axis=1)
    gram = rows @ rows.T if len(rows) < rows.shape[1] else rows.T @ rows
    rate = 4 * len(x) / float(np.linalg.norm(gram, 2))
    return logistic_regression(x, y, learning_rate=rate, steps=1000)[0]


def _adaboost(key: Array, x: np.ndarray, y: np.ndarray) -> Any:
    features = x.shape[1]
    plane = features == 2
    directions = even_directions(64) if plane else random_directions(key, 256, features)
    return adaboost(x, y, np.asarray(directions, np.float64) / measure(x).typical)[0]


def _predict_sklearn(model: Any, x: np.ndarray) -> np.ndarray:
    return model.predict(x).astype(np.int32)


CLASSIFIERS: dict[str, Classifier] = {
    "perceptron": _linear(lambda x, y: perceptron(x, y, max_epochs=100)[0]),
    "logistic_regression": _linear(_logistic),
    "adaboost": _classifier(_adaboost, adaboost_predict),
    "linear_svm": _linear(lambda x, y: linear_svm(x, y, l2=1e-3)[0]),
    "rbf_svm": _baseline(partial(SVC, C=10.0)),
    "knn": _baseline(KNeighborsClassifier),
}
"""Name to classifier with sensible defaults; call the functions themselves to choose settings.

Features are centred and scaled first, each by itself and in double precision, so that no result
depends on their units. The params of the first four are pytrees for the features as given, those of
`rbf_svm` and `knn` are scikit-learn pipelines."""
