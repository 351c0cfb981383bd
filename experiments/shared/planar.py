"""Perceptrons of many widths against AdaBoost on a problem of the plane, one data set per seed."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from matplotlib.axes import Axes

import jaxnets as jn
from jaxnets import classical, plots
from jaxnets.analysis import evaluate
from jaxnets.data import TOY, Dataset
from jaxnets.data.toy import Points
from jaxnets.training.optimizers import adam_cosine

from ..lab.claims import Result, interval, markdown
from . import converged
from .best import best
from .weak_learners import boost_least_squares

MAP = 160


@dataclass(frozen=True)
class Config:
    """The settings of both experiments of the plane."""

    widths: tuple[int, ...] = (4, 6, 10, 20, 40, 70, 100)
    rates: tuple[float, ...] = (0.01, 0.03, 0.1)
    seeds: int = 32
    epochs: int = 600
    batch_size: int = 32
    samples: int = 1024
    rounds: int = 100
    directions: int = 180
    converged_seeds: int = 6
    """Of the seeds, the first that are also trained to convergence."""
    starts: int = 6
    iterations: int = 1000
    """Of L-BFGS, at most, from each of the starts."""
    optimiser: str = "Adam"
    """Of the perceptrons: `Adam`, on mini-batches, or `L-BFGS`, on all samples at once."""
    weak: str = "any direction"
    """Classifiers of AdaBoost: hyperplanes of `any direction`, those that are `axis-aligned`, or
    the one fitted by weighted `least squares`."""
    seed: int = 1


def compete(
    config: Config,
    key: Array,
    problem: str,
    limits: tuple[float, float, float, float],
    checkpoints: jn.CheckpointConfig | None = None,
    options: Mapping[str, Any] | None = None,
) -> Result:
    """Measures held-out accuracies of perceptrons `[seeds, widths]` and baselines `[seeds]`.

    Each seed draws new training, validation and test sets; `options` are those of the problem. The
    sets of the first seeds are also learned by L-BFGS, see `converged.train`.
    """
    converged_key, *seed_keys = jax.random.split(key, config.seeds + 1)
    data_keys, init_keys = zip(*map(jax.random.split, seed_keys), strict=True)
    sets = [draw(problem, data_key, config.samples, **(options or {})) for data_key in data_keys]
    grid = evaluate.plane(limits, MAP)
    learned = OPTIMISERS[config.optimiser](
        config, converged_key, init_keys, sets, grid, checkpoints
    )
    rows = [_baselines(config, data) for data in sets]
    train = sets[-1].train
    boosted = WEAK[config.weak](config, train)
    return {
        **{name: np.stack([row[name] for row in rows]) for name in rows[0]},
        **learned,
        "widths": np.asarray(config.widths),
        "optimiser": np.asarray(config.optimiser),
        "weak": np.asarray(config.weak),
        "limits": np.asarray(limits),
        "maps": learned["maps"].reshape(-1, MAP, MAP),
        "map_adaboost": np.asarray(classical.adaboost_predict(boosted, grid)).reshape(MAP, MAP),
        "points": np.asarray(train["x"]),
        "labels": np.asarray(train["y"]),
    }


def _by_adam(
    config: Config,
    converged_key: Array,
    init_keys: Sequence[Array],
    sets: Sequence[Dataset],
    grid: np.ndarray,
    checkpoints: jn.CheckpointConfig | None,
) -> Result:
    """Trains by Adam, and on the first sets also by L-BFGS; `maps` are those of the last set.

    A perceptron's learning rate is the one of `config.rates` with the best validation accuracy for
    that set and width.
    """
    model = jn.MLP((max(config.widths),))
    hparams = jn.grid(learning_rate=config.rates, width=config.widths)
    spec = jn.TrainSpec(
        model,
        "binary_cross_entropy",
        config.epochs,
        config.batch_size,
        adam_cosine(config.epochs * -(-config.samples // config.batch_size)),
        record_every=config.epochs,
    )
    accuracies = []
    for data, init_key in zip(sets, init_keys, strict=True):
        keys = jax.random.split(init_key, len(hparams["width"]))
        states, history = jn.sweep(
            spec, keys, data._replace(test=None), hparams, checkpoints=checkpoints
        )
        shape = (len(config.rates), len(config.widths))
        rate = best(history["valid_accuracy"][:, -1].reshape(shape), axis=0)
        chosen = rate * shape[1] + np.arange(shape[1])
        params = jax.tree.map(lambda a, chosen=chosen: a[chosen], states.params)
        accuracies.append(evaluate.accuracies(model, spec.loss, params, data.test))
    outputs = jax.vmap(model.apply, in_axes=(0, None))(params, grid)[..., 0]
    few = sets[: config.converged_seeds]
    print(f"L-BFGS on the data of {len(few)} seeds", flush=True)
    return {
        "mlp": np.stack(accuracies),
        "maps": np.asarray(outputs > 0),
        **_converged(config, converged_key, few),
    }


def _by_lbfgs(
    config: Config,
    converged_key: Array,
    init_keys: Sequence[Array],
    sets: Sequence[Dataset],
    grid: np.ndarray,
    checkpoints: jn.CheckpointConfig | None,
) -> Result:
    """Trains by L-BFGS alone; the first seeds are those that count as converged."""
    found = _converged(config, converged_key, sets, grid)
    few = {name: values[: config.converged_seeds] for name, values in found.items()}
    return few | {"mlp": found["mlp_converged"], "maps": found["maps"]}


OPTIMISERS: dict[str, Callable[..., Result]] = {"Adam": _by_adam, "L-BFGS": _by_lbfgs}


def _converged(
    config: Config, key: Array, sets: Sequence[Dataset], grid: np.ndarray | None = None
) -> Result:
    return converged.train(config.widths, key, sets, config.starts, config.iterations, grid)


def draw(problem: str, key: Array, samples: int, **options: Any) -> Dataset:
    """Draws training, validation and (five times larger) test sets of a problem of `TOY`."""
    sizes = (samples, samples, 5 * samples)
    keys = jax.random.split(key, 3)
    return Dataset(*(TOY[problem](k, n, **options) for k, n in zip(keys, sizes, strict=True)))


def _boost(config: Config, train: Points, directions: Array) -> dict[str, Array]:
    return classical.adaboost(**train, directions=directions, rounds=config.rounds)[0]


WEAK: dict[str, Callable[[Config, Points], dict[str, Array]]] = {
    "any direction": lambda config, train: _boost(
        config, train, classical.even_directions(config.directions)
    ),
    "axis-aligned": lambda config, train: _boost(config, train, jnp.eye(2)),
    "least squares": lambda config, train: boost_least_squares(**train, rounds=config.rounds),
}
"""AdaBoost on training points with each choice of weak classifiers."""


def _baselines(config: Config, data: Dataset) -> dict[str, np.ndarray]:
    linear = classical.logistic_regression(**data.train, learning_rate=1.0, steps=2000)[0]
    positive = jnp.mean(data.test["y"])
    boosted, first = _adaboost_accuracies(config, config.weak, data)
    stumps, first_stump = _adaboost_accuracies(config, "axis-aligned", data)
    return {
        "adaboost": boosted,
        "adaboost_stumps": stumps,
        "first_weak": first,
        "first_stump": first_stump,
        "logistic": np.asarray(
            _agreement(classical.linear_predict(linear, data.test["x"]), data.test)
        ),
        "majority": np.asarray(jnp.maximum(positive, 1 - positive)),
    }


def _adaboost_accuracies(config: Config, weak: str, data: Dataset) -> tuple[np.ndarray, np.ndarray]:
    """The held-out accuracy of AdaBoost, and of its first weak classifier."""
    staged = classical.adaboost_staged(WEAK[weak](config, data.train), data.test["x"])
    return _agreement(staged[-1], data.test), _agreement(staged[0], data.test)


def _agreement(predicted: Array, part: Points) -> np.ndarray:
    return np.asarray(jnp.mean(predicted == part["y"]))


BASELINES = {
    "adaboost": "AdaBoost, {weak}",
    "adaboost_stumps": "AdaBoost, axis-aligned",
    "logistic": "logistic regression",
    "majority": "larger class",
}


def table(result: Result) -> str:
    """Formats the mean and deviation over seeds of every classifier's held-out accuracy."""
    rows = [
        [f"MLP, {n} units", interval(result["mlp"][:, i]).percent()]
        for i, n in enumerate(result["widths"])
    ]
    rows += [
        [f"MLP, {n} units, L-BFGS", interval(result["mlp_converged"][:, i]).percent()]
        for i, n in enumerate(result["widths"])
    ]
    rows += [
        [label.format(**result), interval(result[name]).percent()]
        for name, label in BASELINES.items()
    ]
    return markdown(["classifier", "held-out accuracy"], rows)


def converged_accuracies(result: Result) -> str:
    """Says what L-BFGS found at every width, and how far it had converged."""
    found = ", ".join(
        f"n = {n} {interval(accuracies).percent()}"
        for n, accuracies in zip(result["widths"], result["mlp_converged"].T, strict=True)
    )
    return f"L-BFGS: {found}; {_convergence(result)}"


def converged_gains(result: Result) -> str:
    """Says by how much L-BFGS was better than AdaBoost at every width, with 95 % intervals."""
    boosted = result["adaboost"][: len(result["mlp_converged"])]
    gains = [interval(100 * (found - boosted)) for found in result["mlp_converged"].T]
    words = ", ".join(
        f"n = {n} {gain.mean:+.2f} [{gain.low:.2f}, {gain.high:.2f}]"
        for n, gain in zip(result["widths"], gains, strict=True)
    )
    return f"L-BFGS minus AdaBoost: {words} points; {_convergence(result)}"


def _convergence(result: Result) -> str:
    slopes = result["converged_slope"]
    low, middle, high = np.quantile(slopes, (0, 0.5, 1))
    return f"norm of the gradient {low:.0e} to {high:.0e}, median {middle:.0e}; n = {len(slopes)}"


def draw_accuracies(axes: Axes, result: Result) -> None:
    """Draws accuracy against width with its spread, and the baselines as levels."""
    style = plots.styles()
    for name, label in (("mlp", result["optimiser"]), ("mlp_converged", "L-BFGS")):
        label = f"MLP, {label} (± 1 std)"
        plots.spread(axes, result["widths"], 100 * result[name], label, next(style))
    for name, label in BASELINES.items():
        plots.level(axes, 100 * result[name].mean(), label.format(**result), next(style))
    axes.set(xscale="log", xlabel="hidden units n", ylabel="held-out accuracy [%]")
    axes.set_xticks(result["widths"], [str(n) for n in result["widths"]])
    axes.minorticks_off()
    axes.legend(fontsize="small")


def draw_map(axes: Axes, result: Result, predicted: np.ndarray, title: str) -> None:
    """Draws a decision map, and on it the training points of the last seed."""
    plots.regions(axes, predicted, tuple(result["limits"]), title)
    plots.points(axes, result["points"], result["labels"])
