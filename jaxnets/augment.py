"""Data augmentation of image batches, as pure functions of a key."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.scipy.ndimage import map_coordinates

from jaxnets.host import checks

LARGEST = 1e6
"""The most degrees or pixels for which coordinates are precise."""


def shift(key: Array, x: Array, pixels: int = 2) -> Array:
    """Shifts images `[batch, rows, columns, channels]` by up to `pixels` along both axes.

    The distance of each image is uniform in -pixels to pixels; pixels that move in are 0.

    Raises:
        ValueError, TypeError: images of other axes or that are not numbers, or `pixels` that is
            negative or not an integer.
    """
    if not isinstance(pixels, int | np.integer) or not 0 <= pixels < 2**30:
        raise ValueError(f"pixels is {pixels!r}; it must be an integer, 0 or more")
    x = _images(x)
    _, rows, columns, _ = x.shape
    down, right = jax.random.randint(key, (2, len(x)), -pixels, pixels + 1)
    row = _sources(rows, down)[:, :, None]
    column = _sources(columns, right)[:, None]
    each = jnp.arange(len(x))[:, None, None]
    return x.at[each, row, column].get(mode="fill", fill_value=0)


def affine(
    key: Array, x: Array, degrees: float = 10.0, zoom: float = 0.1, pixels: float = 2.0
) -> Array:
    """Rotates, scales and shifts images `[batch, rows, columns, channels]` about their centres.

    Each image draws uniformly an angle in -degrees to degrees, a scale in `1 - zoom` to `1 + zoom`,
    and shifts in -pixels to pixels along both axes. Interpolation is bilinear; pixels that move in
    are 0.

    Raises:
        ValueError, TypeError: images of other axes or that are not numbers, or an argument out of
            range.
    """
    for name, value in (("degrees", degrees), ("pixels", pixels)):
        if not 0 <= checks.as_number(value, name) <= LARGEST:
            raise ValueError(f"{name} is {value}; it must be 0 to {LARGEST:g}")
    checks.require_share(zoom, "zoom")
    x = _images(x)
    _, rows, columns, _ = x.shape
    turns, sizes, moves = jax.random.split(key, 3)
    angle = jnp.deg2rad(jax.random.uniform(turns, (len(x),), minval=-degrees, maxval=degrees))
    size = jax.random.uniform(sizes, (len(x),), minval=1 - zoom, maxval=1 + zoom)
    move = jax.random.uniform(moves, (len(x), 2), minval=-pixels, maxval=pixels)
    centre = jnp.asarray([rows - 1, columns - 1]) / 2
    grid = jnp.stack(jnp.meshgrid(jnp.arange(rows), jnp.arange(columns), indexing="ij"))

    def one(image: Array, angle: Array, size: Array, move: Array) -> Array:
        cos, sin = jnp.cos(angle) / size, jnp.sin(angle) / size
        back = jnp.asarray([[cos, -sin], [sin, cos]])
        place = (centre + move)[:, None, None]
        source = jnp.tensordot(back, grid - place, 1) + centre[:, None, None]
        sample = partial(map_coordinates, coordinates=list(source), order=1)
        return jax.vmap(sample, -1, -1)(image)

    return jax.vmap(one)(x, angle, size, move).astype(x.dtype)


def _images(x: Array) -> Array:
    x = jnp.asarray(checks.as_array(x, "x"))
    if jnp.iscomplexobj(x):
        raise TypeError("x is complex; images must be real")
    if x.ndim != 4:
        raise ValueError(f"expected images [batch, rows, columns, channels], x has shape {x.shape}")
    return x


def _sources(n: int, distance: Array) -> Array:
    """Returns the source `i - distance` of each entry i of an axis, `[batch, n]`; n for none."""
    index = jnp.arange(n)[None] - distance[:, None]
    return jnp.where(index < 0, n, index)
