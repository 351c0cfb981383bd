"""word2vec's sampling: which words of a text are read, and which serve as noise."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from jaxnets.text.vocabulary import END

BLOCK = 2**18
"""Entries of a corpus looked at together."""
POWER = 0.75
"""Noise words are drawn by their frequency to this power (Mikolov et al., 2013)."""


def keep_probabilities(counts: np.ndarray, sample: float) -> np.ndarray:
    """Computes the probability to read each word, `min(1, (sqrt(f / s) + 1) s / f)`, `[words]`.

    f is the frequency of the word and s is `sample`; words rarer than about s are always read. This
    is the formula of the authors' program, not of their paper. If `sample` is 0, all are 1.

    Raises:
        ValueError: a `sample` outside 0 to 1.
    """
    if not 0 <= sample <= 1:
        raise ValueError(f"sample is {sample}; it must be a share of the text, 0 (off) to 1")
    if sample == 0:
        return np.ones(len(counts))
    ratio = sample * counts.sum() / counts
    return np.minimum(1, np.sqrt(ratio) + ratio)


def expected_pairs(ids: np.ndarray, keep: np.ndarray, enough: float) -> float:
    """Sums up how many pairs of words on the same line are read in one pass over a corpus.

    Word i is read with probability `keep[i]`. Counting stops at `enough`, so that of a usual
    corpus only the beginning is looked at.
    """
    pairs = first = square = 0.0
    for start in range(0, len(ids), BLOCK):
        block = np.asarray(ids[start : start + BLOCK])
        line, read = np.cumsum(block == END), np.where(block == END, 0, keep[block])
        sums, squares = np.bincount(line, read), np.bincount(line, read * read)
        sums[0] += first
        squares[0] += square
        first, square = sums[-1], squares[-1]
        pairs += float((sums[:-1] ** 2 - squares[:-1]).sum()) / 2
        if pairs + (first**2 - square) / 2 >= enough:
            break
    return pairs + float(first**2 - square) / 2


class Alias(NamedTuple):
    """Represents a distribution over 0 to n - 1 by tables from which to draw in constant time.

    Draw a column uniformly, and return it with probability `accept[column]`, else `other[column]`
    (Walker, 1977).
    """

    accept: Array
    other: Array


def noise(counts: np.ndarray, power: float = POWER) -> Alias:
    """Builds the distribution of noise words, proportional to `counts^power`."""
    weights = np.asarray(counts, np.float64) ** power
    return alias(weights / weights.sum())


def alias(probabilities: np.ndarray) -> Alias:
    """Builds the two tables of a distribution `[n]` (Vose, 1991)."""
    accept = np.asarray(probabilities, np.float64) * len(probabilities)
    other = np.arange(len(accept))
    small, large = list(np.flatnonzero(accept < 1)), list(np.flatnonzero(accept >= 1))
    while small and large:
        short, tall = small.pop(), large[-1]
        other[short] = tall
        accept[tall] -= 1 - accept[short]
        if accept[tall] < 1:
            small.append(large.pop())
    accept[small + large] = 1
    return Alias(jnp.asarray(accept, jnp.float32), jnp.asarray(other, jnp.int32))


def draw(key: Array, table: Alias, shape: tuple[int, ...]) -> Array:
    """Draws independent int32 samples of a distribution."""
    columns, chance = jax.random.split(key)
    column = jax.random.randint(columns, shape, 0, len(table.accept))
    taken = jax.random.uniform(chance, shape) < table.accept[column]
    return jnp.where(taken, column, table.other[column])
