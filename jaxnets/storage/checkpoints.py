"""Checkpoints: trees of arrays in a folder, one directory a step, complete or refused.

A step's directory is written under a temporary name: orbax's files first, then a manifest with the
sha256 of every file and of itself. All is flushed to the disk, then renamed. Reading checks the
manifest before orbax sees anything, since orbax itself restores flipped bytes silently.
"""

import errno
import hashlib
import json
import operator
import os
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np

from jaxnets.host import checks
from jaxnets.host.paths import as_path
from jaxnets.storage import arrays, manifest, pruning, tensorboard
from jaxnets.storage.atomic import disk_full_errors, make_folder, sync, write_bytes
from jaxnets.storage.manifest import DIRECTORY, MANIFEST, STEP, CorruptCheckpoint, verify

ARRAYS = "arrays"
LINES = 10
"""The most lines to show of the difference between two trees."""


class CheckpointMismatch(ValueError):
    """A checkpoint that another model or run saved; the message says what differs.

    Example:
        >>> issubclass(CheckpointMismatch, ValueError)
        True
    """


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

    Example:
        >>> CheckpointConfig("run", seconds=60.0).last
        3
    """

    folder: str | Path
    seconds: float = 10.0
    last: int = 3
    steps: int | None = None
    tensorboard: str | Path | None = None
    shared: bool = False

    def __post_init__(self) -> None:
        object.__setattr__(self, "folder", as_path(self.folder, "folder"))
        checks.require_count(self.last, "last")
        if self.steps is not None:
            checks.require_count(self.steps, "steps")
        if not checks.as_finite(self.seconds, "seconds") >= 0:
            raise ValueError(f"seconds is {self.seconds}; it must be 0 or more")
        if self.tensorboard is not None:
            object.__setattr__(self, "tensorboard", as_path(self.tensorboard, "tensorboard"))
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
    """The latest intact checkpoint.

    Example:
        >>> Restored(3, {"w": 1.0}, []).step
        3
    """

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
    """Saves a pytree of arrays and keys durably, then deletes older ones of the same run.

    The new checkpoint and the newest intact ones stay, `last` together. Damaged checkpoints, those
    with another fingerprint and files that are not ours are neither counted nor deleted; what has
    the name of the new one and is not ours is renamed to `.aside`. To tell what is intact, a
    process hashes a checkpoint once, and again only if its files have changed.

    Raises:
        TypeError, ValueError: a step that is not an integer of at most 12 digits.
        DiskFullError: the disk is full; earlier checkpoints are untouched.
        OSError: the folder cannot be written; so they are then.

    Example:
        >>> import tempfile, numpy as np
        >>> folder = tempfile.mkdtemp()
        >>> _ = save(folder, 10, {"w": np.ones(3)})
        >>> restore(folder, {"w": np.zeros(3)}).step
        10
    """
    folder, mark = as_path(folder, "folder"), dict(fingerprint or {})
    step = _as_step(step)
    checks.require_count(last, "last")
    make_folder(folder)
    pruning.remove_stale(folder)
    final = folder / manifest.step_name(step)
    temporary = pruning.hidden(final, "tmp")
    try:
        with disk_full_errors(final):
            temporary.mkdir()
            place = temporary.stat()
            _write(temporary, step, tree, mark)
            if not os.path.samestat(place, temporary.stat()):
                raise FileNotFoundError(errno.ENOENT, "replaced during a save", str(folder))
            pruning.make_way(final, mark)
            temporary.rename(final)
            sync(folder)
    finally:
        pruning.release(temporary)
    manifest.remember(final, manifest.read(final))
    try:
        pruning.prune(_found(folder), final, last, mark)
    except OSError as error:
        warnings.warn(f"saved {final}, but could not delete older ones: {error}", stacklevel=2)
    return final


def restore(
    folder: str | Path,
    like: Any,
    fingerprint: Mapping[str, str] | None = None,
    growing: str | None = None,
) -> Restored | None:
    """Restores the latest intact checkpoint, like `like`; returns None if there is none.

    Leaves whose path starts with `growing` may be shorter along their last axis.

    Raises:
        CorruptCheckpoint: there are checkpoints, but none is intact.
        CheckpointMismatch: a different model or run saved it; the difference is shown.

    Example:
        >>> import tempfile, numpy as np
        >>> folder = tempfile.mkdtemp()
        >>> restore(folder, {"w": np.zeros(3)}) is None
        True
        >>> _ = save(folder, 10, {"w": np.ones(3)})
        >>> restore(folder, {"w": np.zeros(3)}).tree["w"].tolist()
        [1.0, 1.0, 1.0]
    """
    folder = as_path(folder, "folder")
    skipped: list[str] = []
    for path in _found(folder):
        try:
            found = verify(path)
            _compare(path, found, like, fingerprint, growing)
            tree = _read(path, found, like)
            if growing:
                tree = jax.tree.map(_padded, tree, like)
            return Restored(found["step"], tree, skipped)
        except CorruptCheckpoint as error:
            skipped.append(f"{path.name}: {error}")
            warnings.warn(f"skipped the checkpoint {path}: {error}", stacklevel=2)
    if skipped:
        reasons = "\n".join(f"  {line}" for line in skipped[:LINES])
        raise CorruptCheckpoint(
            f"no checkpoint in {folder} is intact:\n{reasons}\n"
            "delete the folder or use another to start again"
        )
    return None


def _as_step(step: Any) -> int:
    try:
        number = operator.index(step)
    except TypeError as error:
        raise TypeError(f"step is {step!r}; it must be an integer") from error
    if not 0 <= number < 10**12:
        raise ValueError(f"step is {number}; it must be 0 or more, and have at most 12 digits")
    return number


def _found(folder: Path) -> list[Path]:
    """The directories of steps, newest first; a replaced one comes after its replacement."""
    steps = [e.name for e in pruning.entries(folder) if STEP.fullmatch(e.name) and e.is_dir()]
    steps.sort(key=lambda name: (Path(name).stem, -len(name)), reverse=True)
    return [folder / name for name in steps]


def _write(path: Path, step: int, tree: Any, fingerprint: dict[str, str]) -> None:
    """Writes a step's directory, and flushes the files first and then what they are in."""
    leaves = arrays.describe_leaves(tree)
    arrays.write(path / ARRAYS, tree)
    for file in sorted(path.rglob("*"), key=lambda file: -len(file.parts)):
        sync(file)
    files = _digests(path)
    sizes = {name: os.stat(path / name).st_size for name in files if files[name] != DIRECTORY}
    parts = {"step": step, "fingerprint": fingerprint, "leaves": leaves}
    write_bytes(path / MANIFEST, manifest.encode(parts | {"files": files, "sizes": sizes}))


def _digests(path: Path) -> dict[str, str]:
    """The sha256 of every file but the manifest, and a mark for each directory."""
    names = sorted(file.relative_to(path).as_posix() for file in path.rglob("*"))
    return {name: manifest.digest(path, name) for name in names if name != MANIFEST}


def _read(path: Path, found: dict[str, Any], like: Any) -> Any:
    folder = f"{ARRAYS}/"
    files = [name.removeprefix(folder) for name in manifest.files_of(found) if folder in name]
    return arrays.read(path / ARRAYS, list(found["leaves"].values()), like, files)


def _compare(
    path: Path,
    found: dict[str, Any],
    like: Any,
    fingerprint: Mapping[str, str] | None,
    growing: str | None,
) -> None:
    have, want = found["leaves"], arrays.describe_leaves(like)
    lines = [f"missing: {name}" for name in want if name not in have]
    lines += [f"unexpected: {name}" for name in have if name not in want]
    lines += [
        f"{name}: {_text(have[name])} in the checkpoint, {_text(want[name])} here"
        for name in want
        if name in have and have[name] != want[name]
    ]
    saved = found["fingerprint"]
    other = [name for name, value in (fingerprint or {}).items() if saved.get(name) != value]
    if not other and (not lines or (growing and _is_shorter(path, have, want, growing))):
        return
    more = [f"and {len(lines) - LINES} more"] if len(lines) > LINES else []
    shown = "".join(f"\n  {line}" for line in [*lines[:LINES], *more])
    mismatch = f" (mismatch: {', '.join(other)})" if other else ""
    raise CheckpointMismatch(
        f"{path} was saved by a different {'model' if lines else 'run'}{mismatch}; use another "
        f"folder, or delete this one{shown}"
    )


def _is_shorter(path: Path, have: dict[str, Any], want: dict[str, Any], growing: str) -> bool:
    """Whether the leaves of that prefix have shorter last axes, and all else is the same."""
    differ = [name for name in have.keys() | want.keys() if have.get(name) != want.get(name)]
    pairs = [(have.get(name), want.get(name)) for name in differ if name.startswith(growing)]
    known = [(old, new) for old, new in pairs if old and new and old["dtype"] == new["dtype"]]
    shapes = [(old["shape"], new["shape"]) for old, new in known]
    if len(shapes) < len(differ) or any(old[:-1] != new[:-1] for old, new in shapes):
        return False
    before, now = shapes[0][0][-1], shapes[0][1][-1]
    if before > now:
        raise CheckpointMismatch(
            f"{path} was saved by a run with {before} records, more than the {now} of this one: "
            "give it as many epochs, or use another folder"
        )
    return True


def _padded(value: Any, like: Any) -> Any:
    same = np.shape(value) == np.shape(like)
    return value if same else like.at[..., : np.shape(value)[-1]].set(value)


def _text(row: dict[str, Any]) -> str:
    return f"{row['dtype']}{row['shape']}"
