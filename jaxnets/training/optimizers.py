"""A schedule whose first learning rate may be traced; masks; checks of the choices of a spec."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import optax
from jax import Array

from jaxnets.host import checks


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


def require_functions(optimizer: Any, value_and_grad: Any, augment: Any) -> None:
    """Raises a TypeError unless the choices of a spec that are called can be."""
    if not callable(optimizer):
        built = hasattr(optimizer, "init") and hasattr(optimizer, "update")
        what = "already built" if built else repr(optimizer)
        raise TypeError(
            f"optimizer is {what}; give the function that builds it, such as optax.adam itself: "
            "the learning rate goes into hparams, other choices into "
            "functools.partial(optax.adam, b1=0.8)"
        )
    checks.require_callable(value_and_grad, "value_and_grad", "jax.value_and_grad")
    if augment is not None:
        checks.require_callable(augment, "augment", "jaxnets.augment.shift")


def require_hashable(choices: Mapping[str, Any]) -> None:
    """Raises a TypeError that names the first choice of a spec that cannot be hashed."""
    for name, value in choices.items():
        try:
            hash(value)
        except TypeError as error:
            raise TypeError(
                f"{name} is a {type(value).__name__} that cannot be hashed ({error}): use "
                "@dataclass(frozen=True) for a dataclass, and tuples instead of lists"
            ) from error


def masked(mask: Any) -> optax.GradientTransformation:
    """Masks gradients before anything else sees them: masked updates are wrong under clipping."""
    return optax.stateless(lambda grads, _: jax.tree.map(jnp.multiply, grads, mask))
