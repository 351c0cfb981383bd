"""The gradient check of image networks: its reference, kinks, and that it can fail."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from experiments.gradients import flax_reference, gradient_check
from experiments.gradients import gradient_check_images as images
from experiments.lab import run
from jaxnets.backprop import cnn
from jaxnets.models import CNN, MLP, GroupNorm, layers
from jaxnets.objective import Objective

STRIDED = CNN(
    (
        *(layers.Conv(8, (3, 2), (2, 1), "SAME"), layers.MaxPool(3, 2), layers.Activate()),
        layers.Residual((layers.Conv(8, 3, padding="SAME"), GroupNorm(2))),
        layers.AveragePool((2, 3), 2, ((1, 0), (0, 1))),
        layers.Residual((layers.Conv(4, 3, 2, "SAME"),), (layers.Conv(4, 1, 2),)),
        *(layers.Activate("tanh"), layers.Flatten(), layers.Dense(images.CLASSES)),
    )
)
IMAGE_NETWORKS = {name: make() for name, make in images.NETWORKS.items()} | {"strided": STRIDED}


@pytest.mark.parametrize("model", IMAGE_NETWORKS.values(), ids=IMAGE_NETWORKS)
def test_the_gradient_checks_reference_is_the_same_network(x64, model):
    params, batch = images.draw(model, np.random.default_rng(0))
    ours = jax.jit(model.apply)(params, batch["x"])
    flax = jax.jit(flax_reference.reference, static_argnums=0)(model, params, batch["x"])
    np.testing.assert_allclose(ours, flax, rtol=1e-12, atol=1e-12)
    assert np.std(flax) > 0.1


def test_the_reference_in_training_normalises_by_the_batch(x64, key):
    """And not by the running statistics, which are others."""
    model = images.batch_norm_cnn()
    params, batch = images.draw(model, np.random.default_rng(0))
    ours, _ = model.apply(params, batch["x"], mutable=["batch_stats"])
    flax = flax_reference.reference(model, images.seen(params, key), batch["x"])
    np.testing.assert_allclose(ours, flax, rtol=1e-10, atol=1e-10)
    assert not np.allclose(ours, model.apply(params, batch["x"]), rtol=0.01)
    assert images.key_of("batch_norm_cnn") is not None


@pytest.mark.parametrize("model", IMAGE_NETWORKS.values(), ids=IMAGE_NETWORKS)
def test_the_gradient_checks_reference_has_no_rule_of_ours(model):
    """`custom_vjp` is where JAX takes a derivative from us instead of its own."""
    params, batch = images.draw(model, np.random.default_rng(0))
    ours = jax.make_jaxpr(model.apply)(params, batch["x"])
    flax = jax.make_jaxpr(lambda *of: flax_reference.reference(model, *of))(params, batch["x"])
    assert "custom_vjp" in str(ours)
    assert "custom_vjp" not in str(flax)


def test_the_gradient_checks_reference_knows_every_layer_with_a_rule():
    assert set(flax_reference.FLAX) == set(cnn.RULES)


CONV, RELU = layers.Conv(1, 1), layers.Activate("relu")
KINKS = {
    "relu": (True, (CONV, RELU)),
    "relu in a residual block": (True, (layers.Residual((CONV, RELU)),)),
    "relu in a shortcut": (True, (layers.Residual((), (CONV, RELU)),)),
    "relu two blocks deep": (True, (layers.Residual((layers.Residual((CONV, RELU)),)),)),
    "max pooling": (True, (CONV, layers.MaxPool((1, 2)))),
    "tanh and average pooling": (
        False,
        (CONV, layers.Activate("tanh"), layers.AveragePool((1, 2))),
    ),
}


@pytest.mark.parametrize(("has_kink", "head"), KINKS.values(), ids=KINKS)
def test_a_difference_across_a_kink_is_noticed(x64, has_kink, head):
    """Pixels 1 and -1 times a kernel w: ReLU and max pooling have their kink at w = 0."""
    model = CNN((*head, layers.Flatten(), layers.Dense(images.CLASSES)))
    batch = {"x": jnp.asarray([1.0, -1.0]).reshape(1, 1, 2, 1), "y": jnp.asarray([3])}
    start = model.init(jax.random.key(0), batch["x"])

    def at(w):
        def leaf(path, value):
            return jnp.full_like(value, w) if "kernel" in str(path) else value

        return jax.tree_util.tree_map_with_path(leaf, start)

    direction = (
        jax.flatten_util.ravel_pytree(at(1.0))[0] - jax.flatten_util.ravel_pytree(at(0.0))[0]
    )
    for w, across in ((0.5e-6, True), (2e-6, False), (-2e-6, False), (0.7, False)):
        slope, kink = images.difference(model, at(w), batch, direction, 1e-6)
        assert kink == (across and has_kink), w
        _, by_jax, _ = images.gradients(model, at(w), batch)
        agrees = abs(slope - by_jax @ direction) < 1e-7
        assert agrees or kink, w


def test_directions_across_kinks_are_drawn_again(x64):
    """Steps of 0.003 meet a kink now and then, steps of 100 always."""
    model = CNN((layers.Conv(16, 5, 4), RELU, layers.Flatten(), layers.Dense(10)))
    choice = np.random.default_rng(0)
    params, batch = images.draw(model, choice)
    *grads, _ = images.gradients(model, params, batch)
    slopes, crossed = images.directional_derivatives(model, params, batch, grads, 3e-3, choice)
    assert crossed > 0
    assert slopes.shape == (images.DIRECTIONS + 4 * images.SINGLES, 3)
    assert np.linalg.norm(slopes[:, 0] - slopes[:, 2]) < 1e-4 * np.linalg.norm(slopes[:, 2])
    with pytest.raises(RuntimeError, match="smaller step"):
        images.directional_derivatives(model, params, batch, grads, 100.0, choice)


def test_a_leaf_of_few_parameters_has_other_directions(x64, monkeypatch):
    """Were one of eight biases always at a kink, no other single parameter could replace it."""
    model = CNN((layers.Conv(8, 5, 4), RELU, layers.Flatten(), layers.Dense(10)))
    choice, measured = np.random.default_rng(0), images.difference
    params, batch = images.draw(model, choice)
    first = images.ravel_pytree(jax.tree_util.tree_map_with_path(_is_first_bias, params))[0]
    assert first.sum() == 1

    def difference(model, params, batch, direction, *rest):
        slope, kink = measured(model, params, batch, direction, *rest)
        return slope, kink | np.array_equal(direction, first)

    monkeypatch.setattr(images, "difference", difference)
    *grads, _ = images.gradients(model, params, batch)
    slopes, crossed = images.directional_derivatives(model, params, batch, grads, 1e-6, choice)
    assert crossed >= 1
    assert slopes.shape == (images.DIRECTIONS + 4 * images.SINGLES, 3)
    assert np.linalg.norm(slopes[:, 0] - slopes[:, 2]) < 1e-6 * np.linalg.norm(slopes[:, 2])


def _is_first_bias(path, leaf):
    bias = jax.tree_util.keystr(path) == "['params']['layers_0']['bias']"
    return bias * np.eye(leaf.size)[0].reshape(leaf.shape)


def test_differences_are_not_taken_where_roundings_decide(x64):
    """Labels that balance leave deep sigmoids with hinge loss hardly a gradient."""
    config, choice = gradient_check.Config(), np.random.default_rng(5)
    objective = Objective(MLP((gradient_check.WIDTH,) * 5, 1, "sigmoid"), "hinge")
    drawn = gradient_check._draw(objective, 48, choice)
    found = jax.jit(jax.vmap(partial(gradient_check._check, config, objective)))(*drawn)
    blurred, missed = found["blurred"], found["central"] > 1e-7
    assert 0 < blurred.sum() < 24
    assert missed.any()
    assert not (missed & ~blurred).any()
    assert found["float64"].max() < 1e-12


@pytest.mark.parametrize(("activation", "distance"), [("tanh", 0.5), ("elu", 0), ("softsign", 0)])
def test_a_kink_of_the_slope_is_one_too(x64, activation, distance):
    objective, batch = Objective(MLP((3,), 1, activation), "hinge"), {"x": jnp.ones((2, 4))}
    params = jax.tree.map(jnp.zeros_like, objective.model.init(jax.random.key(0), batch["x"]))
    params["params"]["output"]["bias"] += 0.5
    assert gradient_check._distance_to_kink(objective, params, batch) == distance


def status_of(result):
    (row,) = run.claims_of("gradient_check", result)
    return row["status"]


@pytest.mark.parametrize(("factor", "status"), [(1, "reproduced"), (1.00001, "refuted")])
def test_a_wrong_rule_fails_the_gradient_check(monkeypatch, factor, status):
    class Smooth(layers.AveragePool):
        """A separate class, so that no compiled program of another test is used."""

    def backward(layer, params, saved, g):
        dx, grads = pool.backward(layer, params, saved, g)
        return factor * dx, grads

    pool = cnn.RULES[layers.AveragePool]
    monkeypatch.setitem(cnn.RULES, Smooth, pool._replace(backward=backward))
    monkeypatch.setitem(flax_reference.FLAX, Smooth, flax_reference.FLAX[layers.AveragePool])
    chain = (layers.Conv(2, 3), Smooth(13), layers.Activate("tanh"), layers.Flatten())
    monkeypatch.setitem(images.NETWORKS, "own", lambda: CNN((*chain, layers.Dense(10))))
    config = gradient_check.Config(depths=(), images=("own",), image_networks=2)
    result = gradient_check.run(config, jax.random.key(0))
    assert status_of(result) == status
    for kind in ("float64", "central"):
        assert ((result[kind] > gradient_check.LIMITS[kind]) == (factor != 1)).all()


def test_gradient_check_judges_and_draws_with_and_without_images():
    def result(models, central):
        n = len(models)
        errors = {"float64": np.full(n, 1e-16), "float32": np.full(n, 1e-7)}
        family = {"depth": np.full(n, 2), "loss": np.full(n, "hinge"), "activation": ["elu"] * n}
        counts = {"redrawn": np.asarray(3), "redrawn_differences": np.asarray(5)}
        arrays = {"central": np.asarray(central), "model": np.asarray(models)}
        return {k: np.asarray(v) for k, v in (errors | family | counts | arrays).items()}

    mlp = result(["MLP", "MLP"], [1e-9, 1e-9])
    both = result(["MLP", "lenet5"], [1e-9, 1e-9])
    wrong = result(["MLP", "lenet5"], [1e-9, 1e-6])
    nan = result(["MLP", "lenet5"], [1e-9, np.nan])
    statuses = [status_of(r) for r in (mlp, both, wrong, nan)]
    assert statuses == ["reproduced", "reproduced", "refuted", "not judged"]
    assert "2 networks, 1 failures" in gradient_check.table(nan)
    assert [len(gradient_check.plot(r).axes) for r in (mlp, both)] == [1, 2]
    assert "| model lenet5 | 1 | 1.0e-16 | 1.0e-07 | 1.0e-06 |" in gradient_check.table(wrong)
