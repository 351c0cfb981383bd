"""Two classifiers of small images, and their training over many seeds."""

from collections.abc import Callable
from typing import Any

import jax
from jax import Array

import jaxnets as jn
from jaxnets.data import Dataset
from jaxnets.models import CNN, Activate, Conv, Dense, Flatten, MaxPool, small_cnn
from jaxnets.training.optimizers import adam_cosine

LOSS = "softmax_cross_entropy"


def mlp() -> CNN:
    """Returns an MLP with two hidden layers of 100 units for images."""
    layers = (Dense(100), Activate("relu"), Dense(100), Activate("relu"), Dense(10, "lecun"))
    return CNN((Flatten(), *layers))


def cnn(name: str) -> CNN:
    """Returns L2's network for "mnist", else a small one for the digits' 8 x 8 images."""
    if name == "mnist":
        return small_cnn()
    layers = (Conv(32, 3), Activate("relu"), MaxPool(2), Flatten())
    return CNN((*layers, Dense(64), Activate("relu"), Dense(10, "lecun")))


def adam_cosine_spec(
    model: Any,
    loss: str,
    epochs: int,
    batch_size: int,
    data: Dataset,
    augment: Callable | None = None,
) -> jn.TrainSpec:
    """Returns a spec for Adam whose rate falls to zero at the end of the last epoch."""
    steps = epochs * -(-len(data.train["y"]) // batch_size)
    return jn.TrainSpec(model, loss, epochs, batch_size, adam_cosine(steps), augment=augment)


def train(
    config: Any,
    key: Array,
    data: Dataset,
    model: CNN,
    augment: Callable | None = None,
    checkpoints: jn.CheckpointConfig | None = None,
) -> Any:
    """Trains one network per seed with `adam_cosine_spec` and returns the params `[seeds, ...]`.

    `config` has `seeds`, `epochs`, `batch_size` and `learning_rate`.
    """
    spec = adam_cosine_spec(model, LOSS, config.epochs, config.batch_size, data, augment)
    keys, hparams = jax.random.split(key, config.seeds), {"learning_rate": config.learning_rate}
    states, _ = jn.sweep(
        spec, keys, Dataset(data.train), hparams, progress=True, checkpoints=checkpoints
    )
    return states.params
