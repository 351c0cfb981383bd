"""One network in Flax's linen and nnx, and in Equinox: training, dropout and statistics."""

import chex
import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from flax import nnx

from jaxnets import Objective, TrainSpec, fit, sweep
from jaxnets.data import Dataset
from jaxnets.models import NNX, Equinox

eqx = pytest.importorskip("equinox", reason="needs the extra [dev]")
RNG = np.random.default_rng(0)
X = RNG.normal(size=(160, 3)).astype(np.float32)
Y = (X[:, 0] > X[:, 1]).astype(np.int32)
DATA = Dataset({"x": X[:128], "y": Y[:128]}, {"x": X[128:], "y": Y[128:]})
W = [RNG.normal(scale=0.5, size=shape).astype(np.float32) for shape in ((3, 8), (8, 2))]
RATE = {"learning_rate": 0.02}
CROSS = "softmax_cross_entropy"
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")


class Linen(nn.Module):
    @nn.compact
    def __call__(self, x):
        fixed = lambda i: lambda *_: jnp.asarray(W[i])  # noqa: E731
        h = nn.tanh(nn.Dense(8, kernel_init=fixed(0))(x))
        return nn.Dense(2, kernel_init=fixed(1))(h)


class OfNNX(nnx.Module):
    def __init__(self, rngs):
        fixed = lambda i: lambda *_: jnp.asarray(W[i])  # noqa: E731
        self.first = nnx.Linear(3, 8, kernel_init=fixed(0), rngs=rngs)
        self.second = nnx.Linear(8, 2, kernel_init=fixed(1), rngs=rngs)

    def __call__(self, x):
        return self.second(nnx.tanh(self.first(x)))


def of_equinox(key):
    net = eqx.nn.MLP(3, 2, 8, 1, jnp.tanh, key=key)
    where = lambda net: [leaf for layer in net.layers for leaf in (layer.weight, layer.bias)]  # noqa: E731
    return eqx.tree_at(
        where, net, [jnp.asarray(W[0].T), jnp.zeros(8), jnp.asarray(W[1].T), jnp.zeros(2)]
    )


def test_the_same_network_has_the_same_params_after_100_steps(key):
    found = {}
    for model in (Linen(), NNX(lambda rngs: OfNNX(rngs)), Equinox(of_equinox)):
        spec = TrainSpec(model, CROSS, 25, 32)
        state, history = fit(spec, key, DATA, RATE)
        assert state.step == 100
        found[type(model).__name__] = state.params, history["valid_loss"]
    (linen, losses), (of_nnx, nnx_losses), (net, eqx_losses) = found.values()
    linen = linen["params"]
    for i, (name, layer) in enumerate(zip(("first", "second"), net.layers, strict=True)):
        kernel, bias = linen[f"Dense_{i}"]["kernel"], linen[f"Dense_{i}"]["bias"]
        np.testing.assert_allclose(of_nnx["params"][name]["kernel"], kernel, atol=1e-5)
        np.testing.assert_allclose(of_nnx["params"][name]["bias"], bias, atol=1e-5)
        np.testing.assert_allclose(layer.weight.T, kernel, atol=1e-5)
        np.testing.assert_allclose(layer.bias, bias, atol=1e-5)
    np.testing.assert_allclose(nnx_losses, losses, atol=1e-5)
    np.testing.assert_allclose(eqx_losses, losses, atol=1e-5)


class Normalised(nnx.Module):
    def __init__(self, rngs):
        self.first = nnx.Linear(3, 4, use_bias=False, rngs=rngs)
        self.norm = nnx.BatchNorm(4, momentum=0.9, rngs=rngs)
        self.drop = nnx.Dropout(0.5, rngs=rngs)
        self.second = nnx.Linear(4, 2, rngs=rngs)

    def __call__(self, x):
        return self.second(self.drop(nnx.relu(self.norm(self.first(x)))))


def normalised(rngs):
    return Normalised(rngs)


def test_statistics_of_nnx_follow_its_own_update(key):
    model = NNX(normalised)
    variables = model.init(key, X)
    _, metrics = Objective(model, CROSS)(variables, {"x": X, "y": Y}, key)
    h = X @ np.asarray(variables["params"]["first"]["kernel"])
    norm = metrics["collections"]["batch_stats"]["norm"]
    np.testing.assert_allclose(norm["mean"], 0.1 * h.mean(axis=0), atol=1e-6)
    np.testing.assert_allclose(norm["var"], 0.9 + 0.1 * h.var(axis=0), atol=1e-5)


def test_dropout_of_nnx_acts_in_training_only(key):
    objective, batch = Objective(NNX(normalised), CROSS), {"x": X, "y": Y}
    variables = NNX(normalised).init(key, X)
    first, second = (objective(variables, batch, k)[0] for k in jax.random.split(key))
    assert first != second
    assert objective(variables, batch)[0] == objective(variables, batch)[0]


def test_an_nnx_network_trains_in_a_sweep(key):
    spec = TrainSpec(NNX(normalised), CROSS, 6, 32)
    states, history = sweep(spec, jax.random.split(key, 2), DATA, RATE)
    assert (history["valid_loss"][:, -1] < history["valid_loss"][:, 0]).all()
    assert np.ptp(states.params["batch_stats"]["norm"]["mean"], axis=0).min() > 0


class Dropping(eqx.Module):
    layer: eqx.nn.Linear
    drop: eqx.nn.Dropout

    def __call__(self, x, key=None):
        return self.layer(self.drop(x, key=key))


def dropping(key):
    return Dropping(eqx.nn.Linear(3, 2, key=key), eqx.nn.Dropout(0.5))


def test_dropout_of_equinox_acts_in_training_only_and_on_each_sample(key):
    model, same = Equinox(dropping), jnp.broadcast_to(X[:1], (64, 3))
    params = model.init(key, X)
    np.testing.assert_array_equal(np.ptp(model.apply(params, same), axis=0), 0)
    outputs, changed = model.apply_in_training(params, same, key)
    assert changed == {}
    assert len(np.unique(np.asarray(outputs)[:, 0].round(5))) == 2**3
    state, _ = fit(TrainSpec(model, CROSS, 2, 32, optax.sgd), key, DATA, RATE)
    chex.assert_tree_all_finite(state.params)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: NNX(OfNNX(nnx.Rngs(0))), "build is a network; give a function"),
        (lambda: Equinox(of_equinox(jax.random.key(0))), "build is a network; give a function"),
        (lambda: TrainSpec(OfNNX(nnx.Rngs(0)), CROSS, 1), "jaxnets.models.NNX"),
        (lambda: TrainSpec(of_equinox(jax.random.key(0)), CROSS, 1), "jaxnets.models.Equinox"),
    ],
)
def test_a_network_that_was_built_is_refused_with_what_to_do(make, message):
    with pytest.raises(TypeError, match=message):
        make()
