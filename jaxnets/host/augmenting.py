"""How the augmentation of a run is called: `(key, x) -> x`, or `(key, x, y) -> (x, y)`."""

import inspect
from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
from jax import Array

from jaxnets.host import checks


def takes_targets(augment: Callable[..., Any]) -> bool:
    """Tells whether an augmentation needs a third argument: the targets."""
    return not _takes(augment, 2) and _takes(augment, 3)


def _takes(augment: Callable[..., Any], count: int) -> bool:
    """Whether a function can be called with so many arguments; yes if it does not tell."""
    try:
        signature = inspect.signature(augment)
    except ValueError:
        return True
    try:
        signature.bind(*range(count))
    except TypeError:
        return False
    return True


def require_augment(augment: Any, name: str = "augment") -> None:
    """Raises a TypeError unless a value can be called with `(key, x)`, or `(key, x, y)`."""
    checks.require_callable(augment, name, "jaxnets.augment.shift")
    if not (_takes(augment, 2) or _takes(augment, 3)):
        raise TypeError(
            f"{name} can be called neither with (key, x), to return x, nor with (key, x, y), to "
            "return both: give other arguments a default, or fix them by functools.partial"
        )


def augmented(augment: Callable[..., Any], key: Array, batch: Mapping[str, Any]) -> dict[str, Any]:
    """Augments the samples of a batch and, if the function takes them, the targets.

    Raises:
        TypeError: the function takes both but does not return both.
        ValueError: it returns another number of samples.
    """
    new = {"x": batch["x"]}
    if takes_targets(augment):
        found = augment(key, batch["x"], batch["y"])
        if not (isinstance(found, tuple) and len(found) == 2):
            raise TypeError(
                f"augment takes x and y but returns a {type(found).__name__}; it must return both, "
                "(x, y)"
            )
        new["x"], new["y"] = found
    else:
        new["x"] = augment(key, batch["x"])
    for name, array in new.items():
        if jnp.shape(array)[:1] != jnp.shape(batch[name])[:1]:
            raise ValueError(
                f"augment returns {name} of shape {jnp.shape(array)} for {jnp.shape(batch[name])}; "
                "it must have as many samples"
            )
    return {**batch, **new}


def require_augmented(augment: Callable[..., Any], batch: Mapping[str, Any], size: int) -> None:
    """Raises the error that augmenting a batch would raise, before anything compiles."""
    shapes = {
        name: jax.ShapeDtypeStruct((size, *a.shape[1:]), a.dtype) for name, a in batch.items()
    }
    key = jax.eval_shape(jax.random.key, 0)
    jax.eval_shape(lambda key, batch: augmented(augment, key, batch), key, shapes)
