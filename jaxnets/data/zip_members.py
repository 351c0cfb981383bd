"""Members of a zip archive, unpacked in pieces and checked by their CRC.

Python's own reader unpacks members of bzip2 and lzma without a bound.
"""

import bz2
import copy
import lzma
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import IO, Any

from jaxnets.data.unpacking import Unpacked

LARGEST_DICTIONARY = 2**26
"""Bytes of memory that unpacking lzma may take: as much as its highest preset has."""


class Member:
    """The unpacked bytes of a member, in order."""

    def __init__(self, stream: Any, info: zipfile.ZipInfo):
        """Reads from a stream of unpacked bytes."""
        self.stream, self.info, self.crc = stream, info, zlib.crc32(b"")

    def read(self, n: int) -> bytes:
        """Returns the next `n` bytes, or fewer at the end."""
        piece = self.stream.read(n) if n else b""
        self.crc = zlib.crc32(piece, self.crc)
        return piece

    def require_end(self) -> None:
        """Raises a BadZipFile unless everything that was read is what was packed."""
        if self.crc != self.info.CRC:
            raise zipfile.BadZipFile(f"{self.info.filename} is cut short or has another CRC-32")


@contextmanager
def unpack(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> Iterator[Member]:
    """Opens a member.

    Raises:
        NotImplementedError: packed by another method than deflate, bzip2 or lzma.
        RuntimeError: encrypted.
    """
    if info.compress_type not in STREAMS:
        raise NotImplementedError(
            f"{info.filename} is packed by method {info.compress_type}, which is not supported"
        )
    stored = copy.copy(info)
    stored.compress_type, stored.file_size = zipfile.ZIP_STORED, info.compress_size
    del stored.CRC  # of what is packed, which is unknown
    with archive.open(stored) as packed:
        yield Member(STREAMS[info.compress_type](packed), info)


def _lzma(packed: IO[bytes]) -> Unpacked:
    """Unpacks lzma after its header in a zip archive: a version, then its properties."""
    length = struct.unpack("<H", packed.read(4)[2:])[0]
    properties = packed.read(min(length, 5))
    literal, dictionary = struct.unpack("<BI", properties)
    if dictionary > LARGEST_DICTIONARY or literal >= 9 * 5 * 5 or length != 5:
        raise lzma.LZMAError(f"lzma with a dictionary of {dictionary} bytes")
    chosen = {
        "id": lzma.FILTER_LZMA1,
        "dict_size": max(dictionary, 4096),
        "lc": literal % 9,
        "lp": literal // 9 % 5,
        "pb": literal // 45,
    }
    return Unpacked(packed, lzma.LZMADecompressor(lzma.FORMAT_RAW, filters=[chosen]))


STREAMS: dict[int, Callable[[IO[bytes]], Any]] = {
    zipfile.ZIP_STORED: lambda packed: packed,
    zipfile.ZIP_DEFLATED: lambda packed: Unpacked(packed, zlib.decompressobj(-zlib.MAX_WBITS)),
    zipfile.ZIP_BZIP2: lambda packed: Unpacked(packed, bz2.BZ2Decompressor()),
    zipfile.ZIP_LZMA: _lzma,
}
