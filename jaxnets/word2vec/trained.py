"""What a run of word2vec leaves, and how another run on new text goes on from it."""

from typing import Any, NamedTuple

import jax
import numpy as np

from jaxnets.text.corpus import Corpus
from jaxnets.text.vocabulary import END, Vocabulary
from jaxnets.word2vec import sampling
from jaxnets.word2vec.reference_loss import Params
from jaxnets.word2vec.settings import Word2Vec
from jaxnets.word2vec.vectors import Vectors


class Trained(NamedTuple):
    """Holds the result of `train`.

    Example:
        >>> import jax
        >>> from jaxnets import word2vec
        >>> from jaxnets.text import corpus
        >>> text = corpus.read(["the cat sat on the mat"] * 20, min_count=1)
        >>> settings = word2vec.Word2Vec("sg", dimensions=8, epochs=2, sample=0)
        >>> word2vec.train(settings, jax.random.key(0), text).loss.shape
        (2,)
    """

    vectors: Vectors
    """The input vectors."""
    params: Params
    loss: np.ndarray
    """The mean loss of an example in each epoch, `[epochs]`; NaN if none was read. An example is a
    position with contexts, of skip-gram a word with one of its contexts; its loss is that of
    negative sampling."""
    words_per_second: float
    """Entries of the corpus per second, including words not read, excluding the first chunk, which
    is compiled; NaN if there was only one."""
    counts: np.ndarray
    """How often each word occurs in all texts so far, int64 `[words]`."""

    @property
    def wv(self) -> Vectors:
        """The vectors, by gensim's name."""
        return self.vectors


class Text(NamedTuple):
    """Holds the text of a run, numbered by the vocabulary of its params."""

    ids: np.ndarray
    vocabulary: Vocabulary
    """Its counts decide the noise words."""
    keep: np.ndarray
    """The probability that a word is read, float32 `[words]`."""


def text_of(settings: Word2Vec, corpus: Corpus, start: Trained | None) -> Text:
    """Returns the text of a run; one that goes on from `start` has its words first, then new ones.

    As in gensim's `build_vocab(update=True)`, counts add up, which decides the noise, and words
    are read by how frequent they are in the new text.
    """
    ids, (words, counts) = corpus
    keep = sampling.keep_probabilities(counts, settings.sample).astype(np.float32)
    if start is None:
        return Text(ids, corpus.vocabulary, keep)
    index = dict(start.vectors.index)
    rows = np.asarray([index.setdefault(word, len(index)) for word in words], np.int32)
    total, probabilities = np.zeros(len(index), np.int64), np.ones(len(index), np.float32)
    total[: len(start.counts)] = start.counts
    total[rows] += counts
    probabilities[rows] = keep
    renumbered = np.append(rows, np.int32(END))[ids]
    return Text(renumbered, Vocabulary(tuple(index), total), probabilities)


def go_on(params: Params, start: Trained) -> Params:
    """Replaces the first rows of new params by those of an earlier run."""
    return {
        name: table.at[: len(rows), : rows.shape[1]].set(rows)
        for name, table in params.items()
        for rows in [start.params[name]]
    }


def require_start(settings: Word2Vec, start: Any) -> None:
    """Raises unless a run of these settings can go on from `start`.

    Raises:
        TypeError: not the result of `train`.
        ValueError: vectors of another size.
    """
    if start is None:
        return
    if not isinstance(start, Trained):
        raise TypeError(
            f"start is {type(start).__name__}; it must be what word2vec.train returned (vectors "
            "alone lack the output vectors and the counts of words)"
        )
    if start.vectors.vector_size != settings.dimensions:
        raise ValueError(
            f"start has vectors of {start.vectors.vector_size} dimensions, the settings "
            f"{settings.dimensions}: they must be equal"
        )


def parts_of(start: Trained | None) -> list[Any]:
    """Lists what decides a run that goes on from `start`, for its fingerprint."""
    if start is None:
        return []
    words = "\n".join(start.vectors.words).encode(errors="surrogatepass")
    return [words, start.counts, *jax.tree.leaves(start.params)]
