"""Checks on the host, before anything compiles: what is wrong, where, and what to do about it."""

import difflib
from collections.abc import Iterable, Mapping
from typing import Any, TypeVar

import jax
import numpy as np

T = TypeVar("T")


def lookup(table: Mapping[str, T], name: str, kind: str) -> T:
    """The row of a table, or a ValueError that suggests the nearest name."""
    require_known([name], table, kind)
    return table[name]


def as_mapping(value: Any, name: str) -> Mapping[str, Any]:
    """The value itself; a TypeError unless it is a dict or another mapping."""
    if not isinstance(value, Mapping):
        raise TypeError(f"{name} is {value!r}; it must be a dict, such as {{'learning_rate': 0.1}}")
    return value


def require_known(names: Iterable[str], known: Iterable[str], kind: str) -> None:
    """A ValueError for the first name that is not known, with the nearest one that is."""
    known = list(known)
    for name in names:
        if name in known:
            continue
        near = difflib.get_close_matches(str(name), known, n=1, cutoff=0.4)
        hint = f" did you mean {near[0]!r}?" if near else ""
        raise ValueError(f"unknown {kind} {name!r};{hint} known: {', '.join(known) or 'none'}")


def as_features(x: Any, name: str = "x") -> np.ndarray:
    """Finite floats `[samples, ...]` in JAX's default precision; uint8 pixels become `[0, 1]`.

    The one place where pixels are converted: uint8 is divided by 255, any float type is cast.

    Raises:
        TypeError: another dtype, which says nothing about its scale.
        ValueError: no samples, no features, or a NaN or infinity (with its first position).
    """
    x = _one_array(x, name)
    if x.dtype != np.uint8 and not np.issubdtype(x.dtype, np.floating):
        raise TypeError(
            f"{name} has dtype {x.dtype}, whose scale is unknown: pass uint8 pixels (0..255) "
            f"or floats, e.g. {name}.astype(np.float32)"
        )
    if x.ndim < 2:
        raise ValueError(
            f"{name} has shape {x.shape}; expected [samples, features]: "
            f"use {name}.reshape(-1, 1) for a single feature"
        )
    if len(x) == 0:
        raise ValueError(f"{name} is empty (shape {x.shape}): there is nothing to train on")
    if 0 in x.shape:
        raise ValueError(f"{name} has shape {x.shape}: samples without a feature")
    dtype = jax.dtypes.canonicalize_dtype(np.float64)
    if x.dtype == np.uint8:
        return np.divide(x, dtype.type(255), dtype=dtype)
    with np.errstate(over="ignore"):
        converted = x.astype(dtype, copy=False)
    if not _all_finite(converted):
        finite = np.isfinite(converted)
        where = np.argwhere(~finite)[0]
        row, column = int(where[0]), ", ".join(str(i) for i in where[1:])
        raise ValueError(
            f"{name} has {x[tuple(where)]} at row {row}, column {column} "
            f"({(~finite).sum()} such values): drop or impute them first"
        )
    return converted


def _one_array(value: Any, name: str) -> np.ndarray:
    try:
        return np.asarray(value)
    except ValueError as error:
        raise ValueError(f"{name} has rows of different shapes: make them one array") from error


def _all_finite(x: np.ndarray) -> bool:
    """Whether no entry is a NaN or an infinity: at once if the sum is finite, which either ends.

    A sum can overflow without them, so that only one that is not finite is looked into.
    """
    with np.errstate(over="ignore", invalid="ignore"):
        return bool(np.isfinite(x.sum()) or np.isfinite(x).all())


def as_labels(y: Any, n_classes: int, name: str = "y") -> np.ndarray:
    """Class indices `[samples]` as int32, each in `0 .. n_classes-1`.

    Raises:
        TypeError: floats or other non-integers.
        ValueError: not one axis, or a label outside the range (with its first position).
    """
    y = _one_array(y, name)
    if y.ndim != 1:
        hint = f": use {name}.ravel()" if y.ndim == 2 and y.shape[1] == 1 else ""
        raise ValueError(f"{name} has shape {y.shape}; class labels are [samples]{hint}")
    if not np.issubdtype(y.dtype, np.integer) and y.dtype != np.bool_:
        raise TypeError(
            f"{name} has dtype {y.dtype}; class labels are integers: {name}.astype(np.int32)"
        )
    wrong = np.flatnonzero((y < 0) | (y >= n_classes))
    if wrong.size:
        raise ValueError(
            f"{name}[{wrong[0]}] is {y[wrong[0]]}, but {n_classes} classes are labelled "
            f"0..{n_classes - 1} ({wrong.size} such labels)"
        )
    return y.astype(np.int32)


def as_targets(y: Any, outputs: int, name: str = "y") -> np.ndarray:
    """Finite regression targets `[samples, outputs]`, the shape of the predictions.

    Raises:
        TypeError: not numbers.
        ValueError: another shape (which would broadcast silently), or a NaN or infinity.
    """
    y = _one_array(y, name)
    if y.ndim != 2 or y.shape[1] != outputs:
        hint = f": use {name}.reshape(-1, 1)" if y.ndim == 1 and outputs == 1 else ""
        raise ValueError(f"{name} has shape {y.shape}; expected [samples, {outputs}]{hint}")
    if np.issubdtype(y.dtype, np.integer) or y.dtype == np.bool_:
        y = y.astype(np.float64)
    return as_features(y, name)


def require_same_length(x: np.ndarray, y: np.ndarray, names: tuple[str, str] = ("x", "y")) -> None:
    """A ValueError unless both have the same number of samples."""
    if len(x) != len(y):
        raise ValueError(
            f"{names[0]} has {len(x)} samples and {names[1]} has {len(y)}: "
            f"every row of {names[0]} needs one of {names[1]}"
        )


def as_finite(value: Any, name: str) -> np.ndarray:
    """The entries as an array; a TypeError unless they are real numbers, a ValueError for NaN.

    Infinities are refused as NaN is.
    """
    try:
        value = np.asarray(value)
    except ValueError as error:
        raise TypeError(f"{name} is {value!r}; it must be a number or an array of them") from error
    if not (np.isrealobj(value) and _is_number(value.dtype)):
        raise TypeError(f"{name} is {value!r}; it must be a number")
    wrong = ~np.isfinite(value)
    if wrong.any():
        raise ValueError(f"{name} is {value[wrong].ravel()[0]}; it must be finite")
    return value


def as_number(value: Any, name: str) -> float:
    """A finite real scalar as a float; a TypeError or ValueError for anything else."""
    scalar = as_finite(value, name)
    if scalar.shape:
        raise TypeError(f"{name} has shape {scalar.shape}; it must be a single number")
    return float(scalar)


def as_array(value: Any, name: str) -> Any:
    """The value as an array of numbers, a JAX or a NumPy one, which JAX's functions take.

    Raises:
        ValueError: rows of different lengths.
        TypeError: masked entries, words, objects, or floats of more than 64 bits; of these JAX says
            only which of its functions took offence.
    """
    if isinstance(value, jax.Array):
        return value
    found = _one_array(value, name)
    masked = isinstance(value, np.ma.MaskedArray)
    long = found.dtype.type in (np.longdouble, np.clongdouble) and found.dtype.itemsize > 8
    if masked or long or not _is_number(found.dtype):
        kind = "a masked array" if masked else f"{type(value).__name__} of dtype {found.dtype}"
        raise TypeError(f"{name} is {kind}; it must be an array of numbers")
    return found


def _is_number(dtype: np.dtype) -> bool:
    return jax.dtypes.issubdtype(dtype, np.number) or dtype == np.bool_


def require_positive(value: Any, name: str) -> None:
    """As `finite`, and a ValueError unless every entry is above zero."""
    value = as_finite(value, name)
    wrong = ~(value > 0)
    if wrong.any():
        raise ValueError(f"{name} is {value[wrong].ravel()[0]}; it must be finite and above 0")


def require_share(value: Any, name: str, *, whole: bool = False) -> None:
    """A TypeError or ValueError unless the value is a number from 0 to 1; 1 only as a `whole`."""
    number = as_finite(value, name)
    if number.shape or not 0 <= number <= 1 or (number == 1 and not whole):
        raise ValueError(f"{name} is {value}; it must be in {'[0, 1]' if whole else '[0, 1)'}")


def require_keys(value: Any, axes: int, name: str) -> None:
    """A TypeError unless the value is random keys of `axes` axes, new style or old."""
    typed = isinstance(value, jax.Array) and jax.dtypes.issubdtype(value.dtype, jax.dtypes.prng_key)
    old = getattr(value, "dtype", None) == np.uint32 and np.ndim(value) == axes + 1
    if not old and not (typed and value.ndim == axes):
        call = "jax.random.split(jax.random.key(seed), n)" if axes else "jax.random.key(seed)"
        shape = f" of shape {np.shape(value)}" if typed or np.ndim(value) else ""
        raise TypeError(f"{name} is {type(value).__name__}{shape}; it must be {call}")


def as_counts(values: Any, name: str) -> tuple[int, ...]:
    """The values as ints; a TypeError unless they are a list of whole numbers, each 1 or more."""
    try:
        values = tuple(values)
    except TypeError as error:
        raise TypeError(f"{name} is {values!r}; it must be a list of whole numbers") from error
    for value in values:
        require_count(value, f"each of {name}")
    return tuple(map(int, values))


def require_count(value: Any, name: str) -> None:
    """A TypeError unless the value is a whole number, a ValueError unless it is 1 to 2^31 - 1."""
    if not isinstance(value, int | np.integer):
        raise TypeError(f"{name} is {value!r}; it must be a whole number")
    if value < 1:
        raise ValueError(f"{name} is {value}; it must be 1 or more")
    if value >= 2**31:
        raise ValueError(f"{name} is {value}; it must be below 2^31, JAX counts no further")
