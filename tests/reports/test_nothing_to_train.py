"""word2vec says before it compiles that nothing can be trained, or which argument is wrong."""

import jax
import numpy as np
import pytest

from jaxnets.text import corpus
from jaxnets.text.corpus import Corpus
from jaxnets.text.vocabulary import END, Vocabulary
from jaxnets.word2vec import Word2Vec, chunks, sampling, train

SMALL = {"dimensions": 4, "window": 2, "batch_size": 32}
KEYS = jax.random.split(jax.random.key(0))
TEXT = corpus.read(["a b c a b c"] * 9, min_count=1)


def refused(compilations, error, message, call):
    with pytest.raises(error, match=message):
        call()
    assert compilations() == 0


def test_case_15_one_word_lines(key, compilations):
    words = corpus.read(["cat", "dog", "bird"] * 40, min_count=1)
    settings = Word2Vec(**SMALL, epochs=3, sample=0)
    message = "no line of the corpus has two words.*join words into sentences"
    refused(compilations, ValueError, message, lambda: train(settings, key, words))


def test_case_15_one_word_lines_and_a_sample_that_leaves_nothing(key, compilations):
    text = corpus.read(["the cat sat on the mat"] * 50, min_count=1)
    settings = Word2Vec(**SMALL, epochs=3, sample=1e-5)
    message = r"sample=1e-05 leaves 0\.\d+ pairs of words on the same line in 3 epochs"
    refused(compilations, ValueError, message, lambda: train(settings, key, text))


def test_lines_whose_other_words_are_rare(key, compilations):
    """Only the frequent words are left, one on each line."""
    lines = [
        f"cat x{'abcdefghijklmnop'[i]}{'qrstuvwxyz'[j]} \n" for i in range(16) for j in range(9)
    ]
    text = corpus.read([*lines, "dog", "dog", "dog", "dog", "dog"], min_count=5)
    assert text.vocabulary.words == ("cat", "dog")
    refused(
        compilations,
        ValueError,
        "no line of the corpus has two words",
        lambda: train(Word2Vec(**SMALL, sample=0), key, text),
    )


def test_contexts_of_words_alone_are_refused():
    words = corpus.read(["cat", "dog", "bird"] * 4, min_count=1)
    with pytest.raises(ValueError, match="no line of the corpus has two words"):
        corpus.contexts(words.ids, 2)


def test_settings_may_be_scalars_of_any_library():
    made = Word2Vec(
        sample=jax.numpy.float32(0.5), learning_rate=np.float64(0.25), window=np.int8(3)
    )
    assert hash(made) == hash(Word2Vec(sample=0.5, learning_rate=0.25, window=3))


def test_one_pair_is_enough(key):
    text = corpus.read([*["cat", "dog"] * 40, "cat dog"], min_count=1)
    trained = train(Word2Vec(**SMALL, epochs=2, sample=0), key, text)
    assert (trained.loss > 0).all()


def test_a_run_that_happens_to_read_no_pair_is_refused(key, monkeypatch):
    """More than one pair is expected, but chance decides."""
    text = corpus.read(["the cat sat on the mat"] * 50, min_count=1)
    monkeypatch.setattr(sampling, "expected_pairs", lambda *_: 5.0)
    with pytest.raises(ValueError, match="sample=1e-07 leaves 0 pairs"):
        train(Word2Vec(**SMALL, epochs=3, sample=1e-7), key, text)


def test_an_epoch_without_pairs_has_no_loss(key, monkeypatch):
    original = chunks.chunks
    calls = iter(range(9))

    def only_the_first(settings, ids, keep, rng):
        return original(settings, ids, keep if next(calls) == 0 else 0 * keep, rng)

    monkeypatch.setattr(chunks, "chunks", only_the_first)
    trained = train(Word2Vec(**SMALL, epochs=2, sample=0), key, TEXT)
    assert trained.loss[0] > 0
    assert np.isnan(trained.loss[1])


@pytest.mark.parametrize("block", [1, 7, 10**6])
def test_expected_pairs_are_those_of_a_simulation(monkeypatch, block):
    monkeypatch.setattr(sampling, "BLOCK", block)
    rng = np.random.default_rng(0)
    ids = rng.integers(END, 6, 60)
    keep = rng.random(6)
    lines = np.split(ids, np.flatnonzero(ids == END))
    want = 0.0
    for line in lines:
        p = keep[line[line != END]]
        want += sum(p[i] * p[j] for i in range(len(p)) for j in range(i))
    np.testing.assert_allclose(sampling.expected_pairs(ids, keep, np.inf), want)
    assert sampling.expected_pairs(ids, keep, want / 2) >= want / 2
    assert sampling.expected_pairs(np.array([0, END, 1, END]), np.array([0.3, 0.7]), 1) == 0


WRONG = {
    "a seed": (lambda: train(Word2Vec(**SMALL), 0, TEXT), "key is int.*jax.random.key"),
    "strings": (
        lambda: train(Word2Vec(**SMALL), jax.random.key(0), ["a b c"]),
        "corpus is list.*jaxnets.text.corpus.read",
    ),
    "a path": (lambda: train(Word2Vec(**SMALL), jax.random.key(0), "a.txt"), "corpus is str"),
    "numbers": (lambda: train(Word2Vec(**SMALL), jax.random.key(0), TEXT.ids), "corpus is ndarray"),
    "many keys": (
        lambda: train(Word2Vec(**SMALL), KEYS, TEXT),
        "key is .* of shape",
    ),
    "settings": (lambda: train(SMALL, jax.random.key(0), TEXT), "settings is dict"),
    "devices": (
        lambda: train(Word2Vec(**SMALL), jax.random.key(0), TEXT, devices="cpu"),
        "devices is 'cpu'",
    ),
    "a number of devices": (
        lambda: train(Word2Vec(**SMALL), jax.random.key(0), TEXT, devices=2),
        "devices is 2",
    ),
    "sample": (lambda: Word2Vec(**SMALL, sample="1e-3"), "sample is .*1e-3"),
    "no sample": (lambda: Word2Vec(**SMALL, sample=None), "sample is .*None"),
    "rate": (lambda: Word2Vec(**SMALL, learning_rate="0.05"), "learning_rate is .*0.05"),
    "final rate": (lambda: Word2Vec(**SMALL, final_rate="0.05"), "final_rate is .*0.05"),
    "epochs": (lambda: Word2Vec(**SMALL, epochs="5"), "epochs is '5'"),
    "deterministic": (lambda: Word2Vec(**SMALL, deterministic="no"), "deterministic is 'no'"),
    "ids": (
        lambda: train(Word2Vec(**SMALL), jax.random.key(0), TEXT._replace(ids=TEXT.ids * 1.0)),
        "ids of the corpus are float",
    ),
}


@pytest.mark.parametrize("name", WRONG)
def test_case_27_raw_errors_of_text_in_training(compilations, name):
    call, message = WRONG[name]
    refused(compilations, TypeError, message, call)


def test_ids_that_contradict_the_vocabulary_are_refused(key):
    for ids, message in (([0, 1, 3, END], r"ids\[2\] .* is 3"), ([0, -2], r"ids\[1\] .* is -2")):
        wrong = Corpus(np.asarray(ids, np.int32), TEXT.vocabulary)
        with pytest.raises(ValueError, match=message):
            train(Word2Vec(**SMALL), key, wrong)
    with pytest.raises(TypeError, match="counts of the vocabulary are"):
        train(Word2Vec(**SMALL), key, Corpus(TEXT.ids, Vocabulary(("a", "b", "c"), [3, 2, 1])))
    fewer = Vocabulary(TEXT.vocabulary.words, TEXT.vocabulary.counts[:2])
    with pytest.raises(ValueError, match="3 words and counts of shape"):
        train(Word2Vec(**SMALL), key, Corpus(TEXT.ids, fewer))


@pytest.mark.parametrize("sample", [-0.1, 1.5, float("nan"), float("inf")])
def test_a_sample_that_is_no_share_is_refused_at_once(sample):
    with pytest.raises(ValueError, match="sample is"):
        Word2Vec(sample=sample)
