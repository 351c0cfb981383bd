"""Which directories of steps a folder has, and which of them may go.

Only what is provably a checkpoint of ours is ever deleted: the name of a step or of something
half-written, and for a step a valid manifest. Whatever else lies there stays.
"""

import hashlib
import os
import re
import secrets
import shutil
import socket
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from jaxnets.storage import manifest
from jaxnets.storage.manifest import MANIFEST, REPLACED, CorruptCheckpoint

ASIDE = ".aside"
"""The suffix of what had the name of a new checkpoint and is not an intact one."""
HIDDEN = re.compile(
    r"\.(?P<name>step_[0-9]{12}(\.replaced)?)\.(?P<pid>[0-9]+)"
    r"(\.(?P<host>[0-9a-f]{8})\.(?P<token>[0-9a-f]{16}))?\.(?P<kind>tmp|old)"
)
"""Half-written (tmp) and half-deleted (old) directories; without host and token by version 0.2."""
LITTER = re.compile(
    r"\.DS_Store|Thumbs\.db|desktop\.ini|\._.*|\.nfs.*|\.ipynb_checkpoints|@eaDir", re.IGNORECASE
)
"""What systems and editors put into folders by themselves; it goes with its directory."""
FORGOTTEN = 24 * 60 * 60.0
"""Seconds after which a half-written directory of a process that cannot be asked is given up."""

_in_use: set[str] = set()
"""The hidden directories that this process writes, in all its threads."""


def entries(folder: Path) -> list["os.DirEntry[str]"]:
    """Lists a folder by name; one that does not exist has nothing in it."""
    try:
        with os.scandir(folder) as found:
            return sorted(found, key=lambda entry: entry.name)
    except FileNotFoundError:
        return []


def prune(steps: list[Path], new: Path, last: int, fingerprint: Mapping[str, Any]) -> None:
    """Deletes intact checkpoints of one run: all but the new one and the newest, `last` together.

    Damaged ones are neither counted nor deleted, nor are those of other runs.

    Args:
        steps: the directories of steps, newest first.
        new: the one that was just written, and stays.
        last: how many checkpoints stay.
        fingerprint: of the run.
    """
    others = [path for path in steps if path != new]
    if len(others) < last and not any(path.suffix == REPLACED for path in others):
        return
    stay = {new.stem}
    for path in others:
        known = manifest.intact(path)
        if known is None or known["fingerprint"] != dict(fingerprint):
            continue
        if len(stay) >= last or path.stem in stay:
            remove(path, path)
        stay.add(path.stem)


def make_way(path: Path, fingerprint: Mapping[str, Any]) -> None:
    """Frees the name of a checkpoint for another one of the same step and run.

    An intact one gets the name `.replaced`, so that there is one at any moment. A damaged one is
    deleted. What is not of this run gets the name `.aside`.
    """
    replaced = path.with_name(path.name + REPLACED)
    if manifest.intact(path) and _is_of(path, fingerprint):
        _clear(replaced, fingerprint)
        path.rename(replaced)
    else:
        _clear(path, fingerprint)


def _clear(path: Path, fingerprint: Mapping[str, Any]) -> None:
    """Deletes a checkpoint of this run, even a damaged one; sets aside what is not."""
    if not os.path.lexists(path):
        return
    aside = next(
        name
        for i in range(10**6)
        if not os.path.lexists(name := path.with_name(f"{path.name}{ASIDE}{i or ''}"))
    )
    if _is_of(path, fingerprint):
        remove(path, aside)
    else:
        path.rename(aside)


def _is_of(path: Path, fingerprint: Mapping[str, Any]) -> bool:
    try:
        return not path.is_symlink() and manifest.read(path)["fingerprint"] == dict(fingerprint)
    except CorruptCheckpoint:
        return False


def remove(path: Path, home: Path) -> None:
    """Deletes a checkpoint under a hidden name, so that nobody finds half of it.

    What others have put into its directory is not deleted: it goes to `home`.
    """
    gone = hidden(path, "old")
    try:
        with suppress(FileNotFoundError):
            path.rename(gone)
        _empty(gone, home)
    finally:
        _in_use.discard(gone.name)


def _empty(path: Path, home: Path) -> None:
    """Deletes the files of a manifest, and the manifest last, so that it can be taken up again."""
    with suppress(CorruptCheckpoint):
        for name in manifest.files_of(manifest.read(path)):
            (path / name).unlink(missing_ok=True)
        (path / MANIFEST).unlink()
    rest = [file for file in path.rglob("*") if not file.is_dir() or file.is_symlink()]
    foreign = [p for p in rest if not any(map(LITTER.fullmatch, p.relative_to(path).parts))]
    if not foreign:
        shutil.rmtree(path, ignore_errors=True)
    elif not os.path.lexists(home):
        path.rename(home)


def hidden(path: Path, kind: str) -> Path:
    """Returns a new hidden name next to that of a step; it is in use until `release`."""
    name = f".{path.name}.{os.getpid()}.{_host()}.{secrets.token_hex(8)}.{kind}"
    _in_use.add(name)
    return path.with_name(name)


def release(path: Path) -> None:
    """Deletes a hidden directory of this process, if it is still there."""
    shutil.rmtree(path, ignore_errors=True)
    _in_use.discard(path.name)


def remove_stale(folder: Path) -> None:
    """Deletes what killed processes left half-written or half-deleted."""
    for entry in entries(folder):
        parts = HIDDEN.fullmatch(entry.name)
        if not parts or not entry.is_dir(follow_symlinks=False) or _is_used(entry, parts):
            continue
        if parts["kind"] == "tmp" or not parts["token"]:
            shutil.rmtree(entry.path, ignore_errors=True)
        else:
            _empty(Path(entry.path), folder / parts["name"])


def _is_used(entry: "os.DirEntry[str]", parts: re.Match[str]) -> bool:
    if entry.name in _in_use:
        return True
    if parts["host"] in (None, _host()) and os.name == "posix":
        return int(parts["pid"]) != os.getpid() and _is_running(int(parts["pid"]))
    return time.time() - entry.stat(follow_symlinks=False).st_mtime < FORGOTTEN


def _is_running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:
        pass
    return True


def _host() -> str:
    return hashlib.sha256(socket.gethostname().encode()).hexdigest()[:8]
