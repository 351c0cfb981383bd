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

    Example:
        >>> import jax, jaxnets as jn
        >>> model, x = jn.MLP((4,), 3), jax.numpy.ones((5, 2))
        >>> predictions(model, "softmax_cross_entropy", model.init(jax.random.key(0), x), x).shape
        (5,)
    """
    get_loss(loss)
    return _predictions(model, loss, params, jnp.asarray(as_samples(model, x, "x")))


@partial(jax.jit, static_argnums=(0, 1))
def _predictions(model: Any, loss: AnyLoss, params: Any, x: Array) -> Array:
    return get_loss(loss).predict(outputs_of(model, params, x))


def accuracy(model: Any, loss: AnyLoss, params: Any, part: dict[str, Any]) -> Array:
    """Returns the fraction of `{"x": [samples, ...], "y": [samples]}` whose label is predicted.

    Samples with weights, `{"x", "y", "weight"}`, count by them.

    Raises:
        ValueError, TypeError: a part that `fit` would refuse, or a loss that does not classify.

    Example:
        >>> import jax, numpy as np, jaxnets as jn
        >>> model, part = jn.MLP((4,), 3), {"x": np.ones((5, 2)), "y": np.zeros(5, int)}
        >>> params = model.init(jax.random.key(0), part["x"])
        >>> float(accuracy(model, "softmax_cross_entropy", params, part)) in (0.0, 1.0)
        True
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

    Example:
        >>> import jax, jaxnets as jn
        >>> model, x = jn.MLP((4,), 3), jax.numpy.ones((5, 2))
        >>> keys = jax.random.split(jax.random.key(0), 6)
        >>> params = jax.vmap(lambda key: model.init(key, x))(keys)
        >>> all_predictions(model, "softmax_cross_entropy", params, x).shape
        (6, 5)
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

    Example:
        >>> import jax, numpy as np, jaxnets as jn
        >>> model, part = jn.MLP((4,), 3), {"x": np.ones((5, 2)), "y": np.zeros(5, int)}
        >>> keys = jax.random.split(jax.random.key(0), 6)
        >>> params = jax.vmap(lambda key: model.init(key, part["x"]))(keys)
        >>> accuracies(model, "softmax_cross_entropy", params, part).shape
        (6,)
    """
    part = _labelled(model, loss, part)
    found = np.asarray(_all_predictions(model, loss, params, jnp.asarray(part["x"])))
    each = np.mean((found == part["y"]).reshape(*found.shape[:2], -1), axis=2)
    return np.average(each, axis=1, weights=part.get("weight"))


def plane(limits: tuple[float, float, float, float], steps: int) -> np.ndarray:
    """Returns the points of a `steps x steps` grid, `[steps^2, 2]`, row by row from bottom left.

    `limits` is `(left, right, bottom, top)`; reshape a map of them to `[steps, steps]`.

    Example:
        >>> plane((0.0, 1.0, 0.0, 2.0), 2).tolist()
        [[0.0, 0.0], [1.0, 0.0], [0.0, 2.0], [1.0, 2.0]]
    """
    left, right, bottom, top = limits
    x1, x2 = np.meshgrid(np.linspace(left, right, steps), np.linspace(bottom, top, steps))
    return np.stack([x1.ravel(), x2.ravel()], axis=1).astype(np.float32)
