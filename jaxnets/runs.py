"""The folder of a run: its configuration, metrics and checkpoints, written by one process."""

import contextlib
import fcntl
import hashlib
import json
import os
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import jax
import numpy as np

from jaxnets import scalars
from jaxnets.checkpoints import Checkpoints
from jaxnets.replacing import replacing

_folder: ContextVar[Path | None] = ContextVar("folder of the run", default=None)
_tensorboard: ContextVar[bool] = ContextVar("whether scalars are written", default=False)


class InUse(RuntimeError):
    """A folder that another process writes; its pid is named."""


@contextmanager
def recording(folder: str | Path, tensorboard: bool = False) -> Iterator[Path]:
    """Every `fit` and `sweep` within keeps checkpoints and metrics in the folder.

    One that is found finished there returns at once. Process 0 holds the folder's lock. If asked
    for, scalars for TensorBoard are written to the folder's `tensorboard`.

    Raises:
        InUse: another process writes the folder.
        ModuleNotFoundError: TensorBoard is asked for without the extra [tensorboard].
    """
    if tensorboard:
        scalars.check_installed()
    path = Path(folder)
    path.mkdir(parents=True, exist_ok=True)
    with locked(path) if jax.process_index() == 0 else contextlib.nullcontext():
        tokens = _folder.set(path), _tensorboard.set(tensorboard)
        try:
            yield path
        finally:
            _folder.reset(tokens[0])
            _tensorboard.reset(tokens[1])


def kept(identity: Mapping[str, str]) -> Checkpoints:
    """Where a training of that identity is kept by the run that is being recorded."""
    folder = _folder.get()
    assert folder is not None, "no run is being recorded"
    name = hashlib.sha256(json.dumps(dict(identity), sort_keys=True).encode()).hexdigest()[:16]
    board = folder / "tensorboard" / name if _tensorboard.get() else None
    return Checkpoints(folder / "checkpoints" / name, tensorboard=board)


def recorded() -> bool:
    """Whether a run is being recorded."""
    return _folder.get() is not None


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Holds the folder's lock, which the system frees when its process ends, however it does.

    Raises:
        InUse: another process, or another place in this one, holds it.
    """
    with (folder / "lock").open("a+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            file.seek(0)
            raise InUse(
                f"{folder} is in use by pid {file.read().strip() or '?'}: wait for it, or name "
                "another folder"
            ) from error
        file.truncate(0)
        file.write(f"{os.getpid()}\n")
        file.flush()
        yield


def describe(folder: Path, config: Mapping[str, Any]) -> None:
    """Writes `run.json`: the configuration, and what it runs on."""
    note = {
        "config": dict(config),
        "versions": {name: version(name) for name in ("jaxnets", "jax", "flax", "optax", "numpy")},
        "device": f"{len(jax.devices())} x {jax.devices()[0].device_kind}",
        "commit": _commit(),
        "started": datetime.now(UTC).isoformat(timespec="seconds"),
    }
    with replacing(folder / "run.json") as temporary:
        temporary.write_text(json.dumps(note, indent=1), encoding="utf-8")


def config_of(folder: Path) -> dict[str, Any]:
    """The configuration that a run's folder was started with.

    Raises:
        FileNotFoundError: no run's folder.
        ValueError: its `run.json` cannot be read.
    """
    path = folder / "run.json"
    if not path.exists():
        raise FileNotFoundError(f"{folder} is no run's folder: {path} is missing")
    try:
        return json.loads(path.read_text(encoding="utf-8"))["config"]
    except (UnicodeDecodeError, json.JSONDecodeError, KeyError, TypeError) as error:
        raise ValueError(f"{path} is damaged ({error}): start a new run with --run") from error


def rows(history: Mapping[str, np.ndarray], records: int, every: int) -> list[dict[str, Any]]:
    """The records so far, each with its epoch; of many networks, the mean of the finite ones."""
    means = {name: _mean(np.asarray(values)) for name, values in history.items()}
    return [
        {"epoch": (i + 1) * every} | {name: values[i] for name, values in means.items()}
        for i in range(records)
    ]


def write_metrics(path: Path, records: list[dict[str, Any]]) -> None:
    """All rows, whole or not at all, so that no row comes twice; no file while there is none."""
    if not records:
        return
    lines = [",".join(records[0])]
    lines += [",".join(f"{value:.9g}" for value in row.values()) for row in records]
    with replacing(path) as temporary:
        temporary.write_text("\n".join(lines) + "\n", encoding="utf-8")


def _mean(values: np.ndarray) -> np.ndarray:
    """Over all axes but the last, of what is finite; NaN where nothing is."""
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
