"""Atomic file writes."""

import errno
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


class DiskFullError(OSError):
    """A file that did not fit on the disk; the message names it and the free bytes."""


@contextmanager
def atomic_write(path: Path) -> Iterator[Path]:
    """Yields a temporary path, next to `path`, that replaces it unless something fails.

    Until then `path` stays as it was; nothing temporary is left behind.

    Raises:
        DiskFullError: the disk is full, or the file larger than allowed.
    """
    temporary = path.with_name(f".{path.stem}.{os.getpid()}{path.suffix}")
    with disk_full_errors(path):
        try:
            yield temporary
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)


@contextmanager
def disk_full_errors(path: Path) -> Iterator[None]:
    """Turns the errors of a full disk into a `DiskFullError` for that file; all others pass."""
    try:
        yield
    except OSError as error:
        if error.errno not in FULL or isinstance(error, DiskFullError):
            raise
        folder = path if path.is_dir() else path.parent
        free = shutil.disk_usage(folder).free
        raise DiskFullError(
            error.errno,
            f"{os.strerror(error.errno)} for {path}: {free} bytes are free there "
            f"({free / 2**30:,.2f} GiB); free some space, or write elsewhere. "
            "No partial file is left",
        ) from error


def sync(path: Path) -> None:
    """Flushes a file or folder to the disk; a folder only where the system can open one."""
    flags = os.O_RDONLY
    if not hasattr(os, "O_DIRECTORY"):  # Windows, which flushes only what it can write
        if path.is_dir():
            return
        flags = os.O_RDWR
    descriptor = os.open(path, flags)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
