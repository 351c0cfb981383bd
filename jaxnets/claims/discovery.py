"""The share of false discoveries among many claims."""

import math
from collections.abc import Sequence

import numpy as np
from scipy import stats


def with_q_values(p: Sequence[float]) -> list[float]:
    """Returns the q-value of each p-value, NaN for NaN.

    Calling reproduced what has q <= 0.05 expects at most 5 % of these to be false (Benjamini and
    Hochberg, 1995). Exact claims have no p and are not counted.

    Example:
        >>> [round(q, 3) for q in with_q_values([0.01, 0.04, 0.5])]
        [0.03, 0.06, 0.5]
    """
    found = np.asarray(p, np.float64)
    tested = ~np.isnan(found)
    q = np.full(len(found), math.nan)
    if tested.any():
        q[tested] = stats.false_discovery_control(found[tested])
    return q.tolist()
