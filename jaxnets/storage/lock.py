"""The lock of a folder, held by one process at a time."""

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from filelock import BaseFileLock, FileLock, Timeout

from jaxnets.host.paths import as_path
from jaxnets.storage.atomic import DiskFullError, disk_full_errors, remove_stale, write_text

LOCK, HOLDER = "lock", "lock.pid"


class FolderInUseError(RuntimeError):
    """A folder that another process writes; the message names its pid."""


class RunFolderError(OSError):
    """A run folder that cannot be written, or is no longer there; the message says what is safe."""


class FolderLock(NamedTuple):
    """The lock that this process holds on a folder."""

    folder: Path
    inode: tuple[int, int]
    """Of the lock's file: another folder of the same name has another one."""

    def require_held(self) -> None:
        """Raises an error unless the folder is still the one that was locked.

        Raises:
            RunFolderError: it was deleted, renamed or replaced, or cannot be read.
            FolderInUseError: it was replaced by one that another process has locked.
        """
        try:
            if _inode(self.folder / LOCK) == self.inode:
                return
        except OSError as error:
            raise RunFolderError(
                error.errno,
                f"{self.folder} is not the folder that this run has locked: it was deleted, "
                f"renamed or replaced ({error.strerror})",
            ) from error
        _acquire(self.folder).release()
        raise RunFolderError(
            errno.ENOENT, f"{self.folder} was replaced by another folder of the same name"
        )


@contextmanager
def lock_folder(folder: str | Path) -> Iterator[FolderLock]:
    """Holds the folder's lock, which the system frees when the process ends, in whatever way.

    A child by fork neither holds the lock nor frees it.

    Raises:
        FolderInUseError: another process, or another place in this one, holds it.
        RunFolderError: the lock is a symbolic link, not a file, or cannot be acquired.
        DiskFullError: there is no space for it.
    """
    folder = as_path(folder, "folder")
    lock = _acquire(folder)
    try:
        held = FolderLock(folder, _inode(folder / LOCK))
        remove_stale(folder / HOLDER)
        write_text(folder / HOLDER, f"{os.getpid()}\n")
        yield held
    finally:
        lock.release()


def _acquire(folder: Path) -> BaseFileLock:
    for name in (LOCK, HOLDER):
        _require_file(folder / name)
    lock = FileLock(folder / LOCK, timeout=0)
    try:
        with disk_full_errors(folder / LOCK):
            lock.acquire()
    except Timeout as error:
        raise FolderInUseError(
            f"{folder} is in use by pid {_holder(folder)}: wait for it, or use another folder"
        ) from error
    except DiskFullError:
        raise
    except OSError as error:
        raise RunFolderError(
            error.errno, f"{folder / LOCK} cannot be locked: {error.strerror}"
        ) from error
    return lock


def _require_file(path: Path) -> None:
    if os.path.lexists(path) and not stat.S_ISREG(path.lstat().st_mode):
        kind = "a symbolic link" if path.is_symlink() else "not a file"
        raise RunFolderError(
            errno.EEXIST, f"{path} is {kind}, which jaxnets never makes: delete it if it is yours"
        )


def _holder(folder: Path) -> str:
    try:
        _require_file(folder / HOLDER)
        with (folder / HOLDER).open("rb") as file:
            return file.read(20).decode("ascii", "replace").strip() or "?"
    except OSError:
        return "?"


def _inode(path: Path) -> tuple[int, int]:
    found = path.lstat()
    return found.st_dev, found.st_ino
