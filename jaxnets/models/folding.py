"""Folds normalisation with running statistics into the layers before it, for inference."""

from collections.abc import Iterable, Mapping
from typing import Any

import flax.linen as nn

from jaxnets.models.cnn import CNN
from jaxnets.models.layers import Conv, Dense, Parallel, Residual
from jaxnets.models.normalisation import BatchNorm, inverse_deviation

Layers = tuple[nn.Module, ...]
Variables = dict[str, Any]
"""Of a layer, by collection: `params`, and `batch_stats` where it has any."""
Folded = tuple[nn.Module, Variables]


def fold_normalisation(model: CNN, variables: Any) -> tuple[CNN, Any]:
    """Folds batch normalisation into the convolutions before it, for faster evaluation.

    In evaluation, normalisation is the same affine map for every image, and so is part of the
    linear layer before it (Jacob et al., 2018, section 3.2):
    `factor (W x + b - mean) + bias = (factor W) x + (factor (b - mean) + bias)`, where `factor =
    scale / sqrt(var + epsilon)`. Outputs differ only by rounding. Layers that follow neither a
    `Conv` nor a `Dense` stay, and so do other normalisations.

    Args:
        model: a chain of layers, with `Residual` and `Parallel` ones.
        variables: what training has left, `params` and `batch_stats`.

    Returns:
        A model with fewer layers, and its variables: `apply(variables, x)` as before. It is for
        evaluation: the statistics are constants of its weights.

    Raises:
        TypeError: a model that is not a `CNN`.
        ValueError: variables that are not the model's; the layer is named.

    Example:
        >>> import jax, jax.numpy as jnp
        >>> from jaxnets.models import CNN, BatchNorm, Conv, fold_normalisation
        >>> model, x = CNN((Conv(4, 3, bias=False), BatchNorm())), jnp.ones((2, 8, 8, 1))
        >>> variables = model.init(jax.random.key(0), x)
        >>> folded, fewer = fold_normalisation(model, variables)
        >>> y = model.apply(variables, x)
        >>> len(folded.layers), bool(jnp.allclose(folded.apply(fewer, x), y))
        (1, True)
    """
    if not isinstance(model, CNN):
        raise TypeError(f"model is {type(model).__name__}; fold_normalisation takes a CNN")
    if not isinstance(variables, Mapping) or "params" not in variables:
        raise ValueError("variables must be what the model's `init` returns, with 'params'")
    return _folded(model, dict(variables), "")


def _chains(layer: nn.Module) -> dict[str, Layers]:
    """The chains of layers in a layer, by what the names of their variables begin with."""
    if isinstance(layer, CNN):
        return {"layers": layer.layers}
    if isinstance(layer, Residual):
        return {"layers": layer.layers, "shortcut": layer.shortcut}
    if isinstance(layer, Parallel):
        return {f"branches_{i}": branch for i, branch in enumerate(layer.branches)}
    return {}


def _folded(layer: nn.Module, own: Variables, place: str) -> Folded:
    """Folds the chains in a layer, if it has any."""
    chains = _chains(layer)
    if not chains:
        return layer, own
    _require_same_names(chains, own, place)
    done = {name: _chain(name, layers, own, place) for name, layers in chains.items()}
    found = [tuple(part for part, _ in parts) for parts in done.values()]
    rebuilt = Parallel(tuple(found)) if isinstance(layer, Parallel) else type(layer)(*found)
    return rebuilt, _collected(done)


def _chain(name: str, layers: Layers, own: Variables, place: str) -> list[Folded]:
    folded: list[Folded] = []
    for i, layer in enumerate(layers):
        at = f"{name}_{i}"
        there, found = f"{place}{at}", {k: tree[at] for k, tree in own.items() if at in tree}
        if isinstance(layer, BatchNorm) and folded and isinstance(folded[-1][0], Conv | Dense):
            folded[-1] = _absorbed(*folded[-1], layer, found, there)
        else:
            folded.append(_folded(layer, found, f"{there}/"))
    return folded


def _absorbed(
    linear: nn.Module, own: Variables, norm: BatchNorm, statistics: Variables, place: str
) -> Folded:
    """Scales the weights of a linear layer, and gives it the bias of both."""
    name, features = ("kernel", -1) if isinstance(linear, Conv) else ("weight", 0)
    weights = own.get("params", {}).get(name)
    parts = statistics.get("params", {}) | statistics.get("batch_stats", {})
    if weights is None or {*parts} != {"scale", "bias", "mean", "var"}:
        raise ValueError(f"variables lack those of {place!r} or of the layer before it")
    channels = (weights.shape[features],)
    if linear.features != channels[0] or any(part.shape != channels for part in parts.values()):
        shapes = {name: weights.shape} | {key: part.shape for key, part in parts.items()}
        raise ValueError(f"{place!r} follows {linear.features} features, variables have {shapes}")
    factor = parts["scale"] * inverse_deviation(parts["var"], norm.epsilon)
    bias = parts["bias"] + factor * (own["params"].get("bias", 0) - parts["mean"])
    axes = [1] * weights.ndim
    axes[features] = -1
    weights = weights * factor.reshape(axes)
    biased = linear.clone(bias=True) if isinstance(linear, Conv) else linear
    return biased, {"params": {name: weights, "bias": bias}}


def _collected(done: Mapping[str, Iterable[Folded]]) -> Variables:
    """Numbers the variables of layers by their new places."""
    found: Variables = {"params": {}}
    for name, parts in done.items():
        for i, (_, own) in enumerate(parts):
            for collection, value in own.items():
                found.setdefault(collection, {})[f"{name}_{i}"] = value
    return found


def _require_same_names(chains: Mapping[str, Layers], own: Variables, place: str) -> None:
    known = {f"{name}_{i}" for name, layers in chains.items() for i in range(len(layers))}
    other = sorted({name for tree in own.values() for name in tree} - known)
    if other:
        raise ValueError(f"variables have {place + other[0]!r}, which the model does not have")
