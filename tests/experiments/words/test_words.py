"""What the experiments on words say about made-up results."""

import jax
import numpy as np
import pytest
from scipy.stats import spearmanr

from experiments.lab import run
from experiments.lab.config import configure
from experiments.words import word2vec, word2vec_lecture, word_map, word_vectors
from jaxnets.text import tiny_language


def result(share=0.97, worst=0.97, kin=0.97, before=0.0, answers=("switzerland",) * 16, loss=0.5):
    shares = np.full((16, 4), share)
    shares[:, -1], shares[:, 1] = worst, kin
    return {
        "loss": np.linspace(4, loss, 5) + np.arange(16)[:, None] / 1000,
        "share": shares,
        "before": np.full((16, 4), before),
        "answers": np.asarray(answers),
        "frequent": np.asarray(4.5),
        "words": np.asarray(194),
        "contexts": np.asarray(1000),
    }


def verdicts(name, made_up):
    """The verdicts on the parts of every claim, by claim; [] where nothing is judged."""
    rows = run.claims_of(name, made_up)
    return {row["claim"]: [part["verdict"] for part in row["parts"]] for row in rows}


GOOD = {"words_from_words": 1, "solves_analogies": 5, "bern": 1}
MIXED = ("switzerland", "france")
CONTRARY = {
    "no better than frequencies": ({"loss": 4.5}, "words_from_words", 0),
    "a topic unsolved": ({"kin": 0.8}, "solves_analogies", 1),
    "too few in all": ({"worst": 0.9}, "solves_analogies", 3),
    "no better than untrained": ({"before": 0.97}, "solves_analogies", 4),
    "another country": ({"answers": MIXED * 8}, "bern", 0),
}


def test_claims_hold_for_good_numbers():
    found = verdicts("word2vec_lecture", result())
    assert found == {name: ["reproduced"] * parts for name, parts in GOOD.items()}


@pytest.mark.parametrize(("changes", "claim", "part"), CONTRARY.values(), ids=CONTRARY)
def test_a_contrary_number_fails_its_own_part_only(changes, claim, part):
    found = verdicts("word2vec_lecture", result(**changes))
    assert found[claim].pop(part) in ("refuted", "inconclusive")
    assert {verdict for parts in found.values() for verdict in parts} == {"reproduced"}


def test_vectors_of_a_network_that_diverged_say_nothing():
    rows = run.claims_of("word2vec_lecture", result(loss=np.nan))
    assert {row["claim"] for row in rows if row["status"] == "not judged"} == {
        "words_from_words",
        "bern",
    }


def test_the_loss_of_frequencies_is_their_entropy():
    """Of many words seen, of which the one counted more makes no difference."""
    seen = np.repeat([0, 1], [300_000, 100_000])
    entropy = -(0.75 * np.log(0.75) + 0.25 * np.log(0.25))
    y = np.asarray([0, 0, 1, 0])
    np.testing.assert_allclose(word2vec_lecture.frequent_loss(seen, y, 2), entropy, rtol=1e-4)


@pytest.mark.parametrize("among", [1, 4])
def test_an_analogy_is_solved_among_the_best_words(among):
    """Against cosines sorted in full."""
    questions = tiny_language.analogies().values()
    words = sorted({word for rows in questions for four in rows for word in four})
    matrix = np.random.default_rng(0).normal(size=(len(words), 6)).astype(np.float32)
    unit = matrix / np.linalg.norm(matrix, axis=1, keepdims=True)
    solved = []
    for rows in questions:
        for a, b, c, d in rows:
            at = [words.index(word) for word in (a, b, c)]
            scores = unit @ (unit[at[1]] - unit[at[0]] + unit[at[2]])
            scores[at] = -np.inf
            solved.append(words.index(d) in np.argsort(-scores)[:among])
    found = word2vec_lecture.shares(tuple(words), matrix, among)
    np.testing.assert_allclose(found[-1], np.mean(solved))
    assert 0 < found[-1] < 1


def test_a_word_not_seen_before_has_a_loss():
    assert word2vec_lecture.frequent_loss(np.zeros(7, int), np.asarray([2]), 3) == pytest.approx(
        np.log(10)
    )


def test_the_table_names_every_topic():
    table = word2vec_lecture.table(result())
    for name in (*word2vec_lecture.TOPICS, "all"):
        assert f"| {name} |" in table


HUMAN = np.arange(300.0)


def cosines(correlation):
    """Cosines of pairs by eight seeds, of nearly that rank correlation with people's scores."""
    rng = np.random.default_rng(0)
    noise = rng.permutation(300) + rng.normal(size=(8, 300))
    return correlation * HUMAN + np.sqrt(1 - correlation**2) * noise


def vectors_result(
    losses=(3.0, 2.5, 2.0), similar=0.8, answers=("woman", "arm, forearm", "apathy")
):
    seeds = 8
    return {
        "corpus": np.asarray("novels.txt"),
        "size": np.asarray([1000, 50]),
        "loss": np.asarray(losses) + np.arange(seeds)[:, None] / 1000,
        "words_per_second": np.full(seeds, 1e6),
        "peak_bytes": np.asarray(2**30),
        "tests": np.asarray(["WS-353", "SimLex-999"]),
        "spearman": np.asarray([similar, 0.2]) + np.arange(seeds)[:, None] / 1000,
        "human": HUMAN,
        "cosines": cosines(similar),
        "groups": np.asarray(["family", "capitals"]),
        "solved": np.full((seeds, 2), 0.5),
        "asked": np.asarray([10, 30]),
        "answers": np.tile(np.asarray(answers, "U30"), (seeds, 1)),
        "queries": np.asarray(["king"]),
        "neighbours": np.asarray(["queen, prince"]),
    }


OF_VECTORS = {
    "good": ({}, {}),
    "losses rise": ({"losses": (3.0, 3.1, 3.2)}, {"learns": ["refuted"] * 2}),
    "falls too little": ({"losses": (3.0, 2.99, 2.98)}, {"learns": ["reproduced", "refuted"]}),
    "falls and rises": ({"losses": (3.0, 2.1, 2.2)}, {"learns": ["refuted", "reproduced"]}),
    "little correlated": ({"similar": 0.2}, {"agrees_with_people": ["refuted"]}),
    "not the other way": ({"similar": -0.8}, {"agrees_with_people": ["refuted"]}),
    "other answers": (
        {"answers": ("girl, boy", "forearm", "hate")},
        {"king_queen": ["refuted"], "love_indifference": ["refuted"]},
    ),
}


@pytest.mark.parametrize(("changes", "expected"), OF_VECTORS.values(), ids=OF_VECTORS)
def test_claims_about_vectors_hold_for_good_numbers_and_only_for_them(changes, expected):
    found = verdicts("word2vec", vectors_result(**changes))
    failing = {name: parts for name, parts in found.items() if {*parts} != {"reproduced"}}
    assert failing == expected


def judged(made_up):
    return {name for name, parts in verdicts("word2vec", made_up).items() if parts}


def test_what_a_text_cannot_tell_is_not_judged():
    missing = vectors_result(answers=("woman", "", "apathy"))
    assert judged(missing) == judged(vectors_result()) - {"knee_leg"}
    assert judged(missing | {"human": HUMAN[:2]}) == {"learns", "king_queen", "love_indifference"}
    assert judged(vectors_result() | {"corpus": np.asarray("")}) == {"learns"}


def test_the_answer_is_a_word_of_its_own():
    made_up = vectors_result()
    made_up["answers"][1:6, 0] = "girl, womanly"
    (row,) = (r for r in run.claims_of("word2vec", made_up) if r["claim"] == "king_queen")
    assert row["parts"][0]["estimate"] == 3 / 8


def test_spearmans_correlation_is_divided_among_its_pairs():
    rng = np.random.default_rng(1)
    x, y = rng.multivariate_normal([0, 0], [[1, 0.6], [0.6, 1]], 400).T
    y = y.round(1)
    parts = word2vec.influences(x, y)
    assert parts.mean() == pytest.approx(spearmanr(x, y).statistic)
    drawn = rng.integers(0, 400, (1000, 400))
    spread = np.std([spearmanr(x[rows], y[rows]).statistic for rows in drawn])
    assert parts.std() / 20 == pytest.approx(spread, rel=0.15)


def test_the_table_of_vectors_tells_size_speed_and_memory():
    table = word2vec.table(vectors_result())
    assert "1,000 words" in table
    assert "1.00 million words/s, peak memory 1.00 GiB" in table
    assert "| 40 analogies solved | 50.00 ± 0.00 % |" in table


def map_result(together=0.9, within=0.5, corpus="novels.txt"):
    jitter = np.random.default_rng(0).normal(0, 0.03, (8, 60))
    return {
        "corpus": np.asarray(corpus),
        "together": np.tile(np.arange(60) < 60 * together, (8, 1)).astype(float),
        "by_chance": 0.2 + jitter,
        "within": within + jitter,
        "between": 0.1 - jitter,
    }


@pytest.mark.parametrize(
    ("changes", "failing"),
    [
        ({}, set()),
        ({"together": 0.2}, {"kinds_together"}),
        ({"together": 0.4}, {"kinds_together"}),
        ({"within": 0.1}, {"distances_follow"}),
        ({"within": -0.5}, {"distances_follow"}),
        ({"within": 0.15}, {"distances_follow"}),
    ],
)
def test_claims_about_the_map_hold_for_good_numbers_and_only_for_them(changes, failing):
    found = verdicts("word_map", map_result(**changes))
    assert {name for name, parts in found.items() if parts != ["reproduced"]} == failing


def test_the_map_of_a_language_written_for_it_is_not_judged():
    assert not any(verdicts("word_map", map_result(corpus="")).values())


def test_the_nearest_point_is_another_one():
    places = np.asarray([[0.0, 0], [0, 1], [5, 5], [5, 7]])
    for kinds, expected in (("aabb", [1, 1, 1, 1]), ("abab", [0] * 4), ("aabc", [1, 1, 0, 0])):
        np.testing.assert_array_equal(
            word_map.nearest_alike(places, np.asarray([*kinds])), expected
        )


def test_a_word_is_not_its_own_fellow():
    kinds = np.asarray(["a", "a", "b", "b"])
    square = np.eye(4) + 0.1 * np.arange(16).reshape(4, 4)
    within, between = word_map.cosines_by_kind(square, kinds)
    np.testing.assert_allclose(within, [0.1, 0.4, 1.1, 1.4])
    np.testing.assert_allclose(between, [0.25, 0.65, 0.85, 1.25])


def test_a_corpus_of_ones_own(tmp_path, monkeypatch):
    """By a path, cached in `.cache`; the word tests from `$WORDS_DIR`; too few known words."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("WORDS_DIR", str(tmp_path))
    text = "one two three red green blue king queen man woman horse other words between them\n" * 60
    (tmp_path / "text.txt").write_text(text, encoding="utf-8")
    (tmp_path / "EN-WS-353-ALL.txt").write_text("one\ttwo\t9\nred\tking\t1\n", encoding="utf-8")
    (tmp_path / "questions-words.txt").write_text(": f\nking queen man woman\n", encoding="utf-8")
    settings = ["corpus=text.txt", "seeds=2", "epochs=2"]
    for module, name in ((word2vec, "word2vec"), (word_map, "word_map")):
        result = run.perform(name, configure(module.Config(), settings), tmp_path)
        assert result["corpus"] == "text.txt"
    caches = [path.name for path in (tmp_path / ".cache").iterdir()]
    assert len(caches) == 3
    assert "word_vectors" in caches
    assert set(result["kinds"]) == {"numbers", "colours"}
    vectors = run.saved("word2vec", tmp_path)
    assert vectors["spearman"].shape == (2, 1)
    assert vectors["asked"] == [1]
    (tmp_path / "dull.txt").write_text("one two " * 60, encoding="utf-8")
    config = configure(word_map.Config(), ["corpus=dull.txt"])
    with pytest.raises(ValueError, match="fewer than two of numbers, months"):
        word_map.run(config, None)


def test_without_word_tests_there_are_none(monkeypatch, tmp_path):
    monkeypatch.setenv("WORDS_DIR", str(tmp_path))
    assert word_vectors.tests() == ({}, {})


@pytest.fixture
def novel(tmp_path, monkeypatch):
    """A config of a short text in a file, and the vectors trained with it in this folder."""
    monkeypatch.chdir(tmp_path)
    lines = [" ".join(map(str, line)) for line in tiny_language.sentences(300, 0)]
    (tmp_path / "novel.txt").write_text("\n".join(lines))
    return configure(word_vectors.Config(seeds=2, epochs=3), ["corpus=novel.txt"])


def test_the_vectors_of_a_corpus_are_trained_once(novel):
    text, key = word_vectors.read(novel), jax.random.key(1)
    first, again = (word_vectors.learn(novel, key, text) for _ in range(2))
    assert all(np.isfinite(one.words_per_second) for one in first)
    assert all(np.isnan(one.words_per_second) for one in again)
    for one, other in zip(first, again, strict=True):
        np.testing.assert_array_equal(one.vectors.unit, other.vectors.unit)
        np.testing.assert_array_equal(one.loss, other.loss)


def test_vectors_of_other_code_are_trained_again(novel, monkeypatch):
    text, key = word_vectors.read(novel), jax.random.key(1)
    word_vectors.learn(novel, key, text)
    monkeypatch.setattr(word_vectors, "library_digest", lambda name: "other code")
    again = word_vectors.learn(novel, key, text)
    assert all(np.isfinite(one.words_per_second) for one in again)
