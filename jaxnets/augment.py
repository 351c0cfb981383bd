"""Random changes of a batch of images, as pure functions of a key."""

import jax
import jax.numpy as jnp
from jax import Array


def shift(key: Array, x: Array, pixels: int = 2) -> Array:
    """Images `[batch, rows, columns, channels]`, each moved by -pixels to pixels along both axes.

    The distances are uniform, of each image its own; what moves in is 0, what moves out is lost.
    """
    x = jnp.asarray(x)
    if x.ndim != 4:
        raise ValueError(f"images are [batch, rows, columns, channels], x has shape {x.shape}")
    _, rows, columns, _ = x.shape
    down, right = jax.random.randint(key, (2, len(x)), -pixels, pixels + 1)
    row = _sources(rows, down)[:, :, None]
    column = _sources(columns, right)[:, None]
    each = jnp.arange(len(x))[:, None, None]
    return x.at[each, row, column].get(mode="fill", fill_value=0)


def _sources(n: int, distance: Array) -> Array:
    """Where entry i of an axis of n comes from, `[batch, n]`: `i - distance`, or n for nowhere."""
    index = jnp.arange(n)[None] - distance[:, None]
    return jnp.where(index < 0, n, index)
