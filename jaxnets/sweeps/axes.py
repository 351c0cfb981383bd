"""Axes of a search: what may vary, its values, and the candidates that they make.

An axis is a field of the spec (`batch_size`, `optimizer`), a field of the model (`activation`,
`widths`), or a number: an argument of the optimizer, a penalty, or what the model offers
(`width`, `dropout`). Numbers are traced; of everything else each combination takes a program.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, fields, is_dataclass, replace
from functools import partial
from inspect import signature
from itertools import chain, product
from typing import Any, NamedTuple

import numpy as np

from jaxnets.host import checks
from jaxnets.objective import PENALTIES
from jaxnets.training.optimizers import as_optimizer
from jaxnets.training.spec import TrainSpec
from jaxnets.training.validate import OWN, bind_schedules

SPEC, MODEL, OPTIMIZER, NUMBER = "the spec", "the model", "the optimizer", "the hparams"


class Choice(NamedTuple):
    """A value of an axis, and what a table shows for it."""

    label: Any
    value: Any


Point = dict[str, Choice]
"""A choice on every axis."""


@dataclass(frozen=True)
class Candidate:
    """What one point of a search trains: static choices, and numbers that may be traced."""

    choices: dict[str, Any]
    spec: TrainSpec
    hparams: dict[str, Any]


def choices_of(name: str, values: Any) -> list[Choice]:
    """Reads an axis: a list of values, or a dict of labels to values.

    Raises:
        TypeError: a single value, or one that cannot be hashed.
        ValueError: no values.
    """
    if isinstance(values, Mapping):
        found = [Choice(label, _plain(value)) for label, value in values.items()]
    elif isinstance(values, list | range) or getattr(values, "ndim", 0) > 0:
        found = [Choice(_shown(value), value) for value in map(_plain, values)]
    else:
        raise TypeError(
            f"axis {name!r} is {values!r}; it must be a list of values, or a dict of labels to "
            "values: what is fixed goes into the spec or into hparams"
        )
    if not found:
        raise ValueError(f"axis {name!r} is empty: give it values, or leave it out")
    for choice in found:
        _require_hashable(name, choice.value)
    return found


def grid_points(axes: Mapping[str, list[Choice]]) -> list[Point]:
    """Lists all combinations, the last axis fastest."""
    return [dict(zip(axes, point, strict=True)) for point in product(*axes.values())]


def places_of(
    spec: TrainSpec, names: Iterable[str], listed: Mapping[str, list[Choice]]
) -> dict[str, str]:
    """Says where each axis belongs: to the spec, the model, the optimizer or the other numbers.

    Args:
        spec: the static choices that are not an axis.
        names: of the axes.
        listed: the choices of axes that are lists.

    Raises:
        ValueError: a name that none of them has, with the nearest; or one that two have.
    """
    models, optimizers = (
        [choice.value for choice in listed.get(name, [Choice("", getattr(spec, name))])]
        for name in ("model", "optimizer")
    )
    known = {
        SPEC: [field.name for field in fields(spec)],
        MODEL: [name for model in models for name in _fields_of(model)],
        OPTIMIZER: [
            name for optimizer in optimizers for name in _arguments(as_optimizer(optimizer))
        ],
        NUMBER: [*PENALTIES, *[name for model in models for name in _numbers_of(model)]],
    }
    found = {}
    checks.require_known(names, dict.fromkeys(chain(*known.values())), "axis")
    for name in names:
        at = [place for place, inside in known.items() if name in inside]
        if len(at) > 1:
            raise ValueError(f"axis {name!r} may be of {' or of '.join(at)}: rename one of them")
        found[name] = at[0]
    return found


def candidates_of(
    spec: TrainSpec, points: list[Point], places: Mapping[str, str], hparams: Mapping[str, Any]
) -> list[Candidate]:
    """Builds what each point trains; those that differ in numbers only have the same spec.

    Raises:
        ValueError, TypeError: a choice that the spec or the model refuses, with its point.
    """
    specs: dict[Any, tuple[TrainSpec, Mapping[str, Any]]] = {}
    found = []
    for point in points:
        labels = {name: choice.label for name, choice in point.items()}
        values = {name: choice.value for name, choice in point.items()}
        numbers = {n: v for n, v in values.items() if _is_traced(places[n], v)}
        static = {n: v for n, v in values.items() if n not in numbers}
        for name, number in numbers.items():
            checks.as_number(number, name)
        same = tuple((name, type(value), value) for name, value in static.items())
        if same not in specs:
            shown = {name: labels[name] for name in static}
            specs[same] = naming(shown, partial(_with_choices, spec, static, places, hparams))
        built, fixed = specs[same]
        found.append(Candidate(labels, built, {**fixed, **numbers}))
    return found


def naming(labels: Mapping[str, Any], compute: Callable[[], Any]) -> Any:
    """Computes; an error gets the choices that it is of."""
    try:
        return compute()
    except (ValueError, TypeError) as error:
        chosen = ", ".join(f"{name}={label}" for name, label in labels.items())
        kind = TypeError if isinstance(error, TypeError) else ValueError
        raise kind(f"with {chosen}: {error}" if chosen else str(error)) from error


def _with_choices(
    spec: TrainSpec,
    static: Mapping[str, Any],
    places: Mapping[str, str],
    hparams: Mapping[str, Any],
) -> tuple[TrainSpec, Mapping[str, Any]]:
    """Builds a spec with these choices, into which schedules of the hparams move."""
    of = {
        place: {name: value for name, value in static.items() if places[name] == place}
        for place in (SPEC, MODEL, OPTIMIZER)
    }
    spec = replace(spec, **of[SPEC])
    if of[MODEL]:
        lacking = {*of[MODEL]} - {*_fields_of(spec.model)}
        if lacking:
            name = type(spec.model).__name__
            raise ValueError(f"the model, of {name}, has no field {min(lacking)!r}")
        spec = replace(spec, model=replace(spec.model, **of[MODEL]))
    if of[OPTIMIZER]:
        spec = replace(spec, optimizer=partial(spec.optimizer, **of[OPTIMIZER]))
    return bind_schedules(spec, hparams)


def _is_traced(place: str, value: Any) -> bool:
    """Flags, None and schedules of an optimizer are static, its numbers are not."""
    if place == OPTIMIZER:
        return not (value is None or isinstance(value, bool) or callable(value))
    return place == NUMBER


def _fields_of(model: Any) -> list[str]:
    """Names the fields of a dataclass, such as a module of Flax, that a constructor takes."""
    if not is_dataclass(model):
        return []
    others = {"parent", "name", *_numbers_of(model)}
    return [field.name for field in fields(model) if field.init and field.name not in others]


def _numbers_of(model: Any) -> list[str]:
    """Names the numbers of a model that may be traced, such as a width or a rate of dropout."""
    return [name for kind in OWN for name in getattr(model, kind, ())]


def _arguments(optimizer: Callable[..., Any]) -> list[str]:
    return [*signature(optimizer).parameters]


def _plain(value: Any) -> Any:
    """Converts scalars of NumPy to Python's, and lists to tuples, which can be hashed."""
    if isinstance(value, list):
        return tuple(map(_plain, value))
    if isinstance(value, np.ndarray) or (hasattr(value, "dtype") and hasattr(value, "tolist")):
        return _plain(value.tolist())
    return value


def _shown(value: Any) -> Any:
    if value is None or isinstance(value, bool | float | int | str | tuple):
        return value
    return getattr(value, "__name__", " ".join(repr(value).split()))


def _require_hashable(name: str, value: Any) -> None:
    try:
        hash(value)
    except TypeError as error:
        raise TypeError(
            f"axis {name!r} has a {type(value).__name__} that cannot be hashed ({error}): use "
            "tuples, and @dataclass(frozen=True) for a dataclass"
        ) from error
