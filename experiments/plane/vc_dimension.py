"""The VC dimension of lines, and the error of a hyperplane against VC dimension / samples."""

from collections.abc import Sequence
from itertools import combinations, product

import numpy as np
from sklearn.svm import SVC

SIDE = 4
"""Points of a grid of so many rows and columns are enumerated."""
PENALTY = 1e6
"""Of the SVM's errors, so large that it makes none."""
TESTED = 20000


def grid(side: int) -> np.ndarray:
    """Lists the points of a grid, integers `[side^2, 2]`."""
    return np.asarray(list(product(range(side), repeat=2)))


def three_points() -> np.ndarray:
    """The share of labelings that a line has, of each three points of the grid not on a line.

    Three such points are solved for: a line takes any values at them, so also the labels -1, 1.
    """
    triples = np.asarray(list(combinations(grid(SIDE), 3)), float)
    rows = np.concatenate([triples, np.ones_like(triples[..., :1])], axis=-1)
    rows = rows[np.abs(np.linalg.det(rows)) > 0.5]
    labels = np.asarray(list(product((-1, 1), repeat=3)), float).T
    lines = np.linalg.solve(rows, np.broadcast_to(labels, (len(rows), *labels.shape)))
    return (np.sign(rows @ lines) == labels).all(axis=1).mean(axis=1)


def four_points() -> np.ndarray:
    """Proves for each four points of the grid that no line has all labelings: 0 for a proof, or 1.

    Radon (1921): there are weights, not all 0, of which the sum is 0 and that of the weighted
    points too. A line with positive values where weights are positive, and negative ones where they
    are negative, would give those values a positive weighted sum, which has to be 0.
    """
    return np.asarray([_has_no_proof(points) for points in combinations(grid(SIDE), 4)], int)


def _has_no_proof(points: Sequence[np.ndarray]) -> bool:
    rows = np.column_stack([points, np.ones(4, int)])
    weights = dependence(rows)
    return not weights.any() or bool((weights @ rows).any())


def dependence(rows: np.ndarray) -> np.ndarray:
    """Finds integers, not all 0, of which `weights @ rows` is 0; `rows [4, 3]`, sorted integers."""
    minors = [round(np.linalg.det(np.delete(rows, i, axis=0))) for i in range(4)]
    weights = np.asarray(minors) * [1, -1, 1, -1]
    if weights.any():
        return weights
    # All on a line: the second is between the first and the third.
    first, second, third = (int(np.abs(row - rows[0]).max()) for row in rows[:3])
    return np.asarray([third - second, first - third, second - first, 0])


def errors(rng: np.random.Generator, features: int, sizes: Sequence[int], seeds: int) -> np.ndarray:
    """The error of the hyperplane of largest margin on samples that a hyperplane labels.

    Of normal points and a hyperplane through the origin, drawn again for each; `[seeds, sizes]`,
    NaN where samples are not separated, on which no claim about those that are can rest.
    """
    return np.asarray([[_error(rng, features, n) for n in sizes] for _ in range(seeds)])


def _error(rng: np.random.Generator, features: int, samples: int) -> float:
    truth = rng.normal(size=features)
    x, other = rng.normal(size=(samples, features)), rng.normal(size=(TESTED, features))
    y = x @ truth > 0
    if y.all() or not y.any():
        return float(np.mean((other @ truth > 0) != y[0]))
    machine = SVC(kernel="linear", C=PENALTY).fit(x, y)
    if machine.score(x, y) < 1:
        return float("nan")
    return float(np.mean(machine.predict(other) != (other @ truth > 0)))
