"""word2vec against gensim and fastText: an epoch of the same words, a text to saved vectors."""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from benchmarks.harness import Contender, Goal, Race, without
from jaxnets.storage.atomic import write_text

if TYPE_CHECKING:
    from jaxnets.text.corpus import Corpus
    from jaxnets.word2vec import Vectors

ENTRIES = 4_000_000
"""Words and line ends of the epoch."""
SETTINGS = {"window": 5, "negative": 5, "sample": 1e-3, "sg": 0, "alpha": 0.05, "min_alpha": 1e-4}
"""With the rate of the authors' program for CBOW; gensim's own, 0.025, solves fewer analogies."""
DIMENSIONS, MIN_COUNT, EPOCHS = 100, 5, 5
FASTTEXT = {
    **{"model": "cbow", "loss": "ns", "dim": DIMENSIONS, "ws": 5, "neg": 5, "t": 1e-3, "lr": 0.05},
    **{"minn": 0, "maxn": 0, "verbose": 0},
}
"""Words alone, without parts of words, as word2vec."""
NO_FASTTEXT = "" if find_spec("fasttext") else "needs fastText, whose wheels are for Python 3.11"


def corpus_path() -> Path | None:
    """Returns the text file named by `$CORPUS`, if there is one."""
    path = Path(os.environ.get("CORPUS", ""))
    return path if path.is_file() else None


def _corpus() -> Corpus:
    from jaxnets.text import corpus

    folder = Path(tempfile.gettempdir()) / "jaxnets-benchmarks"
    return corpus.read(corpus_path(), MIN_COUNT, folder)


def _part() -> Corpus:
    """The beginning of the corpus, with only the words that occur there."""
    from jaxnets.text.corpus import Corpus
    from jaxnets.text.vocabulary import END, Vocabulary

    ids, (words, _) = _corpus()
    ids = np.asarray(ids[:ENTRIES])
    counts = np.bincount(ids[ids != END], minlength=len(words))
    known = counts > 0
    numbers = np.append(np.cumsum(known) - 1, END).astype(np.int32)
    present = tuple(word for word, is_known in zip(words, known, strict=True) if is_known)
    return Corpus(numbers[ids], Vocabulary(present, counts[known]))


def _lines(ids: np.ndarray, words: tuple[str, ...]) -> list[list[str]]:
    spelled = np.asarray(words, object)
    return [list(spelled[line[line >= 0]]) for line in np.split(ids, np.flatnonzero(ids < 0))]


def jaxnets_epoch() -> Callable[[], float]:
    """One epoch of `word2vec.train`, including the initial params and the copy of the vectors."""
    import jax

    from jaxnets.word2vec import Word2Vec, train

    corpus = _part()

    def run() -> float:
        start = time.perf_counter()
        train(Word2Vec(epochs=1), jax.random.key(0), corpus)
        return time.perf_counter() - start

    return run


def gensim_epoch(workers: int) -> Callable[[], float]:
    """One epoch of gensim's `train`, without counting the words."""
    from gensim.models import Word2Vec

    ids, (words, _) = _part()
    lines = _lines(ids, words)

    def run() -> float:
        model = Word2Vec(vector_size=DIMENSIONS, min_count=1, workers=workers, **SETTINGS)
        model.build_vocab(lines)
        start = time.perf_counter()
        model.train(lines, total_examples=len(lines), epochs=1)
        return time.perf_counter() - start

    return run


def fasttext_epoch(threads: int) -> Callable[[], float]:
    """One epoch of fastText on the same words: the time of three epochs less that of one, halved.

    fastText reads the file in each epoch, and counts its words before the first.
    """
    import fasttext

    ids, (words, _) = _part()
    folder = tempfile.TemporaryDirectory()
    write_text(Path(folder.name) / "part.txt", "\n".join(map(" ".join, _lines(ids, words))))

    def seconds(epochs: int) -> float:
        path, own = f"{folder.name}/part.txt", {"minCount": 1, "epoch": epochs, "thread": threads}
        start = time.perf_counter()
        fasttext.train_unsupervised(path, **FASTTEXT, **own)
        return time.perf_counter() - start

    return lambda: (seconds(3) - seconds(1)) / 2


def _text_file() -> Path:
    """The corpus with spaces between words, line by line, which both sides can read."""
    from jaxnets.text.corpus_cache import identify

    name = "-".join(identify(corpus_path()))
    path = Path(tempfile.gettempdir()) / "jaxnets-benchmarks" / f"{name}.words.txt"
    if not path.exists():
        ids, (words, _) = _corpus()
        lines = _lines(np.asarray(ids), words)
        write_text(path, "\n".join(map(" ".join, lines)))
    return path


def _judge(vectors: Vectors) -> dict[str, float]:
    """Quality by the word tests in `$WORDS_DIR`: rank correlations, share of analogies solved."""
    from jaxnets import word2vec

    folder = Path(os.environ["WORDS_DIR"])
    scores = word2vec.analogy_scores(
        vectors, word2vec.read_analogies(folder / "questions-words.txt")
    )
    tests = {"WS-353": "EN-WS-353-ALL.txt", "SimLex-999": "EN-SIMLEX-999.txt"}
    return {
        name: word2vec.spearman(vectors, word2vec.read_similarities(folder / file))[0]
        for name, file in tests.items()
    } | {"analogies": word2vec.total(scores).share}


def jaxnets_text() -> Callable[[], dict]:
    """From a text file to saved vectors: reads, counts, compiles, trains and writes."""
    import jax

    from jaxnets import word2vec
    from jaxnets.text import corpus
    from jaxnets.word2vec import Word2Vec, train

    path, seeds = _text_file(), iter(range(1_000_000))

    def run() -> dict:
        jax.clear_caches()
        with tempfile.TemporaryDirectory() as folder:
            start = time.perf_counter()
            text = corpus.read(path, MIN_COUNT)
            trained = train(Word2Vec(epochs=EPOCHS), jax.random.key(next(seeds)), text)
            word2vec.save(Path(folder) / "vectors.bin", trained.vectors, binary=True)
            seconds = time.perf_counter() - start
        return {"seconds": seconds, **_judge(trained.vectors)}

    return run


def gensim_text(workers: int, source: str) -> Callable[[], dict]:
    """The same with gensim's fastest source, `corpus_file`, or its usual one, `sentences`.

    With `corpus_file` each thread reads its own share of the text, but lowers the learning rate by
    that share of the complete text (`get_next_alpha` in gensim's `word2vec_corpusfile.pyx`): two
    threads end at a tenth of the initial rate instead of `min_alpha`. So quality is compared with
    `sentences`, whose rate is the requested one.
    """
    from gensim.models import Word2Vec
    from gensim.models.word2vec import LineSentence

    from jaxnets.word2vec import Vectors

    path, seeds = str(_text_file()), iter(range(1_000_000))
    text = {source: {"corpus_file": str, "sentences": LineSentence}[source](path)}

    def run() -> dict:
        with tempfile.TemporaryDirectory() as folder:
            start = time.perf_counter()
            model = Word2Vec(
                **text,
                vector_size=DIMENSIONS,
                min_count=MIN_COUNT,
                epochs=EPOCHS,
                workers=workers,
                seed=next(seeds),
                **SETTINGS,
            )
            model.wv.save_word2vec_format(str(Path(folder) / "vectors.bin"), binary=True)
            seconds = time.perf_counter() - start
        return {"seconds": seconds, **_judge(Vectors(model.wv.index_to_key, model.wv.vectors))}

    return run


def fasttext_text(threads: int) -> Callable[[], dict]:
    """The same with fastText."""
    import fasttext

    from jaxnets import word2vec
    from jaxnets.word2vec import Vectors

    path, seeds = str(_text_file()), iter(range(1_000_000))
    own = FASTTEXT | {"minCount": MIN_COUNT, "epoch": EPOCHS, "thread": threads}

    def run() -> dict:
        with tempfile.TemporaryDirectory() as folder:
            start = time.perf_counter()
            model = fasttext.train_unsupervised(path, **own, seed=next(seeds))
            vectors = Vectors(model.words, np.array(model.get_input_matrix()))
            word2vec.save(Path(folder) / "vectors.bin", vectors, binary=True)
            seconds = time.perf_counter() - start
        return {"seconds": seconds, **_judge(vectors)}

    return run


def without_corpus(contenders: list[Contender]) -> list[Contender]:
    """Marks contenders as missing on a machine without the text."""
    return without(contenders, "" if corpus_path() else "needs CORPUS")


def _epoch_race() -> Race:
    title = f"word2vec (CBOW, 100 dimensions), one epoch of {ENTRIES:,} words and line ends"
    cores = os.cpu_count() or 1
    contenders = [
        Contender(f"gensim, {n} worker(s)", f"{__name__}:gensim_epoch", {"workers": n})
        for n in (1, cores)
    ]
    fasttext = f"fastText, {cores} thread(s)"
    contenders += [
        Contender(fasttext, f"{__name__}:fasttext_epoch", {"threads": cores}, missing=NO_FASTTEXT),
        Contender("jaxnets", f"{__name__}:jaxnets_epoch"),
    ]
    goals = [
        Goal("jaxnets", f"gensim, {cores} worker(s)", at_least=1.5),
        Goal("jaxnets", "gensim, 1 worker(s)", at_most=0.25),
        Goal("jaxnets", "fastText", at_most=0.8),
    ]
    return Race(title, without_corpus(contenders), goals, row="words-epoch")


def _text_race() -> Race:
    title = "word2vec from a text file to saved vectors, 5 epochs, one seed a round"
    cores = os.cpu_count() or 1
    contenders = [
        Contender(
            f"gensim, {source}, {cores} workers",
            f"{__name__}:gensim_text",
            {"workers": cores, "source": source},
        )
        for source in ("corpus_file", "sentences")
    ]
    own = {"threads": cores}
    contenders += [
        Contender(
            f"fastText, {cores} threads", f"{__name__}:fasttext_text", own, missing=NO_FASTTEXT
        ),
        Contender("jaxnets", f"{__name__}:jaxnets_text"),
    ]
    tests = ("WS-353", "SimLex-999", "analogies")
    goals = [
        Goal("jaxnets", "gensim", at_least=1.2),
        Goal("jaxnets", "gensim, sentences", quality=tests),
        Goal("jaxnets", "fastText", quality=tests),
    ]
    ready = corpus_path() and os.environ.get("WORDS_DIR")
    missing = "" if ready else "needs CORPUS and WORDS_DIR"
    return Race(title, without(contenders, missing), goals, 3, "words-text")


RACES = [_epoch_race, _text_race]
