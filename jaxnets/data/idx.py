"""The IDX format of the MNIST files, read with NumPy."""

import math
import struct
import zlib
from os import PathLike
from pathlib import Path

import numpy as np

UINT8 = 0x08
AGAIN = "delete it and download it again"
LONGEST_HEADER = 4 + 4 * 255
MOST = 1032
"""The most bytes that deflate can unpack from one: a header cannot promise more."""


def read(path: str | PathLike[str]) -> np.ndarray:
    """Reads a gzipped IDX file of unsigned bytes: `[images, rows, columns]` or `[labels]`.

    The header is two zero bytes, the type (0x08), the number of axes, then each axis's length as
    a big-endian 32-bit integer; the entries follow, last axis fastest (LeCun, Cortes and Burges
    1998). The array is a read-only view. No more is unpacked than the header promises.

    Raises:
        FileNotFoundError: no such file.
        ValueError: not gzip, not IDX, another type, a size that contradicts its header, or
            anything after its end.
    """
    path = Path(path)
    packed = path.read_bytes()
    gunzip = zlib.decompressobj(wbits=16 + zlib.MAX_WBITS)
    try:
        head = gunzip.decompress(packed, LONGEST_HEADER)
        shape = _shape(head, path)
        expected = 4 + 4 * len(shape) + math.prod(shape)
        # One byte more than promised, to reach and check the end of the file.
        most = min(expected, MOST * len(packed)) + 1
        content = head + gunzip.decompress(gunzip.unconsumed_tail, max(1, most - len(head)))
    except zlib.error as error:
        raise ValueError(
            f"{path} ({len(packed)} bytes) is not an intact gzip file ({error}); {AGAIN}"
        ) from error
    if not gunzip.eof or len(content) != expected:
        long = len(content) > expected
        raise ValueError(
            f"{path} is {'too long' if long else 'cut short'}: its header {shape} promises "
            f"{expected} bytes, it unpacks to {len(content)}{' or more' if long else ''}; {AGAIN}"
        )
    if gunzip.unused_data:
        raise ValueError(
            f"{path} has {len(gunzip.unused_data)} bytes after its end that do not belong to it; "
            f"{AGAIN}"
        )
    return np.frombuffer(content, np.uint8, offset=4 + 4 * len(shape)).reshape(shape)


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
