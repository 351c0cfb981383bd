"""Overfitting, and what mini-batches, weight decay and dropout do about it (row E6; L0, L1, L3).

Claims: perceptrons "can also overfit"; "more neurons in hidden layer = better training error but
worse generalization error"; with noisy data the randomness of mini-batches "prevents overfitting",
for n = 10 and for two layers of 10; weight decay, lambda |w|^2, helps where validation data choose
lambda; so does dropout (a reading in L3). The lectures show pictures, without data or settings.

Command: `make overfitting`, about four minutes on 2 cores. Protocol: two moons, 64 training and 64
validation points with a fifth of the labels flipped, 2,000 test points with none; all drawn again
for each seed. Tanh units, Adam at 0.02, 2,048 updates, on all 64 points unless stated: mini-batches
make the same number of updates, so that only their noise differs. Ten units also learn points
without flipped labels. One program trains all widths, and all lambdas of 64 units; a width or a
lambda is chosen, for each seed, by the lowest validation loss. Dropout drops half of 64 units. All
claims compare errors of the same seed; what counts is in `experiments/claims/overfitting`. Expect a
test error that falls until 4 units and then rises to 22 %, while the training error falls to 1 %;
batches of 16, the chosen lambda and dropout each take 5 to 10 points of it away. The validation
loss chooses too few units, one as a rule, since wide networks are wrong with great confidence.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import jax
import numpy as np
import optax
from jax import Array
from matplotlib.axes import Axes
from matplotlib.figure import Figure

import jaxnets as jn
from jaxnets import plots
from jaxnets.analysis import evaluate
from jaxnets.claims import Sample
from jaxnets.data import Dataset, toy
from jaxnets.models import CNN, Activate, Dense, Dropout
from jaxnets.parallel.rows import parallel_map

from ..lab.claims import Result, interval, markdown, rank_trend
from ..shared.best import best

LOSS = "binary_cross_entropy"
NETWORKS = {"10": "n = 10", "10_10": "n = 10, 10"}
JUDGED_SIZE = 16
TEST = 2_000
LIMITS = (-1.4, 2.4, -0.9, 1.4)
MAP = 120


BUDGETS: dict[str, Callable[[int, int, int], int]] = {
    "equal steps": lambda updates, size, samples: updates * size // samples,
    "equal epochs": lambda updates, size, samples: updates,
}
"""Epochs in batches of a size, where the full set makes so many updates."""
OPTIMISERS = {"Adam": (optax.adam, 1), "gradient descent": (optax.sgd, 25)}
"""What trains in mini-batches, and how many times the learning rate it takes."""


@dataclass(frozen=True)
class Config:
    widths: tuple[int, ...] = (1, 2, 4, 8, 16, 32, 64)
    lambdas: tuple[float, ...] = (0.0, 1e-5, 1e-4, 1e-3, 3e-3, 1e-2, 3e-2, 1e-1)
    """The first is 0."""
    sizes: tuple[int, ...] = (4, 16, 64)
    """The last is the number of samples."""
    units: int = 64
    """Of the network with weight decay, at most the widest."""
    budget: str = "equal steps"
    """What mini-batches have as much of as the full set, a name in `BUDGETS`."""
    optimiser: str = "Adam"
    """In mini-batches, a name in `OPTIMISERS`."""
    dropout: float = 0.5
    seeds: int = 64
    samples: int = 64
    updates: int = 2048
    learning_rate: float = 0.02
    noise: float = 0.1
    flip: float = 0.2
    seed: int = 1


SMOKE = Config((2, 4), (0.0, 1e-2), (16, 32), units=4, seeds=3, samples=32, updates=8)


def run(config: Config, key: Array) -> Result:
    data_key, train_key = jax.random.split(key)
    keys = jax.random.split(train_key, config.seeds)
    data = _draw_all(config, data_key)
    result: Result = {
        name: np.asarray(getattr(config, name)) for name in ("widths", "lambdas", "sizes", "units")
    }
    print("widths and weight decay", flush=True)
    widest, first = max(config.widths), len(config.widths)
    points = [(n, 0.0) for n in config.widths] + [
        (config.units, penalty) for penalty in config.lambdas
    ]
    width, l2 = np.transpose(points)
    wide = jn.MLP((widest,))
    both = _train(config, keys, data, wide, width=width, l2=l2)
    by_width, by_lambda = _at(both, np.s_[:, :first]), _at(both, np.s_[:, first:])
    print("no flipped labels", flush=True)
    clean = _draw_all(replace(config, flip=0.0), data_key)
    result |= _name("clean", _train(config, keys, clean, jn.MLP((10,))))
    print("dropout, then mini-batches", flush=True)
    units = (Dense(widest, "glorot"), Activate("tanh"), Dropout(config.dropout))
    dropped = CNN((*units, Dense(1, "lecun")))
    by_dropout = _train(config, keys, data, dropped)
    for name, found in {"width": by_width, "lambda": by_lambda, "dropout": by_dropout}.items():
        result |= _name(name, found)
    chosen = best(-by_lambda["valid"][0])
    shown = {
        "map_wide": _map(wide, _at(by_width, np.s_[0, -1])),
        "map_decay": _map(wide, _at(by_lambda, np.s_[0, chosen])),
        "map_dropout": _map(dropped, _at(by_dropout, np.s_[0, 0])),
    }
    return result | shown | _at(data.train, 0) | _in_batches(config, keys, data)


def _in_batches(config: Config, keys: Array, data: Dataset) -> Result:
    result: Result = {}
    for name in NETWORKS:
        model = jn.MLP(tuple(map(int, name.split("_"))))
        by_size = [_train_in_batches(config, keys, data, model, size) for size in config.sizes]
        result |= _name(f"size_{name}", jax.tree.map(lambda *a: np.concatenate(a, 1), *by_size))
    return result


def _train_in_batches(
    config: Config, keys: Array, data: Dataset, model: Any, size: int
) -> dict[str, Any]:
    optimizer, factor = OPTIMISERS[config.optimiser]
    epochs = BUDGETS[config.budget](config.updates, size, config.samples)
    spec = jn.TrainSpec(model, LOSS, epochs, size, optimizer, epochs)
    return _measured(config, keys, data, spec, factor * config.learning_rate)


def _at(found: Any, where: Any) -> Any:
    return jax.tree.map(lambda a: a[where], found)


def _draw_all(config: Config, key: Array) -> Dataset:
    """The points of all seeds, stacked."""
    draw = jax.jit(jax.vmap(partial(_draw, config)))
    return jax.device_get(draw(jax.random.split(key, config.seeds)))


def _draw(config: Config, key: Array) -> Dataset:
    """Noisy points for training and validation, clean ones for testing."""
    train_key, valid_key, test_key = jax.random.split(key, 3)
    noisy = {"noise": config.noise, "flip": config.flip}
    return Dataset(
        toy.two_moons(train_key, config.samples, **noisy),
        toy.two_moons(valid_key, config.samples, **noisy),
        toy.two_moons(test_key, TEST, noise=config.noise),
    )


def _train(
    config: Config,
    keys: Array,
    data: Dataset,
    model: Any,
    **hparams: np.ndarray,
) -> dict[str, Any]:
    """Trains on all points as often as `updates` says; returns what `_measured` does."""
    spec = jn.TrainSpec(model, LOSS, config.updates, record_every=config.updates)
    return _measured(config, keys, data, spec, config.learning_rate, **hparams)


def _measured(
    config: Config,
    keys: Array,
    data: Dataset,
    spec: jn.TrainSpec,
    rate: float,
    **hparams: np.ndarray,
) -> dict[str, Any]:
    """Errors `train` and `test` and loss `valid`, each `[seeds, points]`, and the `params`.

    A point is an entry of the hyper-parameters, each `[points]`; `data` is stacked over seeds.
    """
    points = len(next(iter(hparams.values()))) if hparams else 1
    rows = {name: np.tile(values, len(keys)) for name, values in hparams.items()}
    rows["learning_rate"] = np.full(len(keys) * points, rate)
    each = np.repeat(np.arange(len(keys)), points)
    found = parallel_map(partial(_outcome, spec), (keys[each], rows, _at(data, each)))
    return jax.tree.map(lambda a: np.asarray(a).reshape(len(keys), points, *a.shape[1:]), found)


def _outcome(spec: jn.TrainSpec, row: tuple[Array, dict[str, Array], Dataset]) -> dict[str, Any]:
    key, hparams, data = row
    state, history = jn.train(spec, key, data, hparams)

    def error(part: dict[str, Array]) -> Array:
        return 1 - evaluate.accuracy(spec.model, LOSS, state.params, part)

    return {
        "train": error(data.train),
        "test": error(data.test),
        "valid": history["valid_loss"][-1],
        "params": state.params,
    }


def _name(name: str, found: dict[str, Any]) -> Result:
    return {f"{measure}_{name}": found[measure] for measure in ("train", "test", "valid")}


def _map(model: Any, found: dict[str, Any]) -> np.ndarray:
    """The decisions `[MAP, MAP]` of one network."""
    predicted = evaluate.predictions(model, LOSS, found["params"], evaluate.plane(LIMITS, MAP))
    return np.asarray(predicted).reshape(MAP, MAP)


def choose(result: Result, axis: str, measure: str) -> np.ndarray:
    """Chooses the width or lambda of lowest validation loss; returns its measure, `[seeds]`."""
    chosen = best(-result[f"valid_{axis}"], axis=1)
    return np.take_along_axis(result[f"{measure}_{axis}"], chosen[:, None], axis=1)[:, 0]


def table(result: Result) -> str:
    rows = [[f"{n} units", *_errors(result, "width", i)] for i, n in enumerate(result["widths"])]
    widest = f"{result['widths'][-1]} units"
    for i, penalty in enumerate(result["lambdas"]):
        rows.append([f"{result['units']} units, lambda {penalty:g}", *_errors(result, "lambda", i)])
    best = [interval(choose(result, "lambda", m)).percent() for m in ("train", "test")]
    rows += [[f"{result['units']} units, lambda chosen", *best]]
    rows += [[f"{widest}, dropout", *_errors(result, "dropout", 0)]]
    rows += [["n = 10, no flipped labels", *_errors(result, "clean", 0)]]
    for name, label in NETWORKS.items():
        for i, size in enumerate(result["sizes"]):
            rows.append([f"{label}, batches of {size}", *_errors(result, f"size_{name}", i)])
    return markdown(["network", "training error", "test error"], rows)


def _errors(result: Result, axis: str, i: int) -> list[str]:
    return [interval(result[f"{m}_{axis}"][:, i]).percent() for m in ("train", "test")]


def plot(result: Result) -> Figure:
    canvas, axes = plots.figure(2, 3, size=(4.3, 3.6))
    _draw_errors(axes[0, 0], result["widths"], result, {"width": ""})
    axes[0, 0].set_xscale("log", base=2)
    axes[0, 0].set(xlabel="hidden units", ylabel="error [%]", title="more units")
    _draw_errors(axes[0, 1], result["sizes"], result, {f"size_{k}": v for k, v in NETWORKS.items()})
    clean = 100 * float(result["test_clean"].mean())
    plots.level(
        axes[0, 1], clean, "n = 10, no flipped labels: test", {"color": "black", "linestyle": ":"}
    )
    axes[0, 1].legend(fontsize="small")
    axes[0, 1].set_xscale("log", base=2)
    axes[0, 1].set(xlabel="samples in a batch", title="mini-batches, equal updates")
    smallest = np.sort(result["lambdas"])[1]
    _draw_errors(axes[0, 2], result["lambdas"], result, {"lambda": ""})
    axes[0, 2].set_xscale("symlog", linthresh=smallest)
    axes[0, 2].set_xlim(-smallest / 2, 2 * result["lambdas"].max())
    widest = result["widths"][-1]
    axes[0, 2].set(xlabel=r"$\lambda$", title=f"weight decay of {widest} units")
    titles = {"wide": "", "decay": r", chosen $\lambda$", "dropout": ", dropout"}
    for panel, (name, title) in zip(axes[1], titles.items(), strict=True):
        plots.regions(panel, result[f"map_{name}"], LIMITS, f"{widest} units{title}")
        plots.points(panel, result["x"], result["y"])
    axes[1, 0].legend(loc="upper right", fontsize="small", frameon=True)
    return canvas


def _draw_errors(axes: Axes, x: np.ndarray, result: Result, of: dict[str, str]) -> None:
    """Training and test errors with their spread."""
    style = plots.styles()
    for axis, label in of.items():
        for measure, name in (("train", "training, flipped labels"), ("test", "test, true labels")):
            named = f"{label}: {measure}" if label else name
            plots.spread(axes, x, 100 * result[f"{measure}_{axis}"], named, next(style))
    axes.set_ylim(0)
    axes.legend(fontsize="small")


def trends(result: Result, measure: str) -> np.ndarray:
    """Computes the rank correlation of an error with the width, `[seeds]`."""
    return rank_trend(result["widths"], result[f"{measure}_width"])


def _points(errors: np.ndarray, against: np.ndarray) -> Sample:
    return Sample(100 * errors, 100 * against)


def _can_overfit(result: Result) -> dict[str, Sample]:
    return {
        name: _points(result[f"{measure}_width"][:, -1], choose(result, "width", measure))
        for measure, name in (("test", "test error"), ("train", "training error"))
    }


def _more_neurons(result: Result) -> dict[str, Sample]:
    found = {}
    for measure, name in (("train", "training"), ("test", "test")):
        errors = result[f"{measure}_width"]
        found[f"{name} trend"] = Sample(trends(result, measure))
        found[f"{name} gain"] = _points(errors[:, -1], errors[:, 0])
    return found


def _randomness(name: str) -> Callable[[Result], Sample]:
    def measure(result: Result) -> Sample:
        errors = result[f"test_size_{name}"]
        return _points(errors[:, -1], errors[:, result["sizes"].tolist().index(JUDGED_SIZE)])

    return measure


def _without_noise(result: Result) -> dict[str, Sample]:
    test = result["test_clean"][:, 0]
    flipped = result["test_size_10"][:, -1]
    return {"test error": Sample(100 * test), "below flipped": _points(test, flipped)}


def _decay_helps(result: Result) -> Sample:
    return _points(result["test_lambda"][:, 0], choose(result, "lambda", "test"))


def _dropout_helps(result: Result) -> Sample:
    return _points(result["test_width"][:, -1], result["test_dropout"][:, 0])


CLAIMS = {
    "can_overfit": _can_overfit,
    "more_neurons": _more_neurons,
    "without_noise": _without_noise,
    "randomness_10": _randomness("10"),
    "randomness_10_10": _randomness("10_10"),
    "decay_helps": _decay_helps,
    "dropout_helps": _dropout_helps,
}
