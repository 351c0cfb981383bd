"""Going on from the last state of a shorter run."""

from typing import Any

import jax
import numpy as np

from jaxnets.training.loop import Carry, State, TrainSpec
from jaxnets.training.stopping import watch


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


def going_on(carry: Carry, state: State) -> Carry:
    """Puts a state in place of the first one."""
    watched = watch(state.params) if carry.watched else ()
    return carry._replace(state=state, watched=watched)
