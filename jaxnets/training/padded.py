"""Epochs over fewer samples than an array has rows, so that sets of many sizes share a program."""

from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array, lax

from jaxnets.objective import Batch, Hparams, Metrics
from jaxnets.training.loop import History, State, Step, train
from jaxnets.training.permutation import permutation
from jaxnets.training.spec import TrainSpec


class Padded(NamedTuple):
    """A data set of which the last rows are not samples; they have weight 0."""

    train: Batch
    valid: Batch | None
    samples: Any
    """How many training samples there are."""


def pad(data: Any, samples: int, held_out: int) -> Padded:
    """Pads both parts of a data set, on the host, with rows of weight 0."""
    count = np.int32(len(data.train["x"]))
    valid = None if data.valid is None else _padded(data.valid, held_out)
    return Padded(_padded(data.train, samples), valid, count)


def train_padded(
    spec: TrainSpec, key: Array, data: Padded, hparams: Hparams
) -> tuple[State, History]:
    """Trains as `train` does without the padding, up to rounding.

    The sizes with and without must be of one kind, `jaxnets.training.permutation.kind_of`.
    """
    return train(spec, key, data, hparams, pass_over=partial(_epoch, data.samples))


def _padded(part: Batch, rows: int) -> dict[str, Any]:
    n = len(part["x"])
    weight = part.get("weight", np.ones(n, part["x"].dtype))
    found: dict[str, Any] = {}
    for name, values in (part | {"weight": weight}).items():
        found[name] = np.zeros((rows, *values.shape[1:]), values.dtype)
        found[name][:n] = values
    return found


def _epoch(
    count: Array,
    spec: TrainSpec,
    step: Step,
    samples: Batch,
    order_key: Array,
    number: Array,
    now: tuple[State, Metrics],
) -> tuple[State, Metrics]:
    """Takes the steps of an epoch, the last of which may have fewer samples."""
    n = len(samples["x"])
    size = spec.batch_size or n
    if spec.batch_size is None:
        order = jnp.arange(n)
    else:
        order = permutation(jax.random.fold_in(order_key, number), n, count)
        order = jnp.pad(order, (0, -n % size))

    def update(i: Array, now: tuple[State, Metrics]) -> tuple[State, Metrics]:
        rows = lax.dynamic_slice_in_dim(order, i * size, size)
        batch = jax.tree.map(lambda a: a[rows], samples)
        batch["weight"] *= i * size + jnp.arange(size) < count
        state, metrics = step(now[0], batch)
        weight = jnp.sum(batch["weight"])
        return state, {name: total + weight * metrics[name] for name, total in now[1].items()}

    return lax.fori_loop(0, -(-count // size), update, now)
