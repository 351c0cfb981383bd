"""Networks whose units are connected at random, against layers (row C11; L3).

Claim: "neural networks with random connections can work too" (L3, which cites Xie, Kirillov,
Girshick and He, "Exploring randomly wired neural networks for image recognition", ICCV 2019).
Theirs are random graphs of convolutions; here the lecture's sentence is tested on single units.

Command: `make random_wiring`, a minute or two on 2 cores. Protocol: a perceptron with two hidden
layers, and a directed acyclic graph of as many units with exactly as many weights: the hidden units
stand in eight levels, and each sees a random set of the inputs and the units of all earlier levels.
scikit-learn's digits (2 x 32 ReLU units, 3,392 weights) and a 4 x 4 checkerboard (2 x 16 tanh
units, 304 weights; 1,024 training points). Mini-batches of 32, Adam with a rate that falls to zero,
the initial rate chosen on validation data for each network. A seed is a wiring, initial weights,
and an order of the batches that the contenders share; the data are the same for all. A linear model
shows what is possible without hidden units.

The claim holds on a problem if the 95 % interval of the paired difference in test accuracy, random
minus layered, lies above -1 point, and that of random minus linear above 0. Expect random wirings
to lose half a point on both problems: 98.4 % instead of 98.9 % on the digits, where the claim
holds, and 93.6 % instead of 94.3 % on the checkerboard, where the interval, [-1.6, +0.2] points,
reaches below -1 and above 0, so that it does not hold.
"""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, NamedTuple

import jax
import numpy as np
from jax import Array
from matplotlib.axes import Axes
from matplotlib.figure import Figure

import jaxnets as jn
from jaxnets import plots
from jaxnets.analysis import evaluate
from jaxnets.data import Dataset
from jaxnets.models.random_wiring import RandomlyWired, from_layers, wiring
from jaxnets.training.optimizers import adam_cosine

from ..lab.claims import Claim, Result, Verdict, interval, markdown, verdict
from ..shared import planar
from ..shared.image_data import mnist_or_digits

CONTENDERS = ("linear", "layered", "random")
PROBLEMS = ("images", "board")
MARGIN = 0.01
"""Accuracy that a random wiring may lose and still count as working."""
SQUARE = (-1.0, 1.0, -1.0, 1.0)
MAP = 120
CLASSES = 10


@dataclass(frozen=True)
class Config:
    layers: tuple[int, ...] = (32, 32)
    levels: tuple[int, ...] = (8,) * 8
    epochs: int = 40
    board_layers: tuple[int, ...] = (16, 16)
    board_levels: tuple[int, ...] = (4,) * 8
    board_epochs: int = 200
    samples: int = 1024
    rates: tuple[float, ...] = (0.003, 0.01, 0.03)
    batch_size: int = 32
    seeds: int = 32
    data: str = "digits"
    seed: int = 0


SMOKE = Config(
    levels=(32, 32),
    epochs=2,
    board_levels=(16, 16),
    board_epochs=2,
    samples=64,
    rates=(0.01,),
    seeds=2,
)


class Problem(NamedTuple):
    """Data, how they are learned, and the hidden units of both networks."""

    data: Dataset
    loss: str
    outputs: int
    activation: str
    epochs: int
    layers: tuple[int, ...]
    levels: tuple[int, ...]

    def models(self) -> dict[str, Any]:
        """Builds the contenders; the random wiring has as many units and weights as the layers."""
        if sum(self.layers) != sum(self.levels):
            raise ValueError(f"layers {self.layers} and levels {self.levels} differ in units")
        sizes = (self.data.train["x"].shape[1], *self.layers, self.outputs)
        weights = sum(before * after for before, after in pairwise(sizes))
        return {
            "linear": jn.MLP((), self.outputs),
            "layered": jn.MLP(self.layers, self.outputs, self.activation),
            "random": RandomlyWired(self.levels, weights, self.outputs, self.activation),
        }


def run(config: Config, key: Array, checkpoints: jn.CheckpointConfig | None = None) -> Result:
    pictures, name = mnist_or_digits(config.data)
    data_key, *keys = jax.random.split(key, 1 + len(PROBLEMS))
    draw = jax.jit(planar.draw, static_argnums=(0, 2))
    board = draw("checkerboard", data_key, config.samples)
    problems = (
        Problem(pictures, "softmax_cross_entropy", CLASSES, "relu", config.epochs,
                config.layers, config.levels),
        Problem(board, "binary_cross_entropy", 1, "tanh", config.board_epochs,
                config.board_layers, config.board_levels),
    )  # fmt: skip
    result = {"data": np.asarray(name)}
    for label, problem, train_key in zip(PROBLEMS, problems, keys, strict=True):
        for contender, model in problem.models().items():
            accuracy, params = _train(config, problem, model, train_key, checkpoints=checkpoints)
            result[f"{label}_{contender}"] = accuracy
            result |= {
                f"{label}_{contender}_{k}": v for k, v in _show(label, model, params).items()
            }
    return result


def _train(
    config: Config,
    problem: Problem,
    model: Any,
    key: Array,
    checkpoints: jn.CheckpointConfig | None = None,
) -> tuple[np.ndarray, Any]:
    """Test accuracy `[seeds]` at each seed's best rate, and the params of the first seed there."""
    steps = problem.epochs * -(-len(problem.data.train["y"]) // config.batch_size)
    spec = jn.TrainSpec(
        model,
        problem.loss,
        problem.epochs,
        config.batch_size,
        adam_cosine(steps),
        record_every=problem.epochs,
    )
    hparams = jn.grid(learning_rate=config.rates, seed=range(config.seeds))
    keys = jax.random.split(key, config.seeds)[hparams.pop("seed")]
    states, history = jn.sweep(
        spec, keys, problem.data._replace(test=None), hparams, checkpoints=checkpoints
    )
    valid = np.asarray(history["valid_accuracy"])[:, -1].reshape(-1, config.seeds)
    chosen = valid.argmax(axis=0) * config.seeds + np.arange(config.seeds)
    params = jax.tree.map(lambda leaf: np.asarray(leaf)[chosen], states.params)
    accuracy = evaluate.accuracies(model, spec.loss, params, problem.data.test)
    return accuracy, jax.tree.map(lambda leaf: leaf[0], params)


def _show(label: str, model: Any, params: Any) -> Result:
    """The wiring of a network on images, its decisions on the board."""
    if label == "board":
        decided = evaluate.predictions(
            model, "binary_cross_entropy", params, evaluate.plane(SQUARE, MAP)
        )
        return {"map": np.asarray(decided).reshape(MAP, MAP)}
    wired = params if isinstance(model, RandomlyWired) else jax.jit(from_layers)(params)
    return {"wiring": np.asarray(wiring(wired))}


def gap(result: Result, problem: str, other: str) -> np.ndarray:
    """Computes the test accuracy of random wiring minus that of another contender, `[seeds]`."""
    return result[f"{problem}_random"] - result[f"{problem}_{other}"]


def _points(values: np.ndarray) -> str:
    """The 95 % interval of a mean, in points of accuracy."""
    found = interval(values)
    return f"{100 * found.mean:+.2f} points, 95 % [{100 * found.low:+.2f}, {100 * found.high:+.2f}]"


def _data_name(result: Result, problem: str) -> str:
    return str(result["data"]) if problem == "images" else "checkerboard"


def table(result: Result) -> str:
    rows = [
        [contender, *(interval(result[f"{p}_{contender}"]).percent() for p in PROBLEMS)]
        for contender in CONTENDERS
    ]
    rows += [
        [f"random minus {other}", *(_points(gap(result, p, other)) for p in PROBLEMS)]
        for other in ("layered", "linear")
    ]
    return markdown(["test accuracy", *(_data_name(result, p) for p in PROBLEMS)], rows)


def plot(result: Result) -> Figure:
    canvas, axes = plots.figure(2, 3, size=(4.4, 3.7))
    titles = {"layered": "hidden layers", "random": "random wiring"}
    for i, (contender, title) in enumerate(titles.items()):
        _draw_wiring(axes[0, i], result[f"images_{contender}_wiring"], title)
        plots.regions(axes[1, i], result[f"board_{contender}_map"], SQUARE, f"decisions, {title}")
        axes[1, i].set(xticks=(-1, 0, 1), yticks=(-1, 0, 1))
    for row, problem in zip(axes, PROBLEMS, strict=True):
        _draw_accuracies(row[2], result, problem)
    return canvas


def _draw_wiring(axes: Axes, connected: np.ndarray, title: str) -> None:
    """A dark cell where unit i (row) sees node j (column)."""
    units, nodes = connected.shape
    axes.imshow(connected, cmap="Blues", vmin=0, vmax=1.3, aspect="auto", interpolation="nearest")
    hidden = units - CLASSES
    features = nodes - hidden
    axes.axvline(features - 0.5, color="black", linewidth=0.8)
    axes.axhline(hidden - 0.5, color="black", linewidth=0.8)
    axes.set(xlabel=f"{features} pixels | hidden units", ylabel="hidden units | outputs")
    axes.set(title=f"{title}, {connected.sum():,} weights")
    axes.grid(visible=False)


def _draw_accuracies(axes: Axes, result: Result, problem: str) -> None:
    """A grey line for each seed, and means with their 95 % intervals."""
    accuracy = 100 * np.stack([result[f"{problem}_{c}"] for c in CONTENDERS[1:]])
    axes.plot([0, 1], accuracy, color="0.75", linewidth=0.8)
    means = [interval(row) for row in accuracy]
    axes.errorbar(
        [0, 1],
        [i.mean for i in means],
        [i.mean - i.low for i in means],
        label="mean and 95 % interval",
        color=plots.COLOURS[1],
        marker="o",
        capsize=4,
    )
    style = next(plots.styles()) | {"linestyle": ":"}
    linear = 100 * result[f"{problem}_linear"].mean()
    plots.level(axes, linear, f"linear model, {linear:.1f} %", style)
    axes.set_xticks([0, 1], ["layers", "random"])
    axes.set(xlim=(-0.3, 1.3), ylim=(accuracy.min() - 1, accuracy.max() + 1))
    title = f"{_data_name(result, problem)}, {accuracy.shape[1]} seeds (grey)"
    axes.set(ylabel="test accuracy [%]", title=title)
    axes.legend(fontsize="small")


def _works(problem: str) -> Callable[[Result], Verdict]:
    """Judges one problem by the criterion of the lab note."""

    def judge(result: Result) -> Verdict:
        layered, linear = (gap(result, problem, other) for other in ("layered", "linear"))
        holds = interval(layered).low > -MARGIN and interval(linear).low > 0
        ours = (
            f"random {interval(result[f'{problem}_random']).percent()}, layers "
            f"{interval(result[f'{problem}_layered']).percent()}: {_points(layered)}; linear "
            f"{interval(result[f'{problem}_linear']).percent()}"
        )
        return verdict(holds, ours, f"{len(layered)} paired seeds, {_data_name(result, problem)}")

    return judge


CLAIMS = [
    Claim(
        "C11, L3", f"networks with random connections can work too: {where}", "-", _works(problem)
    )
    for problem, where in {"images": "images of digits", "board": "a problem of the plane"}.items()
]
