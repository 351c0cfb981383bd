"""The problems of `feature_maps`, each measured on many seeds."""

from collections.abc import Callable
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from numpy.polynomial import chebyshev

from jaxnets import classical
from jaxnets.analysis import evaluate
from jaxnets.data import Dataset, toy

from ..lab.claims import Result

LIMITS = (-1.6, 1.6, -1.6, 1.6)
MAP = 120
DEGREES = (1, 2, 4, 8, 16, 32, 64)
"""Degrees of the approximations without noise."""
NEIGHBOURS = (1, 3, 5, 9, 15, 25, 41)
FLIPS = (0.0, 0.1, 0.2, 0.3, 0.4)

Part = tuple[np.ndarray, np.ndarray]
"""Samples and their labels or targets."""


def product(x: Array) -> Array:
    """Computes `(x_u, x_v, x_u x_v)`: `[..., 2]` to `[..., 3]` (L2)."""
    return jnp.concatenate([x, x[..., :1] * x[..., 1:]], axis=-1)


def polar(x: Array) -> Array:
    """Computes the radius and the angle, `[..., 2]` to `[..., 2]` (L3)."""
    return jnp.stack([jnp.hypot(x[..., 0], x[..., 1]), jnp.arctan2(x[..., 1], x[..., 0])], axis=-1)


def powers(x: np.ndarray, degree: int) -> np.ndarray:
    """Computes `(1, x, x^2, ..., x^degree)`: `[samples]` to `[samples, degree + 1]` (L2)."""
    return np.vander(x, degree + 1, increasing=True)


def append_products(x: np.ndarray, pairs: np.ndarray) -> np.ndarray:
    """Appends the products of pairs of features: `[samples, features + pairs]` (L2).

    `pairs [pairs, 2]` holds the indices of the features.
    """
    return np.concatenate([x, x[:, pairs[:, 0]] * x[:, pairs[:, 1]]], axis=1)


PLANE: dict[str, tuple[Callable, Callable]] = {
    "xor": (toy.xor, product),
    "circles": (toy.circles, polar),
}
"""Problems of the plane, and the maps under which a line separates their classes."""


def linear_models(problem: str, keys: Array, samples: int, noise: float, steps: int) -> Result:
    """Measures logistic regression on the coordinates and on their map: accuracies `[seeds, 2]`.

    Also returns the first seed's training points, their labels and the regions with the map.
    """
    accuracy, regions, part = _logistic(problem, samples, steps, noise, keys)
    measured = {"linear": accuracy, "map": regions, "points": part["x"], "labels": part["y"]}
    return {f"{name}_{problem}": np.asarray(value) for name, value in measured.items()}


@partial(jax.jit, static_argnums=(0, 1, 2))
def _logistic(
    problem: str, samples: int, steps: int, noise: float, keys: Array
) -> tuple[Array, Array, toy.Points]:
    draw, features = partial(PLANE[problem][0], noise=noise), PLANE[problem][1]
    grid = features(jnp.asarray(evaluate.plane(LIMITS, MAP)))

    def one(key: Array) -> tuple[Array, Array, toy.Points]:
        train_key, test_key = jax.random.split(key)
        train, test = draw(train_key, samples), draw(test_key, 5 * samples)
        accuracies = []
        for change in (lambda x: x, features):
            params, _ = classical.logistic_regression(
                change(train["x"]), train["y"], learning_rate=1.0, steps=steps
            )
            right = classical.linear_predict(params, change(test["x"])) == test["y"]
            accuracies.append(jnp.mean(right))
        return jnp.stack(accuracies), classical.linear_predict(params, grid), train

    accuracy, regions, train = jax.vmap(one)(keys)
    return accuracy, regions[0].reshape(MAP, MAP), jax.tree.map(lambda a: a[0], train)


def corner_errors() -> np.ndarray:
    """Trains Rosenblatt's perceptron on xor's corners: errors without and with the product."""
    table = toy.xor_table()
    histories = [
        classical.perceptron(features, table["y"], max_epochs=100)[1]
        for features in (table["x"], product(table["x"]))
    ]
    return np.asarray([history["train_error"][-1] for history in histories])


def polynomials(
    random: np.random.Generator, seeds: int, points: int, noise: float, corners: int
) -> Result:
    """Fits polynomials of every degree to random functions, at noisy points and without noise.

    The functions on [-1, 1] have so many corners, their ends among them.
    `fits [seeds, points, 2]`: root mean squared errors of degrees 0 to `points - 1` on the training
    points and on 20 times as many others. `farthest [seeds, DEGREES]`: the largest errors without
    noise.
    """
    heights = random.normal(size=(seeds, corners))
    fits, first = [], None
    for row in heights:
        train, valid = (_draw_noisy(random, row, n, noise) for n in (points, 20 * points))
        fits.append([rms_errors(degree, train, valid) for degree in range(points)])
        first = first or train
    return {
        "heights": heights[0],
        "noisy": np.stack(first),
        "noise": np.asarray(noise),
        "fits": np.asarray(fits),
        "farthest": np.stack([largest_errors(partial(piecewise, row)) for row in heights]),
    }


def piecewise(heights: np.ndarray, x: np.ndarray) -> np.ndarray:
    """Evaluates the function with these heights at corners evenly spaced on [-1, 1]."""
    return np.interp(x, np.linspace(-1, 1, len(heights)), heights)


def _draw_noisy(random: np.random.Generator, heights: np.ndarray, n: int, noise: float) -> Part:
    x = random.uniform(-1, 1, n)
    return x, piecewise(heights, x) + noise * random.normal(size=n)


def fit(degree: int, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Computes the coefficients `[degree + 1]` of `powers` with the least squared error."""
    return np.linalg.lstsq(powers(x, degree), y)[0]


def rms_errors(degree: int, *parts: Part) -> list[float]:
    """Fits a polynomial to the first part; returns its root mean squared error on each."""
    alpha = fit(degree, *parts[0])
    return [float(np.sqrt(np.mean((powers(x, degree) @ alpha - y) ** 2))) for x, y in parts]


def largest_errors(function: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
    """Computes the largest |error| on [-1, 1] of least-squares polynomials of `DEGREES`."""
    x = np.cos(np.linspace(0, np.pi, 2001))
    y = function(x)
    bases = [chebyshev.chebvander(x, degree) for degree in DEGREES]
    return np.asarray([np.abs(b @ np.linalg.lstsq(b, y)[0] - y).max() for b in bases])


def eights(
    random: np.random.Generator,
    data: Dataset,
    seeds: int,
    sizes: tuple[int, int],
    counts: tuple[int, ...],
    epochs: int,
) -> Result:
    """Trains perceptrons to recognise an 8: training and test errors `[seeds, counts, 2]`.

    Each seed draws new training images, `sizes[0]` of them, and pairs of pixels; a larger count
    includes the smaller ones. The `sizes[1]` test images are the same for all seeds: `eights_wrong
    [seeds, counts, images]` says which of them are classified wrongly.
    """
    features = data.train["x"].shape[1]
    test = _draw_images(random, data.test, sizes[1])
    errors, wrong = [], []
    for _ in range(seeds):
        train = _draw_images(random, data.train, sizes[0])
        pairs = random.integers(features, size=(max(counts), 2))
        found = [_eight(train, test, pairs[:count], epochs) for count in counts]
        errors.append([error for error, _ in found])
        wrong.append([which for _, which in found])
    tested = np.mean(wrong, axis=-1)
    return {
        "features": features + np.asarray(counts),
        "eights": np.stack([np.asarray(errors), tested], axis=-1),
        "eights_wrong": np.asarray(wrong),
    }


def _draw_images(random: np.random.Generator, part: dict, n: int) -> Part:
    rows = random.permutation(len(part["y"]))[:n]
    return part["x"][rows], (part["y"][rows] == 8).astype(np.int32)


def _eight(train: Part, test: Part, pairs: np.ndarray, epochs: int) -> tuple[float, np.ndarray]:
    """The training error, and whether each test image is classified wrongly."""
    (x, y), (test_x, test_y) = ((append_products(x, pairs), y) for x, y in (train, test))
    params, history = _perceptron(x, y, epochs)
    positive = test_x @ np.asarray(params["w"]) + np.asarray(params["b"]) >= 0
    return float(history["train_error"][-1]), positive != test_y


@partial(jax.jit, static_argnums=2)
def _perceptron(x: Array, y: Array, epochs: int) -> tuple[dict[str, Array], dict[str, Array]]:
    """The perceptron without its check of the scales: L2 takes products of pixels as they are."""
    return classical.perceptron(x, y, max_epochs=epochs)


def neighbours(keys: Array, n: int, noise: float) -> Result:
    """Measures the accuracy and k of k-NN, `[seeds, FLIPS, 2]`: on coordinates and on the radius.

    It has n points for training and n to choose k, with a share of wrong labels, and 5 n to test.
    """
    found = np.asarray([[_k_nn(key, n, flip, noise) for flip in FLIPS] for key in keys])
    return {"k_nn": found[..., 0], "k": found[..., 1]}


def _k_nn(key: Array, n: int, flip: float, noise: float) -> list[tuple[float, int]]:
    """The points are the same for every `flip`."""
    draws = zip(jax.random.split(key, 3), (n, n, 5 * n), (flip, flip, 0.0), strict=True)
    train, *others = (jax.device_get(_circles(*draw, noise)) for draw in draws)
    chosen = []
    for features in (lambda x: x, lambda x: np.linalg.norm(x, axis=1, keepdims=True)):
        valid, test = (
            np.mean(
                votes(features(train["x"]), train["y"], features(part["x"])) == part["y"][:, None],
                axis=0,
            )
            for part in others
        )
        best = np.argmax(valid)
        chosen.append((test[best], NEIGHBOURS[best]))
    return chosen


@partial(jax.jit, static_argnums=1)
def _circles(key: Array, n: int, flip: float, noise: float) -> toy.Points:
    return toy.circles(key, n, noise=noise, flip=flip)


def votes(x: np.ndarray, y: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Classifies points by the majority of the k nearest samples, for each k of `NEIGHBOURS`.

    The samples `x` have classes 0 and 1, `y`; returns `[points, len(NEIGHBOURS)]`.
    """
    machine = classical.knn(x, y, n_neighbors=max(NEIGHBOURS))
    nearest = y[machine.kneighbors(points, return_distance=False)]
    k = np.asarray(NEIGHBOURS)
    return 2 * np.cumsum(nearest, axis=1)[:, k - 1] > k
