"""Runs that go on from a state: uninterrupted ones, bit for bit; states that do not fit."""

import chex
import jax
import numpy as np
import optax
import pytest

from jaxnets import MLP, CheckpointConfig, EarlyStopping, TrainSpec, fit
from jaxnets.data import Dataset
from jaxnets.parallel import all_devices
from jaxnets.training.optimizers import adam_cosine

RNG = np.random.default_rng(0)
X = RNG.normal(size=(60, 3)).astype(np.float32)
Y = (X[:, 0] > 0).astype(np.int32)
DATA = Dataset({"x": X[:40], "y": Y[:40]}, {"x": X[40:], "y": Y[40:]})
RATE = {"learning_rate": 0.02}


def spec_of(epochs, batch=7, optimizer=optax.adam, **options):
    return TrainSpec(MLP((8,), 2), "softmax_cross_entropy", epochs, batch, optimizer, **options)


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"batch": None},
        {"optimizer": adam_cosine(60)},
        {"optimizer": optax.lbfgs, "batch": None},
        {"record_every": 2},
    ],
    ids=["mini-batches", "full batch", "schedule", "L-BFGS", "every second epoch"],
)
def test_a_run_that_goes_on_is_the_uninterrupted_one(key, options):
    whole, history = fit(spec_of(10, **options), key, DATA, RATE)
    half, first = fit(spec_of(4, **options), key, DATA, RATE)
    state, second = fit(spec_of(10, **options), key, DATA, RATE, state=half)
    chex.assert_trees_all_equal(state, whole)
    joined = {name: np.concatenate([first[name], second[name]]) for name in history}
    chex.assert_trees_all_equal(joined, history)


def test_early_stopping_begins_again(key):
    _, whole = fit(spec_of(30), key, DATA, RATE)
    half, _ = fit(spec_of(6), key, DATA, RATE)
    spec = spec_of(30, stopping=EarlyStopping("train_loss", 1, higher_is_better=True))
    _, history = fit(spec, key, DATA, RATE, state=half)
    values = whole["train_loss"][6:]
    ends = next(i for i in range(1, 24) if values[i] <= values[:i].max())
    assert len(history["train_loss"]) == ends + 1
    np.testing.assert_array_equal(history["train_loss"], values[: ends + 1])


def test_a_run_goes_on_on_a_mesh(key):
    spec, half = spec_of(4, batch=8), fit(spec_of(2, batch=8), key, DATA, RATE)[0]
    alone, _ = fit(spec, key, DATA, RATE, state=half)
    spread, _ = fit(spec, key, DATA, RATE, state=half, mesh=all_devices())
    chex.assert_trees_all_close(spread.params, alone.params, atol=3e-6)


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda state, spec: (state.params, spec), TypeError, "state is a dict"),
        (lambda state, spec: (state, spec_of(2)), ValueError, "taken 12 steps, and 2 epochs have"),
        (lambda state, spec: (state, spec_of(8, batch=None)), ValueError, "taken 12 steps, and 8"),
        (lambda state, spec: (state, spec_of(8, batch=5)), ValueError, "a record takes 8"),
        (
            lambda state, spec: (state, spec_of(8, optimizer=optax.sgd)),
            ValueError,
            "another model or optimizer",
        ),
        (
            lambda state, spec: (state, TrainSpec(MLP((9,), 2), spec.loss, 8, 7)),
            ValueError,
            r"\['hidden_0'\]\['bias'\] is float32 \(8,\); this model .* \(9,\)",
        ),
    ],
)
def test_a_state_that_does_not_fit_is_refused(key, make, error, message):
    half, _ = fit(spec_of(2), key, DATA, RATE)
    state, spec = make(half, spec_of(8))
    with pytest.raises(error, match=message):
        fit(spec, key, DATA, RATE, state=state)


def test_checkpoints_and_a_state_exclude_each_other(key, tmp_path):
    half, _ = fit(spec_of(2), key, DATA, RATE)
    with pytest.raises(ValueError, match="leave out the state"):
        fit(spec_of(4), key, DATA, RATE, state=half, checkpoints=CheckpointConfig(tmp_path))


def test_the_given_state_stays_as_it_is(key):
    half, _ = fit(spec_of(2), key, DATA, RATE)
    before = jax.device_get(half.params)
    fit(spec_of(4), key, DATA, RATE, state=half)
    chex.assert_trees_all_equal(jax.device_get(half.params), before)
