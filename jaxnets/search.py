"""A search over hyper-parameters that trains all candidates on all folds side by side.

    search = SweepSearchCV(MLPClassifier(), {"learning_rate": [1e-3, 1e-2], "l2": [0, 1e-4]}, cv=5)
    search.fit(X, y).best_params_

It is scikit-learn's `GridSearchCV` for the estimators of `jaxnets.estimator`, alone or in a
pipeline. First the folds are prepared as they would be, and nothing is trained; then all networks
of one shape train in one program; then they are scored.
"""

import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from sklearn.base import clone, is_classifier
from sklearn.model_selection import GridSearchCV, check_cv
from sklearn.utils.validation import indexable

from jaxnets.data import Dataset
from jaxnets.estimator import MLPClassifier, MLPRegressor, Run
from jaxnets.parallel.rows import parallel_map
from jaxnets.training.driver import DivergedError
from jaxnets.training.loop import TrainSpec, train
from jaxnets.training.sweep import cached_group
from jaxnets.training.validate import prepare

OURS = (MLPClassifier, MLPRegressor)


class SweepSearchCV(GridSearchCV):
    """Searches a grid by cross-validation, with all networks of one shape in one program.

    Results are those of `GridSearchCV` with the same estimator. Learning rates and penalties share
    a program; other parameters, such as `hidden_layer_sizes`, and folds of other sizes, take one
    each. `mean_fit_time` in `cv_results_` does not have the training, `train_seconds_` does.

    Args:
        estimator: an `MLPClassifier` or `MLPRegressor`, or a pipeline that ends with one.
        param_grid: names of parameters to the values to try, or a list of such dicts.
        scoring: as in `GridSearchCV`.
        refit: whether to train the best on all samples at last.
        cv: folds, or their number.
        verbose: as in `GridSearchCV`.
        error_score: of candidates that cannot be trained, "raise" to see why.
        return_train_score: whether to score the training samples too.

    Attributes:
        train_seconds_: what training all candidates took, compilation included.

    Raises:
        TypeError: in `fit`, an estimator without a network of `jaxnets.estimator`.

    Examples:
        >>> from sklearn.datasets import load_iris
        >>> from sklearn.pipeline import make_pipeline
        >>> from sklearn.preprocessing import StandardScaler
        >>> from jaxnets.estimator import MLPClassifier
        >>> from jaxnets.search import SweepSearchCV
        >>> net = MLPClassifier((8,), epochs=30, random_state=0)
        >>> grid = {"mlpclassifier__learning_rate": [1e-4, 1e-2]}
        >>> search = SweepSearchCV(make_pipeline(StandardScaler(), net), grid, cv=3)
        >>> search.fit(*load_iris(return_X_y=True)).best_params_
        {'mlpclassifier__learning_rate': 0.01}
    """

    def __init__(
        self,
        estimator: Any,
        param_grid: Mapping[str, Sequence] | Sequence[Mapping[str, Sequence]],
        *,
        scoring: Any = None,
        refit: Any = True,
        cv: Any = None,
        verbose: int = 0,
        error_score: Any = np.nan,
        return_train_score: bool = False,
    ):
        super().__init__(
            estimator,
            param_grid,
            scoring=scoring,
            refit=refit,
            cv=cv,
            verbose=verbose,
            error_score=error_score,
            return_train_score=return_train_score,
        )

    def fit(self, X: Any, y: Any = None, **params: Any) -> "SweepSearchCV":
        """Trains and scores all candidates on samples `X [samples, features]` and targets y.

        Raises:
            TypeError: an estimator without a network of `jaxnets.estimator`.
            ValueError: as `GridSearchCV` and the estimators do.
        """
        given = self.estimator
        X, y = indexable(X, y)
        groups = params.pop("groups", None)
        folds = check_cv(self.cv, y, classifier=is_classifier(given))
        splits = list(folds.split(X, y, groups))
        queue = _Queue()
        deferred = _with_networks(given, queue)
        collected = GridSearchCV(
            deferred,
            self.param_grid,
            scoring=_nothing,
            refit=False,
            cv=splits,
            error_score=self.error_score,
        )
        collected.fit(X, y, **params)
        began = time.perf_counter()
        queue.train()
        self.train_seconds_ = time.perf_counter() - began
        cv, self.estimator, self.cv = self.cv, deferred, splits
        try:
            super().fit(X, y, **params)
        finally:
            self.estimator, self.cv = given, cv
        if self.refit:
            _restore(self.best_estimator_)
        return self


def _nothing(estimator: Any, X: Any, y: Any) -> float:
    return 0.0


class _Queue:
    """The runs that an estimator asked for, in order, and afterwards their results."""

    def __init__(self) -> None:
        self.asked: list[Run] = []
        self.found: list[Any] | None = None

    def train(self) -> None:
        """Trains all runs that were asked for, those of one program together."""
        found: list[Any] = [None] * len(self.asked)
        groups: dict[Any, dict[int, Run]] = defaultdict(dict)
        for i, run in enumerate(self.asked):
            try:
                data, _ = prepare(run.spec, run.data, run.hparams)
            except (ValueError, TypeError) as error:
                found[i] = error
                continue
            shapes = tuple(np.shape(leaf) for leaf in jax.tree.leaves(data))
            groups[run.spec, shapes][i] = run._replace(data=data)
        for (spec, _), runs in groups.items():
            together = _train_together(spec, list(runs.values()))
            for i, result in zip(runs, together, strict=True):
                found[i] = result
        self.found = found[::-1]


def _train_together(spec: TrainSpec, runs: list[Run]) -> list[Any]:
    """Trains runs of one spec and shape; equal data are stored once."""
    places: dict[bytes, int] = {}
    unique, place_of = [], []
    for run in runs:
        digest = b"".join(np.asarray(leaf).tobytes() for leaf in jax.tree.leaves(run.data))
        if digest not in places:
            places[digest] = len(unique)
            unique.append(run.data)
        place_of.append(places[digest])
    stacked = jax.tree.map(lambda *leaves: jnp.stack(leaves), *unique)
    numbers = {
        name: jnp.asarray([run.hparams[name] for run in runs], float) for name in runs[0].hparams
    }
    rows = (jnp.stack([run.key for run in runs]), jnp.asarray(place_of), numbers)
    group = cached_group(spec, unique[0]) if jax.default_backend() == "cpu" else len(runs)
    found = jax.device_get(parallel_map(_One(spec), rows, stacked, group=group))
    return [jax.tree.map(lambda a, i=i: a[i], found) for i in range(len(runs))]


class _One(NamedTuple):
    """Trains one row; equal specs share a program."""

    spec: TrainSpec

    def __call__(self, row: tuple[Array, Array, dict], stacked: Dataset) -> Any:
        """Returns params and history."""
        key, place, hparams = row
        data = jax.tree.map(lambda parts: parts[place], stacked)
        state, history = train(self.spec, key, data, hparams)
        return state.params, history


def _with_networks(estimator: Any, queue: _Queue) -> Any:
    """Clones an estimator, with networks that ask the queue instead of training."""
    if isinstance(estimator, OURS):
        return _deferred(estimator, queue)
    inside = estimator.get_params(deep=True) if hasattr(estimator, "get_params") else {}
    ours = {name: value for name, value in inside.items() if isinstance(value, OURS)}
    if not ours:
        raise TypeError(
            f"the estimator is a {type(estimator).__name__} without a network of jaxnets."
            "estimator: use GridSearchCV"
        )
    return clone(estimator).set_params(**{n: _deferred(v, queue) for n, v in ours.items()})


def _deferred(network: Any, queue: _Queue) -> Any:
    kind = type(network)
    members: dict[str, Any] = {"_run": partial(_ask, queue), "given_kind": kind}
    deferred = type(kind.__name__, (kind,), members)
    return deferred(**network.get_params(deep=False))


def _ask(queue: _Queue, run: Run) -> tuple[Any, dict[str, np.ndarray]]:
    if queue.found is None:
        queue.asked.append(run)
        shapes = jax.eval_shape(run.spec.model.init, run.key, run.data.train["x"][:1])
        return jax.tree.map(lambda s: np.zeros(s.shape, s.dtype), shapes), {}
    if not queue.found:
        return run.fit()
    found = queue.found.pop()
    if isinstance(found, Exception):
        raise found
    params, history = found
    if not all(np.isfinite(leaf).all() for leaf in jax.tree.leaves((params, history))):
        raise DivergedError("the loss is not finite; try a smaller learning rate", params, history)
    return params, history


def _restore(estimator: Any) -> None:
    """Makes networks trained at last what they were before the search."""
    for part in (estimator, *estimator.get_params(deep=True).values()):
        if hasattr(part, "given_kind") and isinstance(part, OURS):
            part.__class__ = part.given_kind
