"""Files of analogies and similarities, and scores: of any size, of nothing, of other types."""

import gzip

import numpy as np
import pytest

from jaxnets import word2vec
from jaxnets.word2vec import Vectors


@pytest.mark.parametrize("read", [word2vec.read_analogies, word2vec.read_similarities])
@pytest.mark.parametrize("line", [b"\n", b"a b c d\n", b"a\tb\t1\n", b"1"], ids=ascii)
def test_a_bomb_of_questions_is_not_unpacked(tmp_path, read, line):
    (tmp_path / "q").write_bytes(gzip.compress(line * (2**25 // len(line) + 2), 1))
    with pytest.raises(ValueError, match="has more than 33554432 bytes"):
        read(tmp_path / "q")


@pytest.mark.parametrize("read", [word2vec.read_analogies, word2vec.read_similarities])
def test_a_long_line_of_questions_is_shown_in_part(tmp_path, read):
    (tmp_path / "q").write_bytes(b"word " * 10_000)
    with pytest.raises(ValueError, match="line 1") as refused:
        read(tmp_path / "q")
    assert len(str(refused.value)) < 500


def test_case_25_total_of_nothing():
    nothing = word2vec.total({})
    assert nothing == word2vec.Score(0, 0)
    assert np.isnan(nothing.share)
    scores = {"a": word2vec.Score(1, 2), "b": word2vec.Score(3, 5)}
    assert word2vec.total(scores) == (4, 7)
    assert word2vec.analogy_scores(Vectors(["a"], np.ones((1, 2))), {}) == {}


VECTORS = Vectors(["a", "b", "c", "d"], np.eye(4))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: word2vec.total([word2vec.Score(1, 2)]), "dict of groups"),
        (lambda: word2vec.analogy_scores(VECTORS, [("a", "b", "c", "d")]), "dict of groups"),
        (lambda: word2vec.analogy_scores(VECTORS, {"g": ["a b c d"]}), "'g' has .* 4 words"),
        (lambda: word2vec.analogy_scores(VECTORS, {"g": [("a", "b", "c")]}), "must be 4 words"),
        (lambda: word2vec.analogy_scores(VECTORS, {"g": [(1, 2, 3, 4)]}), "must be 4 words"),
        (lambda: word2vec.analogy_scores("file", {}), "must be Vectors"),
        (lambda: word2vec.spearman(VECTORS, [("a", "b")]), r"must be \(word, word, score\)"),
        (lambda: word2vec.spearman(VECTORS, [("a", "b", "7")]), "the score of 'a' and 'b'"),
        (lambda: word2vec.spearman(VECTORS, ["a b"]), r"must be \(word, word, score\)"),
        (lambda: word2vec.most_similar("file.vec", "king"), "must be Vectors"),
        (lambda: word2vec.similarities(VECTORS, "ab"), "must be a list of str"),
    ],
)
def test_other_types_are_named(call, message):
    with pytest.raises(TypeError, match=message):
        call()


def test_scores_that_are_not_finite_are_refused():
    with pytest.raises(ValueError, match="the score of 'a' and 'b' is nan"):
        word2vec.spearman(VECTORS, [("a", "b", float("nan"))])
