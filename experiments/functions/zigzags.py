"""Sawtooth functions of the unit interval, and the best that few straight pieces can do."""

import numpy as np


def sawtooth(teeth: int, x: np.ndarray) -> np.ndarray:
    """Computes a zigzag between 0 and 1 with so many teeth, two pieces each, on [0, 1]."""
    return 1 - np.abs(1 - 2 * np.mod(teeth * x, 1.0))


def folded(layers: int, x: np.ndarray) -> np.ndarray:
    """Computes a sawtooth of `2^(layers - 1)` teeth by a ReLU network with two units a layer.

    Each layer folds the interval once: `2 relu(x) - 4 relu(x - 1/2)` (Telgarsky, 2015).
    """
    for _ in range(layers):
        x = 2 * np.maximum(x, 0) - 4 * np.maximum(x - 0.5, 0)
    return x


def least_uniform(x: np.ndarray, y: np.ndarray, pieces: int) -> float:
    """Finds the least largest error of so many straight pieces, continuous or not, at points.

    The error of the best line is the largest over all triples of points (Chebyshev): half of how
    far the middle one is from the chord of the other two.
    """
    n = len(x)
    cost = _no_cost(n)
    for length in range(2, n):
        for i in range(n - length):
            j = i + length
            middle = slice(i + 1, j)
            off = np.abs(y[middle] - np.interp(x[middle], x[[i, j]], y[[i, j]])) / 2
            cost[i, j] = max(off.max(), cost[i, j - 1], cost[i + 1, j])
    return float(_best_division(cost, pieces, np.maximum))


def least_squares(x: np.ndarray, y: np.ndarray, pieces: int) -> float:
    """Finds the least mean squared error of so many straight pieces, continuous or not."""
    n = len(x)
    sums = np.cumsum(
        np.concatenate([np.zeros((5, 1)), [x, y, x * x, x * y, y * y]], axis=1), axis=1
    )
    first, last = np.triu_indices(n)
    sx, sy, sxx, sxy, syy = sums[:, last + 1] - sums[:, first]
    count = last + 1 - first
    across, along, up = sxx - sx**2 / count, sxy - sx * sy / count, syy - sy**2 / count
    slope = np.where(count > 1, along / np.where(count > 1, across, 1), 0)
    cost = _no_cost(n)
    cost[first, last] = np.maximum(up - slope * along, 0)
    return float(_best_division(cost, pieces, np.add)) / n


def _no_cost(n: int) -> np.ndarray:
    """The cost `[first, last]` of pieces, so far 0, and infinite for those that end too early."""
    return np.where(np.tri(n, k=-1), np.inf, 0.0)


def _best_division(cost: np.ndarray, pieces: int, join: np.ufunc) -> float:
    """Divides points into consecutive pieces so that the joined `cost [first, last]` is least."""
    best = cost[0]
    for _ in range(pieces - 1):
        best = np.minimum(best, join(best[:-1, None], cost[1:]).min(axis=0))
    return best[-1]
