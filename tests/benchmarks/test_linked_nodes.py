"""The peer of the race `playground` trains as the page does: its weights are ours and NumPy's."""

import jax
import numpy as np
import pytest

from benchmarks.playground import found_node, in_node, problem
from jaxnets.playground import networks, problems
from jaxnets.playground.config import Config
from jaxnets.playground.ensemble import Ensemble

UPDATES = 20
CONFIG = Config(widths=(5, 4), networks=2, optimizer="sgd", learning_rate=0.3, n=60, batch=4)


@pytest.fixture(scope="module")
def runs():
    """The page's networks before and after, Node's after, and the batches of network 1."""
    node = found_node()
    if node is None:
        pytest.skip("Node is not installed: apt install nodejs")
    page = Ensemble(CONFIG)
    key, train = page.groups[0].key[1], page.data["train"]
    rows = np.array(
        [networks.rows_drawn(key, np.int32(i), CONFIG.batch, train) for i in range(UPDATES)]
    )
    asked = problem(page, [1], rows, warm=1)
    before = jax.tree.map(lambda a: a[1].astype(float), page.params())
    page.advance(UPDATES)
    after = jax.tree.map(lambda a: a[1], page.params())
    found = dict(zip(after, in_node(node, asked)["networks"][0], strict=True))
    return page, rows, before, after, jax.tree.map(np.array, found, is_leaf=is_rows)


def is_rows(tree):
    return isinstance(tree, list)


def test_weights_in_node_are_those_of_numpy(runs):
    page, rows, before, _, found = runs
    columns = [name in CONFIG.features for name in problems.FEATURES]
    x, y = page.data["x"][:, columns].astype(float), page.data["y"].astype(float)
    params = {name: {**layer} for name, layer in before.items()}
    for batch in rows:
        descend(params, x[batch], y[batch])
    for name, layer in params.items():
        for part, leaf in layer.items():
            np.testing.assert_allclose(found[name][part], leaf, rtol=0, atol=1e-12)
            assert np.abs(leaf - before[name][part]).max() > 1e-3


def descend(params, x, y):
    """One step down the mean logistic loss of a batch, layer by layer with matrices."""
    inputs = []
    for name, layer in params.items():
        inputs.append(x)
        s = x @ layer["weight"].T + layer["bias"][None]
        x = s if name == "output" else np.tanh(s)
    delta = (1 / (1 + np.exp(-x)) - y[:, None]) / len(y)
    for (_, layer), h in reversed([*zip(params.items(), inputs, strict=True)]):
        step = delta.T @ h, delta.sum(axis=0)
        delta = (delta @ layer["weight"]) * (1 - h**2)
        layer["weight"] = layer["weight"] - CONFIG.learning_rate * step[0]
        layer["bias"] = layer["bias"] - CONFIG.learning_rate * step[1]


def test_weights_in_node_are_those_of_the_page(runs):
    *_, after, found = runs
    for name, layer in after.items():
        for part, leaf in layer.items():
            np.testing.assert_allclose(found[name][part], leaf, rtol=0, atol=1e-6)
