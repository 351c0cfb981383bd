"""The IDX format of the MNIST files, read with NumPy."""

import math
import struct
import zlib
from os import PathLike
from pathlib import Path
from typing import IO

import numpy as np

from jaxnets.data.unpacking import MOST, Unpacked
from jaxnets.host.files import require_file
from jaxnets.host.paths import as_path

UINT8 = 0x08
AGAIN = "delete it and download it again"


def read(path: str | PathLike[str]) -> np.ndarray:
    """Reads an IDX file of unsigned bytes, gzipped or not: `[images, rows, columns]` or `[labels]`.

    The header is two zero bytes, the type (0x08), the number of axes, then each axis's length as
    a big-endian 32-bit integer; the entries follow, last axis fastest (LeCun, Cortes and Burges
    1998). The array is a read-only view. No more is unpacked than the header promises.

    Raises:
        FileNotFoundError: no such file.
        ValueError: neither gzip nor IDX, another type, a size that contradicts its header,
            anything after its end, or not a file but a folder, pipe or device.
    """
    path = as_path(path)
    require_file(path)
    size = path.stat().st_size
    try:
        with path.open("rb") as file:
            is_plain = file.read(2) == b"\0\0"
            file.seek(0)
            if is_plain:
                return _array(file, size, path)
            stream = Unpacked(file, zlib.decompressobj(wbits=16 + zlib.MAX_WBITS))
            array = _array(stream, MOST * size, path)
            _require_end(stream, size - file.tell(), path)
            return array
    except zlib.error as error:
        raise ValueError(
            f"{path} ({size} bytes) is not an intact gzip file ({error}); {AGAIN}"
        ) from error


def _array(stream: IO[bytes] | Unpacked, most: int, path: Path) -> np.ndarray:
    """Reads all of a stream that has `most` bytes at the most."""
    start = stream.read(4)
    axes = _axes(start, path)
    lengths = stream.read(4 * axes)
    head = len(start) + len(lengths)
    if head < 4 + 4 * axes:
        raise ValueError(
            f"{path} is cut short: its header takes {4 + 4 * axes} bytes, it unpacks to {head}; "
            f"{AGAIN}"
        )
    shape = struct.unpack(f">{axes}I", lengths)
    promised = math.prod(shape)
    content = stream.read(min(promised, most))
    found = head + len(content) + len(stream.read(1))
    expected = head + promised
    if found != expected:
        long = found > expected
        raise ValueError(
            f"{path} is {'too long' if long else 'cut short'}: its header {shape} promises "
            f"{expected} bytes, it unpacks to {found}{' or more' if long else ''}; {AGAIN}"
        )
    return np.frombuffer(content, np.uint8).reshape(shape)


def _axes(start: bytes, path: Path) -> int:
    zeros, kind, axes = struct.unpack(">HBB", start.ljust(4, b"\xff"))
    if zeros != 0 or kind != UINT8 or axes == 0:
        raise ValueError(
            f"{path} starts with the bytes {start.hex(' ') or 'of an empty file'}; an IDX "
            f"file of unsigned bytes starts with 00 00 08 and its number of axes; {AGAIN}"
        )
    return axes


def _require_end(stream: Unpacked, unread: int, path: Path) -> None:
    """Raises a ValueError unless the gzip stream is complete and the file ends with it."""
    if not stream.is_complete():
        raise ValueError(f"{path} is cut short within its checksum; {AGAIN}")
    rest = len(stream.decompressor.unused_data) + unread
    if rest:
        raise ValueError(f"{path} has {rest} bytes after its end that do not belong to it; {AGAIN}")
