"""Back-propagation by hand for layers with gates (row G9).

With `s = W h + b`, the gate `t = sigmoid(V h + c)` and `h' = t sigma(s) + (1 - t) h`, from
`dE/dh'`: `delta = t . sigma'(s) . dE/dh'` for W and b, `t (1 - t) . (sigma(s) - h) . dE/dh'` for V
and c, and `dE/dh = W^T delta + V^T delta_gate + (1 - t) . dE/dh'`, of which the last part is not
multiplied by any weight.
"""

from typing import Any, NamedTuple

import jax.numpy as jnp
from jax import Array, lax

from jaxnets.activations import get_activation
from jaxnets.models.highway import Highway, gate_of
from jaxnets.models.mlp import affine


class Traces(NamedTuple):
    """Holds what the forward pass saves, `[depth, width, batch]` each but the first and last."""

    x: Array
    """Of the network, `[features, batch]`."""
    first: Array
    """The pre-activation of the first layer, `[width, batch]`."""
    h: Array
    """The inputs of the layers with gates."""
    s: Array
    gate: Array
    last: Array
    """The input of the output layer, `[width, batch]`."""


def forward(model: Highway, params: Any, x: Array) -> tuple[Array, Traces]:
    """Computes the outputs `[batch, outputs]`, and the traces for `backward`."""
    activation, tree = get_activation(model.activation), params["params"]
    first = affine(tree["first"]["weight"], tree["first"]["bias"], x.T)

    def layer(h: Array, of: dict[str, Array]) -> tuple[Array, tuple[Array, Array, Array]]:
        s, gate = affine(of["weight"], of["bias"], h), gate_of(of, h)
        return gate * activation.f(s) + (1 - gate) * h, (h, s, gate)

    last, saved = lax.scan(layer, activation.f(first), tree["layers"])
    y = affine(tree["output"]["weight"], tree["output"]["bias"], last).T
    return y, Traces(x.T, first, *saved, last)


def backward(model: Highway, params: Any, traces: Traces, delta: Array) -> Any:
    """Computes the gradients, in the tree of `params`, from `delta [batch, outputs]`."""
    activation, tree = get_activation(model.activation), params["params"]

    def layer(dh: Array, of: Any) -> tuple[Array, dict[str, Array]]:
        weights, h, s, gate = of
        value = activation.f(s)
        delta = dh * gate * activation.df(s, value)
        gate_delta = dh * gate * (1 - gate) * (value - h)
        grads = _grads(delta, h) | {f"gate_{k}": v for k, v in _grads(gate_delta, h).items()}
        below = weights["weight"].T @ delta + weights["gate_weight"].T @ gate_delta
        return below + (1 - gate) * dh, grads

    delta = delta.T
    rows = (tree["layers"], traces.h, traces.s, traces.gate)
    dh, layers = lax.scan(layer, tree["output"]["weight"].T @ delta, rows, reverse=True)
    first = dh * activation.df(traces.first, activation.f(traces.first))
    return {
        "params": {
            "first": _grads(first, traces.x),
            "layers": layers,
            "output": _grads(delta, traces.last),
        }
    }


def _grads(delta: Array, x: Array) -> dict[str, Array]:
    return {"weight": delta @ x.T, "bias": jnp.sum(delta, axis=1)}
