"""Problems through the origin with a known margin, for the perceptron and the largest margin."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from jaxnets import classical

Points = dict[str, Array]
MOST_EPOCHS = 5000


def draw(
    key: Array, margin: Array | float, noise: Array | float, features: int, samples: int
) -> Points:
    """Draws points of two classes in the unit ball, and adds noise to them afterwards.

    None is nearer than `margin` to the plane `x_1 = 0` that separates them. Any other plane through
    the origin would do as well: the algorithms do not notice a rotation.

    Args:
        key: draws points, classes and noise.
        margin: the distance, lecture L2's gamma / 2.
        noise: the deviation of the Gaussian noise.
        features: 2 or more.
        samples: how many points.

    Returns:
        `x [samples, features]` and `y [samples]`, 0 or 1.
    """
    class_key, along_key, way_key, far_key, noise_key = jax.random.split(key, 5)
    y = jax.random.bernoulli(class_key, shape=(samples,)).astype(jnp.int32)
    along = jax.random.uniform(along_key, (samples,), minval=margin, maxval=1.0)
    way = jax.random.normal(way_key, (samples, features - 1))
    way = way / jnp.linalg.norm(way, axis=1, keepdims=True)
    far = jax.random.uniform(far_key, (samples,)) ** (1 / (features - 1)) * jnp.sqrt(1 - along**2)
    x = jnp.concatenate([jnp.where(y == 1, along, -along)[:, None], far[:, None] * way], axis=1)
    return {"x": x + noise * jax.random.normal(noise_key, x.shape), "y": y}


def measure(
    key: Array, margins: tuple[float, ...], features: int, samples: int, noise: float, seeds: int
) -> dict[str, np.ndarray]:
    """Trains on one problem for each seed and margin, and tests on new points with noise.

    Args:
        key: draws everything.
        margins: of the problems.
        features: of the points.
        samples: of each set.
        noise: deviation at the test, in units of the problem's margin.
        seeds: how many problems of each margin.

    Returns:
        `margin` and `radius` of the sets, `updates` of the perceptron (NaN if it has not ended),
        and the accuracies `perceptron` and `widest` on noisy points, each `[seeds, margins]`.
    """
    shape = (seeds, len(margins))
    each = jnp.broadcast_to(jnp.asarray(margins), shape)
    train_key, test_key = jax.random.split(key)
    make = partial(draw, features=features, samples=samples)
    train = _each(make)(jax.random.split(train_key, shape), each, jnp.zeros(shape))
    test = _each(make)(jax.random.split(test_key, shape), each, noise * each)
    learn = partial(classical.perceptron, max_epochs=MOST_EPOCHS, constant=0.0)
    lines, history = _each(learn)(train["x"], train["y"])
    ended = np.asarray(history["epochs"]) < MOST_EPOCHS
    widest, bounds = _largest_margins(train)
    return {
        "margin": bounds["gamma"] / 2,
        "radius": bounds["radius"],
        "updates": np.where(ended, np.asarray(history["updates"], float), np.nan),
        "perceptron": np.asarray(_each(_accuracy)(lines["w"], test)),
        "widest": np.asarray(_each(_accuracy)(widest, test)),
    }


def _each(function):
    """Maps a function over seeds and margins."""
    return jax.jit(jax.vmap(jax.vmap(function)))


def _accuracy(w: Array, part: Points) -> Array:
    return jnp.mean((part["x"] @ w >= 0) == (part["y"] == 1))


def _largest_margins(train: Points) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """The separators of largest margin `[seeds, margins, features]`, and their bounds."""
    x, y = np.asarray(train["x"], float), np.asarray(train["y"])
    lines, bounds = [], []
    for index in np.ndindex(y.shape[:2]):
        found = classical.max_margin(x[index], y[index], constant=0.0)
        lines.append(np.asarray(found["w"]))
        bounds.append(classical.perceptron_bound(x[index], y[index], found, constant=0.0))
    named = {
        name: np.reshape([float(bound[name]) for bound in bounds], y.shape[:2])
        for name in ("gamma", "radius")
    }
    return np.reshape(lines, (*y.shape[:2], -1)), named
