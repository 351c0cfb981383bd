"""Optimizers whose learning rate may be traced and yet falls along a schedule."""

from dataclasses import dataclass

import jax.numpy as jnp
import optax
from jax import Array


@dataclass(frozen=True)
class AdamToZero:
    """Adam whose rate falls from `learning_rate` to 0 over `steps` along half a cosine.

    `AdamToZero(steps)(learning_rate)` is an optax transformation, so an instance serves as
    `Run.optimizer`; equal instances share a compiled program. Kingma and Ba (2015) with the
    schedule of Loshchilov and Hutter (2017).
    """

    steps: int

    def __call__(self, learning_rate: Array | float) -> optax.GradientTransformation:
        """The transformation for that (possibly traced) initial rate."""

        def rate(step: Array) -> Array:
            done = jnp.minimum(step / self.steps, 1.0)
            return -0.5 * learning_rate * (1 + jnp.cos(jnp.pi * done))

        return optax.chain(optax.scale_by_adam(), optax.scale_by_schedule(rate))
