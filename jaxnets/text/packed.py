"""Opens files that may be packed, by their first bytes, and unpacks no more than a text can be."""

import bz2
import gzip
import io
import lzma
import re
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import IO, Any, NamedTuple

from jaxnets.host.files import require_file

MOST, ALWAYS = 50, 2**26
"""A text may be this many times as large as its archive, plus these bytes; 10 times is usual."""


class Packing(NamedTuple):
    """Describes a way to pack a file."""

    start: re.Pattern[bytes]
    """The first bytes of every file packed so."""
    open: Callable[[IO[bytes]], Any]


PACKINGS = {
    ".gz": Packing(re.compile(rb"\x1f\x8b\x08"), gzip.open),
    ".xz": Packing(re.compile(rb"\xfd7zXZ\0"), lzma.open),
    ".bz2": Packing(re.compile(rb"BZh[1-9](?:1AY&SY|\x17rE8P\x90)"), bz2.open),
}
OTHERS = {
    "a zip archive": re.compile(rb"PK\x03\x04"),
    "packed by zstd": re.compile(rb"\x28\xb5\x2f\xfd"),
    "a 7z archive": re.compile(rb"7z\xbc\xaf\x27\x1c"),
}
DAMAGED = (EOFError, lzma.LZMAError, gzip.BadGzipFile, zlib.error)


class Unpacked(io.BufferedReader):
    """Reads what a file unpacks to; raises a ValueError for damage, and for more than a text."""

    def __init__(self, path: Path, packed: IO[bytes], unpacked: IO[bytes], most: int) -> None:
        """Reads from `unpacked`, which reads `packed`, the file at `path`; see `open_packed`."""
        super().__init__(_Bounded(path, unpacked, most))
        self._packed = packed

    @property
    def consumed(self) -> int:
        """The bytes of the packed file read so far."""
        return self._packed.tell()


@contextmanager
def open_packed(path: Path, most: int = MOST) -> Iterator[Unpacked]:
    """Opens a file, plain or packed by gzip, xz or bzip2, whatever its name.

    It may unpack to `most` times its size, plus `ALWAYS`.

    Raises:
        FileNotFoundError: no such file.
        ValueError: a folder, device or pipe; an archive of another kind; and, while reading, a
            damaged archive, or one that unpacks to more.
    """
    require_file(path)
    with path.open("rb") as packed:
        opener = _opener(path, packed.read(10))
        packed.seek(0)
        with opener(packed) as unpacked, Unpacked(path, packed, unpacked, most) as file:
            yield file


def _opener(path: Path, start: bytes) -> Callable[[IO[bytes]], Any]:
    for kind, other in OTHERS.items():
        if other.match(start):
            raise ValueError(f"{path} is {kind}: unpack it, and pass a file of it")
    found = next((p for p in PACKINGS.values() if p.start.match(start)), None)
    if found is None and path.suffix in PACKINGS:
        raise ValueError(
            f"{path} does not begin as a {path.suffix} file: it is damaged or cut short (get a new "
            f"copy), or unpacked already (remove {path.suffix} from its name)"
        )
    return found.open if found else nullcontext


class _Bounded(io.RawIOBase):
    def __init__(self, path: Path, unpacked: Any, times: int) -> None:
        self.path, self.unpacked, self.times = path, unpacked, times
        self.done, self.most = 0, times * path.stat().st_size + ALWAYS

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        try:
            n = self.unpacked.readinto(buffer)
        except DAMAGED as error:
            raise _damaged(self.path, error) from error
        except OSError as error:
            if error.errno is not None:
                raise
            raise _damaged(self.path, error) from error
        self.done += n
        if self.done > self.most:
            raise ValueError(
                f"{self.path} unpacks to more than {self.times} times its size, unlike usual "
                "files of its kind: if it is whole, unpack it yourself"
            )
        return n


def _damaged(path: Path, error: Exception) -> ValueError:
    return ValueError(f"{path} is damaged or cut short ({error}): get a new copy")
