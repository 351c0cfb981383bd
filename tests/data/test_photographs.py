"""Photographs that come with packages, and patches cut from them."""

import sys

import numpy as np
import pytest
from sklearn.datasets import load_sample_image

from jaxnets.data import photographs


@pytest.mark.parametrize("name", photographs.KNOWN)
def test_every_photograph_is_in_colour_and_large_enough_for_patches(name):
    (picture,) = photographs.load([name])
    assert picture.dtype == np.uint8
    assert picture.shape[2:] == (3,)
    assert min(picture.shape[:2]) >= 300
    assert len(np.unique(picture @ [65536, 256, 1])) > 1000


def test_photographs_come_in_the_requested_order():
    one, other = photographs.load(["flower", "china"])
    np.testing.assert_array_equal(one, load_sample_image("flower.jpg"))
    np.testing.assert_array_equal(other, load_sample_image("china.jpg"))


def test_unknown_photographs_get_the_nearest_name():
    with pytest.raises(ValueError, match="unknown photograph 'flwer'; did you mean 'flower'"):
        photographs.load(["china", "flwer"])


def test_what_to_install_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "skimage", None)
    photographs.load(["china"])
    with pytest.raises(ModuleNotFoundError, match=r"'rocket'.*'jaxnets\[experiments\]'"):
        photographs.load(["rocket"])


def test_sides_are_disjoint_and_lose_no_pixel():
    pixels = np.arange(2 * 3 * 11 * 3).reshape(2, 3, 11, 3)
    left, right = photographs.sides(pixels)
    assert left.shape == (2, 3, 8, 3)
    np.testing.assert_array_equal(np.concatenate([left, right], axis=2), pixels)
    np.testing.assert_array_equal(photographs.sides(pixels[..., 0], 0.5)[0], pixels[:, :, :5, 0])


@pytest.mark.parametrize("share", [0.0, 1.0, 0.05])
def test_a_side_needs_a_column(share):
    with pytest.raises(ValueError, match="each side needs one"):
        photographs.sides(np.zeros((1, 4, 8)), share)


@pytest.mark.parametrize("channels", [(), (3,)])
def test_crops_are_found_where_they_were_cut(channels):
    """All entries of the photographs differ, so that a patch's corner tells where it is from."""
    shape = (2, 7, 9, *channels)
    pixels = np.arange(np.prod(shape)).reshape(shape)
    places = set()
    for patch in photographs.crops(np.random.default_rng(0), pixels, 2000, 4):
        number, row, column, *_ = np.unravel_index(patch.flat[0], shape)
        np.testing.assert_array_equal(patch, pixels[number, row : row + 4, column : column + 4])
        places.add((number, row, column))
    assert len(places) == 2 * (7 - 3) * (9 - 3)


def test_patches_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match="5 x 5 do not fit into 4 x 9"):
        photographs.crops(np.random.default_rng(0), np.zeros((1, 4, 9)), 1, 5)


def test_labels_are_the_photographs_numbers():
    pictures = [np.full((6 + i, 8, 3), i, np.uint8) for i in range(3)]
    part = photographs.labelled_crops(np.random.default_rng(0), pictures, 5, 4)
    assert part["x"].shape == (15, 4, 4, 3)
    assert (part["x"] == part["y"][:, None, None, None]).all()
    np.testing.assert_array_equal(np.bincount(part["y"]), [5, 5, 5])
