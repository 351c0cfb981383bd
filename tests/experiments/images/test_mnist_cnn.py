"""What `mnist_cnn` says about made-up results; test_smoke.py runs it small."""

import numpy as np
import pytest

from experiments.images import mnist_cnn
from experiments.lab import run

JITTER = np.linspace(-0.0005, 0.0005, 5)


def cnn_result(sgd=0.010, adam=0.007, augmented=0.0042, seconds=5.0, backend="gpu", data="mnist"):
    result = {"backend": np.asarray(backend), "device": np.asarray("X"), "data": np.asarray(data)}
    for kind, error in {"sgd": sgd, "adam": adam, "augmented": augmented}.items():
        result[f"test_{kind}"] = error + JITTER
        result[f"seconds_{kind}"] = seconds + JITTER
        result[f"epochs_{kind}"] = np.asarray(10)
    late = np.tile([-0.004, 0.004, 0.002, -0.004, 0.002], (5, 1))
    result["curve_sgd"] = np.hstack([np.full((5, 5), 0.05), sgd + late]) + JITTER[:, None]
    return result


def judge(**changes):
    return {row["claim"]: row for row in run.claims_of("mnist_cnn", cnn_result(**changes))}


def verdicts(**changes):
    return {name: row["parts"][0]["verdict"] for name, row in judge(**changes).items()}


def test_every_claim_of_mnist_cnn_holds_for_good_numbers():
    assert set(verdicts().values()) == {"reproduced"}


CONTRARY = {
    "lecture too bad": ({"sgd": 0.016}, "about_one_percent"),
    "lecture too good": ({"sgd": 0.0045}, "about_one_percent"),
    "slow": ({"seconds": 10.1}, "fast_training"),
    "plain": ({"adam": 0.0086}, "goal_plain"),
    "augmented": ({"augmented": 0.0056}, "goal_augmented"),
}


@pytest.mark.parametrize(("changes", "failing"), CONTRARY.values(), ids=CONTRARY)
def test_one_contrary_number_fails_its_own_claim_only(changes, failing):
    judged = verdicts(**changes)
    assert judged.pop(failing) == "refuted"
    assert set(judged.values()) == {"reproduced"}


def test_a_goal_is_reached_by_more_than_chance():
    assert verdicts(adam=0.0079)["goal_plain"] == "inconclusive"


def test_the_error_of_sgd_is_that_of_its_last_five_epochs():
    (part,) = judge()["about_one_percent"]["parts"]
    assert part["estimate"] == pytest.approx(1.0)


def test_the_time_on_a_gpu_is_not_judged_on_a_cpu():
    row = judge(backend="cpu", seconds=50.0)["fast_training"]
    assert (row["status"], row["ours"]) == ("not judged", "needs a GPU; 50.0 s without")


def test_the_lectures_gpu_is_unknown():
    assert judge()["fast_training"]["status"] == "not comparable"


def test_the_first_seed_may_compile():
    result = cnn_result()
    result["seconds_sgd"][0] = 100.0
    (row,) = (r for r in run.claims_of("mnist_cnn", result) if r["claim"] == "fast_training")
    assert row["parts"][0]["verdict"] == "reproduced"


def test_digits_leave_every_claim_unjudged():
    assert {row["status"] for row in judge(data="digits").values()} == {"not judged"}


def test_the_table_gives_errors_in_percent():
    assert "| Adam to zero, dropout | 10 | 5 ± 0 s | 0.70 ± 0.04 % |" in mnist_cnn.table(
        cnn_result()
    )
