"""What `mnist_cnn` and `lenet` say about made-up results; test_smoke.py runs them small."""

import numpy as np
import pytest
from sklearn.metrics import confusion_matrix

from experiments.images import lenet, mnist_cnn
from jaxnets.data import Dataset

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


def lenet_result(misread, data="mnist"):
    """Five networks, 1,000 images of each digit, `misread` of each read as the next one."""
    one = (1000 - misread) * np.eye(10, dtype=int) + misread * np.eye(10, k=1, dtype=int)
    one[9, 0] = misread
    return {"confusion": np.stack([one] * 5), "data": np.asarray(data)}


@pytest.mark.parametrize(
    ("misread", "status"),
    [(4, "not reproduced"), (6, "reproduced"), (14, "reproduced"), (16, "not reproduced")],
)
def test_lenet_is_near_its_authors_error_or_not(misread, status):
    (claim,) = lenet.CLAIMS
    assert claim.judge(lenet_result(misread)).status == status
    assert claim.judge(lenet_result(misread, "digits")).status == "not tested"


def test_errors_are_those_of_the_confusions():
    result = lenet_result(20)
    np.testing.assert_allclose(lenet.errors(result), 0.02)
    result["confusion"][0, 3] = [0, 0, 0, 500, 500, 0, 0, 0, 0, 0]
    np.testing.assert_allclose(lenet.class_errors(result)[0, [2, 3]], [0.02, 0.5])


def test_confusions_agree_with_scikit_learn():
    rng = np.random.default_rng(0)
    labels, predicted = rng.integers(0, 10, (2, 300))
    expected = confusion_matrix(labels, predicted, labels=range(10))
    np.testing.assert_array_equal(lenet.confusion(labels, predicted), expected)


def test_most_confused_leaves_out_what_is_read_correctly():
    counts = 900 * np.eye(10, dtype=int)[None].repeat(2, axis=0)
    counts[:, 4, 9] = 3, 9
    counts[:, 7, 2] = 5, 4
    np.testing.assert_array_equal(lenet.most_confused(counts, 2), [[4, 9], [7, 2]])


def test_examples_are_the_images_most_networks_misread():
    labels = np.repeat(np.arange(10), 8)
    x = np.arange(80.0)[:, None, None, None] * np.ones((1, 2, 2, 1))
    predicted = np.tile(labels, (3, 1))
    predicted[:, 35] = 9
    predicted[:2, 33] = 9
    data = Dataset({}, test={"x": x, "y": labels})
    found = lenet.examples(data, predicted)
    assert found["examples"][0, :2, 0, 0].tolist() == [35, 33]
    assert found["votes"][0].tolist() == [3, 2, 0, 0, 0]


def test_a_mosaic_has_a_line_between_its_tiles():
    tiles = np.arange(2 * 3 * 4 * 5.0).reshape(2, 3, 4, 5)
    image = lenet.mosaic(tiles)
    assert image.shape == (9, 17)
    np.testing.assert_array_equal(image[5:, 12:], tiles[1, 2])
    assert np.isnan(image[4]).all()
    assert np.isnan(image[:, [5, 11]]).all()
