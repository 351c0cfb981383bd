"""Problems of the plane whose true boundary is known, and how near a network comes to it."""

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import jax.numpy as jnp
import numpy as np

from jaxnets.analysis import evaluate
from jaxnets.data import toy

THRESHOLD = 0.5
LOW, HIGH = 0.1, 0.9
"""Probabilities between which a point counts as undecided."""
Limits = tuple[float, float, float, float]


class Problem(NamedTuple):
    """A problem of `jaxnets.data.toy` with its true boundary."""

    draw: Callable[..., toy.Points]
    limits: Limits
    label: Callable[[np.ndarray], np.ndarray]
    """The true labels `[n]`, 0 or 1, of points `[n, 2]`."""
    length: float
    """The length of the true boundary."""

    @property
    def area(self) -> float:
        """The area of the plane within the limits."""
        left, right, bottom, top = self.limits
        return (right - left) * (top - bottom)


def board(cells: int) -> Problem:
    """Returns `toy.checkerboard`, of which 2 (cells - 1) lines of length 2 are the boundary."""
    draw, label = partial(toy.checkerboard, cells=cells), partial(parity, cells)
    return Problem(draw, (-1.0, 1.0, -1.0, 1.0), label, 2 * (cells - 1) * 2.0)


def parity(cells: int, x: np.ndarray) -> np.ndarray:
    """Computes the parity of column + row of the cells of points `[n, 2]`."""
    return np.floor(cells * (x + 1) / 2).sum(axis=1) % 2


def banana(x: np.ndarray) -> np.ndarray:
    """Computes the labels of `toy.rosenbrock_region`."""
    return np.asarray(toy.rosenbrock(jnp.asarray(x)) < THRESHOLD, float)


def banana_length(steps: int = 100_000) -> float:
    """Computes the length of r(x) = threshold, a circle in u = 1 - x1, v = 10 (x2 - x1^2)."""
    angle = np.linspace(0, 2 * np.pi, steps)
    x1 = 1 - np.sqrt(THRESHOLD) * np.cos(angle)
    x2 = x1**2 + np.sqrt(THRESHOLD) * np.sin(angle) / 10
    return float(np.hypot(np.diff(x1), np.diff(x2)).sum())


PROBLEMS = {
    "checkerboard": board(4),
    "Rosenbrock region": Problem(
        toy.rosenbrock_region, (0.0, 2.0, 0.0, 3.0), banana, banana_length()
    ),
}
"""The two problems of lecture L0."""


def centres(limits: Limits, steps: int) -> np.ndarray:
    """Computes the centres of `steps x steps` equal cells of the plane, `[steps^2, 2]`."""
    left, right, bottom, top = limits
    x1, x2 = (right - left) / (2 * steps), (top - bottom) / (2 * steps)
    return evaluate.plane((left + x1, right - x1, bottom + x2, top - x2), steps)


def distance(problem: Problem, grid: np.ndarray, probabilities: np.ndarray) -> np.ndarray:
    """Computes the mean distance `[...]` of `probabilities [..., points]` to the true boundary.

    It is the area of the wrong label on the grid per length of the true boundary: the area between
    two close curves is the length of one times their mean distance.
    """
    wrong = (probabilities >= 0.5) != problem.label(grid).astype(bool)
    return wrong.mean(axis=-1) * problem.area / problem.length


def width(problem: Problem, probabilities: np.ndarray) -> np.ndarray:
    """Computes the mean width `[...]` of the boundary of `probabilities [..., points]` on a grid.

    It is the area where 0.1 < p < 0.9 per length of the true boundary.
    """
    undecided = (probabilities > LOW) & (probabilities < HIGH)
    return undecided.mean(axis=-1) * problem.area / problem.length
