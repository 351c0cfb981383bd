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
global norm 1. Criteria on 95 % intervals: at the largest depth, vanishing is a first layer's delta
below 1.2e-7 (float32's epsilon) of the last one's for each initialisation, exploding is one above
1e3 for some network, and ReLU's ratio is nearer to 1 for each initialisation (orders of magnitude
are cut at 200); a remedy trains deeper if the deepest network that recognises half of the test
digits is deeper, seed by seed, each kind with the initialisation of best validation accuracy;
clipping is judged on the networks that explode. At first only accuracies at 64 layers were to be
compared; a trial of 4 seeds and one epoch showed that nothing trains there. Expect the sigmoid to
lose 32 to 83 orders of magnitude, tanh to train up to 14 layers, ReLU 8, a bypass with small
weights 24; clipping doubles the depth of a bypass with He's weights.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from jaxnets import plots
from jaxnets.data import Dataset
from jaxnets.parallel.rows import parallel_map

from ..lab.claims import Claim, Result, Verdict, interval, markdown, verdict
from . import deep_networks
from .deep_networks import DEVIATIONS, UNITS, Deep, clipped_descent, scale

RECIPES = (("small", np.inf), ("Glorot", np.inf), ("He", np.inf), ("He", 1.0))
"""Initialisation, and the largest global norm of the gradients in training."""
CLIPPED, SHOWN = 3, (0, 2, 3)
LOST, EXPLODED, MOST, LEARNT = np.log10(np.finfo(np.float32).eps), 3.0, 200.0, 0.5
SAMPLES, BATCH, GROUP = 1024, 64, 16
"""Training samples, samples per delta, networks trained together on a core."""


@dataclass(frozen=True)
class Config:
    depths: tuple[int, ...] = (2, 4, 8, 16, 32, 64)
    width: int = 16
    seeds: int = 32
    epochs: int = 4
    batch_size: int = 16
    learning_rate: float = 0.1
    seed: int = 0


SMOKE = Config(depths=(3,), width=8, seeds=2, epochs=1, batch_size=128)


def run(config: Config, key: Array) -> Result:
    choice = np.random.default_rng(int(jax.random.bits(key)))
    data = deep_networks.load_digits(SAMPLES)
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
        batch = {name: values[:BATCH] for name, values in data.train.items()}
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
    """Accuracies `[units, recipes, seeds, 2]` of trained networks, on validation and test data."""
    cut = {"hidden": params["hidden"][:, : depth - 1], "biases": params["biases"][:, :depth]}
    names, norms = [name for name, _ in RECIPES], [norm for _, norm in RECIPES]
    rows = _rows(config, names, data.train["x"].shape[1], (params | cut, order))
    rows = (rows, np.repeat(norms, config.seeds))
    rate = jnp.asarray(config.learning_rate)
    units = range(len(UNITS))
    found = [parallel_map(_train, rows, jnp.asarray(i), rate, data, group=GROUP) for i in units]
    return np.asarray(found).reshape(len(UNITS), len(RECIPES), config.seeds, 2)


def _train(row: Any, unit: Array, rate: Array, data: Dataset) -> Array:
    ((params, order), deviations), norm = row
    tx = clipped_descent(rate, norm)
    return deep_networks.trained_accuracies(Deep(unit), scale(params, deviations), order, tx, data)


def log_ratios(result: Result) -> np.ndarray:
    """Computes `log10` of the first delta over the last one, `[units, depths, inits, seeds]`."""
    last = result["depths"] - 1
    delta = np.maximum(result["delta"], 1e-300)
    final = np.stack([delta[:, i, ..., layer] for i, layer in enumerate(last)], axis=1)
    return np.clip(np.log10(delta[..., 0] / final), -MOST, MOST)


def trained_depths(result: Result) -> np.ndarray:
    """Computes `log2` of the deepest network with over half of the test digits right, or 0.

    `[units, recipes, seeds]`.
    """
    learnt = np.moveaxis(result["test"], 1, -1) > LEARNT
    return np.log2(np.maximum(1, (learnt * result["depths"]).max(axis=-1)))


def best_recipes(result: Result) -> dict[str, int]:
    """Finds for every unit the plain recipe of best validation accuracy over all depths."""
    best = result["valid"][:, :, :CLIPPED].mean(axis=(1, 3)).argmax(axis=1)
    return dict(zip(UNITS, best.tolist(), strict=True))


def table(result: Result) -> str:
    ratios, depth = log_ratios(result)[:, -1], result["depths"][-1]
    lost = [[name, *map(_orders, row)] for name, row in zip(UNITS, ratios, strict=True)]
    first = f"first delta over last, {depth} layers, log10"
    tests = [
        [f"{name}, {_name(recipe)}", *(interval(row).percent() for row in rows)]
        for name, tested in zip(UNITS, result["test"], strict=True)
        for recipe, rows in zip(RECIPES, tested.swapaxes(0, 1), strict=True)
    ]
    layers = [f"{d} layers" for d in result["depths"]]
    return (
        f"{markdown([first, *DEVIATIONS], lost)}\n\n{markdown(['test accuracy', *layers], tests)}"
    )


def _orders(ratios: np.ndarray) -> str:
    return f"{ratios.mean():+.1f} ± {ratios.std(ddof=1):.1f}"


def _name(recipe: tuple[str, float]) -> str:
    return recipe[0] if np.isinf(recipe[1]) else f"{recipe[0]}, clipped"


def plot(result: Result) -> Figure:
    canvas, axes = plots.figure(2, 3, size=(4.2, 3.4))
    for i, (panel, name) in enumerate(zip(axes[0], DEVIATIONS, strict=True)):
        _draw_deltas(panel, result["delta"][:, -1, i], result["depths"][-1])
        panel.set_title(f"{name} initialisation, before training")
    for panel, recipe in zip(axes[1], SHOWN, strict=True):
        _draw_accuracies(panel, result["depths"], result["test"][:, :, recipe])
        panel.set_title(f"{_name(RECIPES[recipe])}: after training")
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
    axes.axhline(LOST, color="0.5", linewidth=0.8)
    axes.set(xlabel=f"layer, of {depth}")


def _draw_accuracies(axes: Axes, depths: np.ndarray, accuracy: np.ndarray) -> None:
    for name, values, style in zip(UNITS, accuracy, plots.styles(), strict=False):
        plots.spread(axes, depths, 100 * values.T, name, style)
    axes.set(xscale="log", xlabel="hidden layers", ylim=(0, 102))
    axes.set_xticks(depths, [str(d) for d in depths])
    axes.minorticks_off()


def _deepest_ratios(result: Result) -> tuple[dict[str, np.ndarray], str]:
    """Log ratios `[initialisations, seeds]` by unit at the largest depth, and their sample."""
    ratios = dict(zip(UNITS, log_ratios(result)[:, -1], strict=True))
    return ratios, f"{result['test'].shape[-1]} seeds, {result['depths'][-1]} layers"


def _list_orders(ratios: np.ndarray) -> str:
    return ", ".join(f"{name} {_orders(r)}" for name, r in zip(DEVIATIONS, ratios, strict=True))


def _vanish(result: Result) -> Verdict:
    ratios, samples = _deepest_ratios(result)
    holds = all(interval(row).high < LOST for row in ratios["sigmoid"])
    ours = f"log10 of first over last delta, sigmoid: {_list_orders(ratios['sigmoid'])}"
    return verdict(holds, f"{ours}; tanh: {_list_orders(ratios['tanh'])}", samples)


def _find_exploding(result: Result) -> list[tuple[str, int]]:
    """Units and initialisations whose first delta is 1e3 times the last at the largest depth."""
    ratios, _ = _deepest_ratios(result)
    rows = [(name, i, row) for name, unit in ratios.items() for i, row in enumerate(unit)]
    return [(name, i) for name, i, row in rows if interval(row).low > EXPLODED]


def _explode(result: Result) -> Verdict:
    ratios, samples = _deepest_ratios(result)
    name = max(ratios, key=lambda unit: np.max(ratios[unit].mean(axis=1)))
    ours = f"largest: {name}, log10 of first over last delta {_list_orders(ratios[name])}"
    return verdict(bool(_find_exploding(result)), ours, samples)


def _relu_mitigates(other: str) -> Callable[[Result], Verdict]:
    def judge(result: Result) -> Verdict:
        ratios, samples = _deepest_ratios(result)
        gain = np.abs(ratios[other]) - np.abs(ratios["relu"])
        ours = f"log10 of first over last delta, relu: {_list_orders(ratios['relu'])}; "
        holds = all(interval(row).low > 0 for row in gain)
        return verdict(holds, ours + f"{other}: {_list_orders(ratios[other])}", samples)

    return judge


def _depth_text(depths: np.ndarray) -> str:
    return f"{2 ** depths.mean():.1f} layers (factor {2 ** depths.std(ddof=1):.2f})"


def _trains_deeper(unit: str, others: tuple[str, ...]) -> Callable[[Result], Verdict]:
    def judge(result: Result) -> Verdict:
        best, all_depths = best_recipes(result), trained_depths(result)
        depths = {name: all_depths[i, best[name]] for i, name in enumerate(UNITS)}
        ours = "deepest that learn: " + ", ".join(
            f"{name} ({RECIPES[best[name]][0]}) {_depth_text(depths[name])}"
            for name in (unit, *others)
        )
        holds = all(interval(depths[unit] - depths[name]).low > 0 for name in others)
        return verdict(holds, ours, f"{all_depths.shape[-1]} paired seeds")

    return judge


def _clipping(result: Result) -> Verdict:
    he = list(DEVIATIONS).index("He")
    found = [name for name, init in _find_exploding(result) if init == he]
    if not found:
        return Verdict("not tested", "nothing explodes with He's initialisation", "-")
    depths = dict(zip(UNITS, trained_depths(result), strict=True))
    pairs = {name: (depths[name][CLIPPED - 1], depths[name][CLIPPED]) for name in found}
    ours = "deepest that learn: " + "; ".join(
        f"{name} {_depth_text(plain)}, clipped {_depth_text(clipped)}"
        for name, (plain, clipped) in pairs.items()
    )
    holds = all(interval(clipped - plain).low > 0 for plain, clipped in pairs.values())
    return verdict(holds, ours, f"{result['test'].shape[-1]} paired seeds")


CLAIMS = [
    Claim("D4, L0", "the sigmoid's gradients are lost in the lower layers", "-", _vanish),
    Claim("D4, L0", "gradients can become exponentially large", "-", _explode),
    Claim(
        "D4, L0", "ReLU mitigates it: gradients, against sigmoid", "-", _relu_mitigates("sigmoid")
    ),
    Claim("D4, L0", "ReLU mitigates it: gradients, against tanh", "-", _relu_mitigates("tanh")),
    *(
        Claim(
            "D4, L0", f"{name} mitigates it: trains deeper than {' and '.join(others)}", "-", judge
        )
        for name, others, judge in (
            ("ReLU", ("sigmoid", "tanh"), _trains_deeper("relu", ("sigmoid", "tanh"))),
            ("a resnet-type network", ("ReLU",), _trains_deeper("residual", ("relu",))),
        )
    ),
    Claim("D4, L0", "clipping the gradients mitigates it: trains deeper", "-", _clipping),
]
