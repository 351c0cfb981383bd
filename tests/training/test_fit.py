"""Fits and sweeps against each other; chunks, devices, groups, divergence, recompilation."""

import functools
from itertools import product
from typing import Any, NamedTuple

import chex
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from jaxnets import MLP, DivergedError, TrainSpec, fit, grid, sweep, train
from jaxnets.data import Dataset

RNG = np.random.default_rng(0)
N = 13
X = RNG.normal(size=(N + 6, 2)).astype(np.float32)
Y = (X[:, 0] * X[:, 1] > 0).astype(np.int32)
DATA = Dataset({"x": X[:N], "y": Y[:N]}, {"x": X[N:], "y": Y[N:]})
RUN = TrainSpec(MLP((4,)), "binary_cross_entropy", epochs=6, batch_size=5)
REGRESSION = DATA._replace(train={"x": X[:N], "y": X[:N, :1] ** 2}, valid=None)
DIVERGING = TrainSpec(MLP((3,)), "squared_error", epochs=12, optimizer=optax.sgd)

KEYS = jax.random.split(jax.random.key(5), 6)
EACH = {
    "width": np.array([1, 2, 3, 4, 2, 3]),
    "learning_rate": np.array([0.01, 0.03, 0.1, 0.3, 0.1, 0.03]),
    "l2": np.array([0.0, 0.1, 0.01, 0.0, 0.2, 0.05]),
}
run_alone = jax.jit(train, static_argnums=0)


def row_of(tree, i):
    return jax.tree.map(lambda a: a[i], tree)


@functools.cache
def fitted(i):
    """Network `i` of the sweeps here, on its own."""
    state, history = fit(RUN, KEYS[i], DATA, row_of(EACH, i))
    return state.params, history


def test_fit_is_train(key):
    state, history = fit(RUN, key, DATA, {"learning_rate": 0.1})
    plain, plain_history = run_alone(RUN, key, {"learning_rate": jnp.array(0.1)}, DATA)
    chex.assert_trees_all_close((state.params, history), (plain.params, plain_history), atol=1e-6)
    assert state.step == plain.step == 6 * 3


@pytest.mark.parametrize(("epochs", "record_every"), [(4, 1), (4, 2), (4, 4)])
def test_history_has_a_row_a_record(key, epochs, record_every):
    run = TrainSpec(MLP((2,)), "binary_cross_entropy", epochs, record_every=record_every)
    _, history = fit(run, key, DATA, {"learning_rate": 0.1})
    names = {"train_loss", "train_accuracy", "valid_loss", "valid_accuracy"}
    assert set(history) == names
    chex.assert_shape(list(history.values()), (epochs // record_every,))


def test_a_regression_without_validation(key):
    _, history = fit(DIVERGING, key, REGRESSION, {"learning_rate": 0.01})
    assert set(history) == {"train_loss"}
    assert history["train_loss"][-1] < history["train_loss"][0]


def test_data_may_be_any_named_tuple(key):
    class Parts(NamedTuple):
        train: dict
        valid: Any
        unused: str

    parts = Parts(DATA.train, DATA.valid, "anything")
    hparams = {"learning_rate": 0.1}
    ours, theirs = (fit(RUN, key, data, hparams)[0].params for data in (parts, DATA))
    chex.assert_trees_all_equal(ours, theirs)


def test_chunks_change_nothing(key):
    """Bit for bit: 6 records as one call, as three (four would not divide it), and as six."""
    hparams = {"learning_rate": 0.1, "l2": 0.01}
    whole = fit(RUN, key, DATA, hparams)
    for chunks in (4, 6):
        state, history = fit(RUN, key, DATA, hparams, chunks=chunks)
        chex.assert_trees_all_equal((state.params, history), (whole[0].params, whole[1]))
        assert state.step == whole[0].step


def test_a_second_fit_compiles_nothing(key, compilations):
    """An equal run built anew, another key, rate and penalty: the same program."""
    run = TrainSpec(MLP((3,)), "hinge", epochs=2, batch_size=5)
    fit(run, key, DATA, {"learning_rate": 0.1, "l2": 0.0})
    other = jax.random.key(1)
    first = compilations()
    assert first > 0
    fit(TrainSpec(MLP([3]), "hinge", 2, 5), other, DATA, {"learning_rate": 0.2, "l2": 0.1})
    assert compilations() == first


def test_divergence_stops_with_the_last_finite_state(key):
    with pytest.raises(DivergedError, match="try a smaller learning rate") as caught:
        fit(DIVERGING, key, REGRESSION, {"learning_rate": 1e8}, chunks=12)
    error = caught.value
    losses = np.asarray(error.history["train_loss"])
    epoch = int(np.argmin(np.isfinite(losses))) + 1
    assert f"not finite after epoch {epoch} of 12" in str(error)
    assert len(losses) == epoch > 1
    assert error.state.step == epoch - 1
    chex.assert_tree_all_finite(error.state.params)
    assert isinstance(error, FloatingPointError)


def test_divergence_within_one_chunk_names_the_epoch_too(key):
    with pytest.raises(DivergedError) as caught:
        fit(DIVERGING, key, REGRESSION, {"learning_rate": 1e8})
    losses = np.asarray(caught.value.history["train_loss"])
    epoch = int(np.argmin(np.isfinite(losses))) + 1
    assert f"not finite after epoch {epoch} of 12" in str(caught.value)
    assert caught.value.state.step == 0
    chex.assert_tree_all_finite(caught.value.state.params)


def test_no_fit_returns_params_that_are_not_finite(key):
    """The very last update may overflow, after the last loss was measured."""
    run = TrainSpec(MLP((3,)), "squared_error", epochs=1, optimizer=optax.sgd)
    far = REGRESSION._replace(train={"x": 1e3 * X[:N], "y": 1e3 * X[:N, :1]})
    with pytest.raises(DivergedError) as caught:
        fit(run, key, far, {"learning_rate": 3e38})
    chex.assert_tree_all_finite(caught.value.state.params)


def test_progress_goes_to_stderr(key, capsys):
    fit(RUN, key, DATA, {"learning_rate": 0.1})
    assert capsys.readouterr().err == ""
    fit(RUN, key, DATA, {"learning_rate": 0.1}, progress=True)
    shown = capsys.readouterr()
    assert "6/6" in shown.err
    assert "epoch" in shown.err
    assert "valid_accuracy=" in shown.err
    assert shown.out == ""


@pytest.mark.parametrize(("n", "devices", "group"), [(1, 4, None), (3, 1, None), (5, 2, 2)])
def test_a_row_of_a_sweep_is_a_fit(monkeypatch, n, devices, group):
    """Widths, rates and penalties at once; on one device and on several; whole groups or not."""
    available = jax.local_devices()[:devices]
    assert len(available) == devices
    monkeypatch.setattr(jax, "local_devices", lambda: available)
    hparams = {name: values[:n] for name, values in EACH.items()}
    state, history = sweep(RUN, KEYS[:n], DATA, hparams, group=group)
    chex.assert_shape(list(history.values()), (n, 6))
    chex.assert_shape(state.step, (n,))
    for i in range(n):
        chex.assert_trees_all_close(row_of((state.params, history), i), fitted(i), atol=1e-5)
    homes = {leaf.sharding for leaf in jax.tree.leaves(state)}
    assert homes == {jax.sharding.SingleDeviceSharding(available[0])}


def test_a_sweep_in_chunks_compiled_once(compilations):
    """Chunks change no bit of it, scalars are for all, and a second call compiles nothing."""
    hparams = {"learning_rate": EACH["learning_rate"], "l2": 0.01}
    state, history = sweep(RUN, KEYS, DATA, hparams)
    chunked = sweep(RUN, KEYS, DATA, hparams, chunks=2)
    chex.assert_trees_all_equal((state.params, history), (chunked[0].params, chunked[1]))
    keys, rates = KEYS[::-1], EACH["learning_rate"][::-1]
    before = compilations()
    assert before > 0
    again = sweep(RUN, keys, DATA, hparams | {"learning_rate": rates})
    assert compilations() == before
    reverse = jax.tree.map(lambda a: a[::-1], again[1])
    chex.assert_trees_all_close(reverse, history, atol=1e-5)


def test_shared_order_is_the_first_networks(key):
    rates = jnp.array([0.1, 0.3, 0.1])
    state, history = sweep(RUN, KEYS[:3], DATA, {"learning_rate": rates}, shared_order=True)
    for i in range(3):
        one, row = run_alone(RUN, KEYS[i], {"learning_rate": rates[i]}, DATA, KEYS[0])
        chex.assert_trees_all_close(
            row_of((state.params, history), i), (one.params, row), atol=1e-5
        )


def test_one_network_that_diverges_leaves_the_others(capsys):
    rates = np.array([0.01, 1e8, 0.01])
    _, history = sweep(DIVERGING, KEYS[:3], REGRESSION, {"learning_rate": rates}, progress=True)
    finite = np.isfinite(history["train_loss"]).all(axis=1)
    np.testing.assert_array_equal(finite, [True, False, True])
    assert not np.isfinite(history["train_loss"][1, -1])
    assert "12/12" in capsys.readouterr().err


def test_a_sweep_where_all_diverge_warns_of_nothing():
    rates = np.array([1e8, 1e8, 1e8])
    _, history = sweep(DIVERGING, KEYS[:3], REGRESSION, {"learning_rate": rates}, progress=True)
    assert not np.isfinite(history["train_loss"][:, -1]).any()


def test_grid_is_the_product_with_the_last_axis_fastest():
    points = grid(learning_rate=[0.1, 0.3], width=[1, 2, 4], seed=range(2))
    truth = list(product([0.1, 0.3], [1, 2, 4], range(2)))
    np.testing.assert_allclose(np.stack(list(points.values()), axis=1), truth, rtol=1e-6)
    assert list(points) == ["learning_rate", "width", "seed"]
    assert jnp.issubdtype(points["width"].dtype, jnp.integer)
