"""Images a few at a time, so that what is made of them stays in a CPU's cache."""

from collections.abc import Callable

import jax
import jax.numpy as jnp
from jax import Array, lax

from jaxnets.ops.windows import Windows

Form = Callable[[Array, Windows], Array]
MOST_ENTRIES = 400_000
"""How many entries the patches of a block may have: 1.6 MB in single precision.

Measured on convolutions of 3 x 3 to 7 x 7 of 1 to 512 channels: from 200,000 to 800,000 differ
little, while patches of the whole batch take up to four times as long.
"""


def block_of(images: int, entries: int, most: int = MOST_ENTRIES) -> int:
    """Returns how many images, of so many entries, make a block, which has at most `most`.

    It divides the number of images if nearly as large a number does.
    """
    block = max(1, min(images, most // max(entries, 1)))
    return next((n for n in range(block, block // 2, -1) if images % n == 0), block)


def over(at: Windows, images: int) -> Windows:
    """Returns the same windows over another number of images.

    Example:
        >>> from jaxnets.ops.windows import windows
        >>> over(windows((8, 4, 4, 1), 2, 1, "VALID"), 1).shape
        (1, 4, 4, 1)
    """
    return at._replace(shape=(images, *at.shape[1:]))


def map_blocks(
    form: Form, images: Array, at: Windows, entries: int, most: int = MOST_ENTRIES
) -> Array:
    """Applies a form, which takes images and their windows, to each block; `entries` of an image.

    Example:
        >>> from jaxnets.ops.windows import windows
        >>> images = jnp.arange(3.0).reshape(3, 1, 1, 1)
        >>> at = windows(images.shape, 1, 1, "VALID")
        >>> map_blocks(lambda x, at: 2 * x, images, at, MOST_ENTRIES).ravel().tolist()
        [0.0, 2.0, 4.0]
    """
    block, whole, rest = _cut(images, entries, most)
    if not len(images):
        one = jax.eval_shape(lambda x: form(x, over(at, 1)), _like_one(images))
        return jnp.zeros((0, *one.shape[1:]), one.dtype)
    if not whole:
        return form(images, at)
    y = lax.map(lambda part: form(part, over(at, block)), _stacked(images[:whole], block))
    y = y.reshape(whole, *y.shape[2:])
    return jnp.concatenate([y, form(images[whole:], over(at, rest))]) if rest else y


def sum_blocks(
    form: Callable[[Array, Array, Windows], Array],
    x: Array,
    g: Array,
    at: Windows,
    entries: int,
    most: int = MOST_ENTRIES,
) -> Array:
    """Sums a form of images, their derivatives and their windows over the blocks.

    The sum is carried in single precision or better.

    Example:
        >>> from jaxnets.ops.windows import windows
        >>> x, g = jnp.ones((3, 1, 1, 1)), jnp.arange(3.0).reshape(3, 1, 1, 1)
        >>> at = windows(x.shape, 1, 1, "VALID")
        >>> float(sum_blocks(lambda x, g, at: (x * g).sum(), x, g, at, MOST_ENTRIES))
        3.0
    """
    block, whole, rest = _cut(x, entries, most)
    if not len(x):
        one = jax.eval_shape(lambda x, g: form(x, g, over(at, 1)), _like_one(x), _like_one(g))
        return jnp.zeros(one.shape, one.dtype)
    if not whole:
        return form(x, g, at)

    def of_block(part: tuple[Array, Array]) -> Array:
        return form(*part, over(at, block))

    parts = _stacked(x[:whole], block), _stacked(g[:whole], block)
    shape = jax.eval_shape(of_block, (parts[0][0], parts[1][0]))
    start = jnp.zeros(shape.shape, jnp.promote_types(shape.dtype, jnp.float32))
    total, _ = lax.scan(lambda total, part: (total + of_block(part), None), start, parts)
    if rest:
        total += form(x[whole:], g[whole:], over(at, rest))
    return total.astype(shape.dtype)


def _like_one(images: Array) -> jax.ShapeDtypeStruct:
    return jax.ShapeDtypeStruct((1, *images.shape[1:]), images.dtype)


def _cut(images: Array, entries: int, most: int) -> tuple[int, int, int]:
    """The images of a block, those of all full blocks (0 if one has all), and those left."""
    n = len(images)
    block = block_of(n, entries, most)
    rest = n % block
    return block, n - rest if block < n else 0, rest


def _stacked(images: Array, block: int) -> Array:
    return images.reshape(-1, block, *images.shape[1:])
