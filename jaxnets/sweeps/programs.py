"""The programs of a search: candidates that differ in numbers only train as one sweep."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, NamedTuple

import numpy as np
from jax import Array

from jaxnets.parallel.rows import take_rows
from jaxnets.sweeps.axes import Candidate, naming
from jaxnets.training.loop import History
from jaxnets.training.spec import TrainSpec
from jaxnets.training.sweep import sweep
from jaxnets.training.validate import prepare


class Program(NamedTuple):
    """The rows of a search that train as one sweep, and what became of them so far."""

    spec: TrainSpec
    rows: np.ndarray
    hparams: dict[str, np.ndarray]
    """An array `[len(rows)]` each."""
    state: Any
    """The `State`, with leading axes `[len(rows)]`; None before any training."""
    history: History
    """The metrics `[len(rows), records]`."""


def programs_of(candidates: Sequence[Candidate], seeds: int, data: Any) -> list[Program]:
    """Groups the rows of candidates by what must be compiled; row `c * seeds + s` is of seed s.

    Raises:
        ValueError, TypeError: what does not fit, with the choices of which that is so.
    """
    groups: dict[Any, list[int]] = {}
    for i, candidate in enumerate(candidates):
        groups.setdefault((candidate.spec, frozenset(candidate.hparams)), []).append(i)
    programs = []
    for indices in groups.values():
        program = _program(candidates, indices, seeds)
        check = partial(prepare, program.spec, data, program.hparams, on_host=True)
        shared = _in_common([candidates[i].choices for i in indices])
        naming(shared, partial(check, networks=len(program.rows)))
        programs.append(program)
    return programs


def _program(candidates: Sequence[Candidate], indices: list[int], seeds: int) -> Program:
    rows = np.concatenate([np.arange(i * seeds, (i + 1) * seeds) for i in indices])
    chosen = [candidates[i].hparams for i in indices]
    numbers = {name: np.repeat([hparams[name] for hparams in chosen], seeds) for name in chosen[0]}
    return Program(candidates[indices[0]].spec, rows, numbers, None, {})


def _in_common(choices: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    first, *others = choices
    return {n: label for n, label in first.items() if all(o[n] == label for o in others)}


def trained(
    program: Program, keys: Array, data: Any, epochs: int | None = None, **options: Any
) -> Program:
    """Trains the rows of a program, or goes on with them.

    Args:
        program: what to train.
        keys: one a seed.
        data: as for `fit`.
        epochs: up to which, if those are fewer than the spec's.
        options: of `sweep`.
    """
    spec = program.spec if epochs is None else replace(program.spec, epochs=epochs)
    own = take_rows(keys, program.rows % len(keys))
    state, new = sweep(spec, own, data, program.hparams, state=program.state, **options)
    before = program.history
    history = {n: np.concatenate([before.get(n, a[:, :0]), a], axis=1) for n, a in new.items()}
    return program._replace(state=state, history=history)


def divided(program: Program, rows: np.ndarray) -> list[Program]:
    """Divides a trained program in two: the rows that are among the given ones, and the others."""
    inside = np.isin(program.rows, rows)
    parts = [np.flatnonzero(inside), np.flatnonzero(~inside)]
    return [_part(program, at) for at in parts]


def _part(program: Program, at: np.ndarray) -> Program:
    state = take_rows(program.state, at)
    hparams, history = (
        {name: values[at] for name, values in table.items()}
        for table in (program.hparams, program.history)
    )
    return Program(program.spec, program.rows[at], hparams, state, history)
