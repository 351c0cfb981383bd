"""The host side of training: checks before anything compiles, progress, sweeps on all cores."""

import math
from collections.abc import Mapping
from contextlib import AbstractContextManager
from functools import partial
from itertools import product
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.sharding import Mesh

from jaxnets import checks, distributed, memory, runs
from jaxnets.checkpoints import Checkpoints
from jaxnets.chunks import Place, in_chunks, in_pieces, stop_if_diverged
from jaxnets.identity import identity
from jaxnets.parallel import in_groups, layout, on_every_device
from jaxnets.pieces import Carry, advance_steps, begin
from jaxnets.prepare import prepare
from jaxnets.train import History, Hparams, Run, State, advance, init_state

CACHE_BYTES = 2**22
"""What the networks trained side by side on one core may take, so that they stay in its cache."""
SMALLEST_GROUP, LARGEST_GROUP = 4, 32
"""Fewer at a time than the smallest are slower than one after another."""


def fit(
    run: Run,
    key: Array,
    data: Any,
    hparams: Hparams | None = None,
    *,
    chunks: int = 1,
    progress: bool = False,
    mesh: Mesh | None = None,
    samples: int | None = None,
    keep: Checkpoints | None = None,
) -> tuple[State, History]:
    """Trains one network: the whole run in one program, or in `chunks` calls of it.

    Args:
        run: the static choices.
        key: decides the first params and the order of the batches.
        data: a `Dataset`, or another NamedTuple with the parts `train` and `valid`.
        hparams: arguments of `run.optimizer`, and optionally `l1`, `l2` and `width`.
        chunks: how often to come back to Python, where the loss is checked and progress shown.
        progress: whether to show a bar with the newest metrics.
        mesh: the devices among which every batch is divided, `distributed.all_devices()`; by
            default one device or, where several processes run, all devices of all of them.
        samples: how many training samples all processes have together, if each reads only its own,
            `distributed.own_rows(samples, mesh)`; without it `data` is the whole in every process.
        keep: a folder where the training is saved as it goes on, and from which it continues, bit
            for bit, where it was stopped. Steps are then taken in pieces instead of `chunks`.

    Returns:
        The last state, and the history on the host: `train_loss`, `valid_loss` and, for a
        classifier, `train_accuracy`, `valid_accuracy`, each `[records]`.

    Raises:
        ValueError, TypeError: data or hyper-parameters that do not fit, before anything compiles.
        Diverged: the loss is not finite; it carries the state of the last good chunk.
        OutOfMemory: the batch and the bytes asked for are named.
        Interrupted, Damaged, OtherTraining, NoRoom: of a training that is kept, see
            `jaxnets.chunks.in_pieces`.
    """
    checks.count(chunks, "chunks")
    checks.keys(key, 0, "key")
    if mesh is None and jax.process_count() > 1:
        mesh = distributed.all_devices()
    hparams, data = prepare(
        run,
        data,
        _of_one_network(run, checks.mapping({} if hparams is None else hparams, "hparams")),
        samples=samples,
        on_host=mesh is not None,
    )
    place = _place(keep, run, key, hparams, data, "one network")
    with _explained(run, data):
        first, n = data.train["x"][:1], samples or len(data.train["x"])
        if mesh is not None:
            run, key, hparams, data = distributed.divided(mesh, run, key, hparams, data, samples)
        state = jax.block_until_ready(_init(run, key, hparams, first))
        rest = {"hparams": hparams, "data": data, "order_key": state.key}
        pieces = partial(_advance_steps, run, **rest)
        check = partial(stop_if_diverged, run, n, pieces)
        if place:
            carry = _begin(run, state, data.valid is not None)
            state, history = in_pieces(run, pieces, carry, n, place, progress, check)
        else:
            program = partial(_advance, run, **rest)
            state, history = in_chunks(run, program, state, chunks, progress, check)
        return (state if mesh is None else distributed.on_first_device(state)), history


def sweep(
    run: Run,
    keys: Array,
    data: Any,
    hparams: Mapping[str, Any],
    *,
    shared_order: bool = False,
    group: int | None = None,
    chunks: int = 1,
    progress: bool = False,
    keep: Checkpoints | None = None,
) -> tuple[State, History]:
    """Trains a network for every key in one program, spread over all devices.

    Row `i` of the result is what `fit(run, keys[i], data, {name: hparams[name][i]})` gives. A
    network that diverges has NaN in its history and does not stop the others.

    Args:
        run: the static choices.
        keys: one key a network, `jax.random.split(key, n)`.
        data: as in `fit`.
        hparams: a scalar or an array `[n]` for each; see `grid`.
        shared_order: whether all networks see the same order of batches, which is faster but makes
            seeds less independent.
        group: networks trained side by side on a device; by default as many as stay in its cache.
        chunks: as in `fit`.
        progress: as in `fit`.
        keep: as in `fit`, in one process.

    Returns:
        State and history as in `fit`, with a leading axis `[n]`, the state on the first device.
        Where several processes run, each has the whole result.

    Raises:
        ValueError, TypeError: as in `fit`, or a hyper-parameter that is neither scalar nor `[n]`.
        OutOfMemory, Interrupted, Damaged, OtherTraining, NoRoom: as in `fit`.
    """
    checks.keys(keys, 1, "keys")
    n = len(keys)
    checks.count(n, "the number of keys")
    checks.count(chunks, "chunks")
    if group is not None:
        checks.count(group, "group")
    hparams = checks.mapping(hparams, "hparams")
    hparams = {name: _per_network(name, value, n) for name, value in hparams.items()}
    hparams, data = prepare(run, data, hparams)
    if group is None:
        group = _cached_group(run, data) if jax.default_backend() == "cpu" else n
    at = layout(n, group)
    how = f"{len(at.places)} places, groups of {at.group}, shared_order={shared_order}"
    place = _place(keep, run, keys, hparams, data, how)
    if place and at.mesh.is_multi_process:
        raise ValueError("a sweep of several processes cannot be kept: leave out keep, or the run")
    with _explained(run, data):
        order_key = at.copy(keys[0]) if shared_order else None
        keys, hparams = at.deal((keys, hparams))
        data = at.copy(data)
        state = jax.block_until_ready(_init_sweep(run, at.group, at.mesh, keys, hparams, data))
        static, rest = (run, at.group, at.mesh), (hparams, data, order_key)
        if place:
            carry = _begin_sweep(*static, state, data.valid is not None)
            pieces = partial(_advance_steps_sweep, *static, rest)
            samples = len(data.train["x"])
            state, history = in_pieces(run, pieces, carry, samples, place, progress)
        else:
            program = partial(_advance_sweep, *static, rest)
            state, history = in_chunks(run, program, state, chunks, progress)
        return at.collect(state), jax.tree.map(lambda a: a[:n], history)


def grid(**axes: Any) -> dict[str, Array]:
    """The cartesian product of the axes: a dict of arrays `[n]`, the last axis fastest."""
    for name, values in axes.items():
        if checks.finite(values, name).ndim != 1:
            raise ValueError(f"{name} is {values!r}; an axis of a grid is a list of numbers")
    points = list(product(*axes.values()))
    return {name: jnp.asarray([p[i] for p in points]) for i, name in enumerate(axes)}


def _explained(run: Run, data: Any) -> AbstractContextManager[None]:
    """Says of memory that does not suffice which batch it was for.

    The first params are waited for within it: XLA's CPU client never ends a program whose inputs
    could not be allocated.
    """
    n = len(data.train["x"])
    if run.batch_size is None:
        batch = f"batch_size=None, all {n} training samples in one batch,"
        remedy = f"set a batch_size, such as {min(128, n)}"
    else:
        batch = f"batches of {run.batch_size} of {n} training samples"
        remedy = "lower batch_size"
    return memory.explained(
        f"the network and {batch}", f"{remedy}, narrow the network, or, in a sweep, lower group"
    )


def _of_one_network(run: Run, hparams: Mapping[str, Any]) -> Mapping[str, Any]:
    """The hyper-parameters, once each is a scalar; the width may have one number a layer."""
    layers = (len(getattr(run.model, "widths", ())),)
    for name, value in hparams.items():
        if np.shape(value) not in ((), layers if name == "width" else ()):
            raise ValueError(
                f"{name} has shape {np.shape(value)}; one network takes a scalar: for many, use "
                "sweep"
            )
    return hparams


def _per_network(name: str, value: Any, n: int) -> np.ndarray:
    if np.shape(value) not in ((), (n,)):
        raise ValueError(
            f"{name} has shape {np.shape(value)}; expected a scalar or [{n}], one a key"
        )
    return np.broadcast_to(value, (n,))


def _cached_group(run: Run, data: Any) -> int:
    """As many networks as keep parameters, moments, gradients, activations in the cache, or 1."""
    x = data.train["x"]
    params = jax.eval_shape(run.model.init, jax.random.key(0), x[:1])
    units = sum(leaf.size for leaf in jax.tree.leaves(params) if leaf.ndim == 1)
    batch = run.batch_size or len(x)
    numbers = 4 * sum(leaf.size for leaf in jax.tree.leaves(params)) + 3 * units * batch
    if run.batch_size:
        numbers += batch * math.prod(x.shape[1:])
    group = min(LARGEST_GROUP, CACHE_BYTES // (numbers * x.dtype.itemsize))
    return group if group >= SMALLEST_GROUP else 1


_init = jax.jit(init_state, static_argnums=0)
_advance = jax.jit(advance, static_argnums=(0, 1))


@partial(jax.jit, static_argnums=(0, 1, 2))
def _init_sweep(
    run: Run, group: int, mesh: Mesh, keys: Array, hparams: Hparams, data: Any
) -> State:
    def one(row: tuple[Array, Hparams], data: Any) -> State:
        key, hparams = row
        return init_state(run, key, hparams, data.train["x"])

    return in_groups(mesh, group, one, (keys, hparams), data)


@partial(jax.jit, static_argnums=(0, 1, 2, 4))
def _advance_sweep(
    run: Run, group: int, mesh: Mesh, rest: tuple, records: int, states: State
) -> tuple[State, History]:
    def one(
        row: tuple[State, Hparams], data: Any, order_key: Array | None
    ) -> tuple[State, History]:
        state, hparams = row
        key = state.key if order_key is None else order_key
        return advance(run, records, state, hparams, data, key)

    hparams, data, order_key = rest
    states, history = in_groups(mesh, group, one, (states, hparams), data, order_key)
    return states, on_every_device(history, mesh)


_begin = jax.jit(begin, static_argnums=(0, 2))
_advance_steps = jax.jit(advance_steps, static_argnums=0)


@partial(jax.jit, static_argnums=(0, 1, 2, 4))
def _begin_sweep(run: Run, group: int, mesh: Mesh, states: State, validated: bool) -> Carry:
    return in_groups(mesh, group, lambda state: begin(run, state, validated), states)


@partial(jax.jit, static_argnums=(0, 1, 2))
def _advance_steps_sweep(
    run: Run, group: int, mesh: Mesh, rest: tuple, carries: Carry, start: Array, count: Array
) -> Carry:
    def one(row: tuple[Carry, Hparams], *same: Any) -> Carry:
        carry, hparams = row
        data, order_key, start, count = same
        return advance_steps(run, carry, start, count, hparams, data, order_key)

    hparams, data, order_key = rest
    return in_groups(mesh, group, one, (carries, hparams), data, order_key, start, count)


def _place(
    keep: Checkpoints | None, run: Run, key: Array, hparams: Hparams, data: Any, how: str
) -> Place | None:
    """Where the training is kept: as asked for, or in the run that is being recorded."""
    if keep is None and not runs.recorded():
        return None
    what = identity(run, key, hparams, data) | {"how": how}
    return Place(runs.kept(what) if keep is None else keep, what)
