"""A text of words drawn by Zipf's law, and how much of it word2vec reads and must move."""

from functools import cache

import numpy as np

WORDS, LINE = 400_000, 20
SAMPLE = 1e-3
"""As in word2vec: words of a larger share of the text are read less often."""


def numbers(vocabulary: int) -> np.ndarray:
    """Draws the words of a text, and -1 after each line."""
    weights = 1 / np.arange(1, vocabulary + 1)
    rng = np.random.default_rng(0)
    ids = rng.choice(vocabulary, WORDS, p=weights / weights.sum()).astype(np.int32)
    ids[LINE - 1 :: LINE] = -1
    return ids


def counts(ids: np.ndarray, vocabulary: int) -> np.ndarray:
    """Counts each word; those that were not drawn once, for they belong to the vocabulary."""
    return np.maximum(np.bincount(ids[ids >= 0], minlength=vocabulary), 1)


@cache
def shares_read(vocabulary: int) -> np.ndarray:
    """Returns the share of a text's entries at which each word is read, the most frequent first."""
    from jaxnets.word2vec.sampling import keep_probabilities

    ids = numbers(vocabulary)
    drawn = np.bincount(ids[ids >= 0], minlength=vocabulary)
    read = drawn * keep_probabilities(counts(ids, vocabulary), SAMPLE)
    return np.sort(read / WORDS)[::-1]
