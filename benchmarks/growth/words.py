"""An epoch of CBOW for any vocabulary and dimensions, on words drawn by Zipf's law.

What is done once a run, such as counting words and drawing first vectors, is not in the time.
"""

import os
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np

from benchmarks.growth.axes import dimensions_of
from benchmarks.growth.timing import epochs_of, memory
from benchmarks.growth.zipf import LINE, WORDS, counts, numbers
from benchmarks.words import FASTTEXT, SETTINGS
from jaxnets.storage.atomic import write_text


def _lines(ids: np.ndarray) -> list[list[str]]:
    return [[f"w{i}" for i in line if i >= 0] for line in ids.reshape(-1, LINE)]


def jaxnets(axis: str, value: int) -> Callable[[], dict]:
    import jax

    from jaxnets.text.corpus import Corpus
    from jaxnets.text.vocabulary import Vocabulary
    from jaxnets.word2vec import Word2Vec, train

    before, (vocabulary, dimensions, units) = memory(), dimensions_of(axis, value)
    ids = numbers(vocabulary)
    names = tuple(f"w{i}" for i in range(vocabulary))
    corpus = Corpus(ids, Vocabulary(names, counts(ids, vocabulary)))

    def call(epochs: int) -> object:
        return train(Word2Vec(epochs=epochs, dimensions=dimensions), jax.random.key(0), corpus)

    return epochs_of(call, WORDS * units, before)


def gensim(axis: str, value: int) -> Callable[[], dict]:
    from gensim.models import Word2Vec

    before, (vocabulary, dimensions, units) = memory(), dimensions_of(axis, value)
    ids = numbers(vocabulary)
    lines, workers = _lines(ids), os.cpu_count() or 1
    model = Word2Vec(vector_size=dimensions, min_count=1, workers=workers, **SETTINGS)
    occurring = counts(ids, vocabulary).tolist()
    model.build_vocab_from_freq({f"w{i}": count for i, count in enumerate(occurring)})

    def call(epochs: int) -> None:
        model.train(lines, total_examples=len(lines), epochs=epochs)

    return epochs_of(call, WORDS * units, before)


def fasttext(axis: str, value: int) -> Callable[[], dict]:
    """Words that were not drawn follow the text once, so that the vocabulary is as large."""
    from fasttext import train_unsupervised

    before, (vocabulary, dimensions, units) = memory(), dimensions_of(axis, value)
    ids = numbers(vocabulary)
    missing = np.setdiff1d(np.arange(vocabulary), ids)
    folder = tempfile.TemporaryDirectory()
    lines = [*map(" ".join, _lines(ids)), " ".join(f"w{i}" for i in missing)]
    write_text(Path(folder.name) / "text.txt", "\n".join(lines))
    own = FASTTEXT | {"dim": dimensions, "minCount": 1, "thread": os.cpu_count() or 1}

    def call(epochs: int) -> None:
        train_unsupervised(f"{folder.name}/text.txt", **own, epoch=epochs)

    return epochs_of(call, (WORDS + len(missing)) * units, before)
