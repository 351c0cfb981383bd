"""Texts as int32 word numbers with their vocabulary, in memory or mapped from a file."""

import tempfile
from os import PathLike
from pathlib import Path
from typing import NamedTuple

import numpy as np

from jaxnets.host import checks
from jaxnets.storage.atomic import room
from jaxnets.text import corpus_cache, reading
from jaxnets.text.vocabulary import END, Vocabulary, numbered


class Corpus(NamedTuple):
    """A text as numbers."""

    ids: np.ndarray
    """int32 `[n]`: the numbers of the words in order, and `END` after each line."""
    vocabulary: Vocabulary


def read(
    source: reading.Source,
    min_count: int = 5,
    cache: str | PathLike[str] | None = None,
    progress: bool = False,
) -> Corpus:
    """The corpus of a text, read once and in pieces.

    Words are as `text.words` finds them; those seen less than `min_count` times are left out, so
    that windows close over the gap.

    Args:
        source: a file, a folder, a TFDS set or strings, see `text.Source`.
        min_count: the least frequency of a word.
        cache: a folder for the numbers, which are then mapped from a file and never in memory as a
            whole; the same source, unchanged, is not read again but checked against its sha256.
        progress: whether to show a bar with the words read.

    Raises:
        FileNotFoundError: no such file or set, or a folder without files.
        ValueError: no UTF-8 text, a damaged archive, fewer than two words frequent enough, or
            strings with a `cache`.
        DiskFullError: the disk is full.
    """
    checks.require_count(min_count, "min_count")
    if cache is not None:
        return Corpus(*corpus_cache.read(source, min_count, cache, progress))
    with room(Path(tempfile.gettempdir())), tempfile.TemporaryFile() as spool:
        vocabulary, blocks = numbered(source, min_count, progress, spool)
        return Corpus(np.concatenate(list(blocks)), vocabulary)


def contexts(ids: np.ndarray, reach: int) -> tuple[np.ndarray, np.ndarray]:
    """The words around every word of a corpus, and the word: `x [words, 2 reach]`, `y [words]`.

    Up to `reach` words on either side in reading order, `END` where the line is over. Words alone
    in their line are left out.
    """
    checks.require_count(reach, "reach")
    padded = np.concatenate([np.full(reach, END), ids, np.full(reach, END)]).astype(np.int32)
    windows = np.lib.stride_tricks.sliding_window_view(padded, 2 * reach + 1)
    ends = np.cumsum(padded == END)
    line = np.lib.stride_tricks.sliding_window_view(ends, 2 * reach + 1)
    inside = (line == line[:, reach : reach + 1]) & (windows != END)
    around = np.arange(2 * reach + 1) != reach
    x = np.where(inside, windows, END)[:, around]
    kept = (ids != END) & (x != END).any(axis=1)
    return x[kept], ids[kept]
