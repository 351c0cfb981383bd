"""One definition of an epoch: the pure scan, the driver and the sweep compute the same run."""

import os
import subprocess
import sys
from functools import cache, partial
from pathlib import Path

import chex
import jax
import numpy as np
import optax
import pytest

from jaxnets import MLP, CheckpointConfig, TrainSpec, backprop, fit, sweep, train
from jaxnets.augment import shift
from jaxnets.data import Dataset
from jaxnets.models import CNN, Activate, Conv, Dense, Dropout, Flatten, MaxPool

RNG = np.random.default_rng(0)
N = 12
X = RNG.normal(size=(N + 6, 2)).astype(np.float32)
Y = (X[:, 0] * X[:, 1] > 0).astype(np.int32)
FLAT = Dataset({"x": X[:N], "y": Y[:N]}, {"x": X[N:], "y": Y[N:]})
PIXELS = RNG.uniform(size=(N + 6, 6, 6, 1)).astype(np.float32)
IMAGES = Dataset({"x": PIXELS[:N], "y": Y[:N]}, {"x": PIXELS[N:], "y": Y[N:]})
LAYERS = (Conv(3, 3), Activate("relu"), MaxPool(2), Flatten())
RATE = {"learning_rate": 0.05}
PERCEPTRON = partial(TrainSpec, MLP((4,)), "binary_cross_entropy", 4)
CONVOLUTIONS = partial(TrainSpec, loss="softmax_cross_entropy", epochs=2, batch_size=5)


def shift_by_one(key, x):
    return shift(key, x, pixels=1)


SETTINGS = {
    "full batch": (PERCEPTRON(), FLAT, RATE),
    "mini-batches": (PERCEPTRON(batch_size=4), FLAT, RATE),
    "ragged last batch": (PERCEPTRON(batch_size=5), FLAT, RATE),
    "single samples": (PERCEPTRON(batch_size=1, optimizer=optax.sgd), FLAT, RATE),
    "L-BFGS": (PERCEPTRON(optimizer=optax.lbfgs), FLAT, {}),
    "L-BFGS on mini-batches": (PERCEPTRON(batch_size=5, optimizer=optax.lbfgs), FLAT, {}),
    "dropout": (CONVOLUTIONS(CNN((*LAYERS, Dropout(0.3), Dense(2)))), IMAGES, RATE),
    "augmentation": (CONVOLUTIONS(CNN((*LAYERS, Dense(2))), augment=shift_by_one), IMAGES, RATE),
    "rows of two epochs, no validation": (
        PERCEPTRON(batch_size=5, record_every=2),
        FLAT._replace(valid=None),
        RATE,
    ),
    "penalties, width, gradients by hand": (
        PERCEPTRON(batch_size=5, value_and_grad=backprop.value_and_grad),
        FLAT,
        RATE | {"l1": 0.01, "l2": 0.02, "width": 3},
    ),
}
AMPLIFYING = ("L-BFGS on mini-batches",)
"""Curvatures of five samples make steps that amplify roundings, by 0.12 of JAX to 6e-6."""
EACH = pytest.mark.parametrize("name", SETTINGS)
PIECES = (1, 2, 5, 1000)
"""Steps at a time: within an epoch, across its end, and all of them."""

scan = jax.jit(train, static_argnums=0)


@cache
def scanned(name):
    spec, data, hparams = SETTINGS[name]
    return jax.device_get(arrays(scan(spec, jax.random.key(0), data, hparams)))


def arrays(result):
    """Everything in a state and a history, the key as its data."""
    state, history = result
    return state._replace(key=jax.random.key_data(state.key)), history


@EACH
def test_scan_and_driver_are_equal_bit_for_bit(name, key):
    spec, data, hparams = SETTINGS[name]
    chex.assert_trees_all_equal(arrays(fit(spec, key, data, hparams)), scanned(name))


@EACH
@pytest.mark.parametrize("steps", PIECES)
def test_checkpoints_and_pieces_of_any_size_change_no_bit(tmp_path, key, name, steps):
    spec, data, hparams = SETTINGS[name]
    config = CheckpointConfig(tmp_path, steps=steps)
    chex.assert_trees_all_equal(
        arrays(fit(spec, key, data, hparams, checkpoints=config)), scanned(name)
    )


@pytest.mark.parametrize("name", [name for name in SETTINGS if name not in AMPLIFYING])
def test_each_row_of_a_sweep_equals_the_single_run(name):
    assert_rows_equal_single_runs(*SETTINGS[name], 3e-6)


@pytest.mark.parametrize("name", AMPLIFYING)
def test_each_row_equals_the_single_run_in_double_precision(x64, name):
    spec, data, hparams = SETTINGS[name]
    data = jax.tree.map(lambda a: a.astype(np.float64) if a.dtype == np.float32 else a, data)
    assert_rows_equal_single_runs(spec, data, hparams, 1e-11)


def assert_rows_equal_single_runs(spec, data, hparams, atol):
    keys = jax.random.split(jax.random.key(1), 5)
    state, history = sweep(spec, keys, data, hparams, group=2)
    for i, key in enumerate(keys):
        row = jax.tree.map(lambda a, i=i: a[i], (state.params, history))
        alone, alone_history = scan(spec, key, data, hparams)
        chex.assert_trees_all_close(row, (alone.params, alone_history), rtol=0, atol=atol)
        assert state.step[i] == alone.step
        assert state.key[i] == alone.key


def test_scan_and_driver_are_equal_with_the_default_options_of_xla_too():
    """The tests leave out most optimizations, and so what may round one of the two otherwise."""
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", __file__, "-k", "scan_and_driver_are_equal_bit"],
        env=os.environ | {"JAX_DISABLE_MOST_OPTIMIZATIONS": "0", "XLA_FLAGS": ""},
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout
    assert f"{len(SETTINGS)} passed" in done.stdout
