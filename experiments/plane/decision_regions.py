"""Boundaries of 1 x 100 against 2 x 10 units, and of 3, 6, 20 units (rows F4 and F12; L0, L3).

Claims: two hidden layers of 10 units (151 weights) have "better defined boundaries with far fewer
weights" than one of 100 (401 weights); "more hidden units = more capacity", with pictures of 3, 6
and 20. The first slide does not name its problem: the lecture's two are the checkerboard and the
Rosenbrock region; the second shows its own points, which two noisy spirals replace here.

Command: `make decision_regions`, two minutes and a half on 2 cores. Protocol: 1,024 training, 1,024
validation and 5,120 test points, drawn again for each seed and shared by the networks; tanh,
batches of 32, Adam with a rate that falls to zero, the initial rate chosen among four on validation
data. "Better defined" means two numbers on a grid of the plane, both lengths: the distance to the
true boundary is the area of the wrong label per length of the true boundary, the width of the
boundary is the area where 0.1 < p < 0.9 per that length. Both have to be smaller for 2 x 10 by what
a picture would show, and the training accuracy has to grow from 3 to 6 and from 6 to 20 units:
margins are in `experiments/claims/decision_regions`. Expect 2 x 10 to be three times as near and as
sharp on the Rosenbrock region; on the checkerboard only sharper, since either network misses a
corner in some seeds; about 70, 90 and 100 % of the spirals with 3, 6 and 20 units (spirals of one
turn, used before, left nothing to gain after 6).
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from matplotlib.axes import Axes
from matplotlib.figure import Figure

import jaxnets as jn
from jaxnets import plots
from jaxnets.analysis import evaluate
from jaxnets.claims import Sample
from jaxnets.converge import minimise
from jaxnets.data import Dataset, toy
from jaxnets.objective import outputs_of
from jaxnets.parallel.rows import parallel_map
from jaxnets.training.optimizers import adam_cosine

from ..lab.claims import Result, interval, markdown
from ..lab.judging import NotMeasured
from . import boundaries
from .boundaries import PROBLEMS
from .memorising import weights

LOSS = "binary_cross_entropy"
NETWORKS = ((1, 100), (2, 10))
"""Hidden layers, and units in each."""
STEPS = ((3, 6), (6, 20))
"""Units between which the capacity has to grow."""
MEASURES = {"distance": "distance to the true boundary", "width": "width of the boundary"}
NOISE = 0.05
"""Of the spirals."""
LEARNED = 0.65
"""A test accuracy that both networks pass where their boundaries are compared."""
SPIRAL_LIMITS = (-1.2, 1.2, -1.2, 1.2)


@dataclass(frozen=True)
class Config:
    units: tuple[int, ...] = (3, 6, 20)
    rates: tuple[float, ...] = (0.003, 0.01, 0.03, 0.1)
    seeds: int = 48
    epochs: int = 400
    batch_size: int = 32
    samples: int = 1024
    cells: int = 4
    """Of the checkerboard, in each direction."""
    turns: float = 1.5
    """Of the spirals."""
    optimiser: str = "Adam"
    """`Adam`, on mini-batches, with the best of `rates`, or `L-BFGS`, on all samples at once: as
    many starts as `rates` and as many steps as `epochs`."""
    steps: int = 240
    """Of the grid of the plane, in each direction."""
    seed: int = 1


SMOKE = Config((3, 6), (0.03,), seeds=2, epochs=2, samples=64, steps=12)


def run(config: Config, key: Array) -> Result:
    keys = jax.random.split(key, config.seeds)
    problems = _problems(config)
    grids = [boundaries.centres(problem.limits, config.steps) for problem in problems]
    result: dict[str, list] = {"accuracy": [], "distance": [], "width": [], "maps": []}
    for layers, units in NETWORKS:
        print(f"{layers} x {units} on {len(problems)} problems", flush=True)
        accuracy, maps = _boundaries(config, keys, jn.MLP((units,) * layers), grids)
        drawn = list(zip(problems, grids, maps, strict=True))
        distances = [boundaries.distance(problem, grid, p) for problem, grid, p in drawn]
        result["accuracy"].append(accuracy)
        result["distance"].append(distances)
        result["width"].append([boundaries.width(problem, p) for problem, _, p in drawn])
        middle = np.argsort(distances[0])[config.seeds // 2]
        result["maps"].append(maps[0, middle].reshape(config.steps, config.steps))
    print(f"{', '.join(map(str, config.units))} units on the spirals", flush=True)
    arrays = {name: np.asarray(values) for name, values in result.items()}
    return arrays | {"cells": np.asarray(config.cells)} | _capacity(config, keys)


def _problems(config: Config) -> list[boundaries.Problem]:
    return [*(PROBLEMS | {"checkerboard": boundaries.board(config.cells)}).values()]


def _boundaries(
    config: Config, keys: Array, model: Any, grids: list[np.ndarray]
) -> tuple[np.ndarray, np.ndarray]:
    """Test accuracy `[problems, seeds]` and p on the grids, `[problems, seeds, points]`."""
    planes = jnp.stack(grids)

    def one(row: dict[str, Array]) -> tuple[Array, Array]:
        data_key, train_key = jax.random.split(row["key"])
        drawn = [_draw(config, problem.draw, data_key) for problem in _problems(config)]
        data = jax.tree.map(lambda *parts: jnp.stack(parts)[row["problem"]], *drawn)
        params = _best(config, model, train_key, data, {})
        p = _probabilities(model, params, planes[row["problem"]])
        return evaluate.accuracy(model, LOSS, params, data.test), p

    rows = jn.grid(problem=range(len(PROBLEMS)), seed=range(config.seeds))
    rows["key"] = keys[rows.pop("seed")]
    found = jax.device_get(parallel_map(one, rows, group=4))
    accuracy, maps = (a.reshape(len(PROBLEMS), config.seeds, *a.shape[1:]) for a in found)
    return accuracy, maps


def _capacity(config: Config, keys: Array) -> Result:
    """Accuracies `[units, seeds]` on the spirals, and the maps of the first seed."""
    model = jn.MLP((max(config.units),))
    spirals = partial(toy.spirals, turns=config.turns, noise=NOISE)
    grid = boundaries.centres(SPIRAL_LIMITS, config.steps)

    def one(row: dict[str, Array]) -> dict[str, Array]:
        data_key, train_key = jax.random.split(row["key"])
        data = _draw(config, spirals, data_key)
        params = _best(config, model, train_key, data, {"width": row["units"]})
        parts = {"train": data.train, "test": data.test}
        found = {k: evaluate.accuracy(model, LOSS, params, part) for k, part in parts.items()}
        return found | {"map": _probabilities(model, params, jnp.asarray(grid))}

    rows = jn.grid(units=config.units, seed=range(config.seeds))
    rows["key"] = keys[rows.pop("seed")]
    found = jax.device_get(parallel_map(one, rows, group=4))
    shape = (len(config.units), config.seeds)
    maps = found["map"].reshape(*shape, config.steps, config.steps)
    shown = jax.jit(partial(_draw, config, spirals))(jax.random.split(keys[0])[0]).train
    return {
        "units": np.asarray(config.units),
        "capacity_train": found["train"].reshape(shape),
        "capacity_test": found["test"].reshape(shape),
        "capacity_maps": maps[:, 0],
        "points": np.asarray(shown["x"]),
        "labels": np.asarray(shown["y"]),
    }


def _draw(config: Config, problem: Callable[..., toy.Points], key: Array) -> Dataset:
    """Training, validation and (five times larger) test set."""
    sizes = (config.samples, config.samples, 5 * config.samples)
    return Dataset(*(problem(k, n) for k, n in zip(jax.random.split(key, 3), sizes, strict=True)))


def _best(config: Config, model: Any, key: Array, data: Dataset, hparams: dict[str, Array]) -> Any:
    """The params of the run with the best validation accuracy."""
    params, valid = OPTIMISERS[config.optimiser](config, model, key, data, hparams)
    return jax.tree.map(lambda a: a[jnp.nanargmax(valid)], params)


def _by_adam(
    config: Config, model: Any, key: Array, data: Dataset, hparams: dict[str, Array]
) -> tuple[Any, Array]:
    """The params and the validation accuracy of each learning rate."""
    updates = config.epochs * -(-config.samples // config.batch_size)
    spec = jn.TrainSpec(
        model,
        LOSS,
        config.epochs,
        config.batch_size,
        adam_cosine(updates),
        record_every=config.epochs,
    )

    def at(rate: Array) -> tuple[Any, Array]:
        state, history = jn.train(spec, key, data, {"learning_rate": rate} | hparams)
        return state.params, history["valid_accuracy"][-1]

    return jax.vmap(at)(jnp.asarray(config.rates))


def _by_lbfgs(
    config: Config, model: Any, key: Array, data: Dataset, hparams: dict[str, Array]
) -> tuple[Any, Array]:
    """The params and the validation accuracy of each start.

    Idle units of a narrowed layer of tanh stay idle, since their gradient is zero.
    """
    objective = jn.Objective(model, LOSS)

    def loss(params: Any, part: Any) -> Array:
        return objective(params, part)[0]

    def search(key: Array) -> tuple[Any, Array]:
        start = model.init(key, data.train["x"][:1])
        start = model.narrow(start, **hparams) if hparams else start
        params = minimise(loss, start, data.train, steps=config.epochs).params
        return params, evaluate.accuracy(model, LOSS, params, data.valid)

    return jax.lax.map(search, jax.random.split(key, len(config.rates)))


OPTIMISERS = {"Adam": _by_adam, "L-BFGS": _by_lbfgs}


def _probabilities(model: Any, params: Any, x: Array) -> Array:
    return jax.nn.sigmoid(outputs_of(model, params, x)[:, 0])


def _name(network: tuple[int, int]) -> str:
    layers, units = network
    return f"{layers} x {units}"


def table(result: Result) -> str:
    rows = []
    for i, problem in enumerate(PROBLEMS):
        for j, network in enumerate(NETWORKS):
            lengths = [interval(result[name][j, i]).decimals(4) for name in MEASURES]
            accuracy = interval(result["accuracy"][j, i]).percent()
            rows.append([problem, _name(network), weights(*network), accuracy, *lengths])
    head = ["problem", "units", "weights", "test accuracy", *MEASURES.values()]
    parts = [result["capacity_train"], result["capacity_test"]]
    capacity = [
        [n, *(interval(part[i]).percent() for part in parts)] for i, n in enumerate(result["units"])
    ]
    return f"{_seeds(result)}:\n{markdown(head, rows)}\n\nspirals:\n" + markdown(
        ["hidden units", "training accuracy", "test accuracy"], capacity
    )


def plot(result: Result) -> Figure:
    sizes = len(result["units"])
    canvas, axes = plots.figure(2, max(3, sizes), size=(4.4, 3.9))
    for unused in [*axes[0, 3:], *axes[1, sizes:]]:
        unused.set_axis_off()
    for panel, network, p in zip(axes[0], NETWORKS, result["maps"], strict=False):
        title = f"{_name(network)}: {weights(*network)} weights (median seed)"
        plots.regions(panel, p, PROBLEMS["checkerboard"].limits, title)
        for line in np.linspace(-1, 1, int(result["cells"]) + 1)[1:-1]:
            panel.axhline(line, color="black", linewidth=0.7)
            panel.axvline(line, color="black", linewidth=0.7)
    _draw_lengths(axes[0, 2], result)
    for i, panel in enumerate(axes[1, :sizes]):
        found = interval(result["capacity_train"][i]).percent()
        title = f"{result['units'][i]} units: {found} (training)"
        plots.regions(panel, result["capacity_maps"][i], SPIRAL_LIMITS, title)
        plots.points(panel, result["points"], result["labels"])
    axes[1, 0].legend(loc="upper left", fontsize="small", frameon=True)
    return canvas


def _draw_lengths(axes: Axes, result: Result) -> None:
    """Both measures on both problems, with one bar per network."""
    labels = [f"{name},\n{problem}" for name in MEASURES for problem in PROBLEMS]
    place = np.arange(len(labels))
    for j, network in enumerate(NETWORKS):
        found = [interval(1000 * values) for name in MEASURES for values in result[name][j]]
        axes.barh(
            place + 0.4 * j - 0.2,
            [f.mean for f in found],
            0.38,
            xerr=[f.std for f in found],
            capsize=3,
            color=plots.COLOURS[5 - j],
            hatch=("", "//")[j],
            label=_name(network),
        )
    axes.set_yticks(place, labels)
    axes.invert_yaxis()
    axes.set(xlabel="thousandths of the unit of length", title=f"± 1 std, {_seeds(result)}")
    axes.legend(fontsize="small")


def _seeds(result: Result) -> str:
    return f"{result['accuracy'].shape[-1]} seeds"


def _better_defined(problem: str) -> Callable[[Result], dict[str, Sample]]:
    i = list(PROBLEMS).index(problem)

    def measure(result: Result) -> dict[str, Sample]:
        least = result["accuracy"][:, i].mean(axis=-1).min()
        if least <= LEARNED:
            raise NotMeasured(f"a network has learned too little: {100 * least:.0f} % accuracy")
        return {name: Sample(result[name][1, i], result[name][0, i]) for name in MEASURES}

    return measure


def _more_capacity(result: Result) -> dict[str, Sample]:
    accuracies = dict(zip(result["units"].tolist(), 100 * result["capacity_train"], strict=True))
    return {
        f"{few} to {more}": Sample(accuracies[more], accuracies[few])
        for few, more in STEPS
        if {few, more} <= accuracies.keys()
    }


CLAIMS = {
    "better_defined_checkerboard": _better_defined("checkerboard"),
    "better_defined_rosenbrock_region": _better_defined("Rosenbrock region"),
    "more_units_more_capacity": _more_capacity,
}
