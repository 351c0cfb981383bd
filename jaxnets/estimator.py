"""Multi-layer perceptrons as scikit-learn estimators: `fit`, `predict`, `score`, pipelines, grids.

Thin over `jaxnets.fit`: the whole training is one program, compiled once for each shape of the
data and each architecture. Other learning rates and penalties reuse that program.
"""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import jax
import numpy as np
import optax
from jax import Array
from scipy.special import softmax
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin
from sklearn.model_selection import train_test_split
from sklearn.utils import check_random_state
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted, validate_data

from jaxnets.activations import Activation
from jaxnets.data import Dataset
from jaxnets.fit import fit
from jaxnets.models import MLP
from jaxnets.train import Run


class _Net(BaseEstimator):
    """What the classifier and the regressor share: the constructor and the training."""

    def __init__(
        self,
        widths: Sequence[int] = (100,),
        activation: str | Activation = "relu",
        residual: bool = False,
        learning_rate: float = 1e-3,
        epochs: int = 100,
        batch_size: int | None = 64,
        l2: float = 0.0,
        optimizer: Callable[..., optax.GradientTransformation] = optax.adam,
        validation_fraction: float = 0.0,
        random_state: int | np.random.RandomState | None = None,
    ):
        """Stores the choices; nothing is checked before `fit`.

        Args:
            widths: units of each hidden layer; empty for a linear model.
            activation: of the hidden layers, a name in `jaxnets.ACTIVATIONS` or one of your own.
            residual: whether a hidden layer as wide as its input adds that input to its value.
            learning_rate: given to `optimizer`.
            epochs: passes over the training samples; all of them are made.
            batch_size: samples a step, at most all of them; None for all of them.
            l2: coefficient of the squared weights, added to the mean loss of a sample.
            optimizer: anything that `optimizer(learning_rate=...)` makes an optax optimizer.
            validation_fraction: of the samples, held out for the curves in `history_` only.
            random_state: decides the first weights, the order and the held-out samples.
        """
        self.widths = widths
        self.activation = activation
        self.residual = residual
        self.learning_rate = learning_rate
        self.epochs = epochs
        self.batch_size = batch_size
        self.l2 = l2
        self.optimizer = optimizer
        self.validation_fraction = validation_fraction
        self.random_state = random_state

    def _train(self, x: np.ndarray, y: np.ndarray, outputs: int, loss: str) -> None:
        rng = check_random_state(self.random_state)
        dataset = self._split(x, y, rng)
        n = len(dataset.train["x"])
        self.model_ = MLP(self.widths, outputs, self.activation, self.residual)
        run = Run(
            self.model_,
            loss,
            epochs=self.epochs,
            batch_size=None if self.batch_size is None or self.batch_size >= n else self.batch_size,
            optimizer=self.optimizer,
        )
        key = jax.random.key(rng.randint(np.iinfo(np.int32).max))
        hparams = {"learning_rate": self.learning_rate, "l2": self.l2}
        state, history = jax.device_get(fit(run, key, dataset, hparams))
        self.params_, self.history_, self.n_iter_ = state.params, history, self.epochs

    def _split(self, x: np.ndarray, y: np.ndarray, rng: np.random.RandomState) -> Dataset:
        if not self.validation_fraction:
            return Dataset({"x": x, "y": y})
        train_x, valid_x, train_y, valid_y = train_test_split(
            x,
            y,
            test_size=float(self.validation_fraction),
            random_state=rng,
            stratify=y if y.ndim == 1 else None,
        )
        return Dataset({"x": train_x, "y": train_y}, {"x": valid_x, "y": valid_y})

    def _outputs(self, x: Any) -> np.ndarray:
        check_is_fitted(self)
        x = validate_data(self, x, reset=False, dtype=_dtype())
        return np.asarray(_apply(self.model_, self.params_, x))


class NetClassifier(ClassifierMixin, _Net):
    """A multi-layer perceptron that minimises the softmax cross entropy, for two classes or more.

    Features are taken as they are, never scaled: put a `StandardScaler` in front. Held-out samples
    are stratified. Classes may be integers, strings or anything that sorts.

    Attributes:
        classes_: the classes, sorted, `[classes]`.
        history_: `train_loss`, `train_accuracy` and, with held-out samples, `valid_loss` and
            `valid_accuracy`, each `[epochs]`.
        model_: the Flax module.
        params_: its parameters, as NumPy arrays.
        n_iter_: the epochs made.
        n_features_in_: the features of a sample.
    """

    classes_: np.ndarray

    def fit(self, X: Any, y: Any) -> "NetClassifier":
        """Trains on samples `X [samples, features]` with classes `y [samples]`.

        Raises:
            ValueError: wrong shapes, NaN or infinity, continuous or single-class `y`, or a
                choice out of range.
            Diverged: the loss is not finite; try a smaller learning rate.
        """
        X, y = validate_data(self, X, y, dtype=_dtype())
        check_classification_targets(y)
        self.classes_, labels = np.unique(y, return_inverse=True)
        if len(self.classes_) == 1:
            raise ValueError(f"y has one class only, {self.classes_[0]!r}; a classifier needs two")
        self._train(X, labels, len(self.classes_), "softmax_cross_entropy")
        return self

    def predict_proba(self, X: Any) -> np.ndarray:
        """The probability of each of `classes_`, `[samples, classes]`; rows sum to 1.

        Raises:
            NotFittedError, ValueError: no `fit` yet, or other features than in `fit`.
        """
        return softmax(self._outputs(X), axis=1)

    def predict(self, X: Any) -> np.ndarray:
        """The most likely class of each sample `[samples, features]`, `[samples]`.

        Raises:
            NotFittedError, ValueError: as `predict_proba`.
        """
        best = np.argmax(self._outputs(X), axis=1)
        return self.classes_[best]


class NetRegressor(RegressorMixin, _Net):
    """A multi-layer perceptron that minimises the squared error, for one target or more.

    Features and targets are taken as they are, never scaled: put a `StandardScaler` in front, and
    a `TransformedTargetRegressor` around for targets that are far from 0 or from unit variance.

    Attributes:
        history_: `train_loss` and, with held-out samples, `valid_loss`, each `[epochs]`.
        model_: the Flax module.
        params_: its parameters, as NumPy arrays.
        n_iter_: the epochs made.
        n_features_in_: the features of a sample.
    """

    def fit(self, X: Any, y: Any) -> "NetRegressor":
        """Trains on samples `X [samples, features]`, targets `y [samples]` or `[samples, targets]`.

        Raises:
            ValueError: wrong shapes, NaN or infinity, or a choice out of range.
            Diverged: the loss is not finite; try a smaller learning rate.
        """
        X, y = validate_data(self, X, y, dtype=_dtype(), multi_output=True, y_numeric=True)
        self._target_shape = y.shape[1:]
        targets = y.reshape(len(y), -1).astype(_dtype())
        self._train(X, targets, targets.shape[1], "squared_error")
        return self

    def predict(self, X: Any) -> np.ndarray:
        """The targets of samples `[samples, features]`, in the shape that `fit` was given.

        Raises:
            NotFittedError, ValueError: no `fit` yet, or other features than in `fit`.
        """
        return self._outputs(X).reshape(-1, *self._target_shape).astype(np.float64)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags


@partial(jax.jit, static_argnums=0)
def _apply(model: MLP, params: Any, x: Array) -> Array:
    return model.apply(params, x)


def _dtype() -> np.dtype:
    return jax.dtypes.canonicalize_dtype(np.float64)
