"""Hidden layers whose linear pieces are counted: as drawn, or after training on a problem."""

from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

import jaxnets as jn
from jaxnets.analysis import linear_regions as regions
from jaxnets.analysis.linear_regions import Layer
from jaxnets.data import Dataset, toy
from jaxnets.parallel.rows import parallel_map
from jaxnets.training.optimizers import adam_cosine

from .region_boundaries import BATCH, LEARNING_RATE, LOSS

STRIPES = 8
"""On the line, with alternating labels."""


class Biased(jn.MLP):
    """An MLP whose hidden biases are drawn with the standard deviation `bias`."""

    bias: float = 1.0

    def init(self, key: Array, x: Array) -> Any:
        """Draws the params for samples like x."""
        layers = dict(super().init(key, x)["params"])
        hidden = sorted(layers.keys() - {"output"})
        for name, own in zip(hidden, jax.random.split(key, len(hidden)), strict=True):
            drawn = self.bias * jax.random.normal(own, layers[name]["bias"].shape)
            layers[name] = layers[name] | {"bias": drawn}
        return {"params": layers}


def random(
    config: Any, choice: np.random.Generator, widths: Sequence[int], inputs: int
) -> list[list[Layer]]:
    """Draws the hidden layers of `config.seeds` networks."""
    return [random_layers(choice, widths, inputs, config.bias) for _ in range(config.seeds)]


def random_layers(
    choice: np.random.Generator, widths: Sequence[int], inputs: int, bias: float
) -> list[Layer]:
    """Draws hidden layers with He's weights and normal biases of that standard deviation."""
    fans = zip((inputs, *widths), widths, strict=False)
    return [
        (choice.normal(size=(m, n)) * (2 / n) ** 0.5, bias * choice.normal(size=m)) for n, m in fans
    ]


def trained(
    config: Any, choice: np.random.Generator, widths: Sequence[int], inputs: int
) -> list[list[Layer]]:
    """Trains `config.seeds` networks, each on its own samples of stripes or spirals."""
    spec = jn.TrainSpec(
        Biased(tuple(widths), 1, "relu", bias=config.bias),
        LOSS,
        config.epochs,
        BATCH,
        adam_cosine(config.epochs * -(-config.samples // BATCH)),
        record_every=config.epochs,
    )

    def one(key: Array) -> Any:
        data_key, train_key = jax.random.split(key)
        data = Dataset(PROBLEMS[inputs](data_key, config.samples, noise=config.noise))
        return jn.train(spec, train_key, data, {"learning_rate": LEARNING_RATE})[0].params

    keys = jax.random.split(jax.random.key(choice.integers(2**31)), config.seeds)
    found = jax.device_get(parallel_map(one, keys, group=4))
    networks = [jax.tree.map(lambda a, i=i: a[i], found) for i in range(config.seeds)]
    return [regions.layers_of(params)[:-1] for params in networks]


def stripes(key: Array, n: int, noise: float) -> toy.Points:
    """Draws points of the line from -1 to 1, labelled in turn 0 and 1 in `STRIPES` intervals."""
    point_key, noise_key = jax.random.split(key)
    x = jax.random.uniform(point_key, (n, 1), minval=-1, maxval=1)
    label = jnp.floor((x[:, 0] + 1) * STRIPES / 2).astype(jnp.int32) % 2
    return {"x": x + noise * jax.random.normal(noise_key, x.shape), "y": label}


PROBLEMS: dict[int, Callable[..., toy.Points]] = {1: stripes, 2: toy.spirals}
"""What networks learn, by the number of inputs."""
NETWORKS = {"random": random, "trained": trained}
