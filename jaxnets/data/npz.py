"""NumPy archives, read without pickle and never beyond what the file can hold."""

import io
import math
import struct
import tokenize
import zipfile
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from lzma import LZMAError
from os import PathLike
from pathlib import Path

import numpy as np

from jaxnets.data import zip_members
from jaxnets.data.unpacking import MOST, PIECE
from jaxnets.host.files import require_file
from jaxnets.host.paths import as_path

ALWAYS = 2**28
"""Bytes that the arrays of an archive may have together beyond `MOST` times its size."""
HEADERS = {
    (1, 0): (np.lib.format.read_array_header_1_0, "<H"),
    (2, 0): (np.lib.format.read_array_header_2_0, "<I"),
}
LONGEST_HEADER = 10_000
"""Bytes of a header, as in NumPy: parsing more is neither safe nor useful."""
BROKEN = (
    *(zipfile.BadZipFile, zlib.error, LZMAError, struct.error, EOFError, OSError),
    *(NotImplementedError, OverflowError),
)
BROKEN_HEADER = (SyntaxError, TypeError, tokenize.TokenError, UnicodeDecodeError, RecursionError)


class _DamagedError(ValueError):
    """The headers of an archive contradict its content."""


def array_names(path: str | PathLike[str]) -> list[str]:
    """Lists the arrays of a NumPy archive: its members `NAME.npy`, but not those of macOS.

    Raises:
        FileNotFoundError: no such file.
        ValueError: not an intact archive.
    """
    with _open(as_path(path)) as archive:
        return list(_arrays(archive))


def read_npz(
    path: str | PathLike[str], names: Iterable[str] | None = None
) -> dict[str, np.ndarray]:
    """Reads arrays of a NumPy archive without pickle, by default all; other members are left alone.

    The member of an array must have exactly as many bytes as its header promises: no more are
    unpacked, and no memory is allocated that the file is too small to fill. All arrays together
    may have `MOST` times the bytes of the file, which deflate can pack, and `ALWAYS` more.

    Args:
        path: of the archive.
        names: of the arrays to read, which must be among its `array_names`.

    Raises:
        FileNotFoundError: no such file.
        ValueError: the archive is cut short or damaged, has an array twice, or an array that was
            asked for holds Python objects.
    """
    path = as_path(path)
    with _open(path) as archive:
        arrays = _arrays(archive)
        chosen = {name: _only(arrays[name], name) for name in (arrays if names is None else names)}
        _require_plausible(chosen.values(), path.stat().st_size)
        return {name: _read(archive, info) for name, info in chosen.items()}


@contextmanager
def _open(path: Path) -> Iterator[zipfile.ZipFile]:
    """Opens an archive; whatever is wrong with it becomes a ValueError with its path."""
    require_file(path, "write it with np.savez(path, x=x, y=y)")
    if not zipfile.is_zipfile(path):
        raise ValueError(
            f"{path} ({path.stat().st_size} bytes) is not an intact .npz archive: delete it and "
            "write it again"
        )
    try:
        with zipfile.ZipFile(path) as archive:
            yield archive
    except (_DamagedError, *BROKEN, *BROKEN_HEADER) as error:
        raise ValueError(f"{path} is damaged ({error}): delete it and write it again") from error
    except (ValueError, RuntimeError) as error:
        raise ValueError(f"{path}: {error}; save arrays of numbers only") from error


def _arrays(archive: zipfile.ZipFile) -> dict[str, list[zipfile.ZipInfo]]:
    """The members of each array by its name: one, unless the archive is odd."""
    found: dict[str, list[zipfile.ZipInfo]] = {}
    for info in archive.infolist():
        if _is_array(info.filename):
            found.setdefault(info.filename.removesuffix(".npy"), []).append(info)
    return found


def _is_array(member: str) -> bool:
    """Tells an array by its name: `x.npy`, or `x` as NumPy reads it too; not `__MACOSX/._x.npy`."""
    folder, _, name = member.rpartition("/")
    may_be = name.endswith(".npy") or (name and "." not in name)
    return bool(may_be) and not name.startswith("._") and not folder.startswith("__MACOSX")


def _only(members: list[zipfile.ZipInfo], name: str) -> zipfile.ZipInfo:
    if len(members) > 1:
        raise _DamagedError(f"it has the array {name!r} {len(members)} times")
    return members[0]


def _require_plausible(members: Iterable[zipfile.ZipInfo], size: int) -> None:
    """Raises a _DamagedError for members that claim more than a file of that size can hold."""
    members = list(members)
    for info in members:
        deflated = info.compress_type in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
        too_much = deflated and info.file_size > MOST * info.compress_size + 64
        if info.compress_size > size or too_much:
            raise _DamagedError(
                f"{info.filename} would be {info.file_size} bytes, which {info.compress_size} of "
                f"this file's {size} cannot hold"
            )
    packed = sum(info.compress_size for info in members)
    total = sum(info.file_size for info in members)
    if packed > size or total > MOST * size + ALWAYS:
        raise _DamagedError(
            f"its arrays would be {total} bytes from {packed}, in a file of {size}: they overlap, "
            "or unpack to far more than they should"
        )


def _read(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> np.ndarray:
    """Reads one array, after checking that its member is as long as its header says."""
    with zip_members.unpack(archive, info) as member:
        shape, by_columns, dtype, start = _header(member, info.filename)
        if dtype.hasobject:
            raise ValueError(f"{info.filename} holds Python objects: allow_pickle=False")
        promised, actual = math.prod(shape) * dtype.itemsize, info.file_size - start
        if promised != actual or min(shape, default=0) < 0 or not dtype.itemsize:
            raise _DamagedError(
                f"the header of {info.filename} promises {promised} bytes, it has {actual}"
            )
        content = bytearray(promised)
        rest = memoryview(content)
        while piece := member.read(min(PIECE, len(rest))):
            rest[: len(piece)] = piece
            rest = rest[len(piece) :]
        member.require_end()
    return np.ndarray(shape, dtype, content, order="F" if by_columns else "C")


def _header(member: zip_members.Member, name: str) -> tuple[tuple[int, ...], bool, np.dtype, int]:
    """Reads shape, whether by columns, dtype, and the bytes of the header itself."""
    magic = member.read(np.lib.format.MAGIC_LEN)
    version = np.lib.format.read_magic(io.BytesIO(magic))
    if version not in HEADERS:
        raise ValueError(f"{name} has the unsupported .npy version {version}")
    parse, number = HEADERS[version]
    length = member.read(struct.calcsize(number))
    (size,) = struct.unpack(number, length)
    if size > LONGEST_HEADER:
        raise _DamagedError(f"the header of {name} would have {size} bytes")
    try:
        shape, by_columns, dtype = parse(io.BytesIO(length + member.read(size)))
    except MemoryError as error:  # of Python's parser, for expressions that are too deep
        raise _DamagedError(f"the header of {name} cannot be parsed") from error
    return shape, by_columns, dtype, len(magic) + len(length) + size
