"""Numbers the words of a text, in blocks, so that the text need not fit in memory."""

from collections.abc import Iterable, Iterator, Sequence
from os import PathLike
from typing import IO, NamedTuple

import numpy as np

from jaxnets.host.progress import progress_bar
from jaxnets.text import reading, word_rule

END = -1
"""The number that ends a line of a corpus: no window reaches across it."""
BLOCK = 2**22
"""Numbers processed at a time."""


class Vocabulary(NamedTuple):
    """Holds the words of a corpus, the most frequent first; a word's number is its position."""

    words: tuple[str, ...]
    counts: np.ndarray
    """How often each word occurs, int64 `[words]`."""


def encode(
    source: reading.Source,
    min_count: int,
    progress: bool,
    spool: IO[bytes],
    known: frozenset[str] = frozenset(),
) -> tuple[Vocabulary, Iterator[np.ndarray]]:
    """Returns the vocabulary of a text and its numbers in blocks, read back from `spool`.

    Words that occur fewer than `min_count` times are left out, except those that are `known`.
    """
    spelling = _number_all(source, progress, spool)
    counts = np.zeros(len(spelling), np.int64)
    for block in _blocks(spool):
        counts += np.bincount(block, minlength=len(spelling))
    counts[0] = 0
    frequent = counts >= min_count
    if known:
        frequent |= np.asarray([word in known for word in spelling]) & (counts > 0)
    vocabulary, rank = ranked(spelling, counts, frequent)
    name = source if isinstance(source, str | PathLike) else "the text"
    require_two(vocabulary, min_count, name)
    rank[0] = END
    return vocabulary, single_ends(rank[block] for block in _blocks(spool))


def ranked(
    words: Sequence[str], counts: np.ndarray, frequent: np.ndarray
) -> tuple[Vocabulary, np.ndarray]:
    """Sorts the frequent words by their counts; returns them and the new number of each old one.

    Words that are left out get a number below `END`.
    """
    order = np.argsort(-counts, kind="stable")
    order = order[frequent[order]]
    rank = np.full(len(words), END - 1, np.int32)
    rank[order] = np.arange(len(order), dtype=np.int32)
    return Vocabulary(tuple(words[i] for i in order), counts[order]), rank


def require_two(vocabulary: Vocabulary, min_count: int, name: str | PathLike[str]) -> None:
    """Raises a ValueError if fewer than two words of the text `name` are frequent enough."""
    if len(vocabulary.words) < 2:
        raise ValueError(
            f"{name} has {len(vocabulary.words)} words that occur {min_count} times or more; "
            "a vocabulary needs two: use more text or a smaller min_count"
        )


def _number_all(source: reading.Source, progress: bool, spool: IO[bytes]) -> list[str]:
    """Writes the numbers of a text to `spool`; returns its words in order, "" for line ends."""
    numbers, done = _Numbers(), 0
    with progress_bar(progress, " words", scale=True) as bar:
        for piece, share in reading.pieces(source):
            found = numbers.of_text(piece) if isinstance(piece, bytes) else numbers.of_words(piece)
            spool.write(found.tobytes())
            done += len(found)
            bar.total = int(done / share) if share else None
            bar.update(len(found))
    return list(numbers.words)


class _Numbers(dict[bytes, int]):
    """Maps each token to the number of its word; below 0 for a token of no or several words."""

    def __init__(self) -> None:
        super().__init__({word_rule.LINE: 0})
        self.words = {"": 0}
        self.several: list[list[int]] = []

    def __missing__(self, token: bytes) -> int:
        found = [self.words.setdefault(w, len(self.words)) for w in word_rule.words_of(token)]
        if len(found) == 1:
            self[token] = found[0]
        else:
            self.several.append(found)
            self[token] = -len(self.several)
        return self[token]

    def of_words(self, words: list[str]) -> np.ndarray:
        """Returns the numbers of words, taken as they are, and of the end of a line, int32."""
        numbers = [self.words.setdefault(word, len(self.words)) for word in words]
        return np.asarray([*numbers, self[word_rule.LINE]], np.int32)

    def of_text(self, text: bytes) -> np.ndarray:
        """Returns the numbers of the words that the rule finds, int32."""
        tokens = word_rule.tokens(text)
        numbers = np.fromiter(map(self.__getitem__, tokens), np.int32, len(tokens))
        odd = np.flatnonzero(numbers < 0)
        if not len(odd):
            return numbers
        inserts = [self.several[-number - 1] for number in numbers[odd]]
        between = np.split(numbers, odd)
        parts = [between[0]]
        for insert, part in zip(inserts, between[1:], strict=True):
            parts += [np.asarray(insert, np.int32), part[1:]]
        return np.concatenate(parts)


def _blocks(spool: IO[bytes]) -> Iterator[np.ndarray]:
    spool.seek(0)
    while len(block := np.frombuffer(spool.read(4 * BLOCK), np.int32)):
        yield block


def single_ends(blocks: Iterable[np.ndarray]) -> Iterator[np.ndarray]:
    """Drops rare words, then the ends of empty lines."""
    last = END
    for block in blocks:
        frequent = block[block >= END]
        if len(frequent):
            before = np.append(np.int32(last), frequent[:-1])
            last = frequent[-1]
            yield frequent[(frequent != END) | (before != END)]
