"""What `mnist_cnn` says about made-up results; test_smoke.py runs it small."""

import numpy as np
import pytest

from experiments.images import mnist_cnn

JITTER = np.linspace(-0.0005, 0.0005, 5)


def cnn_result(sgd=0.010, adam=0.007, augmented=0.0045, seconds=5.0, backend="gpu", data="mnist"):
    result = {"backend": np.asarray(backend), "device": np.asarray("X"), "data": np.asarray(data)}
    for kind, error in {"sgd": sgd, "adam": adam, "augmented": augmented}.items():
        result[f"test_{kind}"] = error + JITTER
        result[f"seconds_{kind}"] = seconds + JITTER
        result[f"epochs_{kind}"] = np.asarray(2)
    return result


def statuses(result):
    return [claim.judge(result).status for claim in mnist_cnn.CLAIMS]


def test_every_claim_of_mnist_cnn_holds_for_good_numbers():
    assert statuses(cnn_result()) == ["reproduced"] * 4


CONTRARY = {
    "lecture too bad": ({"sgd": 0.0151}, 0),
    "lecture too good": ({"sgd": 0.0049}, 0),
    "slow": ({"seconds": 10.1}, 1),
    "plain": ({"adam": 0.0081}, 2),
    "augmented": ({"augmented": 0.0051}, 3),
}


@pytest.mark.parametrize(("changes", "failing"), CONTRARY.values(), ids=CONTRARY)
def test_one_contrary_number_fails_its_own_claim_only(changes, failing):
    judged = statuses(cnn_result(**changes))
    assert judged.pop(failing) == "not reproduced"
    assert set(judged) == {"reproduced"}


def test_the_time_on_a_gpu_stays_untested_on_a_cpu():
    result = cnn_result(backend="cpu", seconds=50.0)
    assert statuses(result) == ["reproduced", "not tested", "reproduced", "reproduced"]
    assert "50.0 s" in mnist_cnn.CLAIMS[1].judge(result).ours


def test_the_first_seed_may_compile():
    result = cnn_result()
    result["seconds_sgd"][0] = 100.0
    assert statuses(result)[1] == "reproduced"


def test_digits_leave_every_claim_untested():
    assert statuses(cnn_result(data="digits")) == ["not tested"] * 4
