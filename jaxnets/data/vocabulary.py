"""A text as numbers: every word gets one, in blocks, so that the text need not fit in memory."""

from collections import defaultdict
from collections.abc import Iterator
from itertools import count
from os import PathLike
from typing import IO, NamedTuple

import numpy as np

from jaxnets.data import text
from jaxnets.progress import bar as progress_bar

END = -1
"""The number in a corpus that ends a line: no window reaches across it."""
BLOCK = 2**22
"""Numbers handled at a time."""


class Vocabulary(NamedTuple):
    """The words of a corpus, the most frequent first; a word's number is its place."""

    words: tuple[str, ...]
    counts: np.ndarray
    """How often each occurs, int64 `[words]`."""


def numbered(
    source: text.Source, min_count: int, progress: bool, spool: IO[bytes]
) -> tuple[Vocabulary, Iterator[np.ndarray]]:
    """The vocabulary of a text, and its numbers in blocks; `spool` holds them meanwhile."""
    spelling = _number_all(source, progress, spool)
    counts = np.zeros(len(spelling), np.int64)
    for block in _blocks(spool):
        counts += np.bincount(block, minlength=len(spelling))
    counts[0] = 0
    order = np.argsort(-counts, kind="stable")
    order = order[counts[order] >= min_count]
    if len(order) < 2:
        name = source if isinstance(source, str | PathLike) else "the text"
        raise ValueError(
            f"{name} has {len(order)} words that occur {min_count} times or more; "
            "a vocabulary needs two: give more text, or a smaller min_count"
        )
    rank = np.full(len(spelling), END - 1, np.int32)
    rank[order] = np.arange(len(order), dtype=np.int32)
    rank[0] = END
    vocabulary = Vocabulary(tuple(spelling[i] for i in order), counts[order])
    return vocabulary, _single_ends(rank[block] for block in _blocks(spool))


def _number_all(source: text.Source, progress: bool, spool: IO[bytes]) -> list[str]:
    """All words in order of appearance, after the line break; writes their numbers to `spool`."""
    numbers: defaultdict[str, int] = defaultdict(count().__next__)
    numbers["\n"]
    done = 0
    with progress_bar(progress, " words", scale=True) as bar:
        for piece, share in text.pieces(source):
            found = text.tokens(piece)
            spool.write(np.fromiter(map(numbers.__getitem__, found), np.int32, len(found)))
            done += len(found)
            bar.total = int(done / share) if share else None
            bar.update(len(found))
    return list(numbers)


def _blocks(spool: IO[bytes]) -> Iterator[np.ndarray]:
    spool.seek(0)
    while len(block := np.frombuffer(spool.read(4 * BLOCK), np.int32)):
        yield block


def _single_ends(blocks: Iterator[np.ndarray]) -> Iterator[np.ndarray]:
    """Without rare words, then without the ends of empty lines."""
    last = END
    for block in blocks:
        kept = block[block >= END]
        if len(kept):
            before = np.append(np.int32(last), kept[:-1])
            last = kept[-1]
            yield kept[(kept != END) | (before != END)]
