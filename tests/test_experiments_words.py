"""What `word2vec_lecture` says of made-up results."""

import numpy as np
import pytest

from experiments import word2vec_lecture


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
