"""Optimizers whose learning rate may be traced and yet falls along a schedule."""

from dataclasses import dataclass

import jax.numpy as jnp
import optax
from jax import Array


@dataclass(frozen=True)
class AdamCosine:
    """The optimizer that `adam_cosine` builds; equal ones share a compiled program."""

    steps: int

    def __call__(self, learning_rate: Array | float) -> optax.GradientTransformation:
        """Builds the transformation for that (possibly traced) initial rate."""

        def rate(step: Array) -> Array:
            done = jnp.minimum(step / self.steps, 1.0)
            return -0.5 * learning_rate * (1 + jnp.cos(jnp.pi * done))

        return optax.chain(optax.scale_by_adam(), optax.scale_by_schedule(rate))


def adam_cosine(steps: int) -> AdamCosine:
    """Builds Adam whose rate falls from `learning_rate` to 0 over `steps` along half a cosine.

    For `TrainSpec.optimizer`: `adam_cosine(steps)(learning_rate)` is an optax transformation.
    Kingma and Ba (2015) with the schedule of Loshchilov and Hutter (2017).
    """
    return AdamCosine(steps)
