"""Early stopping against a loop on the host, in a run, a sweep, a scan and a resumed run."""

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxnets import (
    MLP,
    CheckpointConfig,
    EarlyStopping,
    TrainSpec,
    fit,
    sweep,
    train,
)
from jaxnets.data import Dataset

RNG = np.random.default_rng(0)
X = RNG.normal(size=(80, 3)).astype(np.float32)
Y = ((X[:, 0] > 0) ^ (RNG.random(80) < 0.3)).astype(np.int32)
DATA = Dataset({"x": X[:40], "y": Y[:40]}, {"x": X[40:], "y": Y[40:]})
EPOCHS = 24


def spec_of(stopping=None, epochs=EPOCHS):
    return TrainSpec(MLP((32,), 2), "softmax_cross_entropy", epochs, 8, stopping=stopping)


RATES = {"learning_rate": np.array([0.03, 0.3, 0.001], np.float32)}
RATE = {"learning_rate": 0.03}


def stops_after(values, patience, min_delta=0.0):
    """How many records there are, and which is the best: a loop over the values of a whole run."""
    best, at = np.inf, -1
    for i, value in enumerate(values):
        if value < best - min_delta:
            best, at = value, i
        elif i - at >= patience:
            return i + 1, at
    return len(values), at


@pytest.mark.parametrize(
    "stopping",
    [
        EarlyStopping(patience=1),
        EarlyStopping(patience=3),
        EarlyStopping(patience=2, min_delta=0.01),
        EarlyStopping("valid_accuracy", patience=4),
        EarlyStopping("train_loss", patience=1),
        EarlyStopping("valid_loss", patience=2, higher_is_better=True),
        EarlyStopping(patience=EPOCHS),
    ],
)
def test_a_run_ends_where_a_loop_says_with_the_best_params(key, stopping):
    _, whole = fit(spec_of(), key, DATA, RATE)
    values = stopping.sign * whole[stopping.metric]
    records, best = stops_after(values, stopping.patience, stopping.min_delta)
    state, history = fit(spec_of(stopping), key, DATA, RATE)
    assert {len(rows) for rows in history.values()} == {records}
    chex.assert_trees_all_equal(history, {name: rows[:records] for name, rows in whole.items()})
    at_best, _ = fit(spec_of(epochs=best + 1), key, DATA, RATE)
    chex.assert_trees_all_equal(state.params, at_best.params)


def test_each_network_of_a_sweep_stops_by_itself(key):
    spec, keys = spec_of(EarlyStopping(patience=2)), jax.random.split(key, 3)
    states, histories = sweep(spec, keys, DATA, RATES, group=1)
    lengths = set()
    for i in range(3):
        state, history = fit(spec, keys[i], DATA, {"learning_rate": RATES["learning_rate"][i]})
        row = jax.tree.map(lambda a, i=i: a[i], (states.params, histories))
        records = len(history["valid_loss"])
        lengths.add(records)
        assert np.isnan(row[1]["valid_loss"][records:]).all()
        ours = {name: rows[:records] for name, rows in row[1].items()}
        chex.assert_trees_all_equal((row[0], ours), (state.params, history))
    assert len(lengths) > 1


def test_networks_side_by_side_stop_as_one_by_one(key):
    spec, keys = spec_of(EarlyStopping(patience=2)), jax.random.split(key, 3)
    one_by_one = sweep(spec, keys, DATA, RATES, group=1)
    together = sweep(spec, keys, DATA, RATES, group=3)
    chex.assert_trees_all_close(
        (together[0].params, together[1]), (one_by_one[0].params, one_by_one[1]), atol=3e-6
    )


def test_the_pure_function_stops_too(key):
    spec = spec_of(EarlyStopping(patience=2))
    state, history = fit(spec, key, DATA, RATE)
    pure, rows = jax.jit(train, static_argnums=0)(
        spec, key, DATA, {"learning_rate": jnp.array(0.03)}
    )
    records = len(history["valid_loss"])
    assert records < EPOCHS
    assert np.isnan(rows["valid_loss"][records:]).all()
    ours = {name: values[:records] for name, values in rows.items()}
    chex.assert_trees_all_equal((pure.params, ours), (state.params, history))


def test_a_stopped_run_with_checkpoints_is_the_same_and_does_not_go_on(key, tmp_path):
    spec = spec_of(EarlyStopping(patience=2))
    plain = fit(spec, key, DATA, RATE)
    checkpoints = CheckpointConfig(tmp_path)
    for _ in range(2):
        found = fit(spec, key, DATA, RATE, checkpoints=checkpoints)
        chex.assert_trees_all_equal((found[0].params, found[1]), (plain[0].params, plain[1]))


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: EarlyStopping(patience=0), ValueError, "patience is 0"),
        (lambda: EarlyStopping(patience=2.5), TypeError, "patience"),
        (
            lambda: EarlyStopping(min_delta=-1),
            ValueError,
            "min_delta is -1.0; it must be 0 or more",
        ),
        (lambda: EarlyStopping(max), TypeError, "metric is .*; it must be a name"),
    ],
)
def test_what_cannot_stop_a_run_is_refused(make, error, message):
    with pytest.raises(error, match=message):
        make()


def test_an_unknown_metric_is_named_before_anything_compiles(key, compilations):
    with pytest.raises(ValueError, match="'val_loss'; did you mean 'valid_loss'"):
        fit(spec_of(EarlyStopping("val_loss")), key, DATA, RATE)
    with pytest.raises(ValueError, match="unknown metric to stop by 'valid_loss'"):
        fit(spec_of(EarlyStopping()), key, DATA._replace(valid=None), RATE)
    assert compilations() == 0
