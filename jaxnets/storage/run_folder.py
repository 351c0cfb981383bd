"""The folder of a run: its lock, configuration, metrics and checkpoints, written by one process."""

import json
import os
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager, nullcontext
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import jax
import numpy as np
from filelock import FileLock, Timeout

from jaxnets import parallel
from jaxnets.host.signals import Interrupted, defer_signals
from jaxnets.storage import checkpoints, tensorboard
from jaxnets.storage.atomic import atomic_write
from jaxnets.storage.checkpoints import CheckpointConfig


class FolderInUseError(RuntimeError):
    """A folder that another process writes; the message names its pid."""


@dataclass(frozen=True)
class RunFolder:
    """A folder that this process has locked for its runs."""

    path: Path
    tensorboard: bool = False

    @property
    def checkpoints(self) -> CheckpointConfig:
        """Where `fit` and `sweep` save: each run in a subfolder named after its fingerprint."""
        board = self.path / "tensorboard" if self.tensorboard else None
        return CheckpointConfig(self.path / "checkpoints", tensorboard=board, shared=True)


@contextmanager
def open_run_folder(folder: str | Path, with_tensorboard: bool = False) -> Iterator[RunFolder]:
    """Locks a folder for the runs within; give its `checkpoints` to each `fit` and `sweep`.

    Where several processes run, process 0 holds the lock.

    Raises:
        FolderInUseError: another process writes the folder.
        ModuleNotFoundError: TensorBoard is asked for without the extra [tensorboard].
    """
    if with_tensorboard:
        tensorboard.require_installed()
    path = Path(folder)
    path.mkdir(parents=True, exist_ok=True)
    with lock_folder(path) if jax.process_index() == 0 else nullcontext():
        yield RunFolder(path, with_tensorboard)


@contextmanager
def lock_folder(folder: Path) -> Iterator[None]:
    """Holds the folder's lock, which the system frees when the process ends, in whatever way.

    Raises:
        FolderInUseError: another process, or another place in this one, holds it.
    """
    lock, holder = FileLock(folder / "lock", timeout=0), folder / "lock.pid"
    try:
        lock.acquire()
    except Timeout as error:
        pid = holder.read_text(encoding="utf-8").strip() if holder.exists() else "?"
        raise FolderInUseError(
            f"{folder} is in use by pid {pid}: wait for it, or use another folder"
        ) from error
    try:
        holder.write_text(f"{os.getpid()}\n", encoding="utf-8")
        yield
    finally:
        lock.release()


class RunWriter:
    """Saves the checkpoints, metrics and scalars of a run, and knows when it last did."""

    def __init__(
        self,
        config: CheckpointConfig,
        fingerprint: Mapping[str, str],
        record_every: int,
        records: Callable[[int], int],
    ):
        """Prepares for a run.

        Args:
            config: where, and how often.
            fingerprint: of the run.
            record_every: epochs between two rows of its history.
            records: of a step, how many of the rows are complete.
        """
        self.config, self.fingerprint = config.of_run(fingerprint), dict(fingerprint)
        self.record_every, self.records = record_every, records
        self.folder = Path(self.config.folder)
        self.saved: int | None = None
        self.board: tensorboard.Board | None = None
        self.asked = 0
        self.at = time.monotonic()
        self.stack = ExitStack()

    def __enter__(self) -> "RunWriter":
        with ExitStack() as stack:
            self.pending = stack.enter_context(defer_signals())
            if jax.process_index() == 0:
                self.folder.mkdir(parents=True, exist_ok=True)
                stack.enter_context(lock_folder(self.folder))
            self.stack = stack.pop_all()
        return self

    def __exit__(self, *error: Any) -> None:
        self.stack.__exit__(*error)

    def restore(self, carry: Any) -> tuple[int, Any]:
        """Returns step and carry of the latest intact checkpoint, else 0 and the given carry."""
        found = checkpoints.restore(self.folder, carry, self.fingerprint)
        step = found.step if found else 0
        if jax.process_count() > 1:
            parallel.require_same_everywhere(np.asarray(step), "checkpoint")
        if self.config.tensorboard is not None and jax.process_index() == 0:
            board = tensorboard.Board(self.config.tensorboard, self.records(step))
            self.board = self.stack.enter_context(closing(board))
        if not found:
            return 0, carry
        self.saved = None if found.skipped else step
        return step, found.tree

    def must_save(self, step: int, total: int) -> bool:
        """Tells whether to save now: after the last step, when it is time, or on a signal."""
        self.asked = parallel.max_over_processes(self.pending.signal or 0)
        due = time.monotonic() - self.at >= self.config.seconds
        return step == total or bool(self.asked) or due

    def save(self, step: int, carry: Any, history: Mapping[str, Any]) -> None:
        """Saves metrics first and the checkpoint last, so that a kill in between loses no row."""
        if self.saved != step and jax.process_index() == 0:
            table = rows(jax.device_get(history), self.records(step), self.record_every)
            write_metrics(self.folder / "metrics.csv", table)
            if self.board:
                self.board.add(table)
            checkpoints.save(self.folder, step, carry, self.fingerprint, self.config.last)
        self.saved, self.at = step, time.monotonic()

    def stop_if_asked(self, step: int, total: int) -> None:
        """Raises Interrupted if a signal came before the state after this step was saved."""
        if self.asked:
            where = f"after step {step} of {total}; saved in {self.folder}"
            raise Interrupted(f"stopped by signal {self.asked} {where}", self.asked)


def describe(folder: Path, config: Mapping[str, Any]) -> None:
    """Writes `run.json`: configuration, versions, device, commit and date."""
    note = {
        "config": dict(config),
        "versions": {name: version(name) for name in ("jaxnets", "jax", "flax", "optax", "numpy")},
        "device": f"{len(jax.devices())} x {jax.devices()[0].device_kind}",
        "commit": _commit(),
        "started": datetime.now(UTC).isoformat(timespec="seconds"),
    }
    with atomic_write(folder / "run.json") as temporary:
        temporary.write_text(json.dumps(note, indent=1), encoding="utf-8")


def config_of(folder: Path) -> dict[str, Any]:
    """Reads the configuration that a run started with.

    Raises:
        FileNotFoundError: not a run directory.
        ValueError: its `run.json` cannot be read.
    """
    path = folder / "run.json"
    if not path.exists():
        raise FileNotFoundError(f"{folder} is not a run directory ({path.name} not found)")
    try:
        return json.loads(path.read_text(encoding="utf-8"))["config"]
    except (UnicodeDecodeError, json.JSONDecodeError, KeyError, TypeError) as error:
        raise ValueError(f"{path} is damaged ({error}): start a new run with --run") from error


def rows(history: Mapping[str, np.ndarray], records: int, every: int) -> list[dict[str, Any]]:
    """Returns the records so far with their epochs; means over the finite networks of a sweep."""
    means = {name: _mean(np.asarray(values)) for name, values in history.items()}
    return [
        {"epoch": (i + 1) * every} | {name: values[i] for name, values in means.items()}
        for i in range(records)
    ]


def write_metrics(path: Path, records: list[dict[str, Any]]) -> None:
    """Writes all rows atomically, so that none comes twice; no file while there are none."""
    if not records:
        return
    lines = [",".join(records[0])]
    lines += [",".join(f"{value:.9g}" for value in row.values()) for row in records]
    with atomic_write(path) as temporary:
        temporary.write_text("\n".join(lines) + "\n", encoding="utf-8")


def _mean(values: np.ndarray) -> np.ndarray:
    """The mean of finite values over all axes but the last; NaN where there is none."""
    rows = values.reshape(-1, values.shape[-1])
    finite = np.isfinite(rows)
    count = finite.sum(axis=0)
    total = np.where(finite, rows, 0).sum(axis=0)
    return np.where(count > 0, total / np.maximum(count, 1), np.nan)


def _commit() -> str | None:
    try:
        done = subprocess.run(
            ["git", "rev-parse", "HEAD"], capture_output=True, text=True, check=False
        )
    except FileNotFoundError:
        return None
    return done.stdout.strip() or None
