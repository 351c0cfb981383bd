"""The average of the params against PyTorch's, optax's and the sum over a run's own steps."""

from dataclasses import replace

import chex
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from jaxnets import MLP, EarlyStopping, TrainSpec, fit, sweep
from jaxnets.data import Dataset
from jaxnets.training.averaging import averaged, averaged_params
from jaxnets.training.loop import State

RNG = np.random.default_rng(0)
X = RNG.normal(size=(40, 3)).astype(np.float32)
Y = (X[:, 0] > 0).astype(np.int32)
DATA = Dataset({"x": X, "y": Y})
SPEC = TrainSpec(MLP((8,), 2), "softmax_cross_entropy", 6, 8, averaged(optax.adam, 0.9))
PLAIN = replace(SPEC, optimizer=optax.adam)
RATE = {"learning_rate": 0.02}
STEPS = 6 * 5


def test_the_average_is_the_weighted_mean_over_the_steps_of_a_run(key):
    """By hand: a run a step longer each time, since those that go on are bit for bit the same."""
    spec = replace(PLAIN, batch_size=None, epochs=1)
    states = [fit(spec, key, DATA, RATE)[0]]
    for epochs in range(2, 7):
        states.append(fit(replace(spec, epochs=epochs), key, DATA, RATE, state=states[-1])[0])
    state, _ = fit(replace(SPEC, batch_size=None), key, DATA, RATE)
    powers = 0.9 ** np.arange(5, -1, -1)
    expected = jax.tree.map(
        lambda *values: np.average(np.stack(values), axis=0, weights=powers),
        *[s.params for s in states],
    )
    chex.assert_trees_all_close(averaged_params(state), expected, rtol=1e-5)


def test_the_steps_are_those_of_the_optimizer(key):
    plain, before = fit(PLAIN, key, DATA, RATE)
    state, history = fit(SPEC, key, DATA, RATE)
    chex.assert_trees_all_equal(state.params, plain.params)
    chex.assert_trees_all_equal(history, before)


def test_the_average_is_that_of_pytorch():
    """Without the division by the weights, which PyTorch replaces by the first params."""
    torch = pytest.importorskip("torch", reason="needs the extra [bench]")
    net = torch.nn.Linear(2, 1)
    theirs = torch.optim.swa_utils.AveragedModel(
        net, multi_avg_fn=torch.optim.swa_utils.get_ema_multi_avg_fn(0.8)
    )
    values = RNG.normal(size=(6, 1, 2)).astype(np.float32)
    tx = averaged(optax.sgd, 0.8)(learning_rate=1.0)
    params = {"w": np.zeros((1, 2), np.float32)}
    state = tx.init(params)
    for value in values:
        net.weight.data = torch.from_numpy(value)
        theirs.update_parameters(net)
        updates, state = tx.update({"w": params["w"] - value}, state, params)
        params = optax.apply_updates(params, updates)
    first = (1 - 0.2) * 0.8**5 * values[0]  # PyTorch gives the first params their whole weight
    ours = state.sums["w"] + first
    np.testing.assert_allclose(ours, theirs.module.weight.detach().numpy(), rtol=1e-4)


def test_each_network_of_a_sweep_has_its_own(key):
    keys = jax.random.split(key, 3)
    states, _ = sweep(SPEC, keys, DATA, {"learning_rate": [0.01, 0.02, 0.03]})
    all_of_them = averaged_params(states)
    for i, rate in enumerate([0.01, 0.02, 0.03]):
        one, _ = fit(SPEC, keys[i], DATA, {"learning_rate": rate})
        mine = jax.tree.map(lambda a, i=i: a[i], all_of_them)
        chex.assert_trees_all_close(mine, averaged_params(one), rtol=1e-4, atol=1e-6)


def test_it_works_with_line_searches_early_stopping_and_masks(key):
    stopping = EarlyStopping("train_loss", patience=2)
    spec = replace(SPEC, batch_size=None, optimizer=averaged(optax.lbfgs, 0.5), stopping=stopping)
    params = averaged_params(fit(spec, key, DATA)[0])
    assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(params))
    narrow = replace(SPEC, model=MLP((8,), 2))
    found = averaged_params(fit(narrow, key, DATA, RATE | {"width": 5})[0])
    assert all(not leaf[..., 5:].any() for leaf in jax.tree.leaves(found["params"]["hidden_0"]))


@pytest.mark.parametrize(
    ("decay", "error"), [(1.0, ValueError), (-0.1, ValueError), ("a", TypeError)]
)
def test_a_decay_outside_its_range_is_refused(decay, error):
    with pytest.raises(error, match="decay is"):
        averaged(optax.adam, decay)


def test_a_state_without_an_average_is_refused(key):
    with pytest.raises(ValueError, match=r"averages no params: train with"):
        averaged_params(fit(PLAIN, key, DATA, RATE)[0])


@pytest.mark.parametrize("decay", [0.0, 0.9999, 0.99999, 0.999999])
@pytest.mark.parametrize("steps", [1, 300])
def test_the_average_of_constant_params_is_these(decay, steps):
    """Near 1 the decay's rounding left a bias: 0.987 of the params at 0.999999."""
    tx = averaged(optax.sgd, decay)(learning_rate=1.0)
    params = {"w": jnp.array([3.0, -0.1])}
    zeros = jax.tree.map(jnp.zeros_like, params)
    step = jax.jit(lambda state, _: (tx.update(zeros, state, params)[1], None))
    state, _ = jax.lax.scan(step, tx.init(params), None, steps)
    found = averaged_params(State(params, state, None, None))
    chex.assert_trees_all_close(found, params, rtol=1e-5)


def test_the_average_of_params_of_half_precision():
    """Sums of half precision stalled at a fraction of the params."""
    tx = averaged(optax.sgd)(learning_rate=1.0)
    params = {"w": jnp.full(3, 0.7, jnp.bfloat16)}
    zeros = jax.tree.map(jnp.zeros_like, params)
    state = tx.init(params)
    state, _ = jax.lax.scan(
        lambda state, _: (tx.update(zeros, state, params)[1], None), state, None, 2000
    )
    found = averaged_params(State(params, state, None, None))
    assert found["w"].dtype == jnp.bfloat16
    chex.assert_trees_all_close(found, params)
