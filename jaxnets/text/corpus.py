"""Texts as int32 word numbers with their vocabulary, in memory or mapped from a file."""

import tempfile
from collections.abc import Iterable
from os import PathLike
from pathlib import Path
from typing import NamedTuple

import numpy as np

from jaxnets.host import checks
from jaxnets.storage.atomic import disk_full_errors
from jaxnets.text import corpus_cache, reading
from jaxnets.text.vocabulary import END, Vocabulary, encode


class Corpus(NamedTuple):
    """Holds a text as numbers.

    Example:
        >>> read(["the cat sat on the mat"], min_count=1).vocabulary.words[0]
        'the'
    """

    ids: np.ndarray
    """int32 `[n]`: the numbers of the words in order, and `END` after each line."""
    vocabulary: Vocabulary


def read(
    source: reading.Source,
    min_count: int = 5,
    cache: str | PathLike[str] | None = None,
    progress: bool = False,
    known: Iterable[str] = (),
) -> Corpus:
    """Reads a text into a corpus, once and in pieces.

    Words are as `word_rule.words` finds them, or as they are in lists of words; those that occur
    fewer than `min_count` times are left out, so that windows close over the gap.

        >>> read([["New_York", "is", "big"], ["Bern", "is", "small"]], min_count=1).vocabulary.words
        ('is', 'New_York', 'big', 'Bern', 'small')

    Args:
        source: a file, a folder, a TFDS set, strings or lists of words, see `reading.Source`.
        min_count: the least number of occurrences of a word.
        cache: a folder for the numbers, which are then mapped from a file and never all in memory;
            a source of the same content, wherever it lies, is not read again. The files are named
            by the sha256 of that content, and checked by their own.
        progress: whether to show a bar with the words read.
        known: words that are read however rare they are, such as the words of earlier vectors.

    Raises:
        FileNotFoundError: no such file or set, or a folder without texts.
        TypeError: what is neither a path nor texts, or known words that are not strings.
        ValueError: not UTF-8 text, a damaged archive, fewer than two words frequent enough, strings
            with a `cache`, or a source that changed while it was read.
        DiskFullError: the disk is full.
    """
    checks.require_count(min_count, "min_count")
    words = _as_set(known)
    if cache is not None:
        return Corpus(*corpus_cache.read(source, min_count, cache, progress, words))
    with disk_full_errors(Path(tempfile.gettempdir())), tempfile.TemporaryFile() as spool:
        vocabulary, blocks = encode(source, min_count, progress, spool, words)
        return Corpus(np.concatenate(list(blocks)), vocabulary)


def _as_set(known: Iterable[str]) -> frozenset[str]:
    if isinstance(known, str | bytes) or not isinstance(known, Iterable):
        raise TypeError(f"known is {known!r:.60}; it must be words, such as those of a corpus")
    words = list(known)
    for word in words:
        if not isinstance(word, str):
            raise TypeError(f"known has {word!r:.60}; it must be words")
    return frozenset(words)


def contexts(ids: np.ndarray, reach: int) -> tuple[np.ndarray, np.ndarray]:
    """Returns the words around each word, and the word: `x [words, 2 reach]`, `y [words]`.

    Up to `reach` words on either side in reading order, `END` beyond the ends of the line. Words
    alone on their line are left out.

    Raises:
        TypeError: ids that are not integers, `[n]`.
        ValueError: no line has two words.

    Example:
        >>> text = read([["a", "b", "c"]], min_count=1)
        >>> x, y = contexts(text.ids, reach=1)
        >>> x.shape, y.shape
        ((3, 2), (3,))
    """
    checks.require_count(reach, "reach")
    ids = np.asarray(ids)
    if ids.ndim != 1 or not np.issubdtype(ids.dtype, np.integer):
        raise TypeError(f"ids is {ids.dtype} {ids.shape}; it must be the integers of a corpus, [n]")
    padded = np.concatenate([np.full(reach, END), ids, np.full(reach, END)]).astype(np.int32)
    windows = np.lib.stride_tricks.sliding_window_view(padded, 2 * reach + 1)
    ends = np.cumsum(padded == END)
    line = np.lib.stride_tricks.sliding_window_view(ends, 2 * reach + 1)
    inside = (line == line[:, reach : reach + 1]) & (windows != END)
    around = np.arange(2 * reach + 1) != reach
    x = np.where(inside, windows, END)[:, around]
    has_context = (ids != END) & (x != END).any(axis=1)
    if not has_context.any():
        raise no_neighbours()
    return x[has_context], ids[has_context]


def no_neighbours() -> ValueError:
    """Returns the error of a corpus from whose words nothing can be learned.

    Example:
        >>> isinstance(no_neighbours(), ValueError)
        True
    """
    return ValueError(
        "nothing can be trained: no line of the corpus has two words, so no word has a neighbour. "
        "Each string, and each line of a file, is a text of its own: join words into sentences, or "
        "pass lists of words"
    )
