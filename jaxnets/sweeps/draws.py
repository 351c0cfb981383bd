"""Random points of a search, drawn from a key."""

import math
import zlib
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import jax
import numpy as np
from jax import Array

from jaxnets.host import checks
from jaxnets.objective import PENALTIES
from jaxnets.sweeps.axes import OPTIMIZER, Choice, Point

KINDS = ("uniform", "log-uniform")
Draw = Callable[[np.random.Generator], Choice]


def drawn_points(
    key: Array,
    axes: Mapping[str, Any],
    listed: Mapping[str, list[Choice]],
    places: Mapping[str, str],
    n: int,
) -> list[Point]:
    """Draws n points; the first of them are those of a search of fewer.

    Each axis has a stream of its own, so that another axis changes no draw. Points of lists only
    are all different.

    Args:
        key: decides the draws.
        axes: names to what is drawn from.
        listed: the choices of the axes that are lists.
        places: where each axis belongs.
        n: how many.

    Raises:
        ValueError: more points than there are combinations, or a range that is not one.
        TypeError: a distribution that does not draw numbers.
    """
    draws = {
        name: _of_list(listed[name]) if name in listed else _draw_of(name, axis, places[name])
        for name, axis in axes.items()
    }
    points = _stream(key, draws)
    if len(listed) < len(axes):
        return [next(points) for _ in range(n)]
    combinations = math.prod(map(len, listed.values()))
    if n > combinations:
        raise ValueError(f"n is {n}, but the axes have {combinations} combinations: use fewer")
    found: dict[tuple, Point] = {}
    while len(found) < n:
        point = next(points)
        found.setdefault(tuple(map(id, point.values())), point)
    return list(found.values())


def _stream(key: Array, draws: Mapping[str, Draw]) -> Iterator[Point]:
    seed = np.ravel(jax.random.key_data(key)).tolist()
    streams = {name: np.random.default_rng([*seed, zlib.crc32(name.encode())]) for name in draws}
    while True:
        yield {name: draw(streams[name]) for name, draw in draws.items()}


def is_listed(axis: Any) -> bool:
    """Tells whether an axis lists its values, and does not say how they are distributed."""
    return not (isinstance(axis, tuple) or hasattr(axis, "rvs"))


def _draw_of(name: str, axis: Any, place: str) -> Draw:
    if hasattr(axis, "rvs"):
        return lambda rng: _of_distribution(name, axis, rng)
    return _of_range(name, axis, real=place == OPTIMIZER or name in PENALTIES)


def _of_list(choices: list[Choice]) -> Draw:
    return lambda rng: choices[rng.integers(len(choices))]


def _of_distribution(name: str, axis: Any, rng: np.random.Generator) -> Choice:
    value = np.asarray(axis.rvs(random_state=rng))
    if value.ndim:
        raise TypeError(
            f"axis {name!r} draws an array of shape {value.shape}; its rvs must give one number"
        )
    return Choice(value.item(), value.item())


def _of_range(name: str, axis: tuple, real: bool) -> Draw:
    """Reads `(low, high)` or `(low, high, kind)`; between integers are integers, unless real."""
    if len(axis) not in (2, 3):
        raise ValueError(
            f"axis {name!r} is {axis!r}; a range is (low, high) or (low, high, 'log-uniform'), "
            "and values to choose from are a list"
        )
    low, high = (checks.as_number(end, f"an end of axis {name!r}") for end in axis[:2])
    kind = axis[2] if len(axis) == 3 else "uniform"
    checks.require_known([kind], KINDS, f"distribution of axis {name!r},")
    if low >= high:
        raise ValueError(f"axis {name!r} is {axis!r}; the first must be below the second")
    if kind == "log-uniform" and low <= 0:
        raise ValueError(f"axis {name!r} is {axis!r}; a log-uniform range is above 0")
    integer = not real and all(isinstance(end, int | np.integer) for end in axis[:2])
    to, back = (math.log, math.exp) if kind == "log-uniform" else (float, float)

    def draw(rng: np.random.Generator) -> Choice:
        value = back(rng.uniform(to(low), to(high + integer)))
        value = min(max(math.floor(value) if integer else value, axis[0]), axis[1])
        return Choice(value, value)

    return draw
