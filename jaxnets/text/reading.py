"""Reads text in pieces from files, folders, TFDS sets or strings, and finds words by one rule."""

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
"""A UTF-8 file, plain, `.gz` or `.xz`; a folder, whose files are read in the order of their names;
`"tfds:NAME"`, the training texts of a set that TensorFlow Datasets has prepared; or strings, each
a separate text."""
WORD = re.compile(r"[^\W\d_]+(?:'[^\W\d_]+)*")
"""A word is a run of lower-case letters, with single apostrophes inside."""
LINE = b"\0"
"""The token at the end of a line or text."""
PIECE = 2**22
"""Bytes read at a time."""
LONGEST = 2**24
"""A file with more bytes than this without a space or line break is not text."""
MOST, ALWAYS = 200, 2**26
"""A text may be this many times as large as its archive, plus these bytes; 10 times is usual."""
TFDS = "tfds:"
BOM = "\ufeff".encode()
OPENERS: dict[str, Callable[[IO[bytes]], Any]] = {".gz": gzip.open, ".xz": lzma.open}
SPACES = bytes(
    code if code >= 128 or chr(code).isalpha() or chr(code) in "'\n" else ord(" ")
    for code in bytes(range(256)).lower()
)


def words(text: str) -> list[str]:
    """Finds the lower-case words of a text: `words("Don't, N°1!") == ["don't", "n"]`."""
    return [word for token in tokens(text.encode()) for word in words_of(token)]


def tokens(text: bytes) -> list[bytes]:
    """Splits a text at ASCII spaces, digits and punctuation, with `LINE` where a line ends.

    Texts of 10^9 characters have few distinct tokens, so that `words_of`, which is slow, need be
    called only once for each.
    """
    return text.translate(SPACES).replace(b"\n", b" " + LINE + b" ").split()


def words_of(token: bytes) -> list[str]:
    """Finds the words of a token: mostly one; none in bare quotes; more around other marks."""
    return WORD.findall(token.decode().lower().replace("’", "'"))


def pieces(source: Source) -> Iterator[tuple[bytes, float]]:
    """Yields UTF-8 pieces of a text, and the share of the text read so far, 0 to 1.

    No word is cut in two, and a line break ends every text. The share is 0 for texts of unknown
    length.

    Raises:
        FileNotFoundError: no such file or set, or a folder without files.
        ValueError: not UTF-8 text, a damaged archive, or an unknown set.
        TypeError: neither a path nor strings.
    """
    if isinstance(source, str) and source.startswith(TFDS):
        texts = prepared.texts(tfds_name(source))
        yield from ((f"{text}\n".encode(), share) for text, share in texts)
    elif isinstance(source, str | PathLike):
        yield from _pieces_of_files(files(source))
    else:
        yield from ((f"{text}\n".encode(), 0.0) for text in _strings(source))


def _strings(source: Iterable[str]) -> Iterator[str]:
    try:
        texts = iter(source)
    except TypeError as error:
        raise TypeError(f"expected a path or strings, got {source!r}") from error
    for text in texts:
        if not isinstance(text, str):
            raise TypeError(f"expected str, got {text!r}")
        yield text


def tfds_name(source: str) -> str:
    """Returns the NAME in `"tfds:NAME"`."""
    return source.removeprefix(TFDS)


def files(source: str | PathLike[str]) -> list[Path]:
    """Lists the files of a path in the order they are read."""
    path = Path(source).expanduser()
    if not path.exists():
        raise FileNotFoundError(f"{path} not found: expected a file or folder of text")
    found = sorted(p for p in path.rglob("*") if p.is_file()) if path.is_dir() else [path]
    if not found:
        raise FileNotFoundError(f"the folder {path} contains no files")
    return found


def _pieces_of_files(paths: list[Path]) -> Iterator[tuple[bytes, float]]:
    sizes = [path.stat().st_size for path in paths]
    for i, path in enumerate(paths):
        for piece, read in _pieces_of_file(path):
            yield piece, (sum(sizes[:i]) + read) / max(sum(sizes), 1)


def _pieces_of_file(path: Path) -> Iterator[tuple[bytes, int]]:
    """Yields pieces, and the bytes of the file read so far."""
    opener = OPENERS.get(path.suffix, nullcontext)
    try:
        with path.open("rb") as raw, opener(raw) as file:
            done = 0
            for piece in _complete_words(file, path):
                _require_text(piece, path)
                yield piece, raw.tell()
                done += len(piece)
                if done > MOST * path.stat().st_size + ALWAYS:
                    raise ValueError(
                        f"{path} unpacks to more than {MOST} times its size, unlike usual texts: "
                        "if it is text, unpack it yourself"
                    )
    except (EOFError, lzma.LZMAError, gzip.BadGzipFile, zlib.error) as error:
        raise ValueError(f"{path} is damaged or cut short ({error}): get a new copy") from error


def _complete_words(file: IO[bytes], path: Path) -> Iterator[bytes]:
    rest = b""
    while read := file.read(PIECE):
        if len(rest) > LONGEST:
            raise ValueError(
                f"{path} has {len(rest)} bytes without a space or line break: pass a text file"
            )
        piece = rest + read
        cut = max(piece.rfind(b" "), piece.rfind(b"\n")) + 1
        yield piece[:cut].removeprefix(BOM)
        rest = piece[cut:]
    yield rest.removeprefix(BOM) + b"\n"


def _require_text(piece: bytes, path: Path) -> None:
    if b"\0" in piece:
        raise ValueError(f"{path} is binary (it contains a NUL character): pass a text file")
    try:
        piece.decode()
    except UnicodeDecodeError as error:
        wrong = piece[error.start : error.end]
        raise ValueError(
            f"{path} is not UTF-8 text (it contains {wrong!r}, {error.reason}): convert it, for "
            "example with iconv"
        ) from error
