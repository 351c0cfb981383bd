"""Perceptrons of many layers with gates that let their input pass (row G9), as a Flax module.

Srivastava, Greff and Schmidhuber, "Training very deep networks" (2015).
"""

import flax.linen as nn
import jax
import jax.numpy as jnp
from jax import Array, lax

from jaxnets.activations import Activation, get_activation
from jaxnets.host import checks
from jaxnets.models.mlp import INITIALISERS, Affine, affine


class Highway(nn.Module):
    r"""Applies layers with gates, $h' = t \sigma(W h + b) + (1 - t) h$, in one scan.

    The gate is $t = 1 / (1 + \exp(-(V h + c)))$. A dense layer comes before, `first`, and an affine
    one after, `output`. `init(key, x) -> params` and `apply(params, x [batch, features]) ->
    [batch, outputs]`; params is `{"params": {"first": ..., "layers": {"weight", "gate_weight":
    [depth, width, width], "bias", "gate_bias": [depth, width]}, "output": ...}}`.

    Args:
        width: units of each layer.
        depth: layers with gates, below the output.
        outputs: the number of outputs.
        activation: a name in `jaxnets.ACTIVATIONS` or an `Activation`.
        gate_bias: where c starts; below 0, most of a layer's input passes at first.

    Raises:
        ValueError: a size below 1, an unknown activation, samples that are not `[batch, features]`.
        TypeError: a size that is not an integer, or samples that are not an array of numbers.

    Example:
        >>> import jax, jax.numpy as jnp
        >>> model, x = Highway(width=4, depth=20), jnp.ones((3, 2))
        >>> model.apply(model.init(jax.random.key(0), x), x).shape
        (3, 1)
    """

    width: int
    depth: int
    outputs: int = 1
    activation: str | Activation = "tanh"
    gate_bias: float = -2.0

    def __post_init__(self) -> None:
        for name in ("width", "depth", "outputs"):
            checks.require_count(getattr(self, name), name)
        get_activation(self.activation)
        checks.as_number(self.gate_bias, "gate_bias")
        super().__post_init__()

    @nn.compact
    def __call__(self, x: Array) -> Array:
        """Computes the outputs `[batch, outputs]` of samples `[batch, features]`."""
        x = checks.as_inputs(x, "x")
        if x.ndim != 2 or not x.shape[1]:
            raise ValueError(f"Highway takes [batch, features], x has shape {x.shape}")
        activation = get_activation(self.activation)
        h = activation.f(Affine(self.width, activation.gain, name="first")(x.T))
        layers = self.param("layers", self._draw, activation.gain)

        def layer(h: Array, of: dict[str, Array]) -> tuple[Array, None]:
            value, gate = activation.f(affine(of["weight"], of["bias"], h)), gate_of(of, h)
            return gate * value + (1 - gate) * h, None

        h, _ = lax.scan(layer, h, layers)
        return Affine(self.outputs, "lecun", name="output")(h).T

    def _draw(self, key: Array, initialiser: str) -> dict[str, Array]:
        square, flat = (self.width, self.width), (self.depth, self.width)
        weight_key, gate_key = jax.random.split(key)

        def draw(key: Array, name: str) -> Array:
            keys = jax.random.split(key, self.depth)
            return jax.vmap(lambda one: INITIALISERS[name](one, square))(keys)

        return {
            "weight": draw(weight_key, initialiser),
            "bias": jnp.zeros(flat),
            "gate_weight": draw(gate_key, "glorot"),
            "gate_bias": jnp.full(flat, float(self.gate_bias)),
        }


def gate_of(layer: dict[str, Array], h: Array) -> Array:
    """Computes the gate t of one layer on columns, `[width, batch]`."""
    return jax.nn.sigmoid(affine(layer["gate_weight"], layer["gate_bias"], h))
