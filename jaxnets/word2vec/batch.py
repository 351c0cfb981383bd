"""word2vec's batches: positions of a text, their contexts, and shared noise words."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import Array


class TextBatch(NamedTuple):
    """Holds `n` positions of a text, each with the words up to `reach` away.

    They are read in `s` streams, parts of the text in parallel: the word after row i in its stream
    is row i + s.

    Args:
        words: indices of the words, `[n + 2 reach s]`; position i is `words[reach s + i]`.
        pairs: whether the word at each offset is a context of each position, `[2 reach, n]`, 0 or
            1.
        noise: noise words, `[groups, k]`; every `n / groups` consecutive rows share k of them.
    """

    words: Array
    pairs: Array
    noise: Array

    @property
    def reach(self) -> int:
        """The maximum distance of a context, in words."""
        return len(self.pairs) // 2

    @property
    def streams(self) -> int:
        """The number of rows to the next word of a row's stream."""
        return (len(self.words) - self.pairs.shape[1]) // (2 * self.reach)

    @property
    def middle(self) -> Array:
        """The word of each position, `[n]`."""
        return self.at_offset(0, self.words)

    @property
    def contexts(self) -> list[Array]:
        """The words at each offset from the positions, `[n]` each."""
        return [self.at_offset(offset, self.words) for offset in offsets(self.reach)]

    def at_offset(self, offset: int, rows: Array) -> Array:
        """Selects from `rows [n + 2 reach s, ...]` those at an offset from the positions."""
        start = (self.reach + offset) * self.streams
        return rows[start : start + self.pairs.shape[1]]


def offsets(reach: int) -> list[int]:
    """Lists the offsets of contexts: -reach to reach without 0."""
    return [offset for offset in range(-reach, reach + 1) if offset]


def text_batch(words: Array, lines: Array, reaches: Array, noise: Array) -> TextBatch:
    """Builds the batch of `words [n / s + 2 reach, s]`, s streams of text.

    A word is a context of a position if it is in the same line (`lines`, shaped as `words`) and at
    most the position's own reach away (`reaches [n / s, s]`, drawn by `dynamic_reaches`).
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
    """Splits a text `[length + 2 reach]` into n equal streams, `[length / n + 2 reach, n]`.

    Each includes the contexts of its first and last word.
    """
    part = (len(text) - 2 * reach) // n
    return jnp.stack([text[i * part : (i + 1) * part + 2 * reach] for i in range(n)], axis=1)


def dynamic_reaches(key: Array, shape: tuple[int, ...], reach: int) -> Array:
    """Draws reaches in 1 to `reach`, so that near words count more (Mikolov et al., 2013)."""
    return jax.random.randint(key, shape, 1, reach + 1)
