"""Back-propagation by hand through the lectures' network of words in context (rows C7, D1).

Forward: `v = mean of the window's rows of W`, `h = sigma(v)`, `z = h W'`. Backward, with
`delta = dE/dz`: `dW' = h^T delta`, `dE/dv = h (1 - h) (delta W'^T)`, and each row of `W` in a
window of `n` words gets `dE/dv / n` for each of its occurrences.
"""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import Array

from jaxnets.models.word_net import WordNet, window_mean


class Trace(NamedTuple):
    """Holds what the forward pass saves for `backward`."""

    x: Array
    """The contexts `[batch, window]`."""
    h: Array
    """The hidden units `[batch, dimensions]`."""


def forward(model: WordNet, params: Any, x: Array) -> tuple[Array, Trace]:
    """Computes the logits `[batch, words]`, and the trace for `backward`."""
    weights = params["params"]
    h = jax.nn.sigmoid(window_mean(weights["embedding"], x))
    return h @ weights["output"], Trace(x, h)


def backward(model: WordNet, params: Any, trace: Trace, delta: Array) -> Any:
    """Computes the gradients, in the tree of `params`, from `delta [batch, words]`.

    `delta` is the derivative with respect to the logits.
    """
    weights, (x, h) = params["params"], trace
    dv = h * (1 - h) * (delta @ weights["output"].T)
    present = x >= 0
    share = dv / jnp.maximum(present.sum(1, keepdims=True), 1)
    each = present[..., None] * share[:, None]
    embedding = jnp.zeros_like(weights["embedding"]).at[x].add(each)
    return {"params": {"embedding": embedding, "output": h.T @ delta}}
