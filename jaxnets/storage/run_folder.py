"""The folder of a run: its lock, configuration, metrics and checkpoints, written by one process."""

import json
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

from jaxnets import parallel
from jaxnets.host.paths import as_path
from jaxnets.host.signals import Interrupted, defer_signals
from jaxnets.storage import atomic, checkpoints, tensorboard
from jaxnets.storage.atomic import DiskFullError, make_folder, write_bytes, write_text
from jaxnets.storage.checkpoints import CheckpointConfig
from jaxnets.storage.lock import FolderInUseError, FolderLock, RunFolderError, lock_folder

NOTE, METRICS = "run.json", "metrics.csv"
COPY = "run.json.copy"
"""The same again, for a folder whose note is lost."""
DAMAGED = (ValueError, KeyError, TypeError, RecursionError)
LARGEST_NOTE = 2**24
"""The most bytes of a note."""


@dataclass(frozen=True)
class RunFolder:
    """A folder that this process has locked for its runs.

    Example:
        >>> import tempfile
        >>> with open_run_folder(tempfile.mkdtemp()) as folder:
        ...     folder.path.is_dir()
        True
    """

    path: Path
    tensorboard: bool = False
    lock: FolderLock | None = None
    """Of process 0."""

    def require_held(self) -> None:
        """Raises an error if the folder was deleted, renamed or replaced, see `FolderLock`."""
        if self.lock is not None:
            self.lock.require_held()

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
        RunFolderError: its lock is a symbolic link, or not a file.
        ModuleNotFoundError: TensorBoard is asked for without the extra [tensorboard].

    Example:
        >>> import tempfile
        >>> with open_run_folder(tempfile.mkdtemp()) as folder:
        ...     folder.checkpoints.last  # jn.fit(..., checkpoints=folder.checkpoints)
        3
    """
    if with_tensorboard:
        tensorboard.require_installed()
    path = as_path(folder, "folder")
    make_folder(path)
    with lock_folder(path) if jax.process_index() == 0 else nullcontext() as lock:
        for name in (NOTE, COPY) if lock else ():
            atomic.remove_stale(path / name)
        yield RunFolder(path, with_tensorboard, lock)


class RunWriter:
    """Saves the checkpoints, metrics and scalars of a run, and knows when it last did.

    Example:
        >>> import tempfile
        >>> config = CheckpointConfig(tempfile.mkdtemp(), seconds=0.0)
        >>> with RunWriter(config, {"spec": "mine"}, 1, lambda step: 0) as writer:
        ...     writer.folder.is_dir()
        True
    """

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
            fingerprint: of the run; one with more `epochs` goes on from its checkpoints.
            record_every: epochs between two rows of its history.
            records: of a step, how many of the rows are complete.
        """
        self.config, self.fingerprint = config.of_run(fingerprint), dict(fingerprint)
        self.fingerprint.pop("epochs", None)
        self.record_every, self.records = record_every, records
        self.folder = Path(self.config.folder)
        self.saved: int | None = None
        self.safe: int | None = None
        self.lock: FolderLock | None = None
        self.board: tensorboard.Board | None = None
        self.asked = 0
        self.at = time.monotonic()
        self.stack = ExitStack()

    def __enter__(self) -> "RunWriter":
        with ExitStack() as stack:
            self.pending = stack.enter_context(defer_signals())
            if jax.process_index() == 0:
                make_folder(self.folder)
                self.lock = stack.enter_context(lock_folder(self.folder))
                atomic.remove_stale(self.folder / METRICS)
            self.stack = stack.pop_all()
        return self

    def __exit__(self, *error: Any) -> None:
        self.stack.__exit__(*error)

    def restore(self, carry: Any) -> tuple[int, Any]:
        """Returns step and carry of the latest intact checkpoint, else 0 and the given carry.

        The history of a run of fewer epochs gets the rows that are yet to come.
        """
        found = checkpoints.restore(self.folder, carry, self.fingerprint, growing=".history")
        step = found.step if found else 0
        if jax.process_count() > 1:
            parallel.require_same_everywhere(np.asarray(step), "checkpoint")
        if self.config.tensorboard is not None and jax.process_index() == 0:
            board = tensorboard.Board(self.config.tensorboard, self.records(step))
            self.board = self.stack.enter_context(closing(board))
        if not found:
            return 0, carry
        self.saved, self.safe = None if found.skipped else step, step
        return step, found.tree

    def must_save(self, step: int, total: int) -> bool:
        """Tells whether to save now: after the last step, when it is time, or on a signal."""
        self.asked = parallel.max_over_processes(self.pending.signal or 0)
        due = time.monotonic() - self.at >= self.config.seconds
        return step == total or bool(self.asked) or due

    def save(self, step: int, carry: Any, history: Mapping[str, Any]) -> None:
        """Saves metrics first and the checkpoint last, so that a kill in between loses no row.

        Raises:
            DiskFullError, RunFolderError: the folder is full, gone, replaced or not writable.
            FolderInUseError: it was replaced by one that another process has locked.
        """
        if self.saved != step and self.lock is not None:
            try:
                self.lock.require_held()
                self._save(step, carry, history)
            except FolderInUseError as error:
                raise FolderInUseError(self._lost(step, str(error))) from error
            except OSError as error:
                if error.errno is None:
                    raise
                raise self._failure(step, error) from error
        self.saved = self.safe = step
        self.at = time.monotonic()

    def _save(self, step: int, carry: Any, history: Mapping[str, Any]) -> None:
        table = rows(history, self.records(step), self.record_every)
        write_metrics(self.folder / METRICS, table)
        if self.board:
            self.board.add(table)
        checkpoints.save(self.folder, step, carry, self.fingerprint, self.config.last)

    def _failure(self, step: int, error: OSError) -> OSError:
        """The error of a folder, with the step that the run has reached, and what is safe."""
        text = self._lost(step, str(error.strerror))
        if isinstance(error, DiskFullError):
            return DiskFullError(error.errno, text)
        if not isinstance(error, RunFolderError):
            text = f"{error.filename or self.folder} cannot be written: {text}"
        return RunFolderError(error.errno, text)

    def _lost(self, step: int, what: str) -> str:
        safe = "no checkpoint was saved before"
        if self.safe is not None:
            safe = (
                f"the checkpoint of step {self.safe} was not touched, and the run resumes from it"
            )
        return f"{what}. Step {step} could not be saved in {self.folder}; {safe}"

    def stop_if_asked(self, step: int, total: int) -> None:
        """Raises Interrupted if a signal came before the state after this step was saved."""
        if self.asked:
            parallel.max_over_processes(0)  # the others wait until process 0 has saved
            where = f"after step {step} of {total}; saved in {self.folder}"
            raise Interrupted(f"stopped by signal {self.asked} {where}", self.asked)


def describe(folder: str | Path, config: Mapping[str, Any]) -> None:
    """Writes `run.json` twice: configuration, versions, device, commit and date.

    Raises:
        OSError: what cannot be written.

    Example:
        >>> import tempfile
        >>> folder = tempfile.mkdtemp()
        >>> describe(folder, {"epochs": 5})
        >>> config_of(folder)
        {'epochs': 5}
    """
    note = {
        "config": dict(config),
        "versions": {name: version(name) for name in ("jaxnets", "jax", "flax", "optax", "numpy")},
        "device": f"{len(jax.devices())} x {jax.devices()[0].device_kind}",
        "commit": _commit(),
        "started": datetime.now(UTC).isoformat(timespec="seconds"),
    }
    for name in (COPY, NOTE):
        write_text(as_path(folder, "folder") / name, json.dumps(note, indent=1))


def config_of(folder: str | Path) -> dict[str, Any]:
    """Reads the configuration that a run started with; from the copy where `run.json` is lost.

    Raises:
        FileNotFoundError: not a run directory.
        ValueError: neither can be read; the message says how to go on with the checkpoints.

    Example:
        >>> import tempfile
        >>> folder = tempfile.mkdtemp()
        >>> describe(folder, {"epochs": 5})
        >>> config_of(folder)
        {'epochs': 5}
    """
    folder, wrong = as_path(folder, "folder"), []
    for name in (NOTE, COPY):
        try:
            return _config_in(folder / name)
        except FileNotFoundError:
            continue
        except (OSError, *DAMAGED) as error:
            wrong.append(f"{folder / name} is damaged ({error})")
    if any(folder.glob("checkpoints/*/step_*")):
        raise ValueError(
            f"{' and '.join(wrong) or f'{folder / NOTE} is missing'}, but no checkpoint is lost: "
            f"start with --run {folder} and the configuration that it had (--set field=value); "
            "runs with the same fingerprint resume"
        )
    if not wrong:
        raise FileNotFoundError(f"{folder} is not a run directory ({NOTE} not found)")
    raise ValueError(f"{' and '.join(wrong)}: start a new run with --run")


def _config_in(path: Path) -> dict[str, Any]:
    if path.exists() and not path.is_file():
        raise ValueError("not a file")
    with path.open("rb") as file:
        note = json.loads(file.read(LARGEST_NOTE))
    return dict(note["config"])


def has_run(folder: Path) -> bool:
    """Tells whether the folder has a run whose configuration is known.

    Example:
        >>> import tempfile
        >>> has_run(Path(tempfile.mkdtemp()))
        False
    """
    try:
        return bool(config_of(folder))
    except (FileNotFoundError, ValueError):
        return False


def restore_note(folder: Path) -> None:
    """Writes `run.json` again from its copy, or the copy from it, where one of them is lost.

    Example:
        >>> import tempfile
        >>> folder = Path(tempfile.mkdtemp())
        >>> describe(folder, {"epochs": 5})
        >>> (folder / "run.json").unlink()
        >>> restore_note(folder)
        >>> (folder / "run.json").exists()
        True
    """
    for name, other in ((NOTE, COPY), (COPY, NOTE)):
        try:
            _config_in(folder / name)
        except (OSError, *DAMAGED):
            write_bytes(folder / name, (folder / other).read_bytes())


def rows(history: Mapping[str, np.ndarray], records: int, every: int) -> list[dict[str, Any]]:
    """Returns the records so far with their epochs, from a history of `[records]` each.

    Of a sweep, `[networks, records]`, they are means over the finite networks.

    Example:
        >>> found = rows({"train_loss": np.array([0.5, 0.25])}, records=2, every=10)
        >>> [(row["epoch"], float(row["train_loss"])) for row in found]
        [(10, 0.5), (20, 0.25)]
    """
    means = {name: _mean(np.asarray(values)) for name, values in history.items()}
    return [
        {"epoch": (i + 1) * every} | {name: values[i] for name, values in means.items()}
        for i in range(records)
    ]


def write_metrics(path: Path, records: list[dict[str, Any]]) -> None:
    """Writes all rows atomically, so that none comes twice; no file while there are none.

    Example:
        >>> import tempfile
        >>> path = Path(tempfile.mkdtemp()) / "metrics.csv"
        >>> write_metrics(path, [{"epoch": 1, "train_loss": 0.5}])
        >>> path.exists()
        True
    """
    if not records:
        return
    lines = [",".join(records[0])]
    lines += [",".join(f"{value:.9g}" for value in row.values()) for row in records]
    write_text(path, "\n".join(lines) + "\n")


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
