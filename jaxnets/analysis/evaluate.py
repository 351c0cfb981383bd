"""Predictions and accuracies of trained networks."""

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from jaxnets.losses import Loss, get_loss
from jaxnets.objective import outputs_of


def predictions(model: Any, loss: str | Loss, params: Any, x: Any) -> Array:
    """Predicts the targets of samples `[samples, ...]`: labels for a classifier, else means."""
    return _predictions(model, loss, params, jnp.asarray(x))


@partial(jax.jit, static_argnums=(0, 1))
def _predictions(model: Any, loss: str | Loss, params: Any, x: Array) -> Array:
    return get_loss(loss).predict(outputs_of(model, params, x))


def accuracy(model: Any, loss: str | Loss, params: Any, part: dict[str, Any]) -> Array:
    """Returns the fraction of the samples of `{"x", "y"}` whose label is predicted."""
    return jnp.mean(predictions(model, loss, params, part["x"]) == jnp.asarray(part["y"]))


def all_predictions(model: Any, loss: str | Loss, params: Any, x: Any) -> np.ndarray:
    """Computes `predictions` of many networks, `[networks, samples]`, stacked as by `sweep`."""
    return np.asarray(_all_predictions(model, loss, params, jnp.asarray(x)))


@partial(jax.jit, static_argnums=(0, 1))
def _all_predictions(model: Any, loss: str | Loss, params: Any, x: Array) -> Array:
    return jax.lax.map(lambda params: predictions(model, loss, params, x), params)


def accuracies(model: Any, loss: str | Loss, params: Any, part: dict[str, Any]) -> np.ndarray:
    """Computes the accuracy of each of many networks, `[networks]`, stacked as by `sweep`."""
    found = all_predictions(model, loss, params, part["x"])
    return np.mean(found == np.asarray(part["y"]), axis=1)


def plane(limits: tuple[float, float, float, float], steps: int) -> np.ndarray:
    """Returns the points of a `steps x steps` grid, `[steps^2, 2]`, row by row from bottom left.

    `limits` is `(left, right, bottom, top)`; reshape a map of them to `[steps, steps]`.
    """
    left, right, bottom, top = limits
    x1, x2 = np.meshgrid(np.linspace(left, right, steps), np.linspace(bottom, top, steps))
    return np.stack([x1.ravel(), x2.ravel()], axis=1).astype(np.float32)
