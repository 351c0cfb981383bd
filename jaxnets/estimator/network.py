"""What the estimators share: parameters, one training run, and predictions."""

from collections.abc import Callable, Sequence
from contextvars import ContextVar
from functools import lru_cache, partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax import Array
from sklearn.base import BaseEstimator
from sklearn.model_selection import train_test_split
from sklearn.utils.validation import check_is_fitted, validate_data

from jaxnets.activations import Activation
from jaxnets.data import Dataset
from jaxnets.estimator.inputs import advice, blocks, random_numbers, readable
from jaxnets.host import checks
from jaxnets.models import MLP
from jaxnets.training.fit import fit
from jaxnets.training.loop import State, split_key
from jaxnets.training.spec import TrainSpec
from jaxnets.training.stopping import EarlyStopping

TENTH = 0.1
"""What early stopping holds out unless told otherwise."""
LOGISTIC = {"logistic": "sigmoid"}
"""Activations that scikit-learn calls otherwise."""


class Trained(NamedTuple):
    """What a run has found, as NumPy arrays."""

    params: Any
    history: dict[str, np.ndarray]
    opt_state: Any = None


class Run(NamedTuple):
    """The training that an estimator asks for."""

    spec: TrainSpec
    key: Array
    data: Dataset
    hparams: dict[str, float]
    progress: bool = False
    start: State | None = None
    """Where to go on, by default from new params."""

    def fit(self) -> Trained:
        """Trains one network."""
        state, history = fit(
            *(self.spec, self.key, self.data, self.hparams),
            progress=self.progress,
            state=self.start,
        )
        return Trained(*jax.device_get((state.params, history, state.opt_state)))


RUNNER: ContextVar[Callable[[Run], Trained]] = ContextVar("RUNNER", default=Run.fit)
"""What trains the run of an estimator; a search collects the runs first, to train many at once."""


class Samples(NamedTuple):
    """Samples `[samples, features]` with targets, and perhaps weights `[samples]`."""

    x: np.ndarray
    y: np.ndarray
    weight: np.ndarray | None = None

    def part(self) -> dict[str, np.ndarray]:
        """Returns them as a part of a data set."""
        return {name: part for name, part in self._asdict().items() if part is not None}


class Network(BaseEstimator):
    """Shared by all estimators: the parameters and the training."""

    activation: str | Activation
    learning_rate: float
    epochs: int
    batch_size: int | None
    l2: float
    optimizer: Callable[..., optax.GradientTransformation]
    early_stopping: bool
    validation_fraction: float
    n_iter_no_change: int
    tol: float
    warm_start: bool
    verbose: bool
    random_state: int | np.random.RandomState | None
    stops_by: str
    params_: Any

    def __new__(cls, *args: Any, **parameters: Any) -> Any:
        """Names what is meant by a parameter of scikit-learn's networks.

        Raises:
            TypeError: such a parameter.
        """
        hint = advice([name for name in parameters if name not in cls._get_param_names()])
        if hint:
            raise TypeError(f"{cls.__name__} has other parameters: {hint}")
        return super().__new__(cls)

    @classmethod
    @lru_cache(maxsize=64)
    def _get_param_names(cls) -> list[str]:  # scikit-learn reads the signature at every call
        return super()._get_param_names()

    def _assign(self, given: dict[str, Any]) -> None:
        """Stores the parameters that a constructor was given."""
        for name in self._get_param_names():
            setattr(self, name, given[name])

    def set_params(self, **params: Any) -> "Network":
        """Sets parameters by name.

        Raises:
            ValueError: a name that is not a parameter.
        """
        try:
            return super().set_params(**params)
        except ValueError as error:
            raise ValueError(" ".join(filter(None, (str(error), advice(params))))) from None

    def _model(self, outputs: int) -> Any:
        raise NotImplementedError

    def _train(self, samples: Samples, outputs: int, loss: str) -> None:
        rng = random_numbers(self.random_state)
        start = self.params_ if self.warm_start and hasattr(self, "params_") else None
        dataset = self._split(samples, rng)
        self.model_ = self._model(outputs)
        spec = self._spec(loss, len(dataset.train["x"]), self.epochs)
        run = Run(spec, _key(rng), dataset, self._hparams(), bool(self.verbose))
        if start is not None:
            _require_same_shapes(start, self.model_, dataset.train["x"])
            run = run._replace(start=_state(run, start))
        trained = RUNNER.get()(run)
        self.params_, self.history_ = trained.params, trained.history
        self._opt_state = None
        self._summarise()

    def _train_more(self, samples: Samples, outputs: int, loss: str) -> None:
        """Takes one more epoch, with the optimizer's state of the last."""
        if self.early_stopping:
            raise ValueError("partial_fit takes one epoch a call: early_stopping must be False")
        first = not hasattr(self, "params_")
        if first:
            self._rng, self.model_ = random_numbers(self.random_state), self._model(outputs)
            self.history_, self._opt_state = {}, None
        if not hasattr(self, "_rng"):
            self._rng = random_numbers(self.random_state)
        data, key = Dataset(samples.part()), _key(self._rng)
        run = Run(self._spec(loss, len(samples.x), 1), key, data, self._hparams())
        if not first:
            run = run._replace(start=_state(run, self.params_, self._opt_state))
        trained = run.fit()
        self.params_, self._opt_state = trained.params, trained.opt_state
        self.history_ = {
            name: np.append(self.history_.get(f"{name}", []), rows)
            for name, rows in trained.history.items()
        }
        self._summarise()

    def _summarise(self) -> None:
        self.loss_curve_ = self.history_.get("train_loss", np.zeros(0)).tolist()
        self.n_iter_ = len(self.loss_curve_)
        self.__dict__.pop("validation_scores_", None)
        if "valid_accuracy" in self.history_:
            self.validation_scores_ = self.history_["valid_accuracy"].tolist()

    def _hparams(self) -> dict[str, float]:
        return {"learning_rate": self.learning_rate, "l2": self.l2}

    def _spec(self, loss: str, samples: int, epochs: int) -> TrainSpec:
        if self.batch_size is not None:
            checks.require_count(self.batch_size, "batch_size")
        in_batches = self.batch_size is not None and self.batch_size < samples
        return TrainSpec(
            self.model_,
            loss,
            epochs=epochs,
            batch_size=self.batch_size if in_batches else None,
            optimizer=self.optimizer,
            stopping=self._stopping(),
        )

    def _stopping(self) -> EarlyStopping | None:
        if not self.early_stopping:
            return None
        checks.require_count(self.n_iter_no_change, "n_iter_no_change")
        checks.require_at_least_0(self.tol, "tol")
        return EarlyStopping(self.stops_by, int(self.n_iter_no_change), float(self.tol))

    def _split(self, samples: Samples, rng: np.random.RandomState) -> Dataset:
        checks.require_share(self.validation_fraction, "validation_fraction")
        fraction = self.validation_fraction or (TENTH if self.early_stopping else 0)
        if not fraction:
            return Dataset(samples.part())
        given = samples.part()
        parts = train_test_split(
            *given.values(),
            test_size=fraction,
            random_state=rng,
            stratify=samples.y if samples.y.ndim == 1 else None,
        )
        train, valid = (dict(zip(given, parts[i::2], strict=True)) for i in (0, 1))
        return Dataset(train, valid)

    def _outputs(self, x: Any) -> np.ndarray:
        check_is_fitted(self)
        x = self._columns(readable(x, "X"))
        x = validate_data(self, x, reset=False, dtype=np.float64, accept_sparse="csr")
        found = [np.asarray(self._apply(part))[:rows] for part, rows in blocks(x)]
        return np.concatenate(found)

    def _apply(self, x: np.ndarray) -> Array:
        with jax.enable_x64(True):
            return _apply(self.model_, self.params_, self._inputs(x))

    def _columns(self, x: Any) -> Any:
        """Returns samples as columns."""
        return x

    def _inputs(self, x: np.ndarray) -> np.ndarray:
        """Returns columns in the shape that the model takes."""
        return x

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags


class Layered(Network):
    """An estimator of which the network is an `MLP`."""

    hidden_layer_sizes: int | Sequence[int]
    residual: bool
    dropout: float

    def _hparams(self) -> dict[str, float]:
        checks.require_share(self.dropout, "dropout")
        return super()._hparams() | ({"dropout": self.dropout} if self.dropout else {})

    def _model(self, outputs: int) -> MLP:
        sizes: Any = self.hidden_layer_sizes
        widths = checks.as_counts([sizes] if np.ndim(sizes) == 0 else sizes, "hidden_layer_sizes")
        return MLP(widths, outputs, own_name(self.activation), self.residual)


def own_name(activation: Any) -> Any:
    """Returns the name here of an activation that scikit-learn calls otherwise."""
    return LOGISTIC.get(activation, activation) if isinstance(activation, str) else activation


def _key(rng: np.random.RandomState) -> Array:
    return jax.random.key(rng.randint(np.iinfo(np.int32).max))


def _require_same_shapes(params: Any, model: Any, x: np.ndarray) -> None:
    """Raises a ValueError unless params are those of the model for samples x."""
    of_one = jax.ShapeDtypeStruct((1, *x.shape[1:]), np.float32)
    drawn = jax.eval_shape(model.init, jax.eval_shape(jax.random.key, 0), of_one)
    before, now = (jax.tree.map(np.shape, tree) for tree in (params, drawn))
    if before != now:
        raise ValueError(
            "warm_start goes on with the params of the last fit, but the features, targets or "
            f"layers are others: their shapes were {before}, now {now}; use warm_start=False"
        )


def _state(run: Run, params: Any, opt_state: Any = None) -> State:
    """Returns a first state that has these params."""
    if opt_state is None:
        rate = {"learning_rate": np.float32(run.hparams["learning_rate"])}
        opt_state = run.spec.optimizer(**rate).init(params)
    state = State(params, opt_state, jnp.zeros((), jnp.int32), split_key(run.key).step)
    return jax.tree.map(jnp.asarray, state)


@partial(jax.jit, static_argnums=0)
def _apply(model: Any, params: Any, x: Array) -> Array:
    return model.apply(params, x)
