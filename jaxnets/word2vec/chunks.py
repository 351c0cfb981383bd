"""The text as the host sends it to the compiled program: chunks of equal size."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from jaxnets.text.vocabulary import END
from jaxnets.word2vec.settings import Word2Vec

CHUNK = 2**18
"""Positions per call of the compiled program."""


class Chunk(NamedTuple):
    """Holds the words read from a part of the corpus, and the contexts of the first and last."""

    words: np.ndarray
    lines: np.ndarray
    """The line number of each word; each word of the padding has its own."""
    read: int
    """The entries of the corpus in this part."""

    def steps(self, settings: Word2Vec) -> int:
        """Counts the batches of the chunk."""
        return (len(self.words) - 2 * settings.window) // settings.batch_size


def passes(
    settings: Word2Vec, ids: np.ndarray, keep: np.ndarray, rng: np.random.Generator
) -> Iterator[tuple[int, int, Chunk]]:
    """Yields every chunk of all epochs, with its epoch and the entries read before it."""
    for epoch in range(settings.epochs):
        done = epoch * len(ids)
        for chunk in chunks(settings, ids, keep, rng):
            yield epoch, done, chunk
            done += chunk.read


def chunks(
    settings: Word2Vec, ids: np.ndarray, keep: np.ndarray, rng: np.random.Generator
) -> Iterator[Chunk]:
    """Yields the chunks of one pass over a corpus, all of the same size; pads the last one."""
    reach = settings.window
    steps = min(max(CHUNK // settings.batch_size, 1), -(-len(ids) // settings.batch_size))
    size = steps * settings.batch_size
    words, lines, line, read = *_padding(reach, -1), 0, 0
    for start in range(0, len(ids), size):
        block = np.asarray(ids[start : start + size])
        number = np.cumsum(block == END, dtype=np.int32) + np.int32(line)
        kept = (block != END) & (rng.random(len(block), np.float32) < keep[block])
        words = np.concatenate([words, block[kept]])
        lines = np.concatenate([lines, number[kept]])
        line, read = int(number[-1]), read + len(block)
        if len(words) >= size + 2 * reach:
            yield Chunk(words[: size + 2 * reach], lines[: size + 2 * reach], read)
            words, lines, read = words[size:], lines[size:], 0
    if len(words) > reach:
        more = size + 2 * reach - len(words)
        pad_words, pad_lines = _padding(more, -reach - 1)
        yield Chunk(np.concatenate([words, pad_words]), np.concatenate([lines, pad_lines]), read)


def _padding(n: int, first: int) -> tuple[np.ndarray, np.ndarray]:
    """Returns `n` words that are never contexts, on lines `first, first - 1, ...`."""
    return np.zeros(n, np.int32), np.int32(first) - np.arange(n, dtype=np.int32)
