"""Data sets from arrays: partitions by counting rows, scaling against scikit-learn."""

import io
import subprocess
import sys
import tracemalloc
import zipfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.preprocessing import StandardScaler

from jaxnets import data
from jaxnets.data.dataset import Dataset
from jaxnets.data.npz import read_npz

ROWS = np.random.default_rng(0).normal(size=(20, 3))
LABELS = np.arange(20) % 4


def same(one: Dataset, other: Dataset) -> bool:
    """Whether two data sets hold the same numbers in the same places."""
    pairs = list(zip(one, other, strict=True))
    return all(
        a is b is None or all(np.array_equal(a[key], b[key]) for key in ("x", "y"))
        for a, b in pairs
        if (a is None) == (b is None)
    ) and all((a is None) == (b is None) for a, b in pairs)


@settings(max_examples=60, deadline=None)
@given(
    n=st.integers(10, 300),
    weights=st.tuples(st.integers(1, 9), st.integers(0, 9), st.integers(0, 9)),
    seed=st.integers(0, 2**31),
)
def test_split_is_a_partition(n, weights, seed):
    fractions = np.array(weights) / sum(weights)
    too_small = [share for share in fractions if 0 < share * n < 1]
    if too_small:
        return
    x = np.arange(n)[:, None] * 10
    parts = data.split(x, np.arange(n), tuple(fractions), seed)
    rows = [np.empty(0, int) if part is None else part["y"] for part in parts]
    np.testing.assert_array_equal(np.sort(np.concatenate(rows)), np.arange(n))
    assert np.abs(np.array([len(row) for row in rows]) - fractions * n).max() <= 1
    for part, share in zip(parts, fractions, strict=True):
        assert (part is None) == (share == 0)
        if part is not None:
            np.testing.assert_array_equal(part["x"][:, 0], part["y"] * 10)


def test_split_follows_its_seed():
    x, y = np.arange(50)[:, None], np.arange(50)
    first = data.split(x, y, seed=3)
    assert same(first, data.split(x, y, seed=3))
    assert not same(first, data.split(x, y, seed=4))
    assert not np.array_equal(first.train["y"], np.sort(first.train["y"]))
    assert [len(part["y"]) for part in first] == [30, 10, 10]


@pytest.mark.parametrize(
    ("n", "fractions", "message"),
    [
        (20, (0.5, 0.5), "expected three"),
        (20, (0.5, 0.3, 0.1), "sum to 1"),
        (20, (1.2, -0.2, 0.0), "none negative"),
        (20, (0.0, 0.5, 0.5), "nothing to train on"),
        (20, (np.nan, 0.5, 0.5), "expected three"),
        (3, (0.6, 0.2, 0.2), "valid would be empty: 0.2 of 3 samples"),
    ],
)
def test_fractions_that_are_not_a_partition(n, fractions, message):
    with pytest.raises(ValueError, match=message):
        data.split(np.zeros((n, 1)), np.zeros(n), fractions)


def test_split_needs_as_many_targets_as_rows():
    with pytest.raises(ValueError, match="x has 20 samples and y has 19"):
        data.split(ROWS, LABELS[:-1])


def test_hold_out_moves_rows_without_loss():
    part = {"x": ROWS, "y": np.arange(20)}
    rest, taken = data.hold_out(part, 5, seed=1)
    assert len(taken["y"]) == 5
    assert sorted([*rest["y"], *taken["y"]]) == list(range(20))
    np.testing.assert_array_equal(taken["x"], ROWS[taken["y"]])
    assert not np.array_equal(taken["y"], data.hold_out(part, 5, seed=2)[1]["y"])


@pytest.mark.parametrize("n", [-1, 0, 20])
def test_hold_out_leaves_both_sides_something(n):
    with pytest.raises(ValueError, match=f"cannot hold out {n} of 20 samples"):
        data.hold_out({"x": ROWS, "y": LABELS}, n)


@pytest.mark.parametrize(
    ("y", "dtype", "shape"),
    [
        (LABELS, np.int32, ()),
        (LABELS.astype(np.uint8), np.int32, ()),
        (LABELS > 1, np.int32, ()),
        (ROWS[:, 0], np.float32, (1,)),
        (ROWS[:, :2].astype(np.float16), np.float32, (2,)),
    ],
)
def test_targets_keep_their_kind(y, dtype, shape):
    made = data.from_arrays(ROWS, y, fractions=(1, 0, 0), seed=0)
    order = np.random.default_rng(0).permutation(20)
    assert made.train["x"].dtype == np.float32
    assert made.train["y"].dtype == dtype
    assert made.train["y"].shape == (20, *shape)
    np.testing.assert_allclose(made.train["x"], ROWS[order], rtol=1e-6)
    np.testing.assert_allclose(made.train["y"], y[order].reshape(20, *shape), rtol=1e-6)


def test_pixels_become_unit_floats():
    pixels = np.arange(0, 200, dtype=np.uint8).reshape(20, 10)
    made = data.from_arrays(pixels, LABELS)
    together = np.concatenate([part["x"] for part in made])
    np.testing.assert_allclose(np.sort(together.ravel()), np.arange(200) / 255, rtol=1e-6)


@pytest.mark.parametrize(
    ("x", "y", "error", "message"),
    [
        (ROWS, LABELS[:5], ValueError, "x has 20 samples and y has 5"),
        (ROWS, 1, ValueError, "x has 20 samples and y has 1"),
        (ROWS, np.array(["cat", "dog"] * 10), TypeError, "np.unique"),
        (ROWS, LABELS - 1, ValueError, r"y\[0\] is -1"),
        (ROWS, LABELS[:, None], ValueError, "ravel"),
        (ROWS, np.full(20, np.nan), ValueError, "nan at row 0"),
        (np.insert(ROWS[1:], 7, np.inf, axis=0), LABELS, ValueError, "row 7, column 0"),
        (ROWS.astype(int), LABELS, TypeError, "x has dtype int64"),
        (ROWS[:, 0], LABELS, ValueError, "reshape"),
    ],
)
def test_wrong_arrays_are_named(x, y, error, message):
    with pytest.raises(error, match=message):
        data.from_arrays(x, y)


def test_npz_with_one_table_is_split(tmp_path):
    np.savez(tmp_path / "own.npz", x=ROWS, y=LABELS)
    made = data.from_npz(tmp_path / "own.npz", fractions=(0.5, 0, 0.5), seed=7)
    assert same(made, data.from_arrays(ROWS, LABELS, fractions=(0.5, 0, 0.5), seed=7))
    assert made.valid is None


PARTS = {"x_train": ROWS, "y_train": LABELS, "x_test": ROWS[:5], "y_test": LABELS[:5]}


@pytest.mark.parametrize("valid", [{}, {"x_valid": ROWS[5:8], "y_valid": LABELS[5:8]}])
def test_npz_with_parts_keeps_them(tmp_path, valid):
    np.savez_compressed(tmp_path / "own.npz", **PARTS, **valid)
    made = data.from_npz(str(tmp_path / "own.npz"))
    np.testing.assert_allclose(made.train["x"], ROWS, rtol=1e-6)
    np.testing.assert_array_equal(made.test["y"], LABELS[:5])
    assert (made.valid is None) == (not valid)
    if valid:
        np.testing.assert_array_equal(made.valid["y"], LABELS[5:8])


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"x": ROWS, "labels": LABELS}, "no array 'y'.*it has: x, labels"),
        ({"x_train": ROWS, "y_train": LABELS}, "no array 'x_test'; did you mean 'x_train'"),
        ({**PARTS, "x_valid": ROWS}, "no array 'y_valid'"),
        ({**PARTS, "x_test": ROWS[:5, :2]}, r"x_test is float32 \(5, 2\), but x_train"),
        ({**PARTS, "y_test": ROWS[:5, 0]}, "y_test is float32"),
        ({**PARTS, "y_test": LABELS[:5] + 1}, r"y_test\[3\] is 4, but 4 classes"),
        ({**PARTS, "y_test": LABELS[:4]}, "x_test has 5 samples and y_test has 4"),
        ({"x": ROWS, "y": np.array([{}] * 20)}, "allow_pickle=False; save arrays of numbers"),
    ],
)
def test_npz_that_does_not_fit(tmp_path, arrays, message):
    np.savez(tmp_path / "own.npz", **arrays)
    with pytest.raises(ValueError, match=message):
        data.from_npz(tmp_path / "own.npz")


def test_missing_npz_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"own\.npz not found; write it with np.savez"):
        data.from_npz(tmp_path / "own.npz")


@pytest.mark.parametrize("length", [0, 10, 0.5, 0.99])
def test_npz_cut_short(tmp_path, length):
    file = tmp_path / "own.npz"
    np.savez(file, x=ROWS, y=LABELS)
    content = file.read_bytes()
    file.write_bytes(content[: length if isinstance(length, int) else int(length * len(content))])
    with pytest.raises(ValueError, match=r"own\.npz \(\d+ bytes\) is not an intact"):
        data.from_npz(file)


def test_npz_with_a_changed_byte(tmp_path):
    file = tmp_path / "own.npz"
    np.savez(file, x=ROWS, y=LABELS)
    content = bytearray(file.read_bytes())
    content[content.index(ROWS.tobytes()) + 3] ^= 1
    file.write_bytes(content)
    with pytest.raises(ValueError, match=r"is damaged .*CRC"):
        data.from_npz(file)


def member(shape, content, dtype="<f8"):
    """An archive's member: NumPy's header for that shape, then any content."""
    head = io.BytesIO()
    description = {"descr": dtype, "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(head, description)
    return head.getvalue() + content


@pytest.mark.parametrize(
    ("shape", "content"),
    [
        ((3,), bytes(2**27)),
        ((2**40,), bytes(2**20)),
        ((2**60, 2**60), bytes(64)),
        ((2,), bytes(8)),
        ((-1,), bytes(8)),
    ],
)
def test_an_npz_whose_header_and_content_differ_is_not_unpacked(tmp_path, shape, content):
    file = tmp_path / "own.npz"
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("x.npy", member(shape, content))
    tracemalloc.start()
    with pytest.raises(ValueError, match=r"own\.npz is damaged .*promises -?\d+ bytes, it has"):
        read_npz(file)
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert most < 2**22


def test_an_npz_that_claims_more_than_it_can_hold_is_not_unpacked(tmp_path):
    file = tmp_path / "own.npz"
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("x.npy", member((8,), bytes(64)))
    content = bytearray(file.read_bytes())
    at = content.index(b"PK\1\2") + 24
    content[at : at + 4] = (2**31).to_bytes(4, "little")
    file.write_bytes(content)
    with pytest.raises(ValueError, match=r"would be 2147483648 bytes, which \d+ of this file's"):
        read_npz(file)


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_npz_arrays_of_every_kind_come_back(tmp_path, save):
    arrays = {
        "columns": np.asfortranarray(ROWS),
        "empty": np.zeros((0, 3)),
        "scalar": np.float16(2),
        "big-endian": ROWS.astype(">f4"),
        "text": np.array(["a", "longer"]),
    }
    save(tmp_path / "own.npz", **arrays)
    found = read_npz(tmp_path / "own.npz")
    assert set(found) == set(arrays)
    for name, array in arrays.items():
        np.testing.assert_array_equal(found[name], array, strict=True)


def test_standardise_is_scikit_learns():
    x = (ROWS * [1, 5, 0.1] + [0, 1e4, -3]).astype(np.float32)
    x[:, 2] = 0.1
    made = data.from_arrays(x, LABELS)
    moved = data.standardise(made)
    scaler = StandardScaler().fit(made.train["x"].astype(np.float64))
    for before, after in zip(made, moved, strict=True):
        truth = scaler.transform(before["x"].astype(np.float64))
        np.testing.assert_allclose(after["x"], truth, atol=1e-5)
        assert after["x"].dtype == np.float32
        np.testing.assert_array_equal(after["y"], before["y"])
    assert np.abs(moved.train["x"].mean(0)).max() < 1e-5


def test_standardise_without_other_parts():
    moved = data.standardise(data.from_arrays(ROWS, LABELS, fractions=(1, 0, 0)))
    assert moved.valid is moved.test is None


def test_importing_data_loads_nothing_heavy():
    heavy = ("tensorflow", "tensorflow_datasets", "sklearn", "matplotlib", "requests")
    code = f"import sys, jaxnets.data; print([m for m in {heavy} if m in sys.modules])"
    root = Path(__file__).parents[2]
    found = subprocess.run(
        [sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=True
    )
    assert found.stdout.strip() == "[]"


@pytest.mark.parametrize(
    "weights", [{False: 1.0, True: 5.0}, {0: 1.0, 1: 5.0}, {0.0: 1.0, 1.0: 5.0}, {np.True_: 5}]
)
@pytest.mark.parametrize("y", [[True, False, False], [1, 0, 0]])
def test_weights_by_class_take_any_form_of_a_label(y, weights):
    """Truth values chose all rows of the table, or none."""
    assert data.class_weights(np.array(y), weights).tolist() == [5, 1, 1]
