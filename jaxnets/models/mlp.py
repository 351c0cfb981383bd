"""Multi-layer perceptrons, plain and residual (rows C1, C2), as Flax modules.

Weights are stored `[out, in]` and samples are columns inside, as the lectures write
`h = sigma(W x + b)`: on a CPU that is also the layout whose gradient is fastest.
"""

from collections.abc import Sequence
from typing import Any, ClassVar

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.nn.initializers import variance_scaling

from jaxnets.activations import ACTIVATIONS, Activation, get_activation
from jaxnets.host import checks

INITIALISERS = {
    "glorot": variance_scaling(1.0, "fan_avg", "uniform", in_axis=1, out_axis=0),
    "he": variance_scaling(2.0, "fan_in", "truncated_normal", in_axis=1, out_axis=0),
    "lecun": variance_scaling(1.0, "fan_in", "truncated_normal", in_axis=1, out_axis=0),
}
"""Glorot and Bengio (2010), He et al. (2015), LeCun et al. (1998), for weights `[out, in]`."""


def layer_names(hidden: int) -> list[str]:
    """The layers of a network with that many hidden ones: `hidden_0`, `hidden_1`, ..., `output`."""
    return [*map("hidden_{}".format, range(hidden)), "output"]


WIDE = 256
"""Inputs from which `affine` works on rows."""


def affine(weight: Array, bias: Array, x: Array) -> Array:
    """`W x + b` on columns: weight `[out, in]`, bias `[out]`, `x [in, batch]` to `[out, batch]`.

    The product of wide inputs is written on rows, which leaves its derivative `[batch, out]` in
    memory: on a CPU that makes `delta x^T` a fifth faster. Narrow layers under `vmap` would be
    slower for it.
    """
    if x.shape[0] >= WIDE:
        return (x.T @ weight.T + bias[None]).T
    return weight @ x + bias[:, None]


class Affine(nn.Module):
    """`W x + b` on columns: `x [in, batch]` to `[out, batch]`, weight `[out, in]`, bias `[out]`."""

    features: int
    initialiser: str

    @nn.compact
    def __call__(self, x: Array) -> Array:
        """The affine map of every column."""
        shape = (self.features, x.shape[0])
        weight = self.param("weight", INITIALISERS[self.initialiser], shape)
        bias = self.param("bias", nn.initializers.zeros_init(), (self.features,))
        return affine(weight, bias, x)


class MLP(nn.Module):
    """A multi-layer perceptron: `h = sigma(W x + b)` repeated, then an affine output (row C1).

    `init(key, x) -> params` and `apply(params, x [batch, features]) -> [batch, outputs]`, where
    params is `{"params": {"hidden_0": {"weight": [out, in], "bias": [out]}, ..., "output": ...}}`.

    The weights are drawn as fits the activation (`Activation.gain`), the biases are zero.

    Raises:
        ValueError: a width or `outputs` below 1, an unknown activation, or features that do not
            fit the parameters (both numbers and the layer are named).
        TypeError: a width or `outputs` that is no whole number, or samples that are no array of
            numbers.
    """

    hparam_names: ClassVar[tuple[str, ...]] = ("width",)

    widths: Sequence[int]
    """Units of each hidden layer; empty for a linear model."""
    outputs: int = 1
    activation: str | Activation = "tanh"
    residual: bool = False
    """Whether a hidden layer as wide as its input adds that input to its value."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "widths", checks.as_counts(self.widths, "widths"))
        checks.require_count(self.outputs, "outputs")
        if self.activation not in [*ACTIVATIONS]:
            get_activation(self.activation)
        super().__post_init__()

    @nn.compact
    def __call__(self, x: Array) -> Array:
        """The outputs `[batch, outputs]` of samples `[batch, features]`."""
        activation = ACTIVATIONS.get(self.activation, self.activation)
        x = checks.as_array(x, "x")
        self._check_features(x)
        h = x.T
        for name, width in zip(layer_names(len(self.widths)), self.widths, strict=False):
            value = activation.f(Affine(width, activation.gain, name=name)(h))
            h = h + value if self.residual and width == h.shape[0] else value
        return Affine(self.outputs, "lecun", name="output")(h).T

    def _check_features(self, x: Array) -> None:
        if x.ndim != 2:
            raise ValueError(
                f"an MLP takes [batch, features], x has shape {x.shape}: "
                "flatten images with x.reshape(len(x), -1)"
            )
        if x.shape[1] == 0:
            raise ValueError(f"x has shape {x.shape}: samples without a feature")
        first = layer_names(len(self.widths))[0]
        if self.scope is not None and self.scope.has_variable("params", first):
            expected = self.scope.get_variable("params", first)["weight"].shape[1]
            if x.shape[1] != expected:
                raise ValueError(
                    f"layer {first!r} was initialised for {expected} features, "
                    f"x has {x.shape[1]} (shape {x.shape})"
                )

    def check_hparams(self, width: Any) -> None:
        """Raises a ValueError unless every layer can have the width of a scalar or `[layers]`."""
        if not self.widths:
            raise ValueError("width is given, but there is no hidden layer to narrow")
        value, widest = np.asarray(width), min(self.widths)
        if value.shape not in ((), (len(self.widths),)):
            raise ValueError(
                f"width has shape {value.shape}; one network takes a scalar or one number a layer, "
                f"[{len(self.widths)}]: for many networks, use sweep"
            )
        if not ((value >= 1) & (value <= widest) & (value == np.round(value))).all():
            raise ValueError(f"width is {value}; the model has 1 to {widest} units")

    def narrow(self, params: Any, width: Array | int) -> Any:
        """The params of a network of that `width`, padded with zeros to the size of this one.

        One program then trains networks of many widths (row F18), as long as the gradients are
        multiplied by `gradient_mask`, so that the padding stays zero. `width` is a scalar for all
        hidden layers or one number a layer, and may be traced. The weights are rescaled to the
        variance that the narrow network would have drawn.

        A residual model keeps the bypasses of the wide network, so its hidden layers must be
        equally wide, and wider than the features.

        Raises:
            ValueError: a residual model whose narrow form would have other bypasses.
        """
        widths = jnp.broadcast_to(jnp.asarray(width), (len(self.widths),))
        gain = get_activation(self.activation).gain
        names = layer_names(len(self.widths))
        tree = dict(params["params"])
        features = tree[names[0]]["weight"].shape[1]
        if self.residual and (len(set(self.widths)) > 1 or features >= self.widths[0]):
            raise ValueError(
                f"a residual model can be narrowed if its hidden layers are equally wide and wider "
                f"than the {features} features; the widths are {self.widths}"
            )
        fans = jnp.concatenate([jnp.array([features]), widths, jnp.array([self.outputs])])
        for i, name in enumerate(names):
            wide_out, wide_in = tree[name]["weight"].shape
            ratio = wide_in / fans[i]
            if gain == "glorot" and name != "output":
                ratio = (wide_in + wide_out) / (fans[i] + fans[i + 1])
            tree[name] = tree[name] | {"weight": tree[name]["weight"] * jnp.sqrt(ratio)}
        return jax.tree.map(jnp.multiply, {"params": tree}, self.gradient_mask(params, width))

    def gradient_mask(self, params: Any, width: Array | int) -> Any:
        """Ones on the weights among the first `width` units of each hidden layer, else zeros."""
        widths = jnp.broadcast_to(jnp.asarray(width), (len(self.widths),))
        tree = params["params"]
        *hidden, last = layer_names(len(self.widths))
        keep = jnp.ones(tree[(*hidden, last)[0]]["weight"].shape[1], bool)
        masks = {}
        for name, units in zip((*hidden, last), (*widths, self.outputs), strict=True):
            weight, before = tree[name]["weight"], keep
            keep = jnp.arange(len(weight)) < units
            masks[name] = {
                "weight": (keep[:, None] & before[None]).astype(weight.dtype),
                "bias": keep.astype(weight.dtype),
            }
        return {"params": masks}


class ResidualMLP(MLP):
    """An MLP whose square layers have a bypass, `h <- h + sigma(W h + b)` (He et al., 2016; C2)."""

    residual: bool = True


def count_parameters(params: Any) -> int:
    """The number of trainable scalars."""
    return sum(leaf.size for leaf in jax.tree.leaves(params))


def compact(layer: dict[str, Array]) -> Array:
    """`[W | b]`: one matrix `[out, in + 1]`, to be multiplied by `[x; 1]` (L0, row C1)."""
    return jnp.concatenate([layer["weight"], layer["bias"][:, None]], axis=1)
