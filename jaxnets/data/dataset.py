"""Data sets as dicts of arrays with a common leading axis, and ways to make them from arrays."""

import difflib
from collections.abc import Iterator, Sequence
from os import PathLike
from typing import Any, NamedTuple

import jax
import numpy as np

from jaxnets.data.npz import array_names, read_npz
from jaxnets.host import checks

Part = dict[str, Any]
"""`{"x": [samples, ...] floats, "y": [samples] int32 labels or [samples, outputs] floats}`, and
perhaps `"weight": [samples]` floats, by which the samples count."""

FRACTIONS = (0.6, 0.2, 0.2)


class Dataset(NamedTuple):
    """Holds the three parts of a data set; `valid` and `test` may be None.

    Example:
        >>> import numpy as np
        >>> part = {"x": np.zeros((4, 2)), "y": np.zeros(4, int)}
        >>> Dataset(part).valid is None
        True
    """

    train: Part
    valid: Part | None = None
    test: Part | None = None


def split(
    x: Any,
    y: Any,
    fractions: Sequence[float] = FRACTIONS,
    seed: int = 0,
    *,
    weight: Any = None,
    stratify: bool = False,
) -> Dataset:
    """Shuffles samples and splits them into train, validation and test, each sample in one part.

    Args:
        x: `[samples, ...]`, any dtype; rows are taken by position and never changed.
        y: `[samples, ...]`, likewise.
        fractions: of train, validation and test; they sum to 1. A zero leaves that part out.
        seed: of the permutation, `np.random.default_rng(seed)`.
        weight: of the samples, `[samples]`; None if all count alike.
        stratify: whether every part has each class in the same share, to one sample, for labels.

    Raises:
        ValueError: different lengths, masked entries, fractions that do not sum to 1, or a part
            without a sample.
        TypeError: not an array.

    Example:
        >>> import numpy as np
        >>> data = split(np.arange(10), np.arange(10), fractions=(0.8, 0.2, 0))
        >>> len(data.train["x"]), len(data.valid["x"]), data.test
        (8, 2, None)
    """
    samples = {"x": checks.as_rows(x, "x"), "y": checks.as_rows(y, "y")}
    if weight is not None:
        samples["weight"] = checks.as_weights(weight, "weight")
    for name, array in samples.items():
        checks.require_same_length(samples["x"], array, ("x", name))
    counts = _counts(fractions, len(samples["x"]))
    rows = _cut(samples["y"], counts, seed, stratify)
    valid, test = (_take(samples, row) if len(row) else None for row in rows[1:])
    return Dataset(_take(samples, rows[0]), valid, test)


def hold_out(part: Part, n: int, seed: int = 0) -> tuple[Part, Part]:
    """Splits a part at random into all but `n` samples, and those `n`, by position.

    Raises:
        ValueError: `n` leaves one side empty, different lengths, or masked entries.
        TypeError: not a part, or not arrays.

    Example:
        >>> import numpy as np
        >>> rest, held = hold_out({"x": np.arange(10), "y": np.arange(10)}, 3)
        >>> len(rest["y"]), len(held["y"])
        (7, 3)
    """
    checks.require_part(part, "part")
    part = {name: checks.as_rows(array, name) for name, array in part.items()}
    for name, array in part.items():
        checks.require_same_length(part["x"], array, ("x", name))
    samples = len(part["x"])
    if not isinstance(n, int | np.integer) or not 0 < n < samples:
        raise ValueError(
            f"cannot hold out {n} of {samples} samples: choose between 1 and {samples - 1}"
        )
    order = _permutation(samples, seed)
    return _take(part, order[:-n]), _take(part, order[-n:])


def from_arrays(
    x: Any,
    y: Any,
    *,
    fractions: Sequence[float] = FRACTIONS,
    seed: int = 0,
    weight: Any = None,
    stratify: bool = False,
) -> Dataset:
    """Makes a data set from your own arrays: checked, converted and split at random.

    Args:
        x: `[samples, ...]`, floats or uint8 pixels (which become `[0, 1]`). They become single
            precision, except where that would merge values which `standardise` can still tell
            apart, such as time stamps.
        y: integers or booleans `[samples]` are class labels and become int32; floats
            `[samples]` or `[samples, outputs]` are regression targets `[samples, outputs]`.
        fractions: of train, validation and test, as in `split`.
        seed: of the permutation.
        weight: of the samples, `[samples]`, such as `class_weights(y)`; none negative.
        stratify: as in `split`.

    Raises:
        TypeError: another dtype (strings, objects).
        ValueError: wrong shapes, a NaN or infinity, a negative label, or as in `split`.

    Example:
        >>> import numpy as np
        >>> data = from_arrays(np.random.rand(100, 3), np.arange(100) % 2, stratify=True)
        >>> data.train["x"].shape, float(data.train["y"].mean())
        ((60, 3), 0.5)
    """
    part = _as_part(x, y)
    return split(part["x"], part["y"], fractions, seed, weight=weight, stratify=stratify)


def folds(
    x: Any, y: Any, k: int = 5, seed: int = 0, *, weight: Any = None, stratify: bool = False
) -> Iterator[Dataset]:
    """Yields k data sets for cross-validation (Stone, 1974): each sample is once in `valid`.

    Args:
        x: as in `from_arrays`.
        y: likewise.
        k: how many, 2 or more.
        seed: of the permutation.
        weight: as in `from_arrays`.
        stratify: as in `split`.

    Raises:
        ValueError: k below 2 or above the number of samples, or as in `from_arrays`.
        TypeError: as in `from_arrays`.

    Example:
        >>> import numpy as np
        >>> from jaxnets.data import folds
        >>> [len(d.valid["x"]) for d in folds(np.ones((7, 1)), np.ones((7, 1)), k=3)]
        [3, 2, 2]
    """
    part = _as_part(x, y)
    if weight is not None:
        part["weight"] = checks.as_weights(weight, "weight")
        checks.require_same_length(part["x"], part["weight"], ("x", "weight"))
    checks.require_count(k, "k")
    if not 2 <= k <= len(part["x"]):
        raise ValueError(f"k is {k}; {len(part['x'])} samples make 2 to {len(part['x'])} folds")
    rows = np.arange(len(part["x"]))
    counts = np.array([len(some) for some in np.array_split(rows, k)])
    for held in _cut(part["y"], counts, seed, stratify):
        yield Dataset(_take(part, np.setdiff1d(rows, held)), _take(part, held))


def from_npz(
    path: str | PathLike[str], *, fractions: Sequence[float] = FRACTIONS, seed: int = 0
) -> Dataset:
    """Reads a data set from a NumPy archive, split at random or by the names of its arrays.

    An archive with `x` and `y` is split as by `from_arrays`. One with `x_train`, `y_train`,
    `x_test`, `y_test` and optionally `x_valid`, `y_valid` keeps these parts (`fractions` and
    `seed` are then unused). Other members are never read, and pickled objects are refused.

    Raises:
        FileNotFoundError: no such file.
        ValueError: not an intact archive, a missing array, parts that do not fit each other, or
            as in `from_arrays`.

    Example:
        >>> import tempfile, numpy as np
        >>> path = tempfile.mkdtemp() + "/data.npz"
        >>> np.savez(path, x=np.zeros((10, 2)), y=np.zeros((10, 1)))
        >>> from_npz(path).train["x"].shape
        (6, 2)
    """
    found = array_names(path)
    names = _part_names(found)
    wanted = [f"{axis}_{name}" for name in names for axis in "xy"] or ["x", "y"]
    _require_arrays(found, wanted, path)
    arrays = read_npz(path, wanted)
    if not names:
        return from_arrays(arrays["x"], arrays["y"], fractions=fractions, seed=seed)
    parts = {name: _as_part(arrays[f"x_{name}"], arrays[f"y_{name}"], f"_{name}") for name in names}
    exact = np.result_type(*(part["x"].dtype for part in parts.values()))
    parts = {name: part | {"x": part["x"].astype(exact)} for name, part in parts.items()}
    for name in names[1:]:
        _require_alike(parts[name], parts["train"], name)
    return Dataset(**parts)


def _part_names(found: Sequence[str]) -> list[str]:
    """Names the parts that an archive with these arrays should have; none if it is one table."""
    present = [name for name in Dataset._fields if {f"x_{name}", f"y_{name}"} & set(found)]
    if not present:
        return []
    return ["train", "test", "valid"] if "valid" in present else ["train", "test"]


def standardise(dataset: Dataset) -> Dataset:
    """Scales every feature to mean 0 and deviation 1 on the training part, `(x - mean) / std`.

    The validation and test parts use the mean and scale of the training part. A feature that is
    constant in training keeps its scale. Means are subtracted in double precision; floats keep
    their type, integers become floats of JAX's default precision.

    Raises:
        ValueError: a NaN or infinity, masked entries, or parts with different features.
        TypeError: not numbers.

    Example:
        >>> import numpy as np
        >>> x = np.array([[1.0], [3.0]])
        >>> standardise(Dataset({"x": x, "y": x})).train["x"].tolist()
        [[-1.0], [1.0]]
    """
    parts = {name: part for name, part in dataset._asdict().items() if part is not None}
    given = {name: _as_numbers(part, name) for name, part in parts.items()}
    x = given["train"]
    for name, other in given.items():
        if other.shape[1:] != x.shape[1:]:
            raise ValueError(f"{name} samples have shape {other.shape[1:]}, train {x.shape[1:]}")
    dtype = x.dtype if checks.is_float(x.dtype) else jax.dtypes.canonicalize_dtype(np.float64)
    exact = x.astype(np.float64)
    unit = np.frexp(np.abs(exact).max(axis=0))[1]  # a power of 2, so that no square overflows
    exact = np.ldexp(exact, -unit)
    mean, constant = exact.mean(axis=0), np.ptp(exact, axis=0) == 0
    scale = np.where(constant, np.ldexp(1.0, -unit), exact.std(axis=0))

    def rescale(name: str) -> Part:
        centred = np.ldexp(given[name].astype(np.float64), -unit) - mean
        y = checks.as_rows(parts[name]["y"], f"{name} y")
        return {**parts[name], "x": (centred / scale).astype(dtype), "y": y}

    return Dataset(**{name: rescale(name) for name in parts})


def _as_numbers(part: Part, name: str) -> np.ndarray:
    """Returns the samples of a part, of any type of numbers."""
    checks.require_part(part, name)
    x = checks.as_rows(part["x"], f"{name} x")
    y = checks.as_rows(part["y"], f"{name} y")
    checks.require_same_length(x, y, (f"{name} x", f"{name} y"))
    return checks.as_finite(x, f"{name} x")


def _permutation(samples: int, seed: int) -> np.ndarray:
    if not isinstance(seed, int | np.integer) or seed < 0:
        raise ValueError(f"seed is {seed!r}; it must be an integer, 0 or more")
    return np.random.default_rng(seed).permutation(samples)


def _cut(y: np.ndarray, counts: np.ndarray, seed: int, stratify: bool) -> list[np.ndarray]:
    """Shuffles the rows and cuts them into parts of so many, with all classes in each if asked."""
    order = _permutation(len(y), seed)
    if not stratify:
        return np.split(order, np.cumsum(counts)[:-1])
    if y.ndim != 1 or not checks.is_integer(y.dtype):
        raise ValueError(f"stratify needs class labels [samples]; y is {y.dtype} {y.shape}")
    labels, sizes = np.unique(y, return_counts=True)
    part = np.empty(len(y), int)
    for label, share in zip(labels, _shares(sizes, counts), strict=True):
        part[y[order] == label] = np.repeat(np.arange(len(counts)), share)
    return [order[part == i] for i in range(len(counts))]


def _shares(sizes: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """Rounds `sizes counts^T / samples` up or down, so that rows and columns keep their sums.

    What rounding down leaves of a class goes to the parts that still lack most (Gale, 1957).
    """
    shares = sizes[:, None] * counts[None] // counts.sum()
    missing = counts - shares.sum(axis=0)
    for share, left in zip(shares, sizes - shares.sum(axis=1), strict=True):
        parts = np.argsort(-missing, kind="stable")[:left]
        share[parts] += 1
        missing[parts] -= 1
    return shares


def _take(part: Part, rows: np.ndarray) -> Part:
    return {key: array[rows] for key, array in part.items()}


def _counts(fractions: Sequence[float], samples: int) -> np.ndarray:
    """Counts the samples of each part; rounds the edges between parts, so that none is lost."""
    shares = np.asarray(fractions, dtype=np.float64)
    if shares.shape != (3,) or not (shares >= 0).all() or not np.isclose(shares.sum(), 1):
        raise ValueError(
            f"fractions are {fractions}; expected three, for train, validation and test, "
            "none negative, that sum to 1, such as (0.8, 0, 0.2)"
        )
    if shares[0] == 0:
        raise ValueError("the train fraction is 0: there would be nothing to train on")
    edges = np.rint(np.cumsum(shares) * samples).astype(int)
    counts = np.diff(edges, prepend=0)
    for name, share, count in zip(Dataset._fields, shares, counts, strict=True):
        if share > 0 and count == 0:
            raise ValueError(
                f"{name} would be empty: {share:g} of {samples} samples rounds to 0; "
                "use more samples, or a fraction of 0 to leave that part out"
            )
    return counts


def _as_part(x: Any, y: Any, suffix: str = "") -> Part:
    features = checks.as_features(x, f"x{suffix}", exact=True)
    y = np.atleast_1d(checks.as_numpy(y, f"y{suffix}"))
    checks.require_same_length(features, y, (f"x{suffix}", f"y{suffix}"))
    if checks.is_float(y.dtype):
        y = y[:, None] if y.ndim == 1 else y
        return {"x": features, "y": checks.as_targets(y, y.shape[-1], f"y{suffix}")}
    if not checks.is_integer(y.dtype):
        raise TypeError(
            f"y{suffix} has dtype {y.dtype}; labels are integers, targets are floats: turn names "
            "of classes into labels with np.unique(y, return_inverse=True)[1]"
        )
    return {"x": features, "y": checks.as_labels(y, int(y.max()) + 1, f"y{suffix}")}


def _require_alike(part: Part, train: Part, name: str) -> None:
    """Raises a ValueError unless features and targets are of the same kind as in `train`."""
    for axis in "xy":
        there, here = train[axis], part[axis]
        if here.shape[1:] != there.shape[1:] or here.dtype != there.dtype:
            raise ValueError(
                f"{axis}_{name} is {here.dtype} {here.shape}, but {axis}_train is {there.dtype} "
                f"{there.shape}: only the number of samples may differ"
            )
    if train["y"].ndim == 1:
        checks.as_labels(part["y"], int(train["y"].max()) + 1, f"y_{name}")


def _require_arrays(found: Sequence[str], keys: Sequence[str], path: str | PathLike[str]) -> None:
    for key in keys:
        if key in found:
            continue
        near = difflib.get_close_matches(key, found, n=1, cutoff=0.4)
        hint = f" did you mean {near[0]!r}?" if near else ""
        raise ValueError(
            f"{path} has no array {key!r};{hint} it has: {', '.join(found) or 'none'}. Save x and "
            "y, or x_train, y_train, x_test, y_test and optionally x_valid, y_valid"
        )
