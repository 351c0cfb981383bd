"""Layers with gates by loops of NumPy, their limits, and their gradients by hand."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxnets import Objective, backprop
from jaxnets.models import Highway
from jaxnets.objective import l1_penalty, l2_penalty, penalty_grad


def drawn(model, features=3, seed=0):
    """Params at random, biases included."""
    rng = np.random.default_rng(seed)
    params = model.init(jax.random.key(seed), jnp.zeros((1, features)))
    return jax.tree.map(lambda leaf: jnp.asarray(rng.normal(size=leaf.shape) / 2), params)


@pytest.mark.parametrize(
    ("activation", "f"), [("tanh", np.tanh), ("relu", lambda s: np.maximum(s, 0))]
)
def test_outputs_by_loops(activation, f):
    with jax.enable_x64(True):
        model = Highway(4, 5, 2, activation)
        params = drawn(model)
        tree = jax.tree.map(np.asarray, params["params"])
        x = np.random.default_rng(1).normal(size=(6, 3))
        for sample, outputs in zip(x, np.asarray(model.apply(params, x)), strict=True):
            h = f(tree["first"]["weight"] @ sample + tree["first"]["bias"])
            for i in range(5):
                of = {name: rows[i] for name, rows in tree["layers"].items()}
                after = np.zeros(4)
                for unit in range(4):
                    s = of["gate_weight"][unit] @ h + of["gate_bias"][unit]
                    gate = 1 / (1 + np.exp(-s))
                    value = f(of["weight"][unit] @ h + of["bias"][unit])
                    after[unit] = gate * value + (1 - gate) * h[unit]
                h = after
            expected = tree["output"]["weight"] @ h + tree["output"]["bias"]
            np.testing.assert_allclose(outputs, expected, atol=1e-12)


@pytest.mark.parametrize("activation", ["tanh", "sigmoid", "elu"])
def test_gradients_by_hand_are_those_of_jax(activation):
    with jax.enable_x64(True):
        model = Highway(5, 6, 2, activation)
        params = drawn(model)
        rng = np.random.default_rng(2)
        batch = {"x": jnp.asarray(rng.normal(size=(7, 3))), "y": jnp.asarray([0, 1, 1, 0, 1, 0, 0])}
        objective = Objective(model, "softmax_cross_entropy", l2=0.01)
        (value, _), ours = backprop.value_and_grad(objective)(params, batch, None)
        (expected, _), theirs = jax.value_and_grad(objective, has_aux=True)(params, batch, None)
        assert value == pytest.approx(float(expected), abs=1e-12)
        for one, other in zip(jax.tree.leaves(ours), jax.tree.leaves(theirs), strict=True):
            np.testing.assert_allclose(one, other, atol=1e-12)


def test_closed_gates_let_everything_pass_and_open_ones_nothing(key):
    x = jax.random.normal(key, (4, 3))
    shut = Highway(5, 40, gate_bias=-40.0)
    params = shut.init(key, x)
    tree = params["params"]
    h = np.tanh(np.asarray(x) @ np.asarray(tree["first"]["weight"]).T)
    passed = h @ np.asarray(tree["output"]["weight"]).T
    np.testing.assert_allclose(shut.apply(params, x), passed, atol=1e-5)
    opened = Highway(5, 1, gate_bias=40.0)
    params = opened.init(key, x)
    tree = params["params"]
    h = np.tanh(np.asarray(x) @ np.asarray(tree["first"]["weight"]).T)
    h = np.tanh(h @ np.asarray(tree["layers"]["weight"][0]).T)
    expected = h @ np.asarray(tree["output"]["weight"]).T
    np.testing.assert_allclose(opened.apply(params, x), expected, atol=1e-5)


def test_layers_start_with_different_weights_and_the_given_gate(key):
    params = Highway(4, 3, gate_bias=-1.5).init(key, jnp.zeros((1, 2)))["params"]["layers"]
    assert (params["gate_bias"] == -1.5).all()
    assert not (params["weight"][0] == params["weight"][1]).any()
    assert not (params["weight"] == params["gate_weight"]).any()


@pytest.mark.parametrize("sizes", [(0, 1), (1, 0), (1, 1, 0)])
def test_sizes_are_one_or_more(sizes):
    with pytest.raises(ValueError, match="must be"):
        Highway(*sizes)


def test_samples_have_features(key):
    with pytest.raises(ValueError, match=r"takes \[batch, features\]"):
        Highway(2, 1).init(key, jnp.zeros(3))


def test_biases_are_not_penalised():
    """They have two axes, those of all layers together."""
    params = drawn(Highway(4, 3))
    layers = params["params"]["layers"]
    none = jax.tree.map(jnp.zeros_like, params)
    none["params"]["layers"] |= {name: layers[name] for name in ("bias", "gate_bias")}
    assert l2_penalty(none) == l1_penalty(none) == 0
    assert not any(leaf.any() for leaf in jax.tree.leaves(penalty_grad(none, 0.1, 0.1)))
    assert l2_penalty(params) > 0
