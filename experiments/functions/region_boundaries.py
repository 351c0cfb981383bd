"""A shallow and a deep ReLU network on a problem of the plane, and the boundaries they draw."""

from collections.abc import Sequence
from functools import partial
from typing import Any

import jax
import numpy as np
from jax import Array
from matplotlib.axes import Axes

import jaxnets as jn
from jaxnets import plots
from jaxnets.analysis import evaluate
from jaxnets.analysis import linear_regions as regions
from jaxnets.analysis.linear_regions import Layer
from jaxnets.data import TOY, Dataset
from jaxnets.losses import get_loss
from jaxnets.parallel.rows import parallel_map
from jaxnets.training.optimizers import adam_cosine

from ..lab.claims import Result

NETWORKS = {"1 x 20": (20,), "2 x 10": (10, 10)}
LOSS, LEARNING_RATE, BATCH = "binary_cross_entropy", 0.03, 32
LIMITS = (-1.2, 1.2, -1.2, 1.2)
MAP = 160


def learn(config: Any, key: Array) -> Result:
    """Trains on a problem: test accuracies, boundary pieces `[networks, seeds]`, seed 0's pictures.

    Every seed draws new data, the same for both networks, and new parameters.
    """
    keys = jax.random.split(key, config.seeds)
    found = parallel_map(partial(_train, config), keys, group=1)
    found = jax.tree.map(np.asarray, found)
    result: Result = {"accuracy": np.stack([found[name]["accuracy"] for name in NETWORKS])}
    pieces = []
    for name, widths in NETWORKS.items():
        networks = [
            jax.tree.map(lambda a, i=i: a[i], found[name]["params"]) for i in range(config.seeds)
        ]
        pieces.append([boundary_pieces(regions.layers_of(params)) for params in networks])
        outputs = _model(widths).apply(networks[0], evaluate.plane(LIMITS, MAP))
        cells = regions.on_rectangle(regions.layers_of(networks[0])[:-1], LIMITS)
        result[f"map_{len(widths)}"] = np.asarray(outputs > 0).reshape(MAP, MAP)
        result[f"cells_{len(widths)}"] = outlines(cells)
    first = {f"points_{name}": values[0] for name, values in found["data"].items()}
    return result | first | {"pieces": np.asarray(pieces)}


def _model(widths: Sequence[int]) -> jn.MLP:
    return jn.MLP(widths, 1, "relu")


def _train(config: Any, key: Array) -> dict[str, Any]:
    """New data, and of each network the parameters and the test accuracy after training."""
    samples, epochs = config.samples, config.epochs
    data_key, init_key = jax.random.split(key)
    drawn = TOY[config.problem](data_key, 5 * samples, noise=config.noise)
    data = Dataset(jax.tree.map(lambda a: a[:samples], drawn))
    test = jax.tree.map(lambda a: a[samples:], drawn)
    optimizer = adam_cosine(epochs * -(-samples // BATCH))
    found: dict[str, Any] = {"data": data.train}
    for name, widths in NETWORKS.items():
        spec = jn.TrainSpec(_model(widths), LOSS, epochs, BATCH, optimizer, record_every=epochs)
        state, _ = jn.train(spec, init_key, data, {"learning_rate": LEARNING_RATE})
        predicted = get_loss(LOSS).predict(spec.model.apply(state.params, test["x"]))
        found[name] = {"params": state.params, "accuracy": (predicted == test["y"]).mean()}
    return found


def boundary_pieces(layers: Sequence[Layer]) -> int:
    """Counts the straight pieces of the line of output 0 within the limits: the cells it cuts."""
    cells = [regions.on_rectangle(part, LIMITS) for part in (layers, layers[:-1])]
    return len(cells[0]) - len(cells[1])


def outlines(polygons: Sequence[np.ndarray]) -> np.ndarray:
    """Closes and concatenates polygons `[corners, 2]`, with a row of NaN after each."""
    gap = np.full((1, 2), np.nan)
    return np.concatenate([part for p in polygons for part in (p, p[:1], gap)])


def draw(axes: Axes, result: Result, name: str, widths: Sequence[int]) -> None:
    """Draws the first seed's decisions, its data and the outlines of the linear regions."""
    accuracy = 100 * result["accuracy"][list(NETWORKS).index(name)].mean()
    title = f"{name} units: {accuracy:.1f} % correct"
    plots.regions(axes, result[f"map_{len(widths)}"], LIMITS, title)
    axes.plot(*result[f"cells_{len(widths)}"].T, color="0.35", linewidth=0.5)
    plots.points(axes, result["points_x"], result["points_y"], most=200)
