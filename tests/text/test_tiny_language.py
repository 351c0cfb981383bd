"""The embedded language: its analogies can be solved from counts of neighbouring words alone."""

from collections import Counter

import numpy as np
import pytest

from jaxnets import word2vec
from jaxnets.text import tiny_language
from jaxnets.text.corpus import read
from jaxnets.text.vocabulary import END


@pytest.fixture(scope="module")
def corpus():
    return read(tiny_language.sentences(30_000), min_count=1)


def counted_vectors(corpus, window=5, dimensions=80):
    """Positive pointwise mutual information, its largest singular vectors (Levy et al., 2015)."""
    n = len(corpus.vocabulary.words)
    counts = np.zeros((n, n))
    lines = np.cumsum(corpus.ids == END)
    for distance in range(1, window + 1):
        one, other = corpus.ids[:-distance], corpus.ids[distance:]
        both = (lines[:-distance] == lines[distance:]) & (one >= 0) & (other >= 0)
        np.add.at(counts, (one[both], other[both]), 1)
    counts += counts.T
    frequency = counts.sum(0)
    with np.errstate(divide="ignore"):
        information = np.log(counts * counts.sum() / frequency / frequency[:, None])
    left, values, _ = np.linalg.svd(np.maximum(information, 0))
    return word2vec.Vectors(
        corpus.vocabulary.words, left[:, :dimensions] * np.sqrt(values[:dimensions])
    )


def test_its_analogies_can_be_learned(corpus):
    scores = word2vec.analogy_scores(counted_vectors(corpus), tiny_language.analogies())
    assert {name: score.asked for name, score in scores.items()} == {
        "capitals": 12 * 11,
        "kin": 10 * 9,
        "opposites": 10 * 9,
    }
    for name, score in scores.items():
        assert score.share > 0.9, (name, score)


def test_the_lectures_analogy_is_among_them():
    assert ("beijing", "china", "bern", "switzerland") in tiny_language.analogies()["capitals"]


def test_words_of_a_pair_belong_to_it_alone():
    pairs = [
        row[column]
        for topic in tiny_language.TOPICS.values()
        for row in topic.rows
        for column in topic.pair
    ]
    assert max(Counter(pairs).values()) == 1


def test_sentences_follow_their_seed():
    first, again, other = (list(tiny_language.sentences(50, seed)) for seed in (0, 0, 1))
    assert first == again
    assert first != other
    assert len(first) == 50
    assert not any("{" in sentence for sentence in first)


def test_every_pattern_and_row_is_used(corpus):
    for topic in tiny_language.TOPICS.values():
        for row in topic.rows:
            assert set(row.values()) <= set(corpus.vocabulary.words)
