"""A claim at every open setting: which are tried, counted, and what the judge makes of it."""

import json

import numpy as np
import pytest

from experiments.lab import judging, multiverse, run
from experiments.lab.settings_tried import counts_of

CLAIM = """
row = "F10"
statement = "training finds others"
estimand = "steps"
[open]
steps = [20, 30, 25]
seeds = [3, 4]
paint = ["red", "blue"]
[[parts]]
name = "gain"
kind = "above"
margin = 1.0
seeds = 8
deviation = 0.5
"""


@pytest.fixture
def small(tmp_path, monkeypatch):
    """An `xor` with one claim, that measures its own settings."""
    module = run.load("xor")
    monkeypatch.setattr(judging, "FOLDER", tmp_path / "claims")
    (tmp_path / "claims/xor").mkdir(parents=True)
    (tmp_path / "claims/xor/finds.toml").write_text(CLAIM)
    measure = {"finds": lambda result: judging.Sample(result["gain"])}
    monkeypatch.setattr(module, "CLAIMS", measure)

    def own(config, key):
        return {"gain": config.steps / 10 - 0.5 + np.linspace(-0.2, 0.2, config.seeds)}

    monkeypatch.setattr(module, "run", own)
    return tmp_path


def test_every_usable_combination_is_run_once_and_counted(small, capsys):
    assert multiverse.main("F10", small) == 0
    rows = json.loads((small / "multiverse/xor.json").read_text())["rows"]
    assert [row["settings"] for row in rows] == [
        {"steps": steps, "seeds": seeds} for steps in (20, 30) for seeds in (3, 4)
    ]
    assert counts_of("xor", small) == {"finds": {"settings": 4, "reproduced": 4, "refuted": 0}}
    assert "holds in 4 of 4 settings, fails in 0" in capsys.readouterr().out
    assert (small / "multiverse/xor-finds.png").stat().st_size > 1000


def test_the_settings_that_were_not_tried_are_named(small, capsys):
    multiverse.main("finds", small)
    assert "not tried: paint" in capsys.readouterr().out


def test_a_multiverse_of_another_program_does_not_count(small):
    multiverse.main("xor", small)
    path = small / "multiverse/xor.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"program": "another"}))
    assert counts_of("xor", small) == {}


def test_no_such_claim_is_named(small):
    with pytest.raises(ValueError, match="no claim with open settings is of 'F99'"):
        multiverse.main("F99", small)


def test_more_combinations_than_can_be_run_are_drawn_once_each(small, monkeypatch):
    monkeypatch.setattr(multiverse, "MOST", 3)
    claims = list(judging.registered("xor").values())
    drawn = multiverse.combinations("xor", claims)
    assert len(drawn) == len({json.dumps(one) for one in drawn}) == 3
    assert drawn == multiverse.combinations("xor", claims)
