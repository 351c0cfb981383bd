"""What word2vec checks before it compiles: its arguments, and that there is something to learn."""

from collections.abc import Sequence
from typing import Any

import jax
import numpy as np

from jaxnets.host import checks
from jaxnets.text.corpus import Corpus, no_neighbours
from jaxnets.text.vocabulary import END
from jaxnets.word2vec import sampling
from jaxnets.word2vec.settings import Word2Vec

BLOCK = 2**22
"""Entries of a corpus checked at a time."""


def require_training(settings: Any, key: Any, corpus: Any, devices: Any) -> None:
    """Raises unless these are the arguments of a run that can learn.

    Raises:
        TypeError: an argument of another type.
        ValueError: a corpus that contradicts its vocabulary, or without two words that are read
            from the same line.
    """
    if not isinstance(settings, Word2Vec):
        raise TypeError(f"settings is {type(settings).__name__}; it must be Word2Vec(...)")
    checks.require_keys(key, 0, "key")
    if not isinstance(corpus, Corpus):
        raise TypeError(
            f"corpus is {type(corpus).__name__}; it must be a Corpus: read it from a file or from "
            "strings by jaxnets.text.corpus.read"
        )
    _require_devices(devices)
    _require_vocabulary(corpus)
    _require_ids(corpus)
    if corpus.vocabulary.counts.sum() <= settings.window:
        raise ValueError(
            f"a window of {settings.window} words on either side is longer than the text: use "
            "more text, or a smaller window"
        )
    _require_pairs(settings, corpus)


def nothing_learned(settings: Word2Vec, pairs: float) -> ValueError:
    """Returns the error of a run whose subsampling leaves too few pairs of words."""
    return ValueError(
        f"nothing can be trained: sample={settings.sample:g} leaves {pairs:.2g} pairs of words on "
        f"the same line in {settings.epochs} epochs; use a larger sample (0 reads all words), or "
        "more text"
    )


def _require_devices(devices: Any) -> None:
    is_list = devices is None or isinstance(devices, Sequence | np.ndarray)
    if not is_list or not all(
        isinstance(d, jax.Device) for d in ([] if devices is None else devices)
    ):
        raise TypeError(f"devices is {devices!r:.60}; it must be a list such as jax.devices()")


def _require_vocabulary(corpus: Corpus) -> None:
    words, counts = corpus.vocabulary
    if not isinstance(counts, np.ndarray):
        raise TypeError(f"the counts of the vocabulary are {counts!r:.60}; they must be an array")
    checks.as_finite(counts, "the counts of the vocabulary")
    if counts.shape != (len(words),) or not len(words) or counts.min() < 1:
        raise ValueError(
            f"the vocabulary has {len(words)} words and counts of shape {counts.shape}; every word "
            "needs a count of 1 or more"
        )


def _require_ids(corpus: Corpus) -> None:
    ids, n = np.asanyarray(corpus.ids), len(corpus.vocabulary.words)
    if ids.ndim != 1 or not np.issubdtype(ids.dtype, np.integer):
        raise TypeError(
            f"the ids of the corpus are {ids.dtype} {ids.shape}; they must be integers, [n]"
        )
    for start in range(0, len(ids), BLOCK):
        block = ids[start : start + BLOCK]
        wrong = np.flatnonzero((block < END) | (block >= n))
        if wrong.size:
            at = start + int(wrong[0])
            raise ValueError(
                f"ids[{at}] of the corpus is {ids[at]}, but its vocabulary has words 0 .. {n - 1}"
            )


def _require_pairs(settings: Word2Vec, corpus: Corpus) -> None:
    """Raises a ValueError if less than one pair of words is expected in all epochs."""
    keep = sampling.keep_probabilities(corpus.vocabulary.counts, settings.sample)
    pairs = settings.epochs * sampling.expected_pairs(corpus.ids, keep, 1 / settings.epochs)
    if pairs >= 1:
        return
    if not sampling.expected_pairs(corpus.ids, np.ones_like(keep), 1):
        raise no_neighbours()
    raise nothing_learned(settings, pairs)
