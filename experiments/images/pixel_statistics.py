"""Correlations of pixels, templates, and what max pooling keeps of positions."""

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

import jaxnets as jn
from jaxnets import ops
from jaxnets.converge import minimise

FAR = (1, 2, 4, 8, 16, 32)
"""Distances in photographs, in pixels."""
NEAR = {"mnist": (1, 2, 4, 8), "digits": (1, 2, 3)}
"""Distances in handwritten digits."""


def as_images(x: np.ndarray) -> np.ndarray:
    """Makes square images of rows of features."""
    side = int(np.sqrt(x.shape[1]))
    return np.asarray(x).reshape(-1, side, side)


def correlations(image: np.ndarray, distances: tuple[int, ...]) -> np.ndarray:
    """Computes Pearson's correlation of pixels with those that far to the right or below.

    Of all such pairs of an image `[rows, columns]`; `[distances]`.
    """
    found = []
    for d in distances:
        left = np.concatenate([image[:, :-d].ravel(), image[:-d].ravel()])
        right = np.concatenate([image[:, d:].ravel(), image[d:].ravel()])
        found.append(np.corrcoef(left, right)[0, 1])
    return np.asarray(found)


def shuffled(rng: np.random.Generator, image: np.ndarray) -> np.ndarray:
    """Returns the image with all of its pixels permuted."""
    return rng.permutation(image.ravel()).reshape(image.shape)


def linear_classifier(x: Array, y: Array, l2: float, steps: int) -> tuple[Array, Array, Array]:
    """Trains softmax regression on all samples by L-BFGS, from weights of 0.

    Returns:
        Weights `[classes, features]` less their mean over classes, which changes no prediction,
        offsets `[classes]`, and the norm of the gradient.
    """
    model = jn.MLP((), 10)
    start = jax.tree.map(jnp.zeros_like, model.init(jax.random.key(0), x[:1]))
    objective = jn.Objective(model, "softmax_cross_entropy", l2=l2)
    part = {"x": x, "y": y}
    found = minimise(lambda params, part: objective(params, part)[0], start, part, steps=steps)
    layer = found.params["params"]["output"]
    weight = layer["weight"] - layer["weight"].mean(axis=0, keepdims=True)
    return weight, layer["bias"], found.gradient_norm


def mean_pictures(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Returns the mean of the samples of each of ten classes, `[10, features]`."""
    return np.stack([x[y == k].mean(axis=0) for k in range(10)])


def likeness(weights: np.ndarray, means: np.ndarray) -> np.ndarray:
    """Correlates the weights of each class with the mean picture of each, `[10, 10]`."""
    return np.corrcoef(weights, means)[:10, 10:]


def misses(images: np.ndarray, border: int = 5) -> np.ndarray:
    """Searches each image, put somewhere on an empty canvas, by a convolution with itself.

    Args:
        images: `[images, rows, columns]`, none of them empty.
        border: how many pixels the canvas is larger on each side.

    Returns:
        How many pixels the largest output is off, `[images]`.
    """
    n, rows, columns = images.shape
    wide = 2 * border
    canvas = np.zeros((n, rows + wide, columns + wide))
    places = np.asarray([divmod(7 * i, wide + 1) for i in range(n)]) % (wide + 1)
    for page, image, (r, c) in zip(canvas, images, places, strict=True):
        page[r : r + rows, c : c + columns] = image
    found = jax.lax.map(
        lambda pair: ops.convolve(pair[0][None, ..., None], pair[1][..., None, None])[0, ..., 0],
        (jnp.asarray(canvas), jnp.asarray(images)),
    )
    at = np.asarray([np.unravel_index(one.argmax(), one.shape) for one in np.asarray(found)])
    return np.abs(at - places).max(axis=1)


def pooled_positions(size: int, windows: int) -> dict[str, np.ndarray]:
    """Moves one active unit over all of a map, and pools it by windows of `size`.

    Returns:
        Over all pairs of positions, `moved_within`: by how much the pooled map changes where both
        are in a window, and `moved_out`: where they are not.
    """
    side = size * windows
    maps = jnp.eye(side * side).reshape(-1, side, side, 1)
    pooled = np.asarray(ops.max_pool(maps, size)).reshape(side * side, -1)
    window = np.kron(np.arange(windows**2).reshape(windows, windows), np.ones((size, size))).ravel()
    change = np.abs(pooled[:, None] - pooled[None]).max(axis=-1)
    same = window[:, None] == window[None]
    return {"moved_within": change[same], "moved_out": change[~same]}


def shuffled_windows(
    rng: np.random.Generator, maps: np.ndarray, size: int
) -> tuple[np.ndarray, np.ndarray]:
    """Permutes the pixels of `maps [maps, rows, columns]` within each window of `size`.

    Returns:
        The largest change of each map once it is max-pooled, and without pooling, `[maps]`.
    """
    n, rows, columns = maps.shape[0], *(length // size * size for length in maps.shape[1:])
    maps = maps[:, :rows, :columns]
    blocks = maps.reshape(n, rows // size, size, columns // size, size).swapaxes(2, 3)
    mixed = rng.permuted(blocks.reshape(*blocks.shape[:3], -1), axis=-1).reshape(blocks.shape)
    others = mixed.swapaxes(2, 3).reshape(maps.shape)
    pooled, again = (
        np.asarray(ops.max_pool(jnp.asarray(m)[..., None], size)) for m in (maps, others)
    )
    return np.abs(pooled - again).max(axis=(1, 2, 3)), np.abs(maps - others).max(axis=(1, 2))
