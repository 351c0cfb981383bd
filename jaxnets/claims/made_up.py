"""Made-up samples that a claim must accept or reject: a judge that cannot fail is found by them.

The noise has exactly the deviation that a part expects, so that no case depends on luck.
"""

import math
from typing import NamedTuple

import numpy as np
from scipy import stats

from jaxnets.claims.claim import Part
from jaxnets.claims.intervals import Sample

UNITS = 40
"""Test samples of a made-up `crossed` sample."""


class Case(NamedTuple):
    """A made-up sample, and the verdicts that are right for it.

    Example:
        >>> Case(Sample([5.0, 6.0]), ("reproduced",)).verdicts
        ('reproduced',)
    """

    sample: Sample
    verdicts: tuple[str, ...]


NO_SUCCESS = ("refuted", "inconclusive")


def cases(part: Part) -> dict[str, Case]:
    """Returns made-up samples of a part, by what is wrong with them.

    `clear` must be reproduced. `null`, `tiny` (half the margin) and `swapped` (the arms exchanged)
    must not be; `collapsed`, `single` and `nan` must not be judged.

    Example:
        >>> part = Part("gain", "above", margin=2.0, seeds=8, deviation=1.0)
        >>> "single" in cases(part)
        True
    """
    if part.kind == "exact":
        return _exact(part)
    clear, null, tiny = (_sample(part, effect) for effect in _effects(part))
    broken = np.array(clear.values, np.float64)
    broken.flat[0] = math.nan
    single = Sample(*(None if arm is None else arm[:1] for arm in clear))
    found = {
        "clear": Case(clear, ("reproduced",)),
        "null": Case(null, NO_SUCCESS),
        "tiny": Case(tiny, NO_SUCCESS),
        "single": Case(single, ("not judged",)),
        "nan": Case(clear._replace(values=broken), ("not judged",)),
    }
    if part.arms and part.kind != "equal":
        found["swapped"] = Case(Sample(clear.against, clear.values), (*NO_SUCCESS, "not judged"))
    if part.arms and not part.may_collapse:
        at = part.floor if math.isfinite(part.floor) else part.ceiling
        collapsed = clear._replace(against=np.full_like(np.asarray(clear.against), at))
        found["collapsed"] = Case(collapsed, ("not judged",))
    return found


def _exact(part: Part) -> dict[str, Case]:
    wrong = part.reference + 2 * (part.margin or 1.0)
    values = np.full(3, part.reference)
    return {
        "clear": Case(Sample(values), ("reproduced",)),
        "null": Case(Sample(np.append(values, wrong)), ("refuted",)),
        "nan": Case(Sample(np.append(values, math.nan)), ("not judged",)),
        "nothing": Case(Sample(values[:0]), ("not judged",)),
    }


def _effects(part: Part) -> tuple[float, float, float]:
    """A clear effect, none at all, and one that is too small to matter."""
    if part.kind == "equal":
        return part.reference, part.reference + 3 * part.margin, part.reference + part.margin
    sign = -1 if part.kind == "below" else 1
    steps = (3.0, 0.0, 0.5)
    clear, null, tiny = (part.reference + sign * step * part.margin for step in steps)
    return clear, null, tiny


def _sample(part: Part, effect: float) -> Sample:
    """A sample with exactly that effect, or for a proportion the nearest that can be had."""
    n = part.seeds
    if part.analysis == "proportion":
        ones = round(min(max(effect, 0.0), 1.0) * n)
        return Sample(np.repeat([1.0, 0.0], [ones, n - ones]))
    noise = stats.norm.ppf((np.arange(n) + 0.5) / n)
    values = effect + part.deviation * noise / noise.std(ddof=1)
    if part.analysis == "crossed":
        ripple = np.linspace(-1, 1, UNITS) * part.deviation
        values = values[:, None] + ripple
    if not part.arms:
        return Sample(values)
    return Sample(values + _level(part), np.full_like(values, _level(part)))


def _level(part: Part) -> float:
    """A level of the second arm at which neither arm has collapsed."""
    room = 10 * (abs(part.reference) + 3 * part.margin + part.deviation)
    if math.isfinite(part.floor) and math.isfinite(part.ceiling):
        return (part.floor + part.ceiling) / 2
    if math.isfinite(part.floor):
        return part.floor + room
    return part.ceiling - room if math.isfinite(part.ceiling) else 0.0
