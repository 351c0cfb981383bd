"""word2vec's training: every word once an epoch, falling rates, analogies learned, bad input."""

import dataclasses
import importlib
import inspect

import jax
import numpy as np
import pytest
from scipy import stats

from jaxnets import word2vec
from jaxnets.text import tiny_language
from jaxnets.text.corpus import read as read_corpus
from jaxnets.text.vocabulary import END
from jaxnets.word2vec import Word2Vec, train
from jaxnets.word2vec import chunks as chunking

training = importlib.import_module("jaxnets.word2vec.train")
"""The module, whose name in its package is that of the function."""
SMALL = {
    "batch_size": 64,
    "positions_per_group": 16,
    "shared_negatives": 16,
    "dimensions": 20,
    "window": 3,
    "sample": 0.0,
}


@pytest.fixture(scope="module")
def corpus():
    return read_corpus(tiny_language.sentences(3000), min_count=1)


def read(settings, ids, keep, monkeypatch, steps):
    monkeypatch.setattr(chunking, "CHUNK", steps * settings.batch_size)
    rng = np.random.default_rng(0)
    return list(chunking.chunks(settings, ids, keep, rng))


@pytest.mark.parametrize("steps", [1, 3, 1000])
def test_chunks_hold_every_word_once_with_its_contexts(corpus, monkeypatch, steps):
    settings, everything = Word2Vec(**SMALL), np.ones(len(corpus.vocabulary.words), np.float32)
    pieces = read(settings, corpus.ids, everything, monkeypatch, steps)
    assert sum(piece.read for piece in pieces) == len(corpus.ids)
    reach, found = settings.window, []
    for piece in pieces:
        assert (len(piece.words) - 2 * reach) % settings.batch_size == 0
        for i in range(reach, len(piece.words) - reach):
            if piece.lines[i] >= 0:
                near = slice(i - reach, i + reach + 1)
                same = piece.lines[near] == piece.lines[i]
                found.append((piece.words[i], *piece.words[near][same]))
    lines = np.split(corpus.ids, np.flatnonzero(corpus.ids == END))
    want = [
        (line[i], *line[max(0, i - reach) : i + reach + 1])
        for line in (line[line != END] for line in lines)
        for i in range(len(line))
    ]
    assert found == want


def test_chunks_have_the_requested_share_of_each_word(corpus, monkeypatch):
    keep = np.linspace(0.1, 1, len(corpus.vocabulary.words)).astype(np.float32)
    pieces = read(Word2Vec(**SMALL), corpus.ids, keep, monkeypatch, 20)
    words = np.concatenate([p.words[3:-3][p.lines[3:-3] >= 0] for p in pieces])
    counts = corpus.vocabulary.counts
    found = np.bincount(words, minlength=len(counts))
    variance = counts * keep * (1 - keep)
    enough = variance > 5
    squares = (found - keep * counts)[enough] ** 2 / variance[enough]
    assert stats.chi2(enough.sum()).sf(squares.sum()) > 1e-3
    assert enough.sum() > 50


def test_the_rate_falls_linearly():
    settings = Word2Vec(learning_rate=0.1, final_rate=0.02)
    first, second = (
        training.rates(settings, 0, 50, 100, 5),
        training.rates(settings, 50, 100, 100, 5),
    )
    both = np.concatenate([first, second])
    np.testing.assert_allclose(both, 0.1 - 0.08 * np.arange(10) / 10, rtol=1e-6)


@pytest.mark.parametrize("name", ["sg", "skipgram", "skip-gram"])
def test_other_names_of_the_models_mean_the_same(name):
    assert Word2Vec(name) == Word2Vec("skip_gram")
    assert hash(Word2Vec(name)) == hash(Word2Vec("skip_gram"))
    assert str(inspect.signature(Word2Vec)).startswith(
        "(model: str = 'cbow', dimensions: int = 100"
    )


def test_the_first_rate_is_the_models_unless_given():
    assert Word2Vec("cbow").first_rate == 2 * Word2Vec("skip_gram").first_rate == 0.05
    assert Word2Vec("cbow", learning_rate=0.1).first_rate == 0.1


@pytest.mark.parametrize("model", ["cbow", "skip_gram"])
def test_analogies_are_learned(key, corpus, model):
    """By chance one in 190 is right."""
    settings = Word2Vec(
        model, dimensions=50, window=3, epochs=30, learning_rate=0.05, sample=0, batch_size=32
    )
    trained = train(settings, key, corpus)
    scores = word2vec.analogy_scores(trained.vectors, tiny_language.analogies())
    assert sum(s.right for s in scores.values()) > 0.25 * sum(s.asked for s in scores.values())
    assert trained.loss.shape == (30,)
    assert trained.loss[-1] < 0.6 * trained.loss[0]
    assert trained.words_per_second > 0
    assert np.isnan(train(Word2Vec(**SMALL, epochs=1), key, corpus).words_per_second)


def test_a_key_decides_everything(key, corpus):
    settings = Word2Vec(**SMALL, epochs=2)
    one, again, other = (
        train(settings, k, corpus).vectors.matrix
        for k in (key, jax.random.key(0), jax.random.key(1))
    )
    np.testing.assert_array_equal(one, again)
    assert not np.array_equal(one, other)


@pytest.mark.parametrize(("batch_size", "streams"), [(1024, 16), (512, 8), (32, 1), (224, 1)])
def test_a_stream_for_every_64_positions_if_they_divide_the_batch(batch_size, streams):
    assert Word2Vec(batch_size=batch_size).stream_count == streams


@pytest.mark.parametrize("model", ["cbow", "skip_gram"])
def test_streams_read_the_same_positions(key, model):
    """In one batch and one group, with nothing drawn per position, the order does not matter."""
    few = read_corpus(tiny_language.sentences(40), min_count=1)
    size = 64 * -(-len(few.ids) // 64)
    settings = Word2Vec(
        model, window=1, sample=0, epochs=1, batch_size=size, positions_per_group=size
    )
    plain, *others = (
        train(dataclasses.replace(settings, streams=n), key, few).params for n in (1, 2, 8)
    )
    for other in others:
        for table, rows in plain.items():
            np.testing.assert_allclose(other[table], rows, atol=1e-6)
            assert np.abs(rows).max() > 1e-3


@pytest.mark.parametrize(("model", "devices"), [("cbow", 4), ("skip_gram", 2)])
def test_devices_and_fixed_order_change_only_rounding(key, corpus, model, devices):
    settings = Word2Vec(model, **SMALL, epochs=1, learning_rate=0.1)
    plain = train(settings, key, corpus)
    ordered = train(dataclasses.replace(settings, deterministic=True), key, corpus)
    shared = train(settings, key, corpus, devices=jax.devices()[:devices])
    for other in (ordered, shared):
        np.testing.assert_allclose(other.loss, plain.loss, rtol=1e-5)
        for table, rows in plain.params.items():
            distance = np.linalg.norm(other.params[table] - rows)
            assert distance <= 1e-4 * np.linalg.norm(rows)


def test_devices_that_cannot_share_a_batch_are_refused(key, corpus):
    for devices in ([], jax.devices()[:3]):
        with pytest.raises(ValueError, match="cannot share the 4 groups"):
            train(Word2Vec(**SMALL), key, corpus, devices=devices)


@pytest.mark.parametrize(
    ("setting", "error", "message"),
    [
        ({"dimensions": 0}, ValueError, "dimensions"),
        ({"window": 1.5}, TypeError, "window"),
        ({"learning_rate": float("nan")}, ValueError, "learning_rate"),
        ({"final_rate": -1.0}, ValueError, "final_rate"),
        ({"model": "glove"}, ValueError, "unknown model 'glove'"),
        ({"model": "skip_gran"}, ValueError, "did you mean 'skip_gram'"),
        ({"model": [["a", "text"]]}, TypeError, r"model is .*the text is an argument of .*train"),
        ({"vector_size": 50}, TypeError, "no setting 'vector_size': use dimensions"),
        ({"sg": 1}, TypeError, "no setting 'sg': use model=\"sg\""),
        ({"min_count": 1}, TypeError, r"no setting 'min_count': use .*corpus.read\(sentences"),
        ({"dimension": 50}, TypeError, "no setting 'dimension': use dimensions"),
        ({"workers": 4}, TypeError, "no setting 'workers'; known: model, dimensions, window"),
        ({"batch_size": 100}, ValueError, "must be a multiple of positions_per_group"),
        ({"streams": 7}, ValueError, "must be a multiple of streams"),
        ({"streams": 0}, ValueError, "streams"),
        ({"sample": 1.5}, ValueError, "sample is 1.5"),
    ],
    ids=str,
)
def test_bad_settings_are_refused(key, corpus, setting, error, message):
    with pytest.raises(error, match=message):
        train(Word2Vec(**setting), key, corpus)


def test_a_window_longer_than_the_text_is_refused(key):
    few = read_corpus(["one two one two"], min_count=1)
    with pytest.raises(ValueError, match="longer than the text"):
        train(Word2Vec(window=4), key, few)


def test_divergence_is_reported(key, corpus):
    with pytest.raises(FloatingPointError, match="epoch 1: try a smaller learning rate"):
        train(Word2Vec(**SMALL, learning_rate=1e12), key, corpus)


@pytest.mark.parametrize("window", [1, 3, 5])
def test_every_word_of_a_pass_is_a_position_once(window, monkeypatch):
    """The last words were contexts only, where fewer than a window were left over."""
    settings = Word2Vec(batch_size=64, window=window, dimensions=8)
    monkeypatch.setattr(chunking, "CHUNK", 64)
    for n in range(60, 140):
        ids = np.arange(1, n + 1, dtype=np.int32)
        rng = np.random.default_rng(0)
        found = list(chunking.passes(settings, ids, np.ones(n + 1, np.float32), rng))
        of_epoch = [chunk for epoch, _, chunk in found if epoch == 0]
        positions = [chunk.words[window:-window] for chunk in of_epoch]
        real = [chunk.lines[window:-window] >= 0 for chunk in of_epoch]
        seen = np.concatenate([p[r] for p, r in zip(positions, real, strict=True)])
        np.testing.assert_array_equal(seen, ids)
        assert sum(chunk.read for chunk in of_epoch) == n
        begun = [done for _, done, _ in found]
        assert len(set(begun)) == len(begun), "two chunks begin after the same word"


def test_chunks_after_2_to_the_32_words_have_keys():
    module = importlib.import_module("jaxnets.word2vec.train")
    key = jax.random.key(1)
    truth = jax.random.key_data(jax.random.fold_in(key, 7))
    np.testing.assert_array_equal(jax.random.key_data(module._key_of_chunk(key, 7)), truth)
    late = [jax.random.key_data(module._key_of_chunk(key, k * 2**32 + 7)) for k in (0, 1, 2)]
    assert len({tuple(np.asarray(data).tolist()) for data in late}) == 3


def test_devices_may_be_an_array(corpus):
    settings, key = Word2Vec(**SMALL), jax.random.key(0)
    listed = train(settings, key, corpus, devices=jax.devices()[:2])
    array = train(settings, key, corpus, devices=np.array(jax.devices()[:2]))
    np.testing.assert_array_equal(listed.vectors.matrix, array.vectors.matrix)
