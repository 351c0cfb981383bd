"""The way out of linen: the same model, split and merged by flax.nnx."""

import chex
import jax
from flax import nnx
from flax.nnx import bridge

from jaxnets.models import MLP


def test_an_nnx_adapter_equals_linens_apply(key):
    x = jax.random.normal(key, (5, 3))
    linen = MLP((4,), 2)
    module = bridge.ToNNX(linen, rngs=nnx.Rngs(0))
    bridge.lazy_init(module, x)
    graph, state = nnx.split(module)
    params = {name: layer for name, layer in nnx.to_pure_dict(state).items() if "rngs" not in name}
    chex.assert_trees_all_equal(nnx.merge(graph, state)(x), linen.apply({"params": params}, x))
