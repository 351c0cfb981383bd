"""Layers that normalise maps or features, then scale and shift them."""

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

    Example:
        >>> import jax, jax.numpy as jnp
        >>> layer, x = GroupNorm(2), jnp.ones((2, 8, 8, 4))
        >>> layer.apply(layer.init(jax.random.key(0), x), x).shape
        (2, 8, 8, 4)
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
    """Normalises channels, or features, by their mean and variance (Ioffe and Szegedy, 2015).

    `(x - mean) / sqrt(var + epsilon) * scale + bias`. In training, mean and variance are those of
    the batch: over its samples, rows and columns, or over its samples for `[batch, features]`. In
    evaluation they are running ones, which each step of training has updated:
    `running <- momentum * running + (1 - momentum) * batch`. The variance that normalises is a mean
    of squares, the one that is recorded the unbiased `n / (n - 1)` of it, as in the paper and in
    PyTorch, which calls `1 - momentum` its momentum; Flax records the former.

    The variables are those of `flax.linen.BatchNorm`: `scale` and `bias [channels]` in `params`,
    `mean` and `var [channels]` in the collection `batch_stats`. The layer is in training where that
    may change: `apply(params, x, mutable=["batch_stats"])`, as `Objective` calls it with a key.
    All samples of a batch count alike, also where they have weights.

    Args:
        epsilon: what is added to the variance.
        momentum: the share of the running statistics that a step leaves, in [0, 1).

    Raises:
        ValueError: an epsilon that is not above 0, a momentum outside [0, 1), maps of other axes,
            or a batch in training with one value a channel, which has no variance.

    Example:
        >>> import jax, jax.numpy as jnp
        >>> from jaxnets.models import CNN, BatchNorm, Dense
        >>> model, x = CNN((BatchNorm(), Dense(2))), jnp.array([[1.0], [3.0]])
        >>> variables = model.init(jax.random.key(0), x)
        >>> outputs, changed = model.apply(variables, x, mutable=["batch_stats"])
        >>> round(float(changed["batch_stats"]["layers_0"]["mean"][0]), 3)
        0.2
    """

    epsilon: float = 1e-5
    momentum: float = 0.9

    def __post_init__(self) -> None:
        if not checks.as_finite(self.epsilon, "epsilon") > 0:
            raise ValueError(f"epsilon is {self.epsilon}; it must be above 0")
        checks.require_share(self.momentum, "momentum")
        super().__post_init__()

    @nn.compact
    def __call__(self, x: Array) -> Array:
        """Normalises `[batch, rows, columns, channels]` or `[batch, features]`."""
        if x.ndim not in (2, 4):
            raise ValueError(
                "expected images [batch, rows, columns, channels] or features [batch, features], "
                f"x has shape {x.shape}"
            )
        shape = (x.shape[-1],)
        scale = self.param("scale", nn.initializers.ones_init(), shape)
        bias = self.param("bias", nn.initializers.zeros_init(), shape)
        mean = self.variable("batch_stats", "mean", jnp.zeros, shape).value
        var = self.variable("batch_stats", "var", jnp.ones, shape).value
        mean, var = self.statistics(x, mean, var)
        factor = scale * inverse_deviation(var, self.epsilon)
        mean, factor, bias = (per_channel(values, x.ndim) for values in (mean, factor, bias))
        return (x - mean) * factor + bias

    @property
    def in_training(self) -> bool:
        """Whether the layer normalises by the batch."""
        bound = self.scope is not None and not self.is_initializing()
        return bound and self.is_mutable_collection("batch_stats")

    def statistics(self, x: Array, mean: Array, var: Array) -> tuple[Array, Array]:
        """Computes mean and variance of the batch, and updates the running ones, if in training.

        Else the running ones, which are given, are returned.
        """
        if not self.in_training:
            return mean, var
        n = x.size // x.shape[-1]
        if n < 2:
            raise ValueError(
                f"layer {'/'.join(self.path)!r} normalises by a batch with one value a channel "
                f"(shape {x.shape}), which has no variance: use a batch_size that leaves two or "
                "more samples in the last batch of an epoch, too"
            )
        mean_now, var_now = moments(x)
        self._update("mean", mean, mean_now)
        self._update("var", var, var_now * (n / (n - 1)))
        return mean_now, var_now

    def _update(self, name: str, running: Array, now: Array) -> None:
        updated = self.momentum * running + (1 - self.momentum) * now
        self.put_variable("batch_stats", name, updated.astype(running.dtype))


def moments(x: Array) -> tuple[Array, Array]:
    """Computes mean and variance over all axes but the last, `[channels]` each."""
    axes = tuple(range(x.ndim - 1))
    mean = x.mean(axes)
    return mean, jnp.square(x - per_channel(mean, x.ndim)).mean(axes)


def inverse_deviation(var: Array, epsilon: float) -> Array:
    """Computes `1 / sqrt(var + epsilon)`."""
    return jax.lax.rsqrt(var + epsilon)
