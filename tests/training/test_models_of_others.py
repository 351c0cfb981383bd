"""Models that are not ours: plain objects, Flax modules with flags and statistics."""

from typing import NamedTuple

import chex
import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from jaxnets import MLP, Objective, TrainSpec, fit, sweep
from jaxnets.analysis import evaluate
from jaxnets.data import Dataset
from jaxnets.objective import calls_of

RNG = np.random.default_rng(0)
X = RNG.normal(size=(96, 3)).astype(np.float32)
Y = (X[:, 0] > 0).astype(np.int32)
DATA = Dataset({"x": X[:64], "y": Y[:64]}, {"x": X[64:], "y": Y[64:]})
RATE = {"learning_rate": 0.05}
CROSS = "softmax_cross_entropy"


class Linear:
    """No more than init and apply."""

    def init(self, key, x):
        return {"w": 0.1 * jax.random.normal(key, (x.shape[-1], 2)), "b": jnp.zeros(2)}

    def apply(self, params, x):
        return x @ params["w"] + params["b"][None]


class Pair(NamedTuple):
    """Params that are no dict."""

    w: jax.Array
    b: jax.Array


class LinearPair:
    def init(self, key, x):
        return Pair(**Linear().init(key, x))

    def apply(self, params, x):
        return x @ params.w + params.b[None]


@pytest.mark.parametrize("model", [Linear(), LinearPair()], ids=["dict", "tuple"])
def test_an_object_with_init_and_apply_is_trained_as_an_mlp_without_layers(key, model):
    spec = TrainSpec(model, CROSS, 5, 16, optax.sgd)
    state, history = fit(spec, key, DATA, RATE)
    w, b = state.params if isinstance(state.params, Pair) else map(state.params.get, "wb")
    start = model.init(jax.random.split(key, 3)[0], X[:1])
    w0, b0 = start if isinstance(start, Pair) else map(start.get, "wb")
    ours = {"params": {"output": {"weight": w0.T, "bias": b0}}}

    class Started(MLP):
        def init(self, key, x):
            return ours

    same, same_history = fit(TrainSpec(Started((), 2), CROSS, 5, 16, optax.sgd), key, DATA, RATE)
    layer = same.params["params"]["output"]
    np.testing.assert_allclose(w, layer["weight"].T, atol=1e-6)
    np.testing.assert_allclose(b, layer["bias"], atol=1e-6)
    np.testing.assert_allclose(history["valid_loss"], same_history["valid_loss"], atol=1e-6)
    states, _ = sweep(spec, key[None], DATA, RATE)
    chex.assert_trees_all_close(jax.tree.map(lambda a: a[0], states.params), state.params)


class Noisy:
    """Draws from a key in training."""

    def init(self, key, x):
        return {"w": jnp.zeros((3, 2))}

    def apply(self, params, x, key=None, train=False):
        assert train == (key is not None)
        outputs = x @ params["w"]
        return outputs if key is None else outputs + jax.random.normal(key, outputs.shape)


def test_a_plain_model_gets_a_key_and_its_flag_in_training_only(key):
    batch = {"x": X, "y": Y}
    objective = Objective(Noisy(), CROSS)
    params = Noisy().init(key, X)
    assert objective(params, batch)[0] == pytest.approx(np.log(2))
    assert abs(objective(params, batch, key)[0] - np.log(2)) > 0.01
    state, history = fit(TrainSpec(Noisy(), CROSS, 3, 16), key, DATA, RATE)
    quiet = evaluate.accuracy(Noisy(), CROSS, state.params, DATA.valid)
    assert history["valid_accuracy"][-1] == pytest.approx(float(quiet))


class Batched(nn.Module):
    """Normalises by the batch in training, by running statistics afterwards."""

    @nn.compact
    def __call__(self, x, train: bool):
        x = nn.BatchNorm(use_running_average=not train, momentum=0.9)(
            nn.Dense(4, use_bias=False)(x)
        )
        return nn.Dense(2)(nn.relu(x))


def test_running_statistics_are_carried_as_flax_says(key):
    """Against a loop as Flax's own examples write it."""
    steps, model = 12, Batched()
    spec = TrainSpec(model, CROSS, steps, None, optax.adam)
    state, history = fit(spec, key, DATA, RATE)

    init_key = jax.random.split(key, 3)[0]
    variables = model.init(init_key, X[:1], train=False)
    params, stats = variables["params"], variables["batch_stats"]
    tx = optax.adam(0.05)
    opt_state = tx.init(params)

    def loss_of(params, stats):
        outputs, changed = model.apply(
            {"params": params, "batch_stats": stats}, X[:64], train=True, mutable=["batch_stats"]
        )
        losses = optax.softmax_cross_entropy_with_integer_labels(outputs, Y[:64])
        return losses.mean(), changed["batch_stats"]

    @jax.jit
    def step(params, stats, opt_state):
        grads, stats = jax.grad(loss_of, has_aux=True)(params, stats)
        updates, opt_state = tx.update(grads, opt_state)
        return optax.apply_updates(params, updates), stats, opt_state

    for _ in range(steps):
        params, stats, opt_state = step(params, stats, opt_state)
    chex.assert_trees_all_close(
        state.params, {"params": params, "batch_stats": stats}, rtol=2e-4, atol=2e-5
    )
    outputs = model.apply(state.params, X[64:], train=False)
    losses = optax.softmax_cross_entropy_with_integer_labels(outputs, Y[64:])
    np.testing.assert_allclose(history["valid_loss"][-1], losses.mean(), rtol=1e-5)


class Dropping(nn.Module):
    @nn.compact
    def __call__(self, x, deterministic: bool = True):
        return nn.Dense(2)(nn.Dropout(0.5)(x, deterministic=deterministic))


def test_dropout_that_is_off_by_default_is_on_in_training(key):
    params = Dropping().init(key, X)
    objective, batch = Objective(Dropping(), CROSS), {"x": X, "y": Y}
    first, second = (objective(params, batch, k)[0] for k in jax.random.split(key))
    assert first != second
    assert objective(params, batch)[0] == objective(params, batch)[0]
    outputs = calls_of(Dropping()).evaluate(params, X)
    np.testing.assert_array_equal(outputs, Dropping().apply(params, X))


def test_a_sweep_carries_the_statistics_of_each_network(key):
    spec = TrainSpec(Batched(), CROSS, 2, 16)
    keys = jax.random.split(key, 3)
    states, _ = sweep(spec, keys, DATA, RATE)
    alone, _ = fit(spec, keys[1], DATA, RATE)
    row = jax.tree.map(lambda a: a[1], states.params)
    chex.assert_trees_all_close(row, alone.params, atol=3e-6)
    means = states.params["batch_stats"]["BatchNorm_0"]["mean"]
    assert np.ptp(means, axis=0).min() > 0
