"""Verdicts: against SciPy's tests and closed forms, and by samples that must be rejected."""

import math

import chex
import numpy as np
import pytest
from scipy import stats

from jaxnets import claims
from jaxnets.claims import Part, Sample
from jaxnets.claims.made_up import cases
from jaxnets.claims.power import POWER, power, seeds_to_decide

RNG = np.random.default_rng(0)
ABOVE = Part("above", "above", 0.5, seeds=32, deviation=0.9)
ARMS = Part("arms", "above", 1.0, seeds=8, deviation=0.5, arms=("mlp", "svm"), floor=50.0)
PARTS = [
    ABOVE,
    Part("lecture's", "above", 0.5, reference=98.6, seeds=8, deviation=0.2),
    Part("below", "below", 0.1, reference=2.0, seeds=16, deviation=0.1),
    Part("equal", "equal", 0.5, seeds=32, deviation=0.8),
    ARMS,
    Part("losses", "below", 0.1, seeds=8, deviation=0.05, arms=("a", "b"), ceiling=1.0),
    Part("same", "equal", 1.0, seeds=8, deviation=0.5, arms=("a", "b"), floor=50.0, ceiling=101.0),
    Part("ratio", "above", 0.5, seeds=32, deviation=0.4, analysis="resampled", divided=0.1),
    Part("images", "above", 0.5, seeds=8, deviation=0.2, analysis="crossed"),
    Part("words", "above", 0.5, seeds=100, deviation=1.5, analysis="bootstrap"),
    Part("share", "above", 0.2, reference=0.5, seeds=40, deviation=0.3, analysis="proportion"),
    Part("exact", "exact", 1e-9),
    Part("theorem", "exact", 0.0, reference=12.0),
]


def claim_of(*parts, **options):
    return claims.Claim("made_up", "it holds", parts, "an effect", **options)


@pytest.mark.parametrize("part", PARTS, ids=lambda part: part.name)
def test_every_judge_rejects_what_it_must(part):
    for name, (sample, verdicts) in cases(part).items():
        record = claims.judge(claim_of(part), sample)
        assert record.verdict in verdicts, (name, record.findings)


@pytest.mark.parametrize("part", PARTS, ids=lambda part: part.name)
def test_the_registered_seeds_have_power(part):
    assert power(part) >= POWER


@pytest.mark.parametrize("alternative", ["greater", "less"])
def test_p_and_interval_are_those_of_scipy(alternative):
    values = RNG.normal(0.3, 1, 20)
    found = claims.ANALYSES["mean"](values)
    truth = stats.ttest_1samp(values, 0.1, alternative=alternative)
    p = found.p_above(0.1) if alternative == "greater" else found.p_below(0.1)
    chex.assert_trees_all_close(p, float(truth.pvalue), rtol=1e-12)
    low, high = stats.ttest_1samp(values, 0.1).confidence_interval(0.95)
    chex.assert_trees_all_close((found.low, found.high), (low, high), rtol=1e-12)


def test_paired_arms_are_scipys_paired_test():
    a, b = RNG.normal(1, 1, 12), RNG.normal(0, 1, 12)
    part = Part("gain", "above", 0.25, seeds=12, deviation=1.0, arms=("a", "b"), floor=-9.0)
    (finding,) = claims.judge(claim_of(part), Sample(a, b)).findings
    truth = stats.ttest_rel(a - 0.25, b, alternative="greater")
    chex.assert_trees_all_close(finding.p, float(truth.pvalue), rtol=1e-12)


def test_divided_data_widen_the_interval_as_nadeau_and_bengio_say():
    values = RNG.normal(size=32)
    plain, corrected = claims.ANALYSES["mean"](values), claims.ANALYSES["resampled"](values, 0.5)
    ratio = (corrected.high - corrected.low) / (plain.high - plain.low)
    chex.assert_trees_all_close(ratio, math.sqrt(1 + 32 * 0.5), rtol=1e-12)


def test_crossed_samples_cover_the_truth():
    """Seeds and images are both drawn: an interval over seeds alone misses the truth."""
    covered = {"crossed": 0, "mean": 0}
    for _ in range(1000):
        seeds, images = RNG.normal(0, 0.5, (8, 1)), RNG.normal(0, 3, (1, 100))
        effect = seeds + images + RNG.normal(0, 1, (8, 100))
        for name in covered:
            found = claims.ANALYSES[name](effect if name == "crossed" else effect.mean(axis=1))
            covered[name] += found.low < 0 < found.high
    assert covered["crossed"] >= 0.93 * 1000 > 0.8 * 1000 > covered["mean"]


def test_the_arms_of_crossed_samples_are_shown_over_seeds():
    part = Part(
        *("images", "above", 0.5),
        seeds=4,
        deviation=0.2,
        analysis="crossed",
        arms=("a", "b"),
        floor=-1.0,
    )
    arms = RNG.random((2, 4, 50)) < np.array([0.9, 0.5])[:, None, None]
    (finding,) = claims.judge(claim_of(part), Sample(*arms)).findings
    for arm, (mean, std) in zip(arms, finding.arms.values(), strict=True):
        of_seeds = arm.mean(axis=1)
        chex.assert_trees_all_close((mean, std), (of_seeds.mean(), of_seeds.std(ddof=1)))


def test_power_is_that_of_simulated_studies():
    part = PARTS[0]
    reached = np.mean(
        [
            claims.judge(claim_of(part), Sample(RNG.normal(1.0, 0.9, 32))).verdict == "reproduced"
            for _ in range(2000)
        ]
    )
    assert abs(reached - power(part)) < 4 * math.sqrt(0.25 / 2000)


def test_the_seeds_that_would_decide_decide():
    part = Part("above", "above", 0.5, seeds=8, deviation=1.0)
    (finding,) = claims.judge(claim_of(part), Sample(0.8 + RNG.permutation(8) / 4)).findings
    values = 0.7 + RNG.normal(size=20)
    estimate = claims.ANALYSES["mean"](values)
    n = seeds_to_decide(part, estimate)
    distance = abs(estimate.mean - 0.5) / estimate.std * math.sqrt(n)
    assert 2.79 < distance < 2.9
    assert finding.more == "" or "seeds would decide" in finding.more


def test_seeds_do_not_decide_what_the_divided_data_cannot():
    part = Part("gain", "above", 0.5, seeds=8, deviation=1.0, analysis="resampled", divided=0.5)
    values = 0.7 + np.linspace(-1, 1, 8)
    (finding,) = claims.judge(claim_of(part), Sample(values)).findings
    assert finding.more == "no number of seeds would decide on these data"
    less = claims.ANALYSES["resampled"](values, 0.001)
    n = seeds_to_decide(part, less)
    reach = (stats.norm.ppf(0.975) + stats.norm.ppf(0.8)) * less.std
    assert reach * math.sqrt(1 / n + 0.001) <= 0.2 < reach * math.sqrt(1 / (n - 1) + 0.001)


def test_a_claim_of_parts_holds_if_all_do():
    good, bad = Part("a", "above", 1.0, seeds=8, deviation=0.5), PARTS[0]
    clear, null = cases(good)["clear"].sample, Sample(np.linspace(-1, 1, 32))
    verdict = claims.judge(claim_of(good, bad), {"a": clear, "above": null})
    assert verdict.verdict == "refuted"
    assert verdict.p == max(finding.p for finding in verdict.findings)
    broken = {"a": clear, "above": Sample([math.nan, 1.0])}
    assert claims.judge(claim_of(good, bad), broken).verdict == "not judged"


def test_p_is_of_the_whole_claim():
    """A part that is exactly wrong, or was not judged, has no p, but decides."""
    exact, gain = Part("exact", "exact", 0.0, reference=3.0), PARTS[0]
    clear = Sample(RNG.normal(3, 0.1, 32))
    wrong = claims.judge(claim_of(exact, gain), {"exact": Sample([4.0]), "above": clear})
    assert (wrong.verdict, wrong.p) == ("refuted", 1.0)
    none = claims.judge(claim_of(exact, gain), {"exact": Sample([np.nan]), "above": clear})
    assert none.verdict == "not judged"
    assert math.isnan(none.p)
    right = claims.judge(claim_of(exact, gain), {"exact": Sample([3.0]), "above": clear})
    assert right.p == right.findings[1].p < 1e-9


def test_what_cannot_be_compared_is_not_decided():
    sample = cases(PARTS[0])["clear"].sample
    claim = claim_of(PARTS[0], not_comparable="the slide does not give the domain")
    assert claims.judge(claim, sample).verdict == "not comparable"


def test_q_values_are_benjamini_and_hochbergs():
    """By the definition: the least of p m / rank over this rank and all above it."""
    p = [0.01, math.nan, 0.04, 0.03, 0.5]
    chex.assert_trees_all_close(
        np.asarray(claims.with_q_values(p)),
        np.asarray([0.04, math.nan, 0.16 / 3, 0.16 / 3, 0.5]),
    )


def test_a_record_is_json(tmp_path):
    import json

    record = claims.judge(claim_of(PARTS[4]), cases(PARTS[4])["collapsed"].sample)
    row = json.loads(json.dumps(record.as_row(), allow_nan=False))
    assert row["verdict"] == "not judged"
    assert "svm has collapsed" in row["parts"][0]["more"]
    assert row["parts"][0]["estimate"] is None


@pytest.mark.parametrize(
    ("part", "samples", "message"),
    [
        (ABOVE, {}, "nothing was measured for above"),
        (ABOVE, {"abvoe": Sample([1.0, 2.0])}, "did you mean 'above'"),
        (ARMS, Sample([91.0, 92.0], [91.0]), "they are paired"),
        (ARMS, Sample([91.0, 92.0]), "compares mlp and svm: give the second as `against`"),
    ],
    ids=["none", "misspelt", "unpaired", "one arm of two"],
)
def test_wrong_samples_are_named(part, samples, message):
    with pytest.raises(ValueError, match=message):
        claims.judge(claim_of(part), samples)


@pytest.mark.parametrize("value", [0.0, 1.0])
def test_the_p_of_a_proportion_at_an_end_is_that_of_its_interval(value):
    """No proportion lies beyond 0 or 1, so what is beyond needs no evidence; p was 1."""
    part = Part(
        "share", "equal", 0.1, reference=value, seeds=100, deviation=0.1, analysis="proportion"
    )
    record = claims.judge(claim_of(part), Sample(np.full(100, value)))
    assert record.verdict == "reproduced"
    assert record.findings[0].p < 0.05


def test_a_proportion_has_no_arms():
    with pytest.raises(ValueError, match="not of two arms"):
        Part(
            "a",
            "above",
            0.1,
            seeds=9,
            deviation=0.1,
            analysis="proportion",
            arms=("a", "b"),
            floor=0.0,
        )
