"""Dropout in two steps, the mask and its use, so that a gradient by hand can use the same mask."""

import flax.linen as nn
import jax
import jax.numpy as jnp
from jax import Array


def draw_mask(module: nn.Module, rate: Array | float, shape: tuple[int, ...]) -> Array | None:
    """Draws which entries stay, from the module's `dropout` key.

    Returns:
        A mask of the shape, or None where nothing is dropped: without a key, which only training
        gives, and at a rate of 0 that is not traced.
    """
    if module.scope is None or not module.has_rng("dropout"):
        return None
    if not isinstance(rate, Array) and rate == 0:
        return None
    return jax.random.bernoulli(module.make_rng("dropout"), 1 - rate, shape)


def drop(x: Array, mask: Array | None, rate: Array | float) -> Array:
    """Computes `mask x / (1 - rate)`, whose mean over masks is x (Srivastava et al., 2014).

    It is linear in x, so that it also takes the derivative by its output to that by x.
    """
    return x if mask is None else jnp.where(mask, x / (1 - rate), 0)
