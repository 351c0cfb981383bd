"""What a search found: every run, the best one, and a tidy table."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
from jax import Array

from jaxnets.host import checks
from jaxnets.parallel.rows import take_rows
from jaxnets.sweeps.axes import Candidate
from jaxnets.sweeps.programs import Program
from jaxnets.training.loop import History, State
from jaxnets.training.spec import TrainSpec
from jaxnets.training.stopping import EarlyStopping

Row = dict[str, Any]


class Run(NamedTuple):
    """One network of a search; `fit(spec, key, data, hparams)` trains it again.

    Example:
        >>> import jax, jaxnets as jn
        >>> from jaxnets.data import load
        >>> spec = jn.TrainSpec(jn.MLP((4,), 10), "softmax_cross_entropy", 1, 256)
        >>> found = jn.grid_search(
        ...     spec, jax.random.key(0), load("digits"), {"learning_rate": [1e-3, 1e-2]}
        ... )
        >>> found[1].choices
        {'learning_rate': 0.01}
    """

    choices: dict[str, Any]
    """What it has on every axis."""
    seed: int
    """The number of its key."""
    spec: TrainSpec
    key: Array
    hparams: dict[str, Any]
    state: State
    history: History
    """As `fit` returns it, `[records]` each."""


@dataclass(frozen=True, eq=False, repr=False)
class SearchResult:
    """Holds the runs of a search: row `c * seeds + s` is candidate c with seed s.

    `len(found)`, `found[row]` and a loop give its runs.

    Attributes:
        candidates: what each point of the search trains.
        keys: one a seed, `[seeds]`, the same for all candidates.
        programs: the rows that trained together, with their states and histories.
        samples: how many there were to train.
        rounds: of successive halving, `(candidates, epochs)` each.

    Example:
        >>> import jax, jaxnets as jn
        >>> from jaxnets.data import load
        >>> spec = jn.TrainSpec(jn.MLP((4,), 10), "softmax_cross_entropy", 1, 256)
        >>> found = jn.grid_search(
        ...     spec, jax.random.key(0), load("digits"), {"learning_rate": [1e-6, 1e-2]}
        ... )
        >>> len(found), found.best("valid_loss").choices
        (2, {'learning_rate': 0.01})
    """

    candidates: Sequence[Candidate]
    keys: Array
    programs: Sequence[Program]
    samples: int
    rounds: Sequence[tuple[int, int]] = ()

    def __len__(self) -> int:
        return len(self.candidates) * len(self.keys)

    def __repr__(self) -> str:
        return f"SearchResult({len(self.candidates)} candidates, {len(self.keys)} seeds)"

    def __iter__(self) -> Iterator[Run]:
        return map(self.__getitem__, range(len(self)))

    def __getitem__(self, row: int) -> Run:
        """Returns the run of a row."""
        row = range(len(self))[row]
        program, at = self._places[row]
        candidate, seed = self.candidates[row // len(self.keys)], row % len(self.keys)
        state, key = take_rows(program.state, at), take_rows(self.keys, seed)
        history = {n: values[at] for n, values in program.history.items()}
        history = {n: values[: self.records[row]] for n, values in history.items()}
        return Run(candidate.choices, seed, candidate.spec, key, candidate.hparams, state, history)

    @property
    def state(self) -> list[State]:
        """The state of every row."""
        return [run.state for run in self]

    @cached_property
    def history(self) -> History:
        """The metrics `[rows, records]`, NaN after the last record of a run."""
        parts = [program.history for program in self.programs]
        longest = max(values.shape[1] for part in parts for values in part.values())
        names = dict.fromkeys(name for part in parts for name in part)
        found = {name: np.full((len(self), longest), np.nan) for name in names}
        for program in self.programs:
            for name, values in program.history.items():
                found[name][program.rows, : values.shape[1]] = values
        return found

    @cached_property
    def records(self) -> np.ndarray:
        """How many records each run has, `[rows]`."""
        found = np.zeros(len(self), int)
        for program in self.programs:
            spec = program.spec
            every = spec.steps_per_epoch(self.samples) * spec.record_every
            found[program.rows] = np.asarray(program.state.step) // every
        return found

    def table(self) -> list[Row]:
        """Lists a row for each candidate and seed: its choices, and each metric.

        `valid_loss` is that of the params in the state, of the last record or, where early stopping
        chose them, of the best; `best_valid_loss` is the lowest of all records, and of an accuracy
        the highest. Of a metric of your own there are `min_` and `max_` instead.
        """
        return [self._row(i) for i in range(len(self))]

    def _row(self, row: int) -> Row:
        candidate, records = self.candidates[row // len(self.keys)], self.records[row]
        epochs = int(records) * candidate.spec.record_every
        metrics = {name: values[row, :records] for name, values in self.history.items()}
        stopping = candidate.spec.stopping
        at = best_record(metrics[stopping.metric], stopping) if stopping else records - 1
        own = {"seed": row % len(self.keys), "trained_epochs": epochs}
        return candidate.choices | own | _summary(metrics, at)

    def frame(self) -> Any:
        """Returns the table as a data frame of pandas.

        Raises:
            ModuleNotFoundError: pandas is not installed.
        """
        try:
            import pandas
        except ModuleNotFoundError as error:
            raise ModuleNotFoundError(
                "frame needs pandas: pip install 'jaxnets[pandas]', or use table()", name=error.name
            ) from error
        return pandas.DataFrame(self.table())

    def best(self, metric: str = "valid_loss", higher_is_better: bool | None = None) -> Run:
        """Returns the run of the best candidate by the mean over its seeds, and of its best seed.

        Those that diverged are not compared, nor, of successive halving, those that ended early.

        Args:
            metric: a column of the table, such as `valid_accuracy` or `best_valid_accuracy`.
            higher_is_better: whether it should be high; None for losses and accuracies only.

        Raises:
            ValueError: a metric that is not there, one of which it is not known whether it should
                rise, or no candidate that has it without NaN.
        """
        table = self.table()
        checks.require_known(
            [metric], [n for n in table[0] if n.endswith(tuple(self.history))], "metric"
        )
        sign = sign_of(metric, higher_is_better)
        last = self.rounds[-1][1] if self.rounds else 0
        losses = [name for name in ("train_loss", "valid_loss") if name in self.history]
        lost = [
            row["trained_epochs"] < last or any(np.isnan(row[loss]) for loss in losses)
            for row in table
        ]
        scores = np.where(lost, np.nan, [row[metric] for row in table])
        scores = sign * np.reshape(scores, (-1, len(self.keys)))
        means = scores.mean(axis=1)
        if np.isnan(means).all():
            raise ValueError(f"no candidate has a {metric} that is finite for all seeds")
        best = int(np.nanargmin(means))
        return self[best * len(self.keys) + int(np.argmin(scores[best]))]

    @cached_property
    def _places(self) -> dict[int, tuple[Program, int]]:
        return {row: (p, i) for p in self.programs for i, row in enumerate(p.rows.tolist())}


def table(hparams: Mapping[str, Any], history: History) -> list[Row]:
    """Lists a row for each network of a sweep: its hyper-parameters, and each metric.

    `valid_loss` is that of the last record, NaN if the network diverged or stopped early, and
    `best_valid_loss` the lowest of all, and of an accuracy the highest; of a metric of your own
    there are `min_` and `max_` instead.

    Args:
        hparams: as for `sweep`, scalars or arrays `[n]`.
        history: as `sweep` returns it, `[n, records]` each.

    Raises:
        ValueError: hyper-parameters or a history of another number of networks.

    Examples:
        >>> hparams = {"learning_rate": [0.1, 0.2]}
        >>> table(hparams, {"train_loss": np.array([[3.0, 1.0], [2.0, 4.0]])})[1]
        {'learning_rate': 0.2, 'train_loss': 4.0, 'best_train_loss': 2.0}
    """
    history = {name: np.atleast_2d(values) for name, values in history.items()}
    n, *others = sorted({len(values) for values in history.values()})
    if others:
        raise ValueError(f"the history has metrics of {[n, *others]} networks")
    columns = {}
    for name, values in hparams.items():
        values = checks.as_finite(values, name)
        if values.shape not in ((), (n,)):
            raise ValueError(f"{name} has shape {values.shape}; the history has {n} networks")
        columns[name] = np.broadcast_to(values, n).tolist()
    metrics = [{name: values[i] for name, values in history.items()} for i in range(n)]
    rows = [{name: values[i] for name, values in columns.items()} for i in range(n)]
    return [row | _summary(m, -1) for row, m in zip(rows, metrics, strict=True)]


def sign_of(metric: str, higher_is_better: bool | None) -> int:
    """Returns 1 if a metric should fall, -1 if it should rise.

    Raises:
        ValueError: a metric of your own, of which it was not said.
    """
    if higher_is_better is None and not metric.endswith(("loss", "accuracy")):
        raise ValueError(f"{metric} is a metric of your own: say higher_is_better=True or False")
    return EarlyStopping(metric, higher_is_better=higher_is_better).sign


def best_record(values: np.ndarray, stopping: EarlyStopping) -> int:
    """Finds the record of which early stopping returned the params, -1 if all are NaN."""
    best, at = np.inf, -1
    for i, value in enumerate(stopping.sign * values):
        if value < best - stopping.min_delta:
            best, at = value, i
    return at


def _summary(metrics: Mapping[str, np.ndarray], at: int) -> Row:
    """Tells the value of each metric at a record, and the best of all."""
    row: Row = {name: float(values[at]) for name, values in metrics.items()}
    for name, values in metrics.items():
        for prefix, most in _extremes(name).items():
            finite = values[~np.isnan(values)]
            row[f"{prefix}_{name}"] = float(most(finite)) if finite.size else np.nan
    return row


def _extremes(name: str) -> dict[str, Any]:
    if name.endswith("loss"):
        return {"best": np.min}
    return {"best": np.max} if name.endswith("accuracy") else {"min": np.min, "max": np.max}
