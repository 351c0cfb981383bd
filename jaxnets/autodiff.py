"""The derivative of a loss that is given as a function, which nobody wrote by hand."""

from collections.abc import Callable

import jax
import jax.numpy as jnp
from jax import Array

Rule = Callable[[Array, Array], Array]


def slope_of(value: Rule) -> Rule:
    """Differentiates a loss `(outputs [batch, k], targets) -> [batch]` by its outputs.

    Example:
        >>> import jax.numpy as jnp
        >>> slope = slope_of(lambda outputs, targets: ((outputs - targets) ** 2).sum(axis=-1))
        >>> slope(jnp.array([[3.0]]), jnp.array([[1.0]])).tolist()
        [[4.0]]
    """
    return jax.grad(lambda outputs, targets: jnp.sum(value(outputs, targets)))
