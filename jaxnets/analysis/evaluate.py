"""Predictions and accuracies of trained networks.

Samples and labels are converted and checked as `fit` does: uint8 pixels are divided by 255.
"""

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from jaxnets.losses import AnyLoss, get_loss
from jaxnets.objective import as_part, as_samples, outputs_of, shares


def predictions(model: Any, loss: AnyLoss, params: Any, x: Any) -> Array:
    """Predicts the targets of samples `[samples, ...]`: labels for a classifier, else means.

    Raises:
        ValueError, TypeError: samples that `fit` would refuse.
    """
    get_loss(loss)
    return _predictions(model, loss, params, jnp.asarray(as_samples(model, x, "x")))


@partial(jax.jit, static_argnums=(0, 1))
def _predictions(model: Any, loss: AnyLoss, params: Any, x: Array) -> Array:
    return get_loss(loss).predict(outputs_of(model, params, x))


def accuracy(model: Any, loss: AnyLoss, params: Any, part: dict[str, Any]) -> Array:
    """Returns the fraction of the samples of `{"x", "y"}` whose label is predicted.

    Samples with weights, `{"x", "y", "weight"}`, count by them.

    Raises:
        ValueError, TypeError: a part that `fit` would refuse, or a loss that does not classify.
    """
    part = _labelled(model, loss, part)
    right = _predictions(model, loss, params, jnp.asarray(part["x"])) == part["y"]
    each = jnp.mean(right.reshape(len(right), -1), axis=1)
    return jnp.mean(right) if "weight" not in part else jnp.sum(each * shares(part["weight"]))


def _labelled(model: Any, loss: AnyLoss, part: dict[str, Any]) -> dict[str, Any]:
    if not get_loss(loss).classifies:
        raise ValueError(f"{loss!r} predicts numbers, not labels: it has no accuracy")
    return as_part(model, loss, part, "part")


def all_predictions(model: Any, loss: AnyLoss, params: Any, x: Any) -> np.ndarray:
    """Computes `predictions` of many networks, `[networks, samples]`, stacked as by `sweep`.

    Raises:
        ValueError, TypeError: as in `predictions`.
    """
    get_loss(loss)
    x = jnp.asarray(as_samples(model, x, "x"))
    return np.asarray(_all_predictions(model, loss, params, x))


@partial(jax.jit, static_argnums=(0, 1))
def _all_predictions(model: Any, loss: AnyLoss, params: Any, x: Array) -> Array:
    return jax.lax.map(lambda params: _predictions(model, loss, params, x), params)


def accuracies(model: Any, loss: AnyLoss, params: Any, part: dict[str, Any]) -> np.ndarray:
    """Computes the accuracy of each of many networks, `[networks]`, stacked as by `sweep`.

    Raises:
        ValueError, TypeError: as in `accuracy`.
    """
    part = _labelled(model, loss, part)
    found = np.asarray(_all_predictions(model, loss, params, jnp.asarray(part["x"])))
    each = np.mean((found == part["y"]).reshape(*found.shape[:2], -1), axis=2)
    return np.average(each, axis=1, weights=part.get("weight"))


def plane(limits: tuple[float, float, float, float], steps: int) -> np.ndarray:
    """Returns the points of a `steps x steps` grid, `[steps^2, 2]`, row by row from bottom left.

    `limits` is `(left, right, bottom, top)`; reshape a map of them to `[steps, steps]`.
    """
    left, right, bottom, top = limits
    x1, x2 = np.meshgrid(np.linspace(left, right, steps), np.linspace(bottom, top, steps))
    return np.stack([x1.ravel(), x2.ravel()], axis=1).astype(np.float32)
