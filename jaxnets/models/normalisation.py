"""Layers that normalise maps `[batch, rows, columns, channels]`, then scale and shift them."""

import flax.linen as nn
import jax
import jax.numpy as jnp
from jax import Array

from jaxnets.host import checks
from jaxnets.models.layers import check_images, per_channel


class GroupNorm(nn.Module):
    """Normalises groups of channels to mean 0 and variance 1 in each image, scales and shifts them.

    `(x - mean) / sqrt(variance + 1e-6) * scale + bias` (Wu and He, 2018), with the parameters of
    `flax.linen.GroupNorm`.

    Args:
        groups: how many; the number of channels must be a multiple of it.
    """

    groups: int

    def __post_init__(self) -> None:
        checks.require_count(self.groups, "groups")
        super().__post_init__()

    @nn.compact
    def __call__(self, x: Array) -> Array:
        """Normalises the maps."""
        check_images(x)
        channels = x.shape[-1]
        if channels % self.groups:
            raise ValueError(f"channels ({channels}) must be a multiple of groups ({self.groups})")
        scale = self.param("scale", nn.initializers.ones_init(), (channels,))
        bias = self.param("bias", nn.initializers.zeros_init(), (channels,))
        return normalise(x, self.groups)[0] * per_channel(scale) + per_channel(bias)


EPSILON = 1e-6


def normalise(x: Array, groups: int) -> tuple[Array, Array]:
    """Normalises the maps in each group, and returns `1 / sqrt(variance + 1e-6)` as well.

    The second is `[batch, 1, 1, channels]`.
    """
    grouped = x.reshape(len(x), -1, groups, x.shape[-1] // groups)
    centred = grouped - grouped.mean((1, 3), keepdims=True)
    inverse = jax.lax.rsqrt(jnp.square(centred).mean((1, 3), keepdims=True) + EPSILON)
    inverses = jnp.repeat(inverse[:, 0, :, 0], x.shape[-1] // groups, axis=-1)
    return (centred * inverse).reshape(x.shape), inverses[:, None, None]


class BatchNorm(nn.Module):
    """Normalises channels by the mean and variance of a training set (Ioffe and Szegedy, 2015).

    `(x - mean) / sqrt(var + epsilon) * scale + bias`. The variables are those of
    `flax.linen.BatchNorm`: `scale` and `bias [channels]` in `params`, `mean` and `var [channels]`
    in the collection `batch_stats`. The statistics are given with the weights: they do not change,
    and no gradient reaches them.

    Args:
        epsilon: what is added to the variance.

    Raises:
        ValueError: an epsilon that is not above 0.
    """

    epsilon: float = 1e-5

    def __post_init__(self) -> None:
        if not checks.as_finite(self.epsilon, "epsilon") > 0:
            raise ValueError(f"epsilon is {self.epsilon}; it must be above 0")
        super().__post_init__()

    @nn.compact
    def __call__(self, x: Array) -> Array:
        """Normalises the maps."""
        check_images(x)
        shape = (x.shape[-1],)
        scale = self.param("scale", nn.initializers.ones_init(), shape)
        bias = self.param("bias", nn.initializers.zeros_init(), shape)
        mean = self.variable("batch_stats", "mean", jnp.zeros, shape).value
        var = self.variable("batch_stats", "var", jnp.ones, shape).value
        factor = scale * inverse_deviation(jax.lax.stop_gradient(var), self.epsilon)
        shift = bias - jax.lax.stop_gradient(mean) * factor
        return x * per_channel(factor) + per_channel(shift)


def inverse_deviation(var: Array, epsilon: float) -> Array:
    """Computes `1 / sqrt(var + epsilon)`."""
    return jax.lax.rsqrt(var + epsilon)
