"""A checkerboard: ten hidden units against AdaBoost with linear weak classifiers (rows F2, A6; L0).

Claims: on a checkerboard "individual weak classifiers cannot do better than chance", so AdaBoost
fails (56 % validation accuracy after 100 rounds), and a perceptron with n = 10 succeeds.

Command: `make checkerboard`, two minutes on 2 cores. Protocol: as in `rosenbrock_region`, on a
board of 4 x 4 cells over [-1, 1]^2 (the lecture does not say how many) with 1,024 points. Expect a
surprise: AdaBoost that may choose among all hyperplanes reaches about 90 %, because a diagonal that
cuts off a corner is better than chance; restricted to vertical and horizontal lines it stays near
the lecture's number. (So do hyperplanes fitted by weighted least squares or logistic regression, 52
to 53 %, instead of the least weighted error that L1 requires.)
"""

from dataclasses import dataclass

from jax import Array
from matplotlib.figure import Figure

from jaxnets import plots
from jaxnets.claims import Sample
from jaxnets.storage.checkpoints import CheckpointConfig

from ..lab.claims import Result
from ..lab.judging import Measured
from ..shared import planar
from ..shared.planar import table

__all__ = ["CLAIMS", "SMOKE", "Config", "plot", "run", "table"]


LIMITS = (-1.0, 1.0, -1.0, 1.0)


@dataclass(frozen=True)
class Config(planar.Config):
    widths: tuple[int, ...] = (4, 6, 10, 20, 40)
    cells: int = 4
    """Of the board, in each direction."""


MULTIVERSE = Config(widths=(10,), converged_seeds=2)
SMOKE = Config(
    widths=(10,),
    rates=(0.1,),
    seeds=3,
    epochs=20,
    samples=128,
    rounds=10,
    starts=2,
    iterations=10,
)


def run(
    config: Config,
    key: Array,
    checkpoints: CheckpointConfig | None = None,
) -> Result:
    options = {"cells": config.cells}
    return planar.compete(config, key, "checkerboard", LIMITS, checkpoints, options)


def plot(result: Result) -> Figure:
    canvas, axes = plots.figure(1, 3, size=(4.6, 4.0))
    planar.draw_accuracies(axes[0, 0], result)
    planar.draw_map(axes[0, 1], result, result["map_adaboost"], f"AdaBoost, {result['weak']}")
    planar.draw_map(axes[0, 2], result, result["maps"][_ten(result)], "MLP, 10 hidden units")
    axes[0, 2].legend(loc="upper left", fontsize="small", frameon=True)
    return canvas


def _ten(result: Result) -> int:
    return list(result["widths"]).index(10)


def _adaboost_fails(result: Result) -> Sample:
    return Sample(100 * result["adaboost"])


def _weak_at_chance(result: Result) -> Sample:
    return Sample(100 * result["first_weak"])


def _mlp_succeeds(result: Result) -> Measured:
    ten = 100 * result["mlp"][:, _ten(result)]
    samples = {"accuracy": Sample(ten), "gain": Sample(ten, 100 * result["adaboost"])}
    return Measured(samples, converged=planar.converged_accuracies(result))


CLAIMS = {
    "adaboost_fails": _adaboost_fails,
    "weak_at_chance": _weak_at_chance,
    "mlp_succeeds": _mlp_succeeds,
}
