"""Perceptrons of many widths against AdaBoost on a problem of the plane, one data set per seed."""

from dataclasses import dataclass

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
    seed: int = 1


def compete(
    config: Config,
    key: Array,
    problem: str,
    limits: tuple[float, float, float, float],
    checkpoints: jn.CheckpointConfig | None = None,
) -> Result:
    """Measures held-out accuracies of perceptrons `[seeds, widths]` and baselines `[seeds]`.

    Each seed draws new training, validation and test sets. A perceptron's learning rate is the
    one of `config.rates` with the best validation accuracy for that seed and width. The sets of
    the first seeds are also learned by L-BFGS, see `converged.train`.
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
    converged_key, *seed_keys = jax.random.split(key, config.seeds + 1)
    rows, sets = [], []
    for seed_key in seed_keys:
        data_key, init_key = jax.random.split(seed_key)
        data = draw(problem, data_key, config.samples)
        sets.append(data)
        keys = jax.random.split(init_key, len(hparams["width"]))
        states, history = jn.sweep(
            spec, keys, data._replace(test=None), hparams, checkpoints=checkpoints
        )
        shape = (len(config.rates), len(config.widths))
        best = np.argmax(np.asarray(history["valid_accuracy"])[:, -1].reshape(shape), axis=0)
        chosen = best * shape[1] + np.arange(shape[1])
        params = jax.tree.map(lambda a, chosen=chosen: a[chosen], states.params)
        tested = evaluate.accuracies(model, spec.loss, params, data.test)
        rows.append({"mlp": tested} | _baselines(config, data))
    few = sets[: config.converged_seeds]
    print(f"L-BFGS on the data of {len(few)} seeds", flush=True)
    converged_rows = converged.train(
        config.widths, converged_key, few, config.starts, config.iterations
    )
    grid = evaluate.plane(limits, MAP)
    outputs = jax.vmap(model.apply, in_axes=(0, None))(params, grid)[..., 0]
    boosted = classical.adaboost(
        **data.train, directions=classical.even_directions(config.directions), rounds=config.rounds
    )[0]
    measured = {name: np.stack([row[name] for row in rows]) for name in rows[0]}
    return (
        measured
        | converged_rows
        | {
            "widths": np.asarray(config.widths),
            "limits": np.asarray(limits),
            "maps": np.asarray(outputs > 0).reshape(-1, MAP, MAP),
            "map_adaboost": np.asarray(classical.adaboost_predict(boosted, grid)).reshape(MAP, MAP),
            "points": np.asarray(data.train["x"]),
            "labels": np.asarray(data.train["y"]),
        }
    )


def draw(problem: str, key: Array, samples: int) -> Dataset:
    """Draws training, validation and (five times larger) test sets of a problem of `TOY`."""
    train_key, valid_key, test_key = jax.random.split(key, 3)
    return Dataset(
        TOY[problem](train_key, samples),
        TOY[problem](valid_key, samples),
        TOY[problem](test_key, 5 * samples),
    )


def _baselines(config: Config, data: Dataset) -> dict[str, np.ndarray]:
    axes = jnp.eye(2)
    everywhere = classical.even_directions(config.directions)
    linear = classical.logistic_regression(**data.train, learning_rate=1.0, steps=2000)[0]
    positive = jnp.mean(data.test["y"])
    hyperplanes, first = _adaboost_accuracies(config, data, everywhere)
    stumps, first_stump = _adaboost_accuracies(config, data, axes)
    return {
        "adaboost": hyperplanes,
        "adaboost_stumps": stumps,
        "first_weak": first,
        "first_stump": first_stump,
        "logistic": np.asarray(
            _agreement(classical.linear_predict(linear, data.test["x"]), data.test)
        ),
        "majority": np.asarray(jnp.maximum(positive, 1 - positive)),
    }


def _adaboost_accuracies(
    config: Config, data: Dataset, directions: Array
) -> tuple[np.ndarray, np.ndarray]:
    """The held-out accuracy of AdaBoost, and of its first weak classifier."""
    params, _ = classical.adaboost(**data.train, directions=directions, rounds=config.rounds)
    staged = classical.adaboost_staged(params, data.test["x"])
    return np.asarray(_agreement(staged[-1], data.test)), np.asarray(
        _agreement(staged[0], data.test)
    )


def _agreement(predicted: Array, part: Points) -> np.ndarray:
    return np.asarray(jnp.mean(predicted == part["y"]))


BASELINES = {
    "adaboost": "AdaBoost, hyperplanes of any direction",
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
    rows += [[label, interval(result[name]).percent()] for name, label in BASELINES.items()]
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
    for name, label in (("mlp", "Adam"), ("mlp_converged", "L-BFGS")):
        label = f"MLP, {label} (± 1 std)"
        plots.spread(axes, result["widths"], 100 * result[name], label, next(style))
    for name, label in BASELINES.items():
        plots.level(axes, 100 * result[name].mean(), label, next(style))
    axes.set(xscale="log", xlabel="hidden units n", ylabel="held-out accuracy [%]")
    axes.set_xticks(result["widths"], [str(n) for n in result["widths"]])
    axes.minorticks_off()
    axes.legend(fontsize="small")


def draw_map(axes: Axes, result: Result, predicted: np.ndarray, title: str) -> None:
    """Draws a decision map, and on it the training points of the last seed."""
    plots.regions(axes, predicted, tuple(result["limits"]), title)
    plots.points(axes, result["points"], result["labels"])
