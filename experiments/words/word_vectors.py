"""Shared by the experiments on word vectors: a corpus by its path, its vectors, word tests."""

import os
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np
from filelock import FileLock
from jax import Array

from jaxnets.storage.atomic import make_folder
from jaxnets.storage.checkpoints import CheckpointConfig
from jaxnets.storage.digest import digest_of_files
from jaxnets.text import corpus, corpus_cache, tiny_language
from jaxnets.text.corpus import Corpus
from jaxnets.word2vec import (
    Trained,
    Vectors,
    Word2Vec,
    most_similar,
    read_analogies,
    read_similarities,
    train,
)
from jaxnets.word2vec.evaluation import Analogy

from ..lab.fingerprint import library_digest

TINY: dict[str, Any] = {
    "dimensions": 50,
    "window": 3,
    "learning_rate": 0.05,
    "sample": 0.0,
    "batch_size": 32,
}
"""For the tiny language: a text of half a million words needs small batches."""


SAVED = Path(".cache/word_vectors")
SECONDS = 600.0
"""The least time between two checkpoints of shared vectors."""


@dataclass(frozen=True)
class Config:
    corpus: str = ""
    """A path or `tfds:NAME`; nothing for the tiny language."""
    model: str = "cbow"
    epochs: int = 5
    sentences: int = 60_000
    """Of the tiny language."""
    seeds: int = 8
    seed: int = 1


SMOKE = Config(seeds=2, epochs=2, sentences=2000)


def read(config: Config) -> Corpus:
    """Reads the corpus of a path, cached in `.cache`; without a path, the tiny language."""
    if not config.corpus:
        sentences = tiny_language.sentences(config.sentences, config.seed)
        return corpus.read(sentences, min_count=1)
    return corpus.read(config.corpus, cache=".cache", progress=True)


def learn(
    config: Config, key: Array, text: Corpus, checkpoints: CheckpointConfig | None = None
) -> list[Trained]:
    """Trains vectors once for each seed.

    Those of a corpus are saved in `.cache`, so that the experiments on it train them once; one that
    finds another at it waits.
    """
    options = {} if config.corpus else TINY
    settings = Word2Vec(config.model, epochs=config.epochs, **options)
    with _saved(config) if checkpoints is None else nullcontext(checkpoints) as folder:
        return [
            train(settings, seed, text, progress=True, checkpoints=folder)
            for seed in jax.random.split(key, config.seeds)
        ]


@contextmanager
def _saved(config: Config) -> Iterator[CheckpointConfig | None]:
    """The checkpoints that the experiments on a corpus share: those of this code only."""
    if not config.corpus:
        yield None
        return
    folder = SAVED / library_digest("word2vec")[:16]
    make_folder(folder)
    with FileLock(folder / "lock"):
        yield CheckpointConfig(folder, seconds=SECONDS, last=1, shared=True)


Similarities = dict[str, list[tuple[str, str, float]]]


class Tests(NamedTuple):
    """Word tests from the folder `$WORDS_DIR`; empty without it."""

    similarities: Similarities
    analogies: dict[str, list[Analogy]]


SIMILARITIES = {"WS-353": "EN-WS-353-ALL.txt", "SimLex-999": "EN-SIMLEX-999.txt"}
QUESTIONS = "questions-words.txt"


def tests() -> Tests:
    """Reads WS-353, SimLex-999 and questions-words, as far as their files exist."""
    files = _test_files()
    questions = files.get(QUESTIONS)
    return Tests(
        {n: read_similarities(files[f]) for n, f in SIMILARITIES.items() if f in files},
        read_analogies(questions) if questions else {},
    )


def _test_files() -> dict[str, Path]:
    folder = os.environ.get("WORDS_DIR")
    names = (*SIMILARITIES.values(), QUESTIONS) if folder else ()
    return {name: Path(folder, name) for name in names if Path(folder, name).is_file()}


def inputs(config: Config) -> str:
    """Digests the content of the corpus and of the word tests, on which a result depends."""
    corpus_digest = corpus_cache.identify(config.corpus)[1] if config.corpus else ""
    return f"{corpus_digest} {digest_of_files(_test_files().values())}"


def neighbours(vectors: Vectors, words: tuple[str, ...], n: int) -> np.ndarray:
    """Lists the n nearest words of each word in one line."""
    near = [most_similar(vectors, word, n) for word in words]
    return np.asarray([", ".join(other for other, _ in found) for found in near])


def as_array(words: tuple[str, ...]) -> np.ndarray:
    """Returns words as an array that can be saved."""
    return np.asarray(words, str)
