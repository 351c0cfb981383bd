"""The command line where nobody reads what it prints, and for a user without a home folder."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from experiments.lab import run
from experiments.lab.registry import EXPERIMENTS
from jaxnets.host.console import output_may_close

ROOT = Path(__file__).parents[2]
COMMAND = f"{sys.executable} -m experiments"
POSIX = pytest.mark.skipif(os.name != "posix", reason="needs a shell")
SMOKE = "activations --smoke --set points=11"


def shell(script, folder, **changes):
    """Runs a script in a shell of its own; every command of a pipe counts."""
    env = {"PYTHONPATH": str(ROOT), "PATH": os.environ["PATH"], "HOME": str(folder)} | changes
    options = {"capture_output": True, "text": True, "cwd": folder, "timeout": 300}
    return subprocess.run(["bash", "-o", "pipefail", "-c", script], env=env, **options)


FILES = {"json", "npz", "csv", "tex", "png", "svg", "pdf", "figure.json"}


def is_complete(folder):
    """Whether arrays, note, tables and figures of the experiment are there as they should be."""
    arrays = run.saved("activations", folder / "results")
    np.testing.assert_allclose(arrays["s"], np.linspace(-10, 10, 11), rtol=1e-14)
    png = (folder / "results/activations.png").read_bytes()
    names = {path.name.partition(".")[2] for path in (folder / "results").iterdir()}
    return names == FILES and png.startswith(b"\x89PNG")


@POSIX
def test_a_list_whose_reader_has_enough_ends_quietly(tmp_path):
    done = shell(f"{COMMAND} --list | head -n 1", tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    assert done.stdout.split()[0] == EXPERIMENTS[0]


@POSIX
@pytest.mark.parametrize("closed", ["| true", ">&-", "<&- >&- 2>&-"])
def test_an_experiment_that_nobody_reads_is_saved(tmp_path, closed):
    done = shell(f"{COMMAND} {SMOKE} {closed}", tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    assert is_complete(tmp_path)


@POSIX
def test_a_list_that_does_not_fit_on_the_disk_is_an_error(tmp_path):
    if not Path("/dev/full").exists():
        pytest.skip("needs /dev/full")
    done = shell(f"{COMMAND} --list > /dev/full", tmp_path)
    assert done.returncode == 2
    assert done.stderr == "error: [Errno 28] No space left on device\n"


NOBODY = """
import os, pwd, runpy, sys
def nobody(uid):
    raise KeyError(f"getpwuid(): uid not found: {uid}")
pwd.getpwuid = nobody
sys.argv[0] = "experiments"
runpy.run_module("experiments", run_name="__main__")
"""


@POSIX
def test_a_user_without_home_and_passwd_entry_runs_an_experiment(tmp_path):
    (tmp_path / "nobody.py").write_text(NOBODY)
    done = shell(f"unset HOME; {sys.executable} nobody.py {SMOKE}", tmp_path)
    assert done.returncode == 0, done.stderr
    assert "programs are not cached: " in done.stderr
    assert "no home folder is known: set HOME" in done.stderr
    assert "Traceback" not in done.stderr
    assert is_complete(tmp_path)


def test_output_is_given_back_and_still_written(capsys):
    before = sys.stdout
    with output_may_close():
        print("hello")
        assert not sys.stdout.isatty()
    assert sys.stdout is before
    assert capsys.readouterr().out == "hello\n"
