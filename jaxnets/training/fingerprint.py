"""What a run is, in a few short digests: its spec, key, data and hyper-parameters."""

import ast
import dataclasses
import hashlib
import inspect
import types
from collections.abc import Mapping
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

import jax
import numpy as np

from jaxnets.training.loop import TrainSpec


def fingerprint(spec: TrainSpec, key: Any, data: Any, hparams: Mapping[str, Any]) -> dict[str, str]:
    """Digests a run; equal for the same run in any process, else the entries that differ say why.

    Functions count by their name and source, and by the values that they have closed over; not by
    the module that they live in, nor by the version of Python that runs them.
    """
    return {
        "spec": _digest(describe(spec)),
        "hparams": _digest(describe(dict(hparams))),
        "key": _digest(describe(key)),
        "data": _digest(describe({"train": data.train, "valid": data.valid})),
    }


def describe(value: Any) -> str:
    """Writes a value as a text that is the same in every process.

    For choices made of Python values, functions and arrays.
    """
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
        return _of_function(value)
    if callable(value):
        return str(getattr(value, "__qualname__", type(value).__qualname__))
    return repr(value)


def _of_function(function: types.FunctionType) -> str:
    cells = [cell.cell_contents for cell in function.__closure__ or ()]
    rest = describe([function.__defaults__, function.__kwdefaults__, cells])
    return f"{function.__qualname__}({_source(function.__code__)}{rest})"


def _source(code: types.CodeType) -> str:
    """What a function does, by its source; by its bytecode where there is no source.

    Comments, the layout and the docstring do not count.
    """
    try:
        nodes = _functions(inspect.getsourcefile(code) or "")[code.co_firstlineno]
        return _dump(_node_of(nodes, code))
    except (OSError, SyntaxError, KeyError, ValueError, StopIteration):
        return _of_bytecode(code)


def _node_of(nodes: list[Any], code: types.CodeType) -> Any:
    """Finds the function of the code among those that begin on its line.

    Of several lambdas, it is the innermost whose body encloses all that the code came from.
    """
    if code.co_name != "<lambda>":
        return next(node for node in nodes if getattr(node, "name", None) == code.co_name)
    lambdas = [node for node in nodes if isinstance(node, ast.Lambda)]
    if len(lambdas) == 1:
        return lambdas[0]
    spans = [span for span in code.co_positions() if None not in span and span[3]]
    if not spans:  # Python 3.12 has no position for a lambda that returns a constant
        return next(node for node in lambdas if _literal(node.body) == repr(code.co_consts[-1]))
    start, end = min((s[0], s[2]) for s in spans), max((s[1], s[3]) for s in spans)
    enclosing = [
        node
        for node in lambdas
        if (node.body.lineno, node.body.col_offset) <= start
        and end <= (node.body.end_lineno, node.body.end_col_offset)
    ]
    return max(enclosing, key=lambda node: (node.lineno, node.col_offset))


def _literal(node: Any) -> str | None:
    """The text of a constant expression, or None for any other."""
    try:
        return repr(ast.literal_eval(node))
    except (ValueError, TypeError):
        return None


Function = ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda


@lru_cache(maxsize=64)
def _functions(file: str) -> dict[int, list[Any]]:
    """The functions of a file by the line where each begins, its first decorator's included."""
    tree = ast.parse(Path(file).read_text(encoding="utf-8"))
    found: dict[int, list[Any]] = {}
    for node in ast.walk(tree):
        if isinstance(node, Function):
            first = min([node.lineno, *(d.lineno for d in getattr(node, "decorator_list", []))])
            found.setdefault(first, []).append(node)
    return found


def _dump(node: Any) -> str:
    """A syntax tree as text, the same in every version of Python that can parse it."""
    if isinstance(node, list):
        return "[" + ",".join(_dump(item) for item in node) + "]"
    if not isinstance(node, ast.AST):
        return repr(node)
    ignored = {"kind"}
    fields = {name: value for name, value in ast.iter_fields(node) if value not in (None, [])}
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
        ignored.add("name")
        if ast.get_docstring(node):
            fields["body"] = node.body[1:]
    if isinstance(node, ast.JoinedStr):  # Python 3.12 has empty texts where 3.11 has none
        fields["values"] = [part for part in node.values if getattr(part, "value", None) != ""]
    fields = {name: value for name, value in fields.items() if name not in ignored}
    return f"{type(node).__name__}({','.join(f'{k}={_dump(v)}' for k, v in fields.items())})"


def _of_bytecode(code: types.CodeType) -> str:
    constants = [_of_bytecode(c) if isinstance(c, types.CodeType) else c for c in code.co_consts]
    return describe([code.co_code.hex(), code.co_names, constants])


def _of_array(value: Any) -> str:
    if isinstance(value, jax.Array) and jax.dtypes.issubdtype(value.dtype, jax.dtypes.prng_key):
        return f"key<{jax.random.key_impl(value)}>{_of_array(jax.random.key_data(value))}"
    array = np.asarray(value)
    plain = np.ascontiguousarray(array).reshape(-1).view(np.uint8)
    return f"{array.dtype}{array.shape}{hashlib.sha256(plain.data).hexdigest()}"


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:32]
