"""Texts as lists of words, taken as they are, and words that are read however rare they are."""

from collections import Counter

import numpy as np
import pytest

from jaxnets.text import corpus
from jaxnets.text.vocabulary import END
from jaxnets.word2vec import Vectors

SENTENCES = [
    ["New_York", "is", "Big", "!"],
    [],
    ["Bern", "is", "3.5", "times", "smaller", "new york"],
    ["is", "Bern", "Big"],
]


def spelled(made):
    words = np.asarray([*made.vocabulary.words, "\n"])[made.ids]
    return [line.split("\t") for line in "\t".join(words).rstrip("\n\t").split("\t\n\t")]


FORMS = {
    "lists": SENTENCES,
    "tuples": [tuple(words) for words in SENTENCES],
    "arrays": [np.asarray(words, str) for words in SENTENCES],
    "a generator": (words for words in SENTENCES),
}


@pytest.mark.parametrize("form", FORMS)
def test_words_are_taken_as_they_are(form):
    made = corpus.read(FORMS[form], min_count=1)
    assert spelled(made) == [words for words in SENTENCES if words]
    counts = Counter(word for words in SENTENCES for word in words)
    assert dict(zip(made.vocabulary.words, made.vocabulary.counts, strict=True)) == counts
    assert made.ids[-1] == END
    assert {type(word) for word in made.vocabulary.words} == {str}


def test_the_vocabulary_is_that_of_gensim():
    gensim = pytest.importorskip("gensim.models.word2vec")
    rng = np.random.default_rng(0)
    names = np.asarray([f"Word_{i}" for i in range(300)])
    sentences = [names[rng.zipf(1.3, 12).clip(max=300) - 1].tolist() for _ in range(500)]
    made = corpus.read(sentences, min_count=5)
    theirs = gensim.Word2Vec(min_count=5, vector_size=2)
    theirs.build_vocab(sentences)
    want = {word: theirs.wv.get_vecattr(word, "count") for word in theirs.wv.index_to_key}
    assert dict(zip(made.vocabulary.words, made.vocabulary.counts, strict=True)) == want
    assert 20 < len(want) < 300


def test_strings_and_lists_of_words_mix():
    made = corpus.read(["The cat sat", ["the", "Cat", "sat"]], min_count=1)
    assert spelled(made) == [["the", "cat", "sat"], ["the", "Cat", "sat"]]


def test_known_words_are_read_however_rare(tmp_path):
    text = ["often often often", "seldom often rare", "never often"]
    vectors = Vectors(["rare", "absent"], np.eye(2))
    made = corpus.read(text, min_count=3, known=vectors)
    assert spelled(made) == [["often"] * 3, ["often", "rare"], ["often"]]
    assert dict(zip(made.vocabulary.words, made.vocabulary.counts, strict=True)) == {
        "often": 5,
        "rare": 1,
    }
    (tmp_path / "a.txt").write_text("\n".join(text))
    for known in (["rare"], ["rare", "seldom"], ["rare"]):
        cached = corpus.read(tmp_path / "a.txt", 3, tmp_path / "cache", known=known)
        assert set(cached.vocabulary.words) == {"often", *known}
    assert len(list((tmp_path / "cache").iterdir())) == 4


WRONG = {
    "a number": ([["a", "b"], ["a", 3]], TypeError, "text 1 has 3; expected str"),
    "bytes": ([["a", b"b"]], TypeError, "text 0 has b'b'"),
    "bytes for a list": ([["a"], b"a b"], TypeError, "text 1 is b'a b'; expected str, or a list"),
    "a set": ([{"a", "b"}], TypeError, "text 0 is {.*; expected str, or a list of words"),
    "deeper": ([[["a", "b"]]], TypeError, "text 0 has .'a', 'b'.; expected str"),
    "empty": ([["a"], ["a", "", "b"]], ValueError, "word 1 of text 1 is empty"),
    "a surrogate": ([["a", "b\ud800"]], ValueError, "text 0 has '.ud800' at character 2"),
}


@pytest.mark.parametrize(("source", "error", "message"), WRONG.values(), ids=WRONG)
def test_what_is_not_a_list_of_words_is_refused(source, error, message):
    with pytest.raises(error, match=message):
        corpus.read(source, min_count=1)


@pytest.mark.parametrize("known", ["rare", b"rare", 3, [3]], ids=repr)
def test_known_words_of_another_type_are_refused(known):
    with pytest.raises(TypeError, match=r"known .*; it must be words"):
        corpus.read(SENTENCES, min_count=1, known=known)
