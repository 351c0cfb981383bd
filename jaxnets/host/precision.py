"""What a cast to fewer digits loses: values of a feature that differ, and become equal."""

import numpy as np

COMPARED_ROWS, COMPARED_ENTRIES = 1000, 2**21
"""How many rows, and entries in all, are compared."""
LEVELS = 2**14
"""Values that a feature's range must have room for: beyond, they differ by rounding alone."""


def find_merged(x: np.ndarray, cast: np.ndarray) -> str | None:
    """Describes the feature of which a cast merges most values, if that is 5 % of them or more.

    A feature counts only if its range has few values after the cast, as that of time stamps has.
    """
    if not (x.ndim and x.size):
        return None
    before, after = (a.reshape(len(a), -1) for a in (x, cast))
    count = max(2, min(COMPARED_ROWS, COMPARED_ENTRIES // before.shape[1]))
    if len(before) > count:
        rows = np.random.default_rng(0).integers(len(before), size=count)
        before, after = before[rows], after[rows]
    if (before == after).all():
        return None
    distinct, left = (_count_distinct(a) for a in (before, after))
    share = np.where(_is_coarse(after), left / distinct, 1.0)
    worst = int(np.argmin(share))
    if share[worst] > 0.95:
        return None
    where = ", ".join(map(str, np.unravel_index(worst, x.shape[1:]))) if x.ndim > 1 else "0"
    return f"{where} ({distinct[worst]} values become {left[worst]})"


def _count_distinct(x: np.ndarray) -> np.ndarray:
    """Counts the distinct values of each column."""
    return 1 + (np.diff(np.sort(x, axis=0), axis=0) != 0).sum(axis=0)


def _is_coarse(x: np.ndarray) -> np.ndarray:
    """Whether the range of each column has room for less than `LEVELS` different values."""
    largest = np.maximum(x.max(axis=0), -x.min(axis=0))
    return np.ptp(x, axis=0) < LEVELS * np.spacing(largest)
