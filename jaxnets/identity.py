"""What a training is, in a few short digests: its run, hyper-parameters, key and data."""

import dataclasses
import hashlib
import types
from collections.abc import Mapping
from functools import partial
from typing import Any

import jax
import numpy as np

from jaxnets.train import Run


def identity(run: Run, key: Any, hparams: Mapping[str, Any], data: Any) -> dict[str, str]:
    """Equal for the same training in any process; else the entries differ that are other.

    Functions count by their name and code, and by the values that they have closed over.
    """
    return {
        "run": _digest(describe(run)),
        "hparams": _digest(describe(dict(hparams))),
        "key": _digest(describe(key)),
        "data": _digest(describe({"train": data.train, "valid": data.valid})),
    }


def describe(value: Any) -> str:
    """A text that is the same in every process, for choices made of Python values and arrays."""
    if isinstance(value, jax.Array | np.ndarray | np.generic):
        return _of_array(value)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        fields = {
            f.name: getattr(value, f.name, None)
            for f in dataclasses.fields(value)
            if f.name != "parent"
        }
        return f"{type(value).__qualname__}({describe(fields)})"
    if isinstance(value, Mapping):
        return "{" + ",".join(f"{k}:{describe(value[k])}" for k in sorted(value)) + "}"
    if isinstance(value, tuple | list):
        return "[" + ",".join(describe(item) for item in value) + "]"
    if isinstance(value, partial):
        return f"partial({describe([value.func, value.args, value.keywords])})"
    if isinstance(value, set | frozenset):
        return "{" + ",".join(sorted(describe(item) for item in value)) + "}"
    if isinstance(value, types.FunctionType):
        cells = [cell.cell_contents for cell in value.__closure__ or ()]
        code = _of_code(value.__code__, value.__doc__)
        rest = describe([code, value.__defaults__, value.__kwdefaults__, cells])
        return f"{value.__module__}.{value.__qualname__}{rest}"
    if isinstance(value, types.CodeType):
        return describe(_of_code(value))
    if callable(value):
        return f"{getattr(value, '__module__', '')}.{getattr(value, '__qualname__', type(value))}"
    return repr(value)


def _of_code(code: types.CodeType, doc: str | None = None) -> list[Any]:
    """What it does; what its docstring says is no part of that."""
    constants = code.co_consts
    if doc is not None and constants[:1] == (doc,):
        constants = (None, *constants[1:])
    return [code.co_code.hex(), code.co_names, constants]


def _of_array(value: Any) -> str:
    if isinstance(value, jax.Array) and jax.dtypes.issubdtype(value.dtype, jax.dtypes.prng_key):
        return f"key<{jax.random.key_impl(value)}>{_of_array(jax.random.key_data(value))}"
    array = np.asarray(value)
    plain = np.ascontiguousarray(array).reshape(-1).view(np.uint8)
    return f"{array.dtype}{array.shape}{hashlib.sha256(plain.data).hexdigest()}"


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:32]
