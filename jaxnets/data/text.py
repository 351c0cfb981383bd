"""Text as arrays: words by one rule, a vocabulary by frequency, a corpus of int32 word numbers."""

import gzip
import lzma
import re
import zlib
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from itertools import count
from os import PathLike
from pathlib import Path
from typing import IO, Any, NamedTuple

import numpy as np

from jaxnets import checks
from jaxnets.progress import bar as progress_bar

WORD = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)*|\n")
"""A word is a run of letters, with single apostrophes inside; a line ends a text."""
END = -1
"""The number in a corpus that ends a line: no window reaches across it."""
CHUNK = 2**22
"""Characters read at a time."""
OPENERS: dict[str, Callable[..., IO[Any]]] = {".gz": gzip.open, ".xz": lzma.open}


class Vocabulary(NamedTuple):
    """The words of a corpus, the most frequent first; a word's number is its place."""

    words: tuple[str, ...]
    counts: np.ndarray
    """How often each occurs, int64 `[words]`."""


class Corpus(NamedTuple):
    """A text as numbers."""

    ids: np.ndarray
    """int32 `[n]`: the numbers of the words in order, and `END` after each line."""
    vocabulary: Vocabulary


def words(text: str) -> list[str]:
    """The words of a text, lower case: `words("Don't stop, N°1!") == ["don't", "stop", "n"]`."""
    return [word for word in WORD.findall(_plain(text)) if word != "\n"]


def read(
    source: str | PathLike[str] | Iterable[str], min_count: int = 5, progress: bool = False
) -> Corpus:
    """The corpus of a file, a folder or an iterable of texts, read once and in pieces.

    Words are as `words` finds them; those seen less than `min_count` times are left out, so that
    windows close over the gap.

    Args:
        source: a UTF-8 file, plain, `.gz` or `.xz`; a folder, all of whose such files are read in
            the order of their names; or strings, each a text of its own.
        min_count: the least frequency of a word.
        progress: whether to show a bar with the words read.

    Raises:
        FileNotFoundError: no such file, or a folder without files.
        ValueError: no UTF-8 text, a damaged archive, or fewer than two words frequent enough.
    """
    checks.count(min_count, "min_count")
    numbers: defaultdict[str, int] = defaultdict(count().__next__)
    end = numbers["\n"]
    parts = []
    with progress_bar(progress, " words", scale=True) as bar:
        for text in _texts(source):
            found = WORD.findall(_plain(text))
            parts.append(np.fromiter(map(numbers.__getitem__, found), np.int32, len(found)))
            bar.update(len(found))
    ids = np.concatenate([*parts, np.full(1, end, np.int32)])
    counts = np.bincount(ids, minlength=len(numbers))
    counts[end] = 0
    order = np.argsort(-counts, kind="stable")
    order = order[counts[order] >= min_count]
    if len(order) < 2:
        raise ValueError(
            f"{_name(source)} has {len(order)} words that occur {min_count} times or more; "
            "a vocabulary needs two: give more text, or a smaller min_count"
        )
    rank = np.full(len(numbers), END - 1, np.int32)
    rank[order] = np.arange(len(order), dtype=np.int32)
    rank[end] = END
    ids = rank[ids]
    spelling = list(numbers)
    vocabulary = Vocabulary(tuple(spelling[i] for i in order), counts[order])
    return Corpus(_single_ends(ids[ids >= END]), vocabulary)


def contexts(ids: np.ndarray, reach: int) -> tuple[np.ndarray, np.ndarray]:
    """The words around every word of a corpus, and the word: `x [words, 2 reach]`, `y [words]`.

    Up to `reach` words on either side in reading order, `END` where the line is over. Words alone
    in their line are left out.
    """
    checks.count(reach, "reach")
    padded = np.concatenate([np.full(reach, END), ids, np.full(reach, END)]).astype(np.int32)
    windows = np.lib.stride_tricks.sliding_window_view(padded, 2 * reach + 1)
    ends = np.cumsum(padded == END)
    line = np.lib.stride_tricks.sliding_window_view(ends, 2 * reach + 1)
    inside = (line == line[:, reach : reach + 1]) & (windows != END)
    around = np.arange(2 * reach + 1) != reach
    x = np.where(inside, windows, END)[:, around]
    kept = (ids != END) & (x != END).any(axis=1)
    return x[kept], ids[kept]


def _plain(text: str) -> str:
    return text.lower().replace("’", "'")


def _single_ends(ids: np.ndarray) -> np.ndarray:
    """Without the ends of empty lines."""
    ends = ids == END
    return ids[~(ends & np.append(True, ends[:-1]))]


def _texts(source: str | PathLike[str] | Iterable[str]) -> Iterator[str]:
    """Pieces of whole words; every text ends with a line break."""
    if not isinstance(source, str | PathLike):
        for text in source:
            yield f"{text}\n"
        return
    path = Path(source).expanduser()
    paths = sorted(p for p in path.rglob("*") if p.is_file()) if path.is_dir() else [path]
    if not paths:
        raise FileNotFoundError(f"the folder {path} holds no files")
    for path in paths:
        yield from _pieces(path)


def _pieces(path: Path) -> Iterator[str]:
    opener = OPENERS.get(path.suffix, open)
    try:
        with opener(path, "rt", encoding="utf-8-sig", newline=None) as file:
            yield from _whole_words(file, path)
    except (EOFError, lzma.LZMAError, gzip.BadGzipFile, zlib.error) as error:
        raise ValueError(f"{path} is damaged or cut short ({error}): get it again") from error
    except UnicodeDecodeError as error:
        raise ValueError(
            f"{path} is no UTF-8 text ({error.reason} at byte {error.start}): convert it, for "
            "example with iconv"
        ) from error


def _whole_words(file: IO[Any], path: Path) -> Iterator[str]:
    rest = ""
    while piece := file.read(CHUNK):
        if "\0" in piece:
            raise ValueError(f"{path} is binary, it holds a NUL character: give a text file")
        piece = rest + piece
        cut = max(piece.rfind(" "), piece.rfind("\n")) + 1
        yield piece[:cut]
        rest = piece[cut:]
    yield f"{rest}\n"


def _name(source: Any) -> str:
    return str(source) if isinstance(source, str | PathLike) else "the text"
