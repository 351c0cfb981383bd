"""The verdict on a claim: where the interval of every effect lies against its margin.

Reproduced: the interval lies beyond the margin, on the claim's side. Refuted: on the other side.
Inconclusive: neither, with the seeds that would decide. Not comparable: no result can decide, since
the source's setting is unknown or cannot be had. Not judged: something went wrong before (NaN, one
seed, an arm that collapsed), which says nothing about the claim.
"""

import math
from collections.abc import Mapping
from typing import Any, Literal, NamedTuple

import numpy as np

from jaxnets.claims.claim import Claim, Part
from jaxnets.claims.intervals import ANALYSES, Estimate, Sample
from jaxnets.claims.power import seeds_to_decide
from jaxnets.host import checks

Verdict = Literal["reproduced", "refuted", "inconclusive", "not comparable", "not judged"]


class Finding(NamedTuple):
    """What was found for one part of a claim; numbers are in the part's unit, or NaN.

    Example:
        >>> from jaxnets import claims
        >>> part = claims.Part("gain", "above", margin=2.0, seeds=3, deviation=1.0)
        >>> judge_part(part, claims.Sample(np.array([5.0, 6.0, 5.5]))).estimate
        5.5
    """

    part: str
    verdict: Verdict
    estimate: float
    low: float
    high: float
    margin: float
    reference: float
    kind: str
    unit: str
    p: float
    """One-sided, of "the claim does not hold"; NaN for exact parts."""
    n: int
    more: str
    """Why nothing was judged, or how many seeds would decide; else ""."""
    arms: dict[str, tuple[float, float]]
    """Mean and standard deviation of each arm, by name."""


class Record(NamedTuple):
    """The verdict on a claim, with what was found for its parts.

    Example:
        >>> from jaxnets import claims
        >>> part = claims.Part("gain", "above", margin=2.0, seeds=3, deviation=1.0)
        >>> claim = claims.Claim("wider", "wider is better", (part,), "accuracy")
        >>> judge(claim, claims.Sample(np.array([5.0, 6.0, 5.5]))).as_row()["verdict"]
        'reproduced'
    """

    claim: Claim
    verdict: Verdict
    findings: tuple[Finding, ...]

    @property
    def p(self) -> float:
        """The p of the whole claim: the largest of its parts (Berger, 1982); NaN if exact.

        It is NaN too where the claim was not judged, and 1 where an exact part is refuted.
        """
        if self.verdict == "not judged":
            return math.nan
        if any(math.isnan(one.p) and one.verdict == "refuted" for one in self.findings):
            return 1.0
        found = [finding.p for finding in self.findings if not math.isnan(finding.p)]
        return max(found, default=math.nan)

    def as_row(self) -> dict[str, Any]:
        """Returns the record as what JSON can write."""
        claim = self.claim
        return {
            "claim": claim.name,
            "row": claim.row,
            "source": claim.source,
            "statement": claim.statement,
            "printed": claim.printed,
            "verdict": self.verdict,
            "p": None if math.isnan(self.p) else self.p,
            "exploratory": claim.exploratory,
            "not_comparable": claim.not_comparable,
            "digest": claim.digest,
            "parts": [_as_json(finding._asdict()) for finding in self.findings],
        }


def judge(claim: Claim, samples: Mapping[str, Sample] | Sample) -> Record:
    """Judges a claim by what was measured for each of its parts.

    It is reproduced if every part is, and refuted if one is (intersection-union, Berger 1982).

    Args:
        claim: what was registered.
        samples: by the names of the parts; for a single part its sample alone will do.

    Raises:
        ValueError: a part without a sample, a sample without a part, or one arm for two.

    Example:
        >>> from jaxnets import claims
        >>> part = claims.Part("gain", "above", margin=2.0, seeds=3, deviation=1.0)
        >>> claim = claims.Claim("wider", "wider is better", (part,), "accuracy")
        >>> judge(claim, claims.Sample(np.array([0.1, -0.1, 0.0]))).verdict
        'refuted'
    """
    if isinstance(samples, Sample):
        samples = {claim.parts[0].name: samples}
    checks.require_known(samples, [part.name for part in claim.parts], "part of the claim")
    missing = [part.name for part in claim.parts if part.name not in samples]
    if missing:
        raise ValueError(f"{claim.name}: nothing was measured for {', '.join(missing)}")
    findings = tuple(judge_part(part, samples[part.name]) for part in claim.parts)
    found = {finding.verdict for finding in findings}
    if "not judged" in found:
        return Record(claim, "not judged", findings)
    if claim.not_comparable:
        return Record(claim, "not comparable", findings)
    order: tuple[Verdict, ...] = ("refuted", "inconclusive", "reproduced")
    return Record(claim, next(verdict for verdict in order if verdict in found), findings)


def judge_part(part: Part, sample: Sample) -> Finding:
    """Judges one part by its sample.

    Raises:
        ValueError: the part compares two arms, and the sample has one.
    """
    if part.arms and sample.against is None:
        raise ValueError(
            f"{part.name} compares {' and '.join(part.arms)}: give the second as `against`"
        )
    effect = sample.effect
    wrong = _unusable(part, sample, effect)
    if wrong:
        return _finding(part, sample, "not judged", more=wrong)
    if part.kind == "exact":
        return _judge_exact(part, sample, effect)
    estimate = ANALYSES[part.analysis](effect, part.divided)
    verdict = _VERDICTS[part.kind](part, estimate)
    more = ""
    if verdict == "inconclusive":
        n = seeds_to_decide(part, estimate)
        more = "no number of seeds would decide on these data"
        if math.isfinite(n):
            more = f"about {n:,} seeds would decide"
    return _finding(part, sample, verdict, estimate, _p(part, estimate), more)


def _unusable(part: Part, sample: Sample, effect: np.ndarray) -> str:
    """Why a sample says nothing about the claim; "" if it does."""
    if not effect.size or not np.isfinite(effect).all():
        return f"{int((~np.isfinite(effect)).sum())} of {effect.size} values are not finite"
    if part.kind == "exact":
        return ""
    if effect.ndim != (2 if part.analysis == "crossed" else 1) or min(effect.shape) < 2:
        return f"values of shape {effect.shape}; two seeds or more are needed"
    for name, arm in zip(part.arms, sample.arms, strict=False):
        if not part.floor < arm.mean() < part.ceiling:
            return f"{name} has collapsed: {arm.mean():.4g}"
    return ""


def _judge_exact(part: Part, sample: Sample, effect: np.ndarray) -> Finding:
    worst = effect.flat[np.abs(effect - part.reference).argmax()]
    holds = abs(worst - part.reference) <= part.margin
    verdict: Verdict = "reproduced" if holds else "refuted"
    nothing = Estimate(float(worst), math.nan, math.nan, 0.0, effect.size, _no_p, _no_p)
    return _finding(part, sample, verdict, nothing)


def _no_p(threshold: float) -> float:
    return math.nan


def _judge_above(part: Part, estimate: Estimate) -> Verdict:
    if estimate.low > part.threshold:
        return "reproduced"
    return "refuted" if estimate.high < part.threshold else "inconclusive"


def _judge_below(part: Part, estimate: Estimate) -> Verdict:
    if estimate.high < part.threshold:
        return "reproduced"
    return "refuted" if estimate.low > part.threshold else "inconclusive"


def _judge_equal(part: Part, estimate: Estimate) -> Verdict:
    low, high = part.reference - part.margin, part.reference + part.margin
    if low < estimate.low and estimate.high < high:
        return "reproduced"
    return "refuted" if estimate.low > high or estimate.high < low else "inconclusive"


_VERDICTS = {"above": _judge_above, "below": _judge_below, "equal": _judge_equal}


def _p(part: Part, estimate: Estimate) -> float:
    """The p of "the claim does not hold"; for `equal` that of two one-sided tests."""
    if part.kind == "equal":
        low, high = part.reference - part.margin, part.reference + part.margin
        return max(estimate.p_above(low), estimate.p_below(high))
    test = estimate.p_above if part.kind == "above" else estimate.p_below
    return test(part.threshold)


def _finding(
    part: Part,
    sample: Sample,
    verdict: Verdict,
    estimate: Estimate | None = None,
    p: float = math.nan,
    more: str = "",
) -> Finding:
    mean, low, high = (math.nan,) * 3 if estimate is None else estimate[:3]
    n = len(sample.effect) if sample.effect.ndim else 1
    arms = {name: _mean_and_std(arm) for name, arm in zip(part.arms, sample.arms, strict=False)}
    about = (part.margin, part.reference, part.kind, part.unit)
    return Finding(part.name, verdict, mean, low, high, *about, p, n, more, arms)


def _mean_and_std(arm: np.ndarray) -> tuple[float, float]:
    """Over the seeds; of test units `[seeds, units]` the seeds' means are taken."""
    values = arm.mean(axis=1) if arm.ndim == 2 else arm
    return float(values.mean()), float(values.std(ddof=1)) if len(values) > 1 else math.nan


def _as_json(value: Any) -> Any:
    """Replaces NaN and infinities, which JSON has not, by None."""
    if isinstance(value, Mapping):
        return {key: _as_json(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [_as_json(entry) for entry in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
