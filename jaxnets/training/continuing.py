"""Going on from the last state of a shorter run."""

from typing import Any

import jax
import numpy as np

from jaxnets.training.loop import Carry, State
from jaxnets.training.spec import TrainSpec


def require_state(spec: TrainSpec, state: Any, like: State, samples: int) -> int:
    """Returns the steps that a state has taken, once it fits the run.

    Args:
        spec: the static choices of the run that goes on.
        state: where it goes on.
        like: a first state of that run.
        samples: the training samples.

    Raises:
        TypeError: not a `State`.
        ValueError: params or an optimizer's state of other shapes, a state within an epoch or
            record, or one that has all epochs behind it.
    """
    if not isinstance(state, State):
        raise TypeError(f"state is a {type(state).__name__}; it must be a State, as fit returns it")
    theirs, ours = map(str, (jax.tree.structure(state), jax.tree.structure(like)))
    if theirs != ours:
        raise ValueError(
            f"the state is of another model or optimizer: it is {theirs}, but should be {ours}"
        )
    for (path, a), b in zip(jax.tree.leaves_with_path(state), jax.tree.leaves(like), strict=True):
        if np.shape(a) != np.shape(b) or a.dtype != b.dtype:
            raise ValueError(
                f"state{jax.tree_util.keystr(path)} is {a.dtype} {np.shape(a)}; this model and "
                f"optimizer have {b.dtype} {np.shape(b)}"
            )
    step, every = int(state.step), spec.steps_per_epoch(samples) * spec.record_every
    total = spec.epochs * spec.steps_per_epoch(samples)
    if step >= total:
        raise ValueError(
            f"the state has taken {step} steps, and {spec.epochs} epochs have {total}: epochs "
            "counts from the beginning, so give more"
        )
    if step % every:
        raise ValueError(
            f"the state has taken {step} steps; a record takes {every}: use the batch_size and "
            "record_every of the run that it is from"
        )
    return step


def require_states(spec: TrainSpec, state: Any, like: State, samples: int, n: int) -> int:
    """Returns the steps that the n networks of a sweep have taken, once their state fits.

    Args:
        spec: as in `require_state`.
        state: where they go on, with leading axes `[n]`.
        like: a first state of that sweep, with another leading axis.
        samples: the training samples.
        n: how many keys the sweep has.

    Raises:
        TypeError: not a `State`.
        ValueError: as `require_state`, a state of another number of networks, or of networks that
            have not taken the same steps.
    """
    if not isinstance(state, State):
        raise TypeError(f"state is a {type(state).__name__}; it must be a State, as sweep returns")
    lengths = sorted({np.shape(leaf)[:1] for leaf in jax.tree.leaves(state)})
    if lengths != [(n,)]:
        raise ValueError(f"the state has leading axes {lengths}; there are {n} keys, one a network")
    steps = np.unique(state.step)
    if len(steps) > 1:
        raise ValueError(
            f"the networks have taken from {steps[0]} to {steps[-1]} steps: only those that have "
            "taken the same number can go on together"
        )
    one, ours = (jax.tree.map(_without_first_axis, rows) for rows in (state, like))
    return require_state(spec, one._replace(step=steps[0]), ours, samples)


def _without_first_axis(leaf: Any) -> jax.ShapeDtypeStruct:
    return jax.ShapeDtypeStruct(np.shape(leaf)[1:], leaf.dtype)


def going_on(carry: Carry, state: State) -> Carry:
    """Puts a state, or that of many networks, in place of the first one."""
    watched = carry.watched and carry.watched._replace(params=state.params)
    return carry._replace(state=state, watched=watched)
