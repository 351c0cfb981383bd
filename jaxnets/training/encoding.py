"""Values as nested lists of texts: typed, in a fixed order, and as digests within one another."""

import datetime
import decimal
import fractions
import hashlib
import json
import pathlib
import types
import uuid
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from jaxnets.training.source import Names

Node = Any
"""A text, or a list of nodes."""
Write = Callable[["Encoder", Any, str], Node]
"""Encodes a value that is not plain, which is at some place."""

NAME = "fingerprint_name"
PLAIN: dict[type, Callable[[Any], Node]] = {
    type(None): str,
    bool: repr,
    int: int.__repr__,
    float: float.hex,
    complex: lambda z: [z.real.hex(), z.imag.hex()],
    str: str.__str__,
    bytes: bytes.hex,
    bytearray: bytearray.hex,
    type(...): str,
    type(NotImplemented): str,
    range: repr,
    decimal.Decimal: str,
    fractions.Fraction: str,
    uuid.UUID: str,
    datetime.date: repr,
    datetime.datetime: repr,
    datetime.time: repr,
    datetime.timedelta: repr,
    pathlib.PosixPath: str,
    pathlib.PurePosixPath: str,
    pathlib.WindowsPath: str,
    pathlib.PureWindowsPath: str,
}
"""Types whose values are texts; of a class derived from one, the attributes count too."""


class Encoder:
    """Encodes values; of what it cannot look into, it raises an error or takes the identity.

    Args:
        write: encodes a value that is not plain.
        strict: whether what cannot be read is refused, and names that the user gave count.
            Otherwise an encoding holds in this process alone.
    """

    def __init__(self, write: Write, strict: bool):
        self.write = write
        self.strict = strict
        self.open: list[int] = []
        self.done: dict[int, tuple[Any, Node]] = {}
        self.names: list[Names] = []

    def text(self, value: Any, place: str) -> str:
        """Encodes a value as JSON."""
        try:
            return json.dumps(self.encode(value, place), separators=(",", ":"))
        except RecursionError as error:
            raise TypeError(f"{place} is nested too deeply for a fingerprint") from error

    def encode(self, value: Any, place: str) -> Node:
        """Encodes a value; one within another as a digest, so that shared ones cost nothing."""
        kind = type(value)
        if kind in PLAIN:
            return [kind.__name__, PLAIN[kind](value)]
        if id(value) in self.done:
            return self.done[id(value)][1]
        if id(value) in self.open:
            return ["within itself", str(len(self.open) - self.open.index(id(value)))]
        self.open.append(id(value))
        try:
            node = self._named(value) or self.write(self, value, place)
        finally:
            self.open.pop()
        if self.open:
            text = json.dumps(node, separators=(",", ":"))
            node = ["digest", hashlib.sha256(text.encode()).hexdigest()]
        if not isinstance(value, types.ModuleType):  # of which each function reads other members
            self.done[id(value)] = value, node
        return node

    def each(self, values: Iterable[Any], place: str) -> Node:
        """Encodes values in their order."""
        return [self.encode(value, f"{place}[{i}]") for i, value in enumerate(values)]

    def members(self, values: Mapping[str, Any], place: str) -> Node:
        """Encodes named values in the order of their names."""
        return [[name, self.encode(values[name], f"{place}.{name}")] for name in sorted(values)]

    def items(self, values: Mapping[Any, Any], place: str) -> Node:
        """Encodes a mapping in an order that depends on its keys alone."""
        pairs = [
            [self.encode(key, f"a key of {place}"), self.encode(value, f"{place}[{key!r}]")]
            for key, value in values.items()
        ]
        return sorted(pairs, key=json.dumps)

    def refuse(self, value: Any, place: str) -> Node:
        """Raises a TypeError that says how to name what cannot be read."""
        if not self.strict:
            return ["identity", str(id(value))]
        kind = type(value)
        raise TypeError(
            f"{place} is a {kind.__module__}.{kind.__qualname__}, whose state cannot be read, so "
            f"that a checkpoint could not tell this run from another: give the function or object "
            f"that uses it a {NAME}, such as 'noise 0.1', and another one whenever it behaves "
            "otherwise; or run without checkpoints"
        )

    def _named(self, value: Any) -> Node:
        """The name that the user gave, if there is one and it counts."""
        name = getattr(value, NAME, None) if self.strict else None
        if name is None or isinstance(value, types.ModuleType):
            return None
        copied = getattr(value, "__wrapped__", None)
        if isinstance(value, types.FunctionType) and name is getattr(copied, NAME, None):
            return None
        if not isinstance(name, str):
            raise TypeError(f"{NAME} is {name!r}; it must be a str")
        return ["named", name]
