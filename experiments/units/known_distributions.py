"""Targets from known distributions, one for each output unit, and what networks learn from them.

The parameters of every distribution are smooth functions of x in [-1, 1], written here in closed
form, so that a trained network is compared with the truth, not with more data.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from scipy import special

import jaxnets as jn
from jaxnets.data import Dataset
from jaxnets.output_units import OUTPUT_UNITS
from jaxnets.training.optimizers import adam_cosine

X = np.linspace(-1, 1, 200, dtype=np.float32)[:, None]
"""Where networks are compared with the truth, spread evenly like the samples."""


class Known(NamedTuple):
    """A distribution of targets given x, whose parameters an output unit learns."""

    outputs: int
    truth: Callable[[np.ndarray], np.ndarray]
    """`x [..., 1]` to the parameters `[..., k]`."""
    draw: Callable[[np.random.Generator, np.ndarray], np.ndarray]
    """`(random, x [..., 1])` to targets."""
    read: Callable[[Any], Array] = lambda parameters: parameters
    """What the unit's link returns to parameters `[..., k]`."""


def mean(x: np.ndarray) -> np.ndarray:
    """Computes the mean of the Gaussian target, `[..., 1]`."""
    return np.sin(np.pi * x)


def deviation(x: np.ndarray) -> np.ndarray:
    """Computes the standard deviation of the Gaussian target, `[..., 1]`: from 0.05 to 0.45."""
    return 0.25 + 0.2 * np.cos(np.pi * x)


def logits(x: np.ndarray) -> np.ndarray:
    """Computes the logits of three classes or labels, `[..., 3]`; a single label has the first."""
    return 2 * np.concatenate([np.sin(np.pi * x), np.cos(np.pi * x), -x], axis=-1)


def draw_gaussian(random: np.random.Generator, x: np.ndarray) -> np.ndarray:
    """Draws real targets `[..., 1]`."""
    return mean(x) + deviation(x) * random.normal(size=x.shape)


def draw_class(random: np.random.Generator, x: np.ndarray) -> np.ndarray:
    """Draws one of three classes, `[...]`: that of the largest logit plus Gumbel noise."""
    scores = logits(x)
    return (scores + random.gumbel(size=scores.shape)).argmax(axis=-1)


def draw_labels(random: np.random.Generator, x: np.ndarray) -> np.ndarray:
    """Draws three labels, 0 or 1 independently of each other, `[..., 3]`."""
    p = special.expit(logits(x))
    return (random.uniform(size=p.shape) < p).astype(np.int32)


KNOWN = {
    "linear": Known(1, mean, draw_gaussian, lambda parameters: parameters[0]),
    "gaussian": Known(
        2,
        lambda x: np.concatenate([mean(x), deviation(x)], axis=-1),
        draw_gaussian,
        lambda parameters: jnp.concatenate([parameters[0], jnp.sqrt(parameters[1])], axis=-1),
    ),
    "sigmoid": Known(
        1,
        lambda x: special.expit(logits(x)[..., :1]),
        lambda random, x: draw_labels(random, x)[..., 0],
    ),
    "softmax": Known(3, lambda x: special.softmax(logits(x), axis=-1), draw_class),
    "multilabel": Known(3, lambda x: special.expit(logits(x)), draw_labels),
}
"""A row for each of `OUTPUT_UNITS`."""


def learn(config: Any, name: str, key: Array, random: np.random.Generator) -> np.ndarray:
    """Trains perceptrons with an output unit; returns their parameters at X, `[seeds, points, k]`.

    Every seed draws its own data and initial weights; all train in one program. `config` has
    `seeds`, `samples`, `units`, `epochs`, `batch_size` and `learning_rate`.
    """
    known, unit = KNOWN[name], OUTPUT_UNITS[name]
    model = jn.MLP((config.units,), known.outputs)
    steps = config.epochs * -(-config.samples // config.batch_size)
    spec = jn.TrainSpec(
        model,
        unit.loss,
        config.epochs,
        config.batch_size,
        adam_cosine(steps),
        record_every=config.epochs,
    )

    def one(key: Array, x: Array, y: Array) -> Array:
        data = Dataset({"x": x, "y": y})
        state, _ = jn.train(spec, key, data, {"learning_rate": config.learning_rate})
        return known.read(unit.link(model.apply(state.params, X)))

    x = random.uniform(-1, 1, (config.seeds, config.samples, 1)).astype(np.float32)
    y = jnp.asarray(known.draw(random, x))
    return np.asarray(jax.jit(jax.vmap(one))(jax.random.split(key, config.seeds), x, y))


def reliability(
    predicted: np.ndarray, true: np.ndarray, groups: int = 10
) -> tuple[np.ndarray, np.ndarray]:
    """Averages predicted and true probabilities over groups of points, `[seeds, groups]` each.

    `predicted [seeds, points, k]`, `true [points, k]`. The groups of a seed have equal sizes and
    are in the order of its predictions.
    """
    flat = predicted.reshape(len(predicted), -1)
    order = np.argsort(flat, axis=1)
    in_order = np.take_along_axis(flat, order, axis=1), true.ravel()[order]
    first, second = (a.reshape(len(flat), groups, -1).mean(axis=2) for a in in_order)
    return first, second
