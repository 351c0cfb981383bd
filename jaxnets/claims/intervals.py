"""Estimates and their 95 % confidence intervals, one function for each way to sample.

Two-sided intervals of 95 % leave 2.5 % on each side, so that a verdict beyond a margin is wrong at
most in 1 of 40 studies.
"""

import math
from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import numpy as np
from scipy import stats

LEVEL = 0.95


class Sample(NamedTuple):
    """What was measured for a part of a claim.

    Args:
        values: the effect `[n]`, or the first arm of a comparison; for `crossed` `[seeds, units]`.
        against: the second arm, paired with the first; the effect is then `values - against`.

    Example:
        >>> Sample([90.0, 92.0], against=[80.0, 81.0]).effect.tolist()
        [10.0, 11.0]
    """

    values: Any
    against: Any = None

    @property
    def arms(self) -> list[np.ndarray]:
        """The arms as float64."""
        arms = [self.values] if self.against is None else [self.values, self.against]
        return [np.asarray(arm, np.float64) for arm in arms]

    @property
    def effect(self) -> np.ndarray:
        """The effect of every seed, as float64.

        Raises:
            ValueError: arms of different shapes.
        """
        first, *rest = self.arms
        for other in rest:
            if other.shape != first.shape:
                raise ValueError(
                    f"the arms have shapes {first.shape} and {other.shape}; they are paired"
                )
        return first - rest[0] if rest else first


class Estimate(NamedTuple):
    """An estimate with its interval, and the tests that belong to it.

    Example:
        >>> import numpy as np
        >>> estimate = ANALYSES["mean"](np.array([1.0, 2.0, 3.0]), 0.0)
        >>> estimate.mean, estimate.low < 2.0 < estimate.high
        (2.0, True)
    """

    mean: float
    low: float
    high: float
    std: float
    """Standard deviation of the values, for the power of another study."""
    n: int
    p_above: Callable[[float], float]
    """The one-sided p of "the effect is at most the threshold"."""
    p_below: Callable[[float], float]
    """The one-sided p of "the effect is at least the threshold"."""
    fixed: float = 0.0
    """The variance of the estimate that more seeds would not lower."""


def mean(effect: np.ndarray, divided: float = 0.0) -> Estimate:
    """Estimates a mean of independent values `[n]` by Student's t (Student, 1908)."""
    return _by_t(effect, 1 / len(effect))


def resampled(effect: np.ndarray, divided: float) -> Estimate:
    """Estimates a mean over random divisions of one data set, which are not independent.

    The variance is `(1/n + test/train) s^2` (Nadeau and Bengio, 2003): more divisions of the same
    samples do not narrow the interval to nothing.
    """
    found = _by_t(effect, 1 / len(effect) + divided)
    return found._replace(fixed=divided * found.std**2)


def crossed(effect: np.ndarray, divided: float = 0.0) -> Estimate:
    """Estimates a mean over seeds and test samples `[seeds, units]`, both of them random.

    The variance is the sum of that of the seeds' means and that of the units' means, which counts
    their interaction twice and so is never too small; the degrees of freedom are Satterthwaite's
    (1946).
    """
    parts = [effect.mean(axis=axis) for axis in (1, 0)]
    variances = np.asarray([part.var(ddof=1) / len(part) for part in parts])
    freedom = np.asarray([len(part) - 1 for part in parts])
    total = float(variances.sum())
    df = total**2 / float((variances**2 / freedom).sum()) if total else math.inf
    return _by_error(parts[0], math.sqrt(total), df)._replace(fixed=float(variances[1]))


def bootstrap(effect: np.ndarray, divided: float = 0.0) -> Estimate:
    """Estimates a mean of units `[n]` by the BCa bootstrap (Efron, 1987)."""
    if np.ptp(effect) == 0:
        return _by_error(effect, 0.0, math.inf)
    drawn = stats.bootstrap(
        (effect,), np.mean, confidence_level=LEVEL, n_resamples=9999, rng=np.random.default_rng(0)
    )
    low, high = (float(end) for end in drawn.confidence_interval)
    normal = _by_error(effect, float(drawn.standard_error), math.inf)
    return normal._replace(low=low, high=high)


def proportion(effect: np.ndarray, divided: float = 0.0) -> Estimate:
    """Estimates a proportion from zeros and ones `[n]` (Clopper and Pearson, 1934).

    Raises:
        ValueError: values other than 0 and 1.
    """
    if not np.isin(effect, (0, 1)).all():
        raise ValueError("a proportion is measured by zeros and ones")
    count, n = int(effect.sum()), len(effect)
    low, high = stats.binomtest(count, n).proportion_ci(LEVEL)

    def p(alternative: str, threshold: float) -> float:
        if not 0 <= threshold <= 1:  # no proportion is beyond it, or all are
            return float((threshold < 0) == (alternative == "less"))
        return float(stats.binomtest(count, n, threshold, alternative).pvalue)

    std = float(effect.std(ddof=1))
    above, below = partial(p, "greater"), partial(p, "less")
    return Estimate(count / n, float(low), float(high), std, n, above, below)


def _by_t(effect: np.ndarray, factor: float) -> Estimate:
    error = float(effect.std(ddof=1)) * math.sqrt(factor)
    return _by_error(effect, error, len(effect) - 1)


def _by_error(effect: np.ndarray, error: float, freedom: float) -> Estimate:
    """Student's interval and tests for a mean with that standard error."""
    center = float(effect.mean())
    half = float(stats.t.ppf((1 + LEVEL) / 2, freedom)) * error

    def p(sign: int, threshold: float) -> float:
        distance = sign * (center - threshold)
        return float(stats.t.sf(distance / error, freedom)) if error else float(distance <= 0)

    std = float(effect.std(ddof=1))
    tests = partial(p, 1), partial(p, -1)
    return Estimate(center, center - half, center + half, std, len(effect), *tests)


ANALYSES: dict[str, Callable[..., Estimate]] = {
    "mean": mean,
    "resampled": resampled,
    "crossed": crossed,
    "bootstrap": bootstrap,
    "proportion": proportion,
}
"""How an interval is computed, by name."""
