"""Widths, learning rates and seeds of digit classifiers as one compiled program (row F18).

Claim, beyond the lectures: an ensemble of networks, seeds and learning rates is one vmapped
program, so that every curve comes with its spread. L0's "the learning rate must be carefully
chosen" is judged on the way, at the widest layer: the rate that validation data choose against the
smallest and the largest, over seeds and over test images (`experiments/claims/digits_sweep`).

Command: `make digits_sweep`, half a minute on 2 cores. Protocol: scikit-learn's 1,797 digits of
8 x 8 pixels, 1,079 for training, 359 for validation, 359 for testing; one hidden ReLU layer,
mini-batches of 32, Adam. Expect 99 % at 64 units and a rate of 1e-2, ten points less at 1e-4.
"""

from dataclasses import dataclass

import jax
import numpy as np
import optax
from jax import Array
from matplotlib.figure import Figure

import jaxnets as jn
from jaxnets import plots
from jaxnets.analysis import evaluate
from jaxnets.claims import Sample
from jaxnets.data import load

from ..lab.claims import Result, interval, markdown
from ..lab.judging import NotMeasured
from ..shared.best import best

OPTIMISERS = {"Adam": optax.adam, "gradient descent": optax.sgd}


@dataclass(frozen=True)
class Config:
    widths: tuple[int, ...] = (4, 8, 16, 32, 64)
    rates: tuple[float, ...] = (1e-4, 1e-3, 1e-2, 1e-1)
    seeds: int = 32
    epochs: int = 40
    batch_size: int = 32
    optimiser: str = "Adam"
    seed: int = 1


MULTIVERSE = Config(widths=(64,))
SMOKE = Config(widths=(4, 8), rates=(1e-3, 1e-2), seeds=2, epochs=2)


def run(config: Config, key: Array, checkpoints: jn.CheckpointConfig | None = None) -> Result:
    data = load("digits")
    model = jn.MLP((max(config.widths),), 10, "relu")
    optimizer = OPTIMISERS[config.optimiser]
    spec = jn.TrainSpec(model, "softmax_cross_entropy", config.epochs, config.batch_size, optimizer)
    hparams = jn.grid(seed=range(config.seeds), learning_rate=config.rates, width=config.widths)
    keys = jax.random.split(key, len(hparams.pop("seed")))
    print(f"{len(keys)} networks in one program", flush=True)
    states, history = jn.sweep(
        spec, keys, data._replace(test=None), hparams, progress=True, checkpoints=checkpoints
    )
    shape = (config.seeds, len(config.rates), len(config.widths))
    predicted = evaluate.all_predictions(model, spec.loss, states.params, data.test["x"])
    right = (predicted == data.test["y"]).reshape(*shape, -1)
    return {
        "widths": np.asarray(config.widths),
        "rates": np.asarray(config.rates),
        "optimiser": np.asarray(config.optimiser),
        "test": right.mean(axis=-1),
        "right": right[:, :, -1],
        "train_loss": np.asarray(history["train_loss"]).reshape(*shape, -1),
        "valid_loss": np.asarray(history["valid_loss"]).reshape(*shape, -1),
    }


def table(result: Result) -> str:
    rows = [
        [
            f"{n} units",
            *(interval(result["test"][:, r, i]).percent() for r in range(len(result["rates"]))),
        ]
        for i, n in enumerate(result["widths"])
    ]
    head = ["test accuracy", *(f"rate {rate:g}" for rate in result["rates"])]
    return f"{result['test'].size} networks, {len(result['test'])} seeds each:\n" + markdown(
        head, rows
    )


def plot(result: Result) -> Figure:
    canvas, axes = plots.figure(1, 2, size=(5.0, 3.8))
    style = plots.styles()
    for i, n in enumerate(result["widths"]):
        plots.spread(
            axes[0, 0], result["rates"], 100 * result["test"][..., i], f"{n} units", next(style)
        )
    axes[0, 0].set(
        xscale="log", xlabel=f"learning rate of {result['optimiser']}", ylabel="test accuracy [%]"
    )
    axes[0, 0].legend(title="± 1 std over seeds", fontsize="small")
    style = plots.styles()
    epochs = 1 + np.arange(result["train_loss"].shape[-1])
    chosen = best(result["test"].mean(axis=(0, 2)))
    for part in ("train", "valid"):
        curves = result[f"{part}_loss"][:, chosen, -1]
        plots.spread(axes[0, 1], epochs, curves, part, next(style) | {"marker": ""})
    widest, rate = result["widths"][-1], result["rates"][chosen]
    axes[0, 1].set(
        yscale="log", xlabel="epoch", ylabel="cross entropy [nats]",
        title=f"{widest} units, rate {rate:g}",
    )  # fmt: skip
    axes[0, 1].legend()
    return canvas


def _rate_matters(result: Result) -> dict[str, Sample]:
    right = 100 * result["right"].astype(np.float64)
    last = np.nan_to_num(result["valid_loss"][:, :, -1, -1], nan=np.inf).mean(axis=0)
    if np.isinf(last).all():
        raise NotMeasured("every rate diverged")
    chosen = right[:, last.argmin()]
    ends = {"too small": result["rates"].argmin(), "too large": result["rates"].argmax()}
    return {name: Sample(chosen, right[:, end]) for name, end in ends.items()}


CLAIMS = {"rate_matters": _rate_matters}
