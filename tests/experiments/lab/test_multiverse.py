"""A claim at every open setting: which are tried, counted, and what the judge makes of it."""

import dataclasses
import json
import time

import numpy as np
import pytest
from matplotlib.colors import to_hex

from experiments.lab import (
    claim_files,
    fallback,
    judging,
    multiverse,
    multiverse_map,
    processes,
    run,
)
from experiments.lab.notes import DamagedResult
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
    monkeypatch.setattr(claim_files, "FOLDER", tmp_path / "claims")
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
    count = {"settings": 4, "reproduced": 4, "refuted": 0, "unjudged": 0, "left": 0}
    assert counts_of("xor", small) == {"finds": count | {"untried": ["paint"]}}
    assert "holds in 4 of 4 settings, fails in 0" in capsys.readouterr().out
    assert (small / "multiverse/xor.png").stat().st_size > 1000


def test_the_settings_that_were_not_tried_are_named(small, capsys):
    multiverse.main("finds", small)
    assert "not tried: paint" in capsys.readouterr().out


@pytest.mark.parametrize("other", [{"program": "another"}, {"registered": {"finds": "another"}}])
def test_a_multiverse_of_another_program_or_claim_does_not_count(small, other):
    multiverse.main("xor", small)
    path = small / "multiverse/xor.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | other))
    assert counts_of("xor", small) == {}


def test_too_few_seeds_to_decide_are_not_judged(small, monkeypatch, capsys):
    """An effect of 1.1 of a margin of 1: 4 seeds may miss twice the margin, 8 would see it."""
    module = run.load("xor")
    claim = CLAIM.replace("[20, 30, 25]", "[20, 25]").replace("[3, 4]", "[3, 4, 8]")
    (small / "claims/xor/finds.toml").write_text(claim.replace("0.5", "0.8"))
    measure = {"finds": lambda result: judging.Sample(3 * result["gain"] - 3.4)}
    monkeypatch.setattr(module, "CLAIMS", measure)
    assert multiverse.main("xor", small) == 0
    rows = json.loads((small / "multiverse/xor.json").read_text())["rows"]
    verdicts = [row["claims"]["finds"]["verdict"] for row in rows]
    assert verdicts == ["not judged", "not judged", "inconclusive"]
    assert "fails in 0 (refuted from 90% on); 2 not judged" in capsys.readouterr().out


def test_too_few_seeds_still_refute_what_is_clearly_wrong(small, monkeypatch):
    measure = {"finds": lambda result: judging.Sample(-result["gain"])}
    monkeypatch.setattr(run.load("xor"), "CLAIMS", measure)
    multiverse.main("xor", small)
    assert counts_of("xor", small)["finds"]["refuted"] == 4


def test_combinations_of_digits_are_run_again_once_mnist_is_there(small, monkeypatch):
    """They were learned from the digits that stand for MNIST where it is missing."""
    module, runs = run.load("xor"), []
    own = module.run

    def of_digits(config, key):
        runs.append(config)
        return own(config, key) | {"data": np.asarray("digits")}

    monkeypatch.setattr(module, "run", of_digits)
    field = [("data", str, "mnist")]
    with_data = dataclasses.make_dataclass("Config", field, bases=(module.Config,), frozen=True)
    monkeypatch.setattr(module, "Config", with_data)
    for there, times in ((False, 4), (False, 4), (True, 8)):
        monkeypatch.setattr(fallback, "_available", lambda name, there=there: there)
        multiverse.main("xor", small)
        assert len(runs) == times


def test_combinations_of_other_settings_than_now_are_run_again(small, monkeypatch):
    multiverse.main("xor", small)
    monkeypatch.setattr(multiverse, "SEEDS", 7)
    multiverse.main("xor", small)
    note = json.loads((small / "multiverse/xor.json").read_text())
    assert (note["base"]["seeds"], len(note["rows"])) == (7, 4)


def test_the_time_of_a_core_is_saved_and_summed(small, monkeypatch):
    """Sleep takes no core, a loop does."""
    module = run.load("xor")
    whole = module.run

    def waiting(config, key):
        time.sleep(0.4)
        start = time.process_time()
        while time.process_time() < start + (0.2 if config.seeds == 3 else 0):
            pass
        return whole(config, key)

    monkeypatch.setattr(module, "run", waiting)
    multiverse.main("xor", small)
    rows = json.loads((small / "multiverse/xor.json").read_text())["rows"]
    three, four = rows[:2]
    assert three["seconds"] > three["core_seconds"] >= 0.2 > four["core_seconds"]
    for row in rows:
        row["core_seconds"] = 90.0
    path = small / "multiverse/xor.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"rows": rows}))
    assert multiverse._cost(["xor"], small) == "4 combinations of 1 experiments, 6 core minutes"


def test_what_was_run_is_not_run_again(small, monkeypatch):
    """Stopped in its third combination, the multiverse goes on with that one."""
    module, begun = run.load("xor"), []
    whole = module.run

    def stopped(config, key):
        begun.append((config.steps, config.seeds))
        if len(begun) == 3:
            raise KeyboardInterrupt
        return whole(config, key)

    monkeypatch.setattr(module, "run", stopped)
    with pytest.raises(KeyboardInterrupt):
        multiverse.main("xor", small)
    count = counts_of("xor", small)["finds"]
    assert (count["settings"], count["left"]) == (2, 2)
    assert multiverse.main("xor", small) == 0
    assert begun == [(20, 3), (20, 4), (30, 3), (30, 3), (30, 4)]
    assert counts_of("xor", small)["finds"]["settings"] == 4


def test_a_combination_that_cannot_be_run_is_named_and_the_others_count(small, monkeypatch, capsys):
    module = run.load("xor")
    whole = module.run

    def without_data(config, key):
        if config.steps == 20:
            raise FileNotFoundError("no MNIST here")
        return whole(config, key)

    monkeypatch.setattr(module, "run", without_data)
    assert multiverse.main("xor", small) == 1
    assert "{'steps': 20, 'seeds': 4}: not run: no MNIST here" in capsys.readouterr().err
    assert counts_of("xor", small)["finds"]["settings"] == 2


@pytest.mark.parametrize("damaged", ["{", "[]", '{"rows": []}'])
def test_a_damaged_file_is_named(small, damaged):
    multiverse.main("xor", small)
    (small / "multiverse/xor.json").write_text(damaged)
    with pytest.raises(DamagedResult, match=r"xor\.json is damaged: delete it"):
        counts_of("xor", small)


def test_an_experiment_that_takes_long_has_settings_of_its_own(small, monkeypatch):
    module = run.load("xor")
    short = dataclasses.replace(module.Config(), learning_rate=0.125)
    monkeypatch.setattr(module, "MULTIVERSE", short, raising=False)
    whole, rates = module.run, []

    def noted(config, key):
        rates.append(config.learning_rate)
        return whole(config, key)

    monkeypatch.setattr(module, "run", noted)
    multiverse.main("xor", small)
    assert rates == [0.125] * 4


def test_a_result_of_another_program_is_left_as_it_is(small):
    """Only a result that the multiverse is of can be judged with it."""
    about = {"seconds": 1.5, "date": "2026-01-01", "machine": "2 x cores", "versions": {}}
    note = {"experiment": "xor", "program": "another", "config": {}, "claims": []} | about
    (small / "xor.json").write_text(json.dumps(note))
    (small / "xor.npz").write_bytes(b"")
    assert multiverse.main("xor", small) == 0
    assert json.loads((small / "xor.json").read_text()) == note


def test_several_experiments_run_in_processes_of_their_own(monkeypatch, capsys, tmp_path):
    commands = []

    def command_only(_, command, **options):
        commands.append(command[3:])
        return int("lenet" in command), None

    monkeypatch.setattr(processes.Children, "run", command_only)
    assert multiverse.main("all", tmp_path) == 1
    assert ["multiverse", "--claim", "checkerboard"] in commands
    assert "Failed (the others have run): lenet" in capsys.readouterr().err


def test_the_map_has_a_cell_in_the_colour_of_each_verdict(small):
    claims = list(claim_files.registered("xor").values())
    verdicts = ["refuted", "reproduced", "reproduced"]
    rows = [
        {"settings": {"steps": 20 + i}, "claims": {"finds": {"verdict": verdict}}}
        for i, verdict in enumerate(verdicts)
    ]
    (panel,) = multiverse_map.draw(rows, claims).axes
    cells = [cell for cell in panel.collections if len(cell.get_offsets())]
    order = ["reproduced", "reproduced", "refuted"]
    assert [to_hex(cell.get_facecolor()[0]).upper() for cell in cells] == [
        multiverse_map.COLOURS[verdict] for verdict in order
    ]
    assert [text.get_text() for text in panel.texts] == ["21", "22", "20", "steps"]


def test_no_such_claim_is_named(small):
    with pytest.raises(ValueError, match="no claim with open settings is of 'F99'"):
        multiverse.main("F99", small)


def test_more_combinations_than_can_be_run_are_drawn_once_each(small, monkeypatch):
    monkeypatch.setattr(multiverse, "MOST", 3)
    claims = list(claim_files.registered("xor").values())
    drawn = multiverse.combinations("xor", claims)
    assert len(drawn) == len({json.dumps(one) for one in drawn}) == 3
    assert drawn == multiverse.combinations("xor", claims)


def test_each_value_is_drawn_about_as_often_as_the_others():
    every = [
        {"rate": rate, "width": width, "loss": loss}
        for rate in range(2)
        for width in range(3)
        for loss in range(3)
    ]
    for n in (3, 6, 12, len(every)):
        drawn = multiverse.balanced(every, n)
        assert len(drawn) == n == len({json.dumps(one) for one in drawn})
        for field, values in (("rate", 2), ("width", 3), ("loss", 3)):
            times = np.bincount([one[field] for one in drawn], minlength=values)
            assert np.ptp(times) <= 1, (n, field)
    assert multiverse.balanced(every[:2], 5) == every[:2]


@pytest.mark.parametrize(
    ("kind", "limit"),
    [
        ("MINUTES", "MOST_OF_MINUTES"),
        ("LONGEST", "MOST_OF_LONGEST"),
        ("TIMED", "MOST_OF_LONGEST"),
    ],
)
def test_what_takes_long_has_fewer_of_the_same_combinations(small, monkeypatch, kind, limit):
    claims = list(claim_files.registered("xor").values())
    whole = multiverse.combinations("xor", claims)
    monkeypatch.setattr(multiverse, kind, ("xor",))
    monkeypatch.setattr(multiverse, limit, 2)
    fewer = multiverse.combinations("xor", claims)
    assert len(fewer) == 2 < len(whole)
    assert all(one in whole for one in fewer)


def test_a_claim_counts_where_its_own_settings_are(small, monkeypatch):
    """Of two claims, one fixes what the other leaves open; values of both are tried."""
    other = CLAIM.replace("[20, 30, 25]", "[20, 40]").replace("seeds = [3, 4]", "")
    fixed = other.replace("[open]", "[fixed]\nseeds = 4\n[open]")
    (small / "claims/xor/other.toml").write_text(fixed)
    measure = {name: lambda result: judging.Sample(result["gain"]) for name in ("finds", "other")}
    monkeypatch.setattr(run.load("xor"), "CLAIMS", measure)
    assert multiverse.main("xor", small) == 0
    rows = json.loads((small / "multiverse/xor.json").read_text())["rows"]
    of = {name: [row["settings"] for row in rows if name in row["claims"]] for name in measure}
    assert of["finds"] == [{"steps": t, "seeds": s} for t in (20, 30) for s in (3, 4)]
    assert of["other"] == [{"steps": t, "seeds": 4} for t in (20, 40)]


def test_combinations_that_are_no_longer_planned_do_not_count(small, monkeypatch):
    multiverse.main("xor", small)
    monkeypatch.setattr(multiverse, "MOST", 2)
    multiverse.main("xor", small)
    count = counts_of("xor", small)["finds"]
    assert (count["settings"], count["left"]) == (2, 0)
