"""An experiment's configuration: changed by `field=value`, and checked before it is used."""

import dataclasses
import math
import typing
from typing import Any

from jaxnets.host import checks

LEAST = {
    **dict.fromkeys(("outliers", "pairs", "pixels", "seed"), 0),
    **dict.fromkeys(("board_seeds", "draws", "seeds", "sets", "starts", "subsamples"), 2),
    **dict.fromkeys(("grid", "points"), 2),
}
"""The least value of an integer; of any other it is 1. An interval needs two seeds."""
MOST = 2**31 - 1
"""The largest integer; that of `seed` is `LARGEST_SEED`."""
LARGEST_SEED = 2**32 - 1
"""JAX takes the lowest 32 bits of a seed: 2**32 would give the numbers of 0."""
MAY_BE_ZERO = {"dropout", "epsilons", "flip", "gap", "l2", "lambdas", "noise"}
MAY_BE_EMPTY = {"images"}
SHARES = {"dropout", "flip"}
"""Floats below 1."""


def configure(config: Any, settings: list[str]) -> Any:
    """Returns the configuration with `field=value` settings applied.

    Raises:
        ValueError: no `=`, an unknown field (the nearest is suggested), a field given twice, or a
            value of another type or out of range.
    """
    types = typing.get_type_hints(type(config))
    changes: dict[str, Any] = {}
    for setting in settings:
        name, equals, text = setting.partition("=")
        if not equals:
            raise ValueError(f"--set takes field=value, got {setting!r}")
        checks.require_known([name], types, "config field")
        if name in changes:
            raise ValueError(f"--set {name} is given twice")
        try:
            changes[name] = _parse(types[name], text)
        except ValueError as error:
            shown = text if len(text) <= 60 else f"{text[:57]}..."
            raise ValueError(f"--set {name}: expected {types[name]}, got {shown!r}") from error
    changed = dataclasses.replace(config, **changes)
    require_valid(changed)
    return changed


def require_valid(config: Any) -> None:
    """Raises unless every value of a configuration is one that its experiment can use.

    Names in a tuple must be some of the default ones.

    Raises:
        TypeError: a value of another type than its field.
        ValueError: a value out of range, an empty tuple, or an unknown name.
    """
    types = typing.get_type_hints(type(config))
    for field in dataclasses.fields(config):
        name, kind, value = field.name, types[field.name], getattr(config, field.name)
        if typing.get_origin(kind) is not tuple:
            _require(name, kind, value)
            continue
        if not isinstance(value, tuple) or not (value or name in MAY_BE_EMPTY):
            raise ValueError(f"{name} is {value!r}; it must be a tuple of at least one")
        of = typing.get_args(kind)[0]
        for item in value:
            _require(name, of, item)
        if of is str:
            checks.require_known(value, list(getattr(type(config)(), name)), name)


def _require(name: str, kind: Any, value: Any) -> None:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if not (number if kind is float else isinstance(value, kind) and not isinstance(value, bool)):
        raise TypeError(f"{name} is {value!r}; it must be of type {kind.__name__}")
    if kind is int:
        least, most = LEAST.get(name, 1), LARGEST_SEED if name == "seed" else MOST
        if not least <= value <= most:
            raise ValueError(f"{name} is {value}; it must be in {least} to {most}")
    elif kind is float:
        low = value >= 0 if name in MAY_BE_ZERO else value > 0
        if not (low and math.isfinite(value) and (value < 1 or name not in SHARES)):
            lowest = "0 or more" if name in MAY_BE_ZERO else "more than 0"
            below = " and less than 1" if name in SHARES else ""
            raise ValueError(f"{name} is {value}; it must be {lowest}{below}, and finite")
    elif kind is str and any(not character.isprintable() for character in value):
        raise ValueError(f"{name} is {value!r}; it must be printable")


def _parse(kind: Any, text: str) -> Any:
    if typing.get_origin(kind) is tuple:
        return tuple(typing.get_args(kind)[0](item) for item in text.split(","))
    return kind(text)
