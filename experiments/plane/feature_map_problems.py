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
CORNERS = 8
"""Of each random function on [-1, 1]."""
DEGREES = (1, 2, 4, 8, 16, 32, 64)
"""Of the approximations without noise."""
NEIGHBOURS = (1, 3, 5, 9, 15, 25, 41)
FLIPS = (0.0, 0.1, 0.2, 0.3, 0.4)

Part = tuple[np.ndarray, np.ndarray]
"""Samples and their labels or targets."""


def product(x: Array) -> Array:
    """`(x_u, x_v, x_u x_v)`: `[..., 2]` to `[..., 3]` (L2)."""
    return jnp.concatenate([x, x[..., :1] * x[..., 1:]], axis=-1)


def polar(x: Array) -> Array:
    """The radius and the angle, `[..., 2]` to `[..., 2]` (L3)."""
    return jnp.stack([jnp.hypot(x[..., 0], x[..., 1]), jnp.arctan2(x[..., 1], x[..., 0])], axis=-1)


def powers(x: np.ndarray, degree: int) -> np.ndarray:
    """`(1, x, x^2, ..., x^degree)`: `[samples]` to `[samples, degree + 1]` (L2)."""
    return np.vander(x, degree + 1, increasing=True)


def with_products(x: np.ndarray, pairs: np.ndarray) -> np.ndarray:
    """The features, then the products of pairs of them: `[samples, features + pairs]` (L2).

    `pairs [pairs, 2]` holds the numbers of the features.
    """
    return np.concatenate([x, x[:, pairs[:, 0]] * x[:, pairs[:, 1]]], axis=1)


PLANE: dict[str, tuple[Callable, Callable]] = {
    "xor": (partial(toy.xor, noise=0.2), product),
    "circles": (partial(toy.circles, noise=0.1), polar),
}
"""Problems of the plane, and the maps under which a line separates their classes."""


def linear_models(problem: str, keys: Array, samples: int, steps: int) -> Result:
    """Accuracies `[seeds, 2]` of logistic regression on the coordinates and on their map.

    Also the first seed's training points, their labels and the regions found with the map.
    """
    accuracy, regions, part = _logistic(problem, samples, steps, keys)
    measured = {"linear": accuracy, "map": regions, "points": part["x"], "labels": part["y"]}
    return {f"{name}_{problem}": np.asarray(value) for name, value in measured.items()}


@partial(jax.jit, static_argnums=(0, 1, 2))
def _logistic(
    problem: str, samples: int, steps: int, keys: Array
) -> tuple[Array, Array, toy.Points]:
    draw, features = PLANE[problem]
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
    """Training errors of Rosenblatt's perceptron on xor's corners, without and with the product."""
    table = toy.xor_table()
    histories = [
        classical.perceptron(features, table["y"], max_epochs=100)[1]
        for features in (table["x"], product(table["x"]))
    ]
    return np.asarray([history["train_error"][-1] for history in histories])


def polynomials(random: np.random.Generator, seeds: int, points: int, noise: float) -> Result:
    """Fits of every degree to noisy points of random functions, and the largest errors without.

    `fits [seeds, points, 2]`: root mean squared errors of degrees 0 to `points - 1` on the training
    points and on 20 times as many others. `farthest [seeds, DEGREES]`.
    """
    heights = random.normal(size=(seeds, CORNERS))
    fits, first = [], None
    for row in heights:
        train, valid = (_noisy(random, row, n, noise) for n in (points, 20 * points))
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
    """The continuous function whose corners have those heights, evenly spaced on [-1, 1]."""
    return np.interp(x, np.linspace(-1, 1, len(heights)), heights)


def _noisy(random: np.random.Generator, heights: np.ndarray, n: int, noise: float) -> Part:
    x = random.uniform(-1, 1, n)
    return x, piecewise(heights, x) + noise * random.normal(size=n)


def fit(degree: int, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """The coefficients `[degree + 1]` with the least squared error, as `powers` has them."""
    return np.linalg.lstsq(powers(x, degree), y)[0]


def rms_errors(degree: int, *parts: Part) -> list[float]:
    """Root mean squared errors on each part of the polynomial fitted to the first."""
    alpha = fit(degree, *parts[0])
    return [float(np.sqrt(np.mean((powers(x, degree) @ alpha - y) ** 2))) for x, y in parts]


def largest_errors(function: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
    """On [-1, 1], the largest |error| of a least-squares polynomial of each of `DEGREES`."""
    x = np.cos(np.linspace(0, np.pi, 2001))
    y = function(x)
    bases = [chebyshev.chebvander(x, degree) for degree in DEGREES]
    return np.asarray([np.abs(b @ np.linalg.lstsq(b, y)[0] - y).max() for b in bases])


def eights(
    random: np.random.Generator,
    data: Dataset,
    seeds: int,
    samples: int,
    counts: tuple[int, ...],
    epochs: int,
) -> Result:
    """Errors `[seeds, counts, 2]` on training and test images of perceptrons that know an 8.

    Each seed draws its images and pairs of pixels anew; more pairs include the fewer.
    """
    features = data.train["x"].shape[1]
    errors = []
    for _ in range(seeds):
        train, test = (_some(random, part, samples) for part in (data.train, data.test))
        pairs = random.integers(features, size=(max(counts), 2))
        errors.append([_eight(train, test, pairs[:count], epochs) for count in counts])
    return {"features": features + np.asarray(counts), "eights": np.asarray(errors)}


def _some(random: np.random.Generator, part: dict, n: int) -> Part:
    rows = random.permutation(len(part["y"]))[:n]
    return part["x"][rows], (part["y"][rows] == 8).astype(np.int32)


def _eight(train: Part, test: Part, pairs: np.ndarray, epochs: int) -> list[float]:
    (x, y), (test_x, test_y) = ((with_products(x, pairs), y) for x, y in (train, test))
    params, history = classical.perceptron(x, y, max_epochs=epochs)
    positive = test_x @ np.asarray(params["w"]) + np.asarray(params["b"]) >= 0
    return [float(history["train_error"][-1]), float(np.mean(positive != test_y))]


def neighbours(keys: Array, n: int) -> Result:
    """Accuracies of k-NN and its k, `[seeds, FLIPS, 2]`: on the coordinates and on the radius.

    n points to train on and n to choose k, a share of whose labels is wrong; 5 n to test on.
    """
    found = np.asarray([[_k_nn(key, n, flip) for flip in FLIPS] for key in keys])
    return {"k_nn": found[..., 0], "k": found[..., 1]}


def _k_nn(key: Array, n: int, flip: float) -> list[tuple[float, int]]:
    """The places of the points are the same for every `flip`."""
    draws = zip(jax.random.split(key, 3), (n, n, 5 * n), (flip, flip, 0.0), strict=True)
    train, *others = (jax.device_get(_circles(*draw)) for draw in draws)
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
def _circles(key: Array, n: int, flip: float) -> toy.Points:
    return toy.circles(key, n, noise=0.1, flip=flip)


def votes(x: np.ndarray, y: np.ndarray, points: np.ndarray) -> np.ndarray:
    """What most of the k nearest of samples `x`, `y` of classes 0 and 1 say, k of `NEIGHBOURS`.

    `[points, len(NEIGHBOURS)]`.
    """
    machine = classical.knn(x, y, n_neighbors=max(NEIGHBOURS))
    nearest = y[machine.kneighbors(points, return_distance=False)]
    k = np.asarray(NEIGHBOURS)
    return 2 * np.cumsum(nearest, axis=1)[:, k - 1] > k
