"""Back-propagation by hand for coded shapes (row C9).

The decoder's pass gives `dE/d(code, point)` for each sample; the gradient of a shape's code is the
sum of those of its samples.
"""

from typing import Any, NamedTuple

import jax.numpy as jnp
from jax import Array

from jaxnets.backprop import mlp
from jaxnets.models.coded_shapes import CodedShapes, numbers_of, with_codes


class Traces(NamedTuple):
    """Holds what the forward pass saves."""

    numbers: Array
    """Of the shapes, `[batch]`."""
    decoder: list[mlp.Trace]


def forward(model: CodedShapes, params: Any, x: Array) -> tuple[Array, Traces]:
    """Computes the outputs `[batch, outputs]`, and the traces for `backward`."""
    inputs = with_codes(params["params"]["codes"], x)
    outputs, traces = mlp.forward(model.decoder, _decoder(params), inputs)
    return outputs, Traces(numbers_of(x), traces)


def backward(model: CodedShapes, params: Any, traces: Traces, delta: Array) -> Any:
    """Computes the gradients, in the tree of `params`, from `delta [batch, outputs]`."""
    decoder = _decoder(params)
    grads, inputs = mlp.backward_to_inputs(model.decoder, decoder, traces.decoder, delta)
    rows = inputs[: model.dimensions].T
    codes = jnp.zeros((model.shapes, model.dimensions), rows.dtype).at[traces.numbers].add(rows)
    return {"params": {"codes": codes, "decoder": grads["params"]}}


def _decoder(params: Any) -> Any:
    return {"params": params["params"]["decoder"]}
