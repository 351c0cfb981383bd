"""What the experiments on words say about made-up results."""

import numpy as np
import pytest

from experiments.lab import run
from experiments.lab.config import configure
from experiments.words import word2vec, word2vec_lecture, word_map, word_vectors


def result(share=0.97, worst=0.96, answers=("switzerland",) * 4, loss=0.5):
    shares = np.full((4, 4), share)
    shares[1, -1] = worst
    return {
        "loss": np.linspace(4, loss, 5) + np.arange(4)[:, None] / 1000,
        "share": shares,
        "before": np.zeros((4, 4)),
        "answers": np.asarray(answers),
        "frequent": np.asarray(4.5),
        "words": np.asarray(194),
        "contexts": np.asarray(1000),
    }


@pytest.mark.parametrize(
    ("changes", "wrong"),
    [
        ({}, set()),
        ({"loss": 4.6}, {0}),
        ({"worst": 0.94}, {1}),
        ({"answers": ("switzerland", "switzerland", "france", "switzerland")}, {2}),
    ],
)
def test_claims_hold_for_good_numbers_and_only_for_them(changes, wrong):
    judged = [claim.judge(result(**changes)).status for claim in word2vec_lecture.CLAIMS]
    assert judged == ["not reproduced" if i in wrong else "reproduced" for i in range(3)]


def test_the_loss_of_frequencies_is_their_entropy():
    np.testing.assert_allclose(word2vec_lecture.frequent_loss(np.arange(8)), np.log(8))
    y = np.asarray([0] * 3 + [1])
    want = -(0.75 * np.log(0.75) + 0.25 * np.log(0.25))
    np.testing.assert_allclose(word2vec_lecture.frequent_loss(y), want)


def test_the_table_names_every_topic():
    table = word2vec_lecture.table(result())
    for name in (*word2vec_lecture.TOPICS, "all"):
        assert f"| {name} |" in table


def vectors_result(loss=(3.0, 2.0), similar=0.6, answers=("woman", "arm, forearm", "apathy")):
    seeds = 3
    return {
        "corpus": np.asarray("novels.txt"),
        "size": np.asarray([1000, 50]),
        "loss": np.asarray(loss) + np.arange(seeds)[:, None] / 1000,
        "words_per_second": np.full(seeds, 1e6),
        "peak_bytes": np.asarray(2**30),
        "tests": np.asarray(["WS-353", "SimLex-999"]),
        "spearman": np.asarray([similar, 0.2]) + np.arange(seeds)[:, None] / 1000,
        "groups": np.asarray(["family", "capitals"]),
        "solved": np.full((seeds, 2), 0.5),
        "asked": np.asarray([10, 30]),
        "answers": np.tile(np.asarray(answers, "U30"), (seeds, 1)),
        "queries": np.asarray(["king"]),
        "neighbours": np.asarray(["queen, prince"]),
    }


@pytest.mark.parametrize(
    ("changes", "wrong"),
    [
        ({}, set()),
        ({"loss": (3.0, 3.1)}, {0}),
        ({"similar": 0.4}, {1}),
        ({"answers": ("girl, boy", "forearm", "hate")}, {2, 4}),
    ],
)
def test_claims_about_vectors_hold_for_good_numbers_and_only_for_them(changes, wrong):
    judged = [claim.judge(vectors_result(**changes)).status for claim in word2vec.CLAIMS]
    assert judged == ["not reproduced" if i in wrong else "reproduced" for i in range(5)]


def test_what_a_text_cannot_tell_is_not_judged():
    without = vectors_result(answers=("woman", "", "apathy")) | {"corpus": np.asarray("")}
    judged = [claim.judge(without).status for claim in word2vec.CLAIMS]
    assert judged == ["reproduced", "not tested", "reproduced", "not tested", "reproduced"]


def test_the_answer_counts_in_every_seed_only():
    result = vectors_result()
    result["answers"][1, 0] = "girl, womanly"
    assert word2vec.CLAIMS[2].judge(result).ours == "woman in 2 of 3 seeds; first woman"


def test_the_table_of_vectors_tells_size_speed_and_memory():
    table = word2vec.table(vectors_result())
    assert "1,000 words" in table
    assert "1.00 million words/s, peak memory 1.00 GiB" in table
    assert "| 40 analogies solved | 50.00 ± 0.00 % |" in table


@pytest.mark.parametrize(
    ("together", "within", "status"),
    [
        (0.9, 0.5, ["reproduced", "reproduced"]),
        (0.2, 0.5, ["not reproduced", "reproduced"]),
        (0.9, 0.1, ["reproduced", "not reproduced"]),
    ],
)
def test_claims_about_the_map_hold_for_good_numbers_and_only_for_them(together, within, status):
    jitter = np.asarray([-0.01, 0, 0.01])
    result = {
        "words": np.asarray(["one", "two"]),
        "together": together + jitter,
        "by_chance": 0.2 + jitter,
        "within": within + jitter,
        "between": 0.1 - jitter,
    }
    assert [claim.judge(result).status for claim in word_map.CLAIMS] == status


def test_the_nearest_point_is_another_one():
    places = np.asarray([[0.0, 0], [0, 1], [5, 5], [5, 7]])
    assert word_map.nearest_alike(places, np.asarray(["a", "a", "b", "b"])) == 1
    assert word_map.nearest_alike(places, np.asarray(["a", "b", "a", "b"])) == 0


def test_a_corpus_of_ones_own(tmp_path, monkeypatch):
    """By a path, cached in `.cache`; the word tests from `$WORDS_DIR`; too few known words."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("WORDS_DIR", str(tmp_path))
    text = "one two three red green blue king queen man woman other words between them\n" * 60
    (tmp_path / "text.txt").write_text(text, encoding="utf-8")
    (tmp_path / "EN-WS-353-ALL.txt").write_text("one\ttwo\t9\nred\tking\t1\n", encoding="utf-8")
    (tmp_path / "questions-words.txt").write_text(": f\nking queen man woman\n", encoding="utf-8")
    settings = ["corpus=text.txt", "seeds=2", "epochs=2"]
    for module, name in ((word2vec, "word2vec"), (word_map, "word_map")):
        result = run.perform(name, configure(module.Config(), settings), tmp_path)
        assert result["corpus"] == "text.txt"
    assert len(list((tmp_path / ".cache").iterdir())) == 2
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
