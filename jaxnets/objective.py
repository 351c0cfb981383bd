"""What a training minimises: the mean loss of a model on a batch, plus penalties."""

from dataclasses import dataclass
from functools import partial
from typing import Any

import jax.numpy as jnp
from jax import Array, lax

from jaxnets.losses import Loss, get_loss, l1_penalty, l2_penalty

Params = Any
Batch = dict[str, Array]
Metrics = dict[str, Array]
BLOCK = 500
"""Samples evaluated at a time."""


def metrics_of(loss: Loss, outputs: Array, targets: Array) -> Metrics:
    """The mean loss of a batch and, for a classifier, its accuracy."""
    metrics = {"loss": jnp.mean(loss.value(outputs, targets))}
    if loss.classifies:
        metrics["accuracy"] = jnp.mean(loss.predict(outputs) == targets)
    return metrics


def outputs_of(model: Any, params: Params, x: Array) -> Array:
    """The outputs of all samples `[samples, ...]`, computed in blocks that fit into a cache.

    A convolutional network keeps 30 times its input between two layers; 10,000 images at once
    would leave the cache, and small devices their memory.
    """
    blocks = x[: len(x) - len(x) % BLOCK].reshape(-1, BLOCK, *x.shape[1:])
    if len(blocks) < 2:
        return model.apply(params, x)
    outputs = lax.map(partial(model.apply, params), blocks)
    outputs = outputs.reshape(-1, *outputs.shape[2:])
    if len(outputs) == len(x):
        return outputs
    return jnp.concatenate([outputs, model.apply(params, x[len(outputs) :])])


@dataclass(frozen=True)
class Objective:
    """`E(w) = 1/N sum_n E_n(w) + l1 sum |w| + l2 ||w||^2`, called as `(params, batch, key)`.

    Returns `(E, metrics)`, so that `jax.value_and_grad(objective, has_aux=True)` and
    `jaxnets.backprop.value_and_grad(objective, has_aux=True)` are interchangeable. `metrics` has
    the mean loss without penalties and, for a classifier, the accuracy. The coefficients of the
    penalties may be traced; a coefficient of Python 0 costs nothing.
    """

    model: Any
    loss: str | Loss
    l1: Array | float = 0.0
    l2: Array | float = 0.0

    def __call__(self, params: Params, batch: Batch, key: Array | None = None) -> tuple:
        """The objective on `batch = {"x": [batch, ...], "y": targets}`, and its metrics.

        A key is for what the model draws while it trains (`jaxnets.models.Dropout`).
        """
        rngs = None if key is None else {"dropout": key}
        outputs = self.model.apply(params, batch["x"], rngs=rngs)
        metrics = metrics_of(get_loss(self.loss), outputs, batch["y"])
        return metrics["loss"] + self.penalty(params), metrics

    @property
    def penalised(self) -> bool:
        """Whether there is a penalty: a coefficient that is traced or not zero."""
        return not all(isinstance(c, int | float) and c == 0 for c in (self.l1, self.l2))

    def penalty(self, params: Params) -> Array | float:
        """`l1 sum |w| + l2 ||w||^2`."""
        if not self.penalised:
            return 0.0
        return self.l1 * l1_penalty(params) + self.l2 * l2_penalty(params)
