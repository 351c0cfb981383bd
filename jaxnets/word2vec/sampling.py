"""What word2vec draws: which words of a text it reads, and which it takes as noise."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

POWER = 0.75
"""Noise words are as frequent as in the text to this power (Mikolov et al., 2013)."""


def keep_probabilities(counts: np.ndarray, sample: float) -> np.ndarray:
    """How likely each occurrence of a word is read, `min(1, (sqrt(f / s) + 1) s / f)`, `[words]`.

    f is the word's share of the text and s is `sample`; words rarer than about s are all read. The
    formula of the authors' program, which differs from their paper's. With `sample` 0 all are 1.

    Raises:
        ValueError: a `sample` outside 0 to 1.
    """
    if not 0 <= sample <= 1:
        raise ValueError(f"sample is {sample}; it is a share of the text, 0 (off) to 1")
    if sample == 0:
        return np.ones(len(counts))
    ratio = sample * counts.sum() / counts
    return np.minimum(1, np.sqrt(ratio) + ratio)


class Alias(NamedTuple):
    """A distribution over `n` numbers from which one draw costs the same for every n.

    Draw a column uniformly; take it with probability `accept[column]`, else `other[column]`
    (Walker, 1977).
    """

    accept: Array
    other: Array


def noise(counts: np.ndarray, power: float = POWER) -> Alias:
    """The distribution of noise words, `counts^power` over its sum."""
    weights = np.asarray(counts, np.float64) ** power
    return alias(weights / weights.sum())


def alias(probabilities: np.ndarray) -> Alias:
    """The two tables of a distribution `[n]` (Vose, 1991)."""
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
    """Independent int32 draws of a distribution."""
    columns, chance = jax.random.split(key)
    column = jax.random.randint(columns, shape, 0, len(table.accept))
    taken = jax.random.uniform(chance, shape) < table.accept[column]
    return jnp.where(taken, column, table.other[column])
