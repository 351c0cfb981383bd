"""A run's folder: everything in it, for one process at a time."""

import dataclasses
import json
import os
import struct
import subprocess
import sys
from pathlib import Path

import chex
import jax
import numpy as np
import pytest

from jaxnets import MLP, TrainSpec, fit, sweep
from jaxnets.data import Dataset
from jaxnets.storage import run_folder, tensorboard
from jaxnets.storage.checkpoints import CheckpointConfig
from jaxnets.training import driver

ROOT = Path(__file__).parents[2]
X = np.random.default_rng(0).normal(size=(13, 2)).astype(np.float32)
DATA = Dataset({"x": X, "y": (X[:, 0] > 0).astype(np.int32)}, None)
RUN = TrainSpec(MLP((3,)), "binary_cross_entropy", epochs=2, batch_size=5)
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
    with (
        pytest.raises(run_folder.FolderInUseError, match=f"in use by pid {holder.pid}"),
        run_folder.recording(tmp_path),
    ):
        pytest.fail("both hold it")
    holder.kill()
    holder.wait()
    with run_folder.recording(tmp_path):
        assert (tmp_path / "lock").read_text() == f"{os.getpid()}\n"


def test_one_process_holds_a_folder_once(tmp_path):
    refused = pytest.raises(run_folder.FolderInUseError, match=f"pid {os.getpid()}")
    with run_folder.recording(tmp_path), refused, run_folder.recording(tmp_path):
        pytest.fail("held twice")
    with run_folder.recording(tmp_path):
        pass


def test_every_training_of_a_recorded_run_has_its_place(tmp_path, monkeypatch, key):
    keys = jax.random.split(key, 3)
    with run_folder.recording(tmp_path):
        first = fit(RUN, key, DATA, RATE)
        fit(RUN, keys[0], DATA, RATE)
        many = sweep(RUN, keys, DATA, RATE)
    assert len(list((tmp_path / "checkpoints").iterdir())) == 3
    monkeypatch.setattr(driver, "_first_size", lambda *_: None)
    with run_folder.recording(tmp_path):
        chex.assert_trees_all_equal(fit(RUN, key, DATA, RATE)[0].params, first[0].params)
        chex.assert_trees_all_equal(sweep(RUN, keys, DATA, RATE)[1], many[1])


def test_nothing_is_kept_outside_of_a_run(tmp_path, monkeypatch, key):
    monkeypatch.chdir(tmp_path)
    assert not run_folder.recorded()
    fit(RUN, key, DATA, RATE)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_describes_itself(tmp_path):
    run_folder.describe(tmp_path, {"seeds": 3, "rates": (0.1, 1.0)})
    assert run_folder.config_of(tmp_path) == {"seeds": 3, "rates": [0.1, 1.0]}
    note = json.loads((tmp_path / "run.json").read_text())
    assert note["versions"]["jax"] == jax.__version__
    assert {"commit", "device", "started"} <= set(note)


def test_what_is_no_runs_folder_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"is no run's folder: .*run\.json is missing"):
        run_folder.config_of(tmp_path)
    (tmp_path / "run.json").write_text('{"config": ')
    with pytest.raises(ValueError, match="is damaged"):
        run_folder.config_of(tmp_path)


def test_metrics_of_many_networks_are_means_of_the_finite(tmp_path):
    history = {"train_loss": np.array([[1.0, 2.0, 9.0], [3.0, np.nan, 9.0]])}
    run_folder.write_metrics(tmp_path / "m.csv", run_folder.rows(history, 2, every=5))
    assert (tmp_path / "m.csv").read_text() == "epoch,train_loss\n5,2\n10,2\n"


# ----- TensorBoard


def events(folder):
    """The events of all files in a folder, in the order of their writing."""
    event_pb2 = pytest.importorskip("tensorboardX.proto.event_pb2")
    for file in sorted(folder.iterdir()):
        data, at = file.read_bytes(), 0
        while at < len(data):
            (size,) = struct.unpack_from("<Q", data, at)
            yield event_pb2.Event.FromString(data[at + 12 : at + 12 + size])
            at += 16 + size


def scalars_of(folder):
    """Tag, epoch and value, after the events that a restart has made void are dropped."""
    kept = []
    for event in events(folder):
        if event.session_log.status == event.session_log.START:
            kept = [row for row in kept if row[1] < event.step]
        kept += [(v.tag, event.step, v.simple_value) for v in event.summary.value]
    return kept


def test_tensorboard_has_every_record_once_though_the_run_was_stopped(tmp_path, monkeypatch, key):
    pytest.importorskip("tensorboardX")
    run = dataclasses.replace(RUN, epochs=4)
    keep = CheckpointConfig(tmp_path / "kept", seconds=0, steps=3, tensorboard=tmp_path / "board")
    real = driver.checkpoints.save

    def stop(folder, step, *rest):
        if step == 6:
            raise InterruptedError
        return real(folder, step, *rest)

    def train(**options):
        return fit(run, key, DATA, RATE, checkpoints=dataclasses.replace(keep, **options))

    with monkeypatch.context() as patch:
        patch.setattr(driver.checkpoints, "save", stop)
        with pytest.raises(InterruptedError):
            train()
    assert [epoch for _, epoch, _ in scalars_of(tmp_path / "board")] == [1, 1, 2, 2]
    _, history = train(steps=6)
    found = scalars_of(tmp_path / "board")
    assert len(found) == 2 * 4
    for i, (tag, epoch, value) in enumerate(sorted(found)):
        name, record = ("train_accuracy", "train_loss")[i // 4], i % 4
        assert (tag, epoch) == (name.replace("_", "/"), record + 1)
        np.testing.assert_allclose(value, history[name][record], rtol=1e-6)


def test_a_recorded_run_has_a_board_for_every_training(tmp_path, key):
    pytest.importorskip("tensorboardX")
    with run_folder.recording(tmp_path, tensorboard=True):
        fit(RUN, key, DATA, RATE)
        sweep(RUN, jax.random.split(key, 2), DATA, RATE)
    names = {path.name for path in (tmp_path / "checkpoints").iterdir()}
    assert {path.name for path in (tmp_path / "tensorboard").iterdir()} == names
    assert all(len(scalars_of(tmp_path / "tensorboard" / name)) == 4 for name in names)


def test_without_the_extra_the_extra_is_named(tmp_path, monkeypatch):
    monkeypatch.setattr(tensorboard, "find_spec", lambda name: None)
    with pytest.raises(ModuleNotFoundError, match=r"jaxnets\[tensorboard\]"):
        CheckpointConfig(tmp_path, tensorboard=tmp_path)
    with pytest.raises(ModuleNotFoundError), run_folder.recording(tmp_path, tensorboard=True):
        pytest.fail("begun")
    CheckpointConfig(tmp_path)


def test_two_trainings_never_share_a_folder(tmp_path, key):
    keep = CheckpointConfig(tmp_path)
    with (
        run_folder.locked(tmp_path),
        pytest.raises(run_folder.FolderInUseError, match=f"pid {os.getpid()}"),
    ):
        fit(RUN, key, DATA, RATE, checkpoints=keep)
    fit(RUN, key, DATA, RATE, checkpoints=keep)
