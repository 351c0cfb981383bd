"""The simulation of judges finds those that are sound, and one that is not."""

import numpy as np
import pytest

from experiments.lab import calibration
from jaxnets.claims import Part

SOUND = [
    Part("mean", "above", 0.5, seeds=32, deviation=0.9),
    Part("below", "below", 0.5, seeds=32, deviation=0.9, arms=("a", "b"), ceiling=1.0),
    Part("equal", "equal", 0.6, seeds=32, deviation=0.9),
    Part("divided", "above", 0.5, seeds=32, deviation=0.4, analysis="resampled", divided=0.1),
    Part("share", "above", 0.2, reference=0.5, seeds=40, deviation=0.3, analysis="proportion"),
    Part("images", "above", 0.5, seeds=8, deviation=0.3, analysis="crossed"),
]


@pytest.mark.parametrize("part", SOUND, ids=lambda part: part.name)
def test_sound_judges_are_calibrated(part):
    none, at, twice = calibration.simulate(part, 400)
    for row in (none, at, twice):
        assert row.false <= calibration.FALSE
    due = none if part.kind == "equal" else twice
    assert due.power >= 0.75


def test_divided_data_without_their_correction_are_not_calibrated():
    """An interval that takes divisions of the same data for independent is far too narrow."""
    part = SOUND[3]
    naive = Part("naive", "above", 0.5, seeds=32, deviation=0.4)
    rng = np.random.default_rng(0)
    wrong = 0
    for _ in range(300):
        sample = calibration.draw(part, part.margin, rng)
        (finding,) = calibration.judge(
            calibration.Claim("naive", "it holds", (naive,), "an effect"), sample
        ).findings
        wrong += finding.verdict != "inconclusive"
    assert wrong / 300 > 4 * calibration.FALSE


def test_every_kind_of_registered_part_is_simulated(tmp_path, capsys):
    kinds = {(part.kind, part.analysis) for part in calibration.hardest()}
    calibration.main(20, tmp_path)
    shown = capsys.readouterr().out
    assert all(f"| {kind} | {analysis} |" in shown for kind, analysis in kinds)
    assert (tmp_path / "calibration.md").exists()
