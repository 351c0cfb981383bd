"""Cross-validation: what scikit-learn does, before and after all networks have trained."""

import time
from collections.abc import Mapping, Sequence
from functools import lru_cache, partial
from typing import Any

import jax
import numpy as np
from sklearn.base import clone, is_classifier
from sklearn.model_selection import GridSearchCV, check_cv
from sklearn.utils.validation import indexable

from jaxnets.estimator import CNNClassifier, MLPClassifier, MLPRegressor
from jaxnets.estimator.network import Run, Trained
from jaxnets.search.together import Asked, samples_like
from jaxnets.training.driver import DivergedError

DURING = ("estimator", "cv", "n_jobs")
"""Parameters that are others while all is scored."""
OURS = (MLPClassifier, MLPRegressor, CNNClassifier)


class SweepSearchCV(GridSearchCV):
    """Searches a grid by cross-validation, with all networks of one shape in one program.

    Results are those of `GridSearchCV` with the same estimator up to rounding, which long training
    at a large rate amplifies. Learning rates, penalties and rates of dropout share a program, folds
    of different sizes too unless there is dropout or batch normalisation; other parameters, such as
    `hidden_layer_sizes`, take one each. With an integer `random_state`, the candidates of a fold
    see the same batches, which is fastest.
    `mean_fit_time` in `cv_results_` does not have the training, `train_seconds_` does.

    Args:
        estimator: one of `jaxnets.estimator`, or a pipeline that ends with one.
        param_grid: names of parameters to the values to try, or a list of such dicts.
        scoring: as in `GridSearchCV`.
        n_jobs: without effect; `jaxnets.use_all_cores()` before the first computation uses all.
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
        n_jobs: int | None = None,
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
            n_jobs=n_jobs,
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
        queue.found = queue.asked.train(_largest_test(splits) if self.refit else 0)[::-1]
        self.train_seconds_ = time.perf_counter() - began
        before = {name: getattr(self, name) for name in DURING}
        self.__dict__.update(zip(DURING, (deferred, splits, None), strict=True))
        try:
            super().fit(X, y, **params)
        finally:
            self.__dict__.update(before)
            _restore(deferred)
        if self.refit:
            _restore(self.best_estimator_)
        return self


def _largest_test(splits: list[Any]) -> int:
    """By how many samples all of them exceed those of a fold."""
    return max(len(test) for _, test in splits)


def _nothing(estimator: Any, X: Any, y: Any, sample_weight: Any = None) -> float:
    return 0.0


class _Queue:
    """The runs that an estimator asks for, and afterwards their results, the first one last."""

    def __init__(self) -> None:
        self.asked = Asked()
        self.found: list[Any] | None = None


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


def _ask(queue: _Queue, run: Run) -> Trained:
    if queue.found is None:
        queue.asked.add(run)
        like = samples_like(run.data.train["x"], 1)
        return Trained(_zeros(run.spec.model, like), {})
    if not queue.found:
        return queue.asked.train_one(run)
    found = queue.found.pop()
    if isinstance(found, Exception):
        raise found
    params, history, _ = found
    if not all(np.isfinite(leaf).all() for leaf in jax.tree.leaves((params, history))):
        raise DivergedError("the loss is not finite; try a smaller learning rate", params, history)
    return found


@lru_cache(maxsize=32)
def _zeros(model: Any, x: jax.ShapeDtypeStruct) -> Any:
    """Returns params of zeros, for samples like x."""
    shapes = jax.eval_shape(model.init, jax.eval_shape(jax.random.key, 0), x)
    return jax.tree.map(lambda s: np.zeros(s.shape, s.dtype), shapes)


def _restore(estimator: Any) -> None:
    """Makes networks trained at last what they were before the search."""
    for part in (estimator, *estimator.get_params(deep=True).values()):
        if hasattr(part, "given_kind") and isinstance(part, OURS):
            part.__class__ = part.given_kind
