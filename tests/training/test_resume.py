"""Checkpointed runs resume bit for bit."""

import os
import signal
import threading
from dataclasses import replace
from functools import partial

import chex
import jax
import numpy as np
import optax
import pytest

from jaxnets import MLP, DivergedError, TrainSpec, fit, parallel, sweep
from jaxnets.augment import shift
from jaxnets.data import Dataset
from jaxnets.host.signals import Interrupted, defer_signals
from jaxnets.models import CNN, Activate, BatchNorm, Conv, Dense, Dropout, Flatten, MaxPool
from jaxnets.storage import checkpoints
from jaxnets.storage.checkpoints import CheckpointConfig, CheckpointMismatch
from jaxnets.training.loop import Carry
from tests.support.forbid_steps import forbid_steps
from tests.support.python_loop import first_not_finite

RNG = np.random.default_rng(0)
N = 13
X = RNG.normal(size=(N + 6, 2)).astype(np.float32)
Y = (X[:, 0] * X[:, 1] > 0).astype(np.int32)
FLAT = Dataset({"x": X[:N], "y": Y[:N]}, {"x": X[N:], "y": Y[N:]})
PICTURES = RNG.uniform(size=(N + 6, 6, 6, 1)).astype(np.float32)
IMAGES = Dataset({"x": PICTURES[:N], "y": Y[:N]}, {"x": PICTURES[N:], "y": Y[N:]})
LAYERS = (
    *(Conv(3, 3), BatchNorm(), Activate("relu"), MaxPool(2)),
    *(Flatten(), Dropout(0.3), Dense(2)),
)
SETTINGS = {
    "perceptron": (TrainSpec(MLP((4,)), "binary_cross_entropy", epochs=3, batch_size=5), FLAT),
    "rows of two epochs, no validation": (
        TrainSpec(MLP((4,)), "binary_cross_entropy", epochs=4, batch_size=7, record_every=2),
        FLAT._replace(valid=None),
    ),
    "full set": (TrainSpec(MLP((4,)), "binary_cross_entropy", epochs=5), FLAT),
    "statistics, dropout, shifted images": (
        TrainSpec(
            CNN(LAYERS),
            "softmax_cross_entropy",
            epochs=3,
            batch_size=5,
            augment=lambda key, x: shift(key, x, pixels=1),
        ),
        IMAGES,
    ),
}
EACH = pytest.mark.parametrize(("spec", "data"), SETTINGS.values(), ids=SETTINGS)
RATE = {"learning_rate": 0.05}


class Stopped(Exception):
    """Stands for the end of a process."""


def stopped(monkeypatch, pieces, train):
    """Ends the process once this many pieces have been saved."""
    real, count = checkpoints.save, 0

    def save(*args):
        nonlocal count
        path = real(*args)
        count += 1
        if count == pieces:
            raise Stopped
        return path

    with monkeypatch.context() as patch:
        patch.setattr(checkpoints, "save", save)
        with pytest.raises(Stopped):
            train()


def same(a, b):
    chex.assert_trees_all_equal(
        (a[0].params, a[0].opt_state, a[0].step, a[1]),
        (b[0].params, b[0].opt_state, b[0].step, b[1]),
    )
    np.testing.assert_array_equal(*(jax.random.key_data(result[0].key) for result in (a, b)))


@EACH
def test_a_run_stopped_at_any_step_equals_the_uninterrupted(tmp_path, monkeypatch, key, spec, data):
    steps = spec.epochs * -(-N // (spec.batch_size or N))
    config = CheckpointConfig(tmp_path / "uninterrupted", steps=steps)
    uninterrupted = fit(spec, key, data, RATE, checkpoints=config)
    for at in range(1, steps):
        config = CheckpointConfig(tmp_path / str(at), seconds=0, steps=1)
        stopped(monkeypatch, at, partial(fit, spec, key, data, RATE, checkpoints=config))
        resumed = CheckpointConfig(config.folder, steps=4)
        same(fit(spec, key, data, RATE, checkpoints=resumed), uninterrupted)


@EACH
def test_checkpoints_change_no_bit_of_a_run(tmp_path, key, spec, data):
    checkpointed = fit(spec, key, data, RATE, checkpoints=CheckpointConfig(tmp_path))
    same(checkpointed, fit(spec, key, data, RATE))


def test_a_stopped_sweep_equals_the_uninterrupted(tmp_path, monkeypatch):
    spec, data = SETTINGS["perceptron"]
    keys = jax.random.split(jax.random.key(1), 5)
    hparams = {"learning_rate": np.linspace(0.01, 0.1, 5)}
    plain = sweep(spec, keys, data, hparams)
    config = CheckpointConfig(tmp_path / "uninterrupted")
    same(sweep(spec, keys, data, hparams, checkpoints=config), plain)
    config = CheckpointConfig(tmp_path / "cut", seconds=0, steps=2)
    stopped(monkeypatch, 2, lambda: sweep(spec, keys, data, hparams, checkpoints=config))
    same(sweep(spec, keys, data, hparams, checkpoints=config), plain)


def test_a_finished_run_is_not_trained_again(tmp_path, monkeypatch, key):
    spec, data = SETTINGS["perceptron"]
    config = CheckpointConfig(tmp_path)
    first = fit(spec, key, data, RATE, checkpoints=config)
    forbid_steps(monkeypatch)
    same(fit(spec, key, data, RATE, checkpoints=config), first)


def flipped(data):
    return data._replace(train=data.train | {"y": 1 - data.train["y"]})


OTHERS = {
    "spec": lambda spec, key, data: (replace(spec, loss="hinge"), key, data, RATE),
    "key": lambda spec, key, data: (spec, jax.random.key(9), data, RATE),
    "data": lambda spec, key, data: (spec, key, flipped(data), RATE),
    "hparams": lambda spec, key, data: (spec, key, data, {"learning_rate": 0.06}),
}


@pytest.mark.parametrize("other", OTHERS)
def test_a_folder_of_another_run_is_refused(tmp_path, key, other):
    spec, data = SETTINGS["perceptron"]
    fit(spec, key, data, RATE, checkpoints=CheckpointConfig(tmp_path))
    with pytest.raises(CheckpointMismatch, match=f"mismatch: {other}\\)"):
        fit(*OTHERS[other](spec, key, data), checkpoints=CheckpointConfig(tmp_path))


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_saves_and_the_next_call_resumes(tmp_path, monkeypatch, key, number):
    spec, data = SETTINGS["perceptron"]
    config = CheckpointConfig(tmp_path / "uninterrupted", seconds=1e6, steps=2)
    uninterrupted = fit(spec, key, data, RATE, checkpoints=config)
    config = CheckpointConfig(tmp_path / "cut", seconds=1e6, steps=2)
    handlers, real = signal.getsignal(number), jax.block_until_ready

    def block(tree):
        if isinstance(tree, Carry) and (tree.state.step == 2).all():
            os.kill(os.getpid(), number)
        return real(tree)

    with monkeypatch.context() as patch:
        patch.setattr(jax, "block_until_ready", block)
        with pytest.raises(Interrupted, match="saved in") as caught:
            fit(spec, key, data, RATE, checkpoints=config)
    assert caught.value.code == 128 + number
    assert isinstance(caught.value, KeyboardInterrupt)
    assert signal.getsignal(number) is handlers
    assert [path.name for path in config.folder.glob("step_*")] == ["step_000000000002"]
    same(fit(spec, key, data, RATE, checkpoints=config), uninterrupted)


def test_a_signal_that_another_process_got_stops_this_one_too(tmp_path, monkeypatch, key):
    spec, data = SETTINGS["perceptron"]
    monkeypatch.setattr(parallel, "max_over_processes", lambda own: max(own, signal.SIGTERM))
    with pytest.raises(Interrupted, match="stopped by signal 15 after step 2 of 9") as caught:
        fit(spec, key, data, RATE, checkpoints=CheckpointConfig(tmp_path, seconds=1e6, steps=2))
    assert caught.value.code == 143
    assert [path.name for path in tmp_path.glob("step_*")] == ["step_000000000002"]


def test_other_threads_hold_no_signals():
    seen = []

    def work():
        with defer_signals() as pending:
            seen.append((pending.signal, signal.getsignal(signal.SIGINT)))

    before = signal.getsignal(signal.SIGINT)
    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert seen == [(None, before)]


DIVERGING = TrainSpec(MLP((3,)), "squared_error", epochs=12, batch_size=5, optimizer=optax.sgd)
TARGETS = Dataset({"x": X[:N], "y": X[:N, :1] ** 2}, None)


@pytest.mark.parametrize("steps", [1, 4, 1000])
def test_divergence_names_step_loss_and_leaf_and_saves_the_finite_state(tmp_path, key, steps):
    hparams = {"learning_rate": 1e8}
    bad, before = first_not_finite(DIVERGING, key, TARGETS, hparams)
    config = CheckpointConfig(tmp_path, seconds=0, steps=steps)
    with pytest.raises(DivergedError) as caught:
        fit(DIVERGING, key, TARGETS, hparams, checkpoints=config)
    state, step = caught.value.state, len(before)
    assert f"in epoch {bad.epoch + 1} of 12: the loss of step {step} is " in str(caught.value)
    assert f"is {float(bad.metrics['loss'])}; params['params']" in str(caught.value)
    assert state.step == step
    chex.assert_tree_all_finite(state.params)
    newest = max(int(path.name.removeprefix("step_")) for path in tmp_path.glob("step_*"))
    assert newest == step
    with pytest.raises(DivergedError) as plain:
        fit(DIVERGING, key, TARGETS, hparams)
    assert str(plain.value) == str(caught.value)
    chex.assert_trees_all_equal(plain.value.state.params, state.params)
    chex.assert_trees_all_equal(plain.value.history, caught.value.history)


@pytest.mark.parametrize(("rate", "batch_size"), [(1.1, 10), (1.02, None)])
def test_losses_that_overflow_in_their_sum_accuse_no_finite_number(key, rate, batch_size):
    """Near the largest float, the sum over an epoch is infinite before a loss or a param is."""
    x = np.random.default_rng(0).normal(size=(100, 1)).astype(np.float32)
    spec = TrainSpec(MLP(()), "squared_error", 400, batch_size, optax.sgd)
    data, hparams = Dataset({"x": x, "y": 2 * x + 1}), {"learning_rate": rate}
    _, before = first_not_finite(spec, key, data, hparams)
    with pytest.raises(DivergedError, match="the losses of the epoch overflow at step") as caught:
        fit(spec, key, data, hparams)
    step = int(caught.value.state.step)
    assert f"at step {step}, " in str(caught.value)
    assert step <= len(before)
    chex.assert_tree_all_finite(caught.value.state.params)
    assert "params" not in str(caught.value)


@pytest.mark.parametrize("pieces", [2, 3])
def test_metrics_have_one_row_a_record(tmp_path, monkeypatch, key, pieces):
    """Though the process ended once, be it right after the last checkpoint."""
    spec, data = SETTINGS["perceptron"]
    config = CheckpointConfig(tmp_path, seconds=0, steps=4)
    stopped(monkeypatch, pieces, lambda: fit(spec, key, data, RATE, checkpoints=config))
    _, history = fit(spec, key, data, RATE, checkpoints=config)
    table = np.genfromtxt(tmp_path / "metrics.csv", delimiter=",", names=True)
    np.testing.assert_array_equal(table["epoch"], [1, 2, 3])
    for name, values in history.items():
        np.testing.assert_allclose(table[name], values, rtol=1e-6)


def test_pieces_of_any_size_share_one_program(tmp_path, key, compilations):
    spec, data = SETTINGS["perceptron"]
    fit(spec, key, data, RATE, checkpoints=CheckpointConfig(tmp_path / "a", steps=2))
    before = compilations()
    fit(spec, key, data, RATE, checkpoints=CheckpointConfig(tmp_path / "b", steps=5))
    assert compilations() == before
