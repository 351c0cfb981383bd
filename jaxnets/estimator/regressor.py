"""Regression with a multi-layer perceptron."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import optax
from sklearn.base import RegressorMixin
from sklearn.utils.validation import validate_data

from jaxnets.activations import Activation
from jaxnets.estimator.inputs import FLOATS, dense, of_length, readable, sample_weights
from jaxnets.estimator.network import Layered, Samples

LOSS = "squared_error"


class MLPRegressor(RegressorMixin, Layered):
    """Predicts one or more numbers with a multi-layer perceptron that minimises the squared error.

    Features and targets are not scaled: put a `StandardScaler` in front, and a
    `TransformedTargetRegressor` around it if targets are far from mean 0 and variance 1.

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
        early_stopping: whether to end after `n_iter_no_change` epochs in a row whose loss of the
            held-out samples is not better by `tol`, and keep the params of the best.
        validation_fraction: of the samples, held out for the curves in `history_` and for early
            stopping, which takes a tenth if this is 0.
        n_iter_no_change: the patience of early stopping.
        tol: by how much a loss must be better.
        warm_start: whether `fit` begins with the params of the last call.
        verbose: whether to show a bar with the newest metrics.
        random_state: decides the first weights, the batches and the held-out samples.

    Attributes:
        history_: `train_loss` and, of held-out samples, `valid_loss`, each `[epochs]`.
        loss_curve_: the former as a list, the mean loss of each epoch without the penalty.
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

    stops_by = "valid_loss"
    _target_shape: tuple[int, ...]

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
        early_stopping: bool = False,
        validation_fraction: float = 0.0,
        n_iter_no_change: int = 10,
        tol: float = 1e-4,
        warm_start: bool = False,
        verbose: bool = False,
        random_state: int | np.random.RandomState | None = None,
    ):
        self._assign(locals())

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> "MLPRegressor":
        """Trains on samples `X [samples, features]`, `y [samples]` or `[samples, targets]`.

        Args:
            X: dense, or sparse, of which a dense copy is made.
            y: the targets.
            sample_weight: how much each sample counts, `[samples]`; by default all alike.

        Raises:
            ValueError: shapes that do not fit, a NaN or infinity, or a parameter out of range.
            DivergedError: the loss is not finite; try a smaller learning rate.
        """
        samples = self._checked(X, y, sample_weight, first=True)
        self._train(samples, samples.y.shape[1], LOSS)
        return self

    def partial_fit(self, X: Any, y: Any, sample_weight: Any = None) -> "MLPRegressor":
        """Takes one more epoch, on these samples.

        Raises:
            ValueError, DivergedError: as for `fit`, or features or targets of another number.
        """
        first = not hasattr(self, "params_")
        samples = self._checked(X, y, sample_weight, first)
        self._train_more(samples, samples.y.shape[1], LOSS)
        return self

    def _checked(self, X: Any, y: Any, weight: Any, first: bool) -> Samples:
        X, y = readable(X, "X"), dense(readable(y, "y"))
        numbers = {"dtype": FLOATS, "multi_output": True, "y_numeric": True}
        X, y = validate_data(self, X, y, reset=first, accept_sparse="csr", **numbers)
        if not first and y.shape[1:] != self._target_shape:
            raise ValueError(f"y has shape {y.shape}, but targets were {self._target_shape} before")
        weight = sample_weights(weight, X)
        self._target_shape = y.shape[1:]
        return Samples(dense(X), y.reshape(len(y), -1).astype(np.float64), weight)

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
        return super().score(X, of_length(y, X), sample_weight)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags
