"""A stretch of text as the batch of word2vec: who is whose context, and shared noise words."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import Array


class Stretch(NamedTuple):
    """`n` consecutive positions of a text, each with the words up to `reach` away."""

    words: Array
    """Numbers of the words, `[n + 2 reach]`: position i is `words[reach + i]`."""
    pairs: Array
    """Whether the word at each offset is a context of each position, `[2 reach, n]`, 0 or 1."""
    noise: Array
    """Noise words, `[groups, k]`: every `n / groups` consecutive positions share k of them."""

    @property
    def reach(self) -> int:
        """The farthest context, in words."""
        return len(self.pairs) // 2

    @property
    def middle(self) -> Array:
        """The word of each position, `[n]`."""
        return self.beside(0)

    @property
    def contexts(self) -> list[Array]:
        """For each offset the words that far from the positions, `[n]`."""
        return [self.beside(offset) for offset in offsets(self.reach)]

    def beside(self, offset: int) -> Array:
        """The word so far to the right of each position, `[n]`."""
        start = self.reach + offset
        return self.words[start : start + self.pairs.shape[1]]


def offsets(reach: int) -> list[int]:
    """The places of contexts: -reach to reach without 0."""
    return [offset for offset in range(-reach, reach + 1) if offset]


def stretch(words: Array, lines: Array, reaches: Array, noise: Array) -> Stretch:
    """The stretch of `words [n + 2 reach]`.

    A word is a context of a position if it is of the same line (`lines`, as `words`) and at most
    the position's own reach away (`reaches [n]`, drawn by `dynamic_reaches`).
    """
    n = len(reaches)
    reach = (len(words) - n) // 2
    mine = lines[reach : reach + n]
    pairs = [
        (lines[reach + offset : reach + offset + n] == mine) & (abs(offset) <= reaches)
        for offset in offsets(reach)
    ]
    return Stretch(words, jnp.stack(pairs).astype(jnp.result_type(float)), noise)


def dynamic_reaches(key: Array, n: int, reach: int) -> Array:
    """Uniform in 1 to `reach`, `[n]`: near words are contexts more often (Mikolov et al., 2013)."""
    return jax.random.randint(key, (n,), 1, reach + 1)
