"""Layers of image networks as Flax modules, images `[batch, rows, columns, channels]`.

A network is a tuple of layers; `Conv` stores its parameters as `flax.linen` does.
"""

import math
from typing import Any

import flax.linen as nn
import jax.numpy as jnp
from jax import Array
from jax.nn.initializers import variance_scaling

from jaxnets import ops
from jaxnets.activations import Activation, get_activation
from jaxnets.host import checks
from jaxnets.models.dropout import draw_mask, drop
from jaxnets.models.mlp import INITIALISERS, affine, parameter
from jaxnets.ops.windows import Padding, Pair, pair

KERNEL_INITIALISERS = {
    "glorot": variance_scaling(1.0, "fan_avg", "uniform"),
    "he": variance_scaling(2.0, "fan_in", "truncated_normal"),
    "lecun": variance_scaling(1.0, "fan_in", "truncated_normal"),
}
"""Like those of `jaxnets.models.mlp`, for kernels `[rows, columns, in, out]`.

The fan-in is the number of entries of a window.
"""


class Conv(nn.Module):
    """Convolves images with learned kernels, and adds a bias unless told otherwise (row C3).

    The parameters are those of `flax.linen.Conv`, `kernel [rows, columns, in, features]` and
    `bias [features]`. D kernels of C x h x w produce D maps of `(H - h + 1) x (W - w + 1)`.

    Args:
        features: the number of output maps.
        size: rows and columns of the kernels, or one number for both.
        strides: steps down and to the right, or one number for both.
        padding: "VALID", "SAME", or `((above, below), (left, right))` zeros.
        gain: the initialisation for the activation that follows: "he", "glorot" or "lecun".
        bias: whether there is a bias; a normalisation that follows has its own.

    Example:
        >>> import jax, jax.numpy as jnp
        >>> layer, x = Conv(4, 3), jnp.ones((2, 8, 8, 1))
        >>> layer.apply(layer.init(jax.random.key(0), x), x).shape
        (2, 6, 6, 4)
    """

    features: int
    size: int | Pair
    strides: int | Pair = 1
    padding: Padding = "VALID"
    gain: str = "he"
    bias: bool = True

    def __post_init__(self) -> None:
        _check_layer(self.features, self.gain)
        super().__post_init__()

    @nn.compact
    def __call__(self, x: Array) -> Array:
        """Computes the maps `[batch, rows, columns, features]`."""
        check_images(x)
        _check_inputs(self, "kernel", 2, x, "channels")
        shape = (*pair(self.size, "size"), x.shape[-1], self.features)
        kernel = parameter(self, "kernel", KERNEL_INITIALISERS[self.gain], shape)
        y = ops.convolve(x, kernel, self.strides, self.padding)
        if not self.bias:
            return y
        return y + per_channel(self.param("bias", nn.initializers.zeros_init(), (self.features,)))


class MaxPool(nn.Module):
    """Takes the largest entry of each window.

    Args:
        size: rows and columns of a window, or one number for both.
        strides: steps down and to the right; by default the size, so that windows do not overlap.
        padding: "VALID", "SAME", or `((above, below), (left, right))`.

    Example:
        >>> import jax.numpy as jnp
        >>> MaxPool(2).apply({}, jnp.arange(4.0).reshape(1, 2, 2, 1)).ravel().tolist()
        [3.0]
    """

    size: int | Pair
    strides: int | Pair | None = None
    padding: Padding = "VALID"

    def __call__(self, x: Array) -> Array:
        """Pools the maps."""
        return ops.max_pool(x, self.size, self.strides, self.padding)


class AveragePool(nn.Module):
    """Takes the mean of each window.

    Args:
        size: rows and columns of a window, or one number for both.
        strides: steps down and to the right; by default the size, so that windows do not overlap.
        padding: "VALID", "SAME", or `((above, below), (left, right))` zeros, which count.

    Example:
        >>> import jax.numpy as jnp
        >>> AveragePool(2).apply({}, jnp.arange(4.0).reshape(1, 2, 2, 1)).ravel().tolist()
        [1.5]
    """

    size: int | Pair
    strides: int | Pair | None = None
    padding: Padding = "VALID"

    def __call__(self, x: Array) -> Array:
        """Pools the maps."""
        return ops.average_pool(x, self.size, self.strides, self.padding)


class GlobalAverage(nn.Module):
    """Averages each map, `[batch, rows, columns, channels]` to `[batch, channels]`.

    Example:
        >>> import jax.numpy as jnp
        >>> GlobalAverage().apply({}, jnp.ones((2, 4, 4, 3))).shape
        (2, 3)
    """

    def __call__(self, x: Array) -> Array:
        """Computes the means."""
        check_images(x)
        return x.mean((1, 2))


class Activate(nn.Module):
    """Applies an activation function to every entry.

    Args:
        activation: a name in `jaxnets.ACTIVATIONS`, or an `Activation`.

    Example:
        >>> import jax.numpy as jnp
        >>> Activate("relu").apply({}, jnp.array([-1.0, 2.0])).tolist()
        [0.0, 2.0]
    """

    activation: str | Activation = "relu"

    def __post_init__(self) -> None:
        get_activation(self.activation)
        super().__post_init__()

    def __call__(self, x: Array) -> Array:
        """Computes the values."""
        return get_activation(self.activation).f(x)


class Flatten(nn.Module):
    """Reshapes `[batch, rows, columns, channels]` to `[batch, features]`, channels fastest.

    Example:
        >>> import jax.numpy as jnp
        >>> Flatten().apply({}, jnp.ones((2, 4, 4, 3))).shape
        (2, 48)
    """

    def __call__(self, x: Array) -> Array:
        """Flattens each image."""
        if x.ndim < 2:
            raise ValueError(f"x has shape {x.shape}; expected a batch of images, [batch, ...]")
        return x.reshape(len(x), math.prod(x.shape[1:]))


class Dense(nn.Module):
    """Computes `W x + b` for every sample, with the parameters of a layer of an `MLP`.

    Args:
        features: the number of outputs; `weight [features, in]`, `bias [features]`.
        gain: the initialisation for the activation that follows: "he", "glorot" or "lecun".

    Example:
        >>> import jax, jax.numpy as jnp
        >>> layer, x = Dense(4), jnp.ones((2, 3))
        >>> layer.apply(layer.init(jax.random.key(0), x), x).shape
        (2, 4)
    """

    features: int
    gain: str = "he"

    def __post_init__(self) -> None:
        _check_layer(self.features, self.gain)
        super().__post_init__()

    @nn.compact
    def __call__(self, x: Array) -> Array:
        """Maps `[batch, in]` to `[batch, features]`."""
        if x.ndim != 2:
            raise ValueError(f"a dense layer takes [batch, features], x has shape {x.shape}")
        _check_inputs(self, "weight", 1, x, "features")
        shape = (self.features, x.shape[-1])
        weight = parameter(self, "weight", INITIALISERS[self.gain], shape)
        bias = self.param("bias", nn.initializers.zeros_init(), (self.features,))
        return affine(weight, bias, x.T).T


class Dropout(nn.Module):
    """Zeroes a fraction of the entries and scales up the others, in training (Hinton et al., 2012).

    Without a key the layer is the identity: training passes one,
    `apply(params, x, rngs={"dropout": key})`, as `Objective` does.

    Args:
        rate: the fraction to drop, in [0, 1).

    Example:
        >>> import jax.numpy as jnp
        >>> Dropout(0.5).apply({}, jnp.ones(3)).tolist()  # without a key, as in evaluation
        [1.0, 1.0, 1.0]
    """

    rate: float

    def __post_init__(self) -> None:
        checks.require_share(self.rate, "dropout rate")
        super().__post_init__()

    def __call__(self, x: Array) -> Array:
        """Divides the entries that are not dropped by `1 - rate`."""
        return drop(x, draw_mask(self, self.rate, x.shape), self.rate)


class Residual(nn.Module):
    """Computes `x + f(x)` for a chain of layers f (He et al., 2016; row C2).

    Args:
        layers: the chain f.
        shortcut: the chain that x itself takes where f changes the shape.

    Example:
        >>> import jax, jax.numpy as jnp
        >>> layer, x = Residual((Activate("identity"),)), jnp.ones((2, 3))
        >>> layer.apply(layer.init(jax.random.key(0), x), x)[0].tolist()
        [2.0, 2.0, 2.0]
    """

    layers: tuple[nn.Module, ...]
    shortcut: tuple[nn.Module, ...] = ()

    def __call__(self, x: Array) -> Array:
        """Adds the outputs of both branches."""
        value, bypass = chain(self.layers, x), chain(self.shortcut, x)
        if value.shape != bypass.shape:
            raise ValueError(
                f"the layers of a residual block map {x.shape[1:]} to {value.shape[1:]}, the "
                f"shortcut to {bypass.shape[1:]}: pass a shortcut such as (Conv(features, 1),)"
            )
        return bypass + value


class Parallel(nn.Module):
    """Applies chains of layers to the same maps, and stacks theirs (row C6).

    The modules of GoogLeNet and SqueezeNet (Szegedy et al., 2015; Iandola et al., 2016).

    Args:
        branches: the chains; their maps must have the same rows and columns.

    Example:
        >>> import jax, jax.numpy as jnp
        >>> layer, x = Parallel(((Conv(4, 1),), (Conv(2, 1),))), jnp.ones((2, 8, 8, 3))
        >>> layer.apply(layer.init(jax.random.key(0), x), x).shape
        (2, 8, 8, 6)
    """

    branches: tuple[tuple[nn.Module, ...], ...]

    def __call__(self, x: Array) -> Array:
        """Computes the maps `[batch, rows, columns, channels of all branches]`."""
        maps = [chain(branch, x) for branch in self.branches]
        if len({found.shape[:-1] for found in maps}) > 1:
            shapes = ", ".join(str(found.shape) for found in maps)
            raise ValueError(
                f"the branches of a Parallel layer have maps of shapes {shapes}: pad or stride "
                "them so that rows and columns agree"
            )
        return jnp.concatenate(maps, axis=-1)


def per_channel(x: Array, axes: int = 4) -> Array:
    """Reshapes `[channels]` to `[1, ..., 1, channels]`, with that many axes."""
    return x[(None,) * (axes - 1)]


def chain(layers: tuple[nn.Module, ...], x: Any) -> Any:
    """Applies the layers one after another, and returns the last value."""
    for layer in layers:
        x = layer(x)
    return x


def check_images(x: Array) -> None:
    """Raises a ValueError unless x has the axes of images."""
    if x.ndim != 4:
        raise ValueError(
            f"expected images [batch, rows, columns, channels], x has shape {x.shape}: "
            "use x[..., None] for images of one channel"
        )


def _check_layer(features: Any, gain: str) -> None:
    checks.require_count(features, "features")
    checks.require_known([gain], KERNEL_INITIALISERS, "gain")


def _check_inputs(module: nn.Module, name: str, axis: int, x: Array, kind: str) -> None:
    if x.shape[-1] == 0:
        raise ValueError(f"x has shape {x.shape}: it has no {kind}")
    if module.scope is None or not module.scope.has_variable("params", name):
        return
    expected = module.scope.get_variable("params", name).shape[axis]
    if x.shape[-1] != expected:
        raise ValueError(
            f"layer {'/'.join(module.path)!r} was initialised for {expected} {kind}, its input has "
            f"{x.shape[-1]} (shape {x.shape}): use images of the size that `init` was given"
        )
