"""Published networks: their counts, and their outputs against the same network in torch.nn."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxnets import weights
from jaxnets.models import count_parameters
from jaxnets.models.published import NETWORKS

EACH = pytest.mark.parametrize("name", NETWORKS)


def variables_of(name):
    published = NETWORKS[name]
    image = jnp.zeros((1, published.side, published.side, 3))
    return jax.eval_shape(published.build().init, jax.random.key(0), image)


@EACH
def test_a_network_has_the_published_count(name):
    assert count_parameters(variables_of(name)["params"]) == NETWORKS[name].parameters


@EACH
def test_every_layer_of_a_network_has_a_name_in_the_files(name):
    found = variables_of(name)["params"]
    leaves = {path[:-1] for path, _ in jax.tree_util.tree_leaves_with_path(found)}
    assert len(weights.torch_names(name)) == len(leaves)
    assert len(set(weights.torch_names(name))) == len(leaves)


@EACH
def test_outputs_are_those_of_torch(name):
    torch = pytest.importorskip("torch", reason="needs the extra [bench]")
    from benchmarks.torch_networks import random_network

    network, published = random_network(name), NETWORKS[name]
    state = {part: value.numpy() for part, value in network.state_dict().items()}
    model = published.build()
    variables = weights.assign(model, state, published.side, weights.torch_names(name))
    x = np.random.default_rng(0).normal(size=(2, 224, 224, 3)).astype(np.float32)
    with torch.no_grad():
        expected = network(torch.from_numpy(x.transpose(0, 3, 1, 2).copy())).numpy()
    found = jax.jit(model.apply)(variables, x)
    assert found.shape == (2, 1000)
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-5 * np.abs(expected).max())
