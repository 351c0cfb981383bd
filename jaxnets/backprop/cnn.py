"""Back-propagation by hand for chains of layers: convolution, pooling, normalisation (row D1).

Each row of `RULES` has, for one kind of layer, the forward pass, which saves what the backward pass
needs, and the backward pass, which turns `g = dE/dy` into `dE/dx` and the parameters' gradients.
"""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import flax.linen as nn
import jax.numpy as jnp
from jax import Array

from jaxnets import ops
from jaxnets.activations import get_activation
from jaxnets.models import layers as kinds
from jaxnets.models.cnn import CNN
from jaxnets.models.mlp import affine


class Rule(NamedTuple):
    """Pairs the forward and backward pass of one kind of layer."""

    forward: Callable[[Any, Any, Array], tuple[Array, Any]]
    """`(layer, params, x) -> (y, saved)`."""
    backward: Callable[[Any, Any, Any, Array], tuple[Array, Any]]
    """`(layer, params, saved, g) -> (dE/dx, gradients in the tree of params)`."""


def forward(model: CNN, params: Any, x: Array) -> tuple[Array, list[Any]]:
    """Computes the outputs `[batch, outputs]`, and what each layer saves for `backward`."""
    return _chain(model.layers, "layers", params["params"], x)


def backward(model: CNN, params: Any, traces: list[Any], delta: Array) -> Any:
    """Computes the gradients, in the tree of `params`, from `delta [batch, outputs]`.

    `delta` is the derivative with respect to the outputs.
    """
    _, grads = _chain_back(model.layers, "layers", params["params"], traces, delta)
    return {"params": grads}


def _chain(
    layers: Sequence[nn.Module], name: str, params: Any, x: Array
) -> tuple[Array, list[Any]]:
    traces = []
    for i, layer in enumerate(layers):
        x, saved = _rule(layer).forward(layer, params.get(f"{name}_{i}"), x)
        traces.append(saved)
    return x, traces


def _chain_back(
    layers: Sequence[nn.Module], name: str, params: Any, traces: list[Any], g: Array
) -> tuple[Array, dict[str, Any]]:
    grads = {}
    for i in reversed(range(len(layers))):
        key = f"{name}_{i}"
        g, grad = _rule(layers[i]).backward(layers[i], params.get(key), traces[i], g)
        if key in params:
            grads[key] = grad
    return g, grads


def _rule(layer: nn.Module) -> Rule:
    if type(layer) not in RULES:
        known = ", ".join(kind.__name__ for kind in RULES)
        raise TypeError(
            f"no backward pass by hand for a {type(layer).__name__} layer (only for {known}): "
            "use jax.value_and_grad"
        )
    return RULES[type(layer)]


def _conv(layer: kinds.Conv, params: Any, x: Array) -> tuple[Array, Array]:
    y = ops.convolve(x, params["kernel"], layer.strides, layer.padding)
    return y + kinds.per_channel(params["bias"]), x


def _conv_back(layer: kinds.Conv, params: Any, x: Array, g: Array) -> tuple[Array, Any]:
    kernel, where = params["kernel"], (layer.strides, layer.padding)
    grads = {
        "kernel": ops.convolve_kernel_grad(x, g, kernel.shape[:2], *where),
        "bias": g.sum((0, 1, 2)),
    }
    return ops.convolve_input_grad(g, kernel, x.shape, *where), grads


def _dense(layer: kinds.Dense, params: Any, x: Array) -> tuple[Array, Array]:
    return affine(params["weight"], params["bias"], x.T).T, x


def _dense_back(layer: kinds.Dense, params: Any, x: Array, g: Array) -> tuple[Array, Any]:
    return g @ params["weight"], {"weight": g.T @ x, "bias": g.sum(0)}


def _activate(layer: kinds.Activate, _: Any, s: Array) -> tuple[Array, tuple[Array, Array]]:
    value = get_activation(layer.activation).f(s)
    return value, (s, value)


def _activate_back(
    layer: kinds.Activate, _: Any, saved: tuple[Array, Array], g: Array
) -> tuple[Array, None]:
    return g * get_activation(layer.activation).df(*saved), None


def _max_pool(layer: kinds.MaxPool, _: Any, x: Array) -> tuple[Array, Array]:
    return ops.max_pool(x, layer.size, layer.strides, layer.padding), x


def _max_pool_back(layer: kinds.MaxPool, _: Any, x: Array, g: Array) -> tuple[Array, None]:
    return ops.max_pool_grad(x, g, layer.size, layer.strides, layer.padding), None


def _average_pool(layer: kinds.AveragePool, _: Any, x: Array) -> tuple[Array, tuple[int, ...]]:
    return ops.average_pool(x, layer.size, layer.strides, layer.padding), x.shape


def _average_pool_back(
    layer: kinds.AveragePool, _: Any, shape: tuple[int, ...], g: Array
) -> tuple[Array, None]:
    return ops.average_pool_grad(g, shape, layer.size, layer.strides, layer.padding), None


def _flatten(layer: kinds.Flatten, _: Any, x: Array) -> tuple[Array, tuple[int, ...]]:
    return x.reshape(len(x), -1), x.shape


def _flatten_back(
    layer: kinds.Flatten, _: Any, shape: tuple[int, ...], g: Array
) -> tuple[Array, None]:
    return g.reshape(shape), None


def _global_average(layer: kinds.GlobalAverage, _: Any, x: Array) -> tuple[Array, tuple[int, ...]]:
    return x.mean((1, 2)), x.shape


def _global_average_back(
    layer: kinds.GlobalAverage, _: Any, shape: tuple[int, ...], g: Array
) -> tuple[Array, None]:
    return jnp.broadcast_to(g[:, None, None] / (shape[1] * shape[2]), shape), None


def _group_norm(layer: kinds.GroupNorm, params: Any, x: Array) -> tuple[Array, tuple[Array, Array]]:
    saved = kinds.normalise(x, layer.groups)
    scale, bias = kinds.per_channel(params["scale"]), kinds.per_channel(params["bias"])
    return saved[0] * scale + bias, saved


def _group_norm_back(
    layer: kinds.GroupNorm, params: Any, saved: tuple[Array, Array], g: Array
) -> tuple[Array, Any]:
    """Subtracts, in each group, the derivative's mean and its part along the normalised maps."""
    normal, inverse = saved
    grads = {"scale": (g * normal).sum((0, 1, 2)), "bias": g.sum((0, 1, 2))}
    shape = (len(g), -1, layer.groups, g.shape[-1] // layer.groups)
    z, dz = normal.reshape(shape), (g * kinds.per_channel(params["scale"])).reshape(shape)
    along = z * (dz * z).mean((1, 3), keepdims=True)
    return (dz - dz.mean((1, 3), keepdims=True) - along).reshape(g.shape) * inverse, grads


def _residual(layer: kinds.Residual, params: Any, x: Array) -> tuple[Array, Any]:
    params = params or {}
    value, saved = _chain(layer.layers, "layers", params, x)
    bypass, saved_bypass = _chain(layer.shortcut, "shortcut", params, x)
    return bypass + value, (saved, saved_bypass)


def _residual_back(layer: kinds.Residual, params: Any, saved: Any, g: Array) -> tuple[Array, Any]:
    params = params or {}
    dx, grads = _chain_back(layer.layers, "layers", params, saved[0], g)
    dx_bypass, grads_bypass = _chain_back(layer.shortcut, "shortcut", params, saved[1], g)
    return dx_bypass + dx, grads | grads_bypass


RULES: dict[type, Rule] = {
    kinds.Activate: Rule(_activate, _activate_back),
    kinds.AveragePool: Rule(_average_pool, _average_pool_back),
    kinds.Conv: Rule(_conv, _conv_back),
    kinds.Dense: Rule(_dense, _dense_back),
    kinds.Flatten: Rule(_flatten, _flatten_back),
    kinds.GlobalAverage: Rule(_global_average, _global_average_back),
    kinds.GroupNorm: Rule(_group_norm, _group_norm_back),
    kinds.MaxPool: Rule(_max_pool, _max_pool_back),
    kinds.Residual: Rule(_residual, _residual_back),
}
