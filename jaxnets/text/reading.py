"""Reads text in pieces from files, folders, TFDS sets or strings."""

from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from os import PathLike
from pathlib import Path
from typing import IO, Any

import numpy as np

from jaxnets.data import prepared
from jaxnets.text.folders import text_files
from jaxnets.text.packed import open_packed
from jaxnets.text.word_rule import as_bytes
from jaxnets.text.word_rule import words as words

Source = str | PathLike[str] | Iterable[str | Sequence[str]]
"""A UTF-8 file, plain or packed by gzip, xz or bzip2; a folder, whose files are read in the order
of their names, without those of `folders.NOT_TEXT`; `"tfds:NAME"`, the training texts of a set that
TensorFlow Datasets has prepared; or texts of their own, each a string, which is split into words,
or a list of words, which are taken as they are."""
PIECE = 2**22
"""Bytes read at a time."""
LONGEST = 2**24
"""A file with more bytes than this without a space or line break is not text."""
TFDS = "tfds:"


def pieces(source: Source) -> Iterator[tuple[bytes | list[str], float]]:
    """Yields pieces of a text, and the share of the text read so far, 0 to 1.

    A piece is UTF-8, in which no word is cut in two and a line break ends every text, or a text as
    a list of its words. The share is 0 for texts of unknown length.

    Raises:
        FileNotFoundError: no such file or set, or a folder without files.
        ValueError: not UTF-8 text, a damaged archive, or an unknown set.
        TypeError: neither a path nor texts.
    """
    if isinstance(source, str) and source.startswith(TFDS):
        texts = prepared.texts(tfds_name(source))
        yield from ((f"{text}\n".encode(), share) for text, share in texts)
    elif isinstance(source, str | PathLike):
        yield from _pieces_of_files(text_files(source))
    else:
        yield from ((_as_piece(text, i), 0.0) for i, text in enumerate(_texts(source)))


def _texts(source: Any) -> Iterator[Any]:
    if isinstance(source, Mapping | Set | bytes) or getattr(source, "ndim", 1) != 1:
        raise TypeError(f"expected a path or a list of strings, got {type(source).__name__}")
    try:
        return iter(source)
    except TypeError as error:
        raise TypeError(f"expected a path or strings, got {source!r}") from error


def _as_piece(text: Any, i: int) -> bytes | list[str]:
    if isinstance(text, str):
        return as_bytes(f"{text}\n", f"text {i}")
    text = text.tolist() if isinstance(text, np.ndarray) and text.ndim == 1 else text
    if not isinstance(text, Sequence) or isinstance(text, bytes):
        raise TypeError(f"text {i} is {text!r:.60}; expected str, or a list of words")
    words = list(text)
    for word in words:
        if not isinstance(word, str):
            raise TypeError(f"text {i} has {word!r:.60}; expected str, or a list of words")
    if "" in words:
        raise ValueError(f"word {words.index('')} of text {i} is empty: leave it out")
    as_bytes("".join(words), f"text {i}")
    return words


def tfds_name(source: str) -> str:
    """Returns the NAME in `"tfds:NAME"`."""
    return source.removeprefix(TFDS)


def _pieces_of_files(paths: list[Path]) -> Iterator[tuple[bytes, float]]:
    sizes = [path.stat().st_size for path in paths]
    for i, path in enumerate(paths):
        for piece, read in _pieces_of_file(path):
            yield piece, (sum(sizes[:i]) + read) / max(sum(sizes), 1)


def _pieces_of_file(path: Path) -> Iterator[tuple[bytes, int]]:
    """Yields pieces, and the bytes of the file read so far."""
    with open_packed(path) as file:
        done = 0
        for piece in _complete_words(file, path):
            _require_text(piece, path, done)
            yield piece, file.consumed
            done += len(piece)


def _complete_words(file: IO[bytes], path: Path) -> Iterator[bytes]:
    rest = b""
    while read := file.read(PIECE):
        if len(rest) > LONGEST:
            raise ValueError(
                f"{path} has {len(rest)} bytes without a space or line break: pass a text file"
            )
        piece = rest + read
        cut = max(piece.rfind(b" "), piece.rfind(b"\n")) + 1
        yield piece[:cut]
        rest = piece[cut:]
    yield rest + b"\n"


def _require_text(piece: bytes, path: Path, done: int) -> None:
    """Checks a piece of a file that comes after `done` bytes."""
    if b"\0" in piece:
        raise ValueError(
            f"{path} is binary, or in UTF-16 (it contains a NUL character at byte "
            f"{done + piece.index(0)}): pass a text file in UTF-8"
        )
    try:
        piece.decode()
    except UnicodeDecodeError as error:
        wrong = piece[error.start : error.end]
        raise ValueError(
            f"{path} is not UTF-8 text (it contains {wrong!r} at byte {done + error.start}, "
            f"{error.reason}): convert it, for example with iconv"
        ) from error
