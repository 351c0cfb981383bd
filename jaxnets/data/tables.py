"""Tables of numbers and words, from CSV files and data frames, as samples and targets.

    table = from_csv("penguins.csv", target="species")
    data = standardise(from_arrays(table.x, table.y, stratify=True))

A column of numbers is one feature. A column of words is as many as it has different words, each 0
or 1. The target is a column too: words and whole numbers are classes unless you say otherwise,
other numbers a regression target. Numbers are single precision where that merges none of them.
"""

import csv
from os import PathLike
from typing import Any, NamedTuple

import numpy as np

from jaxnets.host import checks
from jaxnets.host.paths import as_path

MISSING = {"", "na", "nan", "null", "none", "?"}
"""What stands for a missing value, in lower case."""
PANDAS_NA = "<NA>"
"""How pandas writes its own missing value, which is neither equal to itself nor different."""
MOST_WORDS = 100
"""A column with more different words would be mostly zeros."""


class Table(NamedTuple):
    """Samples and targets, and what the columns mean."""

    x: np.ndarray
    """`[samples, features]`, floats."""
    y: np.ndarray
    """`[samples]` int32 labels, or `[samples, 1]` floats."""
    features: list[str]
    """The names of the features; `island=Dream` is 1 where the column `island` has that word."""
    classes: list[str] | None
    """What the labels stand for; None for a regression target."""


def from_csv(
    path: str | PathLike[str],
    target: str,
    *,
    separator: str = ",",
    classes: bool | None = None,
) -> Table:
    r"""Reads a CSV file with the names of the columns in its first line, as UTF-8.

    Args:
        path: of the file.
        target: the name of the column to predict.
        separator: what separates the columns.
        classes: as in `from_columns`.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: a line with more or fewer columns than names, a missing value, an unknown
            target, or as in `from_columns`; the line is named.

    Example:
        >>> folder = getfixture("tmp_path")
        >>> _ = (folder / "pets.csv").write_text("weight,fur,kind\n4.2,short,cat\n9,long,dog\n")
        >>> table = from_csv(folder / "pets.csv", target="kind")
        >>> table.features, table.classes, table.y.tolist()
        (['weight', 'fur=long', 'fur=short'], ['cat', 'dog'], [0, 1])
    """
    path = as_path(path)
    with path.open(encoding="utf-8-sig", newline="") as file:
        try:
            lines = csv.reader(file, delimiter=separator, strict=True)
            names = [name.strip() for name in next(lines, [])]
            rows, places = [], []
            for row in lines:
                if row:
                    rows.append(row)
                    places.append(lines.line_num)
        except (csv.Error, UnicodeDecodeError) as error:
            raise ValueError(f"{path} cannot be read as CSV: {error}") from error
    _require_names(names, path)
    for row, line in zip(rows, places, strict=True):
        if len(row) != len(names):
            raise ValueError(f"{path}, line {line}: {len(row)} columns, but {len(names)} names")
        missing = [names[i] for i, cell in enumerate(row) if cell.strip().lower() in MISSING]
        if missing:
            raise ValueError(
                f"{path}, line {line}: {missing[0]} is missing; remove the line, or fill it in"
            )
    if not rows:
        raise ValueError(f"{path} has no line below the names of the columns")
    columns = {name: [row[i].strip() for row in rows] for i, name in enumerate(names)}
    return from_columns(columns, target, classes=classes)


def from_columns(columns: Any, target: str, *, classes: bool | None = None) -> Table:
    """Makes samples and targets of columns by name, such as a data frame of pandas or Polars.

    Args:
        columns: names to arrays or lists `[samples]` of numbers, booleans or words.
        target: the name of the column to predict.
        classes: whether the target has classes; by default words and whole numbers are, of which
            there may be 100.

    Raises:
        ValueError: an unknown target, columns of different lengths, a missing value, no feature,
            a target with one class or with too many, or a column with more than 100 different
            words.
        TypeError: values that are neither numbers nor words, or no columns by name.

    Example:
        >>> table = from_columns({"size": [1.0, 2.0], "kind": ["cat", "dog"]}, target="kind")
        >>> table.classes, table.y.tolist()
        (['cat', 'dog'], [0, 1])
    """
    names = getattr(columns, "columns", columns)  # of a data frame
    if isinstance(names, list | tuple) and names is columns:
        raise TypeError(f"columns is a {type(columns).__name__}; it must be names to arrays")
    names = list(names)
    checks.require_known([target], names, "column")
    found = {name: _column(np.asarray(columns[name]), str(name)) for name in names}
    for name, values in found.items():
        checks.require_same_length(found[target], values, (str(target), str(name)))
    goal = found.pop(target)
    if not found:
        raise ValueError(f"there is no column but {target!r}: nothing to predict it from")
    parts = [_features(values, str(name)) for name, values in found.items()]
    x = np.concatenate([part for part, _ in parts], axis=1)
    features = [name for _, names in parts for name in names]
    y, labels = _target(goal, str(target), classes)
    return Table(x, y, features, labels)


def _require_names(names: list[str], path: Any) -> None:
    twice = sorted({name for name in names if names.count(name) > 1})
    if not names or twice or "" in names:
        what = f"the name {twice[0]!r} twice" if twice else "a column without a name"
        raise ValueError(f"{path} has {what if names else 'no line'}: name each column once")


def _column(values: np.ndarray, name: str) -> np.ndarray:
    """Numbers where all values are numbers, else words."""
    if values.ndim != 1:
        raise ValueError(f"{name} has shape {values.shape}; a column has one value a sample")
    if values.dtype.kind in "OUS":
        for i, value in enumerate(values):
            if value is None or str(value) == PANDAS_NA or value != value:
                raise ValueError(f"{name}[{i}] is missing; remove the sample, or fill it in")
        try:
            values = _as_floats(values)
        except (TypeError, ValueError):
            wrong = [v for v in values if not isinstance(v, str | int | float | np.generic)]
            if wrong:
                raise TypeError(
                    f"{name} has a {type(wrong[0]).__name__}; values are numbers or words"
                ) from None
            return np.array([str(value) for value in values])
    if values.dtype.kind not in "fiub":
        raise TypeError(f"{name} has dtype {values.dtype}; values are numbers or words")
    return values


def _as_floats(values: np.ndarray) -> np.ndarray:
    """Reads words as numbers; raises a ValueError for others, and for 18_25, which Python takes."""
    if any("_" in value for value in values if isinstance(value, str)):
        raise ValueError("words")
    return values.astype(np.float64)


def _features(values: np.ndarray, name: str) -> tuple[np.ndarray, list[str]]:
    if values.dtype.kind != "U":
        return checks.as_numbers(values, name, exact=True)[:, None], [name]
    words = np.unique(values)
    if len(words) > MOST_WORDS:
        raise ValueError(
            f"{name} has {len(words)} different words, such as {words[0]!r}: leave it out, or sort "
            f"them into at most {MOST_WORDS}"
        )
    one_hot = (values[:, None] == words[None]).astype(np.float32)
    return one_hot, [f"{name}={word}" for word in words]


def _target(
    values: np.ndarray, name: str, classes: bool | None
) -> tuple[np.ndarray, list[str] | None]:
    words = values.dtype.kind == "U"
    numbers = values if words else checks.as_numbers(values, name, exact=True)
    whole = not words and bool((numbers == np.floor(numbers)).all())
    if words and classes is False:
        raise ValueError(f"{name} has words, such as {values[0]!r}: they can only be classes")
    if not (words or whole if classes is None else classes):
        return numbers[:, None], None
    found, labels = np.unique(values, return_inverse=True)
    if len(found) < 2:
        raise ValueError(f"{name} has one value, {found[0]}: there is nothing to tell apart")
    if classes is None and whole and len(found) > MOST_WORDS:
        raise ValueError(
            f"{name} has {len(found)} different whole numbers: say classes=False to predict a "
            "number, or classes=True to tell so many classes apart"
        )
    return labels.astype(np.int32), [str(int(one) if whole else one) for one in found]
