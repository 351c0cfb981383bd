"""How many seeds show a difference between two networks."""

import numpy as np
from scipy import stats

SIGNIFICANCE, POWER = 0.05, 0.8


def power(seeds: int, effect: float) -> float:
    """Computes the power of a two-sided t-test for a difference of `effect` standard deviations.

    With `seeds` networks of each kind: the noncentral t distribution (Cohen, 1988).
    """
    freedom, shift = 2 * seeds - 2, effect * np.sqrt(seeds / 2)
    limit = stats.t.ppf(1 - SIGNIFICANCE / 2, freedom)
    return float(stats.nct.sf(limit, freedom, shift) + stats.nct.cdf(-limit, freedom, shift))


def seeds_needed(std: float, gap: float) -> int:
    """Returns the fewest networks of each kind that show a difference `gap` of their means.

    The normal distribution gives the first guess, which is never too large.
    """
    quantiles = stats.norm.ppf(1 - SIGNIFICANCE / 2) + stats.norm.ppf(POWER)
    seeds = max(2, int(2 * (quantiles * std / gap) ** 2))
    while power(seeds, gap / std) < POWER:
        seeds += 1
    return seeds
