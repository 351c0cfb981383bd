"""A run folder: everything in it, for one process at a time."""

import dataclasses
import json
import os
import subprocess
import sys
from pathlib import Path

import chex
import jax
import numpy as np
import pytest

from jaxnets import MLP, TrainSpec, fit, sweep
from jaxnets.data import Dataset
from jaxnets.storage import checkpoints, run_folder, tensorboard
from jaxnets.storage.checkpoints import CheckpointConfig
from jaxnets.storage.run_folder import FolderInUseError, open_run_folder
from tests.support.board import scalars_of
from tests.support.forbid_steps import forbid_steps

ROOT = Path(__file__).parents[2]
X = np.random.default_rng(0).normal(size=(13, 2)).astype(np.float32)
DATA = Dataset({"x": X, "y": (X[:, 0] > 0).astype(np.int32)}, None)
SPEC = TrainSpec(MLP((3,)), "binary_cross_entropy", epochs=2, batch_size=5)
RATE = {"learning_rate": 0.1}
HOLDER = """
import sys, time
from jaxnets.storage.run_folder import open_run_folder
with open_run_folder(sys.argv[1]):
    print("locked", flush=True)
    time.sleep(60)
"""


@pytest.fixture
def holder(tmp_path):
    """Another process that has locked the folder."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(tmp_path)],
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout.readline() == "locked\n"
    yield process
    process.kill()
    process.communicate()


def test_two_processes_never_share_a_folder_and_a_dead_ones_is_taken_over(tmp_path, holder):
    with (
        pytest.raises(FolderInUseError, match=f"in use by pid {holder.pid}"),
        open_run_folder(tmp_path),
    ):
        pytest.fail("both have locked it")
    holder.kill()
    holder.wait()
    with open_run_folder(tmp_path):
        assert (tmp_path / "lock").exists()
        assert (tmp_path / "lock.pid").read_text() == f"{os.getpid()}\n"


def test_one_process_locks_a_folder_once(tmp_path):
    refused = pytest.raises(FolderInUseError, match=f"pid {os.getpid()}")
    with open_run_folder(tmp_path), refused, open_run_folder(tmp_path):
        pytest.fail("locked twice")
    with open_run_folder(tmp_path):
        pass


def test_every_run_has_a_folder_of_its_own(tmp_path, monkeypatch, key):
    keys = jax.random.split(key, 3)
    with open_run_folder(tmp_path) as run:
        first = fit(SPEC, key, DATA, RATE, checkpoints=run.checkpoints)
        fit(SPEC, keys[0], DATA, RATE, checkpoints=run.checkpoints)
        many = sweep(SPEC, keys, DATA, RATE, checkpoints=run.checkpoints)
    assert len(list((tmp_path / "checkpoints").iterdir())) == 3
    forbid_steps(monkeypatch)
    with open_run_folder(tmp_path) as run:
        again = fit(SPEC, key, DATA, RATE, checkpoints=run.checkpoints)
        chex.assert_trees_all_equal(again[0].params, first[0].params)
        again = sweep(SPEC, keys, DATA, RATE, checkpoints=run.checkpoints)
        chex.assert_trees_all_equal(again[1], many[1])


def test_nothing_is_saved_without_checkpoints(tmp_path, monkeypatch, key):
    monkeypatch.chdir(tmp_path)
    with open_run_folder(tmp_path / "run"):
        fit(SPEC, key, DATA, RATE)
    assert [path.name for path in tmp_path.iterdir()] == ["run"]
    assert {path.name for path in (tmp_path / "run").iterdir()} == {"lock", "lock.pid"}


def test_a_folder_describes_itself(tmp_path):
    run_folder.describe(tmp_path, {"seeds": 3, "rates": (0.1, 1.0)})
    assert run_folder.config_of(tmp_path) == {"seeds": 3, "rates": [0.1, 1.0]}
    note = json.loads((tmp_path / "run.json").read_text())
    assert note["versions"]["jax"] == jax.__version__
    assert {"commit", "device", "started"} <= set(note)


def test_a_folder_that_is_not_a_run_directory_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"is not a run directory \(run\.json not found\)"):
        run_folder.config_of(tmp_path)
    (tmp_path / "run.json").write_text('{"config": ')
    with pytest.raises(ValueError, match="is damaged"):
        run_folder.config_of(tmp_path)


def test_metrics_of_many_networks_are_means_of_the_finite(tmp_path):
    history = {"train_loss": np.array([[1.0, 2.0, 9.0], [3.0, np.nan, 9.0]])}
    run_folder.write_metrics(tmp_path / "m.csv", run_folder.rows(history, 2, every=5))
    assert (tmp_path / "m.csv").read_text() == "epoch,train_loss\n5,2\n10,2\n"


# ----- TensorBoard


def test_tensorboard_has_every_record_once_though_the_run_was_stopped(tmp_path, monkeypatch, key):
    pytest.importorskip("tensorboardX")
    spec = dataclasses.replace(SPEC, epochs=4)
    config = CheckpointConfig(tmp_path / "run", seconds=0, steps=3, tensorboard=tmp_path / "board")
    real = checkpoints.save

    def stop(folder, step, *rest):
        if step == 6:
            raise InterruptedError
        return real(folder, step, *rest)

    def train(**options):
        return fit(spec, key, DATA, RATE, checkpoints=dataclasses.replace(config, **options))

    with monkeypatch.context() as patch:
        patch.setattr(checkpoints, "save", stop)
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


def test_every_run_has_a_board_of_its_own(tmp_path, key):
    pytest.importorskip("tensorboardX")
    with open_run_folder(tmp_path, with_tensorboard=True) as run:
        fit(SPEC, key, DATA, RATE, checkpoints=run.checkpoints)
        sweep(SPEC, jax.random.split(key, 2), DATA, RATE, checkpoints=run.checkpoints)
    names = {path.name for path in (tmp_path / "checkpoints").iterdir()}
    assert {path.name for path in (tmp_path / "tensorboard").iterdir()} == names
    assert len(names) == 2
    assert all(len(scalars_of(tmp_path / "tensorboard" / name)) == 4 for name in names)


def test_without_the_extra_the_extra_is_named(tmp_path, monkeypatch):
    monkeypatch.setattr(tensorboard, "find_spec", lambda name: None)
    with pytest.raises(ModuleNotFoundError, match=r"jaxnets\[tensorboard\]"):
        CheckpointConfig(tmp_path, tensorboard=tmp_path)
    with pytest.raises(ModuleNotFoundError), open_run_folder(tmp_path, with_tensorboard=True):
        pytest.fail("opened")
    CheckpointConfig(tmp_path)


def test_two_runs_never_share_a_folder(tmp_path, key):
    config = CheckpointConfig(tmp_path)
    with (
        run_folder.lock_folder(tmp_path),
        pytest.raises(FolderInUseError, match=f"pid {os.getpid()}"),
    ):
        fit(SPEC, key, DATA, RATE, checkpoints=config)
    fit(SPEC, key, DATA, RATE, checkpoints=config)
