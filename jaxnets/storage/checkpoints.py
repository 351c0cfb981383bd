"""Checkpoints: trees of arrays in a folder, one directory a step, complete or refused.

A step's directory is written under a temporary name: orbax's files first, then a manifest with the
sha256 of every file and of itself. Then it is renamed. Reading checks the manifest before orbax
sees anything, since orbax itself restores flipped bytes silently.
"""

import hashlib
import json
import os
import shutil
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

from jaxnets.host import checks
from jaxnets.storage import arrays, tensorboard
from jaxnets.storage.atomic import disk_full_errors, sync

MANIFEST, ARRAYS = "MANIFEST", "arrays"
REPLACED = ".replaced"
"""The suffix of a step's directory while another takes its name, so that one always exists."""
LINES = 10
"""The most lines to show of the difference between two trees."""


class CorruptCheckpoint(ValueError):
    """A checkpoint that differs from what was written; the message names the file."""


class CheckpointMismatch(ValueError):
    """A checkpoint that another model or run saved; the message says what differs."""


@dataclass(frozen=True)
class CheckpointConfig:
    """Says where a run saves checkpoints, and how often.

    Args:
        folder: where to save checkpoints; the run resumes from the latest one.
        seconds: the least time between two saves; the last state is always saved.
        last: how many checkpoints stay.
        steps: steps between two returns to Python; by default as many as take about a quarter
            second.
        tensorboard: a folder for TensorBoard scalars, if any; it takes the extra [tensorboard].
        shared: whether many runs share `folder` and `tensorboard`, each in a subfolder named after
            its fingerprint.

    Raises:
        TypeError, ValueError: seconds below 0, or less than one checkpoint or step.
        ModuleNotFoundError: TensorBoard is asked for without the extra.
    """

    folder: str | Path
    seconds: float = 10.0
    last: int = 3
    steps: int | None = None
    tensorboard: str | Path | None = None
    shared: bool = False

    def __post_init__(self) -> None:
        checks.require_count(self.last, "last")
        if self.steps is not None:
            checks.require_count(self.steps, "steps")
        if not checks.as_finite(self.seconds, "seconds") >= 0:
            raise ValueError(f"seconds is {self.seconds}; it must be 0 or more")
        if self.tensorboard is not None:
            tensorboard.require_installed()

    def of_run(self, fingerprint: Mapping[str, str]) -> "CheckpointConfig":
        """Returns the config of the run with that fingerprint, with folders of its own."""
        if not self.shared:
            return self
        text = json.dumps(dict(fingerprint), sort_keys=True)
        name = hashlib.sha256(text.encode()).hexdigest()[:16]
        board = None if self.tensorboard is None else Path(self.tensorboard) / name
        return replace(self, folder=Path(self.folder) / name, tensorboard=board, shared=False)


class Restored(NamedTuple):
    """The latest intact checkpoint."""

    step: int
    tree: Any
    skipped: list[str]
    """Newer ones that are corrupt: which, and why."""


def save(
    folder: str | Path,
    step: int,
    tree: Any,
    fingerprint: Mapping[str, str] | None = None,
    last: int = 3,
) -> Path:
    """Saves a pytree of arrays and keys durably, then deletes all but the `last` newest.

    Raises:
        DiskFullError: the disk is full; earlier checkpoints are untouched.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    _remove_stale(folder)
    final, replaced = folder / _name(step), folder / (_name(step) + REPLACED)
    temporary = folder / f".{final.name}.{os.getpid()}.tmp"
    try:
        with disk_full_errors(final):
            _write(temporary, step, tree, dict(fingerprint or {}))
            if final.exists():
                final.rename(replaced)
            temporary.rename(final)
            sync(folder)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    verify(final)
    if replaced.exists():
        _remove(replaced)
    for old in _found(folder)[last:]:
        _remove(old)
    return final


def restore(
    folder: str | Path, like: Any, fingerprint: Mapping[str, str] | None = None
) -> Restored | None:
    """Restores the latest intact checkpoint, like `like`; returns None if there is none.

    Raises:
        CorruptCheckpoint: there are checkpoints, but none is intact.
        CheckpointMismatch: a different model or run saved it; the difference is shown.
    """
    skipped: list[str] = []
    for path in _found(Path(folder)):
        try:
            manifest = verify(path)
        except CorruptCheckpoint as error:
            skipped.append(f"{path.name}: {error}")
            warnings.warn(f"skipped the checkpoint {path}: {error}", stacklevel=2)
            continue
        _compare(path, manifest, like, fingerprint)
        tree = arrays.read(path / ARRAYS, list(manifest["leaves"].values()), like)
        return Restored(manifest["step"], tree, skipped)
    if skipped:
        reasons = "\n".join(f"  {line}" for line in skipped[:LINES])
        raise CorruptCheckpoint(
            f"no checkpoint in {folder} is intact:\n{reasons}\n"
            "delete the folder or use another to start again"
        )
    return None


def verify(path: Path) -> dict[str, Any]:
    """Returns the manifest of a step's directory, once every file matches it.

    Raises:
        CorruptCheckpoint: what is missing, unexpected or changed.
    """
    try:
        head, _, text = (path / MANIFEST).read_bytes().partition(b"\n")
        if head != hashlib.sha256(text).hexdigest().encode():
            raise CorruptCheckpoint(f"{MANIFEST} differs from what was written")
        manifest = json.loads(text)
        if path.name.removesuffix(REPLACED) != _name(manifest["step"]):
            raise CorruptCheckpoint(f"{MANIFEST} is of step {manifest['step']}")
        found = _digests(path)
    except OSError as error:
        raise CorruptCheckpoint(
            f"{error.filename or MANIFEST} cannot be read ({error.strerror})"
        ) from error
    wanted = manifest["files"]
    for name in sorted({*found, *wanted}):
        if found.get(name) != wanted.get(name):
            what = "is missing" if name not in found else "differs from what was written"
            raise CorruptCheckpoint(f"{name} {what if name in wanted else 'does not belong there'}")
    return manifest


def _name(step: int) -> str:
    return f"step_{step:012d}"


def _found(folder: Path) -> list[Path]:
    """Newest first; a replaced directory of a step comes after its replacement."""
    return sorted(folder.glob("step_*"), key=lambda path: (path.stem, not path.suffix))[::-1]


def _write(path: Path, step: int, tree: Any, fingerprint: dict[str, str]) -> None:
    leaves = arrays.describe_leaves(tree)
    path.mkdir()
    arrays.write(path / ARRAYS, tree)
    manifest = {"step": step, "fingerprint": fingerprint, "leaves": leaves, "files": _digests(path)}
    text = json.dumps(manifest, indent=1).encode()
    (path / MANIFEST).write_bytes(hashlib.sha256(text).hexdigest().encode() + b"\n" + text)
    for file in path.rglob("*"):
        sync(file)
    sync(path)


def _compare(
    path: Path, manifest: dict[str, Any], like: Any, fingerprint: Mapping[str, str] | None
) -> None:
    have, want = manifest["leaves"], arrays.describe_leaves(like)
    lines = [f"missing: {name}" for name in want if name not in have]
    lines += [f"unexpected: {name}" for name in have if name not in want]
    lines += [
        f"{name}: {_text(have[name])} in the checkpoint, {_text(want[name])} here"
        for name in want
        if name in have and have[name] != want[name]
    ]
    saved = manifest["fingerprint"]
    other = [name for name, value in (fingerprint or {}).items() if saved.get(name) != value]
    if not lines and not other:
        return
    more = [f"and {len(lines) - LINES} more"] if len(lines) > LINES else []
    shown = "".join(f"\n  {line}" for line in [*lines[:LINES], *more])
    mismatch = f" (mismatch: {', '.join(other)})" if other else ""
    raise CheckpointMismatch(
        f"{path} was saved by a different {'model' if lines else 'run'}{mismatch}; use another "
        f"folder, or delete this one{shown}"
    )


def _text(row: dict[str, Any]) -> str:
    return f"{row['dtype']}{row['shape']}"


def _digests(path: Path) -> dict[str, str]:
    """The sha256 of every file but the manifest, and a mark for each directory."""
    return {
        str(file.relative_to(path)): "directory"
        if file.is_dir()
        else hashlib.sha256(file.read_bytes()).hexdigest()
        for file in path.rglob("*")
        if file.name != MANIFEST or file.parent != path
    }


def _remove(path: Path) -> None:
    """Renames it first, so that nobody finds half of it."""
    gone = path.with_name(f".{path.name}.{os.getpid()}.old")
    path.rename(gone)
    shutil.rmtree(gone, ignore_errors=True)


def _remove_stale(folder: Path) -> None:
    """Deletes what killed processes left half-written, half-deleted or replaced."""
    for path in folder.glob(".step_*"):
        shutil.rmtree(path, ignore_errors=True)
    for path in folder.glob(f"step_*{REPLACED}"):
        replacement = path.with_suffix("")
        if replacement.exists():
            _remove(path)
