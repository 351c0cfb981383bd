"""Searches of a grid and of random points, in as few programs as the choices need."""

from collections.abc import Mapping
from typing import Any

import jax
from jax import Array

from jaxnets.objective import Hparams
from jaxnets.sweeps.plan import Plan, planned
from jaxnets.sweeps.programs import trained
from jaxnets.sweeps.result import SearchResult
from jaxnets.training.spec import TrainSpec


def grid_search(
    spec: TrainSpec,
    key: Array,
    data: Any,
    axes: Mapping[str, Any],
    *,
    hparams: Hparams | None = None,
    seeds: int = 1,
    group: int | None = None,
    shared_order: bool = False,
    progress: bool = False,
) -> SearchResult:
    """Trains every combination of the axes, those that differ in numbers only in one program.

    `found[i]` equals the single run, `fit(found[i].spec, found[i].key, data, found[i].hparams)`,
    up to rounding as in `sweep`; with `group=1` it is the same bit for bit.

    Args:
        spec: the static choices that are not an axis.
        key: gives each seed its own, `jax.random.split(key, seeds)`, the same for all candidates.
        data: as in `fit`.
        axes: names to lists of values, or to dicts of labels to values. A name is a field of the
            spec (`batch_size`, `optimizer`, `model`), a field of the model (`activation`,
            `widths`), an argument of the optimizer (`learning_rate`), `l1`, `l2`, or a number
            that the model offers (`width`, `dropout`).
        hparams: those that all candidates have.
        seeds: runs of each candidate.
        group: as in `sweep`.
        shared_order: as in `sweep`.
        progress: whether to show a live bar for each program.

    Raises:
        ValueError, TypeError: an axis that is not known or has no values, or a choice that does
            not fit, before anything compiles.
        OutOfMemoryError: as in `fit`.

    Examples:
        >>> import jax, jaxnets as jn
        >>> from jaxnets.data import TOY, from_arrays
        >>> data = from_arrays(**TOY["xor"](jax.random.key(0), 200))
        >>> spec = jn.TrainSpec(jn.MLP((8,)), "binary_cross_entropy", 5, 32)
        >>> axes = {"activation": ["relu", "tanh"], "learning_rate": [0.01, 0.1]}
        >>> found = jn.grid_search(spec, jax.random.key(1), data, axes, seeds=3)
        >>> found, len(found.table())
        (SearchResult(4 candidates, 3 seeds), 12)
    """
    plan = planned(spec, key, data, axes, None, hparams, seeds, group)
    options = {"group": group, "shared_order": shared_order, "progress": progress}
    return _all_trained(plan, jax.random.split(key, seeds), data, options)


def random_search(
    spec: TrainSpec,
    key: Array,
    data: Any,
    axes: Mapping[str, Any],
    *,
    n: int,
    hparams: Hparams | None = None,
    seeds: int = 1,
    group: int | None = None,
    shared_order: bool = False,
    progress: bool = False,
) -> SearchResult:
    """Trains n random points of the axes (Bergstra and Bengio, 2012).

    The points are drawn from the key; the first of them are those of a search of fewer.

    Args:
        spec: the static choices that are not an axis.
        key: decides the points, and as in `grid_search` the runs.
        data: as in `fit`, with parts `{"x": [samples, ...], "y": targets}`.
        axes: names, as in `grid_search`, to a list or dict of equally probable values, to
            `(low, high)` for a uniform distribution, `(low, high, "log-uniform")`, or to anything
            with `rvs(random_state=)`, such as `scipy.stats.loguniform(1e-4, 1e-1)`. Between
            integers are integers, except for the optimizer's numbers and penalties.
        n: how many points.
        hparams: those that all candidates have.
        seeds: runs of each candidate.
        group: as in `sweep`.
        shared_order: as in `sweep`.
        progress: whether to show a live bar for each program.

    Raises:
        ValueError, TypeError: as in `grid_search`, a range that is not one, or more points than
            lists have combinations.
        OutOfMemoryError: as in `fit`.

    Example:
        >>> import jax, jaxnets as jn
        >>> from jaxnets.data import load
        >>> spec = jn.TrainSpec(jn.MLP((4,), 10), "softmax_cross_entropy", 1, 256)
        >>> axes = {"learning_rate": (1e-4, 1e-1, "log-uniform")}
        >>> len(jn.random_search(spec, jax.random.key(0), load("digits"), axes, n=3).table())
        3
    """
    plan = planned(spec, key, data, axes, n, hparams, seeds, group)
    options = {"group": group, "shared_order": shared_order, "progress": progress}
    return _all_trained(plan, jax.random.split(key, seeds), data, options)


def _all_trained(plan: Plan, keys: Array, data: Any, options: Mapping[str, Any]) -> SearchResult:
    programs = [trained(program, keys, data, **options) for program in plan.programs]
    return SearchResult(plan.candidates, keys, programs, plan.samples)
