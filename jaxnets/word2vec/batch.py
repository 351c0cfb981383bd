"""A batch of text as the batch of word2vec: who is whose context, and shared noise words."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import Array


class TextBatch(NamedTuple):
    """`n` positions of a text, each with the words up to `reach` away.

    They are read in `s` streams, places of the text side by side: what follows row i in its own
    stream is row i + s.
    """

    words: Array
    """Numbers of the words, `[n + 2 reach s]`: position i is `words[reach s + i]`."""
    pairs: Array
    """Whether the word at each offset is a context of each position, `[2 reach, n]`, 0 or 1."""
    noise: Array
    """Noise words, `[groups, k]`: every `n / groups` consecutive rows share k of them."""

    @property
    def reach(self) -> int:
        """The farthest context, in words."""
        return len(self.pairs) // 2

    @property
    def streams(self) -> int:
        """How many rows it is to the next word of a row's stream."""
        return (len(self.words) - self.pairs.shape[1]) // (2 * self.reach)

    @property
    def middle(self) -> Array:
        """The word of each position, `[n]`."""
        return self.beside(0, self.words)

    @property
    def contexts(self) -> list[Array]:
        """For each offset the words that far from the positions, `[n]`."""
        return [self.beside(offset, self.words) for offset in offsets(self.reach)]

    def beside(self, offset: int, rows: Array) -> Array:
        """Of rows `[n + 2 reach s, ...]`, `[n, ...]` so far to the right of the positions."""
        start = (self.reach + offset) * self.streams
        return rows[start : start + self.pairs.shape[1]]


def offsets(reach: int) -> list[int]:
    """The places of contexts: -reach to reach without 0."""
    return [offset for offset in range(-reach, reach + 1) if offset]


def text_batch(words: Array, lines: Array, reaches: Array, noise: Array) -> TextBatch:
    """The batch of `words [n / s + 2 reach, s]`, s streams of text.

    A word is a context of a position if it is of the same line (`lines`, as `words`) and at most
    the position's own reach away (`reaches [n / s, s]`, drawn by `dynamic_reaches`).
    """
    rows = len(reaches)
    reach = (len(words) - rows) // 2
    mine = lines[reach : reach + rows]
    pairs = [
        (lines[reach + offset : reach + offset + rows] == mine) & (abs(offset) <= reaches)
        for offset in offsets(reach)
    ]
    weights = jnp.stack(pairs).astype(jnp.result_type(float))
    return TextBatch(words.ravel(), weights.reshape(2 * reach, -1), noise)


def streams(text: Array, n: int, reach: int) -> Array:
    """A text `[length + 2 reach]` as n streams of equal length, `[length / n + 2 reach, n]`.

    Each begins and ends with the contexts of its first and last word.
    """
    part = (len(text) - 2 * reach) // n
    return jnp.stack([text[i * part : (i + 1) * part + 2 * reach] for i in range(n)], axis=1)


def dynamic_reaches(key: Array, shape: tuple[int, ...], reach: int) -> Array:
    """Uniform in 1 to `reach`: near words are contexts more often (Mikolov et al., 2013)."""
    return jax.random.randint(key, shape, 1, reach + 1)
