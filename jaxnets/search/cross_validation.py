"""Cross-validation: what scikit-learn does, before and after all networks have trained."""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
from sklearn.base import is_classifier
from sklearn.metrics import check_scoring
from sklearn.model_selection import GridSearchCV, check_cv
from sklearn.utils import check_random_state
from sklearn.utils.validation import indexable

from jaxnets.estimator import CNNClassifier, MLPClassifier, MLPRegressor
from jaxnets.estimator.network import RUNNER, Run, Trained
from jaxnets.search.together import Asked

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

    cv: Any
    n_jobs: int | None

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
        _require_network(self.estimator)
        X, y = indexable(X, y)
        groups = params.pop("groups", None)
        folds = check_cv(self.cv, y, classifier=is_classifier(self.estimator))
        splits = list(folds.split(X, y, groups))
        asked, numbers = Asked(), check_random_state(None)
        drawn = numbers.get_state()
        collected = GridSearchCV(
            self.estimator,
            self.param_grid,
            scoring=_Nothing(check_scoring(self.estimator, scoring=self.scoring)),
            refit=False,
            cv=splits,
            error_score=self.error_score,
        )
        with _trained_by(asked.add):
            collected.fit(X, y, **params)
        began = time.perf_counter()
        asked.train(_largest_test(splits) if self.refit else 0)
        self.train_seconds_ = time.perf_counter() - began
        numbers.set_state(drawn)  # what has no seed draws the same again
        before = self.cv, self.n_jobs
        self.cv, self.n_jobs = splits, None
        try:
            with _trained_by(asked.answer):
                super().fit(X, y, **params)
        finally:
            self.cv, self.n_jobs = before
        return self


def _require_network(estimator: Any) -> None:
    inside = estimator.get_params(deep=True).values() if hasattr(estimator, "get_params") else ()
    if not any(isinstance(part, OURS) for part in (estimator, *inside)):
        raise TypeError(
            f"the estimator is a {type(estimator).__name__} without a network of jaxnets."
            "estimator: use GridSearchCV"
        )


@contextmanager
def _trained_by(runner: Callable[[Run], Trained]) -> Iterator[None]:
    before = RUNNER.set(runner)
    try:
        yield
    finally:
        RUNNER.reset(before)


def _largest_test(splits: list[Any]) -> int:
    """By how many samples all of them exceed those of a fold."""
    return max(len(test) for _, test in splits)


class _Nothing:
    """Scores nothing, and takes what scorers are given."""

    def __init__(self, scorer: Any):
        if hasattr(scorer, "get_metadata_routing"):
            self.get_metadata_routing = scorer.get_metadata_routing

    def __call__(
        self, estimator: Any, X: Any, y: Any = None, sample_weight: Any = None, **params: Any
    ) -> float:
        return 0.0
