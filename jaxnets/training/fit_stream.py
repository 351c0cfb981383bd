"""Trains one network on batches that come from outside, by the steps of `fit`."""

from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from functools import partial
from itertools import chain
from typing import Any, NamedTuple, cast

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array, lax

from jaxnets.host import checks
from jaxnets.host.checks import require_not_forked
from jaxnets.host.memory import out_of_memory_hint
from jaxnets.host.prefetch import prefetch
from jaxnets.losses import get_loss
from jaxnets.metrics import as_metrics
from jaxnets.objective import (
    RECORDED,
    Batch,
    Hparams,
    Metrics,
    measure,
    metrics_of,
    outputs_of,
    penalised_objective,
)
from jaxnets.training.continuing import going_on, require_state
from jaxnets.training.driver import (
    DivergedError,
    Hook,
    Job,
    diverged_error,
    drive,
    overflow_reason,
    reason,
)
from jaxnets.training.finite import gradient_overflows, stays_finite
from jaxnets.training.loop import (
    Carry,
    History,
    State,
    begin,
    optimizer_and_step,
    split_key,
    take_step,
)
from jaxnets.training.spec import TrainSpec
from jaxnets.training.stopping import best_state, cut_off, watch_record
from jaxnets.training.streams import BatchCheck, Checked, Raw, Rows, open_source
from jaxnets.training.validate import bind_schedules, prepare, program_state

MEMORY = (
    "the network and a batch of the stream",
    "make the batches smaller, or narrow the network",
)
"""What a run needs memory for, and what to do where that does not suffice."""


class StreamData(NamedTuple):
    """What a run on a stream trains and validates with."""

    train: Any
    valid: Any = None


def fit_stream(
    spec: TrainSpec,
    key: Array,
    data: Any,
    hparams: Hparams | None = None,
    *,
    steps_per_epoch: int | None = None,
    progress: bool = False,
    state: State | None = None,
    on_record: Hook | None = None,
) -> tuple[State, History]:
    """Trains one network on a stream of batches, or on arrays that do not fit in memory.

    A thread makes the next batches while one is in use; at most three are in memory. With the
    batches that `fit` would take, in its order, the params are those of `fit`, bit for bit; with an
    augmentation such as `cutout`, XLA may round one of the two otherwise.

    Args:
        spec: the static choices. A stream brings batches of its own size; one that has
            another `batch_size` is refused.
        key: decides the first params and what the steps draw; of arrays also their order.
        data: the stream, or `Dataset(stream, valid)` with validation arrays `{"x", "y"}`. A stream
            yields batches `{"x": [batch, ...], "y": targets}`, perhaps with `"weight": [batch]`,
            or pairs `(x, y)`, of any library. It is a function that makes an iterator for each
            epoch; an iterable such as a list, a `tf.data.Dataset` or a data loader, which is gone
            through in each; or an iterator. In place of a stream, arrays `{"x", "y"}` are read
            batch by batch, shuffled as by `fit`: `np.load(path, mmap_mode="r")` stays in its file.
        hparams: as for `fit`.
        steps_per_epoch: batches an epoch, for a stream without an end, which goes on from epoch to
            epoch; None if an epoch is a pass over the stream.
        progress: whether to show a live bar with the newest metrics.
        state: the last state of a run with fewer epochs, which goes on up to `spec.epochs`, as in
            `fit`; a stream goes on where it is, arrays where that run ended.
        on_record: as in `fit`.

    Returns:
        The last state and the history, as `fit` does; metrics by function are of the validation
        samples only, since those of training are never there at once.

    Raises:
        ValueError, TypeError: arguments that do not fit, before training; later, in words that
            name it, a batch that is not like the first, or a stream that ends early.
        DivergedError: as in `fit`.
        Exception: what the stream itself raises, as it is.

    Examples:
        >>> import jax, numpy as np, jaxnets as jn
        >>> def batches():
        ...     rng = np.random.default_rng(0)
        ...     for _ in range(50):
        ...         x = rng.normal(size=(32, 2))
        ...         yield x, (x[:, 0] > x[:, 1]).astype(int)
        >>> spec = jn.TrainSpec(jn.MLP((8,), 2), "softmax_cross_entropy", epochs=5)
        >>> state, history = jn.fit_stream(spec, jax.random.key(0), batches, {"learning_rate": 0.1})
        >>> bool(history["train_accuracy"][-1] > 0.9)
        True
    """
    require_not_forked()
    checks.require_keys(key, 0, "key")
    if jax.process_count() > 1:
        raise ValueError("a stream trains in one process: give arrays to fit, which divides them")
    if not (hasattr(data, "train") and hasattr(data, "valid")):
        data = StreamData(data)
    if on_record is not None:
        checks.require_callable(on_record, "on_record", "jaxnets.hooks.to_csv('metrics.csv')")
    spec, hparams = bind_schedules(spec, hparams)
    unknown = {f"train_{name}" for name in dict(spec.metrics)}
    if spec.stopping and spec.stopping.metric in unknown:
        own = spec.stopping.metric.removeprefix("train_")
        raise ValueError(f"of a stream, {own} is of the validation samples: stop by valid_{own}")
    source = open_source(spec, data.train, steps_per_epoch, split_key(key).order)
    passed = _epochs_behind(spec, state, source.steps)
    batches = source.batches(range(passed, spec.epochs))
    first = cast(Raw, next(batches))
    check = BatchCheck(spec, first)
    if isinstance(source, Rows):
        check.require_targets(source.part)
    like = check.convert(first).parts
    _require_size(spec, len(like["x"]))
    made, x = map(check, chain([first], batches)), like["x"][:1]
    state_id, whole = program_state(spec), replace(spec, batch_size=None)
    valid, hparams = _prepared(whole, like, data.valid, hparams)
    del first, like
    carry, _ = _begin(whole, state_id, key, x, hparams, valid is not None)
    history = {name: rows for name, rows in carry.history.items() if name not in unknown}
    carry = carry._replace(history=history)
    if state is not None and source.steps:
        require_state(replace(spec, batch_size=1), state, carry.state, source.steps)
        carry = going_on(carry, state)
    with closing(prefetch(made)) as ahead:
        program = _Epochs(whole, state_id, hparams, valid, ahead, passed)
        try:
            carry = drive(program.job(), carry, progress, on_record=on_record)
        except jax.errors.JaxRuntimeError as error:
            raise out_of_memory_hint(error, *MEMORY) from error
    state, history = carry.state, jax.device_get(carry.history)
    history = {name: rows[passed // spec.record_every :] for name, rows in history.items()}
    if spec.stopping:
        return best_state(state, carry.watched), cut_off(history, carry.watched.records)
    return state, history


def _epochs_behind(spec: TrainSpec, state: Any, steps: int | None) -> int:
    """Counts the epochs that a state has behind it; whether it fits is checked later."""
    if state is None:
        return 0
    if steps is None:
        raise ValueError(
            "a state tells how many steps it has taken, not how many epochs: to go on from it, "
            "give steps_per_epoch"
        )
    return min(int(getattr(state, "step", 0)) // steps, spec.epochs - 1)


def _require_size(spec: TrainSpec, size: int) -> None:
    if spec.batch_size not in (None, size):
        raise ValueError(
            f"batch_size is {spec.batch_size}, but the first batch of the stream has {size} "
            "samples: leave batch_size out, a stream has its own"
        )


def _prepared(
    spec: TrainSpec, like: dict[str, np.ndarray], valid: Any, hparams: Any
) -> tuple[Any, Hparams]:
    """Returns the validation part and the hyper-parameters on the device, once all is checked."""
    train = {"x": like["x"], "y": like["y"]}
    data, hparams = prepare(spec, StreamData(train, valid), hparams)
    return data.valid, hparams


@dataclass(frozen=True)
class _Epochs:
    """The program of a run for the driver, whose steps are epochs here.

    Args:
        spec: the static choices.
        state_id: what they refer to, see `program_state`.
        hparams: the hyper-parameters.
        valid: the validation part, or None.
        batches: the batches, with None after each epoch.
        begun: epochs before the first.
    """

    spec: TrainSpec
    state_id: str
    hparams: Hparams
    valid: Any
    batches: Iterator[Checked | None]
    begun: int = 0

    def job(self) -> Job:
        """Describes the run for the driver."""
        return Job(self.spec, self, 1, stops_if_diverged=True, begun=self.begun, piece=1)

    def __call__(self, carry: Carry, start: Any, count: Any) -> Carry:
        """Takes epoch `start`; `count` is 1, the job's piece."""
        epoch = int(start)
        carry, samples = carry._replace(sums=jax.tree.map(jnp.zeros_like, carry.sums)), 0.0
        for parts, n in iter(self.batches.__next__, None):
            carry = self._step(carry, jax.device_put(parts), epoch, overflows=not samples)
            samples += n
            del parts
        if not samples:
            raise ValueError(
                f"the weights of epoch {epoch + 1} are all zero: nothing would be learned"
            )
        if (epoch + 1) % self.spec.record_every:
            return carry
        recorded = _record(self.spec, self.state_id, carry, epoch, samples, self.valid)
        if not recorded.finite:
            raise self._diverged(carry, recorded, epoch)
        return recorded

    def _step(self, carry: Carry, batch: Batch, epoch: int, overflows: bool) -> Carry:
        """Takes a step; of the first of an epoch, also asks whether its gradient overflows."""
        now = carry.state, carry.sums
        new, finite = self._take(now, batch)
        after = carry._replace(state=new[0], sums=new[1])
        if not finite:
            fresh = carry.state, jax.tree.map(jnp.zeros_like, carry.sums)
            alone = self._take(fresh, batch)[0][1]
            raise self._diverged(carry, after._replace(sums=alone), epoch)
        params = map(jax.tree.leaves, (carry.state.params, after.state.params))
        if overflows and all(map(np.array_equal, *params)):
            self._require_gradient(after, batch, epoch)
        return after

    def _take(
        self, now: tuple[State, Metrics], batch: Batch
    ) -> tuple[tuple[State, Metrics], Array]:
        rows = np.arange(len(batch["x"]), dtype=np.int32)
        return _take(self.spec, self.state_id, now, batch, rows, self.hparams, np.int32(1))

    def _require_gradient(self, carry: Carry, batch: Batch, epoch: int) -> None:
        if _overflows(self.spec, self.state_id, carry.state, batch, self.hparams):
            what = overflow_reason(int(carry.state.step))
            raise diverged_error(self.job(), carry, epoch, what, epoch + 1)

    def _diverged(self, before: Carry, after: Carry, epoch: int) -> DivergedError:
        what = reason(before, after, int(before.state.step))
        return diverged_error(
            self.job(), before, epoch, f"{what}; try a smaller learning rate", epoch + 1
        )


@partial(jax.jit, static_argnums=(0, 1, 5))
def _begin(
    spec: TrainSpec, state_id: str, key: Array, x: Array, hparams: Hparams, validated: bool
) -> tuple[Carry, Array]:
    return begin(spec, key, x, hparams, validated)


@partial(jax.jit, static_argnums=(0, 1))
def _take(
    spec: TrainSpec,
    state_id: str,
    now: tuple[State, Metrics],
    batch: Batch,
    order: Array,
    hparams: Hparams,
    count: Array,
) -> tuple[tuple[State, Metrics], Array]:
    """Takes a step in a loop, on rows that are looked up: XLA would round other code otherwise."""
    tx, step = optimizer_and_step(spec, now[0].params, hparams)
    size = len(order)
    batch, order = jax.tree.map(lambda a: jnp.concatenate([a, a]), (batch, order))

    def update(i: Array, now: tuple[State, Metrics]) -> tuple[State, Metrics]:
        return take_step(step, batch, now, lax.dynamic_slice_in_dim(order, i * size, size))

    now = lax.fori_loop(0, count, update, now)
    state, sums = now
    finite = jnp.isfinite(sums["loss"]) & stays_finite(state.params)
    return now, finite & stays_finite(state.opt_state, tx.init(state.params))


@partial(jax.jit, static_argnums=(0, 1))
def _record(
    spec: TrainSpec, state_id: str, carry: Carry, epoch: Array, samples: Array, valid: Any
) -> Carry:
    """Writes a row of the history."""

    def compute(state: State) -> tuple[Metrics, Any]:
        row = {f"train_{name}": total / samples for name, total in carry.sums.items()}
        if valid is not None:
            outputs = outputs_of(spec.model, state.params, valid["x"])
            found = metrics_of(get_loss(spec.loss), outputs, valid["y"], valid.get("weight"))
            if spec.metrics:
                scored = outputs, valid["y"], valid.get("weight")
                found |= measure(as_metrics(spec.metrics), *scored)
            row |= {f"valid_{name}": value for name, value in found.items()}
        watched = carry.watched
        if spec.stopping:
            watched = watch_record(spec.stopping, watched, row, state.params)
        return row, watched

    row, watched = compute(carry.state)
    index = epoch // spec.record_every
    history = jax.tree.map(lambda rows, new: rows.at[index].set(new), carry.history, row)
    own = {name: rows for name, rows in history.items() if name.partition("_")[2] in RECORDED}
    return carry._replace(history=history, watched=watched, finite=stays_finite(own))


@partial(jax.jit, static_argnums=(0, 1))
def _overflows(spec: TrainSpec, state_id: str, state: State, batch: Batch, hparams: Any) -> Array:
    """Whether the gradient of a batch overflows."""
    objective = penalised_objective(spec.model, spec.loss, hparams)
    _, grads = spec.value_and_grad(objective, has_aux=True)(state.params, batch, state.key)
    return gradient_overflows(grads)
