"""Sets by name: scikit-learn's digits, and names that are none."""

import numpy as np
import pytest
from sklearn.datasets import load_digits

from jaxnets import data


def test_digits_are_scikit_learns():
    made = data.load("digits")
    assert [len(part["y"]) for part in made] == [1079, 359, 359]
    x, y = load_digits(return_X_y=True)
    ours = np.concatenate([np.column_stack([part["x"] * 16, part["y"]]) for part in made])
    truth = np.column_stack([x, y])
    np.testing.assert_array_equal(np.unique(ours, axis=0), np.unique(truth, axis=0))
    assert len(ours) == len(truth)
    assert {(part["x"].dtype, part["y"].dtype) for part in made} == {
        (np.dtype(np.float32), np.dtype(np.int32))
    }


def test_digits_test_part_does_not_move():
    one, other = data.load("digits"), data.load("digits", valid=100, flat=False)
    np.testing.assert_array_equal(one.test["x"], other.test["x"].reshape(359, 64))
    assert other.valid["x"].shape == (100, 8, 8, 1)
    assert not np.array_equal(one.test["x"], data.load("digits", seed=1).test["x"])


@pytest.mark.parametrize(
    ("name", "nearest"),
    [("minst", "mnist"), ("fashion-mnist", "fashion_mnist"), ("CIFAR10", "cifar10"), ("", None)],
)
def test_unknown_names_get_the_nearest(tmp_path, name, nearest):
    with pytest.raises(ValueError, match=f"unknown data set '{name}'; .*known: digits") as caught:
        data.load(name, folder=tmp_path)
    assert nearest is None or f"did you mean '{nearest}'?" in str(caught.value)
    assert not list(tmp_path.iterdir())
