"""What depth buys: peaks, linear regions and boundaries of ReLU networks (row F9; L0, L1).

Claims: composing f1 with n1 peaks and f2 with n2 gives 2 n1 n2 peaks, 12 from (3, 2) and 40 from
(4, 5); networks "can depict functions that have as many as" the product of their widths W_n in
oscillations, and for a 1-D signal their power is "roughly proportional" to that product; it is
"larger than that of shallow networks for the same number of parameters" (L0). The regions of a
network of l layers of n units on d inputs are O((n/d)^{d(l-1)} n^d), "exponentially with depth"
(L1, whose slide has a binomial for n/d; Montufar et al., 2014); and 2 x 10 units draw a boundary
with fewer errors than 20 (L1, a picture).

Command: `make linear_regions`, a minute. Protocol: exact counts (`jaxnets.analysis`) on the entire
line or plane for networks with He's weights and normal biases, 40 of each width, which are counted
layer by layer, and for networks built by folding; a peak is a point higher than its surroundings.
1 x 20 and 2 x 10 ReLU units learn two spirals, 512 points and fresh data for each of 40 seeds, with
Adam for 200 epochs. Criteria are in `experiments/claims/linear_regions`: what is "possible" is
shown by construction and must match exactly; random networks, of which the lectures do not speak,
are judged apart. Layers of 40 units (161 weights), 2 x 10 (151) and 3 x 7 (141) have about the same
size. Expect exact constructions, and random networks in which a further layer multiplies the
counts far less: 821 regions for 1 x 40 units, about 210 for 2 x 10; both networks learn the
spirals, the deeper one more often without an error.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import jax
import numpy as np
from jax import Array
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from jaxnets import plots
from jaxnets.analysis import linear_regions as regions
from jaxnets.claims import Sample

from ..lab.claims import Result, interval, markdown
from . import counted_networks, region_boundaries
from .region_boundaries import NETWORKS

LECTURE = ((3, 2), (4, 5))
"""The peaks of f1 and f2."""
EQUAL = ((40,), (10, 10), (7, 7, 7))
"""Hidden layers of about the same number of weights on two inputs."""


@dataclass(frozen=True)
class Config:
    widths: tuple[int, ...] = (4, 6)
    depth: int = 4
    seeds: int = 40
    bias: float = 1.0
    """Standard deviation of the biases as drawn."""
    network: str = "random"
    """The networks that are counted beside those that fold: `random`, as drawn, or `trained`, on
    stripes of the line and spirals of the plane."""
    problem: str = "spirals"
    """What the two networks of the picture learn, a name in `jaxnets.data.TOY`."""
    samples: int = 512
    noise: float = 0.02
    epochs: int = 200
    seed: int = 1


SMOKE = Config(widths=(4,), depth=3, seeds=3, samples=64, epochs=2)


def run(config: Config, key: Array) -> Result:
    choice = np.random.default_rng(int(jax.random.bits(key)))
    full = [[width] * config.depth for width in config.widths]
    shapes = [[shape[:depth] for depth in range(1, config.depth + 1)] for shape in full]

    def counted(widths: Sequence[int], inputs: int) -> np.ndarray:
        """Counts of the first layers of networks, `[layers, seeds]`."""
        drawn = counted_networks.NETWORKS[config.network](config, choice, widths, inputs)
        counts = [[regions.count(net[: i + 1]) for net in drawn] for i in range(len(widths))]
        return np.asarray(counts, np.float64)

    return {
        "widths": np.asarray(config.widths),
        "line": np.asarray([counted(shape, 1) for shape in full]),
        "plane": np.asarray([counted(shape, 2) for shape in full]),
        "sawtooth": np.asarray([[len(graph(shape)[0]) - 1 for shape in row] for row in shapes]),
        "folded": np.asarray([[_folding_regions(shape) for shape in row] for row in shapes]),
        "equal": np.asarray([counted(shape, 2)[-1] for shape in EQUAL]),
        "equal_folded": np.asarray([_folding_regions(shape) for shape in EQUAL]),
        **_peaks(),
        **region_boundaries.learn(config, key),
        "network": np.asarray(config.network),
        "problem": np.asarray(config.problem),
    }


def _folding_regions(widths: Sequence[int]) -> int:
    """Regions of a folding network in the unit square."""
    layers = regions.folding(widths[0], len(widths), 2)
    return len(regions.on_rectangle(layers, (0, 1, 0, 1)))


def graph(pieces: Sequence[int]) -> tuple[np.ndarray, np.ndarray]:
    """Computes the corners of a sawtooth's graph on [0, 1], x and y `[points]`."""
    layers, read = regions.sawtooth(pieces)
    x, values = regions.on_segment(layers, [0], [1])
    return x[:, 0], values @ read[0]


def peaks(y: np.ndarray) -> int:
    """Counts the inner corners of a piecewise linear graph that are above both neighbours."""
    inner = y[1:-1]
    return int(((inner > y[:-2]) & (inner > y[2:])).sum())


def _peaks() -> Result:
    """Peaks of compositions `[n1, n2]` for n1, n2 = 1 .. 6, and the lecture's two graphs."""
    counts = [[peaks(graph((2 * n1, 2 * n2))[1]) for n2 in range(1, 7)] for n1 in range(1, 7)]
    drawn = {f"graph_{n1}_{n2}": np.stack(graph((2 * n1, 2 * n2))) for n1, n2 in LECTURE}
    inner = {f"inner_{n1}": np.stack(graph((2 * n1,))) for n1, _ in LECTURE}
    return {"peaks": np.asarray(counts), **drawn, **inner}


def table(result: Result) -> str:
    depths = range(1, result["plane"].shape[1] + 1)
    rows = []
    for i, width in enumerate(result["widths"]):
        rows += [
            [f"{width} units, pieces of the line", *map(_text, result["line"][i])],
            [f"{width} units, regions of the plane", *map(_text, result["plane"][i])],
            [f"{width} units, folding the unit square", *result["folded"][i]],
        ]
    network = str(result["network"])
    counted = markdown([f"{network} networks", *(f"{d} layers" for d in depths)], rows)
    counts = zip(EQUAL, result["equal"], result["equal_folded"], strict=True)
    equal = [[_shape(w), _weights(w), _text(random), folded] for w, random, folded in counts]
    head = ["layers", "weights", f"regions, {network}", "regions, folding"]
    learnt = [
        [name, _weights(widths), interval(accuracy).percent(), _text(pieces)]
        for (name, widths), accuracy, pieces in zip(
            NETWORKS.items(), result["accuracy"], result["pieces"], strict=True
        )
    ]
    spirals = markdown(
        [str(result["problem"]), "weights", "test accuracy", "boundary pieces"], learnt
    )
    return f"{counted}\n\n{markdown(head, equal)}\n\n{spirals}"


def _text(counts: np.ndarray) -> str:
    return f"{counts.mean():.1f} ± {counts.std(ddof=1):.1f}"


def _shape(widths: Sequence[int]) -> str:
    return f"{len(widths)} x {widths[0]}"


def _weights(widths: Sequence[int]) -> int:
    """Weights and biases of a network with two inputs and one output."""
    sizes = (2, *widths, 1)
    return sum((n + 1) * m for n, m in pairwise(sizes))


def plot(result: Result) -> Figure:
    canvas, axes = plots.figure(2, 3, size=(4.3, 3.5))
    for panel, (n1, n2) in zip(axes[0], LECTURE, strict=False):
        _draw_composition(panel, result, n1, n2)
    _draw_regions(axes[0, 2], result)
    _draw_equal(axes[1, 0], result)
    for panel, (name, widths) in zip(axes[1, 1:], NETWORKS.items(), strict=True):
        region_boundaries.draw(panel, result, name, widths)
    return canvas


def _draw_composition(axes: Axes, result: Result, n1: int, n2: int) -> None:
    style = plots.styles()
    for name, label in ((f"graph_{n1}_{n2}", "f2(f1(x))"), (f"inner_{n1}", "f1(x)")):
        axes.plot(*result[name], label=label, **next(style) | {"marker": ""})
    count = result["peaks"][n1 - 1, n2 - 1]
    axes.set(title=f"{n1} and {n2} peaks give {count}", xlabel="x", ylim=(-0.05, 1.3))
    axes.legend(fontsize="small", ncols=2, loc="upper center")


def _draw_regions(axes: Axes, result: Result) -> None:
    """Regions against depth: random networks in the plane, folding ones in the unit square."""
    depths = np.arange(1, result["plane"].shape[1] + 1)
    rows = zip(result["widths"], result["plane"], result["folded"], strict=True)
    for (width, random, folded), style in zip(rows, plots.styles(), strict=False):
        plots.spread(axes, depths, random.T, f"{width} units, {result['network']}", style)
        axes.plot(depths, folded, label=f"{width} units, folding", **style | {"linestyle": ":"})
    axes.set(yscale="log", xlabel="hidden layers", ylabel="linear regions", xticks=depths)
    axes.set_title("regions against depth")
    axes.legend(fontsize="x-small")


def _draw_equal(axes: Axes, result: Result) -> None:
    random, folded = result["equal"], result["equal_folded"]
    bars = ((random.mean(axis=1), -0.2, str(result["network"]), 5), (folded, 0.2, "folding", 1))
    for heights, shift, label, colour in bars:
        place = np.arange(len(EQUAL)) + shift
        bar = axes.bar(place, heights, 0.38, label=label, color=plots.COLOURS[colour])
        axes.bar_label(bar, fmt="{:,.0f}", fontsize="small")
    axes.set(yscale="log", ylabel="linear regions", title="regions at equal weights")
    names = [f"{_shape(widths)}\n{_weights(widths)} weights" for widths in EQUAL]
    axes.set_xticks(range(len(EQUAL)), names)
    axes.set_ylim(top=5 * folded.max())
    axes.legend(fontsize="small")


def _composed_peaks(result: Result) -> dict[str, Sample]:
    counts = result["peaks"]
    n = np.arange(1, len(counts) + 1)
    pairs = {f"{n1} and {n2}": Sample(counts[n1 - 1, n2 - 1 : n2]) for n1, n2 in LECTURE}
    return pairs | {"all pairs up to 6": Sample((counts - 2 * np.outer(n, n)).ravel())}


def _shapes(result: Result) -> tuple[np.ndarray, np.ndarray]:
    """Widths `[widths, 1]` and depths `[depths]` of the counted networks."""
    return result["widths"][:, None], np.arange(1, result["plane"].shape[1] + 1)


def _possible_oscillations(result: Result) -> Sample:
    widths, depths = _shapes(result)
    return Sample((result["sawtooth"] / widths**depths).ravel())


def _possible_regions(result: Result) -> Sample:
    widths, depths = _shapes(result)
    bounds = [[regions.montufar(int(w), int(d), 2) for d in depths] for w in widths[:, 0]]
    return Sample((result["folded"] / np.asarray(bounds)).ravel())


def _possible_deeper(result: Result) -> dict[str, Sample]:
    shallow, *deep = result["equal_folded"]
    return {
        _shape(widths): Sample([float(count > shallow)])
        for widths, count in zip(EQUAL[1:], deep, strict=True)
    }


def _log_factors(counts: np.ndarray) -> np.ndarray:
    """Logs of the factors by which further layers multiply, `[widths, depths - 1, seeds]`."""
    return np.diff(np.log(counts), axis=1)


def _random_oscillations(result: Result) -> dict[str, Sample]:
    return {
        f"{width} units, layer {i + 2}": Sample(factor)
        for width, factors in zip(result["widths"], _log_factors(result["line"]), strict=True)
        for i, factor in enumerate(factors)
    }


def _random_exponential(result: Result) -> dict[str, Sample]:
    found = {}
    for width, factors in zip(result["widths"], _log_factors(result["plane"]), strict=True):
        found[f"{width} units, last layer"] = Sample(factors[-1])
        found[f"{width} units, same factor"] = Sample(factors[-1] - factors[0])
    return found


def _random_deeper(result: Result) -> dict[str, Sample]:
    shallow, *deep = np.log(result["equal"])
    return {
        _shape(widths): Sample(counts, shallow)
        for widths, counts in zip(EQUAL[1:], deep, strict=True)
    }


def _fewer_errors(result: Result) -> Sample:
    shallow, deep = result["accuracy"]
    return Sample(np.where(np.isnan(deep - shallow), np.nan, deep > shallow))


CLAIMS = {
    "composed_peaks": _composed_peaks,
    "possible_oscillations": _possible_oscillations,
    "random_oscillations": _random_oscillations,
    "possible_regions": _possible_regions,
    "random_exponential": _random_exponential,
    "possible_deeper": _possible_deeper,
    "random_deeper": _random_deeper,
    "fewer_errors": _fewer_errors,
}
