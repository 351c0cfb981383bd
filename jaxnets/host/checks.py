"""Input checks on the host, before anything compiles: what is wrong, where, and what to do."""

import difflib
from collections.abc import Iterable, Mapping
from typing import Any, TypeVar

import jax
import numpy as np

T = TypeVar("T")


def lookup(table: Mapping[str, T], name: str, kind: str) -> T:
    """Looks up a row of a table; raises a ValueError that suggests the nearest name."""
    require_known([name], table, kind)
    return table[name]


def as_mapping(value: Any, name: str) -> Mapping[str, Any]:
    """Returns the value; raises a TypeError unless it is a dict or another mapping."""
    if not isinstance(value, Mapping):
        raise TypeError(f"{name} is {value!r}; it must be a dict, such as {{'learning_rate': 0.1}}")
    return value


def require_known(names: Iterable[str], known: Iterable[str], kind: str) -> None:
    """Raises a ValueError for the first unknown name, with the nearest known one."""
    known = list(known)
    for name in names:
        if name in known:
            continue
        near = difflib.get_close_matches(str(name), known, n=1, cutoff=0.4)
        hint = f" did you mean {near[0]!r}?" if near else ""
        raise ValueError(f"unknown {kind} {name!r};{hint} known: {', '.join(known) or 'none'}")


def as_features(x: Any, name: str = "x") -> np.ndarray:
    """Converts to finite floats `[samples, ...]` of JAX's default precision.

    This is the only place where pixels are converted: uint8 is divided by 255, floats are cast.

    Raises:
        TypeError: any other dtype, whose scale is unknown.
        ValueError: no samples, no features, or a NaN or infinity (with its first position).
    """
    x = _as_numpy(x, name)
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
        raise ValueError(f"{name} has shape {x.shape}: the samples have no features")
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


def _as_numpy(value: Any, name: str) -> np.ndarray:
    try:
        return np.asarray(value)
    except ValueError as error:
        raise ValueError(
            f"{name} has rows of different shapes: give all rows the same shape"
        ) from error


def _all_finite(x: np.ndarray) -> bool:
    """Checks for NaN and infinity by the sum first: it is not finite if any entry is not.

    Since a sum can also overflow, entries are checked one by one where it is not finite.
    """
    with np.errstate(over="ignore", invalid="ignore"):
        return bool(np.isfinite(x.sum()) or np.isfinite(x).all())


def as_labels(y: Any, n_classes: int, name: str = "y") -> np.ndarray:
    """Converts class indices `[samples]` to int32, each in `0 .. n_classes-1`.

    Raises:
        TypeError: floats or other non-integers.
        ValueError: more than one axis, or a label out of range (with its first position).
    """
    y = _as_numpy(y, name)
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
    """Converts regression targets to finite floats `[samples, outputs]`, as the predictions.

    Raises:
        TypeError: anything but numbers.
        ValueError: another shape (which would broadcast silently), or a NaN or infinity.
    """
    y = _as_numpy(y, name)
    if y.ndim != 2 or y.shape[1] != outputs:
        hint = f": use {name}.reshape(-1, 1)" if y.ndim == 1 and outputs == 1 else ""
        raise ValueError(f"{name} has shape {y.shape}; expected [samples, {outputs}]{hint}")
    if np.issubdtype(y.dtype, np.integer) or y.dtype == np.bool_:
        y = y.astype(np.float64)
    return as_features(y, name)


def require_same_length(x: np.ndarray, y: np.ndarray, names: tuple[str, str] = ("x", "y")) -> None:
    """Raises a ValueError unless both have the same number of samples."""
    if len(x) != len(y):
        raise ValueError(
            f"{names[0]} has {len(x)} samples and {names[1]} has {len(y)}: "
            f"every row of {names[0]} needs a row of {names[1]}"
        )


def as_finite(value: Any, name: str) -> np.ndarray:
    """Converts to a NumPy array of finite real numbers.

    Raises:
        TypeError: anything but real numbers.
        ValueError: a NaN or infinity.
    """
    try:
        value = np.asarray(value)
    except ValueError as error:
        raise TypeError(f"{name} is {value!r}; it must be a number or an array") from error
    if not (np.isrealobj(value) and _is_number(value.dtype)):
        raise TypeError(f"{name} is {value!r}; it must be a number")
    wrong = ~np.isfinite(value)
    if wrong.any():
        raise ValueError(f"{name} is {value[wrong].ravel()[0]}; it must be finite")
    return value


def as_number(value: Any, name: str) -> float:
    """Converts a finite real scalar to a float; raises as `as_finite` does."""
    scalar = as_finite(value, name)
    if scalar.shape:
        raise TypeError(f"{name} has shape {scalar.shape}; it must be a single number")
    return float(scalar)


def as_array(value: Any, name: str) -> Any:
    """Converts to a JAX or NumPy array of numbers that JAX's functions accept.

    Raises:
        ValueError: rows of different lengths.
        TypeError: masked entries, strings, objects, or floats of more than 64 bits, for which JAX's
            own error only names one of its functions.
    """
    if isinstance(value, jax.Array):
        return value
    found = _as_numpy(value, name)
    masked = isinstance(value, np.ma.MaskedArray)
    long = found.dtype.type in (np.longdouble, np.clongdouble) and found.dtype.itemsize > 8
    if masked or long or not _is_number(found.dtype):
        kind = "a masked array" if masked else f"{type(value).__name__} of dtype {found.dtype}"
        raise TypeError(f"{name} is {kind}; it must be an array of numbers")
    return found


def _is_number(dtype: np.dtype) -> bool:
    return jax.dtypes.issubdtype(dtype, np.number) or dtype == np.bool_


def require_positive(value: Any, name: str) -> None:
    """Raises a ValueError unless every entry is positive, and as `as_finite` does."""
    value = as_finite(value, name)
    wrong = ~(value > 0)
    if wrong.any():
        raise ValueError(f"{name} is {value[wrong].ravel()[0]}; it must be finite and above 0")


def require_share(value: Any, name: str) -> None:
    """Raises a ValueError unless the value is a number in [0, 1), and as `as_finite` does."""
    number = as_finite(value, name)
    if number.shape or not 0 <= number < 1:
        raise ValueError(f"{name} is {value}; it must be in [0, 1)")


def require_keys(value: Any, axes: int, name: str) -> None:
    """Raises a TypeError unless the value is an array of random keys with `axes` axes."""
    typed = isinstance(value, jax.Array) and jax.dtypes.issubdtype(value.dtype, jax.dtypes.prng_key)
    old = getattr(value, "dtype", None) == np.uint32 and np.ndim(value) == axes + 1
    if not old and not (typed and value.ndim == axes):
        call = "jax.random.split(jax.random.key(seed), n)" if axes else "jax.random.key(seed)"
        shape = f" of shape {np.shape(value)}" if typed or np.ndim(value) else ""
        raise TypeError(f"{name} is {type(value).__name__}{shape}; it must be {call}")


def as_counts(values: Any, name: str) -> tuple[int, ...]:
    """Converts a list of integers, each 1 or more, to ints; raises as `require_count` does."""
    try:
        values = tuple(values)
    except TypeError as error:
        raise TypeError(f"{name} is {values!r}; it must be a list of integers") from error
    for value in values:
        require_count(value, f"an entry of {name}")
    return tuple(map(int, values))


def require_count(value: Any, name: str) -> None:
    """Raises a TypeError unless the value is an integer, a ValueError unless in 1 .. 2^31 - 1."""
    if not isinstance(value, int | np.integer):
        raise TypeError(f"{name} is {value!r}; it must be an integer")
    if value < 1:
        raise ValueError(f"{name} is {value}; it must be 1 or more")
    if value >= 2**31:
        raise ValueError(f"{name} is {value}; it must be below 2^31, the range of JAX's int32")
