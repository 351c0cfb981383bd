"""`parallel_map` against Python loops, on four devices."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxnets as jn
from jaxnets.data import TOY, Dataset
from jaxnets.parallel.rows import parallel_map


def noisy_sum(row):
    noise = jax.random.normal(row["key"], row["x"].shape)
    return {"sum": jnp.sum(row["x"] + noise), "double": 2 * row["x"]}


@pytest.mark.parametrize(("n", "group"), [(1, 8), (3, 8), (4, 1), (13, 2), (21, 8)])
def test_rows_are_those_of_a_python_loop(n, group, key):
    """Fewer rows than the four devices, rows that fill no group, and groups of one."""
    rows = {"key": jax.random.split(key, n), "x": np.arange(3.0 * n).reshape(n, 3)}
    found = parallel_map(noisy_sum, rows, group=group)
    looped = [noisy_sum(jax.tree.map(lambda a, i=i: a[i], rows)) for i in range(n)]
    for name in ("sum", "double"):
        expected = np.stack([row[name] for row in looped])
        np.testing.assert_allclose(found[name], expected, rtol=1e-5)


@pytest.mark.parametrize("group", [1, 2, 50])
def test_what_is_the_same_for_all_rows_is_an_argument(group):
    rows = np.arange(11.0)

    def one(row, floor, data):
        return row * data["a"] + floor

    found = parallel_map(one, rows, jnp.asarray(2.0), {"a": jnp.asarray(3.0)}, group=group)
    np.testing.assert_array_equal(found, 3 * rows + 2)


def test_results_lie_on_the_first_device(key):
    found = parallel_map(jax.random.uniform, jax.random.split(key, 9))
    assert found.devices() == {jax.local_devices()[0]}


def test_the_same_function_is_compiled_once(compilations, key):
    keys = jax.random.split(key, 9)
    parallel_map(jax.random.uniform, keys)
    before = compilations()
    parallel_map(jax.random.uniform, keys[::-1])
    assert compilations() - before <= 1  # reversing the keys


def test_an_experiment_with_data_of_its_own_is_the_single_run(key):
    """Drawing, training and measuring inside, against `fit` on the same draw."""
    spec = jn.TrainSpec(jn.MLP((3,)), "binary_cross_entropy", epochs=3, batch_size=8)

    def data_of(key):
        return Dataset(TOY["two_moons"](key, 20), TOY["two_moons"](key, 20))

    def one(key):
        data_key, train_key = jax.random.split(key)
        return jn.train(spec, train_key, data_of(data_key), {"learning_rate": 0.1})[1]

    keys = jax.random.split(key, 5)
    found = parallel_map(one, keys)
    data_key, train_key = jax.random.split(keys[3])
    _, history = jn.fit(spec, train_key, data_of(data_key), {"learning_rate": 0.1})
    for name, expected in history.items():
        np.testing.assert_allclose(found[name][3], expected, rtol=1e-5)


WRONG = {
    "none": ([], 8, r"lengths \[\]"),
    "empty": (np.zeros((0, 2)), 8, r"lengths \[0\]"),
    "different": ({"a": np.zeros(3), "b": np.zeros(4)}, 8, r"lengths \[3, 4\]"),
    "group": (np.zeros(3), 0, "group is 0"),
}


@pytest.mark.parametrize(("rows", "group", "message"), WRONG.values(), ids=WRONG)
def test_wrong_rows_are_named(rows, group, message):
    with pytest.raises(ValueError, match=message):
        parallel_map(jnp.sum, rows, group=group)
