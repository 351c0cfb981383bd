"""MNIST by one and two hidden layers of 20 to 120 units, and by SVM and k-NN (F7, A8; L0, L4).

Claims: test accuracy grows with width; "two-layer MLP yield better accuracy with fewer weights
initially, one-layer MLP eventually catches up"; an SVM reaches 98.6 % and k-NN 96.8 %.

Command: `make mnist_width`, 9 minutes on one core; without MNIST it uses scikit-learn's digits
and the claims stay untested. Protocol: 50,000 training, 10,000 validation, 10,000 test
images; ReLU, mini-batches of 64, Adam with a rate that falls to zero over 12 epochs; all seeds of
a width train in one program. The RBF SVM (C = 10) sees the same 50,000 images, k-NN
(3 neighbours) too. Expect 96 % at 20 units and 98 % at 120.
"""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

import jax
import numpy as np
from jax import Array
from matplotlib.axes import Axes
from matplotlib.figure import Figure

import jaxnets as jn
from jaxnets import classical, plots
from jaxnets.analysis import evaluate
from jaxnets.data import Dataset

from ..lab.claims import Claim, Result, Verdict, interval, markdown, on_mnist, verdict
from ..shared.image_data import mnist_or_digits
from ..shared.image_networks import adam_cosine_spec

DEPTHS = (1, 2)
PEERS = {"svm": "RBF SVM", "knn": "k-NN"}
LECTURE = {"svm": 0.986, "knn": 0.968}


@dataclass(frozen=True)
class Config:
    widths: tuple[int, ...] = (20, 40, 60, 80, 100, 120)
    seeds: int = 8
    epochs: int = 12
    batch_size: int = 64
    learning_rate: float = 2e-3
    data: str = "mnist"
    seed: int = 0


SMOKE = Config(widths=(20, 40), seeds=2, epochs=2, data="digits")


def run(config: Config, key: Array, checkpoints: jn.CheckpointConfig | None = None) -> Result:
    data, name = mnist_or_digits(config.data)
    result: Result = {"data": np.asarray(name), "widths": np.asarray(config.widths)}
    for depth in DEPTHS:
        own = jax.random.fold_in(key, depth)
        accuracies = [
            _train(config, own, data, depth, width, checkpoints=checkpoints)
            for width in config.widths
        ]
        result[f"test_{depth}"] = np.stack(accuracies, axis=1)
        result[f"weights_{depth}"] = np.asarray([_weights(data, n, depth) for n in config.widths])
    for peer, fit in (("svm", classical.rbf_svm), ("knn", classical.knn)):
        print(f"fitting the {PEERS[peer]} of scikit-learn", flush=True)
        neighbours = {"n_neighbors": 3} if peer == "knn" else {}
        machine = fit(data.train["x"], data.train["y"], **neighbours)
        result[peer] = np.asarray(machine.score(data.test["x"], data.test["y"]))
    return result


def _train(
    config: Config,
    key: Array,
    data: Dataset,
    depth: int,
    width: int,
    checkpoints: jn.CheckpointConfig | None = None,
) -> np.ndarray:
    """Test accuracy `[seeds]` of networks with `depth` hidden layers of `width` units."""
    model = jn.MLP((width,) * depth, 10, "relu")
    spec = adam_cosine_spec(model, "softmax_cross_entropy", config.epochs, config.batch_size, data)
    keys = jax.random.split(jax.random.fold_in(key, width), config.seeds)
    rate = {"learning_rate": config.learning_rate}
    states, _ = jn.sweep(
        spec, keys, Dataset(data.train), rate, progress=True, checkpoints=checkpoints
    )
    return evaluate.accuracies(model, spec.loss, states.params, data.test)


def _weights(data: Dataset, width: int, depth: int) -> int:
    sizes = [data.train["x"].shape[1], *(width,) * depth, 10]
    return sum(after * (before + 1) for before, after in pairwise(sizes))


def table(result: Result) -> str:
    rows = []
    for depth in DEPTHS:
        for i, width in enumerate(result["widths"]):
            accuracy = interval(result[f"test_{depth}"][:, i]).percent()
            rows.append([f"{depth} x {width}", f"{result[f'weights_{depth}'][i]:,}", accuracy])
    rows += [[PEERS[peer], "-", f"{100 * result[peer]:.2f} %"] for peer in PEERS]
    seeds = len(result["test_1"])
    return f"{result['data']}, {seeds} seeds:\n" + markdown(
        ["hidden layers x units", "weights", "test accuracy"], rows
    )


def plot(result: Result) -> Figure:
    canvas, axes = plots.figure(1, 2, size=(5.0, 3.8))
    _draw(axes[0, 0], result, [result["widths"]] * 2, "units in each hidden layer")
    counts = [result[f"weights_{depth}"] for depth in DEPTHS]
    _draw(axes[0, 1], result, counts, "weights and biases")
    axes[0, 0].set_ylabel(f"test accuracy on {result['data']} [%]")
    axes[0, 0].legend(fontsize="small")
    return canvas


def _draw(axes: Axes, result: Result, xs: list[np.ndarray], label: str) -> None:
    style = plots.styles()
    names = ("one hidden layer (± 1 std)", "two hidden layers (± 1 std)")
    for depth, x, name in zip(DEPTHS, xs, names, strict=True):
        plots.spread(axes, x, 100 * result[f"test_{depth}"], name, next(style))
    for peer, name in PEERS.items():
        plots.level(axes, 100 * float(result[peer]), name, next(style))
    axes.set_xlabel(label)


def _accuracy_grows(result: Result) -> Verdict:
    steps = [interval(result[f"test_{d}"][:, -1] - result[f"test_{d}"][:, 0]) for d in DEPTHS]
    ends = [[interval(result[f"test_{d}"][:, i]).percent() for i in (0, -1)] for d in DEPTHS]
    first, last = result["widths"][[0, -1]]
    ours = "; ".join(
        f"{d} layer(s): n={first} {low}, n={last} {high}"
        for d, (low, high) in zip(DEPTHS, ends, strict=True)
    )
    return on_mnist(result, verdict(all(s.low > 0 for s in steps), ours, _seeds(result)))


def _two_layers_first(result: Result) -> Verdict:
    """At equal weights: the one-layer curve interpolated at the two-layer networks' weights."""
    one = np.asarray(
        [np.interp(result["weights_2"], result["weights_1"], seed) for seed in result["test_1"]]
    )
    common = result["weights_2"] <= result["weights_1"].max()
    gaps = [interval(gap) for gap in (result["test_2"] - one).T[common]]
    ours = "two layers minus one at equal weights: " + ", ".join(
        f"{weights:,} {100 * gap.mean:+.2f} ± {100 * gap.std:.2f}"
        for weights, gap in zip(result["weights_2"][common], gaps, strict=True)
    )
    holds = gaps[0].low > 0 and gaps[-1].low <= 0
    return on_mnist(result, verdict(holds, ours + " points", _seeds(result)))


def _seeds(result: Result) -> str:
    return f"{len(result['test_1'])} seeds"


def _baseline(peer: str) -> Callable[[Result], Verdict]:
    def judge(result: Result) -> Verdict:
        holds = abs(result[peer] - LECTURE[peer]) <= 0.005
        ours = f"{100 * result[peer]:.2f} %"
        return on_mnist(result, verdict(holds, ours, "1 split, within 0.5 points"))

    return judge


CLAIMS = [
    Claim("F7, L0", "accuracy grows with width, for one and two layers", "curve", _accuracy_grows),
    Claim(
        "F7, L0",
        "two layers are better at few weights, one layer catches up",
        "curve",
        _two_layers_first,
    ),
    Claim("A8, L0", "accuracy of an SVM on MNIST", "98.6 %", _baseline("svm")),
    Claim("A8, L0", "accuracy of k-NN on MNIST", "96.8 %", _baseline("knn")),
]
