"""Word vectors asked as gensim's `KeyedVectors` are: the same answers, and errors that help."""

import jax.numpy as jnp
import numpy as np
import pytest

from jaxnets.word2vec import Vectors, analogy

WORDS = [f"w{i}" for i in range(60)]
MATRIX = np.random.default_rng(0).standard_normal((60, 12)).astype(np.float32)
MATRIX *= np.random.default_rng(1).uniform(0.1, 5, (60, 1)).astype(np.float32)


@pytest.fixture
def vectors():
    return Vectors(WORDS, MATRIX)


@pytest.fixture
def theirs():
    keyed = pytest.importorskip("gensim.models").KeyedVectors(12)
    keyed.add_vectors(WORDS, MATRIX)
    return keyed


def same_answers(found, want):
    assert [word for word, _ in found] == [word for word, _ in want]
    np.testing.assert_allclose([c for _, c in found], [c for _, c in want], atol=1e-6)


QUESTIONS = {
    "a word": {"positive": "w3"},
    "a list": {"positive": ["w3"]},
    "an analogy": {"positive": ["w3", "w7"], "negative": ["w5"]},
    "many": {"positive": ["w1", "w2", "w3"], "negative": ["w8", "w9"]},
    "only negative": {"negative": ["w5"]},
    "twice": {"positive": ["w3", "w3", "w4"]},
    "a vector": {"positive": [MATRIX[3] + MATRIX[4]]},
    "vectors and words": {"positive": [MATRIX[3], "w4"], "negative": "w5"},
    "None": {"positive": ["w3"], "negative": None},
    "rows": {"positive": MATRIX[3:5]},
    "all": {"positive": ["w3"], "topn": 100},
}


@pytest.mark.parametrize("question", QUESTIONS.values(), ids=QUESTIONS)
def test_most_similar_is_that_of_gensim(vectors, theirs, question):
    same_answers(vectors.most_similar(**question), theirs.most_similar(**question))


def test_other_answers_are_those_of_gensim(vectors, theirs):
    rng = np.random.default_rng(2)
    same_answers(vectors.similar_by_word("w9", 5), theirs.similar_by_word("w9", 5))
    same_answers(vectors.similar_by_vector(MATRIX[2], 5), theirs.similar_by_vector(MATRIX[2], 5))
    for _ in range(200):
        some = [WORDS[i] for i in rng.choice(60, 5, replace=False)]
        assert vectors.doesnt_match(some) == theirs.doesnt_match(some)
        for name, args in {
            "similarity": some[:2],
            "distance": some[:2],
            "n_similarity": (some[:2], some[2:]),
        }.items():
            found, want = (getattr(v, name)(*args) for v in (vectors, theirs))
            np.testing.assert_allclose(found, want, atol=1e-6)


def test_the_table_is_that_of_gensim(vectors, theirs):
    assert len(vectors) == len(theirs) == 60
    for name in ("index_to_key", "key_to_index", "vector_size"):
        assert getattr(vectors, name) == getattr(theirs, name)
    np.testing.assert_array_equal(vectors.vectors, theirs.vectors)
    for words in ("w4", ["w4", "w2"]):
        np.testing.assert_array_equal(vectors[words], theirs[words])
    found, want = (v.get_vector("w4", norm=True) for v in (vectors, theirs))
    np.testing.assert_allclose(found, want, atol=1e-6)
    assert ("w4" in vectors, "w99" in vectors, 4 in vectors) == (True, False, False)
    assert list(vectors) == WORDS


def test_a_vector_may_be_of_any_kind(vectors):
    ones = vectors.similar_by_vector(np.ones(12))
    for other in (np.ones(12, int), [1] * 12, [1.0] * 12, jnp.ones(12)):
        assert vectors.similar_by_vector(other) == ones
    for other in (jnp.ones(12), [jnp.ones(12)], np.ones((1, 12), int)):
        assert vectors.most_similar(other) == ones


def test_a_vector_of_the_table_can_be_changed(vectors):
    before = vectors.most_similar("w4")
    for vector in (vectors["w4"], vectors[["w4"]][0], vectors.get_vector("w4", norm=True)):
        vector[:] = 0
    assert vectors.most_similar("w4") == before


def test_an_analogy_is_a_sum(vectors):
    found = [word for word, _ in vectors.most_similar(["w2", "w3"], ["w1"], topn=5)]
    assert found == [word for word, _ in analogy(vectors, "w1", "w2", "w3", 5)]


ASKS = {
    "[]": lambda v, word: v[word],
    "[list]": lambda v, word: v[["king", word]],
    "most_similar": lambda v, word: v.most_similar(["king"], [word]),
    "similarity": lambda v, word: v.similarity("king", word),
    "n_similarity": lambda v, word: v.n_similarity(["king"], [word]),
    "doesnt_match": lambda v, word: v.doesnt_match(["king", "queen", word]),
}


@pytest.mark.parametrize("ask", ASKS.values(), ids=ASKS)
def test_an_unknown_word_is_answered_with_near_spellings(ask):
    vectors = Vectors(["king", "queen", "woman"], np.eye(3))
    with pytest.raises(KeyError, match="no vector for 'womann'; did you mean 'woman'"):
        ask(vectors, "womann")


WRONG = {
    "nothing": (lambda v: v.most_similar(), ValueError, "positive and negative are empty"),
    "a number": (lambda v: v.most_similar([3]), TypeError, "positive has 3; it must be words"),
    "a set": (lambda v: v.most_similar({"a"}), TypeError, "positive is {'a'}; it must be words"),
    "a weight": (lambda v: v.most_similar([("a", 2.0)]), TypeError, r"positive has \('a', 2.0\)"),
    "another size": (lambda v: v.most_similar(np.ones(5)), ValueError, r"shape \(5,\); these have"),
    "three axes": (lambda v: v.most_similar(np.ones((1, 1, 2))), ValueError, r"\(1, 2\); these"),
    "NaN": (lambda v: v.similar_by_vector(np.full(2, np.nan)), ValueError, "must be finite"),
    "no direction": (lambda v: v.most_similar("zero"), ValueError, "'zero' is zero"),
    "cancel": (lambda v: v.most_similar("a", "a"), ValueError, "mean of positive and negative is"),
    "topn": (lambda v: v.most_similar("a", topn=0), ValueError, "topn is 0"),
    "two words": (lambda v: v.doesnt_match(["a", "b"]), ValueError, "three words or more, got 2"),
    "a str": (lambda v: v.doesnt_match("abc"), TypeError, "must be a list of str"),
    "no words": (lambda v: v.n_similarity(["a"], []), ValueError, "no words to take the mean of"),
    "a row": (lambda v: v[0], TypeError, "words is 0; it must be a list of str"),
}


@pytest.mark.parametrize(("ask", "error", "message"), WRONG.values(), ids=WRONG)
def test_wrong_questions_are_refused(ask, error, message):
    vectors = Vectors(["a", "b", "zero"], [[1, 0], [0, 1], [0, 0]])
    with pytest.raises(error, match=message):
        ask(vectors)
