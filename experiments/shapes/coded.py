"""Coded shapes for several seeds at once: training, values on a grid, and meshes."""

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array, lax

import jaxnets as jn
from jaxnets import meshes
from jaxnets.data import Dataset
from jaxnets.losses import AnyLoss
from jaxnets.meshes import Mesh
from jaxnets.models import CodedShapes
from jaxnets.storage.checkpoints import CheckpointConfig
from jaxnets.training.optimizers import adam_cosine

BATCH = 1024


def decoder(width: int, depth: int) -> jn.MLP:
    """Builds the ReLU network that is given a code and a point."""
    return jn.MLP((width,) * depth, activation="relu")


def numbered(points: list[np.ndarray], distances: list[np.ndarray]) -> Dataset:
    """Joins the points `[n, 3]` and distances `[n]` of each shape, with the number of the shape."""
    numbers = np.repeat(np.arange(len(points), dtype=np.float32), [len(p) for p in points])
    x = np.concatenate([numbers[:, None], np.concatenate(points)], axis=1)
    return Dataset({"x": x, "y": np.concatenate(distances)[:, None].astype(np.float32)})


def train(
    model: Any,
    loss: AnyLoss,
    data: Dataset,
    keys: Array,
    steps: int,
    learning_rate: float,
    checkpoints: CheckpointConfig | None = None,
) -> tuple[Any, np.ndarray]:
    """Trains a network for each key by Adam, at a rate that falls to 0, in whole epochs.

    Returns:
        The params with the leading axis `[keys]`, and the last training losses `[keys]`.
    """
    samples = len(data.train["x"])
    batch = min(BATCH, samples)
    epochs = max(1, round(steps * batch / samples))
    optimiser = adam_cosine(epochs * -(-samples // batch))
    spec = jn.TrainSpec(model, loss, epochs, batch, optimiser, record_every=epochs)
    states, history = jn.sweep(
        spec, keys, data, {"learning_rate": learning_rate}, progress=True, checkpoints=checkpoints
    )
    return states.params, history["train_loss"][:, -1]


@partial(jax.jit, static_argnums=(0, 3))
def values(model: CodedShapes, params: Any, code: Array, n: int) -> Array:
    """Computes the distances of a code on the points of `meshes.grid(n)`, `[n, n, n]`."""
    slabs = jnp.asarray(meshes.grid(n)).reshape(n, n * n, 3)
    found = lax.map(lambda points: model.distances(params, code, points), slabs)
    return found.reshape(n, n, n)


def mesh(model: CodedShapes, params: Any, code: Array, n: int) -> Mesh | None:
    """Builds the mesh of a code by marching cubes; None where there is no surface."""
    found = np.asarray(values(model, params, code, n))
    return meshes.march(found) if found.min() < 0 < found.max() else None


def holes(shape: Mesh | None) -> np.ndarray:
    """Counts the handles of the largest piece and the pieces, `[2]`; NaN without a surface."""
    if shape is None:
        return np.full(2, np.nan)
    found = meshes.genus(shape)
    return np.asarray([found[0], len(found)], float)


def is_whole(found: np.ndarray, genus: int) -> np.ndarray:
    """Tells whether `holes` found one piece of that genus, as 0 or 1, or NaN without a surface."""
    right = (found == np.asarray([genus, 1])).all(axis=-1)
    return np.where(np.isnan(found).any(axis=-1), np.nan, right)
