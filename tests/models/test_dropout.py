"""Dropout of perceptrons: the mask, its share and mean, and gradients by hand through it."""

from dataclasses import replace

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.flatten_util import ravel_pytree

import jaxnets as jn
from jaxnets import MLP, Objective, ResidualMLP, backprop
from jaxnets.data import Dataset
from jaxnets.models import CNN, Activate, Dense, Dropout, Residual
from jaxnets.training.loop import train

RNG = np.random.default_rng(0)
X, Y = RNG.normal(size=(12, 5)), RNG.integers(0, 3, 12)
BATCH = {"x": jnp.asarray(X, jnp.float32), "y": jnp.asarray(Y)}
BLOCK = (Dense(5, "glorot"), Activate("tanh"), Dropout(0.4))
MODELS = {
    "MLP": MLP((6, 5), 3, "tanh", dropout=0.4),
    "ResidualMLP": ResidualMLP((5, 5), 3, "gelu", dropout=0.3),
    "CNN": CNN((Dense(5), Dropout(0.2), Residual(BLOCK), Dropout(0.0), Dense(3, "lecun"))),
}
LOSS = "softmax_cross_entropy"
EACH = pytest.mark.parametrize("model", MODELS.values(), ids=MODELS)


def drawn(model, key):
    """Params at random, biases included."""
    params = model.init(key, BATCH["x"])
    flat, unravel = ravel_pytree(params)
    return unravel(jnp.asarray(RNG.normal(size=flat.size) / 2, flat.dtype))


def in_numpy(model, params, x, masks):
    """The outputs of a perceptron, given the masks of its hidden layers."""
    layers = jax.tree.map(np.asarray, params["params"])
    h = np.asarray(x)
    for i, mask in enumerate(masks):
        layer = layers[f"hidden_{i}"]
        value = np.tanh(h @ layer["weight"].T + layer["bias"])
        value = np.where(mask, value / (1 - model.dropout), 0)
        h = h + value if model.residual and value.shape == h.shape else value
    return h @ layers["output"]["weight"].T + layers["output"]["bias"]


@pytest.mark.parametrize("kind", [MLP, ResidualMLP])
def test_the_forward_pass_against_numpy(x64, key, kind):
    """With the masks that the gradient by hand saves; a bypass is not dropped."""
    model = kind((5, 5), 3, "tanh", dropout=0.4)
    params, x = drawn(model, key), jnp.asarray(X)
    bound = model.bind(params, rngs={"dropout": key})
    _, traces = backprop.mlp.forward(bound, params, x)
    masks = [np.asarray(trace.mask).T for trace in traces[:-1]]
    assert not np.array_equal(*masks)
    outputs = model.apply(params, x, rngs={"dropout": key})
    np.testing.assert_allclose(outputs, in_numpy(model, params, x, masks), rtol=1e-10)
    everything = [np.ones_like(mask) for mask in masks]
    plain = model.clone(dropout=0.0)
    np.testing.assert_allclose(
        plain.apply(params, x), in_numpy(plain, params, x, everything), rtol=1e-10
    )


def test_a_share_is_dropped_and_the_mean_stays(key):
    """Of one hidden layer, whose outputs are sums of 4,000 values; 4 standard deviations."""
    model = MLP((4000,), 1, "identity", dropout=0.25)
    params = {
        "params": {
            "hidden_0": {"weight": jnp.zeros((4000, 2)), "bias": jnp.ones(4000)},
            "output": {"weight": jnp.ones((1, 4000)) / 4000, "bias": jnp.zeros(1)},
        }
    }
    outputs = model.apply(params, jnp.ones((9, 2)), rngs={"dropout": key})
    np.testing.assert_allclose(outputs, 1, atol=4 * np.sqrt(0.25 / 0.75 / 4000))
    assert len(np.unique(outputs)) > 1
    np.testing.assert_allclose(model.apply(params, jnp.ones((9, 2))), 1, rtol=1e-4)


@EACH
def test_gradients_by_hand_equal_jax(x64, key, model):
    params, batch = drawn(model, key), BATCH | {"x": jnp.asarray(X)}
    objective = Objective(model, LOSS, l1=0.01, l2=0.02)
    by_hand, by_jax = (
        jax.jit(differentiate(objective, has_aux=True))(params, batch, key)
        for differentiate in (backprop.value_and_grad, jax.value_and_grad)
    )
    chex.assert_trees_all_equal_structs(by_hand, by_jax)
    chex.assert_trees_all_close(by_hand, by_jax, rtol=1e-10, atol=1e-14)
    _, evaluated = backprop.value_and_grad(objective)(params, batch)
    _, truth = jax.value_and_grad(objective, has_aux=True)(params, batch)
    chex.assert_trees_all_close(evaluated, truth, rtol=1e-10, atol=1e-14)
    assert not np.allclose(ravel_pytree(evaluated)[0], ravel_pytree(by_hand[1])[0], rtol=1e-3)


@EACH
def test_central_differences(x64, key, model):
    """The masks follow from the key, so that all points have the same."""
    params, batch = drawn(model, key), BATCH | {"x": jnp.asarray(X)}
    objective, (flat, unravel) = Objective(model, LOSS), ravel_pytree(params)
    directions = RNG.normal(size=(10, flat.size))
    value = jax.jit(jax.vmap(lambda flat: objective(unravel(flat), batch, key)[0]))
    h = 1e-6
    shifts = h * directions
    differences = (value(flat[None] + shifts) - value(flat[None] - shifts)) / (2 * h)
    _, grads = backprop.value_and_grad(objective)(params, batch, key)
    np.testing.assert_allclose(directions @ ravel_pytree(grads)[0], differences, rtol=1e-5)


def test_a_rate_of_0_changes_no_program(key):
    """Nor any param."""
    plain, rated = MLP((6,), 3), MLP((6,), 3, dropout=0)
    params = plain.init(key, BATCH["x"])
    chex.assert_trees_all_equal(params, MLP((6,), 3, dropout=0.5).init(key, BATCH["x"]))
    one, other, dropping = (
        str(jax.make_jaxpr(Objective(model, LOSS))(params, BATCH, key))
        for model in (plain, rated, MLP((6,), 3, dropout=0.5))
    )
    assert one == other
    assert "random_bits" in dropping
    assert "random_bits" not in one


DATA = Dataset(BATCH, {name: part[:6] for name, part in BATCH.items()})
SPEC = jn.TrainSpec(MLP((6,), 3, dropout=0.5), LOSS, 4, 6)
RATE = {"learning_rate": 0.05}


@pytest.mark.parametrize("differentiate", [jax.value_and_grad, backprop.value_and_grad])
def test_a_rate_may_be_a_hyper_parameter(key, differentiate):
    """A sweep over rates equals runs whose rate is fixed, and a rate of 0 a run without."""
    spec = replace(SPEC, value_and_grad=differentiate)
    rates = np.array([0.0, 0.6], np.float32)
    states, history = jn.sweep(
        replace(spec, model=MLP((6,), 3)),
        jnp.stack([key] * 2),
        DATA,
        RATE | {"dropout": rates},
    )
    for i, rate in enumerate(rates):
        fixed = replace(spec, model=MLP((6,), 3, dropout=float(rate)))
        state, rows = jn.fit(fixed, key, DATA, RATE)
        chex.assert_trees_all_close(
            jax.tree.map(lambda a, i=i: a[i], states.params), state.params, rtol=2e-5, atol=1e-6
        )
        np.testing.assert_allclose(history["valid_loss"][i], rows["valid_loss"], rtol=1e-4)
    assert np.ptp(history["train_loss"][:, -1]) > 1e-3


def test_a_rate_beside_a_width(key):
    """Both narrow the same network, in one run."""
    hparams = RATE | {"dropout": 0.5, "width": 3}
    state, _ = jn.fit(replace(SPEC, model=MLP((6,), 3)), key, DATA, hparams)
    weight = np.asarray(state.params["params"]["hidden_0"]["weight"])
    assert (weight[3:] == 0).all()
    assert (weight[:3] != 0).all()


def test_training_can_be_differentiated(x64, key):
    """By the learning rate, against a central difference."""
    data = jax.tree.map(lambda a: a.astype(float) if a.ndim > 1 else a, DATA)

    @jax.jit
    def last(rate):
        return train(SPEC, key, data, {"learning_rate": rate})[1]["valid_loss"][-1]

    h = 1e-6
    difference = (last(0.05 + h) - last(0.05 - h)) / (2 * h)
    np.testing.assert_allclose(jax.grad(last)(0.05), difference, rtol=1e-4)


def test_a_run_continues_bit_for_bit(key):
    """Its masks are those of the uninterrupted run."""
    half, _ = jn.fit(replace(SPEC, epochs=2), key, DATA, RATE)
    continued, _ = jn.fit(SPEC, key, DATA, RATE, state=half)
    chex.assert_trees_all_equal(continued, jn.fit(SPEC, key, DATA, RATE)[0])


@pytest.mark.parametrize("rate", [-0.1, 1, 1.5, float("nan"), "half", [0.1, 0.2]])
def test_rates_outside_0_to_1_are_refused(key, rate):
    with pytest.raises((ValueError, TypeError), match="dropout"):
        MLP((3,), dropout=rate)
    with pytest.raises((ValueError, TypeError), match="dropout"):
        jn.fit(SPEC, key, DATA, RATE | {"dropout": rate})


def test_a_rate_of_many_networks_is_refused_for_one(key):
    with pytest.raises(ValueError, match="dropout"):
        jn.fit(SPEC, key, DATA, RATE | {"dropout": np.array([0.1, 0.2])})


def test_a_saved_model_has_its_rate(key, tmp_path):
    model = ResidualMLP((5,), 2, dropout=0.3)
    params = model.init(key, BATCH["x"])
    jn.save(tmp_path / "net.safetensors", model, params)
    assert jn.load(tmp_path / "net.safetensors").model == model
