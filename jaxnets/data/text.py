"""Text in pieces: words by one rule, from files, folders, TFDS sets or strings."""

import gzip
import io
import lzma
import re
import zlib
from collections.abc import Callable, Iterable, Iterator
from os import PathLike
from pathlib import Path
from typing import IO, Any

from jaxnets.data import prepared

Source = str | PathLike[str] | Iterable[str]
"""A UTF-8 file, plain, `.gz` or `.xz`; a folder, all of whose such files are read in the order of
their names; `"tfds:NAME"`, the texts to train on of a set that TensorFlow Datasets has prepared;
or strings, each a text of its own."""
WORD = re.compile(r"[^\W\d_]+(?:'[^\W\d_]+)*|\n")
"""A word is a run of letters, with single apostrophes inside; a line ends a text."""
PIECE = 2**22
"""Characters read at a time."""
TFDS = "tfds:"
OPENERS: dict[str, Callable[..., IO[Any]]] = {".gz": gzip.open, ".xz": lzma.open}


def words(text: str) -> list[str]:
    """The words of a text, lower case: `words("Don't stop, N°1!") == ["don't", "stop", "n"]`."""
    return [word for word in tokens(text) if word != "\n"]


def tokens(text: str) -> list[str]:
    """The words of a text, lower case, and a line break where one is."""
    return WORD.findall(text.lower().replace("’", "'"))


def pieces(source: Source) -> Iterator[tuple[str, float]]:
    """Pieces of whole words, every text ended by a line break, and how much of all is read, 0 to 1.

    The share is 0 for texts without a known end.

    Raises:
        FileNotFoundError: no such file or set, or a folder without files.
        ValueError: no UTF-8 text, a damaged archive, or an unknown set.
    """
    if isinstance(source, str) and source.startswith(TFDS):
        yield from ((f"{text}\n", share) for text, share in prepared.texts(tfds_name(source)))
    elif isinstance(source, str | PathLike):
        yield from _of_files(files(source))
    else:
        yield from ((f"{text}\n", 0.0) for text in source)


def tfds_name(source: str) -> str:
    """The set that `"tfds:NAME"` names."""
    return source.removeprefix(TFDS)


def files(source: str | PathLike[str]) -> list[Path]:
    """The files of a path in the order they are read."""
    path = Path(source).expanduser()
    found = sorted(p for p in path.rglob("*") if p.is_file()) if path.is_dir() else [path]
    if not found:
        raise FileNotFoundError(f"the folder {path} holds no files")
    return found


def _of_files(paths: list[Path]) -> Iterator[tuple[str, float]]:
    sizes = [path.stat().st_size for path in paths]
    for i, path in enumerate(paths):
        for piece, read in _of_file(path):
            yield piece, (sum(sizes[:i]) + read) / max(sum(sizes), 1)


def _of_file(path: Path) -> Iterator[tuple[str, int]]:
    """Pieces, and the bytes of the file read so far."""
    opener = OPENERS.get(path.suffix, _utf8)
    try:
        with path.open("rb") as raw, opener(raw, "rt", encoding="utf-8-sig") as file:
            for piece in _whole_words(file, path):
                yield piece, raw.tell()
    except (EOFError, lzma.LZMAError, gzip.BadGzipFile, zlib.error) as error:
        raise ValueError(f"{path} is damaged or cut short ({error}): get it again") from error
    except UnicodeDecodeError as error:
        raise ValueError(
            f"{path} is no UTF-8 text ({error.reason} at byte {error.start}): convert it, for "
            "example with iconv"
        ) from error


def _utf8(raw: IO[bytes], _: str, encoding: str) -> IO[str]:
    return io.TextIOWrapper(raw, encoding)


def _whole_words(file: IO[str], path: Path) -> Iterator[str]:
    rest = ""
    while piece := file.read(PIECE):
        if "\0" in piece:
            raise ValueError(f"{path} is binary, it holds a NUL character: give a text file")
        piece = rest + piece
        cut = max(piece.rfind(" "), piece.rfind("\n")) + 1
        yield piece[:cut]
        rest = piece[cut:]
    yield f"{rest}\n"
