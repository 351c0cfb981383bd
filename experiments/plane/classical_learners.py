"""Forests, margins, neighbours and no free lunch (rows G1, G14, G16, G19; L0 to L3).

Claims: AdaBoost, forests, SVMs and networks all learn the region that no line separates (L0);
all learning algorithms have the same generalisation error, averaged over all problems, and of any
two each is the better one equally often (L1); the larger the margin, the quicker the perceptron,
and the largest distance to the boundary is more robust to noise (L2); k nearest neighbours
approximate anything (L3). L1's rule of thumb, error = VC dimension / samples, is tested for
hyperplanes: the VC dimension of a network is known between bounds that lie far apart only.

Command: `make classical_learners`, a minute on 2 cores. Protocol: the region as in
`rosenbrock_region`, a fresh draw for each seed; the SVM's penalty and kernel and the network's
start (L-BFGS) are chosen on validation data. Margins: points of the unit ball on two sides of a
plane through the origin, which the perceptron visits in order until none is wrong; noise comes to
new points only, with a deviation in units of the margin. Neighbours: functions of the unit square
without noise, errors as shares of the variance. No free lunch: learners see some corners of a cube
with each possible labeling, and are tested on every labeling of the others, 256 problems in all. VC
dimension: all sets of three and four points of a grid, and the largest margin on normal points that
a hyperplane labels.
Margins of the claims are in `experiments/claims/classical_learners`. Expect the forest behind the
other three on the thin region, since its splits are parallel to the axes; errors of neighbours as
1 / n on smooth functions and 1 / sqrt(n) on the board, where 16,384 samples leave 8 %; and learners
that differ only if few labelings are possible, such as those that a plane has.
"""

from dataclasses import dataclass

import jax
import numpy as np
from jax import Array
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from jaxnets import plots
from jaxnets.claims import Sample

from ..lab.claims import Interval, Result, interval, markdown, rank_trend
from ..lab.judging import Measured
from . import free_lunch, margins, neighbours, region_learners, vc_dimension
from .region_learners import LEARNERS, LIMITS


@dataclass(frozen=True)
class Config:
    seeds: int = 32
    samples: int = 1024
    rounds: int = 100
    trees: int = 100
    units: int = 20
    starts: int = 3
    margins: tuple[float, ...] = (0.02, 0.03, 0.05, 0.07, 0.1, 0.2, 0.3, 0.5)
    features: int = 2
    points: int = 100
    noise: float = 1.0
    sizes: tuple[int, ...] = (64, 256, 1024, 4096, 16384)
    neighbours: int = 1
    known: int = 5
    dimension: int = 10
    """Features of the hyperplanes of the rule of thumb, which have a VC dimension of one more."""
    learned: tuple[int, ...] = (100, 200, 400, 800, 1600)
    seed: int = 1


SMOKE = Config(seeds=3, samples=64, rounds=5, trees=5, points=20, sizes=(64, 256), learned=(20, 40))


def run(config: Config, key: Array) -> Result:
    region_key, margin_key, neighbour_key, corner_key = jax.random.split(key, 4)
    rule_rng = np.random.default_rng(int(jax.random.bits(jax.random.fold_in(key, 4))))
    seeds = config.seeds
    region = region_learners.measure(
        region_key, seeds, config.samples, config.rounds, config.trees, config.units, config.starts
    )
    rng = np.random.default_rng(int(jax.random.bits(neighbour_key)))
    order = np.asarray(jax.random.permutation(corner_key, len(free_lunch.CORNERS)))
    found = margins.measure(
        margin_key, config.margins, config.features, config.points, config.noise, seeds
    )
    return (
        {f"region_{name}": values for name, values in region.items()}
        | {f"margin_{name}": values for name, values in found.items()}
        | {
            f"lunch_{name}": values
            for name, values in free_lunch.measure(order, config.known).items()
        }
        | {
            "margins": np.asarray(config.margins),
            "sizes": np.asarray(config.sizes),
            "neighbours": np.asarray(config.neighbours),
            "noise": np.asarray(config.noise),
            "rule_three": vc_dimension.three_points(),
            "rule_four": vc_dimension.four_points(),
            "rule_dimension": np.asarray(config.dimension + 1),
            "rule_sizes": np.asarray(config.learned),
            "rule_errors": vc_dimension.errors(rule_rng, config.dimension, config.learned, seeds),
            "errors": neighbours.measure(rng, config.sizes, config.neighbours, seeds),
        }
    )


def table(result: Result) -> str:
    """Formats what every part measured."""
    rows = [
        [f"{label}: accuracy on the region", interval(result[f"region_{name}"]).percent()]
        for name, label in LEARNERS.items()
    ]
    for name, label in (("perceptron", "perceptron"), ("widest", "largest margin")):
        rows.append([f"{label}: accuracy with noise", _mean(result[f"margin_{name}"]).percent()])
    for name, errors in zip(neighbours.FUNCTIONS, result["errors"], strict=True):
        power = interval(neighbours.exponents(result["sizes"], errors))
        rows.append([f"neighbours on {name}: exponent of the error", power.decimals(2)])
    rows += [
        [f"hyperplane, {n} samples: error x samples / VC dimension", interval(ratios).decimals(2)]
        for n, ratios in zip(result["rule_sizes"], _of_rule(result).T, strict=True)
    ]
    few = result["lunch_errors"][:, result["lunch_separable"]]
    for name, every, some in zip(free_lunch.LEARNERS, result["lunch_errors"], few, strict=True):
        both = f"{100 * every.mean():.1f} %, {100 * some.mean():.1f} % if a plane has it"
        rows.append([f"{name}: error over all labelings", both])
    return markdown(["what", "measured"], rows)


def _of_rule(result: Result) -> np.ndarray:
    """Errors as shares of the rule of thumb, `[seeds, sizes]`."""
    return result["rule_errors"] * result["rule_sizes"] / result["rule_dimension"]


def _mean(values: np.ndarray) -> Interval:
    return interval(values.mean(axis=1))


def plot(result: Result) -> Figure:
    canvas, axes = plots.figure(2, 4, size=(4.3, 3.7))
    for panel, (name, label) in zip(axes[0], LEARNERS.items(), strict=True):
        accuracy = interval(result[f"region_{name}"]).percent()
        plots.regions(panel, result[f"region_map_{name}"], LIMITS, f"{label}: {accuracy}")
        plots.points(panel, result["region_points"], result["region_labels"])
    axes[0, 0].legend(loc="upper left", fontsize="small", frameon=True)
    _draw_updates(axes[1, 0], result)
    _draw_noise(axes[1, 1], result)
    _draw_neighbours(axes[1, 2], result)
    _draw_lunch(axes[1, 3], result)
    return canvas


def _draw_updates(axes: Axes, result: Result) -> None:
    style, other = (look for look, _ in zip(plots.styles(), range(2), strict=False))
    margin = (result["margin_margin"] / result["margin_radius"]).ravel()
    updates = result["margin_updates"].ravel()
    axes.plot(margin, updates, **style | {"linestyle": "", "alpha": 0.6}, label="a problem each")
    ends = np.asarray([margin.min(), margin.max()])
    axes.plot(ends, ends**-2.0, **other | {"marker": ""}, label=r"bound $4 R^2 / \gamma^2$")
    axes.set(xscale="log", yscale="log", xlabel=r"largest margin $\gamma / 2R$")
    axes.set(ylabel="updates", title="perceptron")
    _few_ticks(axes)
    axes.legend(fontsize="small")


def _draw_noise(axes: Axes, result: Result) -> None:
    names = {"widest": "largest margin", "perceptron": "perceptron"}
    for (name, label), style in zip(names.items(), plots.styles(), strict=False):
        plots.spread(axes, result["margins"], 100 * result[f"margin_{name}"], label, style)
    axes.set(xscale="log", xlabel=r"margin of the problem, $\gamma / 2$")
    axes.set(ylabel="accuracy on noisy points [%]")
    axes.set_title(f"noise of {float(result['noise']):g} x the margin (± 1 std)")
    _few_ticks(axes)
    axes.legend(fontsize="small")


def _few_ticks(axes: Axes) -> None:
    axes.set_xticks([0.02, 0.05, 0.1, 0.2, 0.5], ["0.02", "0.05", "0.1", "0.2", "0.5"])
    axes.minorticks_off()


def _draw_neighbours(axes: Axes, result: Result) -> None:
    sizes = result["sizes"]
    for (name, style), errors in zip(
        zip(neighbours.FUNCTIONS, plots.styles(), strict=False), result["errors"], strict=True
    ):
        plots.spread(axes, sizes, errors, name, style)
    axes.set(xscale="log", yscale="log", xlabel="samples", ylabel="squared error / variance")
    axes.set_title(f"k = {int(result['neighbours'])} neighbours (± 1 std)")
    axes.legend(fontsize="small")


def _draw_lunch(axes: Axes, result: Result) -> None:
    places = np.arange(len(free_lunch.LEARNERS))
    parts = {
        "all 256 labelings": np.ones_like(result["lunch_separable"]),
        "those that a plane has": result["lunch_separable"],
    }
    for i, (label, chosen) in enumerate(parts.items()):
        errors = 100 * result["lunch_errors"][:, chosen].mean(axis=1)
        colour = plots.COLOURS[i]
        axes.barh(places + 0.4 * i - 0.2, errors, 0.4, label=label, color=colour)
    axes.set_yticks(places, list(free_lunch.LEARNERS))
    axes.set(xlabel="mean error off the training set [%]", xlim=(0, 120), title="no free lunch")
    axes.invert_yaxis()
    axes.legend(fontsize="small", loc="lower right")


def _all_learn_the_region(result: Result) -> Measured:
    samples = {label: Sample(100 * result[f"region_{name}"]) for name, label in LEARNERS.items()}
    norm = np.median(result["region_gradient_norm"])
    return Measured(samples, f"the network by L-BFGS; median norm of its gradient {norm:.1e}")


def _larger_margin_is_quicker(result: Result) -> dict[str, Sample]:
    updates = np.log(np.maximum(result["margin_updates"], 1))
    relative = result["margin_margin"] / result["margin_radius"]
    trends = [
        rank_trend(margin, row[None])[0] for margin, row in zip(relative, updates, strict=True)
    ]
    return {"trend": Sample(trends), "ends": Sample(updates[:, 0] - updates[:, -1])}


def _largest_margin_is_robust(result: Result) -> Sample:
    widest, first = (result[f"margin_{name}"].mean(axis=1) for name in ("widest", "perceptron"))
    return Sample(100 * widest, 100 * first)


def _neighbours_approximate(result: Result) -> dict[str, Sample]:
    samples = {}
    for name, errors in zip(neighbours.FUNCTIONS, result["errors"], strict=True):
        samples[f"{name}: exponent"] = Sample(neighbours.exponents(result["sizes"], errors))
        samples[f"{name}: last error"] = Sample(errors[:, -1])
    return samples


def _no_free_lunch(result: Result) -> dict[str, Sample]:
    errors = result["lunch_errors"]
    return {
        "mean error": Sample(errors.mean(axis=1)),
        "better less worse": Sample(free_lunch.imbalances(errors)),
    }


def _rule_of_thumb(result: Result) -> dict[str, Sample]:
    # An error of 0 counts as half a test point.
    least = 0.5 / vc_dimension.TESTED
    ratios = _of_rule(result | {"rule_errors": np.maximum(result["rule_errors"], least)})
    exponents = neighbours.exponents(result["rule_sizes"], ratios) - 1
    return {
        "three points": Sample(result["rule_three"]),
        "four points": Sample(result["rule_four"]),
        "exponent": Sample(exponents),
        "factor": Sample(np.log(ratios).mean(axis=1)),
    }


CLAIMS = {
    "next_weights_are_fair": lambda result: Sample(result["region_next_errors"].ravel()),
    "rule_of_thumb": _rule_of_thumb,
    "all_learn_the_region": _all_learn_the_region,
    "larger_margin_is_quicker": _larger_margin_is_quicker,
    "largest_margin_is_robust": _largest_margin_is_robust,
    "neighbours_approximate": _neighbours_approximate,
    "no_free_lunch": _no_free_lunch,
}
