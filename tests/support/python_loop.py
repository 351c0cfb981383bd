"""A run as a Python loop over single steps, the truth for the compiled ones."""

from typing import NamedTuple

import jax
import numpy as np

from jaxnets import Objective, State, make_step
from jaxnets.training.loop import init_state, split_key
from jaxnets.training.permutation import permutation

first_state = jax.jit(init_state, static_argnums=0)


class Taken(NamedTuple):
    """A step that was taken."""

    epoch: int
    samples: int
    state: State
    metrics: dict


def steps_of(spec, key, data, hparams, order_key=None):
    """Takes the steps of a run one at a time, and yields each."""
    samples = len(data.train["x"])
    state = first_state(spec, key, data.train["x"], hparams)
    order_key = split_key(key).order if order_key is None else order_key
    penalties = {name: hparams[name] for name in ("l1", "l2") if name in hparams}
    optimizer = spec.optimizer(**{k: v for k, v in hparams.items() if k not in penalties})
    objective = Objective(spec.model, spec.loss, **penalties)
    step = jax.jit(make_step(objective, optimizer, spec.value_and_grad, spec.augment))
    size = spec.batch_size or samples
    for epoch in range(spec.epochs):
        order = np.arange(samples)
        if size < samples:
            order = np.asarray(permutation(jax.random.fold_in(order_key, epoch), samples))
        for rows in np.split(order, range(size, samples, size)):
            state, metrics = step(state, jax.tree.map(lambda a, rows=rows: a[rows], data.train))
            yield Taken(epoch, len(rows), state, metrics)


def first_not_finite(spec, key, data, hparams):
    """Returns the first step whose loss or new params are not finite, and all steps before it."""
    before = []
    for taken in steps_of(spec, key, data, hparams):
        leaves = jax.tree.leaves((taken.metrics["loss"], taken.state.params))
        if not all(np.isfinite(leaf).all() for leaf in leaves):
            return taken, before
        before.append(taken)
    raise AssertionError("the run stays finite")
