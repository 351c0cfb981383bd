"""How the error of nearest neighbours falls with the samples, on functions of the unit square."""

from collections.abc import Callable

import numpy as np
from scipy.spatial import cKDTree

TESTED = 2000
Function = Callable[[np.random.Generator], Callable[[np.ndarray], np.ndarray]]
"""Draws a function of points `[n, 2]`."""


def _waves(rng: np.random.Generator) -> Callable[[np.ndarray], np.ndarray]:
    """A sum of eight waves in random directions, of up to three periods."""
    along, phase = rng.uniform(-3, 3, (2, 8)), rng.uniform(0, 2 * np.pi, 8)
    return lambda x: np.cos(2 * np.pi * x @ along + phase).sum(axis=1)


def _valley(rng: np.random.Generator) -> Callable[[np.ndarray], np.ndarray]:
    """Rosenbrock's function on [-1, 1]^2."""

    def height(x: np.ndarray) -> np.ndarray:
        u, v = (2 * x - 1).T
        return 100 * (v - u**2) ** 2 + (1 - u) ** 2

    return height


def _board(rng: np.random.Generator) -> Callable[[np.ndarray], np.ndarray]:
    """A board of 4 x 4 cells, 0 and 1, with its corner at a random place."""
    corner = rng.uniform(0, 1, 2)
    return lambda x: np.floor(4 * x + corner).sum(axis=1) % 2


FUNCTIONS: dict[str, Function] = {"waves": _waves, "valley": _valley, "board": _board}


def measure(
    rng: np.random.Generator, sizes: tuple[int, ...], neighbours: int, seeds: int
) -> np.ndarray:
    """Computes mean squared errors as shares of the variance, `[functions, seeds, sizes]`.

    Points are uniform and without noise, and drawn again for each seed; a smaller sample is the
    beginning of a larger one.
    """
    return np.stack([_errors(rng, sizes, neighbours) for _ in range(seeds)], axis=1)


def _errors(rng: np.random.Generator, sizes: tuple[int, ...], neighbours: int) -> np.ndarray:
    x, tested = rng.uniform(size=(max(sizes), 2)), rng.uniform(size=(TESTED, 2))
    near = []
    for size in sizes:
        found = cKDTree(x[:size]).query(tested, neighbours)[1]
        near.append(found.reshape(TESTED, neighbours))
    rows = []
    for draw in FUNCTIONS.values():
        function = draw(rng)
        values, truth = function(x), function(tested)
        said = [values[rows].mean(axis=1) for rows in near]
        rows.append([np.mean((y - truth) ** 2) / truth.var() for y in said])
    return np.asarray(rows)


def exponents(sizes: np.ndarray, errors: np.ndarray) -> np.ndarray:
    """Fits p in `error ~ n^p` for the last axis of `errors [..., sizes]`, `[...]`."""
    n = np.log(sizes) - np.log(sizes).mean()
    return np.log(np.maximum(errors, np.finfo(float).tiny)) @ n / (n @ n)
