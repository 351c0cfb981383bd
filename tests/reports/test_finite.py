"""What is not finite stops a run, wherever it hides; what may be infinite does not."""

import itertools
from functools import partial

import chex
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from jaxnets import LOSSES, MLP, CheckpointConfig, DivergedError, Loss, TrainSpec, fit, sweep
from jaxnets.data import Dataset
from tests.support.python_loop import steps_of

X = np.random.default_rng(0).normal(size=(40, 4)).astype(np.float32)
SMALL = Dataset({"x": X, "y": X[:, :1]}, {"x": X, "y": X[:, :1]})
HUGE = Dataset({"x": 1e10 * X, "y": np.full((40, 1), 1e9, np.float32)})
RATE = {"learning_rate": 1e-3}
spec_with = partial(TrainSpec, MLP(()), "squared_error", epochs=4, batch_size=10)


def with_momentum(learning_rate):
    return optax.sgd(learning_rate, momentum=0.9)


OPTIMIZERS = {
    "adam": (optax.adam, r"opt_state\[0\].nu\['params'\]\['output'\]\['weight'\]"),
    "rmsprop": (optax.rmsprop, r"opt_state\[0\].nu\['params'\]\['output'\]\['weight'\]"),
    "adagrad": (optax.adagrad, r"opt_state\[0\].sum_of_squares\['params'\]"),
    "adam, clipped by value": (
        lambda learning_rate: optax.chain(optax.clip(1e25), optax.adam(learning_rate)),
        r"opt_state\[1\]\[0\].nu\['params'\]",
    ),
}


def first_bad_state(spec, key, data):
    """The number of steps before the optimizer's state is not finite, by a Python loop."""
    finite = (
        all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(taken.state.opt_state))
        for taken in steps_of(spec, key, data, RATE)
    )
    return len(list(itertools.takewhile(bool, finite)))


@pytest.mark.parametrize(("optimizer", "leaf"), OPTIMIZERS.values(), ids=OPTIMIZERS)
def test_a_second_moment_that_overflows_is_named(key, optimizer, leaf):
    """The updates are then 0 and the loss constant, which nobody would notice."""
    spec = spec_with(optimizer=optimizer)
    message = f"the state of the optimizer is not finite after step 0; {leaf}.* has NaN or infinity"
    with pytest.raises(DivergedError, match=message) as caught:
        fit(spec, key, HUGE, RATE)
    assert caught.value.state.step == 0 == first_bad_state(spec, key, HUGE)
    chex.assert_tree_all_finite(caught.value.state.opt_state)


@pytest.mark.parametrize("steps", [1, 3, 1000])
def test_the_last_finite_state_of_the_optimizer_is_saved(tmp_path, key, steps):
    """Samples that grow: the moments overflow within the run, the loss never does."""
    x = X * np.float32(10) ** np.linspace(0, 9.5, 40, dtype=np.float32)[:, None]
    data = Dataset({"x": x, "y": np.full((40, 1), 1e9, np.float32)})
    spec = spec_with(batch_size=1)
    bad = first_bad_state(spec, key, data)
    assert 0 < bad < 160
    config = CheckpointConfig(tmp_path, seconds=0, steps=steps)
    match = rf"after step {bad}; opt_state\[0\]"
    for _ in range(2):  # resumed, it stops again at the same step
        with pytest.raises(DivergedError, match=match) as caught:
            fit(spec, key, data, RATE, checkpoints=config)
        assert caught.value.state.step == bad
        chex.assert_tree_all_finite((caught.value.state.params, caught.value.state.opt_state))
        newest = max(int(path.name.removeprefix("step_")) for path in tmp_path.glob("step_*"))
        assert newest == bad
    with pytest.raises(DivergedError) as plain:
        fit(spec, key, data, RATE)
    chex.assert_trees_all_equal(plain.value.state.opt_state, caught.value.state.opt_state)


@pytest.mark.parametrize("epochs", [1, 4])
def test_validation_samples_whose_loss_overflows_are_named(key, epochs):
    far = SMALL._replace(valid={"x": X * 1e25, "y": X[:, :1]})
    spec = spec_with(epochs=epochs, record_every=epochs)
    with pytest.raises(DivergedError, match="loss of the validation samples is inf") as caught:
        fit(spec, key, far, RATE)
    assert caught.value.state.step == 4 * epochs - 1
    chex.assert_tree_all_finite((caught.value.state.params, caught.value.history))
    assert "params has" not in str(caught.value)


def test_a_validation_loss_that_is_not_a_number_stops_too(key):
    """Only for targets of the validation part, so that training is finite."""
    square = LOSSES["squared_error"]
    loss = Loss(lambda o, y: square.value(o, y) + jnp.log(5 - y[:, 0]), *square[1:])
    valid = SMALL._replace(valid={"x": X, "y": X[:, :1] + 9})
    with pytest.raises(DivergedError, match="loss of the validation samples is nan"):
        fit(TrainSpec(MLP(()), loss, 4), key, valid, RATE)


CLIPPED = {
    "sgd": lambda learning_rate: optax.chain(
        optax.clip_by_global_norm(1.0), optax.sgd(learning_rate)
    ),
    "momentum": lambda learning_rate: optax.chain(
        optax.clip_by_global_norm(1.0), with_momentum(learning_rate)
    ),
}


@pytest.mark.parametrize("optimizer", CLIPPED.values(), ids=CLIPPED)
def test_a_gradient_whose_norm_overflows_does_not_stand_still_unnoticed(tmp_path, key, optimizer):
    """Clipped by an infinite norm it is 0, and the loss constant from the first step."""
    config = CheckpointConfig(tmp_path, seconds=0, steps=4)
    for options in ({}, {"checkpoints": config}):
        with pytest.raises(DivergedError, match="norm of the gradient overflows") as caught:
            fit(spec_with(optimizer=optimizer), key, HUGE, RATE, **options)
        chex.assert_tree_all_finite(caught.value.state.params)
    fit(spec_with(optimizer=optimizer), key, SMALL, RATE)


def test_a_run_that_has_converged_may_stand_still(key):
    """A margin of 1 everywhere: the gradient of the hinge loss is 0, as it should be."""
    x = np.sign(X[:, :1]) * np.float32(1e6)
    data = Dataset({"x": x, "y": (x[:, 0] > 0).astype(int)})
    spec = TrainSpec(MLP(()), "hinge", epochs=10, optimizer=optax.sgd)
    state, history = fit(spec, key, data, {"learning_rate": 1e-3})
    assert history["train_loss"][-1] == 0
    assert state.step == 10


def with_infinity(learning_rate):
    """Descent that carries an infinity, a NaN, an integer, a flag and a key."""
    descent = optax.sgd(learning_rate)

    def init(params):
        own = {
            "best": jnp.array([jnp.inf, 0.0]),
            "unknown": jnp.full((), jnp.nan, jnp.bfloat16),
            "count": jnp.zeros((), jnp.int32),
            "seen": jnp.array(False),
            "key": jax.random.key(0),
        }
        return descent.init(params), own

    def update(grads, state, params=None):
        updates, inner = descent.update(grads, state[0], params)
        own = state[1] | {"count": state[1]["count"] + 1}
        return updates, (inner, own)

    return optax.GradientTransformation(init, update)


BY_DESIGN = {
    "L-BFGS": (optax.lbfgs, {}),
    "plateau": (
        lambda learning_rate: optax.chain(
            optax.sgd(learning_rate), optax.contrib.reduce_on_plateau(patience=1)
        ),
        RATE,
    ),
    "infinity, flag and key": (with_infinity, RATE),
    "noise": (
        lambda learning_rate: optax.chain(
            optax.add_noise(0.01, 0.55, key=0), optax.sgd(learning_rate)
        ),
        RATE,
    ),
    "apply_if_finite": (
        lambda learning_rate: optax.apply_if_finite(optax.sgd(learning_rate), 3),
        RATE,
    ),
    "several steps": (
        lambda learning_rate: optax.MultiSteps(
            optax.adam(learning_rate), 3
        ).gradient_transformation(),
        RATE,
    ),
}


@pytest.mark.parametrize(("optimizer", "hparams"), BY_DESIGN.values(), ids=BY_DESIGN)
def test_what_begins_infinite_is_not_accused(key, optimizer, hparams):
    spec = spec_with(optimizer=optimizer, batch_size=None)
    state, history = fit(spec, key, SMALL, hparams)
    assert state.step == 4
    assert np.isfinite(history["valid_loss"]).all()


def test_a_second_infinity_of_such_a_leaf_is_accused(key):
    def growing(learning_rate):
        inner = with_infinity(learning_rate)

        def update(grads, state, params=None):
            updates, (rest, own) = inner.update(grads, state, params)
            worse = jnp.where(own["count"] == 3, jnp.inf, own["best"])
            return updates, (rest, own | {"best": worse})

        return optax.GradientTransformation(inner.init, update)

    with pytest.raises(DivergedError, match=r"after step 2; opt_state\[1\]\['best'\] has"):
        fit(spec_with(optimizer=growing), key, SMALL, RATE)


def test_a_network_of_a_sweep_whose_moments_overflow_leaves_the_others(key):
    keys = jax.random.split(key, 3)
    rates = {"learning_rate": np.array([1e-3, 1e30, 1e-3])}
    state, history = sweep(spec_with(), keys, SMALL, rates)
    finite = np.isfinite(history["train_loss"]).all(axis=1)
    np.testing.assert_array_equal(finite, [True, False, True])
    for row in (0, 2):
        alone, _ = fit(spec_with(), keys[row], SMALL, RATE)
        of_sweep = jax.tree.map(lambda a, row=row: a[row], state.params)
        chex.assert_trees_all_close(of_sweep, alone.params, atol=3e-6)


def test_attack_misc2_nan_in_the_last_of_many_entries(key):
    x = np.zeros((200_000, 10), np.float32)
    x[-1, -1] = np.nan
    data = Dataset({"x": x, "y": np.zeros((200_000, 1), np.float32)})
    with pytest.raises(ValueError, match="train x has nan at row 199999, column 9"):
        fit(spec_with(), key, data, RATE)
