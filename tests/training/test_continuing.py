"""Runs that go on from a state: uninterrupted ones, bit for bit; states that do not fit."""

import chex
import jax
import numpy as np
import optax
import pytest

from jaxnets import MLP, CheckpointConfig, EarlyStopping, TrainSpec, fit, sweep
from jaxnets.data import Dataset
from jaxnets.parallel import all_devices
from jaxnets.storage.checkpoints import CheckpointMismatch
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


RATES = {"learning_rate": np.array([0.01, 0.02, 0.05, 0.1])}


def take(tree, rows):
    return jax.tree.map(lambda a: a[rows], tree)


@pytest.mark.parametrize("rows", [[0, 1, 2, 3], [3, 1], [2]], ids=["all", "two", "one"])
def test_rows_of_a_sweep_that_go_on_are_the_uninterrupted_runs(key, rows):
    """Bit for bit, where networks train one after another."""
    keys, rows = jax.random.split(key, 4), np.array(rows)
    half, first = sweep(spec_of(4), keys, DATA, RATES, group=1)
    some = {name: values[rows] for name, values in RATES.items()}
    options = {"group": 1, "state": take(half, rows)}
    states, second = sweep(spec_of(10), keys[rows], DATA, some, **options)
    for i, row in enumerate(rows):
        rate = {"learning_rate": RATES["learning_rate"][row]}
        whole, history = fit(spec_of(10), keys[row], DATA, rate)
        assert states.key[i] == whole.key
        chex.assert_trees_all_equal(take(states, i)._replace(key=()), whole._replace(key=()))
        for name, values in history.items():
            joined = np.concatenate([first[name][row], second[name][i]])
            np.testing.assert_array_equal(joined, values)


def test_early_stopping_of_a_sweep_begins_again(key):
    half, _ = fit(spec_of(6), key, DATA, RATE)
    spec = spec_of(30, stopping=EarlyStopping("train_loss", 1, higher_is_better=True))
    alone, expected = fit(spec, key, DATA, RATE, state=half)
    states = jax.tree.map(lambda a: jax.numpy.stack([a]), half)
    keys = jax.numpy.stack([key])
    found, history = sweep(spec, keys, DATA, RATE, state=states, group=1)
    n = len(expected["train_loss"])
    np.testing.assert_array_equal(history["train_loss"][0, :n], expected["train_loss"])
    assert np.isnan(history["train_loss"][0, n:]).all()
    chex.assert_trees_all_equal(take(found.params, 0), alone.params)


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        (lambda state: state.params, TypeError, "state is a dict"),
        (lambda state: take(state, np.array([0])), ValueError, r"axes \[\(1,\)\]; there are 2"),
        (lambda state: take(state, 0), ValueError, "there are 2 keys"),
        (
            lambda state: state._replace(step=state.step.at[0].set(6)),
            ValueError,
            "from 6 to 12 steps",
        ),
        (lambda state: state._replace(step=state.step + 48), ValueError, "taken 60 steps"),
    ],
)
def test_a_state_of_other_networks_is_refused(key, change, error, message):
    keys = jax.random.split(key, 2)
    half, _ = sweep(spec_of(2), keys, DATA, RATE)
    with pytest.raises(error, match=message):
        sweep(spec_of(4), keys, DATA, RATE, state=change(half))


def test_a_sweep_takes_a_state_or_checkpoints(key, tmp_path):
    keys = jax.random.split(key, 2)
    half, _ = sweep(spec_of(2), keys, DATA, RATE)
    options = {"state": half, "checkpoints": CheckpointConfig(tmp_path)}
    with pytest.raises(ValueError, match="leave out the state"):
        sweep(spec_of(4), keys, DATA, RATE, **options)


@pytest.mark.parametrize("options", [{}, {"batch": None, "record_every": 2}])
def test_a_run_with_checkpoints_goes_on_to_more_epochs(key, tmp_path, options):
    whole, history = fit(spec_of(10, **options), key, DATA, RATE)
    checkpoints = CheckpointConfig(tmp_path)
    fit(spec_of(4, **options), key, DATA, RATE, checkpoints=checkpoints)
    state, found = fit(spec_of(10, **options), key, DATA, RATE, checkpoints=checkpoints)
    chex.assert_trees_all_equal(state, whole)
    chex.assert_trees_all_equal(found, history)
    epochs = [line.split(",")[0] for line in (tmp_path / "metrics.csv").read_text().split()]
    every = options.get("record_every", 1)
    assert epochs == ["epoch", *map(str, range(every, 11, every))]


def test_it_takes_only_the_epochs_that_are_missing(key, tmp_path):
    seen = []
    for epochs in (4, 10):
        fit(
            *(spec_of(epochs), key, DATA, RATE),
            checkpoints=CheckpointConfig(tmp_path),
            on_record=lambda epoch, metrics: seen.append(epoch),
        )
    assert seen == list(range(1, 11))


def test_a_sweep_with_checkpoints_goes_on_to_more_epochs(key, tmp_path):
    keys, checkpoints = jax.random.split(key, 3), CheckpointConfig(tmp_path)
    whole, history = sweep(spec_of(6), keys, DATA, RATE)
    sweep(spec_of(2), keys, DATA, RATE, checkpoints=checkpoints)
    state, found = sweep(spec_of(6), keys, DATA, RATE, checkpoints=checkpoints)
    chex.assert_trees_all_equal(state, whole)
    chex.assert_trees_all_equal(found, history)


def test_a_run_on_a_mesh_with_checkpoints_goes_on_to_more_epochs(key, tmp_path):
    options = {"mesh": all_devices(), "checkpoints": CheckpointConfig(tmp_path)}
    whole, _ = fit(spec_of(6, batch=8), key, DATA, RATE, mesh=all_devices())
    fit(spec_of(2, batch=8), key, DATA, RATE, **options)
    state, _ = fit(spec_of(6, batch=8), key, DATA, RATE, **options)
    chex.assert_trees_all_equal(state, whole)


def test_checkpoints_of_more_epochs_are_refused(key, tmp_path):
    checkpoints = CheckpointConfig(tmp_path)
    fit(spec_of(6), key, DATA, RATE, checkpoints=checkpoints)
    with pytest.raises(CheckpointMismatch, match=r"6 records, more than the 4 of this one"):
        fit(spec_of(4), key, DATA, RATE, checkpoints=checkpoints)
    assert fit(spec_of(6), key, DATA, RATE, checkpoints=checkpoints)


def test_runs_that_share_a_folder_have_one_for_each_number_of_epochs(key, tmp_path):
    checkpoints = CheckpointConfig(tmp_path, shared=True)
    for epochs in (6, 4, 6, 4):
        _, history = fit(spec_of(epochs), key, DATA, RATE, checkpoints=checkpoints)
        assert len(history["train_loss"]) == epochs
    assert len([*tmp_path.iterdir()]) == 2
