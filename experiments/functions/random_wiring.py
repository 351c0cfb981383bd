"""Networks whose units are connected at random, against layers (row C11; L3).

Claim: "neural networks with random connections can work too" (L3, which cites Xie, Kirillov,
Girshick and He, "Exploring randomly wired neural networks for image recognition", ICCV 2019).
Theirs are random graphs of convolutions; here the lecture's sentence is tested on single units.

Command: `make random_wiring`, two minutes on 2 cores. Protocol: a perceptron with two hidden
layers, and a directed acyclic graph of as many units with exactly as many weights: the hidden units
stand in eight levels, and each sees a random set of the inputs and the units of all earlier levels.
scikit-learn's digits (2 x 32 ReLU units, 3,392 weights) and a 4 x 4 checkerboard (2 x 16 tanh
units, 304 weights; 1,024 training points). Mini-batches of 32, Adam with a rate that falls to zero,
the initial rate chosen on validation data for each network. A seed is a wiring, initial weights,
an order of the batches and, for the checkerboard, a draw of all data, which the contenders share;
as many images of MNIST are in its multiverse;
the digits are divided once, so that their interval counts seeds and test images both. A linear
model shows what is possible without hidden units. What counts is in
`experiments/claims/random_wiring`.

Expect random wirings to lose half a point on the digits, 98.4 % instead of 98.9 %, and next to
nothing on the checkerboard, 92 % for both, where single seeds differ by 5 points. The digits do not
tell them from a linear model (97.8 %): the checkerboard does (50 %).
"""

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
from jaxnets.claims import Sample
from jaxnets.data import Dataset
from jaxnets.models.random_wiring import RandomlyWired, from_layers, wiring
from jaxnets.parallel.rows import parallel_map
from jaxnets.training.optimizers import adam_cosine

from ..lab.claims import Interval, Result, interval, markdown
from ..shared import planar
from ..shared.best import best
from ..shared.image_data import mnist_or_digits

CONTENDERS = ("linear", "layered", "random")
PROBLEMS = ("images", "board")
SQUARE = (-1.0, 1.0, -1.0, 1.0)
MAP = 120
CLASSES = 10
PICTURES = (1079, 359, 2000)
"""To train on, to choose the rate and to test on, at most: as many as the digits have to train."""


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
    board_seeds: int = 64
    """More than of images: each draws its own data, and they differ by more."""
    data: str = "digits"
    seed: int = 1


MULTIVERSE = Config(rates=(0.01,), seeds=8, board_seeds=8)
SMOKE = Config(
    levels=(32, 32),
    epochs=2,
    board_levels=(16, 16),
    board_epochs=2,
    samples=64,
    rates=(0.01,),
    seeds=2,
    board_seeds=2,
)


class Problem(NamedTuple):
    """What is learned and how, and the hidden units of both networks."""

    features: int
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
        sizes = (self.features, *self.layers, self.outputs)
        weights = sum(before * after for before, after in pairwise(sizes))
        return {
            "linear": jn.MLP((), self.outputs),
            "layered": jn.MLP(self.layers, self.outputs, self.activation),
            "random": RandomlyWired(self.levels, weights, self.outputs, self.activation),
        }


def run(config: Config, key: Array, checkpoints: jn.CheckpointConfig | None = None) -> Result:
    pictures, name = mnist_or_digits(config.data)
    pictures = few(pictures)
    images = Problem(
        pictures.train["x"].shape[1], "softmax_cross_entropy", CLASSES, "relu", config.epochs,
        config.layers, config.levels,
    )  # fmt: skip
    board = Problem(
        2, "binary_cross_entropy", 1, "tanh", config.board_epochs,
        config.board_layers, config.board_levels,
    )  # fmt: skip
    images_key, board_key = jax.random.split(key)
    result = {"data": np.asarray(name)}
    for contender, model in images.models().items():
        result |= {
            f"images_{contender}{end}": found
            for end, found in _read_images(
                config, images, model, images_key, pictures, checkpoints
            ).items()
        }
    for contender, model in board.models().items():
        result |= {
            f"board_{contender}{end}": found
            for end, found in _decide_board(config, board, model, board_key).items()
        }
    return result


def _spec(config: Config, problem: Problem, model: Any, samples: int) -> jn.TrainSpec:
    steps = problem.epochs * -(-samples // config.batch_size)
    return jn.TrainSpec(
        model,
        problem.loss,
        problem.epochs,
        config.batch_size,
        adam_cosine(steps),
        record_every=problem.epochs,
    )


def _best(valid: np.ndarray, seeds: int) -> np.ndarray:
    """The row of the best rate of every seed, from final accuracies of all `[rates * seeds]`."""
    return best(valid.reshape(-1, seeds), axis=0) * seeds + np.arange(seeds)


def few(pictures: Dataset) -> Dataset:
    """Takes the first `PICTURES` of each part."""
    each = zip(pictures, PICTURES, strict=True)
    return Dataset(*({name: a[:n] for name, a in part.items()} for part, n in each))


def _read_images(
    config: Config,
    problem: Problem,
    model: Any,
    key: Array,
    data: Dataset,
    checkpoints: jn.CheckpointConfig | None,
) -> Result:
    """Whether each test image is read, `[seeds, images]`, and the first seed's wiring."""
    spec = _spec(config, problem, model, len(data.train["y"]))
    hparams = jn.grid(learning_rate=config.rates, seed=range(config.seeds))
    keys = jax.random.split(key, config.seeds)[hparams.pop("seed")]
    states, history = jn.sweep(
        spec, keys, data._replace(test=None), hparams, checkpoints=checkpoints
    )
    chosen = _best(np.asarray(history["valid_accuracy"])[:, -1], config.seeds)
    params = jax.tree.map(lambda leaf: np.asarray(leaf)[chosen], states.params)
    labels = evaluate.all_predictions(model, spec.loss, params, data.test["x"])
    first = jax.tree.map(lambda leaf: leaf[0], params)
    wired = first if isinstance(model, RandomlyWired) else jax.jit(from_layers)(first)
    correct = (labels == np.asarray(data.test["y"])).astype(np.float32)
    return {"": correct, "_wiring": np.asarray(wiring(wired))}


def _decide_board(config: Config, problem: Problem, model: Any, key: Array) -> Result:
    """Test accuracies `[seeds]` on data that each seed draws, and the first seed's decisions."""
    spec = _spec(config, problem, model, config.samples)

    def one(row: dict[str, Array]) -> tuple[Array, Array, Any]:
        data = planar.draw("checkerboard", row["data"], config.samples)
        state, history = jn.train(
            spec, row["start"], data._replace(test=None), {"learning_rate": row["learning_rate"]}
        )
        accuracy = evaluate.accuracy(model, spec.loss, state.params, data.test)
        return history["valid_accuracy"][-1], accuracy, state.params

    keys = jax.random.split(key, (config.board_seeds, 2))
    rows = jn.grid(learning_rate=config.rates, seed=range(config.board_seeds))
    seed = rows.pop("seed")
    rows |= {"data": keys[seed, 0], "start": keys[seed, 1]}
    valid, accuracy, params = jax.device_get(parallel_map(one, rows))
    chosen = _best(valid, config.board_seeds)
    first = jax.tree.map(lambda leaf: leaf[chosen[0]], params)
    decided = evaluate.predictions(model, spec.loss, first, evaluate.plane(SQUARE, MAP))
    return {"": accuracy[chosen], "_map": np.asarray(decided).reshape(MAP, MAP)}


def accuracy(result: Result, problem: str, contender: str) -> np.ndarray:
    """Returns test accuracies, `[seeds]`."""
    found = result[f"{problem}_{contender}"]
    return found.mean(axis=1) if found.ndim == 2 else found


def _data_name(result: Result, problem: str) -> str:
    return str(result["data"]) if problem == "images" else "checkerboard"


def table(result: Result) -> str:
    rows = [
        [name, *(interval(accuracy(result, p, name)).percent() for p in PROBLEMS)]
        for name in CONTENDERS
    ]
    rows += [
        [f"random minus {other}", *(_gap(result, p, other).percent() for p in PROBLEMS)]
        for other in ("layered", "linear")
    ]
    return markdown(["test accuracy", *(_data_name(result, p) for p in PROBLEMS)], rows)


def _gap(result: Result, problem: str, other: str) -> Interval:
    return interval(accuracy(result, problem, "random") - accuracy(result, problem, other))


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
    """A grey line for each seed, means and standard deviations."""
    found = 100 * np.stack([accuracy(result, problem, name) for name in CONTENDERS[1:]])
    axes.plot([0, 1], found, color="0.75", linewidth=0.8)
    axes.errorbar(
        [0, 1],
        found.mean(axis=1),
        found.std(axis=1, ddof=1),
        label="mean ± std",
        color=plots.COLOURS[1],
        marker="o",
        capsize=4,
    )
    style = next(plots.styles()) | {"linestyle": ":"}
    linear = 100 * accuracy(result, problem, "linear").mean()
    plots.level(axes, linear, f"linear model, {linear:.1f} %", style)
    axes.set_xticks([0, 1], ["layers", "random"])
    axes.set(xlim=(-0.3, 1.3), ylim=(found.min() - 1, found.max() + 1))
    title = f"{_data_name(result, problem)}, {found.shape[1]} seeds (grey)"
    axes.set(ylabel="test accuracy [%]", title=title)
    axes.legend(fontsize="small")


def _images(result: Result) -> dict[str, Sample]:
    random, layered = (100 * result[f"images_{name}"] for name in ("random", "layered"))
    return {"accuracy": Sample(random), "against layers": Sample(random, layered)}


def _board(result: Result) -> dict[str, Sample]:
    random, layered, linear = (
        100 * result[f"board_{name}"] for name in ("random", "layered", "linear")
    )
    return {
        "against layers": Sample(random, layered),
        "against a linear model": Sample(random, linear),
    }


CLAIMS = {"images": _images, "board": _board}
