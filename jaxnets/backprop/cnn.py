"""Back-propagation by hand for chains of layers: convolution, pooling, normalisation (row D1).

Each row of `RULES` has, for one kind of layer, the forward pass, which saves what the backward pass
needs, and the backward pass, which turns `g = dE/dy` into `dE/dx` and the parameters' gradients.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import flax.linen as nn
import jax.numpy as jnp
import numpy as np
from jax import Array

from jaxnets import ops
from jaxnets.activations import get_activation
from jaxnets.models import layers as kinds
from jaxnets.models import normalisation
from jaxnets.models.cnn import CNN
from jaxnets.models.dropout import draw_mask, drop
from jaxnets.models.layers import per_channel
from jaxnets.models.mlp import affine


class Rule(NamedTuple):
    """Pairs the forward and backward pass of one kind of layer."""

    forward: Callable[[Any, Any, Array], tuple[Array, Any]]
    """`(layer, params, x) -> (y, saved)`."""
    backward: Callable[[Any, Any, Any, Array], tuple[Array, Any]]
    """`(layer, params, saved, g) -> (dE/dx, gradients in the tree of params)`."""


def forward(model: CNN, params: Any, x: Array) -> tuple[Array, list[Any]]:
    """Computes the outputs `[batch, outputs]`, and what each layer saves for `backward`."""
    return _chain(model.layers, "layers", _together(params), x)


def backward(model: CNN, params: Any, traces: list[Any], delta: Array) -> Any:
    """Computes the gradients, in the tree of `params`, from `delta [batch, outputs]`.

    `delta` is the derivative with respect to the outputs. That of statistics is 0.
    """
    _, grads = _chain_back(model.layers, "layers", _together(params), traces, delta)
    return {name: _part(grads, tree) for name, tree in params.items()}


def _together(params: Any) -> dict[str, Any]:
    """One tree of all collections: a layer's statistics beside its parameters."""
    found: dict[str, Any] = {}
    for tree in params.values():
        found = _merge(found, tree)
    return found


def _merge(one: Any, other: Any) -> dict[str, Any]:
    shared = {name: _merge(one[name], other[name]) for name in one.keys() & other.keys()}
    return {**one, **other, **shared}


def _part(grads: Any, tree: Any) -> dict[str, Any]:
    """The gradients of the leaves of one collection."""
    return {
        name: _part(grads[name], value) if isinstance(value, Mapping) else grads[name]
        for name, value in tree.items()
    }


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
    return (y + per_channel(params["bias"]) if layer.bias else y), x


def _conv_back(layer: kinds.Conv, params: Any, x: Array, g: Array) -> tuple[Array, Any]:
    kernel, where = params["kernel"], (layer.strides, layer.padding)
    grads = {"kernel": ops.convolve_kernel_grad(x, g, kernel.shape[:2], *where)}
    if layer.bias:
        grads["bias"] = g.sum((0, 1, 2))
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
    return x.reshape(len(x), math.prod(x.shape[1:])), x.shape


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


def _group_norm(
    layer: normalisation.GroupNorm, params: Any, x: Array
) -> tuple[Array, tuple[Array, Array]]:
    saved = normalisation.normalise(x, layer.groups)
    scale, bias = per_channel(params["scale"]), per_channel(params["bias"])
    return saved[0] * scale + bias, saved


def _group_norm_back(
    layer: normalisation.GroupNorm, params: Any, saved: tuple[Array, Array], g: Array
) -> tuple[Array, Any]:
    """Subtracts, in each group, the derivative's mean and its part along the normalised maps."""
    normal, inverse = saved
    grads = {"scale": (g * normal).sum((0, 1, 2)), "bias": g.sum((0, 1, 2))}
    shape = (len(g), -1, layer.groups, g.shape[-1] // layer.groups)
    z, dz = normal.reshape(shape), (g * per_channel(params["scale"])).reshape(shape)
    along = z * (dz * z).mean((1, 3), keepdims=True)
    return (dz - dz.mean((1, 3), keepdims=True) - along).reshape(g.shape) * inverse, grads


def _batch_norm(
    layer: normalisation.BatchNorm, params: Any, x: Array
) -> tuple[Array, tuple[Array, Array, bool]]:
    mean, var = layer.statistics(x, params["mean"], params["var"])
    inverse = per_channel(normalisation.inverse_deviation(var, layer.epsilon), x.ndim)
    normal = (x - per_channel(mean, x.ndim)) * inverse
    scale, bias = per_channel(params["scale"], x.ndim), per_channel(params["bias"], x.ndim)
    return normal * scale + bias, (normal, inverse, layer.in_training)


def _batch_norm_back(
    layer: normalisation.BatchNorm, params: Any, saved: tuple[Array, Array, bool], g: Array
) -> tuple[Array, Any]:
    """Ioffe and Szegedy (2015): in training, mean and variance depend on x as well.

    `dE/dx = (dz - mean(dz) - z mean(dz z)) / sqrt(var + epsilon)` with the normalised values z,
    `dz = g scale` and means over the batch; in evaluation the first term alone.
    """
    (z, inverse, in_training), axes = saved, tuple(range(g.ndim - 1))
    still = jnp.zeros_like(params["mean"])
    grads = {"scale": (g * z).sum(axes), "bias": g.sum(axes), "mean": still, "var": still}
    dz = g * per_channel(params["scale"], g.ndim)
    if in_training:
        dz = dz - dz.mean(axes, keepdims=True) - z * (dz * z).mean(axes, keepdims=True)
    return dz * inverse, grads


def _dropout(layer: kinds.Dropout, _: Any, x: Array) -> tuple[Array, Array | None]:
    mask = draw_mask(layer, layer.rate, x.shape)
    return drop(x, mask, layer.rate), mask


def _dropout_back(layer: kinds.Dropout, _: Any, mask: Array | None, g: Array) -> tuple[Array, None]:
    return drop(g, mask, layer.rate), None


def _parallel(layer: kinds.Parallel, params: Any, x: Array) -> tuple[Array, Any]:
    chains = [
        _chain(branch, f"branches_{i}", params or {}, x) for i, branch in enumerate(layer.branches)
    ]
    maps, saved = zip(*chains, strict=True)
    ends = np.cumsum([found.shape[-1] for found in maps])
    return jnp.concatenate(maps, axis=-1), (saved, ends[:-1])


def _parallel_back(layer: kinds.Parallel, params: Any, saved: Any, g: Array) -> tuple[Array, Any]:
    traces, ends = saved
    dx, grads = jnp.zeros(()), dict[str, Any]()
    parts = zip(layer.branches, traces, jnp.split(g, ends, axis=-1), strict=True)
    for i, (branch, trace, part) in enumerate(parts):
        own, found = _chain_back(branch, f"branches_{i}", params or {}, trace, part)
        dx, grads = dx + own, grads | found
    return dx, grads


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
    normalisation.BatchNorm: Rule(_batch_norm, _batch_norm_back),
    kinds.Conv: Rule(_conv, _conv_back),
    kinds.Dense: Rule(_dense, _dense_back),
    kinds.Dropout: Rule(_dropout, _dropout_back),
    kinds.Flatten: Rule(_flatten, _flatten_back),
    kinds.GlobalAverage: Rule(_global_average, _global_average_back),
    normalisation.GroupNorm: Rule(_group_norm, _group_norm_back),
    kinds.MaxPool: Rule(_max_pool, _max_pool_back),
    kinds.Parallel: Rule(_parallel, _parallel_back),
    kinds.Residual: Rule(_residual, _residual_back),
}
