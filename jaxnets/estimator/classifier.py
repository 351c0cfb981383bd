"""Classifiers: what they share, and the multi-layer perceptron."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import optax
from scipy.special import expit, softmax
from sklearn.base import ClassifierMixin
from sklearn.utils.multiclass import check_classification_targets, type_of_target
from sklearn.utils.validation import column_or_1d, validate_data

from jaxnets.activations import Activation
from jaxnets.estimator.inputs import (
    FLOATS,
    dense,
    of_length,
    readable,
    sample_weights,
    weights_of_classes,
)
from jaxnets.estimator.network import Layered, Network, Samples

LOSS = "softmax_cross_entropy"
MULTI_LABEL_LOSS = "multilabel_cross_entropy"


class Classifier(ClassifierMixin, Network):
    """What classifiers share: classes and labels, `fit`, `partial_fit` and predictions."""

    class_weight: str | Mapping[Any, float] | None
    classes_: np.ndarray
    stops_by = "valid_accuracy"
    _labelled = False

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Any:
        """Trains on samples `X [samples, features]` of classes y.

        Args:
            X: dense, or sparse, of which a dense copy is made.
            y: a class a sample, `[samples]`, or several labels, 0 or 1 `[samples, labels]`.
            sample_weight: how much each sample counts, `[samples]`; by default all alike. The
                weight of its class multiplies it.

        Raises:
            ValueError: shapes that do not fit, a NaN or infinity, a `y` that is continuous or
                has a single class, or a parameter or weight out of range.
            DivergedError: the loss is not finite; try a smaller learning rate.
        """
        X, y = self._checked(X, y, first=True)
        known = self.classes_ if self.warm_start and hasattr(self, "params_") else None
        classes = _classes(y)
        if known is not None and not np.array_equal(classes, known):
            raise ValueError(f"y has classes {classes}, but warm_start goes on with {known}")
        self.classes_, self._labelled = classes, y.ndim == 2
        self._train(self._samples(X, y, sample_weight), len(self.classes_), self._loss())
        return self

    def partial_fit(self, X: Any, y: Any, classes: Any = None, sample_weight: Any = None) -> Any:
        """Takes one more epoch, on these samples.

        Args:
            X: samples `[samples, features]`.
            y: their classes, as for `fit`.
            classes: all classes there are, which the first call needs unless y is multi-label.
            sample_weight: how much each sample counts, `[samples]`.

        Raises:
            ValueError: a first call without classes, classes that were not named then, or as `fit`.
            DivergedError: the loss is not finite; try a smaller learning rate.
        """
        first = not hasattr(self, "params_")
        X, y = self._checked(X, y, first)
        if classes is not None:
            classes = np.unique(readable(classes, "classes"))
        if first:
            if classes is None and y.ndim == 1:
                raise ValueError("classes is None: the first call of partial_fit needs all of them")
            classes = _classes(y if y.ndim == 2 else classes)
            self.classes_, self._labelled = classes, y.ndim == 2
        elif classes is not None and not np.array_equal(classes, self.classes_):
            raise ValueError(f"classes are {classes}, but before they were {self.classes_}")
        samples = self._samples(X, y, sample_weight)
        self._train_more(samples, len(self.classes_), self._loss())
        return self

    def _checked(self, X: Any, y: Any, first: bool) -> tuple[Any, np.ndarray]:
        X, y = self._columns(readable(X, "X")), dense(readable(y, "y"))
        X, y = validate_data(
            self, X, y, reset=first, dtype=FLOATS, accept_sparse="csr", multi_output=True
        )
        check_classification_targets(y)
        kind = type_of_target(y)
        if kind == "multiclass-multioutput":
            raise ValueError(f"y has shape {y.shape}: several labels a sample must be 0 or 1")
        return X, y if kind == "multilabel-indicator" else column_or_1d(y, warn=True)

    def _samples(self, X: Any, y: np.ndarray, weight: Any) -> Samples:
        """Numbers the classes, and multiplies both kinds of weights."""
        labels = self._labels(y)
        weight = sample_weights(weight, X)
        if self._labelled and self.class_weight is not None:
            raise ValueError("class_weight needs one class a sample: give sample_weight instead")
        of_class = weights_of_classes(self.class_weight, self.classes_, labels)
        if of_class is not None:
            weight = of_class if weight is None else of_class * weight
        return Samples(self._inputs(dense(X)), labels, weight)

    def _labels(self, y: np.ndarray) -> np.ndarray:
        if y.ndim - 1 != self._labelled or (self._labelled and y.shape[1] != len(self.classes_)):
            raise ValueError(f"y has shape {y.shape}; before, it had {len(self.classes_)} classes")
        if self._labelled:
            return y
        unseen = np.setdiff1d(y, self.classes_)
        if unseen.size:
            raise ValueError(f"y has a class {unseen[0]!r}; the classes are {self.classes_}")
        return np.searchsorted(self.classes_, y)

    def _loss(self) -> str:
        return MULTI_LABEL_LOSS if self._labelled else LOSS

    def predict_proba(self, X: Any) -> np.ndarray:
        """Computes the probability of each of `classes_`, `[samples, classes]`.

        Those of one class a sample sum to 1; of several labels, each is by itself.

        Raises:
            NotFittedError: `fit` was not called.
            ValueError: not as many features as in `fit`, a NaN or infinity.
        """
        outputs = self._outputs(X)
        return expit(outputs) if self._labelled else softmax(outputs, axis=1)

    def predict(self, X: Any) -> np.ndarray:
        """Predicts the most likely class of each sample, `[samples]`, or labels as y had them.

        Raises:
            NotFittedError, ValueError: as for `predict_proba`.
        """
        outputs = self._outputs(X)
        if self._labelled:
            return (outputs >= 0).astype(int)
        return self.classes_[outputs.argmax(axis=1)]

    def score(self, X: Any, y: Any, sample_weight: Any = None) -> float:
        """Computes the accuracy on samples X of classes y; of several labels, all must be right.

        Raises:
            NotFittedError, ValueError, TypeError: as for `predict`, or classes that do not fit.
        """
        return super().score(X, of_length(y, X), sample_weight)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_label = True
        return tags


def _classes(y: np.ndarray) -> np.ndarray:
    """Returns the classes, sorted, or the numbers of the labels of an indicator."""
    if y.ndim == 2:
        return np.arange(y.shape[1])
    classes = np.unique(y)
    if len(classes) < 2:
        raise ValueError(f"y has only one class, {classes[0]}; a classifier needs two")
    return classes


class MLPClassifier(Layered, Classifier):
    """Classifies with a multi-layer perceptron that minimises the softmax cross entropy.

    Features are not scaled: put a `StandardScaler` in front. Classes may be numbers or strings, two
    or more; or each sample has several labels, `y [samples, labels]` of 0 and 1, for which the
    loss is the sum of binary cross entropies. Held-out samples are stratified by class.

    Args:
        hidden_layer_sizes: units of each hidden layer, an integer for one layer; empty for a linear
            model.
        activation: of the hidden layers, a name in `jaxnets.ACTIVATIONS` or of scikit-learn, or an
            `Activation`.
        residual: whether a hidden layer as wide as its input adds that input to its value.
        learning_rate: passed to `optimizer`.
        epochs: passes over the training samples, at most.
        batch_size: samples per step; None, or more than there are, for all of them.
        l2: the coefficient of the sum of squared weights, added to the mean loss.
        dropout: the fraction of each hidden layer's values that training drops, in [0, 1).
        optimizer: builds any optax optimizer from a `learning_rate`.
        class_weight: the weight of each class as a dict, in which others count as 1; or "balanced",
            for `n / (k n_c)` with n samples, k classes and n_c samples of the class.
        early_stopping: whether to end after `n_iter_no_change` epochs in a row whose accuracy on
            the held-out samples is not better by `tol`, and keep the params of the best.
        validation_fraction: of the samples, held out for the curves in `history_` and for early
            stopping, which takes a tenth if this is 0.
        n_iter_no_change: the patience of early stopping.
        tol: by how much an accuracy must be better.
        warm_start: whether `fit` begins with the params of the last call.
        verbose: whether to show a bar with the newest metrics.
        random_state: decides the first weights, the batches and the held-out samples.

    Attributes:
        classes_: the classes, sorted, `[classes]`.
        history_: `train_loss`, `train_accuracy` and, of held-out samples, `valid_loss` and
            `valid_accuracy`, each `[epochs]`.
        loss_curve_: the first as a list, the mean loss of each epoch without the penalty.
        validation_scores_: the last as a list.
        model_: the Flax module.
        params_: its parameters, as NumPy arrays.
        n_iter_: the number of epochs.
        n_features_in_: the number of features of a sample.

    Examples:
        >>> from sklearn.datasets import load_iris
        >>> from sklearn.pipeline import make_pipeline
        >>> from sklearn.preprocessing import StandardScaler
        >>> from jaxnets.estimator import MLPClassifier
        >>> X, y = load_iris(return_X_y=True)
        >>> net = MLPClassifier((16,), learning_rate=0.01, random_state=0)
        >>> model = make_pipeline(StandardScaler(), net).fit(X, y)
        >>> model.score(X, y) > 0.95
        True
        >>> model.predict_proba(X[:2]).shape
        (2, 3)

    See Also:
        MLPRegressor: the same network for numbers.
        CNNClassifier: a network for images.
        jaxnets.fit: the training itself, with every loss, model and optimizer.
    """

    def __init__(
        self,
        hidden_layer_sizes: int | Sequence[int] = (100,),
        *,
        activation: str | Activation = "relu",
        residual: bool = False,
        learning_rate: float = 1e-3,
        epochs: int = 100,
        batch_size: int | None = 64,
        l2: float = 0.0,
        dropout: float = 0.0,
        optimizer: Callable[..., optax.GradientTransformation] = optax.adam,
        class_weight: str | Mapping[Any, float] | None = None,
        early_stopping: bool = False,
        validation_fraction: float = 0.0,
        n_iter_no_change: int = 10,
        tol: float = 1e-4,
        warm_start: bool = False,
        verbose: bool = False,
        random_state: int | np.random.RandomState | None = None,
    ):
        self._assign(locals())
