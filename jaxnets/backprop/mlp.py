"""Back-propagation by hand for perceptrons, plain and residual (row D1; lectures L0, L1 and L2).

Rumelhart, Hinton and Williams (1986). With samples as columns, forward: `s = W x + b`,
`x' = sigma(s)`. Backward, with `delta = dE/ds`: `dW = delta x^T`, `db = delta 1`,
`dE/dx = W^T delta`, then `delta = sigma'(s) . dE/dx`. Dropout sets values to 0
and divides the others by `1 - rate`, the same in both passes.
"""

from typing import Any, NamedTuple

import jax.numpy as jnp
from jax import Array

from jaxnets.activations import get_activation
from jaxnets.models.dropout import draw_mask, drop
from jaxnets.models.mlp import MLP, affine, layer_names


class Trace(NamedTuple):
    """Holds what one layer saves in the forward pass, `[units, batch]` each."""

    x: Array
    """The input of the layer."""
    s: Array
    """The pre-activation `W x + b`."""
    value: Array
    """The activation `sigma(s)`."""
    mask: Array | None = None
    """Which values dropout left; None for all."""


def forward(model: MLP, params: Any, x: Array) -> tuple[Array, list[Trace]]:
    """Computes the outputs `[batch, outputs]`, and the trace of each layer for `backward`."""
    activation = get_activation(model.activation)
    *hidden, last = (params["params"][name] for name in layer_names(len(model.widths)))
    h, traces = x.T, []
    for layer in hidden:
        s = affine(layer["weight"], layer["bias"], h)
        value = activation.f(s)
        traces.append(Trace(h, s, value, draw_mask(model, model.dropout, value.shape)))
        value = drop(value, traces[-1].mask, model.dropout)
        h = h + value if _has_bypass(model, traces[-1]) else value
    s = affine(last["weight"], last["bias"], h)
    return s.T, [*traces, Trace(h, s, s)]


def backward(model: MLP, params: Any, traces: list[Trace], delta: Array) -> Any:
    """Computes the gradients, in the tree of `params`, from `delta [batch, outputs]`.

    `delta` is the derivative with respect to the outputs.
    """
    return backward_to_inputs(model, params, traces, delta)[0]


def backward_to_inputs(
    model: MLP, params: Any, traces: list[Trace], delta: Array
) -> tuple[Any, Array]:
    """Computes the gradients as `backward` does, and `dE/dx [features, batch]`."""
    activation = get_activation(model.activation)
    *hidden, last = layer_names(len(model.widths))
    tree = params["params"]
    delta = delta.T
    grads = {last: _affine_grads(traces[-1], delta)}
    dh = tree[last]["weight"].T @ delta
    for name, trace in reversed(list(zip(hidden, traces, strict=False))):
        delta = drop(dh, trace.mask, model.dropout) * activation.df(trace.s, trace.value)
        grads[name] = _affine_grads(trace, delta)
        dx = tree[name]["weight"].T @ delta
        dh = dx + dh if _has_bypass(model, trace) else dx
    return {"params": grads}, dh


def _affine_grads(trace: Trace, delta: Array) -> dict[str, Array]:
    return {"weight": delta @ trace.x.T, "bias": jnp.sum(delta, axis=1)}


def _has_bypass(model: MLP, trace: Trace) -> bool:
    return model.residual and trace.x.shape[0] == trace.value.shape[0]
