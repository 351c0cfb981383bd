"""Reports by lecture, on made-up results: what is said, where, and that the PDF opens."""

import json
import re

import matplotlib.image
import numpy as np
import pytest

from experiments.lab import report, run, settings_tried
from experiments.lab.fingerprint import digest


@pytest.fixture
def results(tmp_path):
    """A result of `checkerboard`, in which AdaBoost fails and the network succeeds."""
    seeds = np.linspace(-0.005, 0.005, 32)
    arrays = {
        "widths": np.array([4, 10]),
        "mlp": np.stack([seeds + 0.8, seeds + 0.95], axis=1),
        "adaboost": seeds[::-1] + 0.7,
        "first_weak": seeds + 0.5,
        "mlp_converged": np.stack([seeds + 0.85, seeds + 0.96], axis=1),
        "converged_slope": np.full((32, 2), 1e-6),
    }
    note = {
        "experiment": "checkerboard",
        "config": json.loads(json.dumps(vars(run.load("checkerboard").Config()))),
        "program": digest("checkerboard"),
        "claims": run.claims_of("checkerboard", arrays, None, tmp_path),
        "seconds": 1.5,
        "date": "2026-01-01",
        "machine": "2 x cores",
        "versions": {"jax": "1"},
    }
    (tmp_path / "checkerboard.json").write_text(json.dumps(note))
    matplotlib.image.imsave(tmp_path / "checkerboard.png", np.eye(90))
    return tmp_path


def test_a_report_says_what_holds_and_what_does_not(results):
    assert report.main(results) == 0
    text = (results / "reports/L0.md").read_text()
    holds, undecided = text.index("## What holds"), text.index("## What is not decided")
    assert holds < text.index("an MLP with n = 10 succeeds") < undecided
    assert text.index("AdaBoost fails on the checkerboard") > undecided
    assert "The slide leaves open: " in text
    assert "![checkerboard](../checkerboard.png)" in text


def test_the_settings_at_which_a_claim_holds_are_listed(results):
    rows = [
        {"settings": {"samples": n}, "claims": {"adaboost_fails": {"verdict": v, "ours": ""}}}
        for n, v in ((256, "reproduced"), (1024, "refuted"))
    ]
    (results / "multiverse").mkdir()
    note = settings_tried.digests_of("checkerboard") | {"rows": rows, "planned": 2}
    (results / "multiverse/checkerboard.json").write_text(json.dumps(note))
    assert settings_tried.read("checkerboard", results)["rows"] == rows
    report.main(results)
    assert "It holds at: 1 of 2 settings: samples 256." in (results / "reports/L0.md").read_text()


def test_a_map_is_shown_after_the_figure(results):
    (results / "multiverse").mkdir()
    matplotlib.image.imsave(results / "multiverse/checkerboard.png", np.eye(90))
    report.main(results)
    text = (results / "reports/L0.md").read_text()
    own = text.index("(../checkerboard.png)")
    assert own < text.index("![checkerboard](../multiverse/checkerboard.png)")


def test_the_pdf_has_the_headings_and_the_figure(results):
    """By the objects of the file itself: an outline, a picture, and as many pages as it says."""
    report.main(results)
    content = (results / "reports/L0.pdf").read_bytes()
    assert content.startswith(b"%PDF-")
    assert len(re.findall(rb"/Subtype /Image", content)) >= 1
    assert int(re.search(rb"/Count (\d+)", content)[1]) >= 1
    assert b"/Outlines" in content


def test_without_results_there_is_no_report(tmp_path, capsys):
    assert report.main(tmp_path) == 1
    assert "no results yet" in capsys.readouterr().out
    assert not list((tmp_path / "reports").iterdir())
