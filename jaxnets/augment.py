"""Data augmentation of batches, as pure functions of a key, for `TrainSpec(augment=...)`.

Those of images take `(key, x)`, and change x alone. `mixup` and `affine_points` take `(key, x, y)`,
and change the targets too; `InTurn` applies several. With other numbers, use `functools.partial`:

    TrainSpec(..., augment=InTurn((flip_left_right, partial(crop, padding=2))))
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array, lax
from jax.scipy.ndimage import map_coordinates

from jaxnets.host import checks
from jaxnets.host.augmenting import augmented, require_augment

LARGEST = 1e6
"""The most degrees or pixels for which coordinates are precise."""
PADDINGS = ("constant", "edge", "reflect")
"""What `crop` may put around a picture, as `jnp.pad` calls it; "constant" is 0."""
COORDINATES = ("pixels", "picture")


def shift(key: Array, x: Array, pixels: int = 2) -> Array:
    """Shifts images `[batch, rows, columns, channels]` by up to `pixels` along both axes.

    The distance of each image is uniform in -pixels to pixels; pixels that move in are 0.

    Raises:
        ValueError, TypeError: images of other axes or that are not numbers, or `pixels` that is
            negative or not an integer.

    Example:
        >>> shift(jax.random.key(0), jnp.ones((2, 8, 8, 1)), pixels=1).shape
        (2, 8, 8, 1)
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

    Example:
        >>> affine(jax.random.key(0), jnp.ones((2, 8, 8, 1)), degrees=5.0).shape
        (2, 8, 8, 1)
    """
    _require_moves(degrees, zoom, pixels)
    x = _images(x)
    return _warp(x, _draw_moves(key, len(x), degrees, zoom, pixels))


def affine_points(
    key: Array,
    x: Array,
    y: Array,
    degrees: float = 10.0,
    zoom: float = 0.1,
    pixels: float = 2.0,
    coordinates: str = "pixels",
    dims: int = 2,
) -> tuple[Array, Array]:
    """Moves images as `affine` does, and the points that are their targets with them.

    Args:
        key: decides the moves; `affine` makes the same ones.
        x: images `[batch, rows, columns, channels]`.
        y: points of each image, `[batch, points * dims]`; the first two coordinates of each are to
            the right and, in "pixels", down from the centre of the first pixel; in "picture", up
            from the middle, in halves of the width, as in `jaxnets.data.hands`. A third stays.
        degrees: as in `affine`.
        zoom: as in `affine`.
        pixels: as in `affine`.
        coordinates: "pixels" or "picture".
        dims: coordinates of a point, 2 or 3.

    Returns:
        Images and points like those given.

    Raises:
        ValueError, TypeError: as in `affine`, or points of another shape.

    Example:
        >>> x, y = jnp.ones((2, 8, 8, 1)), jnp.array([[3.0, 4.0], [1.0, 2.0]])
        >>> affine_points(jax.random.key(0), x, y)[1].shape  # a point of each picture
        (2, 2)
    """
    checks.require_known([coordinates], COORDINATES, "coordinates")
    if dims not in (2, 3):
        raise ValueError(f"dims is {dims!r}; points have 2 or 3 coordinates")
    _require_moves(degrees, zoom, pixels)
    x, y = _images(x), jnp.asarray(checks.as_array(y, "y"))
    if y.ndim != 2 or y.shape[1] % dims or len(y) != len(x) or not checks.is_float(y.dtype):
        raise ValueError(
            f"y is {y.dtype} {y.shape}; expected the points of {len(x)} images, floats "
            f"[batch, points * {dims}]"
        )
    moves = _draw_moves(key, len(x), degrees, zoom, pixels)
    _, rows, columns, _ = x.shape
    points = y.reshape(len(y), -1, dims)
    centre, scale = jnp.asarray([columns - 1, rows - 1]) / 2, jnp.asarray([1.0, 1.0])
    if coordinates == "picture":
        centre, scale = jnp.zeros(2), jnp.asarray([columns / 2, -columns / 2])
    along, down = jnp.moveaxis((points[..., :2] - centre[None, None]) * scale[None, None], -1, 0)
    angle, size, move = (a[:, None] for a in moves)
    cos, sin = size * jnp.cos(angle), size * jnp.sin(angle)
    moved = jnp.stack(
        [cos * along - sin * down + move[..., 1], sin * along + cos * down + move[..., 0]], -1
    )
    moved = moved / scale[None, None] + centre[None, None]
    points = jnp.concatenate([moved.astype(y.dtype), points[..., 2:]], axis=-1)
    return _warp(x, moves), points.reshape(y.shape)


def flip_left_right(key: Array, x: Array, probability: float = 0.5) -> Array:
    """Mirrors each image `[batch, rows, columns, channels]` left to right with a probability.

    Raises:
        ValueError, TypeError: images of other axes or that are not numbers, or a probability that
            is not in [0, 1].

    Example:
        >>> x = jnp.array([1.0, 2.0]).reshape(1, 1, 2, 1)
        >>> flip_left_right(jax.random.key(0), x, probability=1.0).ravel().tolist()
        [2.0, 1.0]
    """
    return _flip(key, x, probability, 2)


def flip_up_down(key: Array, x: Array, probability: float = 0.5) -> Array:
    """Mirrors each image `[batch, rows, columns, channels]` upside down with a probability.

    Raises:
        ValueError, TypeError: as in `flip_left_right`.

    Example:
        >>> x = jnp.array([1.0, 2.0]).reshape(1, 2, 1, 1)
        >>> flip_up_down(jax.random.key(0), x, probability=1.0).ravel().tolist()
        [2.0, 1.0]
    """
    return _flip(key, x, probability, 1)


def _flip(key: Array, x: Array, probability: float, axis: int) -> Array:
    if not 0 <= checks.as_number(probability, "probability") <= 1:
        raise ValueError(f"probability is {probability}; it must be in [0, 1]")
    x = _images(x)
    flipped = jax.random.bernoulli(key, float(probability), (len(x), 1, 1, 1))
    return jnp.where(flipped, jnp.flip(x, axis), x)


def crop(key: Array, x: Array, padding: int = 4, mode: str = "constant") -> Array:
    """Pads images `[batch, rows, columns, channels]`, and cuts their size out at a random place.

    The augmentation of CIFAR-10 by He et al. (2016), with 4 zeros on each side; the mode "reflect"
    or "edge" pads with what the picture has there.

    Raises:
        ValueError, TypeError: images of other axes or that are not numbers, a padding that is
            negative, not an integer or, reflected, larger than the picture, or an unknown mode.

    Example:
        >>> crop(jax.random.key(0), jnp.ones((2, 8, 8, 1)), padding=2).shape
        (2, 8, 8, 1)
    """
    checks.require_known([mode], PADDINGS, "mode")
    x = _images(x)
    limit = min(x.shape[1:3]) if mode == "reflect" else 2**15
    if not isinstance(padding, int | np.integer) or not 0 <= padding < limit:
        raise ValueError(f"padding is {padding!r}; it must be an integer, 0 or more, below {limit}")
    wide = jnp.pad(x, ((0, 0), (padding, padding), (padding, padding), (0, 0)), mode)
    first = jax.random.randint(key, (len(x), 2), 0, 2 * padding + 1)

    def cut(image: Array, first: Array) -> Array:
        return lax.dynamic_slice(image, (first[0], first[1], 0), x.shape[1:])

    return jax.vmap(cut)(wide, first)


def cutout(key: Array, x: Array, size: int = 8) -> Array:
    """Sets a square of each image `[batch, rows, columns, channels]` to 0 (DeVries & Taylor, 2017).

    Its centre is a random pixel of the picture, so that a part of it may be outside. It is `size`
    pixels wide, and has one pixel more before the centre than after it if that is even.

    Raises:
        ValueError, TypeError: images of other axes or that are not numbers, or a size that is not
            an integer of 1 or more.

    Example:
        >>> cut = cutout(jax.random.key(0), jnp.ones((1, 8, 8, 1)), size=1)
        >>> int((cut == 0).sum())
        1
    """
    checks.require_count(size, "size")
    x = _images(x)
    rows, columns = (
        _covered(axis_key, len(x), n, size)
        for axis_key, n in zip(jax.random.split(key), x.shape[1:3], strict=True)
    )
    covered = rows[:, :, None] & columns[:, None, :]
    return jnp.where(covered[..., None], jnp.zeros((), x.dtype), x)


def _covered(key: Array, batch: int, n: int, size: int) -> Array:
    """Draws which entries of an axis a window covers, `[batch, n]`."""
    first = jax.random.randint(key, (batch, 1), 0, n) - size // 2
    place = jnp.arange(n)[None]
    return (first <= place) & (place < first + size)


def mixup(key: Array, x: Array, y: Array, alpha: float = 0.2) -> tuple[Array, Array]:
    """Mixes each sample with another of its batch, and their targets alike (Zhang et al., 2018).

    `x' = s x + (1 - s) x[p]` and `y' = s y + (1 - s) y[p]`, with a random order p, and a share s of
    each sample from Beta(alpha, alpha). Weights of samples are not mixed.

    Args:
        key: decides order and shares.
        x: samples `[batch, ...]`.
        y: targets `[batch, k]` that can be mixed: numbers, or distributions over classes, which
            the loss `jaxnets.soft_targets.soft_cross_entropy` makes of labels.
        alpha: above 0; the larger, the nearer are the shares to a half.

    Raises:
        TypeError: labels or samples that are integers, or an alpha that is not a number.
        ValueError: an alpha that is not above 0.

    Example:
        >>> mixed, targets = mixup(jax.random.key(0), jnp.ones((4, 2)), jnp.eye(4))
        >>> bool(jnp.allclose(targets.sum(axis=1), 1))  # still distributions
        True
    """
    checks.require_positive(checks.as_number(alpha, "alpha"), "alpha")
    x, y = (jnp.asarray(checks.as_array(a, name)) for a, name in ((x, "x"), (y, "y")))
    if not checks.is_float(y.dtype):
        raise TypeError(
            f"y has labels ({y.dtype}), which cannot be mixed: with the loss "
            "jaxnets.soft_targets.soft_cross_entropy they become distributions"
        )
    if not checks.is_float(x.dtype):
        raise TypeError(f"x has dtype {x.dtype}, of which no share is left: divide pixels by 255")
    order_key, share_key = jax.random.split(key)
    order = jax.random.permutation(order_key, len(x))
    share = jax.random.beta(share_key, alpha, alpha, (len(x),))

    def mix(a: Array) -> Array:
        own = share.reshape(-1, *(1,) * (a.ndim - 1)).astype(a.dtype)
        return own * a + (1 - own) * a[order]

    return mix(x), mix(y)


@dataclass(frozen=True)
class InTurn:
    """Applies several augmentations one after another; equal ones share a compiled program.

    Args:
        steps: functions `(key, x) -> x` and `(key, x, y) -> (x, y)`, a tuple.

    Raises:
        TypeError: steps that are not a tuple of functions.

    Examples:
        >>> both = InTurn((flip_left_right, mixup))
        >>> x, y = both(jax.random.key(0), jnp.ones((2, 4, 4, 1)), jnp.eye(2))
        >>> x.shape, y.sum(axis=1)
        ((2, 4, 4, 1), Array([1., 1.], dtype=float32))
    """

    steps: tuple[Callable[..., Any], ...]

    def __post_init__(self) -> None:
        if not isinstance(self.steps, tuple):
            raise TypeError(f"steps is {self.steps!r}; it must be a tuple of functions")
        for step in self.steps:
            require_augment(step, "a step")

    def __call__(self, key: Array, x: Array, y: Array) -> tuple[Array, Array]:
        """Augments samples and targets, each step by a key of its own."""
        batch = {"x": x, "y": y}
        for i, step in enumerate(self.steps):
            batch = augmented(step, jax.random.fold_in(key, i), batch)
        return batch["x"], batch["y"]


Moves = tuple[Array, Array, Array]
"""Angles `[batch]` in radians, sizes `[batch]`, and shifts down and to the right `[batch, 2]`."""


def _require_moves(degrees: Any, zoom: Any, pixels: Any) -> None:
    for name, value in (("degrees", degrees), ("pixels", pixels)):
        if not 0 <= checks.as_number(value, name) <= LARGEST:
            raise ValueError(f"{name} is {value}; it must be 0 to {LARGEST:g}")
    checks.require_share(zoom, "zoom")


def _draw_moves(key: Array, n: int, degrees: float, zoom: float, pixels: float) -> Moves:
    turns, sizes, moves = jax.random.split(key, 3)
    angle = jnp.deg2rad(jax.random.uniform(turns, (n,), minval=-degrees, maxval=degrees))
    size = jax.random.uniform(sizes, (n,), minval=1 - zoom, maxval=1 + zoom)
    return angle, size, jax.random.uniform(moves, (n, 2), minval=-pixels, maxval=pixels)


def _warp(x: Array, moves: Moves) -> Array:
    """Turns, scales and shifts each image."""
    _, rows, columns, _ = x.shape
    centre = jnp.asarray([rows - 1, columns - 1]) / 2
    grid = jnp.stack(jnp.meshgrid(jnp.arange(rows), jnp.arange(columns), indexing="ij"))

    def one(image: Array, angle: Array, size: Array, move: Array) -> Array:
        cos, sin = jnp.cos(angle) / size, jnp.sin(angle) / size
        back = jnp.asarray([[cos, -sin], [sin, cos]])
        place = (centre + move)[:, None, None]
        source = jnp.tensordot(back, grid - place, 1) + centre[:, None, None]
        sample = partial(map_coordinates, coordinates=list(source), order=1)
        return jax.vmap(sample, -1, -1)(image)

    return jax.vmap(one)(x, *moves).astype(x.dtype)


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
