"""`python -m experiments NAME --run FOLDER`, `--resume FOLDER`, and the exit codes."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from experiments import __main__ as command
from experiments.lab import run
from jaxnets import DivergedError
from jaxnets.host.signals import Interrupted
from jaxnets.storage import run_folder

ROOT = Path(__file__).parents[3]
NAME = "digits_sweep"


@pytest.fixture
def call(monkeypatch, tmp_path):
    """The command line in this process, with its results in a folder of the test."""

    def call(*arguments):
        monkeypatch.setattr(sys, "argv", ["experiments", *map(str, arguments)])
        return command.main()

    monkeypatch.setattr(run, "RESULTS", tmp_path / "results")
    monkeypatch.setattr(run.perform_in, "__defaults__", (False, False, tmp_path / "results"))
    monkeypatch.setattr(command.jaxnets, "use_all_cores", lambda: None)
    monkeypatch.setattr(command.jaxnets, "cache_compilations", lambda: None)
    return call


COMMAND = [sys.executable, "-m", "experiments"]


@pytest.fixture(scope="module")
def start(tmp_path_factory):
    """The command line in a process of its own; all of them share what was compiled."""
    home = tmp_path_factory.mktemp("home")

    def start(*arguments):
        return subprocess.Popen(
            [*COMMAND, *map(str, arguments)],
            env=os.environ | {"PYTHONPATH": str(ROOT), "HOME": str(home)},
            cwd=home,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )

    return start


@pytest.fixture(scope="module")
def undisturbed(start, tmp_path_factory):
    """The folder of a run that nothing has disturbed."""
    folder = tmp_path_factory.mktemp("undisturbed") / "run"
    process = start(NAME, "--smoke", "--set", "seeds=3", "--run", folder)
    _, errors = process.communicate(timeout=300)
    assert process.returncode == 0, errors
    return folder


def saved(folder):
    """Arrays, configuration and verdicts of a run, without its date and times."""
    note = json.loads((folder / f"{NAME}.json").read_text())
    arrays = {name: array.tolist() for name, array in run.saved(NAME, folder).items()}
    return arrays, [note[part] for part in ("experiment", "config", "program", "claims")]


SIGNALS = [signal.SIGTERM, pytest.param(signal.SIGINT, marks=pytest.mark.slow_faults)]


@pytest.mark.parametrize("number", SIGNALS)
def test_a_run_stopped_by_a_signal_resumes_bit_for_bit(tmp_path, start, undisturbed, number):
    folder = tmp_path / "run"
    process = start(NAME, "--smoke", "--set", "seeds=3", "--run", folder)
    until = time.monotonic() + 120
    while not list(folder.glob("checkpoints/*/lock")) and time.monotonic() < until:
        time.sleep(0.05)
    process.send_signal(number)
    _, errors = process.communicate(timeout=120)
    assert process.returncode == 128 + number, errors
    assert f"stopped by signal {number.value} after step 1 of " in errors
    assert len(list(folder.glob("checkpoints/*/step_*"))) == 1
    assert not (folder / f"{NAME}.json").exists()
    resumed = start(NAME, "--resume", folder)
    _, errors = resumed.communicate(timeout=300)
    assert resumed.returncode == 0, errors
    assert saved(folder) == saved(undisturbed)


def test_a_run_folder_is_complete(undisturbed):
    note = json.loads((undisturbed / "run.json").read_text())
    assert note["config"] == {
        "experiment": NAME,
        **json.loads((undisturbed / f"{NAME}.json").read_text())["config"],
    }
    assert {"versions", "device", "commit", "started"} <= note.keys()
    (checkpoints,) = (undisturbed / "checkpoints").iterdir()
    history = run.saved(NAME, undisturbed)["train_loss"]
    table = np.genfromtxt(checkpoints / "metrics.csv", delimiter=",", names=True)
    means = history.reshape(-1, history.shape[-1]).mean(axis=0)
    np.testing.assert_allclose(table["train_loss"], means, rtol=1e-5)
    assert (undisturbed / "figures" / f"{NAME}.png").read_bytes().startswith(b"\x89PNG")


def test_a_folder_holds_one_run_of_one_experiment(tmp_path, call, capsys):
    run_folder.describe(tmp_path, {"experiment": NAME})
    assert call(NAME, "--smoke", "--run", tmp_path) == 2
    assert "already has a run: use --resume, or another folder" in capsys.readouterr().err
    assert call("checkerboard", "--resume", tmp_path) == 2
    assert f"is a run of {NAME}, not of checkerboard" in capsys.readouterr().err
    assert call(NAME, "--resume", tmp_path / "nothing") == 2
    assert "is not a run directory" in capsys.readouterr().err


ENDINGS = {
    "interrupted": (Interrupted("stopped", 2), 130),
    "terminated": (Interrupted("stopped", 15), 143),
    "Ctrl-C between runs": (KeyboardInterrupt(), 130),
    "diverged": (DivergedError("not finite after epoch 3", None, {}), 3),
    "in use": (run_folder.FolderInUseError("in use by pid 1"), 2),
}


@pytest.mark.parametrize(("error", "code"), ENDINGS.values(), ids=ENDINGS)
def test_the_exit_code_says_how_it_ended(monkeypatch, call, capsys, error, code):
    def fail(*_, **__):
        raise error

    monkeypatch.setattr(command, "perform", fail)
    assert call(NAME, "--smoke") == code
    assert (str(error) or "interrupted") in capsys.readouterr().err
