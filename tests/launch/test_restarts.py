"""Two processes of one run that are stopped, or of which one dies, and that resume."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).parents[2]
pytestmark = pytest.mark.slow_faults
TRAIN = """
import hashlib, os, sys
import jaxnets as jn
from jaxnets.host.signals import Interrupted
process = jn.parallel.start()
import jax
import numpy as np
from jaxnets.data import Dataset

print("pid", os.getpid(), flush=True)
x = np.random.default_rng(0).normal(size=(52, 3)).astype(np.float32)
data = Dataset({"x": x, "y": (x[:, 0] > 0).astype(np.int32)}, None)
spec = jn.TrainSpec(jn.MLP((4,)), "binary_cross_entropy", epochs=15, batch_size=16)
config = jn.CheckpointConfig(sys.argv[1], seconds=0, steps=int(sys.argv[2]))
try:
    state, _ = jn.fit(spec, jax.random.key(0), data, {"learning_rate": 0.01}, checkpoints=config)
except Interrupted as stopped:
    print(stopped, flush=True)
    jn.parallel.exit_process(stopped.code)
leaves = b"".join(np.asarray(leaf).tobytes() for leaf in jax.tree.leaves(state.params))
print("ended", hashlib.sha256(leaves).hexdigest(), flush=True)
"""


def launch(home, *command, options=()):
    """Starts two processes of a command, with one device each."""
    return subprocess.Popen(
        [sys.executable, "-m", "jaxnets.launch", "-n", "2", *options, "--", *map(str, command)],
        env=os.environ | {"PYTHONPATH": str(ROOT), "HOME": str(home)},
        cwd=home,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def train(home, folder, steps):
    return launch(home, sys.executable, "-c", TRAIN, folder, steps, options=("--grace", "300"))


def lines(out, word):
    """Returns what each process printed after a word."""
    return sorted(line.partition(word)[2] for line in out.splitlines() if word in line)


def waited_for(folder, pattern, seconds=200):
    until = time.monotonic() + seconds
    while not list(folder.glob(pattern)):
        assert time.monotonic() < until, f"no {pattern} in {folder}"
        time.sleep(0.05)


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    """Returns what each process ends with when nothing disturbs them."""
    home = tmp_path_factory.mktemp("home")
    out, errors = train(home, home / "undisturbed", 100).communicate(timeout=300)
    ends = lines(out, "ended")
    assert len(ends) == 2, errors
    assert ends[0] == ends[1]
    return ends


@pytest.mark.parametrize("target", ["[0]", "[1]", "the launcher"])
def test_processes_stop_after_the_same_step_and_resume(tmp_path, undisturbed, target):
    """Though only one got the signal; neither waits in a collective for the other."""
    folder = tmp_path / "cut"
    running = train(tmp_path, folder, 1)
    first = [running.stdout.readline() for _ in range(2)]
    waited_for(folder, "step_*")
    if target == "the launcher":
        running.send_signal(signal.SIGTERM)
    else:
        pid = next(line.split()[-1] for line in first if line.startswith(target))
        os.kill(int(pid), signal.SIGTERM)
    began = time.monotonic()
    out, errors = running.communicate(timeout=200)
    assert running.returncode == 143, errors
    assert time.monotonic() - began < 60
    stops = lines(out, "stopped by signal 15 after step ")
    assert len(stops) == 2, out + errors
    assert stops[0] == stops[1]
    step = int(stops[0].split()[0])
    assert step < 60
    assert (folder / f"step_{step:012d}").exists()
    out, errors = train(tmp_path, folder, 100).communicate(timeout=300)
    assert lines(out, "ended") == undisturbed, errors


NAME = "mnist_cnn"
SETTINGS = ("--set", "sgd_epochs=1", "--set", "adam_epochs=1", "--set", "augmented_epochs=1")


def experiment(home, folder):
    command = (sys.executable, "-m", "experiments", NAME, "--smoke", *SETTINGS, "--run", folder)
    return launch(home, *command, options=("--restarts", "1"))


def child(launcher, number):
    """The pid of the process of that number."""
    children = Path(f"/proc/{launcher}/task/{launcher}/children").read_text().split()
    entry = f"JAXNETS_PROCESS={number}".encode()
    for pid in children:
        if entry in Path(f"/proc/{pid}/environ").read_bytes().split(b"\0"):
            return int(pid)
    raise AssertionError(f"no process {number} among {children}")


def test_the_launcher_restarts_an_experiment_from_its_last_checkpoint(tmp_path):
    """Process 1 is killed once: what was trained is not trained again, and the result the same."""
    if not Path("/proc/self/environ").exists():
        pytest.skip("finds the process by /proc")
    undisturbed = experiment(tmp_path, tmp_path / "undisturbed")
    _, errors = undisturbed.communicate(timeout=500)
    assert undisturbed.returncode == 0, errors
    running = experiment(tmp_path, tmp_path / "cut")
    waited_for(tmp_path / "cut", "checkpoints/*/step_*")
    first = next((tmp_path / "cut").glob("checkpoints/*/step_*"))
    written = first.stat().st_mtime
    os.kill(child(running.pid, 1), signal.SIGKILL)
    _, errors = running.communicate(timeout=500)
    assert running.returncode == 0, errors
    assert "process 1 of 2 was killed by SIGKILL" in errors
    assert "restarting all (1 of 1)" in errors
    assert first.stat().st_mtime == written
    results = [tmp_path / name / f"{NAME}.npz" for name in ("undisturbed", "cut")]
    arrays = [dict(np.load(path, allow_pickle=False)) for path in results]
    assert arrays[0].keys() == arrays[1].keys()
    for name in arrays[0]:
        if not name.startswith("seconds"):
            np.testing.assert_array_equal(arrays[1][name], arrays[0][name])
    configs = [json.loads(path.with_suffix(".json").read_text())["config"] for path in results]
    assert configs[0] == configs[1]
