"""Further training on new text: the vocabulary grows and old vectors go on, as in gensim."""

import dataclasses
from collections import Counter

import chex
import jax
import numpy as np
import pytest

from jaxnets import CheckpointConfig
from jaxnets.storage.checkpoints import CheckpointMismatch
from jaxnets.text import tiny_language
from jaxnets.text.corpus import read as read_corpus
from jaxnets.text.reading import words as words_of
from jaxnets.word2vec import Word2Vec, train

SETTINGS = Word2Vec(
    dimensions=20, window=3, epochs=2, sample=0, batch_size=32, positions_per_group=16
)
OLD = [line for line in tiny_language.sentences(600) if "king" not in line]
NEW = ["the dragon guards the castle of the prince"] * 40 + ["a knight fears the dragon"] * 30
RARE = ["the elephant saw a knight"]


def words_in(sentences):
    return Counter(word for line in sentences for word in words_of(line))


@pytest.fixture(scope="module")
def old():
    return train(SETTINGS, jax.random.key(1), read_corpus(OLD, min_count=1))


def further(old, sentences=(*NEW, *RARE), min_count=5, settings=SETTINGS, **options):
    text = read_corpus(sentences, min_count, known=old.vectors)
    return train(settings, jax.random.key(2), text, start=old, **options)


@pytest.mark.parametrize("model", ["cbow", "sg"])
def test_the_vocabulary_grows_as_in_gensim(model):
    """Old words keep their places, counts add up, and words absent from the new text stay put."""
    gensim = pytest.importorskip("gensim.models.word2vec")
    settings = dataclasses.replace(SETTINGS, model=model)
    mine = train(settings, jax.random.key(1), read_corpus(OLD, min_count=1))
    theirs = gensim.Word2Vec(
        [words_of(line) for line in OLD],
        vector_size=20,
        window=3,
        sg=model == "sg",
        min_count=1,
        workers=1,
        seed=1,
    )
    more = [words_of(line) for line in (*NEW, *RARE)]
    before = {word: theirs.wv[word].copy() for word in theirs.wv.index_to_key}
    names = list(theirs.wv.index_to_key)
    theirs.min_count = theirs.effective_min_count = 5
    theirs.build_vocab(more, update=True)
    theirs.train(more, total_examples=len(more), epochs=2)
    grown = further(mine, settings=settings)

    added = {"dragon", "knight", "guards", "fears"}
    for words, first in (
        (grown.vectors.index_to_key, list(mine.vectors)),
        (theirs.wv.index_to_key, names),
    ):
        assert words[: len(first)] == first
        assert set(words[len(first) :]) == added
    counts = dict(zip(grown.vectors.words, grown.counts, strict=True))
    assert counts == {word: theirs.wv.get_vecattr(word, "count") for word in counts}
    read = words_in([*NEW, *RARE])
    for word, vector in before.items():
        moved = not np.array_equal(grown.vectors[word], mine.vectors[word])
        assert moved == (not np.array_equal(theirs.wv[word], vector)) == (word in read), word


def test_a_run_without_new_words_begins_at_the_old_vectors(old):
    """With rates too small to move anything: the old vectors to the last bit."""
    still = dataclasses.replace(SETTINGS, epochs=1, learning_rate=1e-30, final_rate=1e-30)
    again = further(old, OLD, settings=still)
    chex.assert_trees_all_equal(again.params, old.params)
    np.testing.assert_array_equal(again.counts, 2 * old.counts)
    grown = further(old, settings=still)
    for name, rows in old.params.items():
        np.testing.assert_array_equal(grown.params[name][: len(rows)], rows)
    added = np.asarray(grown.params["input"])[len(old.vectors) :]
    assert (np.abs(added) <= 0.5 / 20).all()
    assert (added.std(axis=1) > 0.005).all()


def test_a_new_word_finds_its_place_and_others_stay():
    settings = dataclasses.replace(SETTINGS, model="sg", epochs=10)
    text = read_corpus(tiny_language.sentences(6000), min_count=1)
    first = train(settings, jax.random.key(0), text)
    sentences = ["in rome people speak italian", "the city of rome has streets and a mayor"] * 40
    grown = further(first, sentences, 1, settings)
    near = {word for word, _ in grown.vectors.most_similar("rome", topn=8)}
    capitals = {row["capital"] for row in tiny_language.TOPICS["capitals"].rows}
    assert len(capitals & near) >= 3, near
    for pair in (("hot", "cold"), ("king", "queen")):
        assert grown.vectors.similarity(*pair) == first.vectors.similarity(*pair)


def test_the_earlier_run_is_unchanged(old):
    before = jax.tree.map(np.array, old.params)
    vectors = old.vectors.matrix.copy()
    further(old)
    chex.assert_trees_all_equal(old.params, before)
    np.testing.assert_array_equal(old.vectors.matrix, vectors)


def test_devices_go_on_alike(old):
    one, two = further(old), further(old, devices=jax.devices()[:2])
    chex.assert_trees_all_close(two.params, one.params, atol=1e-5)
    assert two.wv is two.vectors


def test_another_start_is_another_run(old, tmp_path):
    config = CheckpointConfig(tmp_path)
    first = further(old, checkpoints=config)
    chex.assert_trees_all_equal(further(old, checkpoints=config).params, first.params)
    other = old._replace(params=jax.tree.map(lambda table: 2 * table, old.params))
    with pytest.raises(CheckpointMismatch, match="corpus"):
        further(other, checkpoints=config)
    text = read_corpus([*NEW, *RARE], 5, known=old.vectors)
    with pytest.raises(CheckpointMismatch):
        train(SETTINGS, jax.random.key(2), text, checkpoints=config)


WRONG = {
    "vectors": (lambda old: {"start": old.vectors}, TypeError, "start is Vectors; it must be what"),
    "params": (lambda old: {"start": old.params}, TypeError, "start is dict"),
    "dimensions": (
        lambda old: {"settings": dataclasses.replace(SETTINGS, dimensions=30)},
        ValueError,
        "start has vectors of 20 dimensions, the settings 30",
    ),
}


@pytest.mark.parametrize(("options", "error", "message"), WRONG.values(), ids=WRONG)
def test_what_no_run_can_go_on_from_is_refused(old, options, error, message):
    text = read_corpus(NEW, min_count=1)
    run = {"settings": SETTINGS, "key": jax.random.key(0), "corpus": text, "start": old}
    with pytest.raises(error, match=message):
        train(**run | options(old))
