"""NumPy archives, read without pickle and never beyond what the file can hold."""

import math
import struct
import tokenize
import zipfile
import zlib
from collections.abc import Iterator
from os import PathLike
from pathlib import Path
from typing import IO

import numpy as np

from jaxnets.data.idx import MOST

PIECE = 2**20
HEADERS = {
    (1, 0): np.lib.format.read_array_header_1_0,
    (2, 0): np.lib.format.read_array_header_2_0,
}
BROKEN = (zipfile.BadZipFile, zlib.error, struct.error, EOFError, OSError, NotImplementedError)
BROKEN_HEADER = (SyntaxError, TypeError, tokenize.TokenError, UnicodeDecodeError, RecursionError)


class _DamagedError(ValueError):
    """The headers of an archive contradict its content."""


def read_npz(path: str | PathLike[str]) -> dict[str, np.ndarray]:
    """Reads every array of a NumPy archive, without pickle.

    The member of an array must have exactly as many bytes as its header promises: no more are
    unpacked, and no memory is allocated that the file is too small to fill.

    Raises:
        FileNotFoundError: no such file.
        ValueError: the archive is cut short or damaged, or holds Python objects.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"{path} not found; write it with np.savez(path, x=x, y=y)")
    size = path.stat().st_size
    if not zipfile.is_zipfile(path):
        raise ValueError(
            f"{path} ({size} bytes) is not an intact .npz archive: delete it and write it again"
        )
    try:
        with zipfile.ZipFile(path) as archive:
            return dict(_arrays(archive, size))
    except (_DamagedError, *BROKEN, *BROKEN_HEADER) as error:
        raise ValueError(f"{path} is damaged ({error}): delete it and write it again") from error
    except (ValueError, RuntimeError) as error:
        raise ValueError(f"{path}: {error}; save arrays of numbers only") from error


def _arrays(archive: zipfile.ZipFile, size: int) -> Iterator[tuple[str, np.ndarray]]:
    for info in archive.infolist():
        if info.compress_size > size or info.file_size > MOST * info.compress_size + 64:
            raise _DamagedError(
                f"{info.filename} would be {info.file_size} bytes, which {info.compress_size} of "
                f"this file's {size} cannot hold"
            )
        with archive.open(info) as member:
            yield info.filename.removesuffix(".npy"), _array(member, info)


def _array(member: IO[bytes], info: zipfile.ZipInfo) -> np.ndarray:
    """Reads one array, after checking that its member is as long as its header says."""
    version = np.lib.format.read_magic(member)
    if version not in HEADERS:
        raise ValueError(f"{info.filename} has the unsupported .npy version {version}")
    shape, by_columns, dtype = HEADERS[version](member)
    if dtype.hasobject:
        raise ValueError(f"{info.filename} holds Python objects: allow_pickle=False")
    promised, actual = math.prod(shape) * dtype.itemsize, info.file_size - member.tell()
    if promised != actual or min(shape, default=0) < 0:
        raise _DamagedError(
            f"the header of {info.filename} promises {promised} bytes, it has {actual}"
        )
    content = bytearray(promised)
    rest = memoryview(content)
    while piece := member.read(PIECE):
        rest[: len(piece)] = piece
        rest = rest[len(piece) :]
    if rest:
        raise EOFError(f"{info.filename} is cut short")
    return np.ndarray(shape, dtype, content, order="F" if by_columns else "C")
