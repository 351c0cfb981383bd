"""Which numbers of a run are not finite: a check for the compiled program, and a leaf to name."""

from typing import Any

import jax
import jax.numpy as jnp
from jax import Array

from jaxnets.objective import Params


def count_infinities(leaf: Any) -> Array | int:
    """Counts the entries that are NaN or infinite; integers, booleans and keys have none."""
    if not jax.dtypes.issubdtype(jax.typeof(leaf).dtype, jnp.inexact):
        return 0
    return jnp.sum(~jnp.isfinite(leaf))


def stays_finite(tree: Any, first: Any = None) -> Array:
    """Whether no leaf has NaN or infinities, or none more than it had at first.

    Some optimizers begin with infinities, such as the best loss so far.
    """
    found = jax.tree.leaves(jax.tree.map(count_infinities, tree))
    allowed = jax.tree.leaves(jax.tree.map(count_infinities, first)) or [0] * len(found)
    return (jnp.array(found, int) <= jnp.array(allowed, int)).all()


def first_not_finite(tree: Any, before: Any) -> str | None:
    """The path of the first leaf with more NaN and infinities than before, or None."""
    leaves = jax.tree.leaves(before)
    for (path, leaf), old in zip(jax.tree.leaves_with_path(tree), leaves, strict=True):
        if count_infinities(leaf) > count_infinities(old):
            return jax.tree_util.keystr(path)
    return None


def gradient_overflows(grads: Params) -> Array:
    """Whether the norm of a gradient is not finite; clipped by that norm, it would be 0 or NaN."""
    return ~jnp.isfinite(jnp.array([jnp.sum(jnp.square(g)) for g in jax.tree.leaves(grads)])).all()
