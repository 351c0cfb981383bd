"""The Rosenbrock region: perceptrons of growing width against AdaBoost (rows F1 and A6, L0).

Claims: AdaBoost with linear weak classifiers works on the region 100 (x2 - x1^2)^2 + (1 - x1)^2 <
0.5; a perceptron with one hidden layer beats it at every width 3 < n < 100; accuracy grows with n.
The lecture shows curves without numbers, and neither its domain nor its sample sizes.

Command: `make rosenbrock_region`, three minutes on 2 cores. Protocol: 1,024 points on [0, 2] x
[0, 3], 40 % of them from the region; 100 rounds of AdaBoost over every offset of 180 directions;
tanh perceptrons, mini-batches of 32, Adam with a rate that falls to zero, the initial rate chosen
on validation data. A seed is a fresh draw of all data and parameters, shared by the contenders. On
the data of the first 6 seeds perceptrons are also trained by full-batch L-BFGS in float64, on
standardised samples from 6 starts, which tells what they can do from what Adam finds. Expect
AdaBoost at 98.3 % and perceptrons that approach it from below as they widen.
"""

from dataclasses import dataclass

from jax import Array
from matplotlib.figure import Figure

from jaxnets import plots
from jaxnets.claims import Sample
from jaxnets.storage.checkpoints import CheckpointConfig

from ..lab.claims import Result, rank_trend
from ..lab.judging import Measured
from ..shared import planar
from ..shared.planar import table

__all__ = ["CLAIMS", "SMOKE", "Config", "plot", "run", "table"]


@dataclass(frozen=True)
class Config(planar.Config):
    pass


MULTIVERSE = Config(converged_seeds=2, starts=2)
SMOKE = Config(
    widths=(4, 10),
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
    return planar.compete(config, key, "rosenbrock_region", (0.0, 2.0, 0.0, 3.0), checkpoints)


def plot(result: Result) -> Figure:
    canvas, axes = plots.figure(1, 3, size=(4.6, 4.0))
    planar.draw_accuracies(axes[0, 0], result)
    planar.draw_map(axes[0, 1], result, result["map_adaboost"], f"AdaBoost, {result['weak']}")
    widest = result["widths"][-1]
    planar.draw_map(axes[0, 2], result, result["maps"][-1], f"MLP, {widest} hidden units")
    axes[0, 2].legend(loc="upper left", fontsize="small", frameon=True)
    return canvas


def _adaboost_works(result: Result) -> Sample:
    return Sample(100 * result["adaboost"])


def _mlp_beats_adaboost(result: Result) -> Measured:
    samples = {
        f"n = {n}": Sample(100 * result["mlp"][:, i], 100 * result["adaboost"])
        for i, n in enumerate(result["widths"])
    }
    return Measured(samples, converged=planar.converged_gains(result))


def _accuracy_grows(result: Result) -> Measured:
    widths, accuracies = result["widths"], 100 * result["mlp"]
    trend = rank_trend(widths, accuracies)
    samples = {"trend": Sample(trend), "gain": Sample(accuracies[:, -1], accuracies[:, 0])}
    return Measured(samples, converged=planar.converged_accuracies(result))


CLAIMS = {
    "adaboost_works": _adaboost_works,
    "mlp_beats_adaboost": _mlp_beats_adaboost,
    "accuracy_grows": _accuracy_grows,
}
