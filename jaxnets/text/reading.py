"""Text in pieces: words by one rule, from files, folders, TFDS sets or strings."""

import gzip
import lzma
import re
import zlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import nullcontext
from os import PathLike
from pathlib import Path
from typing import IO, Any

from jaxnets.data import prepared

Source = str | PathLike[str] | Iterable[str]
"""A UTF-8 file, plain, `.gz` or `.xz`; a folder, all of whose such files are read in the order of
their names; `"tfds:NAME"`, the texts to train on of a set that TensorFlow Datasets has prepared;
or strings, each a text of its own."""
WORD = re.compile(r"[^\W\d_]+(?:'[^\W\d_]+)*")
"""A word is a run of letters, lower case, with single apostrophes inside."""
LINE = b"\0"
"""The token that ends a line, and with it a text."""
PIECE = 2**22
"""Bytes read at a time."""
LONGEST = 2**24
"""Bytes without a space or line break from which on a file is no text."""
MOST, ALWAYS = 200, 2**26
"""How many times the size of its archive a text may be, beyond so many bytes: texts pack by 10."""
TFDS = "tfds:"
BOM = "\ufeff".encode()
OPENERS: dict[str, Callable[[IO[bytes]], Any]] = {".gz": gzip.open, ".xz": lzma.open}
SPACES = bytes(
    code if code >= 128 or chr(code).isalpha() or chr(code) in "'\n" else ord(" ")
    for code in bytes(range(256)).lower()
)


def words(text: str) -> list[str]:
    """The words of a text, lower case: `words("Don't stop, N°1!") == ["don't", "stop", "n"]`."""
    return [word for token in tokens(text.encode()) for word in words_of(token)]


def tokens(text: bytes) -> list[bytes]:
    """What stands between ASCII's spaces, digits and marks, and `LINE` where a line ends.

    Texts of 10^9 characters have few tokens that differ, so that `words_of`, which is slow, need
    be called once for each.
    """
    return text.translate(SPACES).replace(b"\n", b" " + LINE + b" ").split()


def words_of(token: bytes) -> list[str]:
    """The words of a token: mostly one; none of quotes alone; more with marks beyond ASCII."""
    return WORD.findall(token.decode().lower().replace("’", "'"))


def pieces(source: Source) -> Iterator[tuple[bytes, float]]:
    """Pieces of whole words in UTF-8, every text ended by a line break; how much is read, 0 to 1.

    The share is 0 for texts without a known end.

    Raises:
        FileNotFoundError: no such file or set, or a folder without files.
        ValueError: no UTF-8 text, a damaged archive, or an unknown set.
        TypeError: neither a path nor strings.
    """
    if isinstance(source, str) and source.startswith(TFDS):
        texts = prepared.texts(tfds_name(source))
        yield from ((f"{text}\n".encode(), share) for text, share in texts)
    elif isinstance(source, str | PathLike):
        yield from _of_files(files(source))
    else:
        yield from ((f"{text}\n".encode(), 0.0) for text in _strings(source))


def _strings(source: Iterable[str]) -> Iterator[str]:
    try:
        texts = iter(source)
    except TypeError as error:
        raise TypeError(f"{source!r} is neither a path nor strings") from error
    for text in texts:
        if not isinstance(text, str):
            raise TypeError(f"{text!r} is no text: give strings")
        yield text


def tfds_name(source: str) -> str:
    """The set that `"tfds:NAME"` names."""
    return source.removeprefix(TFDS)


def files(source: str | PathLike[str]) -> list[Path]:
    """The files of a path in the order they are read."""
    path = Path(source).expanduser()
    if not path.exists():
        raise FileNotFoundError(f"there is no file or folder {path} to read a text from")
    found = sorted(p for p in path.rglob("*") if p.is_file()) if path.is_dir() else [path]
    if not found:
        raise FileNotFoundError(f"the folder {path} holds no files")
    return found


def _of_files(paths: list[Path]) -> Iterator[tuple[bytes, float]]:
    sizes = [path.stat().st_size for path in paths]
    for i, path in enumerate(paths):
        for piece, read in _of_file(path):
            yield piece, (sum(sizes[:i]) + read) / max(sum(sizes), 1)


def _of_file(path: Path) -> Iterator[tuple[bytes, int]]:
    """Pieces, and the bytes of the file read so far."""
    opener = OPENERS.get(path.suffix, nullcontext)
    try:
        with path.open("rb") as raw, opener(raw) as file:
            done = 0
            for piece in _whole_words(file, path):
                _check_text(piece, path)
                yield piece, raw.tell()
                done += len(piece)
                if done > MOST * path.stat().st_size + ALWAYS:
                    raise ValueError(
                        f"{path} unpacks to more than {MOST} times its size, as no text does: "
                        "unpack it yourself if it is one"
                    )
    except (EOFError, lzma.LZMAError, gzip.BadGzipFile, zlib.error) as error:
        raise ValueError(f"{path} is damaged or cut short ({error}): get it again") from error


def _whole_words(file: IO[bytes], path: Path) -> Iterator[bytes]:
    rest = b""
    while read := file.read(PIECE):
        if len(rest) > LONGEST:
            raise ValueError(
                f"{path} has {len(rest)} bytes without a space or line break: give a text file"
            )
        piece = rest + read
        cut = max(piece.rfind(b" "), piece.rfind(b"\n")) + 1
        yield piece[:cut].removeprefix(BOM)
        rest = piece[cut:]
    yield rest.removeprefix(BOM) + b"\n"


def _check_text(piece: bytes, path: Path) -> None:
    if b"\0" in piece:
        raise ValueError(f"{path} is binary, it holds a NUL character: give a text file")
    try:
        piece.decode()
    except UnicodeDecodeError as error:
        wrong = piece[error.start : error.end]
        raise ValueError(
            f"{path} is no UTF-8 text, it holds {wrong!r} ({error.reason}): convert it, for "
            "example with iconv"
        ) from error
