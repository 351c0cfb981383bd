"""Choosing among trained networks, of which some may have diverged."""

import numpy as np


def best(scores: np.ndarray, axis: int | None = None) -> np.ndarray:
    """Finds the index of the highest score; NaN, of a network that diverged, is below all others.

    Example:
        >>> int(best(np.asarray([0.2, np.nan, 0.4]))), int(best(-np.asarray([np.nan, 3.0, 2.0])))
        (2, 2)
    """
    return np.nan_to_num(scores, nan=-np.inf, posinf=np.inf, neginf=-np.inf).argmax(axis)
