"""Trains many networks in one program, spread over all devices."""

import math
from collections.abc import Mapping
from functools import lru_cache, partial
from itertools import product
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.sharding import Mesh

from jaxnets.host import checks
from jaxnets.host.checks import require_not_forked
from jaxnets.host.memory import out_of_memory_hint
from jaxnets.objective import calls_of
from jaxnets.parallel.rows import layout, map_in_groups
from jaxnets.storage.checkpoints import CheckpointConfig
from jaxnets.training.continuing import going_on, require_states
from jaxnets.training.driver import Hook, Job, drive
from jaxnets.training.fingerprint import describe, fingerprint
from jaxnets.training.loop import Carry, History, Hparams, State, advance, begin, split_key
from jaxnets.training.spec import TrainSpec
from jaxnets.training.stopping import best_state, cut_off
from jaxnets.training.validate import batch_hint, bind_schedules, prepare, program_state

CACHE_BYTES = 4_250_000
"""What the networks trained side by side on one core may take, so that they stay in its cache."""
SMALLEST_GROUP, LARGEST_GROUP = 4, 32
"""Fewer at a time than the smallest are slower than one after another."""


def sweep(
    spec: TrainSpec,
    keys: Array,
    data: Any,
    hparams: Mapping[str, Any],
    *,
    shared_order: bool = False,
    group: int | None = None,
    progress: bool = False,
    checkpoints: CheckpointConfig | None = None,
    state: State | None = None,
    on_record: Hook | None = None,
) -> tuple[State, History]:
    """Trains a network for every key in one program, spread over all devices.

    Row `i` of the result equals the corresponding single run,
    `fit(spec, keys[i], data, {name: hparams[name][i]})`. A network that diverges has NaN in its
    history and does not stop the others.

    Args:
        spec: the static choices.
        keys: one key a network, `jax.random.split(key, n)`.
        data: as in `fit`.
        hparams: a scalar or an array `[n]` for each; see `grid`.
        shared_order: whether all networks see the same order of batches, which is faster but makes
            seeds less independent.
        group: networks trained side by side on a device; by default as many as stay in its cache.
        progress: whether to show a live bar with the newest metrics, means over the networks.
        checkpoints: as in `fit`, in one process.
        state: as in `fit`, that of a sweep with fewer epochs, or some of its rows.
        on_record: as in `fit`, with an array `[n]` a metric; in one process.

    Returns:
        State and history as in `fit`, with a leading axis `[n]`, the state on the first device.
        Where several processes run, each has the full result.

    Raises:
        ValueError, TypeError: as in `fit`, or a hyper-parameter that is neither scalar nor `[n]`.
        OutOfMemoryError, Interrupted, CorruptCheckpoint: as in `fit`.
        CheckpointMismatch, FolderInUseError, DiskFullError: as in `fit`.

    Example:
        >>> import jax, jaxnets as jn
        >>> from jaxnets.data import load
        >>> spec = jn.TrainSpec(jn.MLP((4,), 10), "softmax_cross_entropy", 2, 256)
        >>> keys = jax.random.split(jax.random.key(0), 3)
        >>> rates = {"learning_rate": [1e-3, 1e-2, 1e-1]}
        >>> states, history = jn.sweep(spec, keys, load("digits"), rates)
        >>> history["valid_loss"].shape
        (3, 2)
    """
    require_not_forked()
    checks.require_keys(keys, 1, "keys")
    n = len(keys)
    checks.require_count(n, "the number of keys")
    if group is not None:
        checks.require_count(group, "group")
    if state is not None and checkpoints is not None:
        raise ValueError("a sweep with checkpoints goes on from them: leave out the state")
    if on_record is not None:
        checks.require_callable(on_record, "on_record", "jaxnets.hooks.to_csv('metrics.csv')")
    spec, hparams = bind_schedules(spec, hparams)
    if checkpoints is not None:
        describe(spec, "spec")  # refuses what has no fingerprint before it is called
    data, hparams = prepare(spec, data, hparams, networks=n)
    hparams = jax.tree.map(partial(np.broadcast_to, shape=n), hparams)
    on_cpu, state_id = jax.default_backend() == "cpu", program_state(spec)
    if group is None:
        samples_type = jax.typeof(data.train["x"])
        group = cached_group(spec, state_id, samples_type) if on_cpu else n
    at = layout(n, group)
    found = None
    if at.mesh.is_multi_process and (checkpoints or on_record):
        what = "save checkpoints" if checkpoints else "report its records"
        raise ValueError(f"a sweep on several processes cannot {what}: leave them out")
    if checkpoints is not None:
        places = f"{len(at.places)} places, groups of {at.group}, shared_order={shared_order}"
        places += "" if on_cpu else f", {jax.default_backend()}"
        found = fingerprint(spec, keys, data, hparams) | {"layout": places}
    samples, validated = len(data.train["x"]), bool(data.valid)
    try:
        shared_key = split_key(keys[0]).order if shared_order else None
        (keys, hparams), (data, shared_key) = at.place((keys, hparams), (data, shared_key))
        x = data.train["x"]
        # Drawn one by one, first params are the same bits, in half the time to compile on a CPU.
        drawn = 1 if on_cpu else at.group
        # As in `fit`: programs must not wait for inputs that could not be allocated.
        begun = _begin(spec, state_id, drawn, at.mesh, keys, x, hparams, validated)
        carry, order_keys = jax.block_until_ready(begun)
        taken = 0
        if state is not None:
            taken = require_states(spec, state, carry.state, samples, n)
            carry = going_on(carry, at.place(state, None)[0])
        static = (spec, state_id, at.group, at.mesh)
        program = partial(_advance, *static, (hparams, order_keys), (data, shared_key))
        job = Job(spec, program, samples, stops_if_diverged=False, begun=taken, networks=n)
        carry = drive(job, carry, progress, checkpoints, found, on_record)
        state, history, watched = at.collect((carry.state, carry.history, carry.watched))
    except (MemoryError, jax.errors.JaxRuntimeError) as error:
        raise out_of_memory_hint(error, *batch_hint(spec, samples)) from error
    history = jax.device_get(history)
    if taken:
        history = {name: rows[:, job.records(taken) :] for name, rows in history.items()}
    if spec.stopping:
        return best_state(state, watched), cut_off(history, watched.records)
    return state, history


def grid(**axes: Any) -> dict[str, Array]:
    """Builds the cartesian product of the axes: a dict of arrays `[n]`, the last axis fastest.

    Raises:
        ValueError: an axis that is not a list of finite numbers.

    Example:
        >>> {name: values.tolist() for name, values in grid(width=[4, 8], seed=[0, 1, 2]).items()}
        {'width': [4, 4, 4, 8, 8, 8], 'seed': [0, 1, 2, 0, 1, 2]}
    """
    for name, values in axes.items():
        if checks.as_finite(values, name).ndim != 1:
            raise ValueError(f"{name} is {values!r}; an axis of a grid is a list of numbers")
    points = list(product(*axes.values()))
    return {name: jnp.asarray([p[i] for p in points]) for i, name in enumerate(axes)}


@lru_cache(maxsize=256)
def cached_group(spec: TrainSpec, state_id: str, x: Any) -> int:
    """Counts the networks whose parameters, moments, gradients, activations fit in the cache.

    `x` is the type of the samples; to trace a model takes longer than to train a small one.
    """
    drawn = jax.eval_shape(calls_of(spec.model).init, jax.random.key(0), x)
    batch, numbers = spec.batch_size or x.shape[0], 0
    for leaf in jax.tree.leaves(drawn):
        numbers += (4 + 3 * batch * (leaf.ndim == 1)) * leaf.size
    if spec.batch_size:
        numbers += batch * math.prod(x.shape[1:])
    group = min(LARGEST_GROUP, CACHE_BYTES // (numbers * x.dtype.itemsize))
    return group if group >= SMALLEST_GROUP else 1


@partial(jax.jit, static_argnums=(0, 1, 2, 3, 7))
def _begin(
    spec: TrainSpec,
    state_id: str,
    group: int,
    mesh: Mesh,
    keys: Array,
    x: Array,
    hparams: Hparams,
    validated: bool,
) -> tuple[Carry, Array]:
    def one(row: tuple[Array, Hparams], x: Array) -> tuple[Carry, Array]:
        return begin(spec, row[0], x, row[1], validated)

    return map_in_groups(mesh, group, one, (keys, hparams), x)


@partial(jax.jit, static_argnums=(0, 1, 2, 3))
def _advance(
    spec: TrainSpec,
    state_id: str,
    group: int,
    mesh: Mesh,
    rows: tuple[Hparams, Array],
    same: tuple[Any, Array | None],
    carries: Carry,
    start: Array,
    count: Array,
) -> Carry:
    def one(row: tuple[Carry, Hparams, Array], *same: Any) -> Carry:
        (carry, hparams, own_key), (data, shared_key, start, count) = row, same
        order_key = own_key if shared_key is None else shared_key
        return advance(spec, carry, start, count, data, hparams, order_key)

    return map_in_groups(mesh, group, one, (carries, *rows), *same, start, count)
