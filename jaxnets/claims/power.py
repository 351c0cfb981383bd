"""How surely a study of so many seeds would reach its verdict, and how many one would need."""

import math

import numpy as np
from scipy import stats

from jaxnets.claims.claim import Part
from jaxnets.claims.intervals import LEVEL, Estimate

POWER = 0.8
"""What a registered study has at least, at twice the margin."""


def power(part: Part) -> float:
    """Returns the probability of "reproduced", if the effect is twice the margin.

    For `equal` it is that at an effect of `reference` itself. Values are taken as normal, with the
    deviation that the part expects (Cohen, 1988; for `equal` Schuirmann, 1987); proportions are
    binomial, and at most 1.

    Example:
        >>> from jaxnets.claims import Part
        >>> power(Part("gain", "above", margin=2.0, seeds=30, deviation=2.0)) > 0.99
        True
    """
    if part.kind == "exact":
        return 1.0
    if part.analysis == "proportion" and part.kind != "equal":
        return _power_of_proportion(part)
    freedom = part.seeds - 1
    distance = part.margin / (part.deviation * math.sqrt(1 / part.seeds + part.divided))
    critical = stats.t.ppf((1 + LEVEL) / 2, freedom)
    reached = float(stats.nct.sf(critical, freedom, distance))
    return max(2 * reached - 1, 0.0) if part.kind == "equal" else reached


def _power_of_proportion(part: Part) -> float:
    sign = -1 if part.kind == "below" else 1
    truth = min(max(part.reference + sign * 2 * part.margin, 0.0), 1.0)
    counts = np.arange(part.seeds + 1)
    alternative = "less" if sign < 0 else "greater"
    p = [stats.binomtest(int(c), part.seeds, part.threshold, alternative).pvalue for c in counts]
    holds = np.asarray(p) < (1 - LEVEL) / 2
    return float(stats.binom.pmf(counts, part.seeds, truth)[holds].sum())


def seeds_to_decide(part: Part, estimate: Estimate) -> float:
    """Returns about how many seeds would give a verdict, if the estimate is the truth.

    With them the interval ends at the nearest threshold with a probability of `POWER`. It is
    infinite where no number would do: the estimate is the threshold itself, or what seeds cannot
    lower (the test samples, the divisions of one data set) is too uncertain alone.

    Example:
        >>> import numpy as np
        >>> from jaxnets.claims import ANALYSES, Part
        >>> part = Part("gain", "above", margin=2.0, seeds=4, deviation=2.0)
        >>> estimate = ANALYSES["mean"](np.array([1.0, 3.0, 5.0, 3.0]), 0.0)
        >>> seeds_to_decide(part, estimate) > 4
        True
    """
    ends = [part.reference - part.margin, part.reference + part.margin]
    thresholds = ends if part.kind == "equal" else [part.threshold]
    distance = min(abs(estimate.mean - threshold) for threshold in thresholds)
    reach = float(stats.norm.ppf((1 + LEVEL) / 2) + stats.norm.ppf(POWER))
    left = (distance / reach) ** 2 - estimate.fixed
    if left <= 1e-9 * estimate.std**2:
        return math.inf
    return max(math.ceil(estimate.std**2 / left), 2)
