"""Fits and sweeps against each other; pieces, devices, groups, divergence, recompilation."""

import dataclasses
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
from jaxnets.training import driver
from jaxnets.training.loop import split_key
from tests.support.python_loop import first_not_finite

RNG = np.random.default_rng(0)
N = 13
X = RNG.normal(size=(N + 6, 2)).astype(np.float32)
Y = (X[:, 0] * X[:, 1] > 0).astype(np.int32)
DATA = Dataset({"x": X[:N], "y": Y[:N]}, {"x": X[N:], "y": Y[N:]})
SPEC = TrainSpec(MLP((4,)), "binary_cross_entropy", epochs=6, batch_size=5)
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
    state, history = fit(SPEC, KEYS[i], DATA, row_of(EACH, i))
    return state.params, history


def test_fit_is_train(key):
    """Bit for bit."""
    state, history = fit(SPEC, key, DATA, {"learning_rate": 0.1})
    plain, plain_history = run_alone(SPEC, key, DATA, {"learning_rate": jnp.array(0.1)})
    chex.assert_trees_all_equal((state.params, history), (plain.params, plain_history))
    assert state.step == plain.step == 6 * 3


@pytest.mark.parametrize(("epochs", "record_every"), [(4, 1), (4, 2), (4, 4)])
def test_history_has_one_row_a_record(key, epochs, record_every):
    spec = TrainSpec(MLP((2,)), "binary_cross_entropy", epochs, record_every=record_every)
    _, history = fit(spec, key, DATA, {"learning_rate": 0.1})
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
    ours, theirs = (fit(SPEC, key, data, hparams)[0].params for data in (parts, DATA))
    chex.assert_trees_all_equal(ours, theirs)


def take_pieces_of(monkeypatch, steps):
    """Makes the driver take at most so many steps at a time, but never less than an epoch."""
    monkeypatch.setattr(driver, "PIECE_SECONDS", 1e9)
    monkeypatch.setattr(driver, "QUIET_SECONDS", 1e9)
    monkeypatch.setattr(driver, "LARGEST_PIECE", steps)


def test_pieces_change_no_bit(key, monkeypatch):
    """Six epochs: one, two or four at a time, or as many as there are."""
    hparams = {"learning_rate": 0.1, "l2": 0.01}
    state, history = fit(SPEC, key, DATA, hparams)
    for steps in (3, 6, 12, 1000):
        take_pieces_of(monkeypatch, steps)
        cut, cut_history = fit(SPEC, key, DATA, hparams)
        chex.assert_trees_all_equal((cut.params, cut_history), (state.params, history))
        assert cut.step == state.step


def test_a_second_fit_compiles_nothing(key, compilations):
    """An equal spec, another key, rate and penalty: the same program."""
    spec = TrainSpec(MLP((3,)), "hinge", epochs=2, batch_size=5)
    fit(spec, key, DATA, {"learning_rate": 0.1, "l2": 0.0})
    other = jax.random.key(1)
    first = compilations()
    assert first > 0
    fit(TrainSpec(MLP([3]), "hinge", 2, 5), other, DATA, {"learning_rate": 0.2, "l2": 0.1})
    assert compilations() == first


@pytest.mark.parametrize("batch_size", [None, 5])
@pytest.mark.parametrize("steps", [1, 1000])
def test_divergence_stops_with_the_last_finite_state(key, monkeypatch, steps, batch_size):
    """The first bad step is found however long the pieces are."""
    take_pieces_of(monkeypatch, steps)
    spec = dataclasses.replace(DIVERGING, batch_size=batch_size)
    hparams = {"learning_rate": 1e8}
    bad, before = first_not_finite(spec, key, REGRESSION, hparams)
    with pytest.raises(DivergedError) as caught:
        fit(spec, key, REGRESSION, hparams)
    error, step = caught.value, len(before)
    assert isinstance(error, FloatingPointError)
    assert f"the run is not finite in epoch {bad.epoch + 1} of 12: " in str(error)
    assert f"the loss of step {step} is {float(bad.metrics['loss'])}; params['params']" in str(
        error
    )
    assert str(error).endswith("has NaN or infinity; try a smaller learning rate")
    assert error.state.step == step > 0
    chex.assert_trees_all_close(error.state.params, before[-1].state.params, rtol=1e-5)
    assert len(error.history["train_loss"]) == bad.epoch
    for epoch, loss in enumerate(error.history["train_loss"]):
        taken = [step for step in before if step.epoch == epoch]
        sums = sum(step.samples * float(step.metrics["loss"]) for step in taken)
        np.testing.assert_allclose(loss, sums / N, rtol=1e-5)


@pytest.mark.parametrize("bad", [0, 1, 16, 17, 18, 35])
def test_the_first_bad_step_is_found_anywhere_in_a_piece(key, monkeypatch, bad):
    """By bisection, whichever of 36 steps it is."""
    take_pieces_of(monkeypatch, 1000)
    spec = dataclasses.replace(DIVERGING, batch_size=5, optimizer=failing_at)
    match = f"epoch {bad // 3 + 1} of 12: the params are not finite after step {bad}; params"
    with pytest.raises(DivergedError, match=match) as caught:
        fit(spec, key, REGRESSION, {"learning_rate": 0.01, "bad": bad})
    assert caught.value.state.step == bad
    assert len(caught.value.history["train_loss"]) == bad // 3


def failing_at(learning_rate, bad):
    """Descent whose update number `bad` is NaN."""
    return optax.sgd(lambda step: jnp.where(step == bad, jnp.nan, learning_rate))


def test_no_fit_returns_params_that_are_not_finite(key):
    """The very last update may overflow, after the last loss was measured."""
    spec = TrainSpec(MLP((3,)), "squared_error", epochs=1, optimizer=optax.sgd)
    far = REGRESSION._replace(train={"x": 1e3 * X[:N], "y": 1e3 * X[:N, :1]})
    with pytest.raises(DivergedError, match="the params are not finite after step 0") as caught:
        fit(spec, key, far, {"learning_rate": 3e38})
    chex.assert_tree_all_finite(caught.value.state.params)


def test_progress_goes_to_stderr(key, capsys):
    fit(SPEC, key, DATA, {"learning_rate": 0.1})
    assert capsys.readouterr().err == ""
    fit(SPEC, key, DATA, {"learning_rate": 0.1}, progress=True)
    shown = capsys.readouterr()
    assert "6/6" in shown.err
    assert "epoch" in shown.err
    assert "valid_accuracy=" in shown.err
    assert shown.out == ""


class Bar:
    """Records what a bar shows."""

    def __init__(self, begun=0):
        self.n, self.shown, self.updates = begun, {}, []

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass

    def set_postfix(self, means, refresh):
        self.shown = means

    def update(self, n):
        self.n += n
        self.updates.append((self.n, self.shown))


def test_progress_is_live(key, monkeypatch):
    """The newest metrics after every piece, which needs no other argument."""
    bar = Bar()
    take_pieces_of(monkeypatch, 3)
    monkeypatch.setattr(driver, "progress_bar", lambda *_: bar)
    _, history = fit(SPEC, key, DATA, {"learning_rate": 0.1}, progress=True)
    assert [n for n, _ in bar.updates] == sorted(n for n, _ in bar.updates)
    assert {n for n, _ in bar.updates} >= {1, 2, 3, 4, 5, 6}
    for n, shown in bar.updates:
        newest = {name: f"{values[n - 1]:.4g}" for name, values in history.items()}
        assert shown == (newest if n else {})


def test_the_bar_of_a_run_that_goes_on_begins_where_it_is(key, monkeypatch):
    """What is done does not count for the rate, and a record that is yet to come is not shown."""
    bars = []
    half, _ = fit(
        dataclasses.replace(SPEC, epochs=4, record_every=2), key, DATA, {"learning_rate": 0.1}
    )
    take_pieces_of(monkeypatch, 3)
    monkeypatch.setattr(
        driver, "progress_bar", lambda *given: bars.append(Bar(given[4])) or bars[0]
    )
    spec = dataclasses.replace(SPEC, epochs=8, record_every=2)
    fit(spec, key, DATA, {"learning_rate": 0.1}, state=half, progress=True)
    (bar,) = bars
    assert (bar.n, bar.updates[0][0]) == (8, 5)
    assert all(shown == {} for n, shown in bar.updates if n < 6)


def test_a_run_that_goes_on_and_diverges_has_its_new_records_only(key):
    half, _ = fit(dataclasses.replace(SPEC, epochs=3), key, DATA, {"learning_rate": 0.1})
    with pytest.raises(DivergedError) as caught:
        fit(SPEC, key, DATA, {"learning_rate": 3e38}, state=half)
    assert all((rows != 0).all() for rows in caught.value.history.values())
    assert len(caught.value.history["train_loss"]) < 3


@pytest.mark.parametrize(("n", "devices", "group"), [(1, 4, None), (3, 1, None), (5, 2, 2)])
def test_each_row_of_a_sweep_is_a_fit(monkeypatch, n, devices, group):
    """Widths, rates and penalties at once; on one device and on several; full groups or not."""
    available = jax.local_devices()[:devices]
    assert len(available) == devices
    monkeypatch.setattr(jax, "local_devices", lambda: available)
    hparams = {name: values[:n] for name, values in EACH.items()}
    state, history = sweep(SPEC, KEYS[:n], DATA, hparams, group=group)
    chex.assert_shape(list(history.values()), (n, 6))
    chex.assert_shape(state.step, (n,))
    for i in range(n):
        chex.assert_trees_all_close(row_of((state.params, history), i), fitted(i), atol=1e-5)
    homes = {leaf.sharding for leaf in jax.tree.leaves(state)}
    assert homes == {jax.sharding.SingleDeviceSharding(available[0])}


def test_a_sweep_take_pieces_of_compiles_once(compilations, monkeypatch):
    """Pieces change no bit, scalars are for all, and a second call compiles nothing."""
    hparams = {"learning_rate": EACH["learning_rate"], "l2": 0.01}
    state, history = sweep(SPEC, KEYS, DATA, hparams)
    keys, rates = KEYS[::-1], EACH["learning_rate"][::-1]
    before = compilations()
    assert before > 0
    again = sweep(SPEC, keys, DATA, hparams | {"learning_rate": rates})
    take_pieces_of(monkeypatch, 4)
    cut, cut_history = sweep(SPEC, KEYS, DATA, hparams)
    assert compilations() == before
    chex.assert_trees_all_equal((cut.params, cut_history), (state.params, history))
    reverse = jax.tree.map(lambda a: a[::-1], again[1])
    chex.assert_trees_all_close(reverse, history, atol=1e-5)


def test_shared_order_is_that_of_the_first_network():
    rates = jnp.array([0.1, 0.3, 0.1])
    state, history = sweep(SPEC, KEYS[:3], DATA, {"learning_rate": rates}, shared_order=True)
    order_key = split_key(KEYS[0]).order
    for i in range(3):
        one, row = run_alone(SPEC, KEYS[i], DATA, {"learning_rate": rates[i]}, order_key)
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
