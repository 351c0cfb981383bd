"""What `lenet` says about made-up results; test_smoke.py runs it small."""

import numpy as np
import pytest
from sklearn.metrics import confusion_matrix

from experiments.images import lenet
from experiments.lab import run
from jaxnets.data import Dataset


def lenet_result(misread, data="mnist"):
    """Five networks, 1,000 images of each digit, `misread` of each read as the next one."""
    one = (1000 - misread) * np.eye(10, dtype=int) + misread * np.eye(10, k=1, dtype=int)
    one[9, 0] = misread
    return {"confusion": np.stack([one] * 5), "data": np.asarray(data)}


def judge(misread, data="mnist"):
    (row,) = run.claims_of("lenet", lenet_result(misread, data))
    return row


@pytest.mark.parametrize(
    ("misread", "found"),
    [(7, "refuted"), (8, "reproduced"), (11, "reproduced"), (12, "refuted"), (900, "refuted")],
)
def test_lenet_is_near_its_authors_error_or_not(misread, found):
    (part,) = judge(misread)["parts"]
    assert part["estimate"] == pytest.approx(misread / 10)
    assert part["verdict"] == found


def test_other_settings_may_still_be_near():
    assert judge(14)["status"] == "inconclusive"


def test_lenet_needs_mnist():
    row = judge(10, "digits")
    assert (row["status"], row["ours"]) == ("not judged", "needs MNIST")


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
