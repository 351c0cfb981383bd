"""Word vectors: slow obvious versions of every answer, and gensim reading and writing our files."""

from itertools import combinations

import numpy as np
import pytest
from scipy import stats

from jaxnets import word2vec
from jaxnets.word2vec.analogies import METHODS

NAMES = ["king", "queen", "man", "woman", "boy", "girl", "café", "don't", "a", "b"]


@pytest.fixture
def vectors():
    matrix = np.random.default_rng(0).standard_normal((len(NAMES), 5)).astype(np.float32)
    return word2vec.Vectors(NAMES, matrix)


@pytest.fixture
def planted():
    """Sums of a role and a sex, where analogies hold exactly."""
    rng = np.random.default_rng(1)
    roles, sexes = rng.standard_normal((3, 8)), rng.standard_normal((2, 8))
    rows = (roles[:, None] + sexes[None]).reshape(6, 8)
    return word2vec.Vectors(NAMES[:6], rows)


def cosine(vectors, one, other):
    a, b = (vectors.matrix[vectors.words.index(w)].astype(float) for w in (one, other))
    return a @ b / np.sqrt(a @ a) / np.sqrt(b @ b)


def test_similarities_are_cosines(vectors):
    want = [[cosine(vectors, a, b) for b in NAMES[:4]] for a in NAMES[:4]]
    np.testing.assert_allclose(word2vec.similarities(vectors, NAMES[:4]), want, atol=1e-6)


def test_most_similar_sorts_all_other_words(vectors):
    found = word2vec.most_similar(vectors, "man", n=100)
    assert {name for name, _ in found} == set(NAMES) - {"man"}
    for name, score in found:
        np.testing.assert_allclose(score, cosine(vectors, "man", name), atol=1e-6)
    scores = [score for _, score in found]
    assert scores == sorted(scores, reverse=True)
    assert word2vec.most_similar(vectors, "man", n=3) == found[:3]


def slow_analogy(vectors, a, b, c, method):
    """The best word and its score, by trying every word."""
    scores = {}
    for x in set(vectors.words) - {a, b, c}:
        to_a, to_b, to_c = (cosine(vectors, x, word) for word in (a, b, c))
        if method == "add":
            scores[x] = to_b - to_a + to_c
        else:
            scores[x] = (1 + to_b) / 2 * (1 + to_c) / 2 / ((1 + to_a) / 2 + 1e-3)
    best = max(scores, key=scores.get)
    return best, scores[best]


@pytest.mark.parametrize("method", METHODS)
def test_analogies_are_those_of_trying_every_word(vectors, method):
    for a, b, c in [NAMES[:3], NAMES[2:5], NAMES[5:8]]:
        ((word, score),) = word2vec.analogy(vectors, a, b, c, method=method)
        best, best_score = slow_analogy(vectors, a, b, c, method)
        assert word == best
        np.testing.assert_allclose(score, best_score, rtol=1e-5)


def test_planted_analogies_are_solved(planted):
    assert word2vec.analogy(planted, "man", "woman", "king")[0][0] == "queen"
    questions = [("man", "woman", "king", "queen"), ("boy", "girl", "man", "woman")]
    wrong = [("man", "woman", "king", "girl")]
    unknown = [("man", "woman", "king", "empress")]
    groups = {"right": questions, "mixed": questions + wrong + unknown, "none": unknown}
    scores = word2vec.analogy_scores(planted, groups)
    assert scores == {"right": (2, 2), "mixed": (2, 3), "none": (0, 0)}
    assert scores["right"].share == 1
    assert np.isnan(scores["none"].share)


def test_scores_are_those_of_single_answers(vectors):
    rng = np.random.default_rng(2)
    questions = [tuple(rng.choice(NAMES, 4, replace=False)) for _ in range(600)]
    for method in METHODS:
        right = sum(
            word2vec.analogy(vectors, *q[:3], method=method)[0][0] == q[3] for q in questions
        )
        assert word2vec.analogy_scores(vectors, {"g": questions}, method)["g"] == (right, 600)
        assert right > 0


def test_spearman_is_the_correlation_of_ranks(vectors):
    rng = np.random.default_rng(3)
    pairs = [(*pair, float(rng.integers(10))) for pair in list(combinations(NAMES, 2))[:30]]
    found, n = word2vec.spearman(vectors, [*pairs, ("king", "emperor", 9.0)])
    assert n == 30
    cosines = [cosine(vectors, a, b) for a, b, _ in pairs]
    ranks = [stats.rankdata(values) for values in (cosines, [score for *_, score in pairs])]
    np.testing.assert_allclose(found, np.corrcoef(ranks)[0, 1], atol=1e-6)
    none, known = word2vec.spearman(vectors, [("king", "emperor", 9.0)])
    assert (np.isnan(none), known) == (True, 0)


@pytest.mark.parametrize("binary", [False, True])
def test_files_keep_every_bit(vectors, tmp_path, binary):
    word2vec.save(tmp_path / "v", vectors, binary)
    found = word2vec.load(tmp_path / "v")
    assert found.words == vectors.words
    np.testing.assert_array_equal(found.matrix, vectors.matrix)
    assert [path.name for path in tmp_path.iterdir()] == ["v"]


@pytest.mark.parametrize("binary", [False, True])
def test_files_go_to_gensim_and_back(vectors, tmp_path, binary):
    keyed = pytest.importorskip("gensim.models").KeyedVectors
    word2vec.save(tmp_path / "ours", vectors, binary)
    theirs = keyed.load_word2vec_format(str(tmp_path / "ours"), binary=binary)
    assert tuple(theirs.index_to_key) == vectors.words
    np.testing.assert_array_equal(theirs.vectors, vectors.matrix)
    theirs.save_word2vec_format(str(tmp_path / "theirs"), binary=binary)
    found = word2vec.load(tmp_path / "theirs")
    assert found.words == vectors.words
    np.testing.assert_array_equal(found.matrix, vectors.matrix)
    for name, score in word2vec.most_similar(vectors, "king", 4):
        np.testing.assert_allclose(theirs.similarity("king", name), score, atol=1e-6)


def test_a_failed_save_leaves_the_old_file(vectors, tmp_path):
    word2vec.save(tmp_path / "v", vectors)
    before = (tmp_path / "v").read_bytes()
    broken = word2vec.Vectors(["a", "\ud800"], np.eye(2))
    with pytest.raises(ValueError, match="half of a surrogate pair"):
        word2vec.save(tmp_path / "v", broken)
    assert (tmp_path / "v").read_bytes() == before
    assert len(list(tmp_path.iterdir())) == 1


@pytest.mark.parametrize("binary", [False, True])
def test_damaged_files_are_refused(vectors, tmp_path, binary):
    path = tmp_path / "v"
    word2vec.save(path, vectors, binary)
    content = path.read_bytes()
    header = content.index(b"\n") + 1
    for n in (header + 3, header + 30, len(content) - 8):
        path.write_bytes(content[:n])
        with pytest.raises(ValueError, match="cut short"):
            word2vec.load(path)
    for n in range(0, header - 3):
        path.write_bytes(content[:n])
        with pytest.raises(ValueError, match=r"not in word2vec's format|cut short"):
            word2vec.load(path)
    path.write_bytes(b"any other text\n" * 3)
    with pytest.raises(ValueError, match="not in word2vec's format"):
        word2vec.load(path)


@pytest.mark.parametrize("binary", [False, True])
def test_files_that_promise_too_much_or_too_little_are_refused(vectors, tmp_path, binary):
    path = tmp_path / "v"
    word2vec.save(path, vectors, binary)
    header, content = path.read_bytes().split(b"\n", 1)
    n, dimensions = header.split()
    for wrong, message in (
        (b"1000000000000 " + dimensions, "too few for 1000000000000 x"),
        (n + b" 4000000000", f"too few for {len(NAMES)} x 4000000000"),
        (b"-1 " + dimensions, "not in word2vec's format"),
        (n + b" 0", "not in word2vec's format"),
        (b"%d %s" % (len(NAMES) - 1, dimensions), "cut short or not in"),
    ):
        path.write_bytes(wrong + b"\n" + content)
        with pytest.raises(ValueError, match=message):
            word2vec.load(path)
    path.write_bytes(header + b"\n" + content + b"garbage")
    with pytest.raises(ValueError, match="cut short or not in"):
        word2vec.load(path)


@pytest.mark.parametrize("number", ["nan", "inf", "1e39", "1e999"])
def test_files_with_a_number_that_is_none_are_refused(tmp_path, number):
    (tmp_path / "v").write_text(f"2 2\na 1 2\nb 3 {number}\n")
    with pytest.raises(ValueError, match=r"v is damaged \(the vector of 'b' is not finite"):
        word2vec.load(tmp_path / "v")


@pytest.mark.parametrize(
    "first", ["AAAA", "nan.", "\x01\x02\x03\x04", " 1e5", "\n\n\n\n", "ééé"[:2]]
)
def test_a_binary_file_is_known_by_its_content(tmp_path, first):
    """Also one whose first numbers look like text; or else it is not saved."""
    matrix = np.frombuffer(first.encode() + b"\0\0\x80\x3f", "<f4").reshape(2, 1)
    vectors = word2vec.Vectors(["a", "b"], matrix)
    if first == " 1e5":
        with pytest.raises(ValueError, match="save them as text"):
            word2vec.save(tmp_path / "v", vectors, binary=True)
        return
    word2vec.save(tmp_path / "v", vectors, binary=True)
    found = word2vec.load(tmp_path / "v")
    assert found.words == ("a", "b")
    np.testing.assert_array_equal(found.matrix, matrix)


@pytest.mark.parametrize("dimensions", [8, 100])
def test_binary_files_of_every_kind_of_numbers_are_known(tmp_path, dimensions):
    """Random bits: no vectors in use are refused."""
    bits = np.random.default_rng(0).integers(0, 2**32, (2000, dimensions), np.uint32)
    rows = bits.view(np.float32)
    rows = rows[np.isfinite(rows).all(1)]
    for row in rows[:300]:
        word2vec.save(tmp_path / "v", word2vec.Vectors(["a"], [row]), binary=True)
        np.testing.assert_array_equal(word2vec.load(tmp_path / "v")["a"], row)


def test_a_text_file_with_odd_characters_is_known_by_its_content(tmp_path):
    (tmp_path / "v").write_bytes(b"2 2\na\x01 1 2\n\x7f\0 3 4\n")
    found = word2vec.load(tmp_path / "v")
    assert found.words == ("a\x01", "\x7f\0")
    np.testing.assert_array_equal(found.matrix, [[1, 2], [3, 4]])


def test_unknown_words_are_answered_with_the_nearest_spellings(vectors):
    for ask in (
        lambda: word2vec.most_similar(vectors, "womann"),
        lambda: word2vec.analogy(vectors, "man", "womann", "king"),
        lambda: word2vec.similarities(vectors, ["man", "womann"]),
    ):
        with pytest.raises(KeyError, match="'womann'; did you mean 'woman'"):
            ask()
    with pytest.raises(KeyError, match="no vector for 'zzzz'"):
        word2vec.most_similar(vectors, "zzzz")


@pytest.mark.parametrize(
    ("names", "matrix", "message"),
    [
        (["a"], np.eye(2), "1 words need"),
        (["a", "b"], np.ones(2), "2 words need"),
        (["a", "a"], np.eye(2), "'a' occurs twice"),
        (["a", "b"], [[1, 2], [3, np.nan]], "'b' is not finite"),
    ],
)
def test_vectors_that_do_not_fit_are_refused(names, matrix, message):
    with pytest.raises(ValueError, match=message):
        word2vec.Vectors(names, matrix)


def test_other_bad_arguments(vectors):
    with pytest.raises(ValueError, match="unknown method 'ad'; did you mean 'add'"):
        word2vec.analogy(vectors, "man", "woman", "king", method="ad")
    with pytest.raises(ValueError, match="n"):
        word2vec.most_similar(vectors, "man", n=0)


def test_question_and_score_files(tmp_path):
    path = tmp_path / "f"
    path.write_text(": capitals\nParis France Bern Switzerland\n\n: kin\nman woman king queen\n")
    assert word2vec.read_analogies(path) == {
        "capitals": [("paris", "france", "bern", "switzerland")],
        "kin": [("man", "woman", "king", "queen")],
    }
    path.write_text(": g\na b c\n")
    with pytest.raises(ValueError, match=r"line 2: expected four words"):
        word2vec.read_analogies(path)
    path.write_text("# remark\nTiger\tcat\t7.35\nbook\tpaper\t7\tmore\n\n")
    assert word2vec.read_similarities(path) == [("tiger", "cat", 7.35), ("book", "paper", 7.0)]
    path.write_text("tiger\tcat\tnan\n")
    with pytest.raises(ValueError, match=r"line 1: expected word, tab, word, tab, number"):
        word2vec.read_similarities(path)
    path.write_bytes("caf\xe9\tcat\t7\n".encode("latin-1"))
    for read in (word2vec.read_similarities, word2vec.read_analogies):
        with pytest.raises(ValueError, match="is not UTF-8"):
            read(path)
    path.write_text("tiger cat 7.35\n")
    with pytest.raises(ValueError, match=r"line 1: expected word, tab"):
        word2vec.read_similarities(path)


def test_words_of_glove_may_have_spaces(tmp_path):
    """Its largest file has a few, such as `. . .`; a number more is still a damaged line."""
    path = tmp_path / "glove.txt"
    path.write_bytes(b"a 1 2\n. . . 3 4\nat name@example.com 5 6\n")
    found = word2vec.load(path)
    assert list(found.words) == ["a", ". . .", "at name@example.com"]
    np.testing.assert_array_equal(found.matrix, [[1, 2], [3, 4], [5, 6]])
    path.write_bytes(b"a 1 2\nb 3 4 5\n")
    with pytest.raises(ValueError, match="line 2: b'b' has 3 of 2 numbers"):
        word2vec.load(path)
