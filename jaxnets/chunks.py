"""The loops around compiled programs: chunks of records, or pieces that are kept in a folder."""

import math
import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, closing, nullcontext
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from jaxnets import checkpoints, distributed, runs
from jaxnets.checkpoints import Checkpoints
from jaxnets.pieces import NEVER, Carry, begin, steps_an_epoch
from jaxnets.progress import bar as progress_bar
from jaxnets.scalars import Board
from jaxnets.signals import Interrupted, held
from jaxnets.train import History, Run, State

PIECE_SECONDS = 0.25
"""What a piece should take: so soon a signal is heard, so rarely the devices wait for Python."""
LARGEST_PIECE = 2**20

Pieces = Callable[[Carry, Any, Any], Carry]
"""`pieces(carry, start, count)` makes `count` steps, the first of them step `start`."""


class Diverged(FloatingPointError):
    """A loss that is no longer finite; carries the last finite `state` and the `history`."""

    def __init__(self, message: str, state: State, history: History):
        super().__init__(message)
        self.state = state
        self.history = history


class Place(NamedTuple):
    """Where a training is kept, and which one it is."""

    keep: Checkpoints
    identity: Mapping[str, str]


def in_chunks(
    run: Run,
    program: Callable[..., tuple[State, History]],
    state: State,
    chunks: int,
    progress: bool,
    check: Callable[..., None] | None = None,
) -> tuple[State, History]:
    """The training's end, by some calls of `program(records, state)`.

    `check(old, new, rows, epochs)`, if given, raises unless the chunk between them was good.
    """
    records = run.epochs // run.record_every
    size = next(s for s in range(-(-records // chunks), records + 1) if records % s == 0)
    rows: list[History] = []
    with progress_bar(progress, "epoch", run.epochs) as bar:
        for _ in range(records // size):
            new_state, history = program(size, state)
            rows.append(jax.device_get(history))
            if check:
                check(state, new_state, joined(rows), size * run.record_every)
            state = new_state
            if progress:
                _show(bar, {name: values[..., -1] for name, values in rows[-1].items()})
                bar.update(size * run.record_every)
    return state, joined(rows)


def in_pieces(
    run: Run,
    pieces: Pieces,
    carry: Carry,
    samples: int,
    place: Place,
    progress: bool,
    check: Callable[..., None] | None = None,
) -> tuple[State, History]:
    """The training's end, from the newest good checkpoint or from `carry`, saved as it goes on.

    Raises:
        Interrupted: SIGINT or SIGTERM came; the state is saved.
        InUse: another process keeps a training there.
        ValueError: processes that do not see the same checkpoint.
        Damaged, OtherTraining: see `jaxnets.checkpoints.restore`.
        NoRoom: the disk is full; the checkpoints before are as they were.
        Diverged: by `check`; the last finite state is saved.
    """
    an_epoch = steps_an_epoch(run, samples)
    total, keep = run.epochs * an_epoch, place.keep
    with (
        held() as pending,
        _own(keep.folder),
        closing(_Writer(run, place, an_epoch)) as writer,
        progress_bar(progress, "epoch", run.epochs) as bar,
    ):
        step, carry = writer.restored(carry)
        bar.update(step // an_epoch)
        size, warm = _first_size(keep, an_epoch), False
        while step < total:
            count, began = min(size, total - step), time.monotonic()
            new = jax.block_until_ready(pieces(carry, jnp.int32(step), jnp.int32(count)))
            seconds = time.monotonic() - began
            if check and not _finite(new):
                writer.save(step, carry)
                check(carry.state, new.state, _so_far(run, new, step + count, an_epoch), carry=new)
            bar.update((step + count) // an_epoch - step // an_epoch)
            carry, step = new, step + count
            asked = distributed.largest(pending.signal or 0)
            if step == total or asked or writer.due():
                writer.save(step, carry)
            if asked and step < total:
                where = f"after step {step} of {total}; saved in {keep.folder}"
                raise Interrupted(f"stopped by signal {asked} {where}", asked)
            if warm and keep.steps is None and jax.process_count() == 1:
                size = _next_size(size, seconds)
            warm = True
    return carry.state, jax.device_get(carry.history)


def _own(folder: str | Path) -> AbstractContextManager[None]:
    """No other process may keep a training there meanwhile; of several, the first holds it."""
    if jax.process_index():
        return nullcontext()
    Path(folder).mkdir(parents=True, exist_ok=True)
    return runs.locked(Path(folder))


class _Writer:
    """Saves checkpoints, metrics and scalars, and knows when the last of them was."""

    def __init__(self, run: Run, place: Place, an_epoch: int):
        self.run, self.place, self.an_epoch = run, place, an_epoch
        self.folder = Path(place.keep.folder)
        self.saved: int | None = None
        self.board: Board | None = None
        self.at = time.monotonic()

    def restored(self, carry: Carry) -> tuple[int, Carry]:
        found = checkpoints.restore(self.folder, carry, self.place.identity)
        step = found.step if found else 0
        distributed.same_everywhere(np.asarray(step), "checkpoint")
        if self.place.keep.tensorboard is not None and jax.process_index() == 0:
            self.board = Board(self.place.keep.tensorboard, self._records(step))
        if not found:
            return 0, carry
        self.saved = None if found.skipped else step
        return step, found.tree

    def due(self) -> bool:
        return time.monotonic() - self.at >= self.place.keep.seconds

    def save(self, step: int, carry: Carry) -> None:
        """The checkpoint last: what a kill before it has cost is done again."""
        if self.saved != step and jax.process_index() == 0:
            keep, every = self.place.keep, self.run.record_every
            rows = runs.rows(jax.device_get(carry.history), self._records(step), every)
            runs.write_metrics(self.folder / "metrics.csv", rows)
            if self.board:
                self.board.add(rows)
            checkpoints.save(self.folder, step, carry, self.place.identity, keep.last)
        self.saved, self.at = step, time.monotonic()

    def close(self) -> None:
        if self.board:
            self.board.close()

    def _records(self, step: int) -> int:
        return step // (self.an_epoch * self.run.record_every)


def stop_if_diverged(
    run: Run,
    samples: int,
    pieces: Pieces,
    old: State,
    new: State,
    history: History,
    epochs: int = 0,
    carry: Carry | None = None,
) -> None:
    """Raises unless the losses and the new params are finite.

    Where no carry has watched every step, the `epochs` since the old state are run again in search
    of the first that was not finite.

    Raises:
        Diverged: the epoch, the first step and its loss, and the first leaf that is not finite.
    """
    finite = np.isfinite(history["train_loss"])
    leaf = _bad_leaf(new.params)
    if finite.all() and leaf is None and carry is None:
        return
    an_epoch = steps_an_epoch(run, samples)
    if carry is None:
        start, count = jnp.int32(old.step), jnp.int32(epochs * an_epoch)
        carry = pieces(begin(run, old, "valid_loss" in history), start, count)
    known = int(carry.bad_step) != NEVER
    step = int(carry.bad_step) if known else int(new.step) - 1
    last = len(finite) * run.record_every
    record = int(np.argmin(np.append(finite, False)))
    epoch = min((record + 1) * run.record_every, last) if epochs else step // an_epoch + 1
    loss = (
        f"the loss of step {step} is {float(carry.bad_loss)}"
        if known
        else (f"the params are not finite after step {step}")
    )
    where = f"; params{leaf} has NaN or infinity" if leaf else ""
    raise Diverged(
        f"the training is not finite after epoch {epoch} of {run.epochs}: {loss}{where}; "
        "try a smaller learning rate",
        old,
        history,
    )


@jax.jit
def _finite(carry: Carry) -> Array:
    """Whether every loss so far and all params are, computed where they lie."""
    leaves = [jnp.isfinite(leaf).all() for leaf in jax.tree.leaves(carry.state.params)]
    return jnp.stack([carry.bad_step == NEVER, *leaves]).all()


def _so_far(run: Run, carry: Carry, step: int, an_epoch: int) -> History:
    records = step // (an_epoch * run.record_every)
    return {name: rows[..., :records] for name, rows in jax.device_get(carry.history).items()}


def _first_size(keep: Checkpoints, an_epoch: int) -> int:
    if keep.steps is not None:
        return keep.steps
    return 1 if jax.process_count() == 1 else an_epoch


def _next_size(size: int, seconds: float) -> int:
    """Twice or half the steps, until a piece takes about as long as it should."""
    if seconds < PIECE_SECONDS / 2:
        return min(2 * size, LARGEST_PIECE)
    return max(size // 2, 1) if seconds > 2 * PIECE_SECONDS else size


def _bad_leaf(params: Any) -> str | None:
    """The path of the first array that is not finite, or None."""
    for path, leaf in jax.tree_util.tree_leaves_with_path(params):
        if not np.isfinite(leaf).all():
            return jax.tree_util.keystr(path)
    return None


def _show(bar: Any, row: dict[str, Any]) -> None:
    means = {name: f"{_finite_mean(values):.4g}" for name, values in row.items()}
    bar.set_postfix(means, refresh=False)


def _finite_mean(values: Any) -> float:
    """Of the networks that have not diverged; NaN if all have."""
    finite = np.asarray(values)[np.isfinite(values)]
    return float(finite.mean()) if finite.size else math.nan


def joined(rows: list[History]) -> History:
    """The rows of all chunks, in one."""
    return {name: np.concatenate([row[name] for row in rows], axis=-1) for name in rows[0]}
