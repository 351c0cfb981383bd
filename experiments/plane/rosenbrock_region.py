"""The Rosenbrock region: perceptrons of growing width against AdaBoost (rows F1 and A6, L0).

Claims: AdaBoost with linear weak classifiers works on the region 100 (x2 - x1^2)^2 + (1 - x1)^2 <
0.5; a perceptron with one hidden layer beats it at every width 3 < n < 100; accuracy grows with n.
The lecture shows curves without numbers, and neither its domain nor its sample sizes.

Command: `make rosenbrock_region`, two minutes on 2 cores. Protocol: 1,024 points on [0, 2] x
[0, 3], 40 % of them from the region; 100 rounds of AdaBoost over every offset of 180 directions;
tanh perceptrons, mini-batches of 32, Adam with a rate that falls to zero, the initial rate chosen
on validation data. A seed is a fresh draw of all data and parameters, shared by the contenders.
Expect AdaBoost at 98.3 % and perceptrons that approach it from below as they widen.
"""

from dataclasses import dataclass

from jax import Array
from matplotlib.figure import Figure

from jaxnets import plots
from jaxnets.storage.checkpoints import CheckpointConfig

from ..lab.claims import Claim, Result, Verdict, interval, verdict
from ..shared import planar
from ..shared.planar import table

__all__ = ["CLAIMS", "SMOKE", "Config", "plot", "run", "table"]


@dataclass(frozen=True)
class Config(planar.Config):
    pass


SMOKE = Config(widths=(4, 10), rates=(0.1,), seeds=3, epochs=20, samples=128, rounds=10)


def run(
    config: Config,
    key: Array,
    checkpoints: CheckpointConfig | None = None,
) -> Result:
    return planar.compete(config, key, "rosenbrock_region", (0.0, 2.0, 0.0, 3.0), checkpoints)


def plot(result: Result) -> Figure:
    canvas, axes = plots.figure(1, 3, size=(4.6, 4.0))
    planar.draw_accuracies(axes[0, 0], result)
    planar.draw_map(axes[0, 1], result, result["map_adaboost"], "AdaBoost, any direction")
    widest = result["widths"][-1]
    planar.draw_map(axes[0, 2], result, result["maps"][-1], f"MLP, {widest} hidden units")
    axes[0, 2].legend(loc="upper left", fontsize="small", frameon=True)
    return canvas


def _adaboost_works(result: Result) -> Verdict:
    gain = interval(result["adaboost"] - result["logistic"])
    ours = (
        f"AdaBoost {interval(result['adaboost']).percent()}, logistic regression "
        f"{interval(result['logistic']).percent()}"
    )
    return verdict(gain.low > 0, ours, f"{len(result['adaboost'])} seeds")


def _mlp_beats_adaboost(result: Result) -> Verdict:
    gains = [
        interval(result["mlp"][:, i] - result["adaboost"]) for i in range(len(result["widths"]))
    ]
    ours = "MLP minus AdaBoost: " + ", ".join(
        f"n={n} {100 * gain.mean:+.2f} ± {100 * gain.std:.2f}"
        for n, gain in zip(result["widths"], gains, strict=True)
    )
    return verdict(
        all(gain.low > 0 for gain in gains), ours + " points", f"{len(result['mlp'])} paired seeds"
    )


def _accuracy_grows(result: Result) -> Verdict:
    growth = interval(result["mlp"][:, -1] - result["mlp"][:, 0])
    first, last = (interval(result["mlp"][:, i]) for i in (0, -1))
    ours = f"n={result['widths'][0]}: {first.percent()}, n={result['widths'][-1]}: {last.percent()}"
    return verdict(growth.low > 0, ours, f"{len(result['mlp'])} paired seeds")


CLAIMS = [
    Claim("A6, L0", "AdaBoost works on the Rosenbrock region", "picture", _adaboost_works),
    Claim(
        "F1, L0", "an MLP beats AdaBoost at every width 3 < n < 100", "curve", _mlp_beats_adaboost
    ),
    Claim("F1, L0", "accuracy grows with n", "curve", _accuracy_grows),
]
