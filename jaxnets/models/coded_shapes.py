"""Shapes as zero sets of one network, each with a code of its own (row C9), as a Flax module.

Park et al., "DeepSDF: learning continuous signed distance functions" (2019).
"""

from typing import Any

import flax.linen as nn
import jax.numpy as jnp
import numpy as np
from jax import Array

from jaxnets.host import checks
from jaxnets.models.mlp import MLP, parameter

CODES = nn.initializers.normal(0.01)
"""The paper's."""


class CodedShapes(nn.Module):
    r"""Computes signed distances $s = f_\theta(x | C_i)$, with codes and weights learned together.

    `init(key, x) -> params` and `apply(params, x [batch, 1 + axes]) -> [batch, outputs]`: the first
    column of x is the number of the shape, the others are the point. The decoder is given the code
    and the point; params is `{"params": {"codes": [shapes, dimensions], "decoder": ...}}`.

    Args:
        shapes: the number of codes.
        dimensions: numbers in a code.
        decoder: the network, of one output for distances.

    Raises:
        ValueError: a size below 1, or samples that are not `[batch, 1 + axes]`.
        TypeError: a size that is not an integer, a decoder that is not an MLP, or samples that are
            not an array of numbers.

    Example:
        >>> import jax, jax.numpy as jnp
        >>> from jaxnets.models import MLP
        >>> model, x = CodedShapes(5, 2, MLP((8,), 1)), jnp.array([[3.0, 0.1, 0.2, 0.3]])  # shape 3
        >>> params = model.init(jax.random.key(0), x)
        >>> params["params"]["codes"].shape, model.apply(params, x).shape
        ((5, 2), (1, 1))
    """

    shapes: int
    dimensions: int
    decoder: MLP

    def __post_init__(self) -> None:
        checks.require_count(self.shapes, "shapes")
        checks.require_count(self.dimensions, "dimensions")
        if not isinstance(self.decoder, MLP):
            raise TypeError(
                f"decoder is {self.decoder!r}; it must be an MLP, such as MLP((64, 64))"
            )
        super().__post_init__()

    @nn.compact
    def __call__(self, x: Array) -> Array:
        """Computes the outputs of numbered points."""
        x = checks.as_inputs(x, "x")
        if x.ndim != 2 or x.shape[1] < 2:
            raise ValueError(f"x has shape {x.shape}; numbered points are [batch, 1 + axes]")
        codes = parameter(self, "codes", CODES, (self.shapes, self.dimensions))
        return self.decoder(with_codes(codes, x))

    def distances(self, params: Any, code: Array, points: Array) -> Array:
        """Computes the first output `[n]` of any code `[dimensions]` at `points [n, axes]`.

        Raises:
            ValueError: another shape of the code or the points.
        """
        if jnp.shape(code) != (self.dimensions,) or jnp.ndim(points) != 2:
            raise ValueError(
                f"code has shape {jnp.shape(code)} and points {jnp.shape(points)}; expected "
                f"[{self.dimensions}] and [n, axes]"
            )
        rows = jnp.broadcast_to(jnp.asarray(code), (len(points), self.dimensions))
        inputs = jnp.concatenate([rows, jnp.asarray(points)], axis=1)
        return self.decoder.apply({"params": params["params"]["decoder"]}, inputs)[:, 0]

    def check_samples(self, x: Any, name: str) -> Any:
        """Converts samples to floats; raises unless their first column numbers a shape.

        Raises:
            ValueError: a number that is not of a shape (its sample is named), or as in
                `checks.as_features`.
            TypeError: samples that are not floats.
        """
        x = checks.as_features(x, name)
        if x.ndim != 2 or x.shape[1] < 2:
            raise ValueError(f"{name} has shape {x.shape}; numbered points are [samples, 1 + axes]")
        if checks.is_traced(x):
            return x
        numbers = np.asarray(x[:, 0])
        wrong = ~np.isin(numbers, np.arange(self.shapes))
        if wrong.any():
            row = int(np.argmax(wrong))
            raise ValueError(
                f"{name} has {numbers[row]} as the number of a shape in sample {row}; there are "
                f"{self.shapes}, numbered from 0"
            )
        return x


def numbers_of(x: Array) -> Array:
    """Reads the numbers of the shapes, `[batch]`, in the first column of x."""
    return x[:, 0].astype(jnp.int32)


def with_codes(codes: Array, x: Array) -> Array:
    """Puts `codes [shapes, dimensions]` in place of the numbers in the first column of x."""
    return jnp.concatenate([codes[numbers_of(x)], x[:, 1:]], axis=1)
