"""What depth buys: peaks, linear regions and boundaries of ReLU networks (row F9; L0, L1).

Claims: composing f1 with n1 peaks and f2 with n2 gives 2 n1 n2 peaks, 12 from (3, 2) and 40 from
(4, 5); networks "can depict functions that have as many as" the product of their widths W_n in
oscillations, and for a 1-D signal their power is "roughly proportional" to that product; it is
"larger than that of shallow networks for the same number of parameters" (L0). The regions of a
network of l layers of n units on d inputs are O((n/d)^{d(l-1)} n^d), "exponentially with depth"
(L1, whose slide has a binomial for n/d; Montufar et al., 2014); and 2 x 10 units draw a boundary
with fewer errors than 20 (L1, a picture).

Command: `make linear_regions`, 45 seconds. Protocol: exact counts (`jaxnets.analysis`) on the
entire line or plane for networks with He's weights and normal biases, 32 per shape, and for
networks built by folding; a peak is a point higher than its surroundings. 1 x 20 and 2 x 10 ReLU
units learn two spirals, 512 points and fresh data for each of 32 seeds, with Adam for 200 epochs.
Criteria, fixed before the full run, on 95 % intervals: constructions must match exactly; random
networks are "roughly proportional" if a further layer of W units multiplies their pieces by W/2 to
2 W, and "exponential" if the factor that a layer multiplies regions by does not fall from the
second layer to the last; "larger" is more regions than one layer of 40 units (161 weights) for 2 x
10 and 3 x 7 (151, 141). Expect exact constructions, and random networks in which a further layer
multiplies them far less: 821 regions for 1 x 40 units, about 210 for 2 x 10; both networks learn
the spirals.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise

import jax
import numpy as np
from jax import Array
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from jaxnets import plots
from jaxnets.analysis import linear_regions as regions
from jaxnets.analysis.linear_regions import Layer

from ..lab.claims import Claim, Result, Verdict, interval, markdown, verdict
from . import region_boundaries
from .region_boundaries import NETWORKS

LECTURE = ((3, 2), (4, 5))
"""The peaks of f1 and f2."""
EQUAL = ((40,), (10, 10), (7, 7, 7))
"""Hidden layers of about the same number of weights on two inputs."""


@dataclass(frozen=True)
class Config:
    widths: tuple[int, ...] = (4, 6)
    depth: int = 4
    seeds: int = 32
    samples: int = 512
    epochs: int = 200
    seed: int = 0


SMOKE = Config(widths=(4,), depth=3, seeds=3, samples=64, epochs=2)


def run(config: Config, key: Array) -> Result:
    choice = np.random.default_rng(int(jax.random.bits(key)))
    shapes = [[[w] * d for d in range(1, config.depth + 1)] for w in config.widths]

    def random(widths: Sequence[int], inputs: int) -> list[int]:
        drawn = (random_layers(choice, widths, inputs) for _ in range(config.seeds))
        return [regions.count(layers) for layers in drawn]

    return {
        "widths": np.asarray(config.widths),
        "line": np.asarray([[random(shape, 1) for shape in row] for row in shapes]),
        "plane": np.asarray([[random(shape, 2) for shape in row] for row in shapes]),
        "sawtooth": np.asarray([[len(graph(shape)[0]) - 1 for shape in row] for row in shapes]),
        "folded": np.asarray([[_folding_regions(shape) for shape in row] for row in shapes]),
        "equal": np.asarray([random(shape, 2) for shape in EQUAL]),
        "equal_folded": np.asarray([_folding_regions(shape) for shape in EQUAL]),
        **_peaks(),
        **region_boundaries.learn(key, config.seeds, config.samples, config.epochs),
    }


def random_layers(choice: np.random.Generator, widths: Sequence[int], inputs: int) -> list[Layer]:
    """Draws hidden layers with He's weights and standard normal biases."""
    fans = zip((inputs, *widths), widths, strict=False)
    return [(choice.normal(size=(m, n)) * (2 / n) ** 0.5, choice.normal(size=m)) for n, m in fans]


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
    counted = markdown(["random networks", *(f"{d} layers" for d in depths)], rows)
    counts = zip(EQUAL, result["equal"], result["equal_folded"], strict=True)
    equal = [[_shape(w), _weights(w), _text(random), folded] for w, random, folded in counts]
    head = ["layers", "weights", "regions, random", "regions, folding"]
    learnt = [
        [name, _weights(widths), interval(accuracy).percent(), _text(pieces)]
        for (name, widths), accuracy, pieces in zip(
            NETWORKS.items(), result["accuracy"], result["pieces"], strict=True
        )
    ]
    spirals = markdown(["spirals", "weights", "test accuracy", "boundary pieces"], learnt)
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
        plots.spread(axes, depths, random.T, f"{width} units, random", style)
        axes.plot(depths, folded, label=f"{width} units, folding", **style | {"linestyle": ":"})
    axes.set(yscale="log", xlabel="hidden layers", ylabel="linear regions", xticks=depths)
    axes.set_title("regions against depth")
    axes.legend(fontsize="x-small")


def _draw_equal(axes: Axes, result: Result) -> None:
    random, folded = result["equal"], result["equal_folded"]
    bars = ((random.mean(axis=1), -0.2, "random", 5), (folded, 0.2, "folding", 1))
    for heights, shift, label, colour in bars:
        place = np.arange(len(EQUAL)) + shift
        bar = axes.bar(place, heights, 0.38, label=label, color=plots.COLOURS[colour])
        axes.bar_label(bar, fmt="{:,.0f}", fontsize="small")
    axes.set(yscale="log", ylabel="linear regions", title="regions at equal weights")
    names = [f"{_shape(widths)}\n{_weights(widths)} weights" for widths in EQUAL]
    axes.set_xticks(range(len(EQUAL)), names)
    axes.set_ylim(top=5 * folded.max())
    axes.legend(fontsize="small")


def _composed_peaks(result: Result) -> Verdict:
    n = np.arange(1, len(result["peaks"]) + 1)
    ours = ", ".join(str(result["peaks"][n1 - 1, n2 - 1]) for n1, n2 in LECTURE)
    holds = (result["peaks"] == 2 * np.outer(n, n)).all()
    return verdict(holds, ours, f"all pairs up to {len(n)} peaks")


def _exact(
    name: str, expected: Callable[[int, int], int], what: str
) -> Callable[[Result], Verdict]:
    """Judges whether the counts `[widths, depths]` are as expected for width and depth."""

    def judge(result: Result) -> Verdict:
        counts, widths = result[name], result["widths"]
        depths = range(1, counts.shape[1] + 1)
        formula = [[expected(int(width), depth) for depth in depths] for width in widths]
        ours = ", ".join(f"{count:,}" for count in counts[-1])
        ours += f" {what} from 1 to {len(depths)} layers of {widths[-1]} units"
        return verdict((counts == formula).all(), ours, f"{counts.size} shapes, exact")

    return judge


def _factors(counts: np.ndarray) -> np.ndarray:
    """The factors by which further layers multiply counts, `[widths, depths - 1, seeds]`."""
    return counts[:, 1:] / counts[:, :-1]


def _proportional(result: Result) -> Verdict:
    holds, ours = True, []
    for width, factors in zip(result["widths"], _factors(result["line"]), strict=True):
        each = [interval(factor) for factor in factors]
        holds &= all(width / 2 <= f.low and f.high <= 2 * width for f in each)
        ours.append(f"{', '.join(f'{f.mean:.2f}' for f in each)} ({width} units)")
    text = "further layers multiply the pieces by " + "; ".join(ours)
    return verdict(holds, text, f"{result['line'].shape[2]} random networks per shape")


def _exponential(result: Result) -> Verdict:
    holds, ours = True, []
    for width, factors in zip(result["widths"], _factors(result["plane"]), strict=True):
        holds &= interval(factors[-1] - factors[0]).high >= 0
        ours.append(f"{', '.join(f'{f.mean():.2f}' for f in factors)} ({width} units)")
    text = "further layers multiply the regions by " + "; ".join(ours)
    return verdict(holds, text, f"{result['plane'].shape[2]} random networks per shape")


def _random_deeper(result: Result) -> Verdict:
    shallow, *deep = result["equal"]
    rows = zip(EQUAL, result["equal"], strict=True)
    ours = ", ".join(f"{_shape(widths)} {_text(counts)}" for widths, counts in rows)
    holds = all(interval(counts - shallow).low > 0 for counts in deep)
    return verdict(holds, ours, f"{len(shallow)} random networks per shape")


def _folded_deeper(result: Result) -> Verdict:
    shallow, *deep = result["equal_folded"]
    rows = zip(EQUAL, result["equal_folded"], strict=True)
    ours = ", ".join(f"{_shape(widths)} {count:,}" for widths, count in rows)
    return verdict(all(count > shallow for count in deep), ours, "folding networks, exact")


def _better_boundary(result: Result) -> Verdict:
    gain = interval(result["accuracy"][1] - result["accuracy"][0])
    ours = ", ".join(
        f"{name} {interval(a).percent()} ({_text(p)} straight pieces)"
        for name, a, p in zip(NETWORKS, result["accuracy"], result["pieces"], strict=True)
    )
    return verdict(gain.low > 0, ours, f"{result['accuracy'].shape[1]} paired seeds")


OSCILLATIONS = _exact("sawtooth", lambda width, depth: width**depth, "pieces")
BOUND = _exact("folded", lambda width, depth: regions.montufar(width, depth, 2), "regions")
PRODUCT = "as many oscillations as the product of the widths"
CLAIMS = [
    Claim("F9, L0", "n1 and n2 peaks compose to 2 n1 n2", "12, 40", _composed_peaks),
    Claim("F9, L0", f"networks can have {PRODUCT}", "-", OSCILLATIONS),
    Claim("F9, L0", f"random networks have about {PRODUCT}", "-", _proportional),
    Claim("F9, L1", "(n/d)^{d(l-1)} n^d regions are possible", "-", BOUND),
    Claim("F9, L1", "random networks: regions grow exponentially with depth", "-", _exponential),
    Claim("F9, L0", "at equal weights, deeper can have more regions", "-", _folded_deeper),
    Claim("F9, L0", "at equal weights, deeper random ones have more", "-", _random_deeper),
    Claim("F9, L1", "2 x 10 units make fewer errors than 1 x 20", "picture", _better_boundary),
]
