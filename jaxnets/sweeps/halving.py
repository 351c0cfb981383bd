"""Successive halving: many candidates for a few epochs, the best of them for more."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from itertools import count
from typing import Any

import jax
import numpy as np
from jax import Array

from jaxnets.host import checks
from jaxnets.objective import Hparams
from jaxnets.sweeps.plan import planned
from jaxnets.sweeps.programs import Program, divided, trained
from jaxnets.sweeps.result import SearchResult, sign_of
from jaxnets.training.spec import TrainSpec
from jaxnets.training.stopping import EarlyStopping
from jaxnets.training.validate import require_metric


def halving_search(
    spec: TrainSpec,
    key: Array,
    data: Any,
    axes: Mapping[str, Any],
    *,
    n: int | None = None,
    metric: str = "valid_loss",
    higher_is_better: bool | None = None,
    eta: int = 3,
    min_epochs: int | None = None,
    hparams: Hparams | None = None,
    seeds: int = 1,
    group: int | None = None,
    shared_order: bool = False,
    progress: bool = False,
) -> SearchResult:
    """Trains all candidates for a few epochs, and only the best for more (successive halving).

    After each round the best 1 / eta go on from where they are, for eta times as many epochs in
    all, the last of them up to `spec.epochs` (Jamieson and Talwalkar, 2016). With `group=1`, the
    default on a CPU, each is the uninterrupted run bit for bit.

    Args:
        spec: the static choices that are not an axis.
        key: as in `random_search`.
        data: as in `fit`.
        axes: as in `grid_search` or, with n, as in `random_search`.
        n: how many points to draw; None for all combinations.
        metric: what decides, its last record, a mean over the seeds. Candidates that diverged are
            last.
        higher_is_better: whether the metric should rise; None for losses and accuracies only.
        eta: a round has 1 / eta of the candidates of the one before, rounded up.
        min_epochs: those of the first round; by default as many as leave fewer than eta candidates
            for the last one.
        hparams: those that all candidates have.
        seeds: runs of each candidate.
        group: as in `sweep`.
        shared_order: as in `sweep`.
        progress: whether to show a live bar for each program.

    Returns:
        All runs, with their histories as far as they went; `found.rounds` has the number of
        candidates and the epochs of each round.

    Raises:
        ValueError, TypeError: as in `random_search`, a spec with early stopping, epochs as an axis,
            a metric that is not recorded, `eta` below 2, or more `min_epochs` than epochs.
        OutOfMemoryError: as in `fit`.

    Example:
        >>> import jax, jaxnets as jn
        >>> from jaxnets.data import load
        >>> spec = jn.TrainSpec(jn.MLP((4,), 10), "softmax_cross_entropy", 3, 256)
        >>> axes = {"learning_rate": [1e-4, 1e-2, 1e-1]}
        >>> jn.halving_search(spec, jax.random.key(0), load("digits"), axes).rounds
        [(3, 1), (1, 3)]
    """
    _require_budget(spec, axes, eta, min_epochs)
    plan = planned(spec, key, data, axes, n, hparams, seeds, group)
    decides = EarlyStopping(metric, higher_is_better=higher_is_better)
    for program in plan.programs:
        require_metric(program.spec, decides, data.valid is not None)
    sign = sign_of(metric, higher_is_better)
    if group is None and jax.default_backend() == "cpu":
        group = 1
    first = None if min_epochs is None else min_epochs // spec.record_every
    records = halving_rounds(len(plan.candidates), spec.epochs // spec.record_every, eta, first)
    rounds = [(candidates, number * spec.record_every) for candidates, number in records]
    options = {"group": group, "shared_order": shared_order, "progress": progress}
    keys = jax.random.split(key, seeds)
    programs = _halved(
        plan.programs, keys, data, rounds, partial(_best_rows, metric, sign), options
    )
    return SearchResult(plan.candidates, keys, programs, plan.samples, rounds)


def halving_rounds(
    n: int, most: int, eta: int = 3, first: int | None = None
) -> list[tuple[int, int]]:
    """Lists the candidates of each round, and what each has used up to its end.

    A round has 1 / eta of the candidates of the one before, for eta times as much. The last has
    fewer than eta candidates, or more if `first` is too large for that.

    Args:
        n: candidates of the first round.
        most: what those of the last round use.
        eta: the factor.
        first: what those of the first round use; by default as much as possible.

    Examples:
        >>> halving_rounds(9, 18)
        [(9, 2), (3, 6), (1, 18)]
    """
    needed = _powers(n, eta)
    if first is None:
        first = max(1, most // eta ** (needed - 1))
    number = min(needed, _powers(most // first, eta))
    used = [*(first * eta**i for i in range(number - 1)), most]
    return [(-(-n // eta**i), resource) for i, resource in enumerate(used)]


def _powers(n: int, eta: int) -> int:
    """Counts the powers 1, eta, ... up to n."""
    return next(power for power in count() if eta**power > n)


def _require_budget(spec: TrainSpec, axes: Any, eta: Any, min_epochs: Any) -> None:
    checks.require_count(eta, "eta")
    if eta < 2:
        raise ValueError(f"eta is {eta}; it must be 2 or more, as 1 / eta of the candidates go on")
    if spec.stopping:
        raise ValueError("halving ends runs itself: leave out the stopping of the spec")
    fixed = [name for name in ("epochs", "record_every", "stopping") if name in (axes or ())]
    if fixed:
        raise ValueError(f"{fixed[0]} cannot be an axis of halving, which divides the epochs")
    if min_epochs is None:
        return
    checks.require_count(min_epochs, "min_epochs")
    if min_epochs > spec.epochs or min_epochs % spec.record_every:
        raise ValueError(
            f"min_epochs is {min_epochs}; it must be at most epochs ({spec.epochs}), and a "
            f"multiple of record_every ({spec.record_every})"
        )


def _halved(
    programs: list[Program],
    keys: Array,
    data: Any,
    rounds: Sequence[tuple[int, int]],
    best_rows: Callable[[list[Program], int, int], np.ndarray],
    options: Mapping[str, Any],
) -> list[Program]:
    """Trains all rounds; returns the rows that ended in each, with their states."""
    ended: list[Program] = []
    for i, (_, epochs) in enumerate(rounds):
        programs = [trained(program, keys, data, epochs, **options) for program in programs]
        if i + 1 < len(rounds):
            rows = best_rows(programs, len(keys), rounds[i + 1][0])
            parts = [divided(program, rows) for program in programs]
            programs = [best for best, _ in parts if len(best.rows)]
            ended += [others for _, others in parts if len(others.rows)]
    return [*ended, *programs]


def _best_rows(
    metric: str, sign: int, programs: Sequence[Program], seeds: int, most: int
) -> np.ndarray:
    """Returns the rows of the best candidates, by the mean of their last records over the seeds."""
    rows = np.concatenate([program.rows for program in programs])
    values = np.concatenate([program.history[metric][:, -1] for program in programs])
    order = np.argsort(rows)
    means = (sign * values[order]).reshape(-1, seeds).mean(axis=1)
    best = np.argsort(means, kind="stable")[:most]
    return rows[order].reshape(-1, seeds)[best].ravel()
