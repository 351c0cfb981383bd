"""Multi-layer perceptrons as scikit-learn estimators, for pipelines and grid searches.

They are thin wrappers of `jaxnets.fit`: training is one program, compiled once per architecture
and shape of the data; a different learning rate or penalty reuses it. Predictions are computed in
double precision, so that the prediction of a sample does not depend on the other samples.
"""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, NamedTuple

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
from jaxnets.host import checks
from jaxnets.models import MLP
from jaxnets.training.fit import fit
from jaxnets.training.loop import TrainSpec

FLOATS = (np.float64, np.float32)


class Run(NamedTuple):
    """The training that an estimator asks for."""

    spec: TrainSpec
    key: Array
    data: Dataset
    hparams: dict[str, float]

    def fit(self) -> tuple[Any, dict[str, np.ndarray]]:
        """Trains, and returns params and history as NumPy arrays."""
        state, history = fit(self.spec, self.key, self.data, self.hparams)
        return jax.device_get((state.params, history))


class _MLPBase(BaseEstimator):
    """Shared by the classifier and the regressor: the parameters and the training."""

    def __init__(
        self,
        hidden_layer_sizes: Sequence[int] = (100,),
        *,
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
        self.hidden_layer_sizes = hidden_layer_sizes
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
        try:
            rng = check_random_state(self.random_state)
        except (TypeError, ValueError) as error:
            raise ValueError(f"random_state is {self.random_state!r}: {error}") from error
        dataset = self._split(x, y, rng)
        if self.batch_size is not None:
            checks.require_count(self.batch_size, "batch_size")
        in_batches = self.batch_size is not None and self.batch_size < len(dataset.train["x"])
        widths = checks.as_counts(self.hidden_layer_sizes, "hidden_layer_sizes")
        self.model_ = MLP(widths, outputs, self.activation, self.residual)
        spec = TrainSpec(
            self.model_,
            loss,
            epochs=self.epochs,
            batch_size=self.batch_size if in_batches else None,
            optimizer=self.optimizer,
        )
        key = jax.random.key(rng.randint(np.iinfo(np.int32).max))
        hparams = {"learning_rate": self.learning_rate, "l2": self.l2}
        self.params_, self.history_ = self._run(Run(spec, key, dataset, hparams))
        self.n_iter_ = self.epochs

    def _run(self, run: Run) -> tuple[Any, dict[str, np.ndarray]]:
        return run.fit()

    def _split(self, x: np.ndarray, y: np.ndarray, rng: np.random.RandomState) -> Dataset:
        checks.require_share(self.validation_fraction, "validation_fraction")
        if self.validation_fraction == 0:
            return Dataset({"x": x, "y": y})
        train_x, valid_x, train_y, valid_y = train_test_split(
            x,
            y,
            test_size=self.validation_fraction,
            random_state=rng,
            stratify=y if y.ndim == 1 else None,
        )
        return Dataset({"x": train_x, "y": train_y}, {"x": valid_x, "y": valid_y})

    def _outputs(self, x: Any) -> np.ndarray:
        check_is_fitted(self)
        x = _readable(x, "X")
        x = validate_data(self, x, reset=False, dtype=np.float64)
        with jax.enable_x64(True):
            return np.asarray(_apply(self.model_, self.params_, x))


class MLPClassifier(ClassifierMixin, _MLPBase):
    """Classifies with a multi-layer perceptron that minimises the softmax cross entropy.

    Features are not scaled: put a `StandardScaler` in front. Classes may be numbers or strings, two
    or more. Held-out samples are stratified by class.

    Args:
        hidden_layer_sizes: units of each hidden layer; empty for a linear model.
        activation: of the hidden layers, a name in `jaxnets.ACTIVATIONS` or an `Activation`.
        residual: whether a hidden layer as wide as its input adds that input to its value.
        learning_rate: passed to `optimizer`.
        epochs: passes over the training samples; there is no early stopping.
        batch_size: samples per step; None, or more than there are, for all of them.
        l2: the coefficient of the sum of squared weights, added to the mean loss.
        optimizer: builds any optax optimizer from a `learning_rate`.
        validation_fraction: of the samples, held out for the curves in `history_`.
        random_state: decides the first weights, the batches and the held-out samples.

    Attributes:
        classes_: the classes, sorted, `[classes]`.
        history_: `train_loss`, `train_accuracy` and, of held-out samples, `valid_loss` and
            `valid_accuracy`, each `[epochs]`.
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
        jaxnets.fit: the training itself, with every loss, model and optimizer.
    """

    def fit(self, X: Any, y: Any) -> "MLPClassifier":
        """Trains on samples `X [samples, features]` of classes `y [samples]`.

        Raises:
            ValueError: shapes that do not fit, a NaN or infinity, a `y` that is continuous or
                has a single class, or a parameter out of range.
            DivergedError: the loss is not finite; try a smaller learning rate.
        """
        X, y = _readable(X, "X"), _readable(y, "y")
        X, y = validate_data(self, X, y, dtype=FLOATS)
        check_classification_targets(y)
        self.classes_, labels = np.unique(y, return_inverse=True)
        if len(self.classes_) < 2:
            raise ValueError(f"y has only one class, {self.classes_[0]}; a classifier needs two")
        self._train(X, labels, len(self.classes_), "softmax_cross_entropy")
        return self

    def predict_proba(self, X: Any) -> np.ndarray:
        """Computes the probability of each of `classes_`, `[samples, classes]`.

        Raises:
            NotFittedError: `fit` was not called.
            ValueError: not as many features as in `fit`, a NaN or infinity.
        """
        return softmax(self._outputs(X), axis=1)

    def predict(self, X: Any) -> np.ndarray:
        """Predicts the most likely class of each sample of `X [samples, features]`, `[samples]`.

        Raises:
            NotFittedError, ValueError: as for `predict_proba`.
        """
        best = self._outputs(X).argmax(axis=1)
        return self.classes_[best]

    def score(self, X: Any, y: Any, sample_weight: Any = None) -> float:
        """Computes the accuracy on samples `X [samples, features]` of classes `y [samples]`.

        Raises:
            NotFittedError, ValueError, TypeError: as for `predict`, or classes that do not fit.
        """
        return super().score(X, _of_length(y, X), sample_weight)


class MLPRegressor(RegressorMixin, _MLPBase):
    """Predicts one or more numbers with a multi-layer perceptron that minimises the squared error.

    Features and targets are not scaled: put a `StandardScaler` in front, and a
    `TransformedTargetRegressor` around it if targets are far from mean 0 and variance 1.

    Args:
        hidden_layer_sizes: units of each hidden layer; empty for a linear model.
        activation: of the hidden layers, a name in `jaxnets.ACTIVATIONS` or an `Activation`.
        residual: whether a hidden layer as wide as its input adds that input to its value.
        learning_rate: passed to `optimizer`.
        epochs: passes over the training samples; there is no early stopping.
        batch_size: samples per step; None, or more than there are, for all of them.
        l2: the coefficient of the sum of squared weights, added to the mean loss.
        optimizer: builds any optax optimizer from a `learning_rate`.
        validation_fraction: of the samples, held out for the curves in `history_`.
        random_state: decides the first weights, the batches and the held-out samples.

    Attributes:
        history_: `train_loss` and, of held-out samples, `valid_loss`, each `[epochs]`.
        model_: the Flax module.
        params_: its parameters, as NumPy arrays.
        n_iter_: the number of epochs.
        n_features_in_: the number of features of a sample.

    Examples:
        >>> import numpy as np
        >>> from jaxnets.estimator import MLPRegressor
        >>> X = np.linspace(-1, 1, 1000)[:, None]
        >>> y = np.sin(3 * X[:, 0])
        >>> net = MLPRegressor((32,), learning_rate=0.01, random_state=0)
        >>> net.fit(X, y).score(X, y) > 0.95
        True

    See Also:
        MLPClassifier: the same network for classes.
        jaxnets.fit: the training itself, with every loss, model and optimizer.
    """

    def fit(self, X: Any, y: Any) -> "MLPRegressor":
        """Trains on samples `X [samples, features]`, `y [samples]` or `[samples, targets]`.

        Raises:
            ValueError: shapes that do not fit, a NaN or infinity, or a parameter out of range.
            DivergedError: the loss is not finite; try a smaller learning rate.
        """
        X, y = _readable(X, "X"), _readable(y, "y")
        X, y = validate_data(self, X, y, dtype=FLOATS, multi_output=True, y_numeric=True)
        self._target_shape = y.shape[1:]
        targets = y.reshape(len(y), -1).astype(np.float64)
        self._train(X, targets, targets.shape[1], "squared_error")
        return self

    def predict(self, X: Any) -> np.ndarray:
        """Predicts the targets of `X [samples, features]`, in the shape of those given to `fit`.

        Raises:
            NotFittedError: `fit` was not called.
            ValueError: not as many features as in `fit`, a NaN or infinity.
        """
        return self._outputs(X).reshape(-1, *self._target_shape)

    def score(self, X: Any, y: Any, sample_weight: Any = None) -> float:
        """Computes R^2 of the predictions for `X [samples, features]` and targets `y`.

        Raises:
            NotFittedError, ValueError, TypeError: as for `predict`, or targets that do not fit.
        """
        return super().score(X, _of_length(y, X), sample_weight)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags


def _readable(value: Any, name: str) -> Any:
    """Returns what scikit-learn reads without loss; tables stay, for the names of their columns."""
    if value is None:
        return None  # scikit-learn says what is missing
    found = checks.as_numpy(value, name)
    if found.dtype.kind in "mM":
        raise TypeError(f"{name} has dtype {found.dtype}: turn times into numbers first")
    if hasattr(value, "columns"):
        return value
    half = checks.is_float(found.dtype) and found.dtype.itemsize < 4
    return found.astype(np.float32) if half else found


def _of_length(y: Any, x: Any) -> np.ndarray:
    """Returns targets as an array, once there is one for each sample."""
    y = checks.as_rows(_readable(y, "y"), "y")
    checks.require_same_length(checks.as_rows(x, "X"), y, ("X", "y"))
    return y


@partial(jax.jit, static_argnums=0)
def _apply(model: MLP, params: Any, x: Array) -> Array:
    return model.apply(params, x)
