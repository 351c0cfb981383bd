"""Networks of equal layers in a scan, their deltas, and the judges of vanishing gradients."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.flatten_util import ravel_pytree

import jaxnets as jn
from experiments.gradients import vanishing_gradients
from experiments.gradients.deep_networks import (
    LOSS,
    OPTIMISERS,
    UNITS,
    Deep,
    clipped_descent,
    deltas,
    draw,
    load_standardised,
)
from experiments.lab import run
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


DEPTHS = np.asarray([2, 4, 8, 32, 64])


def made_up(orders=None, depths=None, seeds=32, growth=2.0):
    """A result: log10 of first over last delta of each unit, and how deep it trains.

    `growth` is what the 64 layers' log10 is over that of 32.
    """
    orders = {"sigmoid": -20, "tanh": -5, "relu": -1, "residual": 5} | (orders or {})
    default = {"sigmoid": 1, "tanh": 2, "relu": 4, "residual": (8, 2, 4)}
    jitter = np.linspace(-0.01, 0.01, seeds)
    delta, test = np.ones((4, len(DEPTHS), 3, seeds, 64)), np.zeros((4, len(DEPTHS), 4, seeds))
    for i, name in enumerate(UNITS):
        for at, layers, share in ((-2, 32, 1 / growth), (-1, 64, 1.0)):
            total = share * (orders[name] + jitter)
            delta[i, at, :, :, :layers] = 10 ** (total[:, None] * np.linspace(1, 0, layers)[None])
        glorot, he, clipped = np.broadcast_to((default | (depths or {}))[name], 3)
        deepest = np.asarray([1, glorot, he, clipped])
        test[i] = np.where(DEPTHS[:, None] <= deepest[None], 0.8, 0.1)[..., None] + jitter
    return {
        "depths": DEPTHS,
        "delta": delta,
        "valid": test,
        "test": test,
        "learnt": np.asarray(0.5),
    }


def statuses(result):
    """By claim, whether all of its parts are reproduced, or "not judged"."""
    found = {}
    for row in run.claims_of("vanishing_gradients", result):
        holds = all(part["verdict"] == "reproduced" for part in row["parts"])
        found[row["claim"]] = "not judged" if row["status"] == "not judged" else holds
    return found


YES = dict.fromkeys(vanishing_gradients.CLAIMS, True)
EXPLODE, CLIPPING = "gradients_explode", "clipping_trains_deeper"
AGAINST_SIGMOID, AGAINST_TANH = "relu_keeps_gradients_sigmoid", "relu_keeps_gradients_tanh"
CHANGES = {
    "as claimed": ({}, []),
    "sigmoid keeps its gradients": ({"orders": {"sigmoid": -6}}, ["sigmoid_vanishes"]),
    "nothing explodes": ({"orders": {"residual": 1}}, [EXPLODE]),
    "it grows, but as a power": ({"growth": 1.2}, [EXPLODE]),
    "relu as bad as sigmoid": ({"orders": {"relu": -20}}, [AGAINST_SIGMOID, AGAINST_TANH]),
    "relu worse than tanh": ({"orders": {"relu": -6}}, [AGAINST_TANH]),
    "relu better by half an order": ({"orders": {"relu": -4.5}}, [AGAINST_TANH]),
    "relu explodes as far as tanh vanishes": ({"orders": {"relu": 5}}, [AGAINST_TANH]),
    "sigmoid trains": ({"depths": {"sigmoid": 8}}, ["relu_trains_deeper"]),
    "tanh trains": ({"depths": {"tanh": 4}}, ["relu_trains_deeper"]),
    "a bypass does not help": ({"depths": {"residual": (4, 2, 4)}}, ["residual_trains_deeper"]),
    "clipping harms": ({"depths": {"residual": (8, 4, 2)}}, [CLIPPING]),
    "clipping does not help": ({"depths": {"residual": (8, 4, 4)}}, [CLIPPING]),
}


@pytest.mark.parametrize(("changes", "wrong"), CHANGES.values(), ids=CHANGES)
def test_each_claim_fails_on_its_own(changes, wrong):
    assert statuses(made_up(**changes)) == YES | dict.fromkeys(wrong, False)


def test_networks_that_learn_at_no_depth_say_nothing():
    found = statuses(made_up(depths={"relu": 1, "residual": 1}))
    untold = ("relu_trains_deeper", "residual_trains_deeper", CLIPPING)
    assert found == YES | dict.fromkeys(untold, "not judged")


def test_shallow_networks_and_accuracies_that_are_nan_are_not_judged():
    shallow = made_up() | {"depths": np.asarray([2, 3, 4, 5, 6])}
    assert set(statuses(shallow).values()) == {"not judged"}
    broken = made_up()
    broken["test"] = broken["test"].copy()
    broken["test"][:, 0, :, 0] = np.nan
    trained = [name for name in YES if "trains" in name]
    assert statuses(broken) == YES | dict.fromkeys(trained, "not judged")


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
    result["test"][0, :, 0, 0] = [0.9, 0.1, 0.6, 0.1, 0.1]
    result["test"][0, :, 0, 1] = 0.1
    assert vanishing_gradients.trained_depths(result)[0, 0].tolist() == [3, 0]


def test_ratios_are_cut_at_200_orders_and_zeros_are_allowed():
    result = made_up({"sigmoid": -250, "residual": 250})
    result["delta"][2] = 0
    ratios = vanishing_gradients.log_ratios(result)
    np.testing.assert_allclose(ratios[0, -1], -200)
    np.testing.assert_allclose(ratios[3, -1], 200)
    assert (ratios[2] == 0).all()
    assert ratios[1, 0].max() == 0


def test_training_is_descent_by_hand_on_the_ordered_batches(key):
    """Two clipped steps, each network with the deviations and the norm of its recipe."""
    config = vanishing_gradients.Config(depths=(LAYERS,), width=WIDTH, seeds=2)
    data = load_standardised("digits", 1024)
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


@pytest.mark.parametrize("learnt", [0.5, 0.9])
def test_a_network_has_learnt_what_it_reads_more_than_that_share_of(learnt):
    test = np.full((1, 3, 1, 1), 0.6)
    test[0, 0] = 0.95
    made_up = {"depths": np.asarray([2, 4, 8]), "test": test, "learnt": np.asarray(learnt)}
    expected = np.log2(8 if learnt == 0.5 else 2)
    assert vanishing_gradients.trained_depths(made_up).item() == expected


@pytest.mark.parametrize("name", OPTIMISERS)
def test_optimisers_step_along_the_clipped_gradient(name):
    """Against optax's own chain of the clipped gradient, by hand."""
    gradient = jnp.asarray([3.0, -4.0])
    tx = clipped_descent(jnp.asarray(0.1), jnp.asarray(1.0), name)
    update, _ = tx.update(gradient, tx.init(jnp.zeros(2)))
    expected = -0.1 * gradient / 5 if name == "gradient descent" else -0.1 * jnp.sign(gradient)
    np.testing.assert_allclose(update, expected, rtol=1e-5)


def test_networks_that_diverge_read_nothing():
    """By a rate so large that float32 overflows; clipped gradients may survive it."""
    config = dataclasses.replace(vanishing_gradients.SMOKE, learning_rate=1e30)
    result = vanishing_gradients.run(config, jax.random.key(0))
    assert (result["test"][:, :, : vanishing_gradients.CLIPPED] == 0).any()
    assert np.isfinite([result["valid"], result["test"]]).all()
