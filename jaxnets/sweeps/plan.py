"""What a search will train, once all of it has been checked."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from jax import Array

from jaxnets.host import checks
from jaxnets.host.checks import require_not_forked
from jaxnets.objective import Hparams
from jaxnets.sweeps.axes import Candidate, Choice, candidates_of, choices_of, grid_points, places_of
from jaxnets.sweeps.draws import drawn_points, is_listed
from jaxnets.sweeps.programs import Program, programs_of
from jaxnets.training.spec import TrainSpec


class Plan(NamedTuple):
    """The candidates of a search, and the programs that they need."""

    candidates: list[Candidate]
    programs: list[Program]
    samples: int


def planned(
    spec: TrainSpec,
    key: Array,
    data: Any,
    axes: Mapping[str, Any],
    n: int | None,
    hparams: Hparams | None,
    seeds: int,
    group: int | None,
) -> Plan:
    """Checks a search, and groups its candidates by what must be compiled.

    Args:
        spec: the static choices that are not an axis.
        key: decides the points that are drawn.
        data: as for `fit`.
        axes: names to values or distributions.
        n: how many points to draw; None for the grid.
        hparams: those that are the same for all candidates.
        seeds: runs of each candidate.
        group: networks trained side by side on a device.

    Raises:
        ValueError, TypeError: what does not fit, before anything compiles.
    """
    require_not_forked()
    checks.require_keys(key, 0, "key")
    checks.require_count(seeds, "seeds")
    for count, name in ((n, "n"), (group, "group")):
        if count is not None:
            checks.require_count(count, name)
    hparams = {} if hparams is None else hparams
    if not isinstance(hparams, Mapping):
        raise TypeError(f"hparams is {hparams!r}; it must be a dict, such as {{'l2': 1e-4}}")
    _require_axes(axes, hparams)
    listed = _listed(axes, every=n is None)
    places = places_of(spec, axes, listed)
    points = grid_points(listed) if n is None else drawn_points(key, axes, listed, places, n)
    candidates = candidates_of(spec, points, places, hparams)
    programs = programs_of(candidates, seeds, data)
    return Plan(candidates, programs, len(data.train["x"]))


def _listed(axes: Mapping[str, Any], every: bool) -> dict[str, list[Choice]]:
    """Reads the axes that are lists, as those of a grid must be."""
    return {n: choices_of(n, axis) for n, axis in axes.items() if every or is_listed(axis)}


def _require_axes(axes: Any, hparams: Any) -> None:
    if not isinstance(axes, Mapping):
        raise TypeError(f"axes is {axes!r}; it must be a dict, such as {{'learning_rate': [0.1]}}")
    if not axes:
        raise ValueError("axes is empty: name what varies, or use fit or sweep")
    if "seed" in axes:
        raise ValueError("a seed is not an axis: seeds=3 gives every candidate three keys")
    both = [name for name in axes if name in hparams]
    if both:
        raise ValueError(f"{both[0]!r} is an axis and among the hparams: leave out one of them")
