"""The loop around the compiled program: progress, divergence, signals and checkpoints."""

import math
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxnets.host.progress import progress_bar
from jaxnets.storage.checkpoints import CheckpointConfig
from jaxnets.storage.run_folder import RunWriter
from jaxnets.training.finite import first_not_finite
from jaxnets.training.loop import Carry, History, State
from jaxnets.training.spec import TrainSpec
from jaxnets.training.stopping import cut_off

PIECE_SECONDS = 0.25
"""What a piece should take where a bar is shown or a signal may come."""
QUIET_SECONDS = 5.0
"""What it should take otherwise: the more steps, the less it matters that Python is asked."""
GROWTH = 64
"""A piece is at most this many times as long as the one before."""
LARGEST_PIECE = 2**20

Hook = Callable[[int, Mapping[str, Any]], None]
"""`hook(epoch, metrics)`; see `jaxnets.hooks`."""
Program = Callable[[Carry, Any, Any], Carry]
"""`program(carry, start, count)` takes `count` steps, the first of them step `start`."""


class DivergedError(FloatingPointError):
    """A run that is no longer finite; carries its last finite `state` and the `history`.

    That is its losses and metrics, its params, or its optimizer's state, as far as it began finite.

    Example:
        >>> import jax, jaxnets as jn
        >>> from jaxnets.data import load
        >>> infinite = lambda outputs, labels: outputs[:, 0] / 0.0
        >>> spec = jn.TrainSpec(jn.MLP((4,), 1), infinite, 1, 256)
        >>> data = load("digits")
        >>> try:
        ...     state, _ = jn.fit(spec, jax.random.key(0), data, {"learning_rate": 1e-2})
        ... except jn.DivergedError as error:
        ...     print(int(error.state.step))
        0
    """

    def __init__(self, message: str, state: State, history: History):
        super().__init__(message)
        self.state = state
        self.history = history


class Job(NamedTuple):
    """One run as the driver sees it."""

    spec: TrainSpec
    program: Program
    samples: int
    """Training samples of all processes together."""
    stops_if_diverged: bool
    """Whether a loss that is not finite ends it; a sweep goes on with the other networks."""
    overflows: Callable[[State], Any] | None = None
    """Whether the gradient overflows at a state; asked where steps have changed no param."""
    begun: int = 0
    """Steps that its first state has taken."""
    piece: int | None = None
    """Steps to take at a time, by default as many as take a fraction of a second."""
    networks: int | None = None
    """How many a sweep trains, where its arrays may have more rows to fill the last group."""

    def seen(self, carry: Carry) -> History:
        """Returns the history on the host; of a sweep without filling, and NaN after an early stop.

        Of a sweep on several processes, it is that of the networks that this one trains.
        """
        history = jax.device_get({name: _here(rows) for name, rows in carry.history.items()})
        if self.networks is None:
            return history
        history = {name: rows[: self.networks] for name, rows in history.items()}
        if not self.spec.stopping:
            return history
        stopped = np.asarray(_here(carry.watched.records))[: self.networks]
        return cut_off(history, self.records(self.begun) + stopped)

    def records(self, step: int) -> int:
        """Counts the rows of the history that are complete after so many steps."""
        return step // (self.spec.steps_per_epoch(self.samples) * self.spec.record_every)


def drive(
    job: Job,
    carry: Carry,
    progress: bool = False,
    checkpoints: CheckpointConfig | None = None,
    fingerprint: Mapping[str, str] | None = None,
    on_record: Hook | None = None,
) -> Carry:
    """Runs the program piece by piece, and returns the carry after the last step.

    With checkpoints, it resumes from the newest good one and saves as it proceeds.

    Args:
        job: the run.
        carry: where it begins.
        progress: whether to show a bar with the newest metrics.
        checkpoints: where to save, if anywhere.
        fingerprint: of the run, to be compared with that of a checkpoint.
        on_record: called with each new record, before it is saved, so that none is lost; in
            process 0 only.

    Raises:
        DivergedError: a metric, the params or the optimizer's state are not finite; the last
            finite state is saved.
        Interrupted: SIGINT, SIGTERM or SIGHUP came, and the state is saved.
        FolderInUseError: another process writes to the folder.
        ValueError: processes that do not see the same checkpoint.
        CorruptCheckpoint, CheckpointMismatch, DiskFullError: see `jaxnets.storage.checkpoints`.
    """
    per_epoch, step = job.spec.steps_per_epoch(job.samples), job.begun
    total = job.spec.epochs * per_epoch
    with ExitStack() as stack:
        writer = bar = None
        if checkpoints is not None:
            writer = RunWriter(checkpoints, fingerprint or {}, job.spec.record_every, job.records)
            step, carry = stack.enter_context(writer).restore(carry)
        if progress:
            bar = progress_bar(True, "epoch", job.spec.epochs, False, step // per_epoch)
            stack.enter_context(bar)
        seconds = PIECE_SECONDS if progress or checkpoints or on_record else QUIET_SECONDS
        report = Report(on_record, job.records(step), job.spec.record_every) if on_record else None
        pace = _Pace(per_epoch, seconds, per_epoch, job.piece)
        if checkpoints is not None:
            pace = _Pace(per_epoch, seconds, 1, checkpoints.steps)
        while step < total:
            count, began = min(pace.count(step), total - step), time.monotonic()
            new = jax.block_until_ready(job.program(carry, np.int32(step), np.int32(count)))
            pace = pace.after(count, time.monotonic() - began)
            if job.stops_if_diverged:
                _stop_if_diverged(job, carry, new, step, count, (writer, report))
            carry, step = new, step + count
            if job.spec.stopping and np.all(carry.watched.stopped):
                records = int(np.max(carry.watched.records))
                step = total = job.begun + records * job.spec.record_every * per_epoch
            if bar is not None:
                _show(bar, job, carry, job.records(step))
                bar.update(step // per_epoch - bar.n)
            if report is not None:
                report.tell(job, carry, job.records(step))
            if writer is not None and writer.must_save(step, total):
                writer.save(step, carry, job.seen(carry))
                writer.stop_if_asked(step, total)
    return carry


@dataclass
class Report:
    """Calls a hook with each record once."""

    hook: Hook
    told: int
    """Records that need no telling any more."""
    every: int

    def tell(self, job: Job, carry: Carry, records: int) -> None:
        """Tells the records that are new."""
        if jax.process_index() == 0 and records > self.told:
            rows = job.seen(carry)
            for i in range(self.told, records):
                row = {name: values[..., i] for name, values in rows.items()}
                self.hook(
                    (i + 1) * self.every, {k: v if v.ndim else float(v) for k, v in row.items()}
                )
        self.told = max(records, self.told)


@dataclass(frozen=True)
class _Pace:
    """How many steps to take before Python is asked again."""

    per_epoch: int
    seconds: float
    """What a piece should take."""
    least: int
    """Steps of the first and of the shortest piece."""
    fixed: int | None = None
    size: int = 0

    def count(self, step: int) -> int:
        """Chooses the next piece, which ends with an epoch if it can.

        Each part of an epoch draws its order again. Clocks differ between processes, so that
        several of them take an epoch at a time.
        """
        if self.fixed is not None:
            return self.fixed
        size = max(self.size, self.least) if jax.process_count() == 1 else self.per_epoch
        whole_epochs = max(size // self.per_epoch, 1) * self.per_epoch
        return min(size, whole_epochs - step % self.per_epoch)

    def after(self, count: int, seconds: float) -> "_Pace":
        """Adapts to the time of a piece; that of the first, which compiles, is an upper bound."""
        size = int(count * min(GROWTH, self.seconds / max(seconds, 1e-9)))
        if size > count:
            size = max(size, self.size)
        return replace(self, size=min(size, LARGEST_PIECE))


def _stop_if_diverged(
    job: Job,
    carry: Carry,
    new: Carry,
    step: int,
    count: int,
    out: tuple[RunWriter | None, Report | None],
) -> None:
    """Saves the last finite state and raises a DivergedError, unless the piece was finite."""
    params = map(jax.tree.leaves, (carry.state.params, new.state.params))
    stuck = new.finite and job.overflows and all(map(np.array_equal, *params))
    if not new.finite:
        (carry, step), describe = _last_finite(job, carry, step, count), _diverged
    elif job.overflows and stuck and job.overflows(new.state):
        (carry, step), describe = (new, step + count), _overflowing
    else:
        return
    writer, report = out
    if report is not None:
        report.tell(job, carry, job.records(step))
    if writer is not None:
        writer.save(step, carry, job.seen(carry))
    raise describe(job, carry, step)


def _last_finite(job: Job, carry: Carry, step: int, count: int) -> tuple[Carry, int]:
    """Finds the last of `count` steps after which the run is finite, by bisection."""
    good, bad = 0, count
    while bad - good > 1:
        middle = (good + bad) // 2
        found = job.program(carry, np.int32(step), np.int32(middle))
        good, bad = (middle, bad) if found.finite else (good, middle)
    if good:
        carry = job.program(carry, np.int32(step), np.int32(good))
    return carry, step + good


def _diverged(job: Job, carry: Carry, step: int) -> DivergedError:
    """Says what is not finite after that step, from the carry before it."""
    epoch = step // job.spec.steps_per_epoch(job.samples) + 1
    fresh = carry._replace(sums=jax.tree.map(jnp.zeros_like, carry.sums))
    new = job.program(fresh, np.int32(step), np.int32(1))
    what = reason(carry, new, step)
    return diverged_error(job, carry, step, f"{what}; try a smaller learning rate", epoch)


def _overflowing(job: Job, carry: Carry, step: int) -> DivergedError:
    """Says that steps change nothing, since the gradient is too large."""
    epoch = -(-step // job.spec.steps_per_epoch(job.samples))
    return diverged_error(job, carry, step, overflow_reason(step), epoch)


def overflow_reason(step: int) -> str:
    """Says that steps change nothing."""
    return (
        f"the norm of the gradient overflows, so that the steps before step {step} changed no "
        "param; scale the features or targets"
    )


def diverged_error(job: Job, carry: Carry, step: int, what: str, epoch: int) -> DivergedError:
    """Builds the error, with the history as far as it goes."""
    history = jax.device_get(carry.history)
    return DivergedError(
        f"the run is not finite in epoch {epoch} of {job.spec.epochs}: {what}",
        carry.state,
        {
            name: rows[..., job.records(job.begun) : job.records(step)]
            for name, rows in history.items()
        },
    )


def reason(before: Carry, after: Carry, step: int) -> str:
    """Names what a step has made NaN or infinite; sums are those of the step alone."""
    total, leaf = float(after.sums["loss"]), ""
    for part in ("params", "opt_state"):
        old, new = (getattr(carry.state, part) for carry in (before, after))
        path = first_not_finite(new, old)
        leaf = leaf or (f"{part}{path} has NaN or infinity" if path else "")
    if math.isnan(total) or (math.isinf(total) and leaf):
        return f"the loss of step {step} is {total}" + (f"; {leaf}" if leaf else "")
    if leaf:
        what = "params are" if leaf.startswith("params") else "state of the optimizer is"
        return f"the {what} not finite after step {step}; {leaf}"
    for name, rows in after.history.items():
        wrong = rows[~jnp.isfinite(rows)]
        if name.startswith("valid_") and wrong.size:
            metric = name.removeprefix("valid_")
            return f"the {metric} of the validation samples is {wrong[0]}, with finite params"
    return f"the losses of the epoch overflow at step {step}, one by one or in their sum"


def _show(bar: Any, job: Job, carry: Carry, records: int) -> None:
    """Writes the newest row of the history beside the bar."""
    if records > job.records(job.begun):
        newest = {name: rows[..., records - 1] for name, rows in job.seen(carry).items()}
        means = {name: f"{_finite_mean(values):.4g}" for name, values in newest.items()}
        bar.set_postfix(means, refresh=False)


def _here(rows: jax.Array) -> jax.Array:
    """All networks, or of a sweep on several processes those that this one trains."""
    whole = rows.is_fully_addressable or rows.is_fully_replicated
    return rows if whole else rows.addressable_data(0)


def _finite_mean(values: np.ndarray) -> float:
    """The mean of the networks that have not diverged; NaN if all have."""
    finite = values[np.isfinite(values)]
    return float(finite.mean()) if finite.size else math.nan
