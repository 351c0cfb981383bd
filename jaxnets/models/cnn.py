"""Convolutional networks: chains of layers, among them the lectures' (rows C3, C4, C5)."""

import flax.linen as nn
from jax import Array

from jaxnets.host import checks
from jaxnets.models.layers import (
    Activate,
    AveragePool,
    Conv,
    Dense,
    Flatten,
    GlobalAverage,
    MaxPool,
    Residual,
    chain,
)
from jaxnets.models.normalisation import GroupNorm


class CNN(nn.Module):
    """Applies a chain of layers to images.

    `init(key, x) -> params` and `apply(params, x [batch, rows, columns, channels]) -> [batch,
    outputs]`, where params is `{"params": {"layers_0": {"kernel": ..., "bias": ...}, ...}}`,
    numbered as in `layers`; `apply(params, x, method="maps")` returns every layer's value, and
    `apply(params, x, start, stop, method="section")` applies only some.

    Args:
        layers: Flax modules such as those of `jaxnets.models`, each a separate instance.

    Raises:
        ValueError: images that do not fit the layers (the layer is named), no layers, or a layer
            that occurs twice.
        TypeError: layers that are not Flax modules, or images that are not an array of numbers.

    Example:
        >>> import jax, jax.numpy as jnp
        >>> from jaxnets.models import Activate, Conv, Dense, Flatten
        >>> model = CNN((Conv(4, 3), Activate("relu"), Flatten(), Dense(10)))
        >>> x = jnp.ones((2, 8, 8, 1))
        >>> model.apply(model.init(jax.random.key(0), x), x).shape
        (2, 10)
    """

    layers: tuple[nn.Module, ...]

    def __post_init__(self) -> None:
        if not isinstance(self.layers, tuple | list):
            raise TypeError(f"layers is {self.layers!r}; it must be a tuple of layers")
        if not self.layers:
            raise ValueError("layers is empty: a CNN needs at least one layer")
        wrong = next((layer for layer in self.layers if not isinstance(layer, nn.Module)), None)
        if wrong is not None or None in self.layers:
            raise TypeError(f"layers must be Flax modules, got {wrong!r}")
        if len({id(layer) for layer in self.layers}) < len(self.layers):
            raise ValueError(
                "a layer occurs twice in a CNN: make two, so that each has its own parameters"
            )
        object.__setattr__(self, "layers", tuple(self.layers))
        super().__post_init__()

    def __call__(self, x: Array) -> Array:
        """Computes the value of the last layer."""
        return chain(self.layers, checks.as_inputs(x, "x"))

    def maps(self, x: Array) -> list[Array]:
        """Computes the values of all layers, that of `layers[i]` at `i`."""
        values, x = [], checks.as_inputs(x, "x")
        for layer in self.layers:
            x = layer(x)
            values.append(x)
        return values

    def section(self, x: Array, start: int, stop: int) -> Array:
        """Computes the value of `layers[stop - 1]` from the input of `layers[start]`."""
        return chain(self.layers[start:stop], checks.as_inputs(x, "x"))


def small_cnn(outputs: int = 10) -> CNN:
    """Builds lecture L2's network for MNIST's 28 x 28 images, 120,458 parameters (row C4).

    Convolutions of 5 x 5 to 32 and 64 maps, each with ReLU and max pooling (3 x 3, then 2 x 2),
    and 256 hidden units.

    Example:
        >>> import jax, jax.numpy as jnp
        >>> from jaxnets.models import count_parameters
        >>> shapes = jax.eval_shape(small_cnn().init, jax.random.key(0), jnp.ones((1, 28, 28, 1)))
        >>> count_parameters(shapes)
        120458
    """
    return CNN(
        (
            *(Conv(32, 5), Activate("relu"), MaxPool(3)),
            *(Conv(64, 5), Activate("relu"), MaxPool(2)),
            Flatten(),
            *(Dense(256), Activate("relu")),
            Dense(outputs, "lecun"),
        )
    )


def lenet5(outputs: int = 10) -> CNN:
    """Builds LeNet-5 for 28 x 28 images, 61,706 parameters (LeCun et al., 1998; row C5).

    Convolutions of 5 x 5 to 6 and 16 maps, each with tanh and average pooling over 2 x 2, and 120
    and 84 hidden units. It differs from the paper's: the first convolution pads by 2, because
    LeCun's images were 32 x 32; every map of the second sees all 6 of the first; and a softmax
    replaces the radial units.

    Example:
        >>> import jax, jax.numpy as jnp
        >>> from jaxnets.models import count_parameters
        >>> shapes = jax.eval_shape(lenet5().init, jax.random.key(0), jnp.ones((1, 28, 28, 1)))
        >>> count_parameters(shapes)
        61706
    """
    return CNN(
        (
            *(Conv(6, 5, padding="SAME", gain="glorot"), Activate("tanh"), AveragePool(2)),
            *(Conv(16, 5, gain="glorot"), Activate("tanh"), AveragePool(2)),
            Flatten(),
            *(Dense(120, "glorot"), Activate("tanh")),
            *(Dense(84, "glorot"), Activate("tanh")),
            Dense(outputs, "lecun"),
        )
    )


def residual_cnn(outputs: int = 10, features: tuple[int, ...] = (16, 32, 64)) -> CNN:
    """Builds a residual network for small images, with one block for each entry of `features`.

    A block is convolution 3 x 3, group normalisation, ReLU, convolution, group normalisation, added
    to its input, then ReLU (He et al., 2016; Wu and He, 2018); every block but the first halves the
    rows and columns. The outputs see the mean over all positions, so images may have any size.

    Example:
        >>> import jax, jax.numpy as jnp
        >>> model, x = residual_cnn(10, (8,)), jnp.ones((1, 8, 8, 3))
        >>> jax.eval_shape(model.init_with_output, jax.random.key(0), x)[0].shape
        (1, 10)
    """
    layers = [Conv(features[0], 3, padding="SAME"), GroupNorm(8), Activate("relu")]
    for i, n in enumerate(features):
        strides = 1 if i == 0 else 2
        block = (
            *(Conv(n, 3, strides, "SAME"), GroupNorm(8), Activate("relu")),
            *(Conv(n, 3, padding="SAME"), GroupNorm(8)),
        )
        shortcut = (Conv(n, 1, strides, "SAME"), GroupNorm(8)) if i else ()
        layers += [Residual(block, shortcut), Activate("relu")]
    return CNN((*layers, GlobalAverage(), Dense(outputs, "lecun")))
