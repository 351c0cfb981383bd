"""A data set as dicts of arrays with one leading axis, and the ways to make one from arrays."""

import difflib
from collections.abc import Mapping, Sequence
from os import PathLike
from typing import Any, NamedTuple

import numpy as np

from jaxnets.data.npz import read_npz
from jaxnets.host import checks

Part = dict[str, Any]
"""`{"x": [samples, ...] floats, "y": [samples] int32 labels or [samples, outputs] floats}`."""

FRACTIONS = (0.6, 0.2, 0.2)


class Dataset(NamedTuple):
    """The three parts of a data set; `valid` and `test` may be absent (None)."""

    train: Part
    valid: Part | None = None
    test: Part | None = None


def split(
    x: np.ndarray, y: np.ndarray, fractions: Sequence[float] = FRACTIONS, seed: int = 0
) -> Dataset:
    """Train, validation and test parts: shuffled, disjoint, and together every sample once.

    Args:
        x: `[samples, ...]`, any dtype; rows are moved, never changed.
        y: `[samples, ...]`.
        fractions: of train, validation and test; they sum to 1. A zero leaves that part out.
        seed: of the permutation, `np.random.default_rng(seed)`.

    Raises:
        ValueError: different lengths, fractions that are no partition, or a part without a sample.
    """
    x, y = np.asarray(x), np.asarray(y)
    checks.require_same_length(x, y)
    edges = np.cumsum(_counts(fractions, len(x)))[:-1]
    rows = np.split(_shuffled(len(x), seed), edges)
    whole = {"x": x, "y": y}
    valid, test = (_take(whole, row) if len(row) else None for row in rows[1:])
    return Dataset(_take(whole, rows[0]), valid, test)


def hold_out(part: Part, n: int, seed: int = 0) -> tuple[Part, Part]:
    """The part without `n` samples chosen at random, and those `n`.

    Raises:
        ValueError: `n` leaves one side empty.
    """
    samples = len(part["x"])
    if not isinstance(n, int | np.integer) or not 0 < n < samples:
        raise ValueError(
            f"cannot hold {n} of {samples} samples out: choose between 1 and {samples - 1}"
        )
    order = _shuffled(samples, seed)
    return _take(part, order[:-n]), _take(part, order[-n:])


def from_arrays(
    x: Any, y: Any, *, fractions: Sequence[float] = FRACTIONS, seed: int = 0
) -> Dataset:
    """A data set from your own arrays, checked, converted and split at random.

    Args:
        x: `[samples, ...]`, floats or uint8 pixels (which become `[0, 1]`).
        y: integers or booleans `[samples]` are class labels and become int32; floats
            `[samples]` or `[samples, outputs]` are regression targets `[samples, outputs]`.
        fractions: of train, validation and test, as in `split`.
        seed: of the permutation.

    Raises:
        TypeError: a dtype that is neither (strings, objects).
        ValueError: wrong shapes, a NaN or infinity, a negative label, or as `split`.
    """
    part = _checked(x, y)
    return split(part["x"], part["y"], fractions, seed)


def from_npz(
    path: str | PathLike[str], *, fractions: Sequence[float] = FRACTIONS, seed: int = 0
) -> Dataset:
    """A data set from a NumPy archive, split at random or as its arrays are named.

    An archive with `x` and `y` is split as by `from_arrays`. One with `x_train`, `y_train`,
    `x_test`, `y_test` and perhaps `x_valid`, `y_valid` is taken as it is (`fractions` and `seed`
    are then unused). Pickled objects are refused.

    Raises:
        FileNotFoundError: no such file.
        ValueError: not an intact archive, a missing array, parts that do not fit each other, or
            as `from_arrays`.
    """
    arrays = read_npz(path)
    if not any(key.endswith(("_train", "_valid", "_test")) for key in arrays):
        _require(arrays, ("x", "y"), path)
        return from_arrays(arrays["x"], arrays["y"], fractions=fractions, seed=seed)
    names = ["train", "test"]
    if "x_valid" in arrays or "y_valid" in arrays:
        names.append("valid")
    _require(arrays, [f"{axis}_{name}" for name in names for axis in "xy"], path)
    train = _checked(arrays["x_train"], arrays["y_train"], "_train")
    rest = {
        name: _alike(_checked(arrays[f"x_{name}"], arrays[f"y_{name}"], f"_{name}"), train, name)
        for name in names[1:]
    }
    return Dataset(train, **rest)


def standardise(dataset: Dataset) -> Dataset:
    """Every feature with mean 0 and deviation 1 on the training part, `(x - mean) / std`.

    The validation and test parts are moved by the training part's mean and scale. A feature that
    is constant in training keeps its scale.
    """
    x = dataset.train["x"]
    mean = x.mean(axis=0, dtype=np.float64)
    std = x.std(axis=0, dtype=np.float64)
    constant = np.ptp(x, axis=0) == 0
    scale = np.where(constant, 1.0, std)

    def moved(part: Part) -> Part:
        return {**part, "x": ((part["x"] - mean) / scale).astype(x.dtype)}

    valid, test = (part and moved(part) for part in dataset[1:])
    return Dataset(moved(dataset.train), valid, test)


def _shuffled(samples: int, seed: int) -> np.ndarray:
    if not isinstance(seed, int | np.integer) or seed < 0:
        raise ValueError(f"seed is {seed!r}; it must be a whole number, 0 or more")
    return np.random.default_rng(seed).permutation(samples)


def _take(part: Part, rows: np.ndarray) -> Part:
    return {key: array[rows] for key, array in part.items()}


def _counts(fractions: Sequence[float], samples: int) -> np.ndarray:
    """Samples of each part; the edges between parts are rounded, so that they sum to all."""
    shares = np.asarray(fractions, dtype=np.float64)
    if shares.shape != (3,) or not (shares >= 0).all() or not np.isclose(shares.sum(), 1):
        raise ValueError(
            f"fractions are {fractions}; expected three for train, validation and test, "
            "none negative, that sum to 1, such as (0.8, 0, 0.2)"
        )
    if shares[0] == 0:
        raise ValueError("the fraction of train is 0: there would be nothing to train on")
    edges = np.rint(np.cumsum(shares) * samples).astype(int)
    counts = np.diff(edges, prepend=0)
    for name, share, count in zip(Dataset._fields, shares, counts, strict=True):
        if share > 0 and count == 0:
            raise ValueError(
                f"{name} would be empty: {share:g} of {samples} samples rounds to 0; "
                "use more samples, or a fraction of 0 to leave that part out"
            )
    return counts


def _checked(x: Any, y: Any, suffix: str = "") -> Part:
    features = checks.as_features(x, f"x{suffix}")
    try:
        y = np.atleast_1d(y)
    except ValueError as error:
        raise ValueError(f"y{suffix} has rows of different shapes: make them one array") from error
    checks.require_same_length(features, y, (f"x{suffix}", f"y{suffix}"))
    if np.issubdtype(y.dtype, np.floating):
        y = y[:, None] if y.ndim == 1 else y
        return {"x": features, "y": checks.as_targets(y, y.shape[-1], f"y{suffix}")}
    if not np.issubdtype(y.dtype, np.integer) and y.dtype != np.bool_:
        raise TypeError(
            f"y{suffix} has dtype {y.dtype}; labels are integers, targets are floats: for names "
            "of classes take the second of np.unique(y, return_inverse=True)"
        )
    return {"x": features, "y": checks.as_labels(y, int(y.max()) + 1, f"y{suffix}")}


def _alike(part: Part, train: Part, name: str) -> Part:
    """The part itself, once its features and targets are known to be of the kind of train's."""
    for axis in "xy":
        there, here = train[axis], part[axis]
        if here.shape[1:] != there.shape[1:] or here.dtype != there.dtype:
            raise ValueError(
                f"{axis}_{name} is {here.dtype} {here.shape}, but {axis}_train is {there.dtype} "
                f"{there.shape}: only the number of samples may differ"
            )
    if train["y"].ndim == 1:
        checks.as_labels(part["y"], int(train["y"].max()) + 1, f"y_{name}")
    return part


def _require(arrays: Mapping[str, Any], keys: Sequence[str], path: str | PathLike[str]) -> None:
    for key in keys:
        if key in arrays:
            continue
        near = difflib.get_close_matches(key, arrays, n=1, cutoff=0.4)
        hint = f"; is {near[0]!r} it?" if near else ""
        raise ValueError(
            f"{path} has no array {key!r}{hint} It has: {', '.join(arrays) or 'none'}. Save x and "
            "y, or x_train, y_train, x_test, y_test and perhaps x_valid, y_valid"
        )
