"""Gradients by hand: a drop-in for `jax.value_and_grad` without autodiff (row D1)."""

from collections.abc import Callable
from typing import Any

import flax.linen as nn
import jax
from jax import Array

from jaxnets.backprop import cnn, coded_shapes, highway, mlp, word_net
from jaxnets.host import checks
from jaxnets.losses import get_loss
from jaxnets.models import CNN, MLP, CodedShapes, Highway, ResidualMLP, WordNet
from jaxnets.objective import Batch, Objective, Params, metrics_of, penalty_grad, shares

__all__ = ["value_and_grad"]

FAMILIES: dict[type, Any] = {
    MLP: mlp,
    ResidualMLP: mlp,
    Highway: highway,
    CNN: cnn,
    WordNet: word_net,
    CodedShapes: coded_shapes,
}
"""Model class to the module of its `forward` and `backward`."""


def value_and_grad(objective: Objective, has_aux: bool = True) -> Callable:
    """Builds `(params, batch, key) -> ((E, metrics), grads)` with every derivative by hand.

    It is called like `jax.value_and_grad(objective, has_aux=True)` and returns the same; with
    `has_aux=False` it returns `(E, grads)`.

    Args:
        objective: whose model is an `MLP`, `ResidualMLP`, `Highway`, `CNN`, `WordNet` or
            `CodedShapes`.
        has_aux: whether to return the metrics.

    Raises:
        TypeError: a model that has no backward pass here.

    Example:
        >>> import jax, jax.numpy as jnp, jaxnets as jn
        >>> objective = jn.Objective(jn.MLP((4,), 1, "tanh"), "squared_error")
        >>> batch = {"x": jnp.ones((5, 2)), "y": jnp.ones((5, 1))}
        >>> params = objective.model.init(jax.random.key(0), batch["x"])
        >>> (value, metrics), grads = value_and_grad(objective)(params, batch)
        >>> by_jax = jax.grad(lambda p: objective(p, batch)[0])(params)
        >>> layer = by_jax["params"]["output"]
        >>> bool(jnp.allclose(grads["params"]["output"]["bias"], layer["bias"]))
        True
    """
    family = FAMILIES.get(type(objective.model))
    if family is None:
        known = ", ".join(cls.__name__ for cls in FAMILIES)
        raise TypeError(
            f"no backward pass by hand for {type(objective.model).__name__} (only for {known}): "
            "use jax.value_and_grad"
        )
    loss = get_loss(objective.loss)

    def evaluate(params: Params, batch: Batch, key: Array | None = None) -> tuple:
        of_words = isinstance(objective.model, WordNet)
        as_x = checks.as_array if of_words else checks.as_inputs
        batch = batch | {"x": as_x(batch["x"], "x"), "y": checks.as_array(batch["y"], "y")}
        jax.eval_shape(lambda: objective.model.apply(params, batch["x"]))  # for its checks
        outputs, traces, changed = _forward(family, objective.model, params, batch["x"], key)
        weight = batch.get("weight")
        metrics = metrics_of(loss, outputs, batch["y"], weight)
        delta = loss.grad(outputs, batch["y"])
        delta = delta / len(outputs) if weight is None else delta * shares(weight)[:, None]
        grads = family.backward(objective.model, params, traces, delta)
        if objective.penalised:
            penalty = penalty_grad(params, objective.l1, objective.l2)
            grads = jax.tree.map(jax.numpy.add, grads, penalty)
        grads = jax.tree.map(lambda grad, leaf: grad.astype(leaf.dtype), grads, params)
        value = metrics["loss"] + objective.penalty(params)
        metrics = metrics | {"collections": changed} if changed else metrics
        return ((value, metrics) if has_aux else value), grads

    return evaluate


def _forward(family: Any, model: Any, params: Params, x: Array, key: Array | None) -> tuple:
    """Computes the outputs, what is saved for the backward pass, and collections that change.

    In training the model is bound to its variables, as in Flax's own `apply`: layers then draw
    the same masks, and write their statistics.
    """
    if key is None:
        return *family.forward(model, params, x), {}
    forward = nn.apply(
        lambda bound: family.forward(bound, params, x), model, [*params.keys() - {"params"}]
    )
    (outputs, traces), changed = forward(params, rngs={"dropout": key})
    return outputs, traces, changed
