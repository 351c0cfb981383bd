"""Hooks get each record once and in order, and write what the history has."""

import csv
import signal
from dataclasses import replace

import jax
import numpy as np
import pytest

import jaxnets as jn
from jaxnets import hooks
from jaxnets.data import Dataset
from jaxnets.host.signals import Interrupted
from tests.support.board import scalars_of

RNG = np.random.default_rng(0)
X = RNG.normal(size=(40, 3)).astype(np.float32)
Y = (X[:, 0] > 0).astype(np.int32)
DATA = Dataset({"x": X[:30], "y": Y[:30]}, {"x": X[30:], "y": Y[30:]})
SPEC = jn.TrainSpec(jn.MLP((8,), 2), "softmax_cross_entropy", 8, 8, record_every=2)
RATE = {"learning_rate": 0.02}


def collect():
    seen = []
    return seen, lambda epoch, metrics: seen.append((epoch, metrics))


def require_same(seen, history, epochs):
    assert [epoch for epoch, _ in seen] == epochs
    for name, rows in history.items():
        found = np.stack([metrics[name] for _, metrics in seen], axis=-1)
        np.testing.assert_array_equal(found, rows[..., -len(epochs) :])


@pytest.mark.parametrize("batch_size", [8, None])
def test_a_hook_gets_every_record_as_a_number(key, batch_size):
    seen, hook = collect()
    spec = replace(SPEC, batch_size=batch_size)
    _, history = jn.fit(spec, key, DATA, RATE, on_record=hook)
    require_same(seen, history, [2, 4, 6, 8])
    assert all(type(value) is float for _, metrics in seen for value in metrics.values())


def test_of_a_sweep_it_gets_arrays(key):
    seen, hook = collect()
    _, history = jn.sweep(SPEC, jax.random.split(key, 3), DATA, RATE, on_record=hook)
    require_same(seen, history, [2, 4, 6, 8])
    assert seen[0][1]["train_loss"].shape == (3,)


@pytest.mark.parametrize("stopping", [None, jn.EarlyStopping("train_loss", patience=1)])
def test_of_a_sweep_it_gets_each_network_once_and_nan_after_it_stopped(key, stopping):
    """Five networks in groups of two need more rows, and do not stop at the same time."""
    seen, hook = collect()
    rates = {"learning_rate": [1e-3, 1.0, 1e-3, 3.0, 1e-2]}
    spec = replace(SPEC, stopping=stopping)
    keys = jax.random.split(key, 5)
    _, history = jn.sweep(spec, keys, DATA, rates, group=2, on_record=hook)
    for i, (_, metrics) in enumerate(seen):
        for name, values in metrics.items():
            np.testing.assert_array_equal(values, history[name][:, i], err_msg=name)
    assert np.isnan(history["train_loss"]).any() == (stopping is not None)


def test_a_hook_changes_nothing(key):
    plain, before = jn.fit(SPEC, key, DATA, RATE)
    state, history = jn.fit(SPEC, key, DATA, RATE, on_record=lambda *_: None)
    jax.tree.map(np.testing.assert_array_equal, plain.params, state.params)
    jax.tree.map(np.testing.assert_array_equal, history, before)


def test_it_gets_what_comes_after_a_state(key):
    half, _ = jn.fit(replace(SPEC, epochs=4), key, DATA, RATE)
    seen, hook = collect()
    _, history = jn.fit(SPEC, key, DATA, RATE, state=half, on_record=hook)
    require_same(seen, history, [6, 8])


def test_it_gets_no_record_after_an_early_stop(key):
    stopping = jn.EarlyStopping("train_loss", patience=1, higher_is_better=True)
    seen, hook = collect()
    spec = replace(SPEC, stopping=stopping)
    _, history = jn.fit(spec, key, DATA, RATE, on_record=hook)
    require_same(seen, history, [2, 4])


def test_it_gets_the_records_before_a_divergence(key):
    model = jn.MLP((8,), 2, "relu")
    spec = jn.TrainSpec(model, "squared_error", 400, 8, "sgd")
    data = Dataset({"x": X, "y": np.stack([Y, Y], axis=1)})
    seen, hook = collect()
    with pytest.raises(jn.DivergedError) as caught:
        jn.fit(spec, key, data, {"learning_rate": 9.0}, on_record=hook)
    records = len(caught.value.history["train_loss"])
    assert [epoch for epoch, _ in seen] == list(range(1, records + 1))


def test_of_a_stream_it_gets_the_records_before_a_divergence(key):
    spec = jn.TrainSpec(jn.MLP((8,), 2, "relu"), "squared_error", 400, None, "sgd")
    data = Dataset({"x": X, "y": np.stack([Y, Y], axis=1)})
    seen, hook = collect()
    with pytest.raises(jn.DivergedError) as caught:
        jn.fit_stream(spec, key, data, {"learning_rate": 3.0}, on_record=hook)
    records = len(caught.value.history["train_loss"])
    assert records > 3
    assert [epoch for epoch, _ in seen] == list(range(1, records + 1))


def test_a_csv_file_of_the_last_run_of_a_hook(key, tmp_path):
    write = hooks.to_csv(tmp_path / "m.csv")
    for metrics in ({}, {}, {"f1": jn.metrics.f1}):
        _, history = jn.fit(replace(SPEC, metrics=metrics), key, DATA, RATE, on_record=write)
        rows = read(tmp_path / "m.csv")
        assert [row["epoch"] for row in rows] == ["2", "4", "6", "8"]
        assert {*rows[0]} == {"epoch", *history}


def test_what_it_raises_ends_the_run_as_it_is(key):
    def full(epoch, metrics):
        raise LookupError("enough")

    with pytest.raises(LookupError, match="enough"):
        jn.fit(SPEC, key, DATA, RATE, on_record=full)


def read(path):
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def test_a_csv_file_has_the_history(key, tmp_path):
    path = tmp_path / "new" / "metrics.csv"
    for _ in range(2):  # a second run replaces the first
        _, history = jn.fit(SPEC, key, DATA, RATE, on_record=hooks.to_csv(path))
    rows = read(path)
    assert [row["epoch"] for row in rows] == ["2", "4", "6", "8"]
    for name, values in history.items():
        np.testing.assert_allclose([float(row[name]) for row in rows], values, rtol=1e-8)


def test_a_csv_file_of_a_sweep_has_a_row_a_network(key, tmp_path):
    path, keys = tmp_path / "m.csv", jax.random.split(key, 3)
    _, history = jn.sweep(SPEC, keys, DATA, RATE, on_record=hooks.to_csv(path))
    rows = read(path)
    assert [row["epoch"] for row in rows] == [*"222444666888"]
    assert [row["network"] for row in rows] == [*"012012012012"]
    found = np.array([float(row["valid_loss"]) for row in rows]).reshape(4, 3).T
    np.testing.assert_allclose(found, history["valid_loss"], rtol=1e-8)


def test_an_interrupted_run_leaves_no_gap(key, tmp_path):
    """A signal comes while a record is told; the next call goes on."""
    path, checkpoints = tmp_path / "m.csv", jn.CheckpointConfig(tmp_path / "run", steps=1)
    write = hooks.to_csv(path)

    def interrupt(epoch, metrics):
        write(epoch, metrics)
        if epoch == 4:
            signal.raise_signal(signal.SIGINT)

    with pytest.raises(Interrupted):
        jn.fit(SPEC, key, DATA, RATE, checkpoints=checkpoints, on_record=interrupt)
    assert len(read(path)) == 2
    run = {"checkpoints": checkpoints, "on_record": hooks.to_csv(path)}
    _, history = jn.fit(SPEC, key, DATA, RATE, **run)
    rows = read(path)
    assert [row["epoch"] for row in rows] == ["2", "4", "6", "8"]
    np.testing.assert_allclose([float(r["train_loss"]) for r in rows], history["train_loss"], 1e-8)


def test_a_row_that_a_killed_process_left_half_is_dropped(key, tmp_path):
    path = tmp_path / "m.csv"
    half, _ = jn.fit(replace(SPEC, epochs=4), key, DATA, RATE, on_record=hooks.to_csv(path))
    path.write_text(path.read_text() + "6,0.1")
    jn.fit(SPEC, key, DATA, RATE, state=half, on_record=hooks.to_csv(path))
    assert [row["epoch"] for row in read(path)] == ["2", "4", "6", "8"]


def test_tensorboard_reads_the_history(key, tmp_path):
    pytest.importorskip("tensorboardX", reason="needs the extra [tensorboard]")
    _, history = jn.fit(SPEC, key, DATA, RATE, on_record=hooks.to_tensorboard(tmp_path))
    found = {(tag, epoch): value for tag, epoch, value in scalars_of(tmp_path)}
    for i, epoch in enumerate([2, 4, 6, 8]):
        for name, values in history.items():
            value = found[name.replace("_", "/", 1), epoch]
            np.testing.assert_allclose(value, values[i], rtol=1e-6)


def test_tensorboard_shows_the_later_of_two_runs_of_a_hook(key, tmp_path):
    """Both runs were drawn on top of each other."""
    pytest.importorskip("tensorboardX", reason="needs the extra [tensorboard]")
    hook = hooks.to_tensorboard(tmp_path)
    jn.fit(SPEC, key, DATA, RATE, on_record=hook)
    _, history = jn.fit(SPEC, key, DATA, {"learning_rate": 1e-3}, on_record=hook)
    del hook  # what it holds back is written
    rows = [(epoch, value) for tag, epoch, value in scalars_of(tmp_path) if tag == "train/loss"]
    assert [epoch for epoch, _ in rows] == [2, 4, 6, 8]
    np.testing.assert_allclose([value for _, value in rows], history["train_loss"], rtol=1e-6)


def test_weights_and_biases_logs_the_history(key, tmp_path, monkeypatch):
    wandb = pytest.importorskip("wandb", reason="needs wandb")
    run = wandb.init(mode="offline", dir=tmp_path, settings=wandb.Settings(silent=True))
    jn.fit(SPEC, key, DATA, RATE, on_record=hooks.to_wandb(run))
    assert run.step == 8
    assert "valid/loss" in dict(run.summary)
    run.finish()


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_mlflow_logs_the_history(key, tmp_path):
    mlflow = pytest.importorskip("mlflow", reason="needs mlflow")
    mlflow.set_tracking_uri(f"sqlite:///{tmp_path}/mlflow.db")
    with mlflow.start_run() as run:
        _, history = jn.fit(SPEC, key, DATA, RATE, on_record=hooks.to_mlflow())
    found = mlflow.MlflowClient().get_metric_history(run.info.run_id, "valid/loss")
    assert [metric.step for metric in found] == [2, 4, 6, 8]
    np.testing.assert_allclose([metric.value for metric in found], history["valid_loss"], 1e-6)


def test_what_is_no_hook_is_refused(key, compilations):
    keys, before = jax.random.split(key, 2), compilations()
    for run, own in ((jn.fit, key), (jn.sweep, keys)):
        with pytest.raises(TypeError, match=r"on_record is 'm.csv'; it must be a function"):
            run(SPEC, own, DATA, RATE, on_record="m.csv")
    with pytest.raises(TypeError, match=r"as wandb\.init"):
        hooks.to_wandb("project")
    with pytest.raises(TypeError, match="path"):
        hooks.to_csv(3)
    assert compilations() == before
