"""MNIST by one and two hidden layers of 20 to 120 units, and by SVM and k-NN (F7, A8; L0, L4).

Claims: test accuracy grows with width; "two-layer MLP yield better accuracy with fewer weights
initially, one-layer MLP eventually catches up"; an SVM reaches 98.6 % and k-NN 96.8 %.

Command: `make mnist_width`, 9 minutes on one core; without MNIST it uses scikit-learn's digits
and no claim is judged. What counts: `experiments/claims/mnist_width/`. Protocol: 50,000 training,
10,000 validation, 10,000 test images (the slide says 5,000); ReLU, mini-batches of 64, Adam with a
rate that falls to zero over 12 epochs; all seeds of a width train in one program. The RBF SVM
(C = 10) sees the same 50,000 images, k-NN (3 neighbours) too. Intervals are over seeds and test
images, those of the SVM and of k-NN over test images. Expect 96 % at 20 units and 98 % at 120.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from itertools import pairwise

import jax
import numpy as np
from jax import Array
from matplotlib.axes import Axes
from matplotlib.figure import Figure

import jaxnets as jn
from jaxnets import classical, plots
from jaxnets.analysis import evaluate
from jaxnets.claims import Sample
from jaxnets.data import Dataset

from ..lab.claims import Result, interval, markdown, rank_trend
from ..lab.judging import require_mnist
from ..shared.image_data import mnist_or_digits
from ..shared.image_networks import adam_cosine_spec

LAYERS = {1: "one layer", 2: "two layers"}
PEERS = {"svm": "RBF SVM", "knn": "k-NN"}


@dataclass(frozen=True)
class Config:
    widths: tuple[int, ...] = (20, 40, 60, 80, 100, 120)
    seeds: int = 8
    epochs: int = 12
    batch_size: int = 64
    learning_rate: float = 2e-3
    svm_penalty: float = 10.0
    neighbours: int = 3
    data: str = "mnist"
    seed: int = 1


MULTIVERSE = Config(widths=(20, 40, 100, 120), seeds=4)
SMOKE = Config(widths=(20, 40), seeds=2, epochs=2, data="digits")


def run(config: Config, key: Array, checkpoints: jn.CheckpointConfig | None = None) -> Result:
    data, name = mnist_or_digits(config.data)
    result: Result = {"data": np.asarray(name), "widths": np.asarray(config.widths)}
    for depth in LAYERS:
        own = jax.random.fold_in(key, depth)
        right = [
            _train(config, own, data, depth, width, checkpoints=checkpoints)
            for width in config.widths
        ]
        result[f"right_{depth}"] = np.stack(right, axis=1)
        result[f"weights_{depth}"] = np.asarray([_weights(data, n, depth) for n in config.widths])
    peers = {
        "svm": partial(classical.rbf_svm, C=config.svm_penalty),
        "knn": partial(classical.knn, n_neighbors=config.neighbours),
    }
    for peer, fit in peers.items():
        print(f"fitting the {PEERS[peer]} of scikit-learn", flush=True)
        machine = fit(data.train["x"], data.train["y"])
        result[peer] = machine.predict(data.test["x"]) == data.test["y"]
    return result


def _train(
    config: Config,
    key: Array,
    data: Dataset,
    depth: int,
    width: int,
    checkpoints: jn.CheckpointConfig | None = None,
) -> np.ndarray:
    """Which test images `[seeds, images]` networks of `depth` layers of `width` units read."""
    model = jn.MLP((width,) * depth, 10, "relu")
    spec = adam_cosine_spec(model, "softmax_cross_entropy", config.epochs, config.batch_size, data)
    keys = jax.random.split(jax.random.fold_in(key, width), config.seeds)
    rate = {"learning_rate": config.learning_rate}
    states, _ = jn.sweep(
        spec, keys, Dataset(data.train), rate, progress=True, checkpoints=checkpoints
    )
    predicted = evaluate.all_predictions(model, spec.loss, states.params, data.test["x"])
    return predicted == data.test["y"]


def _weights(data: Dataset, width: int, depth: int) -> int:
    sizes = [data.train["x"].shape[1], *(width,) * depth, 10]
    return sum(after * (before + 1) for before, after in pairwise(sizes))


def accuracies(result: Result, depth: int) -> np.ndarray:
    """Computes the test accuracy `[seeds, widths]` of networks with `depth` hidden layers."""
    return result[f"right_{depth}"].mean(-1)


def table(result: Result) -> str:
    rows = []
    for depth in LAYERS:
        for i, width in enumerate(result["widths"]):
            accuracy = interval(accuracies(result, depth)[:, i]).percent()
            rows.append([f"{depth} x {width}", f"{result[f'weights_{depth}'][i]:,}", accuracy])
    rows += [[PEERS[peer], "-", f"{100 * result[peer].mean():.2f} %"] for peer in PEERS]
    return f"{result['data']}, {_seeds(result)}:\n" + markdown(
        ["hidden layers x units", "weights", "test accuracy"], rows
    )


def plot(result: Result) -> Figure:
    canvas, axes = plots.figure(1, 2, size=(5.0, 3.8))
    _draw(axes[0, 0], result, [result["widths"]] * 2, "units in each hidden layer")
    counts = [result[f"weights_{depth}"] for depth in LAYERS]
    _draw(axes[0, 1], result, counts, "weights and biases")
    axes[0, 0].set_ylabel(f"test accuracy on {result['data']} [%]")
    axes[0, 0].legend(fontsize="small")
    return canvas


def _draw(axes: Axes, result: Result, xs: list[np.ndarray], label: str) -> None:
    style = plots.styles()
    for (depth, name), x in zip(LAYERS.items(), xs, strict=True):
        layers = f"{name.replace(' ', ' hidden ')} (± 1 std)"
        plots.spread(axes, x, 100 * accuracies(result, depth), layers, next(style))
    for peer, name in PEERS.items():
        plots.level(axes, 100 * float(result[peer].mean()), name, next(style))
    axes.set_xlabel(label)


def _accuracy_grows(result: Result) -> dict[str, Sample]:
    require_mnist(result)
    found = {}
    for depth, name in LAYERS.items():
        trend = rank_trend(result["widths"], accuracies(result, depth))
        right = 100.0 * result[f"right_{depth}"]
        found[f"trend, {name}"] = Sample(trend)
        found[f"gain, {name}"] = Sample(right[:, -1], right[:, 0])
    return found


def _two_layers_first(result: Result) -> dict[str, Sample]:
    require_mnist(result)
    common = np.flatnonzero(result["weights_2"] <= result["weights_1"].max())
    ends = {"fewest weights": common[0], "most weights": common[-1]}
    return {
        name: Sample(100.0 * result["right_2"][:, i], 100 * at_weights(result, i))
        for name, i in ends.items()
    }


def at_weights(result: Result, i: int) -> np.ndarray:
    """One layer at the weights of two layers of the i-th width, between the nearest widths.

    `[seeds, images]`: whether an image is read correctly, interpolated as the accuracy is.
    """
    weights, sought = result["weights_1"], result["weights_2"][i]
    below = min(int(np.searchsorted(weights, sought, "right")), len(weights) - 1) - 1
    share = (sought - weights[below]) / (weights[below + 1] - weights[below])
    right = result["right_1"]
    return (1 - share) * right[:, below] + share * right[:, below + 1]


def _seeds(result: Result) -> str:
    return f"{len(result['right_1'])} seeds"


def _peer(peer: str) -> Callable[[Result], Sample]:
    def measure(result: Result) -> Sample:
        require_mnist(result)
        return Sample(result[peer])

    return measure


CLAIMS = {
    "accuracy_grows": _accuracy_grows,
    "two_layers_first": _two_layers_first,
    "svm": _peer("svm"),
    "knn": _peer("knn"),
}
