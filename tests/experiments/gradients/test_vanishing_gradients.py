"""Networks of equal layers in a scan, their deltas, and the judges of vanishing gradients."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.flatten_util import ravel_pytree

import jaxnets as jn
from experiments.gradients import vanishing_gradients
from experiments.gradients.deep_networks import (
    LOSS,
    UNITS,
    Deep,
    clipped_descent,
    deltas,
    draw,
    load_digits,
)
from jaxnets.losses import get_loss

LAYERS, WIDTH = 4, 5


def deep(name):
    return Deep(list(UNITS).index(name))


def drawn(key, features=WIDTH, samples=6):
    """Parameters of a network with biases, and samples."""
    x = jax.random.normal(key, (samples, features))
    params = draw(np.random.default_rng(0), 1, LAYERS, WIDTH, features)
    params = {name: jnp.asarray(0.6 * values[0]) for name, values in params.items()}
    biases = 0.3 * jax.random.normal(jax.random.fold_in(key, 1), (LAYERS, WIDTH))
    return params | {"biases": biases}, x


def as_mlp(params, layers):
    """The same parameters in the form of `jaxnets.MLP`."""
    weights = [params["first"], *params["hidden"]][:layers]
    tree = {
        f"hidden_{i}": {"weight": weight, "bias": bias}
        for i, (weight, bias) in enumerate(zip(weights, params["biases"], strict=False))
    }
    return {"params": tree | {"output": {"weight": params["output"], "bias": params["last_bias"]}}}


@pytest.mark.parametrize("name", ["sigmoid", "tanh", "relu"])
@pytest.mark.parametrize("depth", [2, 4])
def test_a_deep_network_is_the_mlp_with_its_parameters(x64, key, name, depth):
    """Also where only the first layers of a deeper one are used."""
    model = deep(name)
    params, x = drawn(key)
    mlp = jn.MLP((WIDTH,) * depth, 10, name)
    shifts = jnp.zeros((LAYERS, WIDTH, len(x)))
    expected = mlp.apply(as_mlp(params, depth), x)
    np.testing.assert_allclose(model.apply_shifted(params, x, shifts, depth), expected, rtol=1e-11)
    if depth == LAYERS:
        np.testing.assert_allclose(model.apply(params, x), expected, rtol=1e-11)


def test_residual_layers_add_their_input_from_the_second_on(key):
    model = deep("residual")
    params, x = drawn(key)
    h = jax.nn.relu(x @ params["first"].T + params["biases"][:1])
    for weight, bias in zip(params["hidden"], params["biases"][1:], strict=True):
        h = h + jax.nn.relu(h @ weight.T + bias[None])
    expected = h @ params["output"].T + params["last_bias"][None]
    np.testing.assert_allclose(model.apply(params, x), expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("name", UNITS)
def test_delta_is_the_gradient_by_the_bias_for_one_sample(x64, key, name):
    model = deep(name)
    params, x = drawn(key, features=7, samples=1)
    batch = {"x": x, "y": jnp.asarray([2])}
    found = deltas(model, params, batch, LAYERS)

    def objective(biases):
        outputs = model.apply(params | {"biases": biases}, x)
        return get_loss(LOSS).value(outputs, batch["y"]).mean()

    gradient = jax.grad(objective)(params["biases"])
    np.testing.assert_allclose(found, jnp.linalg.norm(gradient, axis=1), rtol=1e-10)
    assert (np.asarray(deltas(model, params, batch, 2)) > 0).tolist() == [True, True, False, False]


def test_a_clipped_step_is_at_most_the_rate_times_the_norm():
    gradient = {"a": jnp.asarray([3.0, 0.0]), "b": jnp.asarray([[4.0]])}
    for norm, length in ((np.inf, 0.5), (10.0, 0.5), (1.0, 0.1)):
        optimizer = clipped_descent(0.1, norm)
        step, _ = optimizer.update(gradient, optimizer.init(gradient))
        assert float(jnp.linalg.norm(ravel_pytree(step)[0])) == pytest.approx(length)
        assert float(step["b"][0, 0] / step["a"][0]) == pytest.approx(4 / 3)


def test_initialisations_are_those_of_the_library(key):
    """Glorot's and He's deviations, against the tables of `jaxnets.models`."""
    for name, ours in (("Glorot", "glorot"), ("He", "he")):
        weight = jn.models.mlp.INITIALISERS[ours](key, (300, 200))
        expected = vanishing_gradients.DEVIATIONS[name](200, 300)
        assert float(weight.std()) == pytest.approx(expected, rel=0.02)


def made_up(orders=None, depths=None, seeds=6):
    """A result: log10 of first over last delta of each unit, and how deep it trains."""
    orders = {"sigmoid": -20, "tanh": -5, "relu": -1, "residual": 5} | (orders or {})
    default = {"sigmoid": 1, "tanh": 2, "relu": 4, "residual": (8, 2, 4)}
    jitter = np.linspace(-0.01, 0.01, seeds)
    delta, test = np.zeros((4, 3, 3, seeds, 8)), np.zeros((4, 3, 4, seeds))
    layers = np.asarray([2, 4, 8])
    for i, name in enumerate(UNITS):
        delta[i, :2] = 1
        delta[i, 2] = 10 ** ((orders[name] + jitter)[:, None] * np.linspace(1, 0, 8)[None])
        glorot, he, clipped = np.broadcast_to((default | (depths or {}))[name], 3)
        deepest = np.asarray([1, glorot, he, clipped])
        test[i] = np.where(layers[:, None] <= deepest[None], 0.8, 0.1)[..., None] + jitter
    return {"depths": layers, "delta": delta, "valid": test, "test": test}


CHANGES = {
    "as claimed": ({}, {}, []),
    "sigmoid keeps its gradients": ({"sigmoid": -6}, {}, [0]),
    "nothing explodes": ({"residual": 1}, {}, [1, "clipping not tested"]),
    "relu as bad as sigmoid": ({"relu": -20}, {}, [2, 3]),
    "relu worse than tanh": ({"relu": -6}, {}, [3]),
    "relu explodes as far as tanh vanishes": ({"relu": 5}, {"relu": (4, 2, 4)}, [3]),
    "sigmoid trains": ({}, {"sigmoid": 8}, [4]),
    "tanh trains": ({}, {"tanh": 4}, [4]),
    "a bypass does not help": ({}, {"residual": (4, 2, 4)}, [5]),
    "clipping harms": ({}, {"residual": (8, 4, 2)}, [6]),
    "clipping does not help": ({}, {"residual": (8, 4, 4)}, [6]),
}


@pytest.mark.parametrize(("orders", "depths", "wrong"), CHANGES.values(), ids=CHANGES)
def test_each_claim_fails_on_its_own(orders, depths, wrong):
    result = made_up(orders, depths)
    statuses = [claim.judge(result).status for claim in vanishing_gradients.CLAIMS]
    expected = ["not reproduced" if i in wrong else "reproduced" for i in range(7)]
    if "clipping not tested" in wrong:
        expected[6] = "not tested"
    assert statuses == expected


def test_the_best_initialisation_is_chosen_on_validation_data():
    """Never a clipped recipe, and never by the test accuracy."""
    result = made_up()
    result["valid"] = result["valid"].copy()
    result["valid"][:, :, 0] = 2.0
    result["valid"][:, :, 3] = 3.0
    assert vanishing_gradients.best_recipes(result) == dict.fromkeys(UNITS, 0)


def test_trained_depths_by_hand():
    """The deepest counts, also above one that failed; 2 to the power of 0 is none."""
    result = made_up(seeds=2)
    result["test"][0, :, 0, 0] = [0.9, 0.1, 0.6]
    result["test"][0, :, 0, 1] = 0.1
    assert vanishing_gradients.trained_depths(result)[0, 0].tolist() == [3, 0]


def test_ratios_are_cut_at_200_orders_and_zeros_are_allowed():
    result = made_up({"sigmoid": -250, "residual": 250})
    result["delta"][2] = 0
    ratios = vanishing_gradients.log_ratios(result)
    np.testing.assert_allclose(ratios[0, 2], -200)
    np.testing.assert_allclose(ratios[3, 2], 200)
    assert (ratios[2] == 0).all()
    assert ratios[1, 0].max() == 0


def test_training_is_descent_by_hand_on_the_ordered_batches(key):
    """Two clipped steps, each network with the deviations and the norm of its recipe."""
    config = vanishing_gradients.Config(depths=(LAYERS,), width=WIDTH, seeds=2)
    data = load_digits(1024)
    params = draw(np.random.default_rng(1), 2, LAYERS, WIDTH, 64)
    order = np.random.default_rng(2).permutation(1024)[:128].reshape(2, 2, 32)
    found = vanishing_gradients._accuracies(config, LAYERS, params, order, data)
    assert found.shape == (4, 4, 2, 2)
    recipe, seed, name = 3, 1, "tanh"
    model, w = deep(name), {key: jnp.asarray(value[seed]) for key, value in params.items()}
    w |= {"first": w["first"] * (2 / 64) ** 0.5, "hidden": w["hidden"] * (2 / WIDTH) ** 0.5}
    for rows in order[seed]:

        def objective(w, rows=rows):
            outputs = model.apply(w, jnp.asarray(data.train["x"][rows]))
            return get_loss(LOSS).value(outputs, jnp.asarray(data.train["y"][rows])).mean()

        gradient = jax.grad(objective)(w)
        factor = config.learning_rate / jnp.maximum(1.0, jnp.linalg.norm(ravel_pytree(gradient)[0]))
        w = jax.tree.map(lambda a, g, factor=factor: a - factor * g, w, gradient)
    for part, accuracy in zip((data.valid, data.test), found[1, recipe, seed], strict=True):
        right = model.apply(w, jnp.asarray(part["x"])).argmax(axis=1) == part["y"]
        assert float(right.mean()) == pytest.approx(accuracy, abs=0.006)


def test_deep_relu_networks_learn_the_digits():
    config = vanishing_gradients.Config(depths=(3,), seeds=2, epochs=3, batch_size=32)
    result = vanishing_gradients.run(config, jax.random.key(0))
    assert result["test"].shape == (4, 1, 4, 2)
    assert result["test"][2, 0, 2].min() > 0.7
    assert (result["test"][2, 0, 2] != result["test"][2, 0, 3]).any()
    assert result["delta"].shape == (4, 1, 3, 2, 3)
    assert (result["delta"] > 0).all()
