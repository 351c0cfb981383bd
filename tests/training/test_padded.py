"""Training on padded data against training on the data themselves."""

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxnets as jn
from jaxnets.data import Dataset
from jaxnets.training.padded import pad, train_padded
from jaxnets.training.permutation import kind_of, permutation

RATE = {"learning_rate": 0.01, "l2": 1e-3}


def samples(n, seed, **more):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, 5)).astype(np.float32)
    y = (x[:, 0] * x[:, 1] > 0).astype(np.int32)
    return {"x": x, "y": y} | {name: rng.random(n, np.float32) for name in more if more[name]}


@pytest.mark.parametrize(("n", "counts"), [(255, (1, 2, 100, 255)), (4000, (1025, 3999, 4000))])
def test_the_first_entries_are_the_permutation_of_fewer(n, counts, key):
    for count in counts:
        found = permutation(key, n, jnp.int32(count))[:count]
        np.testing.assert_array_equal(found, permutation(key, count))
        assert kind_of(n) == kind_of(count)


def test_kinds_end_where_permutations_change():
    kinds = [kind_of(n) for n in (1, 255, 256, 257, 1024, 1025, 4096, 4097)]
    assert kinds == [0, 0, 4, 5, 5, 6, 6, 7]


@pytest.mark.parametrize("weight", [False, True])
@pytest.mark.parametrize(("n", "batch_size"), [(300, 64), (320, 64), (70, 32), (300, None)])
def test_padding_changes_nothing(n, batch_size, weight, key):
    spec = jn.TrainSpec(jn.MLP((8,), 2, "relu"), "softmax_cross_entropy", 5, batch_size)
    data = Dataset(samples(n, 0, weight=weight), samples(40, 1, weight=weight))
    state, history = jax.jit(jn.train, static_argnums=0)(spec, key, data, RATE)
    more, found = jax.jit(train_padded, static_argnums=0)(spec, key, pad(data, n + 77, 50), RATE)
    chex.assert_trees_all_close(more.params, state.params, rtol=1e-3, atol=1e-5)
    chex.assert_trees_all_close(found, history, rtol=1e-4)
