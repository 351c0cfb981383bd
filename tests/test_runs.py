"""A run's folder: everything in it, for one process at a time."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import chex
import jax
import numpy as np
import pytest

from jaxnets import MLP, Run, chunks, fit, runs, sweep
from jaxnets.data import Dataset

ROOT = Path(__file__).parents[1]
X = np.random.default_rng(0).normal(size=(13, 2)).astype(np.float32)
DATA = Dataset({"x": X, "y": (X[:, 0] > 0).astype(np.int32)}, None)
RUN = Run(MLP((3,)), "binary_cross_entropy", epochs=2, batch_size=5)
RATE = {"learning_rate": 0.1}
HOLDER = """
import sys, time
from jaxnets import runs
with runs.recording(sys.argv[1]):
    print("held", flush=True)
    time.sleep(60)
"""


@pytest.fixture
def holder(tmp_path):
    """Another process that holds the run's folder."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(tmp_path)],
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout.readline() == "held\n"
    yield process
    process.kill()
    process.communicate()


def test_two_processes_never_share_a_folder_and_a_dead_ones_is_taken_over(tmp_path, holder):
    with pytest.raises(runs.InUse, match=f"in use by pid {holder.pid}"), runs.recording(tmp_path):
        pytest.fail("both hold it")
    holder.kill()
    holder.wait()
    with runs.recording(tmp_path):
        assert (tmp_path / "lock").read_text() == f"{os.getpid()}\n"


def test_one_process_holds_a_folder_once(tmp_path):
    refused = pytest.raises(runs.InUse, match=f"pid {os.getpid()}")
    with runs.recording(tmp_path), refused, runs.recording(tmp_path):
        pytest.fail("held twice")
    with runs.recording(tmp_path):
        pass


def test_every_training_of_a_recorded_run_has_its_place(tmp_path, monkeypatch, key):
    keys = jax.random.split(key, 3)
    with runs.recording(tmp_path):
        first = fit(RUN, key, DATA, RATE)
        fit(RUN, keys[0], DATA, RATE)
        many = sweep(RUN, keys, DATA, RATE)
    assert len(list((tmp_path / "checkpoints").iterdir())) == 3
    monkeypatch.setattr(chunks, "_first_size", lambda *_: None)
    with runs.recording(tmp_path):
        chex.assert_trees_all_equal(fit(RUN, key, DATA, RATE)[0].params, first[0].params)
        chex.assert_trees_all_equal(sweep(RUN, keys, DATA, RATE)[1], many[1])


def test_nothing_is_kept_outside_of_a_run(tmp_path, monkeypatch, key):
    monkeypatch.chdir(tmp_path)
    assert not runs.recorded()
    fit(RUN, key, DATA, RATE)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_describes_itself(tmp_path):
    runs.describe(tmp_path, {"seeds": 3, "rates": (0.1, 1.0)})
    assert runs.config_of(tmp_path) == {"seeds": 3, "rates": [0.1, 1.0]}
    note = json.loads((tmp_path / "run.json").read_text())
    assert note["versions"]["jax"] == jax.__version__
    assert {"commit", "device", "started"} <= set(note)


def test_what_is_no_runs_folder_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"is no run's folder: .*run\.json is missing"):
        runs.config_of(tmp_path)
    (tmp_path / "run.json").write_text('{"config": ')
    with pytest.raises(ValueError, match="is damaged"):
        runs.config_of(tmp_path)


def test_metrics_of_many_networks_are_means_of_the_finite(tmp_path):
    history = {"train_loss": np.array([[1.0, 2.0, 9.0], [3.0, np.nan, 9.0]])}
    runs.write_metrics(tmp_path / "m.csv", history, 2, every=5)
    assert (tmp_path / "m.csv").read_text() == "epoch,train_loss\n5,2\n10,2\n"


# ----- killed

TRAIN = """
import hashlib, sys
import jaxnets as jn
jn.cache_compilations(sys.argv[2])
import jax
import numpy as np
from jaxnets.augment import shift
from jaxnets.checkpoints import Checkpoints
from jaxnets.data import Dataset
from jaxnets.models import CNN, Activate, Conv, Dense, Dropout, Flatten

x = np.random.default_rng(0).uniform(size=(53, 6, 6, 1)).astype(np.float32)
data = Dataset({"x": x[:43], "y": np.arange(43) % 3}, {"x": x[43:], "y": np.arange(10) % 3})
model = CNN((Conv(2, 3), Activate("relu"), Flatten(), Dropout(0.3), Dense(3)))
run = jn.Run(model, "softmax_cross_entropy", epochs=10, batch_size=10, augment=shift)
print("ready", flush=True)
state, history = jn.fit(
    run, jax.random.key(0), data, {"learning_rate": 0.01},
    keep=Checkpoints(sys.argv[1], seconds=0, steps=1, last=2),
)
digest = hashlib.sha256()
for leaf in (*jax.tree.leaves((state.params, state.opt_state)), *history.values()):
    digest.update(np.asarray(leaf).tobytes())
print(digest.hexdigest(), int(state.step), flush=True)
"""


def train(folder, cache):
    return subprocess.Popen(
        [sys.executable, "-c", TRAIN, str(folder), str(cache)],
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )


def ending(process):
    """The last line of a training that ends well."""
    out, _ = process.communicate(timeout=300)
    assert process.returncode == 0
    return out.splitlines()[-1]


def kill_once(folder, cache, rng, span):
    """Kills a training at a moment drawn from `span` seconds, which are nearly all saves."""
    process = train(folder, cache)
    assert process.stdout.readline() == "ready\n"
    time.sleep(rng.uniform(*span))
    process.send_signal(signal.SIGKILL)
    process.communicate()
    return process.returncode == -signal.SIGKILL


def resumed_after_kills(tmp_path, count):
    """How many of so many killed and resumed trainings end as the one that was not."""
    cache = tmp_path / "cache"
    whole = ending(train(tmp_path / "whole", cache))
    began = time.monotonic()
    assert ending(train(tmp_path / "again", cache)) == whole
    span = (0.0, 0.9 * (time.monotonic() - began))
    rng = np.random.default_rng(0)
    kills = same = in_saves = 0
    for i in range(count):
        folder = tmp_path / f"run{i}"
        kills += kill_once(folder, cache, rng, span)
        in_saves += any(folder.glob(".step_*"))
        same += ending(train(folder, cache)) == whole
    print(f"{kills} killed, {in_saves} within a save, {same} of {count} end as the whole")
    return kills, same


def test_three_killed_trainings_end_as_the_whole(tmp_path):
    _, same = resumed_after_kills(tmp_path, 3)
    assert same == 3


@pytest.mark.slow_faults
@pytest.mark.parametrize("part", range(2))
def test_two_hundred_killed_trainings_end_as_the_whole(tmp_path, part):
    kills, same = resumed_after_kills(tmp_path, 100)
    assert kills >= 50
    assert same == 100
