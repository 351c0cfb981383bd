"""How a fingerprint takes values of each kind apart, the same in every process.

Functions count by their source, by what they have closed over and by the globals that they read;
objects by their class and attributes; what belongs to an installed package by its name.
"""

import collections
import dataclasses
import enum
import functools
import hashlib
import importlib
import importlib.util
import inspect
import json
import logging
import operator
import re
import struct
import types
from collections.abc import Mapping
from typing import Any

import flax.linen as nn
import jax
import numpy as np
from jax.sharding import AbstractMesh, Mesh, NamedSharding, PartitionSpec

from jaxnets.training.encoding import PLAIN, Encoder, Node, Write
from jaxnets.training.source import (
    Names,
    installed_name,
    is_installed,
    is_installed_module,
    names_read,
    source_of,
)

BLOCK = 2**20
"""Entries that are copied at a time of an array whose memory is not in order."""
SEQUENCES = (list, tuple, collections.deque)
FLAX = {"_id", "_parent_ref", "_state", "parent", "scope"}
"""What an unbound module of Flax has beyond its fields."""
GENERATED = {
    *("__init__", "__new__", "__repr__", "__eq__", "__hash__", "__lt__", "__le__", "__gt__"),
    *("__ge__", "__setattr__", "__delattr__", "__replace__", "__getstate__", "__setstate__"),
    *("__getnewargs__", "_make", "_replace", "_asdict"),
}
"""Methods that Python or a package may write for a class."""
WRAPPERS = (functools._lru_cache_wrapper, type(jax.jit(lambda: None)))
DESCRIPTORS = (
    types.MethodDescriptorType,
    types.WrapperDescriptorType,
    types.ClassMethodDescriptorType,
    types.GetSetDescriptorType,
    types.MemberDescriptorType,
    type(vars(inspect.FullArgSpec)["args"]),  # of the fields of a NamedTuple
)
WORD = struct.calcsize("P")
IMMUTABLE_TYPE, MANAGED_DICT, MANAGED_WEAKREF = 1 << 8, 1 << 4, 1 << 3
"""Flags of types: written in C; attributes and weak references outside the object."""


def write(enc: Encoder, value: Any, place: str) -> Node:
    """Chooses how to encode a value that is not plain."""
    for kinds, of_kind in KINDS:
        if isinstance(value, kinds):
            return of_kind(enc, value, place)
    name = installed_name(value)
    if name is not None and not isinstance(value, types.FunctionType):
        return ["installed", name]
    for others, of_other in CALLABLES:
        if isinstance(value, others):
            return of_other(enc, value, place)
    if (getattr(type(value), "__module__", None) or "") in ("typing", "types"):
        return ["typing", repr(value)]
    return _of_object(enc, value, place)


def _of_object(enc: Encoder, value: Any, place: str) -> Node:
    """Encodes an object by its class, what it contains and its attributes."""
    kind = type(value)
    solid = next(base for base in kind.__mro__ if base.__flags__ & IMMUTABLE_TYPE)
    if _has_hidden_state(kind, solid):
        return enc.refuse(value, place)
    if isinstance(value, Mapping) and (solid is not object or installed_name(kind)):
        content = enc.items(value, place)
        if solid is object:
            return ["mapping", enc.encode(kind, place), content]
    elif isinstance(value, SEQUENCES):
        content = enc.each(value, place)
    elif isinstance(value, set | frozenset):
        content = sorted(enc.each(value, place), key=json.dumps)
    elif solid in PLAIN:
        content = PLAIN[solid](value)
    elif solid in (object, types.SimpleNamespace):
        content = []
    else:
        return enc.refuse(value, place)
    return ["object", enc.encode(kind, place), content, enc.members(_state(value), place)]


def _has_hidden_state(kind: type, solid: type) -> bool:
    """Whether instances have memory beyond that of attributes which Python can see."""
    above = kind.__mro__[: kind.__mro__.index(solid)]
    slots = sum(
        isinstance(member, types.MemberDescriptorType)
        for base in above
        for member in vars(base).values()
    )
    flags = kind.__flags__
    if kind.__dictoffset__ and not flags & MANAGED_DICT:
        slots += 1
    if kind.__weakrefoffset__ and not flags & MANAGED_WEAKREF:
        slots += 1
    return kind.__basicsize__ > solid.__basicsize__ + WORD * slots


def _state(value: Any) -> dict[str, Any]:
    """The attributes of an object, without what it has only computed from them."""
    kind, found = type(value), dict(getattr(value, "__dict__", {}))
    for base in kind.__mro__:
        for name, member in vars(base).items():
            if isinstance(member, types.MemberDescriptorType) and hasattr(value, name):
                found[name] = getattr(value, name)
            elif isinstance(member, functools.cached_property):
                found.pop(name, None)
    if isinstance(value, nn.Module):
        return {name: member for name, member in found.items() if name not in FLAX}
    return {str(name): member for name, member in found.items()}


def _of_array(enc: Encoder, value: Any, place: str) -> Node:
    if isinstance(value, jax.core.Tracer):
        return enc.refuse(value, place)
    if isinstance(value, jax.Array) and jax.dtypes.issubdtype(value.dtype, jax.dtypes.prng_key):
        kind = str(jax.random.key_impl(value))
        return ["key", kind, _of_array(enc, jax.random.key_data(value), place)]
    array = np.asarray(value)
    head: Node = ["array", str(array.dtype), array.dtype.str, repr(array.shape)]
    if isinstance(value, np.ma.MaskedArray):
        head = ["masked array", _of_array(enc, np.ma.getmaskarray(value), place), head]
    if array.dtype.names:
        return [head, [_of_array(enc, array[name], place) for name in array.dtype.names]]
    if array.dtype.hasobject or array.dtype.kind == "T":
        return [head, enc.each(array.ravel().tolist(), place)]
    return [head, _digest_of(array)]


def _digest_of(array: np.ndarray) -> str:
    """The digest of an array's entries in order, without a copy of all of them."""
    digest = hashlib.sha256()
    if array.flags.c_contiguous:
        digest.update(array.reshape(-1).view(np.uint8).data)
    elif array.size:
        flags: Any = ["external_loop", "buffered"]
        for block in np.nditer(array, flags, order="C", buffersize=BLOCK):
            digest.update(np.ascontiguousarray(block).view(np.uint8).data)
    return digest.hexdigest()


def _of_function(enc: Encoder, value: types.FunctionType, place: str) -> Node:
    code, name = value.__code__, installed_name(value)
    if name is not None and not name.startswith("jaxnets:"):
        return ["installed", name]
    cells = zip(code.co_freevars, value.__closure__ or (), strict=True)
    names = names_read(code)
    enc.names.append(names)
    try:
        node = [
            "function",
            code.co_qualname,
            enc.encode(source_of(code), place),
            enc.each(value.__defaults__ or (), place),
            enc.members(value.__kwdefaults__ or {}, place),
            [[free, _of_cell(enc, cell, f"{place}.{free}")] for free, cell in cells],
            enc.members(vars(value), place),
        ]
        if not is_installed(code.co_filename):
            node.append(_globals_of(enc, value, names, place))
    finally:
        enc.names.pop()
    return node


def _of_cell(enc: Encoder, cell: Any, place: str) -> Node:
    try:
        return enc.encode(cell.cell_contents, place)
    except ValueError:
        return "empty"


def _globals_of(enc: Encoder, function: types.FunctionType, names: Names, place: str) -> Node:
    """Encodes the globals that a function of the user reads, and the modules that it imports."""
    space = function.__globals__
    found = {name: space[name] for name in names.variables if name in space}
    for name in names.imports:
        full = importlib.util.resolve_name(name, space.get("__package__") or "__main__")
        found |= {part: _imported(part) for part in {full, full.partition(".")[0]}}
    return enc.members(found, place)


def _imported(name: str) -> Any:
    """The module of that name, or None if there is none."""
    try:
        return importlib.import_module(name)
    except ImportError:
        return None


def _of_module(enc: Encoder, value: types.ModuleType, place: str) -> Node:
    """A module by its name, or by what the innermost function may read of it."""
    if is_installed_module(value):
        return ["module", value.__name__]
    names = enc.names[-1].attributes if enc.names else vars(value)
    read = {n: v for n, v in vars(value).items() if n in names and not n.startswith("__")}
    return ["module", enc.members(read, place)]


def _of_class(enc: Encoder, value: type, place: str) -> Node:
    name = installed_name(value)
    if name is not None:
        return ["installed", name]
    if issubclass(value, enum.Enum):
        values = {member.name: member.value for member in value}
        return ["enum", value.__qualname__, enc.members(values | _written(value), place)]
    fields = getattr(value, "__dataclass_fields__", {})
    bases = [base for base in value.__bases__ if base is not object]
    return [
        "class",
        value.__qualname__,
        enc.each(bases, place),
        enc.members(_written(value), place),
        [[f.name, *_defaults_of(enc, f, place)] for f in fields.values() if f.name not in FLAX],
    ]


def _written(kind: type) -> dict[str, Any]:
    """The members of a class that its author wrote, or set later."""
    found = {}
    for name, member in vars(kind).items():
        function = getattr(member, "__func__", member)
        code = getattr(function, "__code__", None)
        generated = code is not None and (
            code.co_filename == "<string>" or is_installed(code.co_filename)
        )
        if name in GENERATED and (code is None or generated):
            continue
        if issubclass(kind, enum.Enum) and (code is None or generated):
            continue
        special = name.startswith("__") and not callable(function)
        if special or name.startswith("_abc_") or isinstance(member, DESCRIPTORS):
            continue
        found[name] = member
    return found


def _defaults_of(enc: Encoder, field: dataclasses.Field, place: str) -> Node:
    return [
        "" if default is dataclasses.MISSING else enc.encode(default, f"{place}.{field.name}")
        for default in (field.default, field.default_factory)
    ]


def _of_partial(enc: Encoder, value: functools.partial, place: str) -> Node:
    parts = enc.encode(value.func, f"{place}.func"), enc.each(value.args, f"{place}.args")
    return [
        "partial",
        enc.encode(type(value), place),
        *parts,
        enc.members(value.keywords, place),
        enc.members(vars(value), place),
    ]


def _of_builtin(enc: Encoder, value: Any, place: str) -> Node:
    """A function written in C, which may be bound to an object."""
    return ["builtin", value.__name__, enc.encode(value.__self__, f"{place}.__self__")]


def _of_wrapper(enc: Encoder, value: Any, place: str) -> Node:
    """A function that was compiled or whose results are saved, by the function itself."""
    more = {name: v for name, v in vars(value).items() if not name.startswith("_")}
    wrapped = enc.encode(value.__wrapped__, place)
    return ["wrapped", type(value).__name__, wrapped, enc.members(more, place)]


def _of_signature(enc: Encoder, value: inspect.Signature, place: str) -> Node:
    return [
        [p.name, p.kind.name, "" if p.default is p.empty else enc.encode(p.default, place)]
        for p in value.parameters.values()
    ]


def _of_mesh(enc: Encoder, value: Any, place: str) -> Node:
    axes = [[name, str(size)] for name, size in value.shape.items()]
    return ["mesh", axes, str(value.axis_types)]


KINDS: list[tuple[Any, Write]] = [
    ((jax.Array, np.ndarray, np.generic), _of_array),
    (enum.Enum, lambda enc, v, place: ["member", enc.encode(type(v), place), v.name]),
    (type, _of_class),
    (types.FunctionType, _of_function),
    (functools.partial, _of_partial),
    (types.ModuleType, _of_module),
    ((Mesh, AbstractMesh), _of_mesh),
    (NamedSharding, lambda enc, v, place: ["sharding", enc.each((v.mesh, v.spec), place)]),
    (PartitionSpec, lambda enc, v, place: ["axes", enc.each(tuple(v), place)]),
    (jax.Device, lambda *_: "device"),
    (jax.tree_util.PyTreeDef, lambda enc, v, place: ["structure", str(v)]),
    (np.dtype, lambda enc, v, place: ["dtype", str(v), v.str]),
    (re.Pattern, lambda enc, v, place: ["pattern", enc.each((v.pattern, v.flags), place)]),
    (slice, lambda enc, v, place: ["slice", enc.each((v.start, v.stop, v.step), place)]),
    (types.MappingProxyType, lambda enc, v, place: ["mapping", enc.items(v, place)]),
    (inspect.Signature, _of_signature),
    (logging.Logger, lambda enc, v, place: ["logger", v.name]),
    (property, lambda enc, v, place: ["property", enc.each((v.fget, v.fset, v.fdel), place)]),
    (functools.cached_property, lambda enc, v, place: ["property", enc.encode(v.func, place)]),
    (
        (classmethod, staticmethod),
        lambda enc, v, place: [type(v).__name__, enc.encode(v.__func__, place)],
    ),
]
"""How to encode values by their kind; the first that fits."""
CALLABLES: list[tuple[Any, Write]] = [
    (
        types.MethodType,
        lambda enc, v, place: [
            "method",
            enc.encode(v.__func__, place),
            enc.encode(v.__self__, f"{place}.__self__"),
        ],
    ),
    ((types.BuiltinFunctionType, types.MethodWrapperType), _of_builtin),
    (
        DESCRIPTORS,
        lambda enc, v, place: ["descriptor", enc.encode(v.__objclass__, place), v.__name__],
    ),
    (
        (operator.itemgetter, operator.attrgetter, operator.methodcaller),
        lambda enc, v, place: ["operator", type(v).__name__, enc.each(v.__reduce__()[1:], place)],
    ),
    (WRAPPERS, _of_wrapper),
]
"""The same for callables that no installed package has under a name."""
