"""The manifest of a checkpoint: its step, run, leaves, and the sha256 of every file.

Its own sha256 is its first line. What else lies in the directory, such as `.DS_Store`, is ignored.
"""

import hashlib
import json
import os
import re
import stat
from pathlib import Path, PurePosixPath
from typing import Any

MANIFEST = "MANIFEST"
REPLACED = ".replaced"
"""The suffix of a step's directory while another takes its name, so that one always exists."""
DIRECTORY = "directory"
"""What the manifest has for a directory, in place of a sha256."""
STEP = re.compile(r"step_([0-9]{12})(\.replaced)?")
LARGEST = 2**28
"""The most bytes of a manifest; a leaf takes about a hundred."""
PLAIN = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
PLAIN |= getattr(os, "O_BINARY", 0)

Signature = tuple[tuple[str, int, int, int, int], ...]
_intact: dict[tuple[int, int], Signature] = {}
"""The checkpoints whose files this process has hashed, by the inode of their directory."""
_damaged: dict[tuple[int, int], Signature] = {}
"""Those whose files did not match."""


class CorruptCheckpoint(ValueError):
    """A checkpoint that differs from what was written; the message names the file."""


def step_name(step: int) -> str:
    """Returns the name of a step's directory."""
    return f"step_{step:012d}"


def encode(manifest: dict[str, Any]) -> bytes:
    """Returns the bytes of a manifest file: the sha256 of its content on a line, then that."""
    text = json.dumps(manifest, indent=1).encode()
    return hashlib.sha256(text).hexdigest().encode() + b"\n" + text


def read(path: Path) -> dict[str, Any]:
    """Reads the manifest in a step's directory, without a look at the files that it lists.

    Raises:
        CorruptCheckpoint: it is missing, damaged, or not a manifest.
    """
    try:
        with _open(path, MANIFEST) as file:
            content = file.read(LARGEST + 1)
    except OSError as error:
        raise _unreadable(error) from error
    head, _, text = content.partition(b"\n")
    if len(content) > LARGEST or head != hashlib.sha256(text).hexdigest().encode():
        raise CorruptCheckpoint(f"{MANIFEST} differs from what was written")
    try:
        manifest = json.loads(text)
        _require_form(manifest)
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise CorruptCheckpoint(f"{MANIFEST} is not a manifest ({error})") from error
    return manifest


def digest(path: Path, name: str, size: int | None = None) -> str:
    """Returns the sha256 of a file of a checkpoint, or a mark for a directory.

    Nothing is read of a file that has not the given size; its digest is empty then.

    Raises:
        CorruptCheckpoint: a symbolic link, or what is neither a file nor a directory.
    """
    if stat.S_ISDIR((path / name).lstat().st_mode):
        return DIRECTORY
    with _open(path, name) as file:
        if size is not None and os.fstat(file.fileno()).st_size != size:
            return ""
        return hashlib.file_digest(file, "sha256").hexdigest()


def verify(path: Path) -> dict[str, Any]:
    """Returns the manifest of a step's directory, once every file that it lists matches it.

    Raises:
        CorruptCheckpoint: what is missing or changed.
    """
    manifest = _of_this_step(path)
    sizes = manifest.get("sizes", {})
    try:
        for name, wanted in sorted(_entries(manifest).items()):
            if not os.path.lexists(path / name):
                raise CorruptCheckpoint(f"{name} is missing")
            if digest(path, name, sizes.get(name)) != wanted:
                raise CorruptCheckpoint(f"{name} differs from what was written")
        remember(path, manifest)
    except OSError as error:
        raise _unreadable(error) from error
    return manifest


def remember(path: Path, manifest: dict[str, Any]) -> None:
    """Notes that the files of a step's directory are as its manifest says."""
    _intact[_inode(path)] = _signature(path, manifest)


def intact(path: Path) -> dict[str, Any] | None:
    """Returns the manifest of an intact step's directory, or None for anything else.

    Files are hashed only if this process has not hashed them before, or if their size, inode or
    times have changed since.
    """
    try:
        if path.is_symlink():
            return None
        manifest, inode = _of_this_step(path), _inode(path)
        now = _signature(path, manifest)
        if now not in (_intact.get(inode), _damaged.get(inode)):
            _damaged[inode] = now
            verify(path)
        return manifest if now == _intact.get(inode) else None
    except (CorruptCheckpoint, OSError):
        return None


def _of_this_step(path: Path) -> dict[str, Any]:
    manifest = read(path)
    if path.name.removesuffix(REPLACED) != step_name(manifest["step"]):
        raise CorruptCheckpoint(f"{MANIFEST} is of step {manifest['step']}")
    return manifest


def _require_form(manifest: dict[str, Any]) -> None:
    """Raises one of several errors unless all has the type that it was written with."""
    if type(manifest["step"]) is not int or manifest["step"] < 0:
        raise ValueError(f"step is {manifest['step']!r}")
    for name, row in manifest["leaves"].items():
        if not all(type(size) is int and size >= 0 for size in row["shape"]):
            raise ValueError(f"{name} has the shape {row['shape']}")
        str.encode(row["dtype"])
    if not all(isinstance(text, str) for text in manifest["files"].values()):
        raise TypeError("a digest is not a str")
    for name in manifest["files"]:
        file = PurePosixPath(name)
        if file.is_absolute() or ".." in file.parts or "\0" in name or not file.parts:
            raise ValueError(f"a file outside: {name!r}")
    manifest["fingerprint"].items(), manifest.get("sizes", {}).items()


def _entries(manifest: dict[str, Any]) -> dict[str, str]:
    """The files of a manifest and all directories that they are in, with what each must be."""
    files = {name.replace("\\", "/"): wanted for name, wanted in manifest["files"].items()}
    parents = {str(parent) for name in files for parent in PurePosixPath(name).parents}
    return files | dict.fromkeys(parents - {"."}, DIRECTORY)


def files_of(manifest: dict[str, Any]) -> list[str]:
    """Lists the files of a manifest, without the directories and the manifest itself."""
    return [name for name, wanted in _entries(manifest).items() if wanted != DIRECTORY]


def _open(path: Path, name: str) -> Any:
    """Opens a file of a checkpoint; never through a link, and never one without an end."""
    mode = (path / name).lstat().st_mode
    if not stat.S_ISREG(mode):
        kind = "a symbolic link" if stat.S_ISLNK(mode) else "not a file"
        raise CorruptCheckpoint(f"{name} is {kind}")
    return os.fdopen(os.open(path / name, PLAIN), "rb")


def _inode(path: Path) -> tuple[int, int]:
    found = path.stat()
    return found.st_dev, found.st_ino


def _signature(path: Path, manifest: dict[str, Any]) -> Signature:
    """What changes when somebody writes to a file of the checkpoint."""
    rows = []
    for name in (MANIFEST, *sorted(_entries(manifest))):
        found = (path / name).lstat()
        if not stat.S_ISDIR(found.st_mode):
            times = found.st_mtime_ns, found.st_ctime_ns
            rows.append((name, found.st_ino, found.st_size, *times))
    return tuple(rows)


def _unreadable(error: OSError) -> CorruptCheckpoint:
    name = error.filename or MANIFEST
    return CorruptCheckpoint(f"{name} cannot be read ({error.strerror})")
