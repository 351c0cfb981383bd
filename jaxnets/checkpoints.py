"""Trees of arrays in a folder, one directory a step, which are whole or refused.

A step's directory is written under a temporary name: orbax's files first, then a manifest with the
sha256 of every file and of itself. Then it gets its name. Reading checks the manifest before orbax
sees anything, since orbax itself restores flipped bytes silently.
"""

import hashlib
import json
import os
import shutil
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from jaxnets import checks, leaves, scalars
from jaxnets.replacing import room

MANIFEST, ARRAYS = "MANIFEST", "arrays"
REPLACED = ".replaced"
"""The ending of a step's directory while another takes its name, so that one is always there."""
LINES = 10
"""Of the difference between two trees, at most so many are shown."""


class Damaged(ValueError):
    """A checkpoint that is not what was written; the file, or what else is wrong, is named."""


class OtherTraining(ValueError):
    """A checkpoint of another model or training than the one that asks for it."""


@dataclass(frozen=True)
class Checkpoints:
    """Where a training is kept, and how often.

    Raises:
        TypeError, ValueError: seconds below 0, or less than one checkpoint or step.
        ModuleNotFoundError: TensorBoard is asked for without the extra.
    """

    folder: str | Path
    seconds: float = 10.0
    """Between two saves; the last state is always saved."""
    last: int = 3
    """How many stay."""
    steps: int | None = None
    """Steps between two returns to Python; by default as many as take about a quarter second."""
    tensorboard: str | Path | None = None
    """A folder for TensorBoard's scalars, if any; it takes the extra [tensorboard]."""

    def __post_init__(self) -> None:
        checks.count(self.last, "last")
        if self.steps is not None:
            checks.count(self.steps, "steps")
        if not checks.finite(self.seconds, "seconds") >= 0:
            raise ValueError(f"seconds is {self.seconds}; it must be 0 or more")
        if self.tensorboard is not None:
            scalars.check_installed()


class Restored(NamedTuple):
    """The newest good checkpoint."""

    step: int
    tree: Any
    skipped: list[str]
    """Newer ones that are damaged: which, and why."""


def save(
    folder: str | Path,
    step: int,
    tree: Any,
    identity: Mapping[str, str] | None = None,
    last: int = 3,
) -> Path:
    """Writes a pytree of arrays and keys durably, then deletes all but the `last` newest.

    Raises:
        NoRoom: the disk is full; the checkpoints before it are as they were.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    _remove_stale(folder)
    final, replaced = folder / _name(step), folder / (_name(step) + REPLACED)
    temporary = folder / f".{final.name}.{os.getpid()}.tmp"
    try:
        with room(final):
            _write(temporary, step, tree, dict(identity or {}))
            if final.exists():
                final.rename(replaced)
            temporary.rename(final)
            _sync(folder)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    verify(final)
    if replaced.exists():
        _remove(replaced)
    for old in _found(folder)[last:]:
        _remove(old)
    return final


def restore(
    folder: str | Path, like: Any, identity: Mapping[str, str] | None = None
) -> Restored | None:
    """The newest good checkpoint with the structure and places of `like`; None if there is none.

    Raises:
        Damaged: there are checkpoints, but not one is whole.
        OtherTraining: the newest good one is of another tree or identity; the difference is shown.
    """
    skipped: list[str] = []
    for path in _found(Path(folder)):
        try:
            manifest = verify(path)
        except Damaged as error:
            skipped.append(f"{path.name}: {error}")
            warnings.warn(f"skipped the checkpoint {path}: {error}", stacklevel=2)
            continue
        _compare(path, manifest, like, identity)
        tree = leaves.read(path / ARRAYS, list(manifest["leaves"].values()), like)
        return Restored(manifest["step"], tree, skipped)
    if skipped:
        reasons = "\n".join(f"  {line}" for line in skipped[:LINES])
        raise Damaged(
            f"no checkpoint in {folder} is whole:\n{reasons}\n"
            "delete the folder, or name another, to start anew"
        )
    return None


def verify(path: Path) -> dict[str, Any]:
    """The manifest of a step's directory, once every file is what was written.

    Raises:
        Damaged: what is missing, unexpected or changed.
    """
    try:
        head, _, text = (path / MANIFEST).read_bytes().partition(b"\n")
        if head != hashlib.sha256(text).hexdigest().encode():
            raise Damaged(f"{MANIFEST} is not as it was written")
        manifest = json.loads(text)
        if path.name.removesuffix(REPLACED) != _name(manifest["step"]):
            raise Damaged(f"{MANIFEST} is of step {manifest['step']}")
        found = _digests(path)
    except OSError as error:
        raise Damaged(f"{error.filename or MANIFEST} cannot be read ({error.strerror})") from error
    wanted = manifest["files"]
    for name in sorted({*found, *wanted}):
        if found.get(name) != wanted.get(name):
            what = "is missing" if name not in found else "is not as it was written"
            raise Damaged(f"{name} {what if name in wanted else 'does not belong there'}")
    return manifest


def _name(step: int) -> str:
    return f"step_{step:012d}"


def _found(folder: Path) -> list[Path]:
    """Newest first, and of a step what was replaced after what replaced it."""
    return sorted(folder.glob("step_*"), key=lambda path: (path.stem, not path.suffix))[::-1]


def _write(path: Path, step: int, tree: Any, identity: dict[str, str]) -> None:
    described = leaves.described(tree)
    path.mkdir()
    leaves.write(path / ARRAYS, tree)
    manifest = {"step": step, "identity": identity, "leaves": described, "files": _digests(path)}
    text = json.dumps(manifest, indent=1).encode()
    (path / MANIFEST).write_bytes(hashlib.sha256(text).hexdigest().encode() + b"\n" + text)
    for file in path.rglob("*"):
        _sync(file)
    _sync(path)


def _compare(
    path: Path, manifest: dict[str, Any], like: Any, identity: Mapping[str, str] | None
) -> None:
    have, want = manifest["leaves"], leaves.described(like)
    lines = [f"missing: {name}" for name in want if name not in have]
    lines += [f"unexpected: {name}" for name in have if name not in want]
    lines += [
        f"{name}: {_text(have[name])} in the checkpoint, {_text(want[name])} here"
        for name in want
        if name in have and have[name] != want[name]
    ]
    kept = manifest["identity"]
    other = [name for name, value in (identity or {}).items() if kept.get(name) != value]
    if not lines and not other:
        return
    more = [f"and {len(lines) - LINES} more"] if len(lines) > LINES else []
    shown = "".join(f"\n  {line}" for line in [*lines[:LINES], *more])
    differ = f" (not the same: {', '.join(other)})" if other else ""
    raise OtherTraining(
        f"{path} is of another {'model' if lines else 'training'}{differ}: name another folder, or "
        f"delete this one{shown}"
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


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _remove(path: Path) -> None:
    """In one move for all that look for it, then from the disk."""
    gone = path.with_name(f".{path.name}.{os.getpid()}.old")
    path.rename(gone)
    shutil.rmtree(gone, ignore_errors=True)


def _remove_stale(folder: Path) -> None:
    """What processes that were killed have left half-written, half-deleted or replaced."""
    for path in folder.glob(".step_*"):
        shutil.rmtree(path, ignore_errors=True)
    for path in folder.glob(f"step_*{REPLACED}"):
        whole = path.with_suffix("")
        if whole.exists():
            _remove(path)
