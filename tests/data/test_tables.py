"""Tables from CSV and data frames against the csv module, scikit-learn and NumPy; k folds."""

import numpy as np
import pytest
from sklearn.datasets import load_iris
from sklearn.model_selection import StratifiedKFold
from sklearn.preprocessing import OneHotEncoder

from jaxnets.data import folds, from_arrays, from_columns, from_csv, split

RNG = np.random.default_rng(0)
ISLANDS = np.array(["Biscoe", "Dream", "Torgersen"])
COLUMNS = {
    "mass": RNG.normal(size=30),
    "island": ISLANDS[RNG.integers(0, 3, 30)],
    "year": RNG.integers(2007, 2010, 30),
    "sexed": RNG.random(30) < 0.5,
    "species": np.array(["Gentoo", "Adelie"])[RNG.integers(0, 2, 30)],
}


def write(path, columns):
    lines = [",".join(columns)]
    lines += [",".join(map(str, row)) for row in zip(*columns.values(), strict=True)]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def test_words_become_columns_as_scikit_learn_has_them():
    table = from_columns(COLUMNS, "species")
    encoder = OneHotEncoder(sparse_output=False).fit(COLUMNS["island"][:, None])
    ours = table.x[:, [table.features.index(f"island={name}") for name in encoder.categories_[0]]]
    np.testing.assert_array_equal(ours, encoder.transform(COLUMNS["island"][:, None]))
    np.testing.assert_array_equal(table.x[:, 0], COLUMNS["mass"].astype(np.float32))
    assert table.features[-2:] == ["year", "sexed"]
    assert table.classes == ["Adelie", "Gentoo"]
    np.testing.assert_array_equal(np.array(table.classes)[table.y], COLUMNS["species"])


def test_a_file_is_the_table_of_its_columns(tmp_path):
    columns = {name: values for name, values in COLUMNS.items() if name != "sexed"}
    ours, truth = (
        from_csv(write(tmp_path / "a.csv", columns), "species"),
        from_columns(columns, "species"),
    )
    np.testing.assert_allclose(ours.x, truth.x, rtol=1e-6)
    np.testing.assert_array_equal(ours.y, truth.y)
    assert ours[2:] == truth[2:]


def test_a_data_frame_is_read_by_its_columns():
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame(COLUMNS)
    ours, truth = from_columns(frame, "species"), from_columns(COLUMNS, "species")
    np.testing.assert_array_equal(ours.x, truth.x)
    np.testing.assert_array_equal(ours.y, truth.y)


@pytest.mark.parametrize("dtype", ["string", "boolean"])
def test_the_missing_value_of_pandas_is_named(dtype):
    """It is neither equal to itself nor different, which raised a TypeError without a column."""
    pandas = pytest.importorskip("pandas")
    values = {"string": ["a", None], "boolean": [True, None]}[dtype]
    frame = pandas.DataFrame({"a": pandas.array(values, dtype), "y": [0, 1]})
    with pytest.raises(ValueError, match=r"a\[1\] is missing"):
        from_columns(frame, "y")


def test_iris_from_a_file_is_iris(tmp_path):
    iris = load_iris()
    columns = {name: iris.data[:, i] for i, name in enumerate(iris.feature_names)}
    columns |= {"kind": iris.target_names[iris.target]}
    table = from_csv(write(tmp_path / "iris.csv", columns), "kind")
    np.testing.assert_allclose(table.x, iris.data, rtol=1e-6)
    np.testing.assert_array_equal(table.y, iris.target)
    assert table.features == iris.feature_names
    assert table.classes == list(iris.target_names)


@pytest.mark.parametrize(
    ("target", "y", "classes"),
    [
        ([0.5, 1.0, 2.5], [[0.5], [1.0], [2.5]], None),
        ([3, 7, 3], [0, 1, 0], ["3", "7"]),
        ([True, False, True], [1, 0, 1], ["0", "1"]),
        (["b", "a", "b"], [1, 0, 1], ["a", "b"]),
    ],
)
def test_words_and_integers_are_classes_and_other_numbers_targets(target, y, classes):
    table = from_columns({"x": [1.0, 2.0, 3.0], "y": target}, "y")
    np.testing.assert_array_equal(table.y, y)
    assert table.classes == classes


def test_quotes_separators_and_marks_of_the_first_byte(tmp_path):
    path = tmp_path / "a.csv"
    path.write_bytes(b'\xef\xbb\xbfname;n\n"Smith; J";1.5\n"M\xc3\xbcller";2\n\n')
    table = from_csv(path, "n", separator=";")
    assert table.features == ["name=Müller", "name=Smith; J"]
    np.testing.assert_array_equal(table.y, [[1.5], [2.0]])


WRONG = {
    "ragged": ("a,y\n1,2\n3\n", "line 3: 1 columns, but 2 names"),
    "long": ("a,y\n1,2,3\n", "line 2: 3 columns, but 2 names"),
    "missing": ("a,y\n1,2\n NA,1\n", "line 3: a is missing"),
    "empty cell": ("a,y\n1,\n", "line 2: y is missing"),
    "empty": ("", "has no line"),
    "only names": ("a,y\n", "no line below"),
    "twice": ("a,y,a\n1,2,3\n", "the name 'a' twice"),
    "unnamed": (",y\n1,2\n", "a column without a name"),
    "target": ("a,z\n1,2\n", "unknown column 'y'"),
    "alone": ("y\n1\n2\n", "no column but 'y'"),
    "one class": ("a,y\n1,cat\n2,cat\n", "one value, cat"),
    "quote": ('a,y\n"1,2\n', "cannot be read as CSV"),
}


@pytest.mark.parametrize(("text", "message"), WRONG.values(), ids=WRONG)
def test_a_wrong_file_is_named_with_its_line(tmp_path, text, message):
    path = tmp_path / "wrong.csv"
    path.write_text(text)
    with pytest.raises(ValueError, match=message) as raised:
        from_csv(path, "y")
    assert "wrong.csv" in str(raised.value) or "column" in message or "one value" in message


def test_bytes_that_are_no_text_are_named(tmp_path):
    path = tmp_path / "a.csv"
    path.write_bytes(b"a,y\n\xff\xfe,1\n")
    with pytest.raises(ValueError, match=r"a\.csv cannot be read as CSV"):
        from_csv(path, "y")


@pytest.mark.parametrize(
    ("columns", "error", "message"),
    [
        ({"a": [1.0, 2.0], "y": [0]}, ValueError, "y has 1 samples and a has 2"),
        ({"a": [[1.0], [2.0]], "y": [0, 1]}, ValueError, r"a has shape \(2, 1\)"),
        ({"a": [1.0, None], "y": [0, 1]}, ValueError, r"a\[1\] is missing"),
        ({"a": [1.0, np.nan], "y": [0, 1]}, ValueError, "a"),
        ({"a": [{}, {}], "y": [0, 1]}, TypeError, "a has a dict"),
        ({"a": [str(i) + "x" for i in range(101)], "y": range(101)}, ValueError, "101 different"),
        ([1, 2], TypeError, "must be names to arrays"),
    ],
)
def test_wrong_columns_are_named(columns, error, message):
    with pytest.raises(error, match=message):
        from_columns(columns, "y")


def test_numbers_stay_apart():
    """Times of a minute: single precision would merge them."""
    times = 1.7e9 + np.arange(60)
    for column in (times, times.astype(np.int64), [str(t) for t in times]):
        table = from_columns({"t": column, "y": [0, 1] * 30}, "y")
        np.testing.assert_array_equal(table.x[:, 0], times)
    np.testing.assert_array_equal(
        from_columns({"x": [0, 1] * 30, "t": times + 0.5}, "t").y[:, 0], times + 0.5
    )
    assert from_columns(COLUMNS, "species").x.dtype == np.float32


def test_brackets_are_words():
    table = from_columns({"age": ["18_25", "26_35", "18_25"], "y": [0, 1, 0]}, "y")
    assert table.features == ["age=18_25", "age=26_35"]


def test_classes_keep_all_their_digits():
    days = [20240101, 20240102, 20240101]
    assert from_columns({"x": [1, 2, 3], "day": days}, "day").classes == ["20240101", "20240102"]


def test_whole_numbers_are_classes_unless_told_otherwise(tmp_path):
    price = [100.0, 250.0, 320.0]
    columns = {"size": [50, 80, 90], "price": price}
    assert from_columns(columns, "price").classes == ["100", "250", "320"]
    table = from_csv(write(tmp_path / "a.csv", columns), "price", classes=False)
    assert table.classes is None
    np.testing.assert_array_equal(table.y[:, 0], price)
    many = {"size": np.arange(101), "price": np.arange(101)}
    with pytest.raises(
        ValueError, match="price has 101 different whole numbers: say classes=False"
    ):
        from_columns(many, "price")
    assert len(from_columns(many, "price", classes=True).classes) == 101
    assert from_columns({"x": [1, 2], "y": [0.5, 1.5]}, "y", classes=True).classes == ["0.5", "1.5"]
    with pytest.raises(ValueError, match="species has words, such as"):
        from_columns(COLUMNS, "species", classes=False)


Y = RNG.permutation(np.repeat([0, 1, 2], [60, 30, 10])).astype(np.int32)
X = np.arange(100.0)[:, None]


def test_stratified_parts_have_every_class_in_its_share():
    for seed in range(5):
        parts = split(X, Y, (0.5, 0.3, 0.2), seed, stratify=True)
        for part, share in zip(parts, (0.5, 0.3, 0.2), strict=True):
            counts = np.bincount(part["y"], minlength=3)
            assert np.abs(counts - share * np.array([60, 30, 10])).max() <= 1
        rows = np.concatenate([part["x"][:, 0] for part in parts])
        np.testing.assert_array_equal(np.sort(rows), np.arange(100))
        np.testing.assert_array_equal(Y[parts.valid["x"][:, 0].astype(int)], parts.valid["y"])
    other = from_arrays(X, Y, seed=6, stratify=True)
    assert not np.array_equal(other.train["x"], from_arrays(X, Y, seed=7, stratify=True).train["x"])


RARE = {
    "pairs": np.repeat(np.arange(11), [90] + [2] * 10),
    "singles": np.repeat(np.arange(11), [90] + [1] * 10),
    "alike": np.repeat(np.arange(33), 3),
    "any": RNG.integers(0, 40, 300) ** 2 // 60,
}


@pytest.mark.parametrize("y", RARE.values(), ids=RARE)
@pytest.mark.parametrize("shares", [(0.5, 0.3, 0.2), (0.7, 0, 0.3), (0.34, 0.33, 0.33)])
def test_rare_classes_do_not_meet_in_one_part(y, shares):
    parts = split(np.arange(len(y)), y, shares, stratify=True)
    counts = np.array([np.bincount(part["y"], minlength=y.max() + 1) for part in parts if part])
    due = np.outer([len(part["y"]) for part in parts if part], np.bincount(y)) / len(y)
    assert np.abs(counts - due).max() <= 1
    assert counts.sum() == len(y)


@pytest.mark.parametrize("y", RARE.values(), ids=RARE)
def test_rare_classes_do_not_meet_in_one_fold(y):
    held = [
        fold.valid["y"] for fold in folds(np.ones((len(y), 1)), y.astype(int), 5, stratify=True)
    ]
    counts = np.array([np.bincount(part, minlength=y.max() + 1) for part in held])
    assert np.ptp(counts, axis=0).max() <= 1
    assert np.ptp(counts.sum(axis=1)) <= 1


@pytest.mark.parametrize("k", [2, 5, 7])
def test_each_sample_is_held_out_once(k):
    weight = np.arange(1.0, 101)
    held = []
    for fold in folds(X, Y, k, weight=weight, stratify=True):
        rows = fold.valid["x"][:, 0].astype(int)
        np.testing.assert_array_equal(fold.valid["weight"], weight[rows])
        assert not {*rows} & {*fold.train["x"][:, 0].astype(int)}
        assert len(rows) + len(fold.train["x"]) == 100
        held.append(rows)
    np.testing.assert_array_equal(np.sort(np.concatenate(held)), np.arange(100))
    theirs = StratifiedKFold(k, shuffle=True, random_state=0).split(X, Y)
    spread = [np.bincount(Y[rows], minlength=3) for rows in held]
    truth = [np.bincount(Y[rows], minlength=3) for _, rows in theirs]
    assert (np.ptp(spread, axis=0) <= np.maximum(np.ptp(truth, axis=0), 2)).all()


def test_folds_and_strata_that_cannot_be_are_refused():
    with pytest.raises(ValueError, match="k is 1; 100 samples make 2 to 100 folds"):
        list(folds(X, Y, 1))
    with pytest.raises(ValueError, match="k is 101"):
        list(folds(X, Y, 101))
    with pytest.raises(ValueError, match="stratify needs class labels"):
        split(X, X, stratify=True)
