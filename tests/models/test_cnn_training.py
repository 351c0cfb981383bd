"""Training image networks: single runs, sweeps, and augmentation by keys."""

import chex
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from jaxnets import Objective, State, TrainSpec, data, fit, make_step, sweep
from jaxnets.analysis import evaluate
from jaxnets.data import Dataset
from jaxnets.models import (
    CNN,
    Activate,
    Conv,
    Dense,
    Dropout,
    Flatten,
    MaxPool,
)

TINY = CNN((Conv(8, 3), Activate("relu"), MaxPool(2), Flatten(), Dense(10, "lecun")))


@pytest.fixture(scope="module")
def digits():
    return data.load("digits", flat=False)


def part_of(digits, n):
    return Dataset(
        jax.tree.map(lambda a: a[:n], digits.train), jax.tree.map(lambda a: a[:n], digits.valid)
    )


TRAINED = {
    "tiny": (TINY, 0.9),
    "with dropout": (CNN((*TINY.layers[:4], Dropout(0.2), Dense(10, "lecun"))), 0.9),
}


@pytest.mark.parametrize(("model", "least"), TRAINED.values(), ids=TRAINED)
def test_learns_the_digits(key, digits, model, least):
    spec = TrainSpec(model, "softmax_cross_entropy", epochs=6, batch_size=32)
    state, history = fit(spec, key, digits, {"learning_rate": 1e-2})
    accuracy = evaluate.accuracy(model, spec.loss, state.params, digits.test)
    assert accuracy > least
    assert history["valid_accuracy"][-1] > least


def test_a_sweep_equals_single_runs(key, digits):
    """Row i of a sweep is the run of key i, over batches with a remainder."""
    spec = TrainSpec(TINY, "softmax_cross_entropy", epochs=2, batch_size=12, optimizer=optax.sgd)
    some, keys = part_of(digits, 40), jax.random.split(key, 2)
    rates = np.array([0.1, 0.02])
    states, histories = sweep(spec, keys, some, {"learning_rate": rates})
    for i in range(2):
        state, history = fit(spec, keys[i], some, {"learning_rate": rates[i]})
        row = jax.tree.map(lambda a, i=i: a[i], (states.params, histories))
        chex.assert_trees_all_close(row, (state.params, history), rtol=1e-4, atol=1e-6)


def blank(key, x):
    return jnp.zeros_like(x)


def noisy(key, x):
    return x + jax.random.normal(key, x.shape)


def trained(key, some, augment):
    spec = TrainSpec(TINY, "softmax_cross_entropy", 2, 12, optax.sgd, augment=augment)
    return fit(spec, key, some, {"learning_rate": 0.1})


def test_augmentation_changes_what_is_trained_on(key, digits):
    some = part_of(digits, 40)
    black = some._replace(train=some.train | {"x": np.zeros_like(some.train["x"])})
    state, history = trained(key, some, blank)
    truth, true_history = trained(key, black, None)
    chex.assert_trees_all_equal((state.params, history), (truth.params, true_history))
    same, _ = trained(key, some, lambda key, x: x)
    plain, _ = trained(key, some, None)
    chex.assert_trees_all_equal(same.params, plain.params)


def test_augmentation_follows_the_key(key, digits):
    some = part_of(digits, 40)
    one, again, plain = (
        np.asarray(trained(key, some, augment)[0].params["params"]["layers_0"]["kernel"])
        for augment in (noisy, noisy, None)
    )
    np.testing.assert_array_equal(one, again)
    assert not np.allclose(one, plain, atol=1e-3)


def test_every_batch_is_augmented_with_a_key_of_its_own(key):
    seen = []

    def watched(key, x):
        seen.append(tuple(jax.random.key_data(key).tolist()))
        return x

    model = CNN((Flatten(), Dense(2)))
    optimizer = optax.sgd(0.1)
    objective = Objective(model, "softmax_cross_entropy")
    images = jax.random.normal(key, (3, 8, 8, 3))
    params = jax.jit(model.init)(key, images)
    state = State(params, optimizer.init(params), jnp.zeros((), jnp.int32), key)
    step = make_step(objective, optimizer, augment=watched)
    batch = {"x": images, "y": jnp.array([0, 1, 1])}
    for _ in range(3):
        state, _ = step(state, batch)
    assert len(set(seen)) == 3
