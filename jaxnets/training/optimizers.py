"""Optimizers by name, built, or with schedules; masks; checks of the choices of a spec."""

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from types import FunctionType
from typing import Any

import jax
import jax.numpy as jnp
import optax
from jax import Array

from jaxnets.host import checks
from jaxnets.host.augmenting import require_augment


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


@dataclass(frozen=True)
class Built:
    """An optimizer that is built already, and takes no hyper-parameters."""

    transformation: Any

    def __call__(self) -> optax.GradientTransformation:
        """Returns it."""
        return self.transformation


@dataclass(frozen=True)
class Scheduled:
    """An optimizer some arguments of which are schedules; equal ones share a compiled program."""

    optimizer: Callable[..., optax.GradientTransformation]
    schedules: tuple[tuple[str, optax.Schedule], ...]

    @property
    def __signature__(self) -> inspect.Signature:
        whole = inspect.signature(self.optimizer)
        left = [p for name, p in whole.parameters.items() if name not in dict(self.schedules)]
        return whole.replace(parameters=left)

    def __call__(self, **hparams: Any) -> optax.GradientTransformation:
        """Builds the transformation for the other hyper-parameters."""
        return self.optimizer(**dict(self.schedules), **hparams)


def as_optimizer(optimizer: Any) -> Callable[..., optax.GradientTransformation]:
    """Converts the name of an optimizer of optax, or one that is built, to what builds it.

    Raises:
        ValueError: an unknown name; the nearest one is suggested.
        TypeError: anything else that cannot be called.
    """
    if isinstance(optimizer, str):
        return checks.lookup(_named(), optimizer, "optimizer")
    if hasattr(optimizer, "init") and hasattr(optimizer, "update"):
        return Built(optimizer)
    if not callable(optimizer):
        raise TypeError(
            f"optimizer is {optimizer!r}; give the function that builds it, such as optax.adam, "
            "or its name: the learning rate goes into hparams, other choices into "
            "functools.partial(optax.adam, b1=0.8)"
        )
    return optimizer


@cache
def _named() -> dict[str, Callable[..., optax.GradientTransformation]]:
    """The functions of optax that build an optimizer from a learning rate."""
    found = {name: getattr(optax, name) for name in dir(optax)}
    return {
        name: function
        for name, function in found.items()
        if isinstance(function, FunctionType)
        and "learning_rate" in inspect.signature(function).parameters
    }


def require_schedule(schedule: Any, name: str) -> None:
    """Raises an error unless a hyper-parameter may be this function.

    Raises:
        ValueError: another hyper-parameter than the learning rate.
        TypeError: a function that does not take the step to a number.
    """
    if name != "learning_rate":
        raise ValueError(f"{name} is a function; only learning_rate may be a schedule")
    try:
        rate = jax.eval_shape(schedule, jax.ShapeDtypeStruct((), jnp.int32))
    except Exception as error:
        raise TypeError(
            f"{name} is {schedule!r}, which fails for a traced step ({error}): a schedule takes "
            "the step to the rate, as optax.cosine_decay_schedule(0.1, 1000) does"
        ) from error
    if getattr(rate, "shape", None) != ():
        raise TypeError(f"{name} is {schedule!r}, which returns {rate}; it must return a number")


def require_functions(value_and_grad: Any, augment: Any) -> None:
    """Raises a TypeError unless these choices of a spec can be called."""
    checks.require_callable(value_and_grad, "value_and_grad", "jax.value_and_grad")
    if augment is not None:
        require_augment(augment)


def require_sizes(epochs: Any, batch_size: Any, record_every: Any) -> None:
    """Raises an error unless the sizes of a spec are integers above 0, and epochs in records."""
    sizes = {"epochs": epochs, "batch_size": batch_size, "record_every": record_every}
    for name, size in sizes.items():
        if name != "batch_size" or size is not None:
            checks.require_count(size, name)
    if epochs % record_every:
        raise ValueError(f"epochs ({epochs}) must be a multiple of record_every ({record_every})")


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
