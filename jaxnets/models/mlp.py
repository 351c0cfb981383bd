"""Multi-layer perceptrons, plain and residual (rows C1, C2), as Flax modules.

Weights are stored `[out, in]` and samples are columns internally, as in the lectures'
`h = sigma(W x + b)`; on a CPU this layout also has the fastest gradient.
"""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, ClassVar

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
from jax import Array, lax
from jax.nn.initializers import variance_scaling

from jaxnets.activations import ACTIVATIONS, Activation, get_activation
from jaxnets.host import checks
from jaxnets.models.dropout import draw_mask, drop

INITIALISERS = {
    "glorot": variance_scaling(1.0, "fan_avg", "uniform", in_axis=1, out_axis=0),
    "he": variance_scaling(2.0, "fan_in", "truncated_normal", in_axis=1, out_axis=0),
    "lecun": variance_scaling(1.0, "fan_in", "truncated_normal", in_axis=1, out_axis=0),
}
"""Glorot and Bengio (2010), He et al. (2015), LeCun et al. (1998), for weights `[out, in]`."""
ZEROS = nn.initializers.zeros_init()


def layer_names(hidden: int) -> list[str]:
    """Names the layers of a network of `hidden` hidden layers: `hidden_0`, ..., `output`."""
    return [*map("hidden_{}".format, range(hidden)), "output"]


WIDE = 256
"""The number of inputs from which `affine` works on rows."""
MANY = 256
"""The number of samples from which a CPU sums a bias's derivatives as a product with ones."""
FEW, LARGE = 64, 2**20
"""Up to how many samples `affine` never makes rows, for weights of at least so many entries."""


def affine(weight: Array, bias: Array, x: Array) -> Array:
    """Computes `W x + b` on columns: `x [in, batch]` to `[out, batch]`.

    The weight is `[out, in]`, the bias `[out]`. Wide inputs are multiplied as rows, so that the
    derivative is `[batch, out]` in memory: this makes `delta x^T` a fifth faster on a CPU, but
    would slow down narrow layers under `vmap`. A single sample is not, nor are few if the weight
    is large: XLA would transpose it, which takes up to ten times as long as the product. On a CPU
    the bias is repeated for many samples by a product with ones, whose derivative is one too:
    XLA's sums over the samples of many networks take ten times as long.
    """
    features, samples = x.shape
    few = isinstance(samples, int) and samples <= FEW and weight.size >= LARGE
    if features >= WIDE and samples != 1 and not few:
        return (x.T @ weight.T + bias[None]).T
    column = bias[:, None]
    if isinstance(samples, int) and samples >= MANY:  # else it is a symbol, for jax.export
        column = lax.platform_dependent(
            column,
            cpu=partial(jnp.matmul, b=jnp.ones((1, samples), bias.dtype)),
            default=partial(jnp.broadcast_to, shape=(len(bias), samples)),
        )
    return (_columns(weight, x) if few else weight @ x) + column


def _columns(weight: Array, x: Array) -> Array:
    """Multiplies columns that XLA must not turn into rows on a CPU."""

    def cpu(weight: Array, x: Array) -> Array:
        return lax.optimization_barrier(weight @ lax.optimization_barrier(x))

    return lax.platform_dependent(weight, x, cpu=cpu, default=jnp.matmul)


def parameter(module: nn.Module, name: str, initialiser: Callable, shape: tuple[int, ...]) -> Array:
    """Declares a parameter as `module.param(name, initialiser, shape)` does.

    To check the shape of a parameter that is there, Flax traces its initialiser at every
    application. Random numbers were half of what GoogLeNet took to trace; zeros are traced in no
    time.

    Raises:
        flax.errors.ScopeParamShapeError: a parameter of another shape.

    Example:
        >>> import jax
        >>> class Scaled(nn.Module):
        ...     @nn.compact
        ...     def __call__(self, x):
        ...         return x * parameter(self, "scale", nn.initializers.normal(), (x.shape[-1],))
        >>> Scaled().apply({"params": {"scale": jax.numpy.ones(2)}}, jax.numpy.ones(2)).tolist()
        [1.0, 1.0]
    """
    known = module.has_variable("params", name)
    return module.param(name, ZEROS if known else initialiser, shape)


class Affine(nn.Module):
    """Computes `W x + b` on columns, with parameters `weight [out, in]` and `bias [out]`."""

    features: int
    initialiser: str

    @nn.compact
    def __call__(self, x: Array) -> Array:
        """Maps `x [in, batch]` to `[out, batch]`."""
        shape = (self.features, x.shape[0])
        weight = parameter(self, "weight", INITIALISERS[self.initialiser], shape)
        bias = self.param("bias", ZEROS, (self.features,))
        return affine(weight, bias, x)


class MLP(nn.Module):
    """Applies `h = sigma(W x + b)` repeatedly, then an affine output layer (row C1).

    `init(key, x) -> params` and `apply(params, x [batch, features]) -> [batch, outputs]`, where
    params is `{"params": {"hidden_0": {"weight": [out, in], "bias": [out]}, ..., "output": ...}}`.
    The initialiser of the weights suits the activation (`Activation.gain`); the biases are zero.

    Args:
        widths: units of each hidden layer; empty for a linear model.
        outputs: the number of outputs.
        activation: of the hidden layers, a name in `jaxnets.ACTIVATIONS` or an `Activation`.
        residual: whether a hidden layer as wide as its input adds that input to its value.
        dropout: the fraction in [0, 1) of each hidden layer's values that training sets to 0 in
            every step, while the others are divided by `1 - dropout` (Srivastava et al., 2014).
            A bypass is not dropped. As a hyper-parameter of that name it may be traced.

    Raises:
        ValueError: a width or `outputs` below 1, an unknown activation, a dropout that is not in
            [0, 1), or features that do not fit the parameters (both numbers and the layer are
            named).
        TypeError: a width or `outputs` that is not an integer, or samples that are not an array
            of numbers.

    Example:
        >>> import jax, jaxnets as jn
        >>> model, x = jn.MLP((100,), 2, dropout=0.5), jax.numpy.ones((1, 3))
        >>> params = model.init(jax.random.key(0), x)
        >>> in_training = model.apply(params, x, rngs={"dropout": jax.random.key(1)})
        >>> bool((in_training == model.apply(params, x)).all())
        False
    """

    hparam_names: ClassVar[tuple[str, ...]] = ("width",)
    traced_fields: ClassVar[tuple[str, ...]] = ("dropout",)

    widths: Sequence[int]
    outputs: int = 1
    activation: str | Activation = "tanh"
    residual: bool = False
    dropout: Array | float = 0.0

    def __post_init__(self) -> None:
        object.__setattr__(self, "widths", checks.as_counts(self.widths, "widths"))
        checks.require_count(self.outputs, "outputs")
        if self.activation not in [*ACTIVATIONS]:
            get_activation(self.activation)
        traced, rate = isinstance(self.dropout, jax.core.Tracer), self.dropout
        if not traced and (type(rate) is not float or rate):
            checks.require_share(self.dropout, "dropout")
        super().__post_init__()

    @nn.compact
    def __call__(self, x: Array) -> Array:
        """Computes the outputs `[batch, outputs]` of samples `[batch, features]`."""
        chosen = self.activation
        activation = chosen if isinstance(chosen, Activation) else ACTIVATIONS[chosen]
        x = checks.as_inputs(x, "x")
        self._check_features(x)
        h, drops = x.T, isinstance(self.dropout, Array) or self.dropout > 0
        for name, width in zip(layer_names(len(self.widths)), self.widths, strict=False):
            value = activation.f(Affine(width, activation.gain, name=name)(h))
            if drops:
                value = drop(value, draw_mask(self, self.dropout, value.shape), self.dropout)
            h = h + value if self.residual and width == h.shape[0] else value
        return Affine(self.outputs, "lecun", name="output")(h).T

    def _check_features(self, x: Array) -> None:
        if x.ndim != 2:
            raise ValueError(
                f"an MLP takes [batch, features], x has shape {x.shape}: "
                "flatten images with x.reshape(len(x), -1)"
            )
        if x.shape[1] == 0:
            raise ValueError(f"x has shape {x.shape}: the samples have no features")
        first = layer_names(len(self.widths))[0]
        if self.scope is not None and self.scope.has_variable("params", first):
            expected = self.scope.get_variable("params", first)["weight"].shape[1]
            if x.shape[1] != expected:
                raise ValueError(
                    f"layer {first!r} was initialised for {expected} features, "
                    f"x has {x.shape[1]} (shape {x.shape})"
                )

    def check_hparams(self, width: Any = None, dropout: Any = None) -> None:
        """Raises a ValueError unless one network can have them.

        The layers are narrowed to a width that is a scalar or `[layers]`; a dropout is in [0, 1).
        """
        if dropout is not None:
            checks.require_share(dropout, "dropout")
        if width is not None:
            self._check_width(width)

    def _check_width(self, width: Any) -> None:
        if not self.widths:
            raise ValueError("width is given, but the model has no hidden layer to narrow")
        value, widest = np.asarray(width), min(self.widths)
        if value.shape not in ((), (len(self.widths),)):
            raise ValueError(
                f"width has shape {value.shape}; one network takes a scalar or one number per "
                f"layer, [{len(self.widths)}]: for many networks, use sweep"
            )
        if not ((value >= 1) & (value <= widest) & (value == np.round(value))).all():
            raise ValueError(f"width is {value}; the model has 1 to {widest} units")

    def narrow(self, params: Any, width: Array | int) -> Any:
        """Returns the params of a network of `width` units, padded with zeros to this one's size.

        One program can thus train networks of many widths (row F18), provided that the gradients
        are multiplied by `gradient_mask`, so that the padding stays zero. The weights are rescaled
        to the variance that the narrow network would have drawn.

        A residual model keeps the bypasses of the wide network, so its hidden layers must be
        equally wide, and wider than the number of features.

        Args:
            params: of this network.
            width: a scalar for all hidden layers or one number per layer; may be traced.

        Raises:
            ValueError: a residual model whose narrow form would have different bypasses.
        """
        widths = jnp.broadcast_to(jnp.asarray(width), (len(self.widths),))
        gain = get_activation(self.activation).gain
        names = layer_names(len(self.widths))
        tree = dict(params["params"])
        features = tree[names[0]]["weight"].shape[1]
        if self.residual and (len(set(self.widths)) > 1 or features >= self.widths[0]):
            raise ValueError(
                f"a residual model can only be narrowed if its hidden layers are equally wide and "
                f"wider than the {features} features; the widths are {self.widths}"
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
        """Returns ones for the weights among the first `width` units of each layer, else zeros."""
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
    """Adds a bypass to every square layer of an MLP, `h <- h + sigma(W h + b)`.

    He et al. (2016), row C2; the arguments are those of `MLP`.

    Example:
        >>> import jax, jax.numpy as jnp
        >>> model, x = ResidualMLP((4, 4), outputs=2), jnp.ones((3, 5))
        >>> model.apply(model.init(jax.random.key(0), x), x).shape
        (3, 2)
    """

    residual: bool = True


def count_parameters(params: Any) -> int:
    """Counts the trainable scalars.

    Example:
        >>> import jax, jax.numpy as jnp
        >>> count_parameters(MLP((32,), 10).init(jax.random.key(0), jnp.ones((1, 64))))
        2410
    """
    return sum(leaf.size for leaf in jax.tree.leaves(params))


def compact(layer: dict[str, Array]) -> Array:
    """Joins weight and bias to `[W | b]`, `[out, in + 1]`, to multiply `[x; 1]` (L0, row C1).

    Example:
        >>> import jax.numpy as jnp
        >>> compact({"weight": jnp.ones((4, 3)), "bias": jnp.zeros(4)}).shape
        (4, 4)
    """
    return jnp.concatenate([layer["weight"], layer["bias"][:, None]], axis=1)
