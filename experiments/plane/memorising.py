"""How many random labels networks and Gaussian kernels fit on the same points."""

from collections.abc import Sequence
from typing import Any

import jax
import numpy as np
from jax import Array
from sklearn.linear_model import RidgeClassifier
from sklearn.metrics.pairwise import rbf_kernel

import jaxnets as jn
from jaxnets.data import Dataset
from jaxnets.data.toy import random_points
from jaxnets.parallel.rows import parallel_map
from jaxnets.training.optimizers import adam_cosine

G = 200.0


def draw_points(config: Any, key: Array) -> dict[str, Array]:
    """Draws the most points and labels that any network learns, `[seeds, points, ...]`."""
    draw = jax.jit(jax.vmap(lambda key: random_points(key, max(config.points))))
    return draw(jax.random.split(key, config.seeds))


def curves(
    config: Any,
    key: Array,
    drawn: dict[str, Array],
    depth: int,
    widths: tuple[int, ...],
    points: int,
) -> np.ndarray:
    """Trains networks on the first points drawn: accuracies `[widths, seeds, records]`."""
    spec = jn.TrainSpec(
        jn.MLP((max(widths),) * depth, activation=config.activation),
        "binary_cross_entropy",
        config.updates,
        optimizer=adam_cosine(config.updates),
        record_every=config.updates // config.records,
    )

    def one(row: dict[str, Array]) -> Array:
        part = {name: row[name][:points] for name in "xy"}
        hparams = {"learning_rate": config.learning_rate, "width": row["width"]}
        return jn.train(spec, row["key"], Dataset(part), hparams)[1]["train_accuracy"]

    rows = jn.grid(width=widths, seed=range(config.seeds))
    seed = rows.pop("seed")
    rows |= {name: values[seed] for name, values in drawn.items()}
    rows["key"] = jax.random.split(key, len(seed))
    found = np.asarray(parallel_map(one, rows, group=4))
    return found.reshape(len(widths), config.seeds, config.records)


def kernel_accuracies(config: Any, key: Array, drawn: dict[str, Array]) -> np.ndarray:
    """Computes training accuracies `[points, sides, penalties, kernels, seeds]` of kernels."""
    draw = jax.vmap(lambda key: random_points(key, max(config.kernels))["x"])
    keys = jax.random.split(key, config.seeds)
    drawn, centres = jax.device_get((drawn, jax.jit(draw)(keys)))
    found = [
        [
            [
                [
                    rbf_accuracies(x[:n], y[:n], at[:k], G * (side / 2) ** 2, config.penalties)
                    for side in config.sides
                ]
                for x, y, at in zip(drawn["x"], drawn["y"], centres, strict=True)
            ]
            for k in config.kernels
        ]
        for n in config.points
    ]
    return np.asarray(found).transpose(0, 3, 4, 1, 2)


def rbf_accuracies(
    x: np.ndarray, y: np.ndarray, centres: np.ndarray, g: float, penalties: Sequence[float]
) -> list[float]:
    """Fits a linear classifier on Gaussian features: an accuracy for each penalty.

    The features are exp(-g |x_n - c_k|^2) of points `[n, 2]` and centres `[k, 2]`; weights and bias
    have the least mean of (f(x_n) - y_n)^2, y in {-1, 1}, plus the penalty times |w|^2.
    """
    features = rbf_kernel(x.astype(np.float64), centres.astype(np.float64), gamma=g)
    machines = [RidgeClassifier(alpha=penalty * len(x)) for penalty in penalties]
    return [machine.fit(features, y).score(features, y) for machine in machines]


def weights(layers: int, units: int) -> int:
    """Counts the weights and biases of a network with two inputs and one output."""
    return 3 * units + (layers - 1) * units * (units + 1) + units + 1


def first_record_at(found: np.ndarray, level: np.ndarray) -> np.ndarray:
    """Finds the first record, from 1, at which `found [..., records]` reaches `level [...]`.

    It is the number of records plus one if none does.
    """
    reached = found >= level[..., None]
    return np.where(reached.any(axis=-1), reached.argmax(axis=-1), found.shape[-1]) + 1
