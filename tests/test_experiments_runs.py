"""`python -m experiments NAME --run FOLDER`, `--resume FOLDER`, and the exit codes."""

import sys

import jax
import numpy as np
import pytest

from experiments import __main__ as command
from experiments import lab
from jaxnets import Diverged, chunks, runs
from jaxnets.signals import Interrupted

NAME = "digits_sweep"


@pytest.fixture
def call(monkeypatch, tmp_path):
    """The command line in this process, with its results in a folder of the test."""

    def call(*arguments):
        monkeypatch.setattr(sys, "argv", ["experiments", *map(str, arguments)])
        return command.main()

    monkeypatch.setattr(lab, "RESULTS", tmp_path / "results")
    monkeypatch.setattr(lab.perform_in, "__defaults__", (False, tmp_path / "results"))
    monkeypatch.setattr(command.jaxnets, "use_all_cores", lambda: None)
    monkeypatch.setattr(command.jaxnets, "cache_compilations", lambda: None)
    return call


def test_a_run_that_was_interrupted_is_resumed(tmp_path, monkeypatch, call, capsys):
    module = lab.load(NAME)
    plain = module.run(module.SMOKE, jax.random.key(module.SMOKE.seed))
    real, calls = chunks._Writer.due, []

    def interrupt(writer):
        calls.append(writer)
        if len(calls) == 2:
            raise Interrupted("stopped", 15)
        writer.at = -1e9
        return real(writer)

    with monkeypatch.context() as patch:
        patch.setattr(chunks._Writer, "due", interrupt)
        assert call(NAME, "--smoke", "--run", tmp_path / "run") == 143
    assert list((tmp_path / "run" / "checkpoints").glob("*/step_*"))
    assert call(NAME, "--resume", tmp_path / "run") == 0
    assert {f"{NAME}.npz", f"{NAME}.png", "run.json"} <= {
        path.name for path in (tmp_path / "run").iterdir()
    }
    result = lab.saved(NAME, tmp_path / "results")
    for name, values in plain.items():
        if np.issubdtype(np.asarray(values).dtype, np.floating):
            np.testing.assert_allclose(result[name], values, atol=0.05)


def test_a_run_is_not_begun_twice_and_not_mixed_up(tmp_path, call, capsys):
    runs.describe(tmp_path, {"experiment": NAME})
    assert call(NAME, "--smoke", "--run", tmp_path) == 2
    assert "has a run already: go on with --resume" in capsys.readouterr().err
    assert call("checkerboard", "--resume", tmp_path) == 2
    assert f"is a run of {NAME}, not of checkerboard" in capsys.readouterr().err
    assert call(NAME, "--resume", tmp_path / "nothing") == 2
    assert "is no run's folder" in capsys.readouterr().err


ENDINGS = {
    "interrupted": (Interrupted("stopped", 2), 130),
    "terminated": (Interrupted("stopped", 15), 143),
    "Ctrl-C between trainings": (KeyboardInterrupt(), 130),
    "diverged": (Diverged("not finite after epoch 3", None, {}), 3),
    "in use": (runs.InUse("in use by pid 1"), 2),
}


@pytest.mark.parametrize(("error", "code"), ENDINGS.values(), ids=ENDINGS)
def test_the_exit_code_says_how_it_ended(monkeypatch, call, capsys, error, code):
    def fail(*_):
        raise error

    monkeypatch.setattr(command, "perform", fail)
    assert call(NAME, "--smoke") == code
    assert (str(error) or "interrupted") in capsys.readouterr().err
