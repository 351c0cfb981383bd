"""The host side of training: checks before anything compiles, progress, sweeps on all cores."""

import inspect
import math
from collections.abc import Callable, Mapping
from functools import partial
from itertools import product
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.sharding import Mesh

from jaxnets import checks
from jaxnets.losses import get_loss
from jaxnets.parallel import in_groups, layout
from jaxnets.progress import bar as progress_bar
from jaxnets.train import PENALTIES, History, Hparams, Run, State, advance, init_state

CACHE_BYTES = 2**22
"""What the networks trained side by side on one core may take, so that they stay in its cache."""
SMALLEST_GROUP, LARGEST_GROUP = 4, 32
"""Fewer at a time than the smallest are slower than one after another."""


class Diverged(FloatingPointError):
    """A loss that is no longer finite; carries the last finite `state` and the `history`."""

    def __init__(self, message: str, state: State, history: History):
        super().__init__(message)
        self.state = state
        self.history = history


def fit(
    run: Run,
    key: Array,
    data: Any,
    hparams: Hparams | None = None,
    *,
    chunks: int = 1,
    progress: bool = False,
) -> tuple[State, History]:
    """Trains one network: the whole run in one program, or in `chunks` calls of it.

    Args:
        run: the static choices.
        key: decides the first params and the order of the batches.
        data: a `Dataset`, or another NamedTuple with the parts `train` and `valid`.
        hparams: arguments of `run.optimizer`, and optionally `l1`, `l2` and `width`.
        chunks: how often to come back to Python, where the loss is checked and progress shown.
        progress: whether to show a bar with the newest metrics.

    Returns:
        The last state, and the history on the host: `train_loss`, `valid_loss` and, for a
        classifier, `train_accuracy`, `valid_accuracy`, each `[records]`.

    Raises:
        ValueError, TypeError: data or hyper-parameters that do not fit, before anything compiles.
        Diverged: the loss is not finite; it carries the state of the last good chunk.
    """
    checks.count(chunks, "chunks")
    hparams, data = prepare(run, data, hparams or {})
    state = _init(run, key, hparams, data.train["x"][:1])
    program = partial(_advance, run, hparams=hparams, data=data, order_key=state.key)
    return _in_chunks(run, program, state, chunks, progress, stop_on_nan=True)


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

    Returns:
        State and history as in `fit`, with a leading axis `[n]`, the state on the first device.

    Raises:
        ValueError, TypeError: as in `fit`, or a hyper-parameter that is neither scalar nor `[n]`.
    """
    n = len(keys)
    checks.count(n, "the number of keys")
    checks.count(chunks, "chunks")
    if group is not None:
        checks.count(group, "group")
    hparams = {name: _per_network(name, value, n) for name, value in hparams.items()}
    hparams, data = prepare(run, data, hparams)
    if group is None:
        group = _cached_group(run, data) if jax.default_backend() == "cpu" else n
    at = layout(n, group)
    keys, hparams = at.deal((keys, hparams))
    data = at.copy(data)
    order_key = at.copy(keys[0]) if shared_order else None
    state = _init_sweep(run, at.group, at.mesh, keys, hparams, data)
    program = partial(
        _advance_sweep, run, at.group, at.mesh, hparams=hparams, data=data, order_key=order_key
    )
    state, history = _in_chunks(run, program, state, chunks, progress, stop_on_nan=False)
    return at.collect(state), jax.tree.map(lambda a: a[:n], history)


def grid(**axes: Any) -> dict[str, Array]:
    """The cartesian product of the axes: a dict of arrays `[n]`, the last axis fastest."""
    points = list(product(*axes.values()))
    return {name: jnp.asarray([p[i] for p in points]) for i, name in enumerate(axes)}


def prepare(run: Run, data: Any, hparams: Mapping[str, Any]) -> tuple[Hparams, Any]:
    """Hyper-parameters and data as device arrays, once all of it has been checked.

    Raises:
        ValueError, TypeError: what does not fit, where, and what to do.
    """
    _check_hparams(run, hparams)
    train = _check_part(run, data.train, "train")
    valid = None if data.valid is None else _check_part(run, data.valid, "valid")
    if valid and valid["x"].shape[1:] != train["x"].shape[1:]:
        raise ValueError(
            f"train samples have shape {train['x'].shape[1:]}, validation samples "
            f"{valid['x'].shape[1:]}: both go through the same first layer"
        )
    n = len(train["x"])
    if run.batch_size is not None and run.batch_size > n:
        raise ValueError(
            f"batch_size {run.batch_size} is larger than the {n} training samples: "
            "use batch_size=None for the full set"
        )
    data = type(data)(**(dict.fromkeys(data._fields) | {"train": train, "valid": valid}))
    return {k: jnp.asarray(v, float) for k, v in hparams.items()}, jax.tree.map(jnp.asarray, data)


def _check_hparams(run: Run, hparams: Mapping[str, Any]) -> None:
    arguments = inspect.signature(run.optimizer).parameters
    checks.known_names(hparams, [*arguments, *PENALTIES, "width"], "hyper-parameter")
    for name, argument in arguments.items():
        variadic = argument.kind in (argument.VAR_POSITIONAL, argument.VAR_KEYWORD)
        if argument.default is argument.empty and not variadic and name not in hparams:
            raise ValueError(f"missing hyper-parameter {name!r}: the optimizer needs it")
    if "learning_rate" in hparams:
        checks.positive(hparams["learning_rate"], "learning_rate")
    for name in set(PENALTIES) & set(hparams):
        penalty = np.asarray(hparams[name])
        if not (np.isfinite(penalty) & (penalty >= 0)).all():
            raise ValueError(f"{name} is {penalty}; a penalty is 0 or more, and finite")
    if "width" in hparams:
        if not getattr(run.model, "widths", ()):
            raise ValueError("there is no hidden layer for the hyper-parameter width to narrow")
        width, widest = np.asarray(hparams["width"]), min(run.model.widths)
        if not ((width >= 1) & (width <= widest) & (width == np.round(width))).all():
            raise ValueError(f"width is {width}; the model has 1 to {widest} units")


def _check_part(run: Run, part: Mapping[str, Any], name: str) -> dict[str, np.ndarray]:
    x = getattr(run.model, "check_samples", checks.as_features)(part["x"], f"{name} x")
    shapes = jax.eval_shape(lambda x: run.model.init_with_output(jax.random.key(0), x), x[:1])
    y = get_loss(run.loss).check(part["y"], shapes[0].shape[-1], f"{name} y")
    checks.same_length(x, y, (f"{name} x", f"{name} y"))
    return {"x": x, "y": y}


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


@partial(jax.jit, static_argnums=(0, 1, 2, 3))
def _advance_sweep(
    run: Run,
    group: int,
    mesh: Mesh,
    records: int,
    states: State,
    hparams: Hparams,
    data: Any,
    order_key: Array | None,
) -> tuple[State, History]:
    def one(
        row: tuple[State, Hparams], data: Any, order_key: Array | None
    ) -> tuple[State, History]:
        state, hparams = row
        key = state.key if order_key is None else order_key
        return advance(run, records, state, hparams, data, key)

    return in_groups(mesh, group, one, (states, hparams), data, order_key)


def _in_chunks(
    run: Run,
    program: Callable[..., tuple[State, History]],
    state: State,
    chunks: int,
    progress: bool,
    stop_on_nan: bool,
) -> tuple[State, History]:
    records = run.epochs // run.record_every
    size = next(s for s in range(-(-records // chunks), records + 1) if records % s == 0)
    rows: list[History] = []
    with progress_bar(progress, "epoch", run.epochs) as bar:
        for _ in range(records // size):
            new_state, history = program(size, state)
            rows.append(jax.device_get(history))
            finite = np.isfinite(rows[-1]["train_loss"])
            if stop_on_nan and not (finite.all() and _all_finite(new_state.params)):
                record = (len(rows) - 1) * size + int(np.argmin(np.append(finite, False)))
                epoch = min((record + 1) * run.record_every, len(rows) * size * run.record_every)
                raise Diverged(
                    f"the training is not finite after epoch {epoch} of {run.epochs}: "
                    "try a smaller learning rate",
                    state,
                    _joined(rows),
                )
            state = new_state
            if progress:
                means = {k: f"{_finite_mean(v[..., -1]):.4g}" for k, v in rows[-1].items()}
                bar.set_postfix(means, refresh=False)
                bar.update(size * run.record_every)
    return state, _joined(rows)


def _all_finite(params: Any) -> bool:
    return all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(params))


def _finite_mean(values: Array) -> float:
    """Of the networks that have not diverged; NaN if all have."""
    finite = np.asarray(values)[np.isfinite(values)]
    return float(finite.mean()) if finite.size else math.nan


def _joined(rows: list[History]) -> History:
    return {name: np.concatenate([row[name] for row in rows], axis=-1) for name in rows[0]}
