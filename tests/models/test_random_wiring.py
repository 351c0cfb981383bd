"""Randomly wired perceptrons against loops over units, layered ones, and counts."""

import chex
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from scipy import special, stats

import jaxnets as jn
from jaxnets.activations import ACTIVATIONS
from jaxnets.data import Dataset
from jaxnets.models import RandomlyWired
from jaxnets.models.random_wiring import draw_wiring, earlier_nodes, from_layers, in_degrees, wiring
from jaxnets.training.loop import advance, begin, split_key

X = np.random.default_rng(0).normal(size=(7, 3)).astype(np.float32)
# Models of three features, each with its activation in NumPy.
MODELS = {
    "one level": (RandomlyWired((5,), 12), np.tanh),
    "levels": (RandomlyWired((4, 3, 5), 60, 2, "relu"), lambda s: np.maximum(s, 0)),
    "one after another": (RandomlyWired((1,) * 6, 20, 3, "sigmoid"), special.expit),
    "complete": (RandomlyWired((2, 2), 23), np.tanh),
    "no hidden units": (RandomlyWired((), 4, 2), None),
}
EACH = pytest.mark.parametrize(("model", "sigma"), MODELS.values(), ids=MODELS)


def random_params(model, key, x=X):
    """First params, with biases that are not zero."""
    params = jax.jit(model.init)(key, x)["params"]
    return {"params": params | {"bias": jax.random.normal(key, params["bias"].shape)}}


def by_loops(model, sigma, params, x):
    """A sample and a unit at a time, each a sum over the nodes that it sees."""
    weight, bias = (np.asarray(params["params"][name], float) for name in ("weight", "bias"))
    hidden, rows = sum(model.levels), []
    for sample in x.tolist():
        nodes, outputs = list(sample), []
        for i, b in enumerate(bias):
            s = b + sum(weight[i, j] * nodes[j] for j in np.flatnonzero(weight[i]))
            (nodes if i < hidden else outputs).append(sigma(s) if i < hidden else s)
        rows.append(outputs)
    return np.array(rows)


@EACH
def test_outputs_equal_loops(key, model, sigma):
    params = random_params(model, key)
    outputs = model.apply(params, X)
    chex.assert_shape(outputs, (len(X), model.outputs))
    np.testing.assert_allclose(outputs, by_loops(model, sigma, params, X), rtol=1e-5, atol=1e-5)


@EACH
def test_gradients_are_central_differences_of_the_loops(x64, key, model, sigma):
    """For every third connection and every bias; zero where there is no connection."""
    x = X.astype(float)
    params = jax.device_get(random_params(model, key, x))["params"]
    slope = np.random.default_rng(1).normal(size=(len(x), model.outputs))

    def total(params):
        return np.sum(slope * by_loops(model, sigma, {"params": params}, x))

    gradient = jax.grad(lambda p: jnp.sum(slope * model.apply({"params": p}, x)))
    grads = jax.device_get(jax.jit(gradient)(params))
    connected = wiring({"params": params})
    assert (grads["weight"][~connected] == 0).all()
    places = [("weight", tuple(place)) for place in np.argwhere(connected)[::3]]
    places += [("bias", (i,)) for i in range(len(connected))]
    for name, place in places:
        step = np.zeros(params[name].shape)
        step[place] = 1e-6
        up, down = (total(params | {name: params[name] + sign * step}) for sign in (1, -1))
        np.testing.assert_allclose(grads[name][place], (up - down) / 2e-6, rtol=1e-5, atol=1e-6)


@EACH
def test_as_many_connections_as_requested_and_none_backwards(key, model, sigma):
    connected = np.asarray(wiring(jax.jit(model.init)(key, X)))
    hidden = sum(model.levels)
    assert connected.shape == (hidden + model.outputs, 3 + hidden)
    assert connected.sum() == model.connections
    level = np.repeat(np.arange(len(model.levels) + 1), [*model.levels, model.outputs])
    level_of_node = np.concatenate([np.full(3, -1), level[:hidden]])
    assert (level_of_node[None] < level[:, None])[connected].all()


@pytest.mark.parametrize("connections", [9, 10, 17, 40, 62, 63])
def test_connections_are_shared_out_evenly(connections):
    """As when they are given one by one to a unit with the fewest that can take another."""
    before = earlier_nodes(4, (3, 1, 4), 1)
    np.testing.assert_array_equal(before, [4, 4, 4, 7, 8, 8, 8, 8, 12])
    one_by_one = np.zeros(len(before), int)
    for _ in range(connections):
        one_by_one[np.where(one_by_one < before, one_by_one, np.inf).argmin()] += 1
    degrees = in_degrees(before, connections)
    assert (degrees <= before).all()
    np.testing.assert_array_equal(np.sort(degrees), np.sort(one_by_one))


def test_every_earlier_node_is_seen_equally_often(key):
    """Units of the second level see 4 of 9 nodes, independently of each other."""
    draw = jax.vmap(lambda key: draw_wiring(key, 6, (3, 2), 5, 10 * 4))
    connected = np.asarray(jax.jit(draw)(jax.random.split(key, 2000)))
    assert (connected.sum(axis=2) == 4).all()
    counts = connected[:, 3].sum(axis=0)
    assert (counts[9:] == 0).all()
    assert stats.chisquare(counts[:9]).pvalue > 1e-4
    together, expected = (connected[:, 3, 0] & connected[:, 4, 0]).mean(), (4 / 9) ** 2
    assert abs(together - expected) < 5 * np.sqrt(expected * (1 - expected) / 2000)


def test_what_no_hidden_unit_sees_goes_to_the_outputs(key):
    """The last level always; the two outputs see 6 nodes each."""
    draw = jax.vmap(lambda key: draw_wiring(key, 3, (4, 4, 4), 2, 4 * 3 + 10 * 6))
    connected = np.asarray(jax.jit(draw)(jax.random.split(key, 200)))
    unseen = ~connected[:, :-2].any(axis=1, keepdims=True)
    assert unseen[..., -4:].all()
    fits = unseen.sum(axis=(1, 2)) <= 6
    assert fits.mean() > 0.9
    assert (connected[:, -2:] | ~unseen)[fits].all()


def test_every_key_has_a_wiring_of_its_own(key):
    model = RandomlyWired((8, 8), 80)
    init = jax.jit(model.init)
    first, again, other = (wiring(init(k, X)) for k in (key, key, jax.random.fold_in(key, 1)))
    chex.assert_trees_all_equal(first, again)
    assert (first != other).any()


GAINS = {
    "glorot": lambda fan_in, fan_out: 2 / (fan_in + fan_out),
    "he": lambda fan_in, _: 2 / fan_in,
    "lecun": lambda fan_in, _: 1 / fan_in,
}


@pytest.mark.parametrize("activation", ["tanh", "relu", "identity"])
def test_first_weights_have_the_published_variance(key, activation):
    """With the connections a unit has as its fan-in, those of a node as the fan-out."""
    model = RandomlyWired((40, 50), 6000, 30, activation)
    draw = jax.jit(jax.vmap(lambda key: model.init(key, np.zeros((1, 60), np.float32))))
    weight = np.asarray(draw(jax.random.split(key, 20))["params"]["weight"], float)
    connected = weight != 0
    fan_in, fan_out = (connected.sum(axis, keepdims=True) for axis in (2, 1))
    hidden, outputs = slice(90), slice(90, None)
    for rows, gain in ((hidden, ACTIVATIONS[activation].gain), (outputs, "lecun")):
        scaled = weight[:, rows] / np.sqrt(GAINS[gain](fan_in[:, rows], fan_out))
        z = scaled[connected[:, rows]]
        kurtosis = np.mean(z**4) / np.mean(z**2) ** 2
        assert abs(z.mean()) < 5 / np.sqrt(len(z))
        assert abs(z.var() - 1) < 5 * np.sqrt((kurtosis - 1) / len(z))


# Layers as a special case.

LAYERS = jn.MLP((5, 4), 2)
LAYERED = RandomlyWired((5, 4), 3 * 5 + 5 * 4 + 4 * 2, 2)


def test_layers_are_a_wiring(key):
    params = jax.tree.map(lambda a: a + 0.1 * (a.ndim == 1), jax.jit(LAYERS.init)(key, X))
    wired = from_layers(params)
    chex.assert_trees_all_equal_shapes(wired, jax.eval_shape(LAYERED.init, key, X))
    assert int(wiring(wired).sum()) == LAYERED.connections
    chex.assert_trees_all_close(LAYERED.apply(wired, X), LAYERS.apply(params, X), atol=1e-6)


def test_a_run_of_wired_layers_equals_that_of_the_layers(key):
    """Ten epochs of Adam in mini-batches, with both penalties."""
    data = Dataset({"x": jnp.asarray(X), "y": jnp.sin(jnp.asarray(X[:, :2]))})
    hparams = {"learning_rate": 0.01, "l1": 0.01, "l2": 0.1}

    def trained(model, params):
        spec = jn.TrainSpec(model, "squared_error", 10, 3)
        carry, order_key = begin(spec, key, data.train["x"], hparams, validated=False)
        state = carry.state._replace(params=params, opt_state=optax.adam(0.0).init(params))
        program, steps = jax.jit(advance, static_argnums=0), 10 * spec.steps_per_epoch(len(X))
        carry = carry._replace(state=state)
        return program(spec, carry, 0, steps, data, hparams, order_key).state.params

    params = jax.jit(LAYERS.init)(key, X)
    first = from_layers(params)
    ours, layers = trained(LAYERED, first), from_layers(trained(LAYERS, params))
    chex.assert_trees_all_close(ours, layers, atol=1e-5)
    assert float(jnp.abs(ours["params"]["weight"] - first["params"]["weight"]).max()) > 0.05


def test_a_sweep_keeps_every_wiring_and_learns(key):
    x = np.random.default_rng(2).uniform(-1, 1, (200, 3)).astype(np.float32)
    data = Dataset({"x": x, "y": (x[:, 0] * x[:, 1] > 0).astype(np.int32)})
    model = RandomlyWired((6, 6, 6), 100)
    spec = jn.TrainSpec(model, "binary_cross_entropy", 60, 20)
    keys = jax.random.split(key, 3)
    states, history = jn.sweep(spec, keys, data, {"learning_rate": 0.03, "l2": 1e-4})
    first = jax.jit(jax.vmap(lambda key: model.init(split_key(key).init, x)))(keys)
    np.testing.assert_array_equal(wiring(states.params), wiring(first))
    assert (wiring(first)[0] != wiring(first)[1]).any()
    assert (history["train_accuracy"][:, -1] > 0.9).all()


WRONG = {
    "no units in a level": (((4, 0), 20), ValueError, "an entry of levels is 0"),
    "half a unit": (((2.5,), 20), TypeError, "an entry of levels is 2.5"),
    "no outputs": (((4,), 20, 0), ValueError, "outputs is 0"),
    "no connections": (((4,), 0), ValueError, "connections is 0"),
    "unknown activation": (((4,), 9, 1, "tan"), ValueError, "did you mean 'tanh'"),
}


@pytest.mark.parametrize(("sizes", "error", "message"), WRONG.values(), ids=WRONG)
def test_wrong_sizes_are_refused(sizes, error, message):
    with pytest.raises(error, match=message):
        RandomlyWired(*sizes)


@pytest.mark.parametrize("connections", [4, 20])
def test_connections_that_do_not_fit_are_refused(key, connections):
    """Three features, four hidden units and an output: 4 * 3 + 7 pairs."""
    message = rf"connections is {connections}; 5 units \(outputs included\) take 5 to 19"
    with pytest.raises(ValueError, match=message):
        RandomlyWired((4,), connections).init(key, X)


def test_features_that_do_not_fit_are_refused(key):
    model = RandomlyWired((4,), 12)
    params = jax.jit(model.init)(key, X)
    with pytest.raises(ValueError, match="initialised for 3 features, x has 2"):
        model.apply(params, X[:, :2])
    with pytest.raises(ValueError, match=r"takes \[batch, features\]"):
        model.init(key, np.ones((2, 8, 8, 1), np.float32))
