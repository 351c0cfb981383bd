"""What a search for a minimum returns, and the checks of its start."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from jaxnets.host import checks

Params = Any


class Minimum(NamedTuple):
    """Where a search ended.

    Example:
        >>> import jax.numpy as jnp
        >>> from jaxnets import converge
        >>> found = converge.minimise(lambda x: jnp.sum((x - 3.0) ** 2), jnp.zeros(2))
        >>> [round(value, 3) for value in found.params.tolist()]
        [3.0, 3.0]
    """

    params: Params
    loss: Array
    """The value there, a scalar."""
    gradient_norm: Array
    """The Euclidean norm of the gradient there, a scalar."""
    steps: Array
    """Steps taken, those that were refused included."""
    converged: Array
    """Whether the tolerance was reached; False if the steps ran out, or rounding stopped them."""


def require_function(value: Any, name: str, example: str) -> None:
    """Raises a TypeError unless the value can be called, and by its hash identify a program."""
    checks.require_callable(value, name, example)
    try:
        hash(value)
    except TypeError as error:
        raise TypeError(
            f"{name} is an unhashable {type(value).__name__}; it must identify a compiled program: "
            f"give a function, such as {example}"
        ) from error


def require_start(params: Params) -> None:
    """Raises an error unless the params are floats, finite as far as they are known.

    Raises:
        ValueError: params without a number, or with one that is not finite.
        TypeError: params that are not floats.
    """
    leaves = jax.tree_util.tree_leaves_with_path(params)
    if not sum(np.size(leaf) for _, leaf in leaves):
        raise ValueError("params have no numbers: there is nothing to minimise over")
    for path, leaf in leaves:
        name = f"params{jax.tree_util.keystr(path)}"
        if not checks.is_float(jnp.result_type(checks.as_array(leaf, name))):
            raise TypeError(
                f"{name} has dtype {jnp.result_type(leaf)}; params must be floats, such as "
                "jnp.asarray(value, float)"
            )
        if not checks.is_traced(leaf) and not np.isfinite(np.asarray(leaf)).all():
            raise ValueError(f"{name} is not finite: a search needs a finite start")


def require_limits(steps: Any, tolerance: Any) -> None:
    """Raises an error unless steps are a count and the tolerance is None, traced or positive."""
    if not checks.is_traced(steps):
        checks.require_count(steps, "steps")
    if tolerance is not None and not checks.is_traced(tolerance):
        checks.require_positive(tolerance, "tolerance")


def require_finite_value(function: Callable, params: Params, args: tuple, name: str) -> None:
    """Raises a ValueError unless the function is finite at the start, if all is known there."""
    if any(checks.is_traced(leaf) for leaf in jax.tree.leaves((params, args))):
        return
    value = function(params, *args)
    if checks.is_traced(value):
        return
    value = np.asarray(value)
    wrong = np.size(value) - np.isfinite(value).sum()
    if wrong:
        raise ValueError(
            f"{name} is not finite at the start ({wrong} of {np.size(value)} values): "
            "start elsewhere"
        )


def as_inexact(params: Params) -> Params:
    """Converts every leaf to a JAX array of its float type."""
    return jax.tree.map(jnp.asarray, params)
