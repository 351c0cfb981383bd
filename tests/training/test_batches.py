"""The hardest samples against NumPy's argsort; runs on them and on drawn samples against others."""

from functools import partial

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import jaxnets as jn
from jaxnets.data import Dataset
from jaxnets.losses import LOSSES
from jaxnets.models import CNN, Activate, Dense, Dropout
from jaxnets.training.batches import FreshGradients, HardestGradients, hardest

RNG = np.random.default_rng(0)
N = 11
DATA = Dataset(
    {
        "x": RNG.normal(size=(N, 3)).astype(np.float32),
        "y": RNG.normal(size=(N, 2)).astype(np.float32),
    }
)
MODEL = CNN((Dense(5), Activate("tanh"), Dropout(0.3), Dense(2, "lecun")))
RATE = {"learning_rate": 0.01}


def trained(value_and_grad, data=DATA, batch_size=4, epochs=2):
    spec = jn.TrainSpec(MODEL, "squared_error", epochs, batch_size, value_and_grad=value_and_grad)
    return jn.fit(spec, jax.random.key(7), data, RATE)


@given(st.lists(st.integers(-5, 5), min_size=1, max_size=12), st.data())
def test_hardest_is_numpy_argsort(values, data):
    """Also with equal losses, of which a stable sort has the first ones first."""
    n = data.draw(st.integers(1, len(values)))
    losses = np.asarray(values, np.float32)
    rows = np.arange(len(losses))
    found = hardest(jnp.asarray(losses), {"x": rows[:, None] * np.ones((1, 2)), "y": rows}, n)
    expected = np.sort(np.argsort(-losses, kind="stable")[:n])
    np.testing.assert_array_equal(found["y"], expected)
    np.testing.assert_array_equal(found["x"], expected[:, None] * np.ones((1, 2)))


def test_an_infinite_loss_and_a_nan_are_the_hardest():
    losses = jnp.array([1.0, jnp.nan, 2.0, jnp.inf, -jnp.inf])
    assert hardest(losses, jnp.arange(5), 1).tolist() == [1]
    assert hardest(losses, jnp.arange(5), 2).tolist() == [1, 3]


def test_hardest_compiles_and_maps():
    losses = jnp.asarray(RNG.normal(size=(3, N)), jnp.float32)
    found = jax.jit(jax.vmap(partial(hardest, n=4), (0, None)))(losses, jnp.arange(N))
    expected = np.sort(np.argsort(-losses, axis=1)[:, :4], axis=1)
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize(
    ("losses", "batch", "n", "error", "word"),
    [
        (np.zeros((4, 1)), np.zeros(4), 2, ValueError, "shape"),
        (np.zeros(4), np.zeros(3), 2, ValueError, "4 losses"),
        (np.zeros(4), {"x": np.zeros(4), "y": np.zeros((5, 4))}, 2, ValueError, "4 losses"),
        (np.zeros(4), np.zeros(4), 5, ValueError, "5 hardest"),
        (np.zeros(4), np.zeros(4), 0, ValueError, "n is 0"),
        (np.zeros(4), np.zeros(4), 1.5, TypeError, "integer"),
    ],
)
def test_what_has_no_hardest_samples_is_refused(losses, batch, n, error, word):
    with pytest.raises(error, match=word):
        hardest(jnp.asarray(losses), batch, n)


def test_all_samples_are_the_plain_step():
    """Bit for bit, with dropout and a last, partial batch."""
    chex.assert_trees_all_equal(trained(HardestGradients(4)), trained(jax.value_and_grad))


def test_the_gradient_is_that_of_the_hardest_samples():
    objective, params = (
        jn.Objective(MODEL, "squared_error"),
        MODEL.init(jax.random.key(1), DATA.train["x"]),
    )
    losses = np.asarray(
        LOSSES["squared_error"].value(MODEL.apply(params, DATA.train["x"]), DATA.train["y"])
    )
    rows = np.sort(np.argsort(-losses)[:3])
    (value, metrics), grads = HardestGradients(3)(objective)(params, DATA.train)
    chosen = {name: a[rows] for name, a in DATA.train.items()}
    expected = jax.grad(lambda p: objective(p, chosen)[0])(params)
    chex.assert_trees_all_close(grads, expected, rtol=1e-5)
    assert value == pytest.approx(losses[rows].mean(), rel=1e-5)
    assert metrics["loss"] == value


def test_a_sweep_on_hardest_samples_equals_single_runs():
    spec = jn.TrainSpec(MODEL, "squared_error", 2, 4, value_and_grad=HardestGradients(2))
    keys = jax.random.split(jax.random.key(2), 2)
    states, _ = jn.sweep(spec, keys, DATA, RATE)
    for i, key in enumerate(keys):
        single, _ = jn.fit(spec, key, DATA, RATE)
        row = jax.tree.map(lambda a, i=i: a[i], states.params)
        chex.assert_trees_all_close(row, single.params, atol=1e-5)


def draw(key, n):
    x = jax.random.normal(key, (n, 3))
    return {"x": x, "y": x[:, :2] - x[:, 1:]}


def test_every_step_has_samples_of_its_own():
    """Drawn from half of the key of the step's model; what the data say does not count."""
    objective = jn.Objective(MODEL, "squared_error")
    params = MODEL.init(jax.random.key(1), DATA.train["x"])
    key = jax.random.key(3)
    found = FreshGradients(draw)(objective)(params, DATA.train, key)
    draw_key, model_key = jax.random.split(key)
    expected = jax.value_and_grad(objective, has_aux=True)(params, draw(draw_key, N), model_key)
    chex.assert_trees_all_close(found, expected, rtol=1e-5)
    other = FreshGradients(draw)(objective)(params, DATA.train, jax.random.key(4))
    assert other[0][0] != found[0][0]
    nothing = Dataset({name: np.zeros_like(a) for name, a in DATA.train.items()})
    chex.assert_trees_all_equal(
        trained(FreshGradients(draw)), trained(FreshGradients(draw), nothing)
    )


def test_the_hardest_of_drawn_samples():
    objective = jn.Objective(MODEL, "squared_error")
    params = MODEL.init(jax.random.key(1), DATA.train["x"])
    key = jax.random.key(3)
    draw_key, model_key = jax.random.split(key)
    found = FreshGradients(draw, HardestGradients(2))(objective)(params, DATA.train, key)
    expected = HardestGradients(2)(objective)(params, draw(draw_key, N), model_key)
    chex.assert_trees_all_close(found, expected, rtol=1e-5)


@pytest.mark.parametrize(
    ("make", "error", "word"),
    [
        (lambda: HardestGradients(0), ValueError, "n is 0"),
        (lambda: HardestGradients(2.5), TypeError, "integer"),
        (lambda: HardestGradients(2, "reverse"), TypeError, "value_and_grad"),
        (lambda: FreshGradients("hands"), TypeError, "draw"),
        (lambda: FreshGradients(draw, None), TypeError, "value_and_grad"),
    ],
)
def test_impossible_gradients_are_refused(make, error, word):
    with pytest.raises(error, match=word):
        make()


def test_samples_of_weight_0_are_the_last_to_be_the_hardest():
    """A masked sample has a large loss, and was all that was learned from: nothing."""
    model = jn.MLP((), 1)
    objective = jn.Objective(model, "squared_error")
    params = model.init(jax.random.key(0), jnp.ones((1, 2)))
    batch = {
        "x": jnp.array([[9.0, 9.0], [1.0, 0.0], [0.0, 0.5]]),
        "y": jnp.array([[-50.0], [3.0], [0.1]]),
        "weight": jnp.array([0.0, 1.0, 1.0]),
    }
    (_, metrics), grads = HardestGradients(1)(objective)(params, batch)
    alone = {name: values[1:2] for name, values in batch.items()}
    (_, truth), expected = jax.value_and_grad(objective, has_aux=True)(params, alone)
    chex.assert_trees_all_close((metrics["loss"], grads), (truth["loss"], expected))
    assert metrics["loss"] > 1
