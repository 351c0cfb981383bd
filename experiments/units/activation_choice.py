"""Six activations in the same network on images of digits (row F17; L0, L1, L3).

Claims: replacing sigmoid and tanh by ReLU "has significantly boosted performance in many cases"
(L0); "ReLU is now slowly being replaced by better alternatives" (L1); "ReLU is a good default
choice for most problems" (L3). No lecture has a number for a classification task.

Command: `make activation_choice`, two minutes on 2 cores. Protocol: scikit-learn's 1,797 digits of
8 x 8 pixels, split again for each seed into 1,079 for training, 359 for validation and 359 for
testing; three hidden layers, as many as in L0's PyTorch class, of 32 units each; weights drawn to
suit the activation (Glorot or He), mini-batches of 32, Adam at whichever of five rates has the best
mean validation accuracy for the activation. There six networks are trained on each split and their
test accuracies averaged, since most of the spread is that of the starts. A seed has the same split
and starts' keys for all six activations. The splits share their samples, so that an interval is as
wide as Nadeau and Bengio (2003) have it: a point of accuracy can be decided, half a point cannot.
As many images of MNIST are in its multiverse; CIFAR-10 would have to be downloaded. What counts is
in `experiments/claims/activation_choice`.

Expect all six between 96.5 and 97.5 % at their own rate, leaky ReLU and ELU above the others; what
differs is the start: after one epoch ELU and tanh are at 89 %, ReLU at 82 %, sigmoid at 29 %.
"""

from collections.abc import Callable
from dataclasses import dataclass

import jax
import numpy as np
from jax import Array
from matplotlib.axes import Axes
from matplotlib.figure import Figure

import jaxnets as jn
from jaxnets import plots
from jaxnets.analysis import evaluate
from jaxnets.claims import Sample
from jaxnets.parallel.rows import parallel_map

from ..lab.claims import Result, interval, markdown
from ..shared.best import best
from ..shared.image_data import as_few_of_mnist, digits, random_split

LOSS = "softmax_cross_entropy"
CLASSES = 10
NAMES = ("relu", "tanh", "sigmoid", "leaky_relu", "elu", "softplus")
ALTERNATIVES = ("leaky_relu", "elu", "softplus")
LABELS = {"leaky_relu": "leaky ReLU", "elu": "ELU"}
"""How the claims write an activation, where not by its name."""


SAMPLES: dict[str, Callable[[], dict[str, np.ndarray]]] = {
    "digits": digits,
    "mnist": as_few_of_mnist,
}


@dataclass(frozen=True)
class Config:
    activations: tuple[str, ...] = NAMES
    """`relu`, `tanh`, `sigmoid` and one or more of `ALTERNATIVES`."""
    layers: int = 3
    units: int = 32
    rates: tuple[float, ...] = (3e-4, 1e-3, 3e-3, 1e-2, 3e-2)
    seeds: int = 32
    starts: int = 6
    """Networks whose test accuracies are averaged on each split, at the chosen rate."""
    epochs: int = 40
    batch_size: int = 32
    data: str = "digits"
    seed: int = 1


MULTIVERSE = Config(rates=(1e-3, 3e-3, 1e-2), starts=2)
SMOKE = Config(
    NAMES[:4], layers=1, units=4, rates=(1e-2,), seeds=2, starts=2, epochs=2, batch_size=512
)


def run(config: Config, key: Array) -> Result:
    keys = jax.random.split(key, (config.seeds, 1 + config.starts))
    valid, test = [], []
    for name in config.activations:
        print(f"{config.seeds} splits, {len(config.rates)} rates with {name}", flush=True)
        curves, _ = _train(config, name, keys[:, :2], config.rates)
        valid.append(curves[:, :, 0])
        rate = config.rates[best_rate(valid[-1])]
        _, accuracy = _train(config, name, keys, (rate,))
        test.append(accuracy[0].mean(axis=1))
    return {
        "names": np.asarray(config.activations),
        "rates": np.asarray(config.rates),
        "valid": np.asarray(valid),
        "test": np.asarray(test),
    }


def _train(
    config: Config, activation: str, keys: Array, rates: tuple[float, ...]
) -> tuple[np.ndarray, np.ndarray]:
    """Trains a network for every rate, seed and start; `keys [seeds, 1 + starts]`.

    The first key of a seed is that of its split. Returns validation accuracies
    `[rates, seeds, starts, epochs]` and test accuracies `[rates, seeds, starts]`.
    """
    model = jn.MLP((config.units,) * config.layers, CLASSES, activation)
    spec = jn.TrainSpec(model, LOSS, config.epochs, config.batch_size)
    samples = SAMPLES[config.data]()

    def one(row: dict[str, Array]) -> tuple[Array, Array]:
        data = random_split(row["split"], samples)
        hparams = {"learning_rate": row["learning_rate"]}
        state, history = jn.train(spec, row["start"], data, hparams)
        return history["valid_accuracy"], evaluate.accuracy(model, LOSS, state.params, data.test)

    seeds, starts = keys.shape[0], keys.shape[1] - 1
    rows = jn.grid(learning_rate=rates, seed=range(seeds), start=range(starts))
    seed, start = rows.pop("seed"), rows.pop("start")
    rows |= {"split": keys[seed, 0], "start": keys[seed, 1 + start]}
    valid, test = jax.device_get(parallel_map(one, rows))
    shape = (len(rates), seeds, starts)
    return valid.reshape(*shape, -1), test.reshape(shape)


def best_rate(valid: np.ndarray) -> int:
    """Finds the rate with the best mean final accuracy of `valid [rates, seeds, epochs]`."""
    return int(best(valid[..., -1].mean(axis=1)))


def accuracies(result: Result) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    """Returns validation `[seeds, epochs]` and test accuracies `[seeds]` at the chosen rates."""
    names = [str(name) for name in result["names"]]
    chosen = [valid[best_rate(valid)] for valid in result["valid"]]
    return dict(zip(names, chosen, strict=True)), dict(zip(names, result["test"], strict=True))


def table(result: Result) -> str:
    valid, test = accuracies(result)
    rows = [
        [
            name,
            f"{result['rates'][best_rate(curves)]:g}",
            interval(valid[name][:, 0]).percent(),
            interval(valid[name][:, -1]).percent(),
            interval(test[name]).percent(),
        ]
        for name, curves in zip(valid, result["valid"], strict=True)
    ]
    epochs = result["valid"].shape[-1]
    head = ["activation", "rate", "validation accuracy after 1 epoch", f"after {epochs}", "test"]
    return f"{result['test'].shape[-1]} splits:\n{markdown(head, rows)}"


def plot(result: Result) -> Figure:
    canvas, axes = plots.figure(1, 3, size=(4.6, 4.0))
    valid, test = accuracies(result)
    for i, (name, style) in enumerate(zip(valid, plots.styles(), strict=False)):
        epochs = 1 + np.arange(valid[name].shape[1])
        plots.spread(axes[0, 0], epochs, 100 * valid[name], name, style | {"marker": ""})
        final = 100 * result["valid"][i, ..., -1].T
        plots.spread(axes[0, 1], result["rates"], final, name, style)
    axes[0, 0].set(xlabel="epoch", title="each at its own best rate (± 1 std)")
    axes[0, 1].set(xlabel="learning rate of Adam", title="after the last epoch", xscale="log")
    for panel in axes[0, :2]:
        panel.set_ylabel("validation accuracy [%]")
    top = 100 * max(np.max(curves.mean(axis=0)) for curves in valid.values())
    axes[0, 0].set_ylim(top - 12, top + 2)
    axes[0, 0].legend(fontsize="small", loc="lower right")
    _draw_tests(axes[0, 2], test)
    return canvas


def _draw_tests(axes: Axes, test: dict[str, np.ndarray]) -> None:
    """The test accuracy over the splits, the best at the top."""
    ranked = sorted(test, key=lambda name: test[name].mean())
    looks = dict(zip(test, plots.styles(), strict=False))
    for place, name in enumerate(ranked):
        found = interval(100 * test[name])
        look = looks[name] | {"linestyle": "none", "markersize": 7}
        axes.errorbar(found.mean, place, xerr=found.std, capsize=4, **look)
    axes.set_yticks(range(len(ranked)), ranked)
    axes.locator_params(axis="x", nbins=5)
    title = f"mean ± std of {len(test[ranked[0]])} splits"
    axes.set(xlabel="test accuracy [%]", title=title, ylim=(-0.5, len(ranked) - 0.5))


def _in_points(result: Result) -> dict[str, np.ndarray]:
    """Test accuracies `[seeds]` of the activations, in percent."""
    return {name: 100 * test for name, test in accuracies(result)[1].items()}


def _relu_boosts(result: Result) -> dict[str, Sample]:
    test = _in_points(result)
    return {f"above {name}": Sample(test["relu"], test[name]) for name in ("sigmoid", "tanh")}


def _alternatives(result: Result) -> Sample:
    valid, test = accuracies(result)[0], _in_points(result)
    known = [name for name in ALTERNATIVES if name in valid]
    best = max(known, key=lambda name: valid[name][:, -1].mean())
    return Sample(test[best], test["relu"])


def _good_default(result: Result) -> dict[str, Sample]:
    test = _in_points(result)
    others = [name for name in test if name != "relu"]
    return {LABELS.get(name, name): Sample(test["relu"], test[name]) for name in others}


CLAIMS = {
    "relu_boosts": _relu_boosts,
    "alternatives": _alternatives,
    "good_default": _good_default,
}
