"""Random changes of a batch of images, as pure functions of a key."""

import jax
import jax.numpy as jnp
from jax import Array


def shift(key: Array, x: Array, pixels: int = 2) -> Array:
    """Images `[batch, rows, columns, channels]`, each moved by -pixels to pixels along both axes.

    The distances are uniform, of each image its own; what moves in is 0, what moves out is lost.
    """
    if x.ndim != 4:
        raise ValueError(f"images are [batch, rows, columns, channels], x has shape {x.shape}")
    _, rows, columns, _ = x.shape
    distances = jax.random.randint(key, (2, len(x), 1), -pixels, pixels + 1)
    row, column = (
        jnp.arange(n) - distance for n, distance in zip((rows, columns), distances, strict=True)
    )
    each = jnp.arange(len(x))[:, None, None]
    return x.at[each, _outside(row, rows)[:, :, None], _outside(column, columns)[:, None]].get(
        mode="fill", fill_value=0
    )


def _outside(index: Array, n: int) -> Array:
    """Negative indices, which would count from the end, as `n`, which is out of bounds."""
    return jnp.where(index < 0, n, index)
