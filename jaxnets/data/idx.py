"""The IDX format of the MNIST files, read with NumPy."""

import math
import struct
import zlib
from os import PathLike
from pathlib import Path

import numpy as np

UINT8 = 0x08
AGAIN = "delete it and download it again"


def read(path: str | PathLike[str]) -> np.ndarray:
    """The array of a gzipped IDX file of unsigned bytes: `[images, rows, columns]` or `[labels]`.

    The header is two zero bytes, the type (0x08), the number of axes, then each axis's length as
    a big-endian 32-bit integer; the entries follow, last axis fastest (LeCun, Cortes and Burges
    1998). The array is a read-only view.

    Raises:
        FileNotFoundError: no such file.
        ValueError: not gzip, not IDX, another type, or a size that its header contradicts.
    """
    path = Path(path)
    unpacked, complete = _unpack(path)
    shape = _shape(unpacked, path)
    header = 4 + 4 * len(shape)
    expected = header + math.prod(shape)
    if not complete or len(unpacked) != expected:
        raise ValueError(
            f"{path} is {'too long' if len(unpacked) > expected else 'cut short'}: its header "
            f"{shape} promises {expected} bytes, it unpacks to {len(unpacked)}; {AGAIN}"
        )
    return np.frombuffer(unpacked, np.uint8, offset=header).reshape(shape)


def _unpack(path: Path) -> tuple[bytes, bool]:
    """As much as the file holds, and whether gzip's own check at its end was reached."""
    packed = path.read_bytes()
    gunzip = zlib.decompressobj(wbits=16 + zlib.MAX_WBITS)
    try:
        return gunzip.decompress(packed), gunzip.eof
    except zlib.error as error:
        raise ValueError(
            f"{path} ({len(packed)} bytes) is not an intact gzip file ({error}); {AGAIN}"
        ) from error


def _shape(unpacked: bytes, path: Path) -> tuple[int, ...]:
    zeros, kind, axes = struct.unpack_from(">HBB", unpacked.ljust(4, b"\xff"))
    if zeros != 0 or kind != UINT8 or axes == 0:
        raise ValueError(
            f"{path} starts with the bytes {unpacked[:4].hex(' ') or 'of an empty file'}; an IDX "
            f"file of unsigned bytes starts with 00 00 08 and its number of axes; {AGAIN}"
        )
    if len(unpacked) < 4 + 4 * axes:
        raise ValueError(
            f"{path} is cut short: its header takes {4 + 4 * axes} bytes, it unpacks to "
            f"{len(unpacked)}; {AGAIN}"
        )
    return struct.unpack_from(f">{axes}I", unpacked, 4)
