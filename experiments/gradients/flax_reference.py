"""The layers of image networks in Flax's operations, which JAX differentiates by itself.

They take the parameters of `jaxnets.models.layers`, so that two independent programs compute the
same network.
"""

from collections.abc import Callable, Sequence
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
from jax import Array

from jaxnets.models import CNN, BatchNorm, GroupNorm, layers
from jaxnets.objective import Params
from jaxnets.ops.windows import pair


def flax_maps(chain: Sequence[nn.Module], params: Any, x: Array, name: str) -> list[Array]:
    """Computes the values of the same layers in Flax."""
    values = []
    for i, layer in enumerate(chain):
        x = FLAX[type(layer)](layer, params.get(f"{name}_{i}", {}), x)
        values.append(x)
    return values


def reference(model: CNN, params: Params, x: Array) -> Array:
    """Computes the outputs `[batch, outputs]` of the same network by Flax's operations alone."""
    return flax_maps(model.layers, merged(*params.values()), x, "layers")[-1]


def merged(tree: Any, *others: Any) -> Any:
    """Merges the trees of all collections: a layer's statistics beside its parameters."""
    for other in others:
        deeper = {
            name: merged(tree.get(name, {}), value) if isinstance(value, dict) else value
            for name, value in other.items()
        }
        tree = {**tree, **deeper}
    return tree


def _conv(layer: layers.Conv, params: Any, x: Array) -> Array:
    size, strides = pair(layer.size, "size"), pair(layer.strides, "stride")
    conv = nn.Conv(layer.features, size, strides, padding=layer.padding, use_bias=layer.bias)
    return conv.apply({"params": params}, x)


def _dense(layer: layers.Dense, params: Any, x: Array) -> Array:
    kernel = {"kernel": params["weight"].T, "bias": params["bias"]}
    return nn.Dense(layer.features).apply({"params": kernel}, x)


def _group_norm(layer: GroupNorm, params: Any, x: Array) -> Array:
    norm = nn.GroupNorm(layer.groups, epsilon=1e-6, use_fast_variance=False)
    return norm.apply({"params": params}, x)


def _batch_norm(layer: BatchNorm, params: Any, x: Array) -> Array:
    weights = {name: params[name] for name in ("scale", "bias")}
    if "mean" not in params:
        norm = nn.BatchNorm(False, epsilon=layer.epsilon, use_fast_variance=False)
        return norm.apply({"params": weights}, x, mutable=["batch_stats"])[0]
    statistics = jax.lax.stop_gradient({name: params[name] for name in ("mean", "var")})
    norm = nn.BatchNorm(use_running_average=True, epsilon=layer.epsilon)
    return norm.apply({"params": weights, "batch_stats": statistics}, x)


def max_pool(layer: layers.MaxPool, _: Any, x: Array) -> Array:
    """Computes the largest value of each window `[batch, height, width, channels]`."""
    size, strides = pair(layer.size, "size"), pair(layer.strides or layer.size, "stride")
    return nn.max_pool(x, size, strides, layer.padding)


def _average_pool(layer: layers.AveragePool, _: Any, x: Array) -> Array:
    size, strides = pair(layer.size, "size"), pair(layer.strides or layer.size, "stride")
    return nn.avg_pool(x, size, strides, layer.padding)


def _activate(layer: layers.Activate, _: Any, x: Array) -> Array:
    return {"relu": nn.relu, "tanh": nn.tanh}[str(layer.activation)](x)


def _residual(layer: layers.Residual, params: Any, x: Array) -> Array:
    ways = ((layer.layers, "layers"), (layer.shortcut, "shortcut"))
    value, bypass = ([x, *flax_maps(chain, params, x, name)][-1] for chain, name in ways)
    return value + bypass


def _parallel(layer: layers.Parallel, params: Any, x: Array) -> Array:
    chains = enumerate(layer.branches)
    maps = [[x, *flax_maps(chain, params, x, f"branches_{i}")][-1] for i, chain in chains]
    return jnp.concatenate(maps, axis=-1)


FLAX: dict[type, Callable[[Any, Any, Array], Array]] = {
    layers.Activate: _activate,
    layers.AveragePool: _average_pool,
    BatchNorm: _batch_norm,
    layers.Conv: _conv,
    layers.Dense: _dense,
    layers.Dropout: lambda layer, _, x: x,
    layers.Flatten: lambda layer, _, x: x.reshape(len(x), -1),
    layers.GlobalAverage: lambda layer, _, x: nn.avg_pool(x, x.shape[1:3])[:, 0, 0],
    GroupNorm: _group_norm,
    layers.MaxPool: max_pool,
    layers.Parallel: _parallel,
    layers.Residual: _residual,
}
"""Kind of layer to `(layer, params, x) -> y` in Flax."""
