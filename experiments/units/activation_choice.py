"""Six activations in the same network on images of digits (row F17; L0, L1, L3).

Claims: replacing sigmoid and tanh by ReLU "has significantly boosted performance in many cases"
(L0); "ReLU is now slowly being replaced by better alternatives" (L1); "ReLU is a good default
choice for most problems" (L3). No lecture has a number for a classification task.

Command: `make activation_choice`, one minute on 2 cores. Protocol: scikit-learn's 1,797 digits of
8 x 8 pixels, split again for each seed into 1,079 for training, 359 for validation and 359 for
testing; three hidden layers, as many as in L0's PyTorch class, of 32 units each; weights drawn to
suit the activation (Glorot or He), mini-batches of 32, Adam at whichever of five rates has the best
mean validation accuracy for the activation. A seed has the same split for all six. Criteria,
fixed before any run, by 95 % intervals of paired differences of the test accuracy: ReLU is above
sigmoid and above tanh (L0); the best of leaky ReLU, ELU and softplus on validation data is above
ReLU (L1); the best of all others on validation data is less than 0.5 points above ReLU (L3).
Expect all six between 96.7 and 97.4 % at their own rate, leaky ReLU and ELU half a point above the
others; what differs is the start: after one epoch ELU and tanh are at 89 %, ReLU at 82 %, sigmoid
at 29 %.
"""

from dataclasses import dataclass

import jax
import numpy as np
from jax import Array
from matplotlib.axes import Axes
from matplotlib.figure import Figure

import jaxnets as jn
from jaxnets import plots
from jaxnets.analysis import evaluate
from jaxnets.parallel.rows import parallel_map

from ..lab.claims import Claim, Interval, Result, Verdict, interval, markdown, verdict
from ..shared.image_data import digits, random_split

LOSS = "softmax_cross_entropy"
CLASSES = 10
NAMES = ("relu", "tanh", "sigmoid", "leaky_relu", "elu", "softplus")
ALTERNATIVES = ("leaky_relu", "elu", "softplus")
GOOD_ENOUGH = 0.005


@dataclass(frozen=True)
class Config:
    activations: tuple[str, ...] = NAMES
    """`relu`, `tanh`, `sigmoid` and one or more of `ALTERNATIVES`."""
    layers: int = 3
    units: int = 32
    rates: tuple[float, ...] = (3e-4, 1e-3, 3e-3, 1e-2, 3e-2)
    seeds: int = 32
    epochs: int = 40
    batch_size: int = 32
    seed: int = 0


SMOKE = Config(NAMES[:4], layers=1, units=4, rates=(1e-2,), seeds=2, epochs=2, batch_size=512)


def run(config: Config, key: Array) -> Result:
    keys = jax.random.split(key, config.seeds)
    valid, test = [], []
    for name in config.activations:
        print(f"{len(keys) * len(config.rates)} networks with {name}", flush=True)
        found = _train(config, keys, name)
        valid.append(found[0])
        test.append(found[1])
    return {
        "names": np.asarray(config.activations),
        "rates": np.asarray(config.rates),
        "valid": np.asarray(valid),
        "test": np.asarray(test),
    }


def _train(config: Config, keys: Array, activation: str) -> tuple[np.ndarray, np.ndarray]:
    """Validation accuracies `[rates, seeds, epochs]`, test accuracies `[rates, seeds]`."""
    model = jn.MLP((config.units,) * config.layers, CLASSES, activation)
    spec = jn.TrainSpec(model, LOSS, config.epochs, config.batch_size)
    samples = digits()

    def one(row: dict[str, Array]) -> tuple[Array, Array]:
        split_key, train_key = jax.random.split(row["key"])
        data = random_split(split_key, samples)
        hparams = {"learning_rate": row["learning_rate"]}
        state, history = jn.train(spec, train_key, data, hparams)
        return history["valid_accuracy"], evaluate.accuracy(model, LOSS, state.params, data.test)

    rows = jn.grid(learning_rate=config.rates, seed=range(config.seeds))
    rows["key"] = keys[rows.pop("seed")]
    shape = (len(config.rates), config.seeds)
    valid, test = jax.device_get(parallel_map(one, rows))
    return valid.reshape(*shape, -1), test.reshape(shape)


def _names(result: Result) -> list[str]:
    return [str(name) for name in result["names"]]


def chosen_rates(result: Result) -> np.ndarray:
    """Finds the index of the rate with the best mean final validation accuracy, `[activations]`."""
    return result["valid"][..., -1].mean(axis=2).argmax(axis=1)


def accuracies(result: Result) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    """Returns validation `[seeds, epochs]` and test accuracies `[seeds]` at the chosen rates."""
    at = list(zip(_names(result), chosen_rates(result), strict=True))
    valid = {name: result["valid"][i, rate] for i, (name, rate) in enumerate(at)}
    return valid, {name: result["test"][i, rate] for i, (name, rate) in enumerate(at)}


def table(result: Result) -> str:
    valid, test = accuracies(result)
    rows = [
        [
            name,
            f"{result['rates'][rate]:g}",
            interval(valid[name][:, 0]).percent(),
            interval(valid[name][:, -1]).percent(),
            interval(test[name]).percent(),
        ]
        for name, rate in zip(_names(result), chosen_rates(result), strict=True)
    ]
    epochs = result["valid"].shape[-1]
    head = ["activation", "rate", "validation accuracy after 1 epoch", f"after {epochs}", "test"]
    return f"{_seeds(result)}:\n{markdown(head, rows)}"


def plot(result: Result) -> Figure:
    canvas, axes = plots.figure(1, 3, size=(4.6, 4.0))
    valid, test = accuracies(result)
    for i, (name, style) in enumerate(zip(_names(result), plots.styles(), strict=False)):
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
    """The mean test accuracy with its 95 % interval, the best at the top."""
    ranked = sorted(test, key=lambda name: test[name].mean())
    looks = dict(zip(test, plots.styles(), strict=False))
    for place, name in enumerate(ranked):
        found = interval(100 * test[name])
        half = found.high - found.mean
        look = looks[name] | {"linestyle": "none", "markersize": 7}
        axes.errorbar(found.mean, place, xerr=half, capsize=4, **look)
    axes.set_yticks(range(len(ranked)), ranked)
    axes.locator_params(axis="x", nbins=5)
    title = f"mean of {len(test[ranked[0]])} seeds, 95 % interval"
    axes.set(xlabel="test accuracy [%]", title=title, ylim=(-0.5, len(ranked) - 0.5))


def _seeds(result: Result) -> str:
    return f"{result['test'].shape[-1]} seeds"


def _paired_seeds(result: Result) -> str:
    return f"{_seeds(result)}, paired"


def _difference(test: dict[str, np.ndarray], name: str, other: str) -> tuple[Interval, str]:
    """The test accuracy of one activation minus another's, and its text."""
    gap = interval(test[name] - test[other])
    mean, low, high = 100 * gap.mean, 100 * gap.low, 100 * gap.high
    text = f"{name} minus {other} {mean:+.2f} [{low:+.2f}, {high:+.2f}]"
    return gap, text


def _best_of(valid: dict[str, np.ndarray], names: set[str]) -> str:
    return max(sorted(names), key=lambda name: valid[name][:, -1].mean())


def _relu_boosts(result: Result) -> Verdict:
    _, test = accuracies(result)
    gaps = [_difference(test, "relu", other) for other in ("sigmoid", "tanh")]
    ours = "; ".join(text for _, text in gaps)
    return verdict(all(gap.low > 0 for gap, _ in gaps), f"{ours} points", _paired_seeds(result))


def _alternatives(result: Result) -> Verdict:
    valid, test = accuracies(result)
    gap, text = _difference(test, _best_of(valid, set(test) & set(ALTERNATIVES)), "relu")
    return verdict(gap.low > 0, f"{text} points", _paired_seeds(result))


def _good_default(result: Result) -> Verdict:
    valid, test = accuracies(result)
    gap, text = _difference(test, _best_of(valid, set(test) - {"relu"}), "relu")
    return verdict(gap.high < GOOD_ENOUGH, f"{text} points", _paired_seeds(result))


CLAIMS = [
    Claim("F17, L0", "ReLU is better than sigmoid and tanh", "statement", _relu_boosts),
    Claim("F17, L1", "there are better alternatives to ReLU", "CIFAR-10, picture", _alternatives),
    Claim(
        "F17, L3",
        "ReLU is a good default: none is 0.5 points better",
        "statement",
        _good_default,
    ),
]
