"""A training that was stopped and goes on is the one that was not, bit for bit."""

import os
import signal
import threading
from functools import partial

import chex
import jax
import numpy as np
import optax
import pytest

from jaxnets import MLP, DivergedError, TrainSpec, fit, sweep
from jaxnets.augment import shift
from jaxnets.data import Dataset
from jaxnets.host.signals import Interrupted, defer_signals
from jaxnets.models import CNN, Activate, Conv, Dense, Dropout, Flatten, MaxPool
from jaxnets.storage.checkpoints import CheckpointConfig, CheckpointMismatch
from jaxnets.training import driver

RNG = np.random.default_rng(0)
N = 13
X = RNG.normal(size=(N + 6, 2)).astype(np.float32)
Y = (X[:, 0] * X[:, 1] > 0).astype(np.int32)
FLAT = Dataset({"x": X[:N], "y": Y[:N]}, {"x": X[N:], "y": Y[N:]})
PICTURES = RNG.uniform(size=(N + 6, 6, 6, 1)).astype(np.float32)
IMAGES = Dataset({"x": PICTURES[:N], "y": Y[:N]}, {"x": PICTURES[N:], "y": Y[N:]})
LAYERS = (Conv(3, 3), Activate("relu"), MaxPool(2), Flatten(), Dropout(0.3), Dense(2))
SETTINGS = {
    "perceptron": (TrainSpec(MLP((4,)), "binary_cross_entropy", epochs=3, batch_size=5), FLAT),
    "rows of two epochs, no validation": (
        TrainSpec(MLP((4,)), "binary_cross_entropy", epochs=4, batch_size=7, record_every=2),
        FLAT._replace(valid=None),
    ),
    "full set": (TrainSpec(MLP((4,)), "binary_cross_entropy", epochs=5), FLAT),
    "dropout, shifted images": (
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
EACH = pytest.mark.parametrize(("run", "data"), SETTINGS.values(), ids=SETTINGS)
RATE = {"learning_rate": 0.05}


class Stopped(Exception):
    """What stands for the end of a process."""


def stop_after(monkeypatch, pieces):
    """The process ends when so many pieces have been saved."""
    real, count = driver.checkpoints.save, 0

    def save(*args):
        nonlocal count
        path = real(*args)
        count += 1
        if count == pieces:
            raise Stopped
        return path

    monkeypatch.setattr(driver.checkpoints, "save", save)


def stopped(monkeypatch, pieces, train):
    with monkeypatch.context() as patch:
        stop_after(patch, pieces)
        with pytest.raises(Stopped):
            train()


def same(a, b):
    chex.assert_trees_all_equal(
        (a[0].params, a[0].opt_state, a[0].step, a[1]),
        (b[0].params, b[0].opt_state, b[0].step, b[1]),
    )
    np.testing.assert_array_equal(*(jax.random.key_data(result[0].key) for result in (a, b)))


@EACH
def test_stopped_at_any_step_and_resumed_is_uninterrupted(tmp_path, monkeypatch, key, run, data):
    steps = run.epochs * -(-N // (run.batch_size or N))
    whole = fit(run, key, data, RATE, checkpoints=CheckpointConfig(tmp_path / "whole", steps=steps))
    for at in range(1, steps):
        keep = CheckpointConfig(tmp_path / str(at), seconds=0, steps=1)
        stopped(monkeypatch, at, partial(fit, run, key, data, RATE, checkpoints=keep))
        same(fit(run, key, data, RATE, checkpoints=CheckpointConfig(keep.folder, steps=4)), whole)


@EACH
def test_kept_and_plain_are_the_same_training(tmp_path, key, run, data):
    """Another program: equal but for rounding."""
    state, history = fit(run, key, data, RATE, checkpoints=CheckpointConfig(tmp_path))
    plain, plain_history = fit(run, key, data, RATE)
    chex.assert_trees_all_close((state.params, history), (plain.params, plain_history), atol=1e-6)
    assert state.step == plain.step


def test_a_stopped_sweep_resumed_is_uninterrupted(tmp_path, monkeypatch):
    run, data = SETTINGS["perceptron"]
    keys = jax.random.split(jax.random.key(1), 5)
    hparams = {"learning_rate": np.linspace(0.01, 0.1, 5)}
    whole = sweep(run, keys, data, hparams, checkpoints=CheckpointConfig(tmp_path / "whole"))
    keep = CheckpointConfig(tmp_path / "cut", seconds=0, steps=2)
    stopped(monkeypatch, 2, lambda: sweep(run, keys, data, hparams, checkpoints=keep))
    resumed = sweep(run, keys, data, hparams, checkpoints=keep)
    same(resumed, whole)
    plain = sweep(run, keys, data, hparams)
    chex.assert_trees_all_close(
        (resumed[0].params, resumed[1]), (plain[0].params, plain[1]), atol=1e-6
    )


def test_a_finished_training_is_not_trained_again(tmp_path, monkeypatch, key):
    run, data = SETTINGS["perceptron"]
    keep = CheckpointConfig(tmp_path)
    first = fit(run, key, data, RATE, checkpoints=keep)
    monkeypatch.setattr(driver, "_first_size", lambda *_: None)
    same(fit(run, key, data, RATE, checkpoints=keep), first)


def flipped(data):
    return data._replace(train=data.train | {"y": 1 - data.train["y"]})


OTHERS = {
    "run": lambda run, key, data: (run.__class__(run.model, "hinge", 3, 5), key, data, RATE),
    "key": lambda run, key, data: (run, jax.random.key(9), data, RATE),
    "data": lambda run, key, data: (run, key, flipped(data), RATE),
    "hparams": lambda run, key, data: (run, key, data, {"learning_rate": 0.06}),
}


@pytest.mark.parametrize("other", OTHERS)
def test_a_folder_of_another_training_is_refused(tmp_path, key, other):
    run, data = SETTINGS["perceptron"]
    fit(run, key, data, RATE, checkpoints=CheckpointConfig(tmp_path))
    with pytest.raises(CheckpointMismatch, match=f"not the same: {other}\\)"):
        fit(*OTHERS[other](run, key, data), checkpoints=CheckpointConfig(tmp_path))


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_saves_and_the_next_call_goes_on(tmp_path, monkeypatch, key, number):
    run, data = SETTINGS["perceptron"]
    whole = fit(run, key, data, RATE, checkpoints=CheckpointConfig(tmp_path / "whole"))
    keep = CheckpointConfig(tmp_path / "cut", seconds=1e6, steps=2)
    real = driver._finite
    handlers = signal.getsignal(number)
    check = lambda carry: os.kill(os.getpid(), number) or real(carry)  # noqa: E731
    with monkeypatch.context() as patch:
        patch.setattr(driver, "_finite", check)
        with pytest.raises(Interrupted, match="saved in") as caught:
            fit(run, key, data, RATE, checkpoints=keep)
    assert caught.value.code == 128 + number
    assert isinstance(caught.value, KeyboardInterrupt)
    assert signal.getsignal(number) is handlers
    assert [path.name for path in keep.folder.glob("step_*")] == ["step_000000000002"]
    same(fit(run, key, data, RATE, checkpoints=keep), whole)


def test_a_signal_that_another_process_got_stops_this_one_too(tmp_path, monkeypatch, key):
    run, data = SETTINGS["perceptron"]
    monkeypatch.setattr(driver.distributed, "largest", lambda own: max(own, signal.SIGTERM))
    with pytest.raises(Interrupted, match="stopped by signal 15 after step 2 of 9") as caught:
        fit(run, key, data, RATE, checkpoints=CheckpointConfig(tmp_path, seconds=1e6, steps=2))
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


def test_divergence_names_step_loss_and_leaf_and_keeps_the_finite_state(tmp_path, key):
    keep = CheckpointConfig(tmp_path, seconds=0, steps=1)
    with pytest.raises(DivergedError, match=r"the loss of step \d+ is (inf|nan); params") as caught:
        fit(DIVERGING, key, TARGETS, {"learning_rate": 1e8}, checkpoints=keep)
    state = caught.value.state
    chex.assert_tree_all_finite(state.params)
    assert f"step {int(state.step)} is" in str(caught.value)
    newest = max(path.name for path in tmp_path.glob("step_*"))
    assert newest == f"step_{int(state.step):012d}"
    with pytest.raises(DivergedError) as plain:
        fit(DIVERGING, key, TARGETS, {"learning_rate": 1e8})
    assert f"step {int(state.step)} is" in str(plain.value)


@pytest.mark.parametrize("pieces", [2, 3])
def test_metrics_have_one_row_a_record(tmp_path, monkeypatch, key, pieces):
    """Though the process ended once, be it right after the last checkpoint."""
    run, data = SETTINGS["perceptron"]
    keep = CheckpointConfig(tmp_path, seconds=0, steps=4)
    stopped(monkeypatch, pieces, lambda: fit(run, key, data, RATE, checkpoints=keep))
    _, history = fit(run, key, data, RATE, checkpoints=keep)
    table = np.genfromtxt(tmp_path / "metrics.csv", delimiter=",", names=True)
    np.testing.assert_array_equal(table["epoch"], [1, 2, 3])
    for name, values in history.items():
        np.testing.assert_allclose(table[name], values, rtol=1e-6)


def test_pieces_of_any_size_share_one_program(tmp_path, key, compilations):
    run, data = SETTINGS["perceptron"]
    fit(run, key, data, RATE, checkpoints=CheckpointConfig(tmp_path / "a", steps=2))
    before = compilations()
    fit(run, key, data, RATE, checkpoints=CheckpointConfig(tmp_path / "b", steps=5))
    assert compilations() == before
