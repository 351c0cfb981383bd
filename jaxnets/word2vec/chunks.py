"""The text as the host sends it to the compiled program: chunks of equal size."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from jaxnets.text.vocabulary import END
from jaxnets.word2vec.settings import Word2Vec

CHUNK = 2**18
"""Positions per call of the compiled program."""


LAST = 3
"""More chunks of a pass than these have words of their own."""


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
        for chunk in _beginning_apart(chunks(settings, ids, keep, rng)):
            yield epoch, done, chunk
            done += chunk.read


def _beginning_apart(found: Iterator[Chunk]) -> Iterator[Chunk]:
    """Lets each chunk count an entry, also those whose words were read with the chunks before.

    Chunks are told apart by the entries read before them: by checkpoints, and by their keys.
    """
    waiting: list[Chunk] = []
    for now in found:
        rich = [i for i, chunk in enumerate(waiting) if chunk.read > 1]
        if not now.read and rich:
            waiting[rich[-1]] = _with_more(waiting[rich[-1]], -1)
            now = _with_more(now, 1)
        waiting.append(now)
        if len(waiting) > LAST:
            yield waiting.pop(0)
    yield from waiting


def _with_more(chunk: Chunk, entries: int) -> Chunk:
    return chunk._replace(read=chunk.read + entries)


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
    while len(words) > reach:
        pad_words, pad_lines = _padding(max(size + 2 * reach - len(words), 0), -reach - 1)
        words, lines = np.concatenate([words, pad_words]), np.concatenate([lines, pad_lines])
        yield Chunk(words[: size + 2 * reach], lines[: size + 2 * reach], read)
        left = len(words) - len(pad_words)
        words, lines, read = words[size:left], lines[size:left], 0


def _padding(n: int, first: int) -> tuple[np.ndarray, np.ndarray]:
    """Returns `n` words that are never contexts, on lines `first, first - 1, ...`."""
    return np.zeros(n, np.int32), np.int32(first) - np.arange(n, dtype=np.int32)
