"""Phrases: the same pairs, scores and joined texts as gensim's, and as loops give."""

from collections import Counter
from itertools import pairwise

import numpy as np
import pytest

from jaxnets.text import corpus, phrases
from jaxnets.text.vocabulary import END

PLANTED = ["new york", "san jose", "ice cream cone", "ping ping"]


def sentences(seed=0, n=400):
    """Words by Zipf's law, with pairs and triples planted among them."""
    rng = np.random.default_rng(seed)
    lines = []
    for length in rng.integers(0, 15, n):
        words = [f"w{i}" for i in rng.zipf(1.4, length).clip(max=80)]
        if rng.random() < 0.4:
            words[length // 2 : length // 2] = rng.choice(PLANTED).split()
        lines.append(words)
    return lines


def spelled(made):
    words = np.asarray([*made.vocabulary.words, "\n"])[made.ids]
    return [line.split("\t") for line in "\t".join(words).rstrip("\n\t").split("\t\n\t")]


def slow_scores(lines, min_count):
    """The score of every pair, as the formula says."""
    single = Counter(word for line in lines for word in line)
    pairs = Counter(pair for line in lines for pair in pairwise(line))
    different = len(single) + len(pairs)
    return {
        (a, b): (n - min_count) / (single[a] * single[b]) * different for (a, b), n in pairs.items()
    }


def slow_join(line, found, delimiter="_"):
    """From left to right, word by word."""
    line, joined = list(line), []
    while line:
        if len(line) > 1 and (line[0], line[1]) in found:
            joined.append(f"{line.pop(0)}{delimiter}{line.pop(0)}")
        else:
            joined.append(line.pop(0))
    return joined


@pytest.fixture(params=[2**22, 1, 7, 100])
def block(request, monkeypatch):
    monkeypatch.setattr(phrases, "BLOCK", request.param)


@pytest.mark.parametrize(("min_count", "threshold"), [(1, 0.1), (5, 10.0), (3, 2.0), (5, 1e6)])
def test_scores_and_joined_texts_are_those_of_loops(block, min_count, threshold):
    lines = sentences()
    text = corpus.read(lines, min_count=1)
    found = phrases.find(text, min_count, threshold)
    want = {p: s for p, s in slow_scores(lines, min_count).items() if s > threshold}
    assert found.keys() == want.keys()
    np.testing.assert_allclose([found[pair] for pair in want], list(want.values()), rtol=1e-12)
    assert list(found.values()) == sorted(found.values(), reverse=True)
    joined = phrases.join(text, found)
    assert spelled(joined) == [slow_join(line, want) for line in lines if line]
    counts = Counter(word for line in spelled(joined) for word in line)
    assert dict(zip(joined.vocabulary.words, joined.vocabulary.counts, strict=True)) == counts
    assert list(joined.vocabulary.counts) == sorted(counts.values(), reverse=True)
    assert joined.ids.dtype == np.int32


@pytest.mark.parametrize(("min_count", "threshold"), [(1, 0.1), (5, 10.0), (3, 2.0)])
@pytest.mark.parametrize("seed", range(3))
def test_phrases_are_those_of_gensim(seed, min_count, threshold):
    """Twice, so that phrases of three words are found; the vocabulary after it too."""
    gensim = pytest.importorskip("gensim.models")
    lines = sentences(seed)
    text = corpus.read(lines, min_count=1)
    for delimiter in ("_", "+"):
        theirs = gensim.Phrases(
            lines, min_count=min_count, threshold=threshold, delimiter=delimiter
        )
        found = phrases.find(text, min_count, threshold)
        want = theirs.find_phrases(lines)
        assert want.keys() <= {delimiter.join(pair) for pair in found}
        if delimiter == "_":
            assert {delimiter.join(pair): score for pair, score in found.items()} == (
                theirs.export_phrases()
            )
        text, lines = phrases.join(text, found, delimiter), list(theirs[lines])
        assert spelled(text) == [line for line in lines if line]
    assert "ice_cream+cone" in text.vocabulary.words or "ice+cream_cone" in text.vocabulary.words
    frequent = phrases.join(text, {}, min_count=4)
    model = gensim.Word2Vec(vector_size=2, min_count=4)
    model.build_vocab(lines)
    assert set(frequent.vocabulary.words) == set(model.wv.index_to_key)


def test_phrases_of_one_text_are_joined_in_another():
    found = phrases.find(corpus.read(sentences(), min_count=1))
    assert {("new", "york"), ("san", "jose")} <= found.keys()
    other = corpus.read(["in New York or San Jose", "new", "york jose"], min_count=1)
    assert spelled(phrases.join(other, found))[0] == ["in", "new_york", "or", "san_jose"]
    assert spelled(phrases.join(other, found))[1:] == [["new"], ["york", "jose"]]


def test_overlapping_phrases_join_from_the_left():
    text = corpus.read([["a", "a", "a", "a", "a"], ["a", "b", "a", "a_a"]], min_count=1)
    joined = phrases.join(text, [("a", "a"), ("absent", "a"), ("a_a", "a")])
    assert spelled(joined) == [["a_a", "a_a", "a"], ["a", "b", "a", "a_a"]]
    assert dict(zip(joined.vocabulary.words, joined.vocabulary.counts, strict=True)) == {
        "a": 3,
        "a_a": 3,
        "b": 1,
    }


def test_no_phrase_reaches_across_a_line_and_none_changes_nothing():
    text = corpus.read([["a", "b"], ["a"], ["b", "c"]], min_count=1)
    text = text._replace(ids=text.ids[:-1])
    assert phrases.find(text, 1, 1e-9) == {}
    assert spelled(phrases.join(text, [("a", "c"), ("b", "a")])) == [["a", "b"], ["a"], ["b", "c"]]


def test_rare_words_left_by_joining_are_left_out():
    text = corpus.read([["x", "new", "york"], ["x", "new"], ["x", "new", "york"]], min_count=1)
    joined = phrases.join(text, [("new", "york")], min_count=2)
    assert spelled(joined) == [["x", "new_york"], ["x"], ["x", "new_york"]]
    assert not ((joined.ids[1:] == END) & (joined.ids[:-1] == END)).any()


TEXT = corpus.read([["a", "b"], ["a", "b", "c"]], min_count=1)
WRONG = {
    "strings": (lambda: phrases.find(["a b"]), TypeError, "corpus is list; it must be a Corpus"),
    "joined strings": (lambda: phrases.join(["a b"], {}), TypeError, "corpus is list"),
    "min_count 0": (lambda: phrases.find(TEXT, 0), ValueError, "min_count is 0"),
    "threshold 0": (lambda: phrases.find(TEXT, 1, 0), ValueError, "threshold is 0"),
    "threshold NaN": (lambda: phrases.find(TEXT, 1, np.nan), ValueError, "threshold is nan"),
    "many thresholds": (lambda: phrases.find(TEXT, 1, [1, 2]), TypeError, "a single number"),
    "words": (lambda: phrases.join(TEXT, ["a", "b"]), TypeError, "phrases has 'a'; it must be"),
    "a word": (lambda: phrases.join(TEXT, "ab"), TypeError, "phrases is 'ab'; it must be pairs"),
    "a triple": (lambda: phrases.join(TEXT, [("a", "b", "c")]), TypeError, "phrases has"),
    "delimiter": (lambda: phrases.join(TEXT, {}, 3), TypeError, "delimiter is 3"),
    "all rare": (lambda: phrases.join(TEXT, {}, min_count=3), ValueError, "joined text has 0"),
}


@pytest.mark.parametrize(("call", "error", "message"), WRONG.values(), ids=WRONG)
def test_wrong_arguments_are_named(call, error, message):
    with pytest.raises(error, match=message):
        call()
