"""What all experiments share: settings, results on disk, the command line."""

import dataclasses
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from experiments.lab import claims, run
from experiments.lab.config import configure
from experiments.lab.registry import EXPERIMENTS

ROOT = Path(__file__).parents[3]


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_lab_note_names_row_command_and_expectation(name):
    note = run.load(name).__doc__
    assert f"make {name}" in note or (name == "gradient_check" and "make gradcheck" in note)
    for word in ("row", "Command:", "Expect"):
        assert word in note, word


def test_redrawing_uses_the_saved_arrays(tmp_path, monkeypatch):
    module = run.load("activations")
    run.perform("activations", module.SMOKE, tmp_path)
    monkeypatch.setattr(module, "run", lambda *_: pytest.fail("redrawing ran the experiment"))
    png = tmp_path / "activations.png"
    png.unlink()
    run.redraw("activations", tmp_path)
    assert png.stat().st_size > 0


def test_arrays_of_another_run_are_not_judged(tmp_path):
    """As a kill between the two files leaves them: new arrays with the old note."""
    module = run.load("activations")
    run.perform("activations", module.SMOKE, tmp_path)
    path = tmp_path / "activations.npz"
    content, changed = path.read_bytes(), dict(run.saved("activations", tmp_path))
    changed[next(iter(changed))] = np.ones(3)
    path.unlink()
    for other in (None, changed):
        if other:
            np.savez_compressed(path, **other)
        note = json.loads((tmp_path / "activations.json").read_text())
        assert not run.has_own_arrays(note, "activations", tmp_path)
        with pytest.raises((FileNotFoundError, ValueError), match="run `make activations`"):
            run.redraw("activations", tmp_path)
    path.write_bytes(content)
    run.redraw("activations", tmp_path)


def test_an_experiment_is_reproducible_from_its_seed(tmp_path):
    module = run.load("digits_sweep")
    first, again = (run.perform("digits_sweep", module.SMOKE, tmp_path) for _ in range(2))
    np.testing.assert_array_equal(again["test"], first["test"])
    np.testing.assert_array_equal(again["test"], run.saved("digits_sweep", tmp_path)["test"])
    other = run.perform("digits_sweep", dataclasses.replace(module.SMOKE, seed=2), tmp_path)
    assert (other["test"] != again["test"]).any()


def test_missing_result_names_the_command(tmp_path):
    with pytest.raises(FileNotFoundError, match="make checkerboard"):
        run.saved("checkerboard", tmp_path)


SETTINGS = {
    "int": (["seeds=5"], {"seeds": 5}),
    "float tuple": (["rates=0.1,1"], {"rates": (0.1, 1.0)}),
    "int tuple": (["widths=3"], {"widths": (3,)}),
    "two": (["seeds=5", "seed=2"], {"seeds": 5, "seed": 2}),
}


@pytest.mark.parametrize(("settings", "expected"), SETTINGS.values(), ids=SETTINGS)
def test_settings_replace_fields(settings, expected):
    config = run.load("checkerboard").Config()
    assert configure(config, settings) == dataclasses.replace(config, **expected)


WRONG_SETTINGS = {
    "unknown": ("sed=1", "did you mean 'seed'"),
    "no value": ("seed", "field=value"),
    "not a number": ("seeds=many", "seeds"),
    "not a list": ("widths=3,x", "widths"),
}


@pytest.mark.parametrize(("setting", "message"), WRONG_SETTINGS.values(), ids=WRONG_SETTINGS)
def test_wrong_settings_are_named(setting, message):
    with pytest.raises(ValueError, match=message):
        configure(run.load("checkerboard").Config(), [setting])


def test_unknown_experiment_suggests_the_nearest():
    with pytest.raises(ValueError, match="did you mean 'checkerboard'"):
        run.load("checkerbord")


def test_interval_is_students(key):
    from scipy import stats

    values = np.random.default_rng(0).normal(size=12)
    ours = claims.interval(values)
    low, high = stats.ttest_1samp(values, 0).confidence_interval(0.95)
    np.testing.assert_allclose([ours.low, ours.high], [low, high])
    assert ours.std == pytest.approx(np.std(values, ddof=1))


def test_command_line(tmp_path):
    command = [sys.executable, "-m", "experiments"]
    options = {"capture_output": True, "text": True, "cwd": tmp_path}
    environment = {"PYTHONPATH": str(ROOT), "PATH": "", "HOME": str(tmp_path)}
    listed = subprocess.run([*command, "--list"], check=True, env=environment, **options)
    assert all(name in listed.stdout for name in EXPERIMENTS)
    wrong = subprocess.run([*command, "activatons"], env=environment, **options)
    assert wrong.returncode == 2
    assert "did you mean 'activations'" in wrong.stderr
    run = subprocess.run(
        [*command, "activations", "--smoke", "--set", "span=5"], env=environment, **options
    )
    assert run.returncode == 0, run.stderr
    assert json.loads((tmp_path / "results/activations.json").read_text())["config"]["span"] == 5


def test_without_matplotlib_experiments_are_listed_and_the_extra_is_named(tmp_path):
    block = "import sys, runpy; sys.modules['matplotlib'] = None; sys.argv[1:] = {!r}; "
    block += "runpy.run_module('experiments', run_name='__main__')"

    def call(*arguments):
        return subprocess.run(
            [sys.executable, "-c", block.format(list(arguments))],
            env={"PYTHONPATH": str(ROOT), "PATH": "", "HOME": str(tmp_path)},
            cwd=tmp_path,
            capture_output=True,
            text=True,
        )

    listed = call("--list")
    assert listed.returncode == 0, listed.stderr
    assert len(listed.stdout.splitlines()) == len(EXPERIMENTS)
    for name in ("xor", "demo"):
        refused = call(name)
        assert refused.returncode == 2
        assert "pip install 'jaxnets[experiments]'" in refused.stderr


def test_a_result_is_of_the_program_that_it_began_with(tmp_path, monkeypatch):
    """It had the digest of the files as they were at the end: an edit meanwhile was never run."""
    module, before = run.load("xor"), run.digest("xor")
    own = module.run

    def edited(config, key):
        monkeypatch.setattr(run, "digest", lambda name: "another")
        return own(config, key)

    monkeypatch.setattr(module, "run", edited)
    run.perform("xor", module.SMOKE, tmp_path)
    assert json.loads((tmp_path / "xor.json").read_text())["program"] == before
