"""The one door for samples, labels and targets: from any library's arrays, checked on the host.

Training, evaluation, the classical functions and the data helpers all convert with these functions.
Under `jit` or `vmap` shapes and dtypes are checked; values were, or will be, outside.
"""

import warnings
from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxnets.host.precision import find_merged

LIMIT = 2**31
"""Labels are int32."""
ADVICE = {
    "O": "is a mixture of types: give numbers of one type, such as {name}.astype(float)",
    "m": "is a time difference: divide by a unit, {name} / np.timedelta64(1, 's')",
    "M": "is a date: turn it into numbers, ({name} - {name}.min()) / np.timedelta64(1, 's')",
    "c": "is complex: give real and imaginary parts as separate features",
}
"""What to do about a dtype, by its kind."""


def as_numpy(value: Any, name: str) -> np.ndarray:
    """Converts anything array-like to a NumPy array, rows by position.

    Raises:
        ValueError: masked entries, whose mask NumPy would drop, or rows of different shapes.
        TypeError: a sparse matrix, a tensor that requires gradients, or something that is not an
            array at all.
    """
    if type(value) is not np.ndarray:
        _require_complete(value, name)
        value = _read(value, name)
    if value.dtype == object and value.ndim == 0:
        raise TypeError(f"{name} is {_kind(value.item())}; it must be an array")
    return value if value.dtype.isnative else value.astype(value.dtype.newbyteorder("="))


def _require_complete(value: Any, name: str) -> None:
    """Raises where NumPy would drop what a value has beyond its numbers."""
    masked = _masked(value)
    if masked is not None:
        where = ", ".join(map(str, np.argwhere(masked.mask)[0])) if masked.ndim else "0"
        raise ValueError(
            f"{name} has masked entries, the first at [{where}] ({np.sum(masked.mask)} such "
            f"entries): drop these rows, or fill them, {name}.filled(value)"
        )
    if getattr(value, "requires_grad", False):
        raise TypeError(f"{name} is a tensor that requires gradients: use {name}.detach()")
    if hasattr(value, "todense") or getattr(value, "is_sparse", False):
        raise TypeError(f"{name} is a sparse {_kind(value)[2:]}: make it dense, {name}.toarray()")


def _masked(value: Any) -> Any:
    """Returns the first array with masked entries: the value, or one in its lists; else None."""
    if isinstance(value, np.ma.MaskedArray):
        return value if value.dtype.names is None and np.ma.is_masked(value) else None
    if not isinstance(value, list | tuple):
        return None
    return next((found for entry in value if (found := _masked(entry)) is not None), None)


def _read(value: Any, name: str) -> np.ndarray:
    if str(getattr(value, "dtype", "")).startswith(("torch.bfloat16", "torch.float8")):
        value = value.float()
    try:
        return np.asarray(value)
    except (TypeError, ValueError, RuntimeError) as error:
        if "inhomogeneous" in str(error):
            raise ValueError(
                f"{name} has rows of different shapes: give all rows the same shape"
            ) from error
        raise TypeError(f"{name} is {_kind(value)}, which NumPy cannot read: {error}") from error


def _kind(value: Any) -> str:
    return "None" if value is None else f"a {type(value).__name__}"


def as_rows(value: Any, name: str) -> np.ndarray:
    """Converts to an array `[samples, ...]` of any dtype, with a sample or more.

    Raises:
        ValueError: a single number, no samples, or as `as_numpy` does.
        TypeError: as `as_numpy` does.
    """
    value = as_numpy(value, name)
    if value.ndim == 0:
        raise ValueError(f"{name} is a single number; expected [samples, ...]")
    if len(value) == 0:
        raise ValueError(f"{name} is empty (shape {value.shape}): there are no samples")
    return value


def as_array(value: Any, name: str) -> Any:
    """Converts to a JAX or NumPy array of numbers that JAX's functions accept.

    Raises:
        ValueError: as `as_numpy` does.
        TypeError: strings, objects, or floats of more than 64 bits, for which JAX's own error only
            names one of its functions.
    """
    if isinstance(value, jax.Array):
        return value
    found = as_numpy(value, name)
    long = found.dtype.type in (np.longdouble, np.clongdouble) and found.dtype.itemsize > 8
    if long or not is_number(found.dtype):
        raise TypeError(
            f"{name} is {type(value).__name__} of dtype {found.dtype}; it must be an array of "
            "numbers"
        )
    return found


def as_inputs(value: Any, name: str) -> Any:
    """Converts what a model is given to an array; uint8 pixels are divided by 255, as in training.

    Raises:
        ValueError, TypeError: as `as_array` does.
    """
    value = as_array(value, name)
    return _from_pixels(value) if value.dtype == np.uint8 else value


def as_features(x: Any, name: str = "x", *, exact: bool = False) -> Any:
    """Converts to finite floats `[samples, ...]` of JAX's default precision.

    This is the only place where pixels are converted: uint8 is divided by 255, floats are cast.
    A warning names a feature of which single precision merges values that differ.

    Args:
        x: array-like.
        name: for the messages.
        exact: whether to keep double precision, without a warning, where single would merge values.

    Raises:
        TypeError: any other dtype, whose scale is unknown.
        ValueError: no samples, no features, or a NaN or infinity (with its first position).
    """
    x = x if is_traced(x) else as_numpy(x, name)
    if x.dtype != np.uint8 and not is_float(x.dtype):
        raise TypeError(f"{name} has dtype {x.dtype}, {_advice(x.dtype, name)}")
    if x.ndim < 2:
        raise ValueError(
            f"{name} has shape {x.shape}; expected [samples, features]: "
            f"use {name}.reshape(-1, 1) for a single feature"
        )
    if len(x) == 0:
        raise ValueError(f"{name} is empty (shape {x.shape}): there is nothing to train on")
    if 0 in x.shape:
        raise ValueError(f"{name} has shape {x.shape}: the samples have no features")
    return _from_pixels(x) if x.dtype == np.uint8 else _as_floats(x, name, exact)


def _advice(dtype: np.dtype, name: str) -> str:
    """Says how features of a dtype become floats."""
    general = (
        "whose scale is unknown: pass uint8 pixels (0..255) or floats, e.g. "
        "{name}.astype(np.float32)"
    )
    known = ADVICE.get(dtype.kind)
    return (f"which {known}" if known else general).format(name=name)


def _from_pixels(x: Any) -> Any:
    dtype = jax.dtypes.canonicalize_dtype(np.float64)
    if isinstance(x, jax.Array):
        return x.astype(dtype) / 255
    return np.divide(x, dtype.type(255), dtype=dtype)


def as_numbers(x: Any, name: str, *, exact: bool = False) -> Any:
    """Converts real numbers of any shape and type to finite floats of JAX's default precision.

    `exact` preserves double precision as in `as_features`.

    Raises:
        TypeError: anything but real numbers.
        ValueError: a NaN or infinity (with its first position).
    """
    x = x if is_traced(x) else as_numpy(x, name)
    if is_integer(x.dtype):
        x = x.astype(jax.dtypes.canonicalize_dtype(float) if is_traced(x) else np.float64)
    if not is_float(x.dtype):
        raise TypeError(f"{name} has dtype {x.dtype}, {_advice(x.dtype, name)}")
    return _as_floats(x, name, exact)


def _as_floats(x: Any, name: str, exact: bool = False) -> Any:
    """Casts floats to JAX's default precision; raises a ValueError unless all are finite."""
    dtype = jax.dtypes.canonicalize_dtype(np.float64)
    if is_traced(x):
        return x.astype(dtype)
    with np.errstate(over="ignore", invalid="ignore"):
        converted = x.astype(dtype, copy=False)
        total = converted.sum()  # not finite if any entry is not; it may also overflow
    if not (np.isfinite(total) or np.isfinite(converted).all()):
        finite = np.isfinite(converted)
        where = tuple(np.argwhere(~finite)[0].tolist())
        raise ValueError(
            f"{name} has {x[where]}{_place(where)} ({(~finite).sum()} such values): drop or impute "
            "them first"
        )
    merged = find_merged(x, converted) if x.dtype.itemsize > dtype.itemsize else None
    if merged and exact:
        return x.astype(np.float64, copy=False)
    if merged:
        warnings.warn(
            f"{name}: single precision merges different values of feature {merged}: standardise "
            "the float64 values first (jaxnets.data.standardise, StandardScaler), or subtract an "
            "offset from them",
            stacklevel=2,
        )
    return converted


def _place(where: tuple[int, ...]) -> str:
    row = f" at row {where[0]}" if where else ""
    return row + (f", column {', '.join(map(str, where[1:]))}" if where[1:] else "")


def as_labels(y: Any, n_classes: int, name: str = "y") -> Any:
    """Converts class indices `[samples]` to int32, each in `0 .. n_classes-1`.

    Raises:
        TypeError: floats or other non-integers.
        ValueError: more than one axis, or a label out of range (with its first position).
    """
    y = y if is_traced(y) else as_numpy(y, name)
    if y.ndim != 1:
        column = y.ndim == 2 and y.shape[1] == 1
        one_hot = y.ndim == 2 and y.shape[1] == n_classes > 1
        hint = f": use {name}.ravel()" if column else ""
        hint = f": use {name}.argmax(axis=1)" if one_hot else hint
        raise ValueError(f"{name} has shape {y.shape}; class labels are [samples]{hint}")
    if not is_integer(y.dtype):
        hint = f"{name}.astype(np.int32)" if is_float(y.dtype) else number_classes(name)
        raise TypeError(f"{name} has dtype {y.dtype}; class labels are integers: {hint}")
    if is_traced(y):
        return as_int32(y)
    wrong = np.flatnonzero((y < 0) | (y >= min(n_classes, LIMIT)))
    if wrong.size:
        raise ValueError(
            f"{name}[{wrong[0]}] is {y[wrong[0]]}, but {n_classes} classes are labelled "
            f"0..{n_classes - 1} ({wrong.size} such labels): number yours with "
            f"{number_classes(name)}"
        )
    return y.astype(np.int32)


def number_classes(name: str) -> str:
    """Returns the expression that turns any classes into labels from 0."""
    return f"np.unique({name}, return_inverse=True)[1]"


def as_int32(labels: Any) -> Any:
    """Casts integers to int32; larger ones become the largest, instead of wrapping around."""
    if labels.dtype == np.bool_ or labels.dtype.itemsize < 4 or labels.dtype == np.int32:
        return labels.astype(np.int32)
    low = 0 if jnp.issubdtype(labels.dtype, jnp.unsignedinteger) else -LIMIT
    return labels.clip(low, LIMIT - 1).astype(np.int32)


def as_targets(y: Any, outputs: int, name: str = "y") -> Any:
    """Converts regression targets to finite floats `[samples, outputs]`, as the predictions.

    Raises:
        TypeError: anything but numbers.
        ValueError: another shape (which would broadcast silently), or a NaN or infinity.
    """
    y = y if is_traced(y) else as_numpy(y, name)
    if y.ndim != 2 or y.shape[1] != outputs:
        hint = f": use {name}.reshape(-1, 1)" if y.ndim == 1 and outputs == 1 else ""
        raise ValueError(f"{name} has shape {y.shape}; expected [samples, {outputs}]{hint}")
    return as_numbers(y, name)


def require_same_length(x: Any, y: Any, names: tuple[str, str] = ("x", "y")) -> None:
    """Raises a ValueError unless both have the same number of samples."""
    if len(x) != len(y):
        raise ValueError(
            f"{names[0]} has {len(x)} samples and {names[1]} has {len(y)}: "
            f"every row of {names[0]} needs a row of {names[1]}"
        )


def require_part(part: Any, name: str) -> None:
    """Raises a TypeError unless the value is a dict of samples x, targets y and perhaps weights."""
    if not (isinstance(part, Mapping) and {*"xy"} <= {*part}):
        raise TypeError(
            f"{name} is {_kind(part)}; it must be a dict of x and y, such as the part `train` of a "
            "data set"
        )


def as_weights(weight: Any, name: str, *, some: bool = True) -> Any:
    """Converts weights of samples to finite floats `[samples]`, none negative, not all 0.

    Without `some`, as for a batch, all may be 0.

    Raises:
        TypeError: anything but real numbers.
        ValueError: another shape, a NaN, an infinity, a negative weight, or a sum of 0.
    """
    weight = as_numbers(weight, name)
    if weight.ndim != 1:
        raise ValueError(f"{name} has shape {weight.shape}; expected one number a sample")
    if is_traced(weight):
        return weight
    wrong = np.flatnonzero(weight < 0)
    if wrong.size:
        raise ValueError(f"{name}[{wrong[0]}] is {weight[wrong[0]]}; weights are 0 or more")
    if some and not weight.any():
        raise ValueError(f"{name} is zero for all samples: nothing would be learned")
    return weight


def is_traced(value: Any) -> bool:
    """Whether a value is known by its shape only, as under `jit`, `vmap` or `grad`."""
    return isinstance(value, jax.core.Tracer)


def is_float(dtype: Any) -> bool:
    """Whether a dtype is a real float, of any width: bfloat16 is one."""
    return jax.dtypes.issubdtype(dtype, np.floating)


def is_integer(dtype: Any) -> bool:
    """Whether a dtype has integers or booleans; to NumPy, time differences are integers too."""
    times = jax.dtypes.issubdtype(dtype, np.timedelta64)
    return dtype == np.bool_ or (jax.dtypes.issubdtype(dtype, np.integer) and not times)


def is_number(dtype: Any) -> bool:
    """Whether a dtype has numbers, complex ones included, or booleans."""
    return is_integer(dtype) or jax.dtypes.issubdtype(dtype, np.inexact)
