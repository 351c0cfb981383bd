"""Every registered claim: its file, its power, and made-up samples that it must reject."""

import dataclasses

import numpy as np
import pytest

from experiments.lab import claim_files, judging, run
from experiments.lab.registry import EXPERIMENTS
from jaxnets.claims import Claim, Part, Sample, judge
from jaxnets.claims.made_up import cases
from jaxnets.claims.power import POWER, power

CLAIMS = {
    f"{name}/{claim.name}": (name, claim)
    for name in EXPERIMENTS
    for claim in claim_files.registered(name).values()
}
EACH = pytest.mark.parametrize(("name", "claim"), CLAIMS.values(), ids=CLAIMS)


def test_every_folder_of_claims_is_of_an_experiment():
    assert {path.name for path in claim_files.FOLDER.iterdir()} <= set(EXPERIMENTS)


@EACH
def test_every_claim_has_a_function_and_says_where_it_is_from(name, claim):
    assert claim.name in run.load(name).CLAIMS
    assert claim.row
    assert claim.source
    assert claim.line > 0 or claim.printed != "-"


@EACH
def test_every_claim_rejects_what_it_must_and_accepts_what_is_clear(name, claim):
    """No effect, half the margin, arms exchanged, an arm that collapsed, one seed, NaN."""
    if claim.not_comparable:
        claim = dataclasses.replace(claim, not_comparable="")
    clear = {part.name: cases(part)["clear"].sample for part in claim.parts}
    assert judge(claim, clear).verdict == "reproduced"
    for part in claim.parts:
        for case, (sample, verdicts) in cases(part).items():
            record = judge(claim, clear | {part.name: sample})
            assert record.verdict in verdicts, (part.name, case)


@EACH
def test_every_claim_has_seeds_enough_for_twice_its_margin(name, claim):
    for part in claim.parts:
        assert power(part) >= POWER, part.name


@EACH
def test_the_seeds_of_a_claim_and_its_fixed_settings_are_those_of_the_experiment(name, claim):
    config = dataclasses.asdict(run.load(name).Config())
    for setting, value in claim.fixed.items():
        if setting in config:
            assert config[setting] == (tuple(value) if isinstance(value, list) else value)


PART = Part("gain", "above", 1.0, seeds=8, deviation=0.5)
OPEN = Claim("open", "it is better", (PART,), "the gain", open={"rate": [0.1, 0.2]})
KNOWN = dataclasses.replace(OPEN, open={})
AGAINST = judge(OPEN, Sample([-2.0, -2.5, -2.2])), judge(KNOWN, Sample([-2.0, -2.5, -2.2]))


@pytest.mark.parametrize(
    ("record", "count", "verdict"),
    [
        (AGAINST[0], None, "inconclusive"),
        (AGAINST[0], {"refuted": 8, "settings": 10, "left": 0, "untried": []}, "inconclusive"),
        (AGAINST[0], {"refuted": 9, "settings": 10, "left": 0, "untried": []}, "refuted"),
        (
            AGAINST[0],
            {"refuted": 9, "settings": 10, "left": 0, "untried": ["optimiser"]},
            "inconclusive",
        ),
        (AGAINST[0], {"refuted": 5, "settings": 5, "left": 5, "untried": []}, "inconclusive"),
        (AGAINST[1], None, "refuted"),
    ],
)
def test_refuted_needs_the_lectures_settings_or_most_of_the_plausible(record, count, verdict):
    assert record.verdict == "refuted"
    assert judging.settle(record, count).verdict == verdict


@pytest.fixture
def lone(tmp_path, monkeypatch):
    """One claim of an experiment `lone`."""
    monkeypatch.setattr(claim_files, "FOLDER", tmp_path)
    (tmp_path / "lone").mkdir()
    (tmp_path / "lone/better.toml").write_text(
        'statement = "it is better"\nestimand = "the gain"\n[[parts]]\nname = "gain"\n'
        'kind = "above"\nmargin = 1.0\nseeds = 8\ndeviation = 0.5\n'
    )
    return tmp_path / "lone/better.toml"


def better(result):
    return {"gain": Sample(result["gain"])} if "gain" in result else {}


CLEAR = {"gain": [2.0, 2.5, 2.2, 2.1]}


def test_a_claim_that_changed_after_the_run_is_not_judged_unless_it_says_so(lone):
    (row,) = judging.judge_all("lone", {"better": better}, CLEAR, {"better": "another digest"})
    assert (row["status"], "changed since the run" in row["ours"]) == ("not judged", True)
    lone.write_text('exploratory = "the margin"\n' + lone.read_text())
    (row,) = judging.judge_all("lone", {"better": better}, CLEAR, {"better": "another digest"})
    assert row["status"] == "reproduced"


def test_a_claim_that_was_written_after_the_run_is_not_judged(lone):
    (row,) = judging.judge_all("lone", {"better": better}, CLEAR, {"another": "digest"})
    assert row["status"] == "not judged"


def test_what_a_result_has_not_is_not_judged(lone):
    def refuse(result):
        raise judging.NotMeasured("needs MNIST")

    for measure, reason in ((better, "has no gain"), (refuse, "needs MNIST")):
        (row,) = judging.judge_all("lone", {"better": measure}, {})
        assert row["status"] == "not judged"
        assert reason in row["ours"]


def test_what_is_measured_beyond_the_parts_is_left_out(lone):
    """Of a result with more widths than are registered."""

    def wider(result):
        return better(result) | {"at width 200": Sample([0.0, np.nan])}

    (row,) = judging.judge_all("lone", {"better": wider}, CLEAR)
    assert row["status"] == "reproduced"
    assert [part["part"] for part in row["parts"]] == ["gain"]


def test_a_function_without_a_file_is_an_error(lone):
    with pytest.raises(ValueError, match="only: worse"):
        judging.judge_all("lone", {"better": better, "worse": better}, CLEAR)


def test_a_count_is_shown_with_all_of_its_digits():
    part = Part("count", "exact", 0.0, reference=61_100_840.0, seeds=1)
    claim = dataclasses.replace(KNOWN, parts=(part,))
    text = judging.describe(judge(claim, Sample([61_100_841.0])))
    assert text == "61,100,841, claimed 61,100,840"
