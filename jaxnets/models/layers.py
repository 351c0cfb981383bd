"""Layers of image networks as Flax modules, images `[batch, rows, columns, channels]`.

A network is a tuple of them; `Conv` and `GroupNorm` keep their parameters as `flax.linen` does.
"""

from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
from jax import Array
from jax.nn.initializers import variance_scaling

from jaxnets import ops
from jaxnets.activations import Activation, get_activation
from jaxnets.host import checks
from jaxnets.models.mlp import INITIALISERS, affine
from jaxnets.ops.windows import Padding, Pair, pair

KERNEL_INITIALISERS = {
    "glorot": variance_scaling(1.0, "fan_avg", "uniform"),
    "he": variance_scaling(2.0, "fan_in", "truncated_normal"),
    "lecun": variance_scaling(1.0, "fan_in", "truncated_normal"),
}
"""As for weights, for kernels `[rows, columns, in, out]`; a fan-in is all of a window's entries."""


class Conv(nn.Module):
    """A convolution and a bias, parameters as in `flax.linen.Conv` (row C3).

    `kernel [rows, columns, in, features]`, `bias [features]`; D kernels of C x h x w make D maps of
    `(H - h + 1) x (W - w + 1)`.
    """

    features: int
    size: int | Pair
    strides: int | Pair = 1
    padding: Padding = "VALID"
    gain: str = "he"
    """The initialisation, as the activation that follows needs it: "he", "glorot" or "lecun"."""

    def __post_init__(self) -> None:
        _check_layer(self.features, self.gain)
        super().__post_init__()

    @nn.compact
    def __call__(self, x: Array) -> Array:
        """The maps `[batch, rows, columns, features]`."""
        _check_images(x)
        _check_inputs(self, "kernel", 2, x, "channels")
        shape = (*pair(self.size, "size"), x.shape[-1], self.features)
        kernel = self.param("kernel", KERNEL_INITIALISERS[self.gain], shape)
        bias = self.param("bias", nn.initializers.zeros_init(), (self.features,))
        return ops.convolve(x, kernel, self.strides, self.padding) + per_channel(bias)


class MaxPool(nn.Module):
    """The largest entry of each window; by default windows are blocks side by side."""

    size: int | Pair
    strides: int | Pair | None = None
    padding: Padding = "VALID"

    def __call__(self, x: Array) -> Array:
        """The pooled maps."""
        return ops.max_pool(x, self.size, self.strides, self.padding)


class AveragePool(nn.Module):
    """The mean of each window; by default windows are blocks side by side."""

    size: int | Pair
    strides: int | Pair | None = None
    padding: Padding = "VALID"

    def __call__(self, x: Array) -> Array:
        """The pooled maps."""
        return ops.average_pool(x, self.size, self.strides, self.padding)


class GlobalAverage(nn.Module):
    """The mean of each map, `[batch, rows, columns, channels]` to `[batch, channels]`."""

    def __call__(self, x: Array) -> Array:
        """The means."""
        _check_images(x)
        return x.mean((1, 2))


class Activate(nn.Module):
    """An activation function of `jaxnets.activations`, by name or as it is."""

    activation: str | Activation = "relu"

    def __post_init__(self) -> None:
        get_activation(self.activation)
        super().__post_init__()

    def __call__(self, x: Array) -> Array:
        """The values."""
        return get_activation(self.activation).f(x)


class Flatten(nn.Module):
    """`[batch, rows, columns, channels]` to `[batch, features]`, channels fastest."""

    def __call__(self, x: Array) -> Array:
        """The features of each image."""
        if x.ndim < 2:
            raise ValueError(f"x has shape {x.shape}; there is a batch of images to flatten")
        return x.reshape(len(x), -1)


class Dense(nn.Module):
    """`W x + b` of every sample: weight `[features, in]`, bias `[features]`, as in an `MLP`."""

    features: int
    gain: str = "he"

    def __post_init__(self) -> None:
        _check_layer(self.features, self.gain)
        super().__post_init__()

    @nn.compact
    def __call__(self, x: Array) -> Array:
        """`[batch, in]` to `[batch, features]`."""
        if x.ndim != 2:
            raise ValueError(f"a dense layer takes [batch, features], x has shape {x.shape}")
        _check_inputs(self, "weight", 1, x, "features")
        weight = self.param("weight", INITIALISERS[self.gain], (self.features, x.shape[-1]))
        bias = self.param("bias", nn.initializers.zeros_init(), (self.features,))
        return affine(weight, bias, x.T).T


class GroupNorm(nn.Module):
    """Groups of channels with mean 0 and variance 1 in each image, scaled and shifted.

    `(x - mean) / sqrt(variance + 1e-6) * scale + bias` (Wu and He, 2018); parameters as in
    `flax.linen.GroupNorm`. The channels must be a multiple of the groups.
    """

    groups: int

    def __post_init__(self) -> None:
        checks.require_count(self.groups, "groups")
        super().__post_init__()

    @nn.compact
    def __call__(self, x: Array) -> Array:
        """The normalised maps."""
        _check_images(x)
        channels = x.shape[-1]
        if channels % self.groups:
            raise ValueError(f"{channels} channels do not divide into {self.groups} groups")
        scale = self.param("scale", nn.initializers.ones_init(), (channels,))
        bias = self.param("bias", nn.initializers.zeros_init(), (channels,))
        return normalise(x, self.groups)[0] * per_channel(scale) + per_channel(bias)


EPSILON = 1e-6


def normalise(x: Array, groups: int) -> tuple[Array, Array]:
    """The maps with mean 0 and variance 1 in each group, and `1 / sqrt(variance + 1e-6)`.

    The second is `[batch, 1, 1, channels]`.
    """
    grouped = x.reshape(len(x), -1, groups, x.shape[-1] // groups)
    centred = grouped - grouped.mean((1, 3), keepdims=True)
    inverse = jax.lax.rsqrt(jnp.square(centred).mean((1, 3), keepdims=True) + EPSILON)
    inverses = jnp.repeat(inverse[:, 0, :, 0], x.shape[-1] // groups, axis=-1)
    return (centred * inverse).reshape(x.shape), inverses[:, None, None]


class Dropout(nn.Module):
    """Zeroes a share of the entries and scales the others up, while training (Hinton et al., 2012).

    Training is where a key comes with the samples: `apply(params, x, rngs={"dropout": key})`, as
    `Objective` does it; without one the layer changes nothing.
    """

    rate: float

    def __post_init__(self) -> None:
        checks.require_share(self.rate, "dropout rate")
        super().__post_init__()

    def __call__(self, x: Array) -> Array:
        """The entries that are kept, over `1 - rate`."""
        if not self.has_rng("dropout") or self.rate == 0:
            return x
        keep = jax.random.bernoulli(self.make_rng("dropout"), 1 - self.rate, x.shape)
        return jnp.where(keep, x / (1 - self.rate), 0)


class Residual(nn.Module):
    """`x + f(x)`, where f is a chain of layers (He et al., 2016; row C2).

    Where f changes the shape, `shortcut` is the chain that x itself takes.
    """

    layers: tuple[nn.Module, ...]
    shortcut: tuple[nn.Module, ...] = ()

    def __call__(self, x: Array) -> Array:
        """The sum of both ways."""
        value, bypass = chain(self.layers, x), chain(self.shortcut, x)
        if value.shape != bypass.shape:
            raise ValueError(
                f"the layers of a residual block make {value.shape[1:]} of {x.shape[1:]}, the "
                f"shortcut {bypass.shape[1:]}: give a shortcut such as (Conv(features, 1),)"
            )
        return bypass + value


def per_channel(x: Array) -> Array:
    """`[channels]` as `[1, 1, 1, channels]`."""
    return x[None, None, None]


def chain(layers: tuple[nn.Module, ...], x: Any) -> Any:
    """The last of the layers, each applied to the value of the one before."""
    for layer in layers:
        x = layer(x)
    return x


def _check_images(x: Array) -> None:
    if x.ndim != 4:
        raise ValueError(
            f"images are [batch, rows, columns, channels], x has shape {x.shape}: use x[..., None] "
            "for images of one channel"
        )


def _check_layer(features: Any, gain: str) -> None:
    checks.require_count(features, "features")
    checks.require_known([gain], KERNEL_INITIALISERS, "gain")


def _check_inputs(module: nn.Module, name: str, axis: int, x: Array, kind: str) -> None:
    if x.shape[-1] == 0:
        raise ValueError(f"x has shape {x.shape}: there are no {kind}")
    if module.scope is None or not module.scope.has_variable("params", name):
        return
    expected = module.scope.get_variable("params", name).shape[axis]
    if x.shape[-1] != expected:
        raise ValueError(
            f"layer {'/'.join(module.path)!r} was initialised for {expected} {kind}, its input has "
            f"{x.shape[-1]} (shape {x.shape}): images need the size the network was made for"
        )
