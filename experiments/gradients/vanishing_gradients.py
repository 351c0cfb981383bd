"""Vanishing and exploding gradients, and four remedies, from 2 to 64 layers (row D4; L0).

Claims: delta_i = sigma'(a_i) sum_j w_ji delta_j, so in a very deep network small derivatives lose
"the gradients in the lower layers", and large ones make them "exponentially large"; this "can be
mitigated by using ReLU, clipping the gradients, relying on gated or resnet-type architectures".
The lecture gives no numbers.

Command: `make vanishing_gradients`, about a minute on 2 cores. Protocol: networks of 2 to 64 hidden
layers of 16 units on scikit-learn's digits, standardised; sigmoid, tanh, ReLU and ReLU with a
bypass, h + relu(W h + b); weights of deviation 0.05, Glorot's and He's; 32 seeds. Before training,
in float64: the norm of delta over a batch in every layer. Then gradient descent without momentum
for 4 epochs in batches of 16, rate 0.1, plain and, for He's weights, with gradients clipped to
global norm 1. The claims are in `experiments/claims/vanishing_gradients`: orders of magnitude
between the first delta and the last one, at 64 layers (cut at 200), for each initialisation; and,
seed by seed, the deepest network that recognises half of the test digits, each kind with the
initialisation of best validation accuracy, clipping on a bypass with He's weights, which explodes.
At first only accuracies at 64 layers were to be compared; a trial of 4 seeds and one epoch showed
that nothing trains there. Expect the sigmoid to lose 32 to 83 orders of magnitude, tanh to train up
to 14 layers, ReLU 8, a bypass with small weights 24; clipping doubles the depth of a bypass with
He's weights at this rate, and hardly helps at 0.02.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from jaxnets import plots
from jaxnets.claims import Sample
from jaxnets.data import Dataset
from jaxnets.parallel.rows import parallel_map

from ..lab.claims import Result, interval, markdown
from ..lab.judging import NotMeasured
from . import deep_networks
from .deep_networks import DEVIATIONS, UNITS, Deep, clipped_descent, scale

RECIPES = ("small", "Glorot", "He", "He, clipped")
"""Initialisations in training, the last with gradients clipped to a global norm."""
CLIPPED, SHOWN = 3, (0, 2, 3)
LOST, MOST = np.log10(np.finfo(np.float32).eps), 200.0
DEEPEST = 64
"""The depth at which gradients are compared, and up to which networks are trained."""
SAMPLES, GROUP = 1024, 16
"""Training samples, networks trained together on a core."""


@dataclass(frozen=True)
class Config:
    depths: tuple[int, ...] = (2, 4, 8, 16, 32, 64)
    width: int = 16
    seeds: int = 32
    epochs: int = 4
    batch_size: int = 16
    learning_rate: float = 0.1
    optimiser: str = "gradient descent"
    clip_norm: float = 1.0
    batch: int = 64
    """Samples over which the norm of a delta is taken."""
    learnt: float = 0.5
    """The share of the test digits that a trained network reads."""
    data: str = "digits"
    seed: int = 1


SMOKE = Config(depths=(3,), width=8, seeds=2, epochs=1, batch_size=128)


def run(config: Config, key: Array) -> Result:
    choice = np.random.default_rng(int(jax.random.bits(key)))
    data = deep_networks.load_standardised(config.data, SAMPLES)
    deepest = max(config.depths)
    params = deep_networks.draw(
        choice, config.seeds, deepest, config.width, data.train["x"].shape[1]
    )
    orders = [[choice.permutation(SAMPLES) for _ in range(config.epochs)] for _ in params["first"]]
    order = np.asarray(orders).reshape(config.seeds, -1, config.batch_size)
    accuracies = []
    for depth in config.depths:
        accuracies.append(_accuracies(config, depth, params, order, data))
        print(f"{depth} layers: {accuracies[-1][..., 0].size} networks trained", flush=True)
    valid, test = np.moveaxis(np.stack(accuracies, axis=1), -1, 0)
    return {
        "depths": np.asarray(config.depths),
        "delta": _all_deltas(config, params, data),
        "valid": valid,
        "test": test,
        "learnt": np.asarray(config.learnt),
    }


def _rows(config: Config, recipes: Sequence[str], features: int, of_seed: Any) -> tuple[Any, Any]:
    """The values of every seed, and deviations `[rows, 2]`, for each recipe and seed (fastest)."""
    fans = ((features, config.width), (config.width, config.width))
    deviations = np.asarray([[DEVIATIONS[name](*fan) for fan in fans] for name in recipes])
    repeated = jax.tree.map(lambda a: np.concatenate([a] * len(recipes)), of_seed)
    return repeated, np.repeat(deviations, config.seeds, axis=0)


def _all_deltas(config: Config, params: Any, data: Dataset) -> np.ndarray:
    """Norms `[units, depths, initialisations, seeds, layers]` before training; 0 above a depth."""
    with jax.enable_x64(True):
        rows = _rows(config, list(DEVIATIONS), data.train["x"].shape[1], params)
        batch = {name: values[: config.batch] for name, values in data.train.items()}
        found = [
            parallel_map(_deltas, rows, jnp.asarray(unit), batch, jnp.asarray(depth), group=1)
            for unit in range(len(UNITS))
            for depth in config.depths
        ]
        shape = (len(UNITS), len(config.depths), len(DEVIATIONS), config.seeds, -1)
        return np.asarray(found).reshape(shape)


def _deltas(row: Any, unit: Array, batch: Any, depth: Array) -> Array:
    return deep_networks.deltas(Deep(unit), scale(*row), batch, depth)


def _accuracies(
    config: Config, depth: int, params: dict[str, np.ndarray], order: np.ndarray, data: Dataset
) -> np.ndarray:
    """Accuracies `[units, recipes, seeds, 2]` of trained networks, on validation and test data.

    A network that diverged reads nothing: 0.
    """
    cut = {"hidden": params["hidden"][:, : depth - 1], "biases": params["biases"][:, :depth]}
    names = [recipe.partition(",")[0] for recipe in RECIPES]
    norms = [config.clip_norm if "clipped" in recipe else np.inf for recipe in RECIPES]
    rows = _rows(config, names, data.train["x"].shape[1], (params | cut, order))
    rows = (rows, np.repeat(norms, config.seeds))
    rate, train = jnp.asarray(config.learning_rate), partial(_train, config.optimiser)
    units = range(len(UNITS))
    found = [parallel_map(train, rows, jnp.asarray(i), rate, data, group=GROUP) for i in units]
    return np.nan_to_num(found).reshape(len(UNITS), len(RECIPES), config.seeds, 2)


def _train(optimiser: str, row: Any, unit: Array, rate: Array, data: Dataset) -> Array:
    ((params, order), deviations), norm = row
    tx = clipped_descent(rate, norm, optimiser)
    return deep_networks.trained_accuracies(Deep(unit), scale(params, deviations), order, tx, data)


def log_ratios(result: Result) -> np.ndarray:
    """Computes `log10` of the first delta over the last one, `[units, depths, inits, seeds]`."""
    last = result["depths"] - 1
    delta = np.maximum(result["delta"], 1e-300)
    final = np.stack([delta[:, i, ..., layer] for i, layer in enumerate(last)], axis=1)
    return np.clip(np.log10(delta[..., 0] / final), -MOST, MOST)


def trained_depths(result: Result) -> np.ndarray:
    """Computes `log2` of the deepest network with a share `learnt` of test digits right, or 0.

    `[units, recipes, seeds]`; NaN where an accuracy is.
    """
    accuracies = np.moveaxis(result["test"], 1, -1)
    deepest = np.where(accuracies > result["learnt"], result["depths"], 1).max(axis=-1)
    return np.where(np.isnan(accuracies).any(axis=-1), np.nan, np.log2(deepest))


def best_recipes(result: Result) -> dict[str, int]:
    """Finds for every unit the plain recipe of best validation accuracy over all depths."""
    best = result["valid"][:, :, :CLIPPED].mean(axis=(1, 3)).argmax(axis=1)
    return dict(zip(UNITS, best.tolist(), strict=True))


def table(result: Result) -> str:
    ratios, depth = log_ratios(result)[:, -1], result["depths"][-1]
    lost = [[name, *map(_orders, row)] for name, row in zip(UNITS, ratios, strict=True)]
    first = f"first delta over last, {depth} layers, log10"
    tests = [
        [f"{name}, {recipe}", *(interval(row).percent() for row in rows)]
        for name, tested in zip(UNITS, result["test"], strict=True)
        for recipe, rows in zip(RECIPES, tested.swapaxes(0, 1), strict=True)
    ]
    layers = [f"{d} layers" for d in result["depths"]]
    return (
        f"{markdown([first, *DEVIATIONS], lost)}\n\n{markdown(['test accuracy', *layers], tests)}"
    )


def _orders(ratios: np.ndarray) -> str:
    return f"{ratios.mean():+.1f} ± {ratios.std(ddof=1):.1f}"


def plot(result: Result) -> Figure:
    canvas, axes = plots.figure(2, 3, size=(4.2, 3.4))
    for i, (panel, name) in enumerate(zip(axes[0], DEVIATIONS, strict=True)):
        _draw_deltas(panel, result["delta"][:, -1, i], result["depths"][-1])
        panel.set_title(f"{name} initialisation, before training")
    for panel, recipe in zip(axes[1], SHOWN, strict=True):
        _draw_accuracies(panel, result["depths"], result["test"][:, :, recipe])
        panel.set_title(f"{RECIPES[recipe]}: after training")
    axes[0, 0].set_ylabel("|delta| of a layer / of the last, log10")
    axes[1, 0].set_ylabel("test accuracy [%]")
    axes[0, 0].legend(fontsize="small")
    return canvas


def _draw_deltas(axes: Axes, delta: np.ndarray, depth: int) -> None:
    """Orders of magnitude of `delta [units, seeds, layers]`: medians, since a layer can be dead."""
    delta = np.maximum(delta[..., :depth], 1e-300)
    orders = np.clip(np.log10(delta / delta[..., -1:]), -MOST, MOST)
    layers = np.arange(1, depth + 1)
    for name, values, style in zip(UNITS, orders, plots.styles(), strict=False):
        low, middle, high = np.percentile(values, (16, 50, 84), axis=0)
        axes.plot(layers, middle, label=name, **style, markevery=max(1, depth // 8))
        axes.fill_between(layers, low, high, color=style["color"], alpha=0.15, linewidth=0)
    axes.axhline(LOST, color="0.5", linewidth=0.8, label="precision of float32")
    axes.set(xlabel=f"layer, of {depth}")


def _draw_accuracies(axes: Axes, depths: np.ndarray, accuracy: np.ndarray) -> None:
    for name, values, style in zip(UNITS, accuracy, plots.styles(), strict=False):
        plots.spread(axes, depths, 100 * values.T, name, style)
    axes.set(xscale="log", xlabel="hidden layers", ylim=(0, 102))
    axes.set_xticks(depths, [str(d) for d in depths])
    axes.minorticks_off()


def _ratios(result: Result, depth: int) -> dict[str, np.ndarray]:
    """Log ratios `[initialisations, seeds]` of networks of that many layers, by unit."""
    at = np.flatnonzero(result["depths"] == depth)
    if not at.size:
        raise NotMeasured(f"needs networks of {depth} layers")
    return dict(zip(UNITS, log_ratios(result)[:, at[0]], strict=True))


def _sigmoid_vanishes(result: Result) -> dict[str, Sample]:
    ratios = _ratios(result, DEEPEST)["sigmoid"]
    return {name: Sample(row) for name, row in zip(DEVIATIONS, ratios, strict=True)}


def _gradients_explode(result: Result) -> dict[str, Sample]:
    he = list(DEVIATIONS).index("He")
    deep, half = (_ratios(result, depth)["residual"][he] for depth in (DEEPEST, DEEPEST // 2))
    with np.errstate(invalid="ignore", divide="ignore"):
        growth = deep / half
    return {"64 layers": Sample(deep), "64 over 32 layers": Sample(growth)}


def _relu_keeps_gradients(other: str) -> Callable[[Result], dict[str, Sample]]:
    def measure(result: Result) -> dict[str, Sample]:
        orders = {name: np.abs(rows) for name, rows in _ratios(result, DEEPEST).items()}
        pairs = zip(DEVIATIONS, orders["relu"], orders[other], strict=True)
        return {name: Sample(relu, against) for name, relu, against in pairs}

    return measure


def _require_all_depths(result: Result) -> None:
    if result["depths"][-1] < DEEPEST:
        raise NotMeasured(f"needs networks of up to {DEEPEST} layers")


def _trains_deeper(unit: str, others: dict[str, str]) -> Callable[[Result], dict[str, Sample]]:
    """Compares a unit with others, which are given with the names of their parts."""

    def measure(result: Result) -> dict[str, Sample]:
        _require_all_depths(result)
        best, found = best_recipes(result), trained_depths(result)
        depths = {name: found[i, best[name]] for i, name in enumerate(UNITS)}
        if not depths[unit].any():
            raise NotMeasured(f"{unit} learns at none of the depths")
        return {part: Sample(depths[unit], depths[other]) for other, part in others.items()}

    return measure


def _clipping_trains_deeper(result: Result) -> Sample:
    _require_all_depths(result)
    depths = trained_depths(result)[list(UNITS).index("residual")]
    if not depths[CLIPPED - 1 :].any():
        raise NotMeasured("a bypass learns at none of the depths")
    return Sample(depths[CLIPPED], depths[CLIPPED - 1])


CLAIMS = {
    "sigmoid_vanishes": _sigmoid_vanishes,
    "gradients_explode": _gradients_explode,
    "relu_keeps_gradients_sigmoid": _relu_keeps_gradients("sigmoid"),
    "relu_keeps_gradients_tanh": _relu_keeps_gradients("tanh"),
    "relu_trains_deeper": _trains_deeper("relu", {"sigmoid": "sigmoid", "tanh": "tanh"}),
    "residual_trains_deeper": _trains_deeper("residual", {"relu": "ReLU"}),
    "clipping_trains_deeper": _clipping_trains_deeper,
}
