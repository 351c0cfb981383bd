"""The cross entropy of targets that are distributions over classes, such as `mixup` makes."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from jaxnets.host import checks
from jaxnets.losses import Loss

TOLERANCE = 1e-3
"""By how much the sum of a distribution may differ from 1."""


def as_distributions(y: Any, classes: int, name: str = "y") -> Any:
    """Converts labels `[samples]` or distributions `[samples, classes]` to the latter.

    Raises:
        TypeError: anything but numbers.
        ValueError: labels out of range, another shape, a negative entry, or rows whose sum is
            not 1.

    Example:
        >>> as_distributions(np.array([1, 0]), 2).tolist()
        [[0.0, 1.0], [1.0, 0.0]]
    """
    found = checks.as_numpy(y, name)
    if checks.is_integer(found.dtype) and found.ndim == 1:
        labels = checks.as_labels(found, classes, name)
        return np.eye(classes, dtype=jax.dtypes.canonicalize_dtype(float))[labels]
    found = checks.as_targets(found, classes, name)
    wrong = np.flatnonzero((found < 0).any(axis=1) | (abs(found.sum(axis=1) - 1) > TOLERANCE))
    if wrong.size:
        raise ValueError(
            f"{name}[{wrong[0]}] is {found[wrong[0]]}; the shares of the classes are 0 or more, "
            "and their sum is 1"
        )
    return found


def _value(outputs: Array, targets: Array) -> Array:
    return -jnp.sum(targets * jax.nn.log_softmax(outputs, axis=-1), axis=-1)


def _grad(outputs: Array, targets: Array) -> Array:
    """`p sum_j q_j - q`; the sum is 1 of distributions."""
    total = jnp.sum(targets, axis=-1, keepdims=True)
    return jax.nn.softmax(outputs, axis=-1) * total - targets


soft_cross_entropy = Loss(
    checks.with_checks(_value, checks.as_targets),
    checks.with_checks(_grad, checks.as_targets),
    as_distributions,
    lambda outputs: jax.nn.softmax(outputs, axis=-1),
    classifies=False,
)
"""`-sum_j q_j log p_j`, with the softmax p of the outputs and targets q `[batch, classes]`; labels
become such targets. The derivative is `p - q`. It has no accuracy, for which targets are labels."""
