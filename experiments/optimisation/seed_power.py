"""How many seeds show a difference between two networks."""

import math

import numpy as np
from scipy import stats

SIGNIFICANCE, POWER = 0.05, 0.8


def power(seeds: int, effect: float, divided: float = 0.0) -> float:
    """Computes the power of a two-sided t-test for a difference of `effect` standard deviations.

    With `seeds` networks of each kind: the noncentral t distribution (Cohen, 1988). If each has
    another division of the same data, `divided` is the ratio of test to training samples (Nadeau
    and Bengio, 2003).
    """
    freedom, shift = 2 * seeds - 2, effect / np.sqrt(2 * (1 / seeds + divided))
    limit = stats.t.ppf(1 - SIGNIFICANCE / 2, freedom)
    return float(stats.nct.sf(limit, freedom, shift) + stats.nct.cdf(-limit, freedom, shift))


def seeds_needed(std: float, gap: float, divided: float = 0.0) -> float:
    """Returns the fewest networks of each kind that show a difference `gap` of their means.

    Infinite if no number of divisions of the same data shows it. The normal distribution gives the
    first guess, which is never too large.
    """
    quantiles = stats.norm.ppf(1 - SIGNIFICANCE / 2) + stats.norm.ppf(POWER)
    room = (gap / (quantiles * std)) ** 2 / 2 - divided
    if room <= 0:
        return math.inf
    seeds = max(2, int(1 / room))
    while power(seeds, gap / std, divided) < POWER:
        seeds += 1
    return seeds
