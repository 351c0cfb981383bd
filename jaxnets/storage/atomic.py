"""Atomic file writes: the one way in which files are written here."""

import errno
import os
import re
import secrets
import shutil
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from jaxnets.host.paths import as_path

FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
NEW = os.O_RDWR | os.O_CREAT | os.O_EXCL | getattr(os, "O_NOFOLLOW", 0)
NEW |= getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)
UNFLUSHED = (errno.EACCES, errno.EINVAL, getattr(errno, "ENOTSUP", errno.EINVAL))
"""What the system answers for a folder that it cannot flush, or that may not be read."""
LONGEST = 200
"""The most bytes of a name that its temporary file has in its own, which ends 22 bytes later."""


class DiskFullError(OSError):
    """A file that did not fit on the disk; the message names it and the free bytes."""


@contextmanager
def atomic_write(path: str | Path) -> Iterator[BinaryIO]:
    """Yields a new file, open for bytes, that replaces `path` unless something fails.

    Until then `path` stays as it was; nothing temporary is left behind. The new file has a name in
    the same folder that nobody can predict, is opened only if nothing has that name, and gets the
    permissions of the umask. Its content is on the disk before it gets its name, and the name
    before this returns. A symbolic link at `path` is replaced, never followed.

    Raises:
        DiskFullError: the disk is full, or the file larger than allowed.
        FileExistsError: `path` is a device, a pipe or a socket.
    """
    path = as_path(path)
    _require_replaceable(path)
    temporary = _temporary(path, secrets.token_hex(8))
    with disk_full_errors(path):
        descriptor = os.open(temporary, NEW, 0o666)
        try:
            with os.fdopen(descriptor, "w+b") as file:
                yield file
                file.flush()
                os.fsync(descriptor)
            temporary.replace(path)
        except BaseException:
            with suppress(OSError):
                temporary.unlink()
            raise
        sync(path.parent)


def remove_stale(path: Path) -> None:
    """Deletes what killed processes have left of `path`; only for who has locked its folder."""
    begin, _, end = _temporary(path, "\0").name.partition("\0")
    left = re.compile(re.escape(begin) + "[0-9a-f]{16}" + re.escape(end))
    with os.scandir(path.parent) as entries:
        for entry in entries:
            if left.fullmatch(entry.name) and entry.is_file(follow_symlinks=False):
                os.unlink(entry.path)


def _temporary(path: Path, token: str) -> Path:
    name = path.name if len(os.fsencode(path.name)) <= LONGEST else "file"
    return path.with_name(f".{name}.{token}.tmp")


def _require_replaceable(path: Path) -> None:
    with suppress(FileNotFoundError):
        mode = path.lstat().st_mode
        if not (stat.S_ISREG(mode) or stat.S_ISLNK(mode) or stat.S_ISDIR(mode)):
            raise FileExistsError(
                errno.EEXIST, f"{path} is a device, pipe or socket, not a file: use another name"
            )


@contextmanager
def disk_full_errors(path: Path) -> Iterator[None]:
    """Turns the errors of a full disk into a `DiskFullError` for that file.

    All others pass; those that name no file, such as that of a failed flush, name it then.
    """
    try:
        yield
    except OSError as error:
        if error.errno not in FULL or isinstance(error, DiskFullError):
            if error.errno is not None and error.filename is None:
                error.filename = str(path)
            raise
        folder = next(folder for folder in (path, *path.absolute().parents) if folder.is_dir())
        free = shutil.disk_usage(folder).free
        raise DiskFullError(
            error.errno,
            f"{os.strerror(error.errno)} for {path}: {free} bytes are free there "
            f"({free / 2**30:,.2f} GiB); free some space, or write elsewhere. "
            "No partial file is left",
        ) from error


def write_bytes(path: str | Path, content: bytes) -> None:
    """Writes a file as `atomic_write` does."""
    with atomic_write(path) as file:
        file.write(content)


def write_text(path: str | Path, text: str) -> None:
    """Writes a UTF-8 text as `atomic_write` does, with line breaks as they are."""
    write_bytes(path, text.encode())


def make_folder(path: Path) -> None:
    """Creates a folder and its parents, and flushes their names to the disk.

    Raises:
        NotADirectoryError: something else has the name.
    """
    with disk_full_errors(path):
        new = [folder for folder in (path, *path.parents) if not folder.exists()]
        try:
            path.mkdir(parents=True, exist_ok=True)
        except (FileExistsError, NotADirectoryError) as error:
            where = error.filename or path
            text = f"{path} cannot be a folder: {where} exists and is not one"
            raise NotADirectoryError(errno.ENOTDIR, text) from error
        for folder in new:
            sync(folder.parent)


def sync(path: Path) -> None:
    """Flushes a file or folder to the disk; a folder only where the system can do that."""
    folder, flags = path.is_dir(), os.O_RDONLY
    if not hasattr(os, "O_DIRECTORY"):  # Windows, which flushes only what it can write
        if folder:
            return
        flags = os.O_RDWR
    try:
        descriptor = os.open(path, flags)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
    except OSError as error:
        if not folder or error.errno not in UNFLUSHED:
            raise
