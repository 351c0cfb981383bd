"""Exclusive or by a hidden ReLU layer: a solution by hand, others by training (row F10; L1, L3).

Claims: W = [[1, 1], [1, 1]], c = [0, -1], w = [1, -2], b = 0 is a solution of y = w.max(0, W x + c)
+ b, "not unique", "one among an infinity"; networks with more parameters than samples "have thus
many local optimum" (L1). h = W x leaves the points inseparable by a line, after h = ReLU(W x)
"points are linearly separable in features space" (L3). The table on L1's slide prints y = 1 for
(1, 1) and 0 for the others: a slip, its solution computes 0, 1, 1, 0.

Command: `make xor`, twenty seconds on 2 cores. Protocol: 256 networks of each width from He's
weights and zero biases, squared error on the four points, 2,000 full-batch steps of Adam whose rate
falls from 0.02 to zero. Solved: every output within 0.1 of its target. A hidden code says which
points switch on which units, in any order of the units. The classes are separable if the segments
between the two points of each class do not touch.

A local optimum is a network that is at rest above a loss of 0.01 (it fell by less than 1 % in the
second half of the steps), and of which 1,000 random steps of length 0.01 never lower the loss by
more than 1e-5. That a network which solves xor separates the points in its hidden layer is a
tautology and no part of a claim. Limits and margins are in `experiments/claims/xor`.

Expect training to solve xor with 20 % of the networks of width 2, 69 % of width 4 and 98 % of width
8, from width 3 on about as many as start with a hidden layer that separates the points; most
solutions of width 2 to differ from the lecture's, the commonest of them |x1 - x2|; and the other
networks to rest at 1/8 (two points right), 1/6 (one right, three alike) or 1/4 (all alike). Two
thirds of those of width 2 are local optima, from the others a small random step leads down. With
more parameters there are fewer local optima, not more.
"""

from collections import Counter
from collections.abc import Callable

import numpy as np
from jax import Array
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from scipy.stats import binomtest

from jaxnets import plots
from jaxnets.analysis import evaluate
from jaxnets.claims import Sample
from jaxnets.storage.checkpoints import CheckpointConfig

from ..lab.claims import Result, markdown
from .xor_nets import (
    LECTURE,
    RECORDS,
    Config,
    Net,
    X,
    Y,
    code_name,
    family,
    gaps,
    hidden_codes,
    largest_falls,
    outputs,
    pre_activations,
    train,
)

APART = 1e-6
"""Segments closer than this count as touching."""
FALL = 1e-5
"""What a step from a local optimum may lower the loss by."""

SMOKE = Config(widths=(2, 4), seeds=8, steps=200, learning_rate=0.05)


def run(config: Config, key: Array, checkpoints: CheckpointConfig | None = None) -> Result:
    if config.widths[0] != 2:
        raise ValueError(f"the first width must be the lecture's, 2, got {config.widths}")
    start, end, losses = train(config, key, checkpoints=checkpoints)
    solved = np.all(np.abs(outputs(end, X) - Y) < 0.1, axis=-1)
    codes = hidden_codes(pre_activations(end, X))
    lecture = hidden_codes(pre_activations(LECTURE, X))
    other = solved[:, 0] & np.any(codes[:, 0, :2] != lecture, axis=-1)
    fullest = np.argmax(np.where(other, np.abs(np.linalg.det(end["W"][:, 0, :2])), -1))
    shown = {name: values[fullest, 0] for name, values in end.items()}
    members = family(np.linspace(0, 0.9, 1000, endpoint=False))
    return {
        "widths": np.asarray(config.widths),
        "losses": losses,
        "solved": solved,
        "codes": codes,
        "lecture": outputs(LECTURE, X),
        "family": np.abs(outputs(members, X) - Y),
        "falls": largest_falls(end, config.widths, np.random.default_rng(config.seed)),
        "gaps_lecture": gaps(LECTURE),
        "gaps_start": gaps(start),
        "gaps_without_c": gaps(start | {"c": np.zeros_like(start["c"])}),
        "gaps_end": gaps(end),
        "shown_b": shown.pop("b"),
        **{f"shown_{name}": values[:2] for name, values in shown.items()},
    }


def _count_codes(result: Result, i: int) -> Counter:
    """Counts the solved networks of the i-th width by their code."""
    rows = result["codes"][:, i, : result["widths"][i]]
    return Counter(code_name(row) for row in rows[result["solved"][:, i]])


def _is_stuck(result: Result) -> np.ndarray:
    """Whether the loss of a network came to rest above zero, `[seeds, widths]`."""
    half, end = result["losses"][..., RECORDS // 2 - 1], result["losses"][..., -1]
    return (end > 0.01) & (end > 0.99 * half)


def _is_optimum(result: Result) -> np.ndarray:
    """Whether a network is at a local optimum above zero, `[seeds, widths]`."""
    return _is_stuck(result) & (result["falls"] <= FALL)


def _proportion(values: np.ndarray) -> tuple[float, float, float]:
    """The share of `values [seeds]` that hold, and Wilson's 95 % interval."""
    found = binomtest(int(values.sum()), len(values))
    low, high = found.proportion_ci(method="wilson")
    return found.statistic, low, high


def _share(values: np.ndarray) -> str:
    share, low, high = _proportion(values)
    return f"{100 * share:.0f} % [{100 * low:.0f}, {100 * high:.0f}]"


def table(result: Result) -> str:
    columns = [
        result["solved"],
        _is_stuck(result),
        _is_optimum(result),
        result["gaps_start"][..., 1] > APART,
    ]
    rows = [
        [f"{n} units", *(_share(c[:, i]) for c in columns), len(_count_codes(result, i))]
        for i, n in enumerate(result["widths"])
    ]
    head = [
        "network",
        "solves xor",
        "at rest above 0",
        "at a local optimum",
        "separable before training",
    ]
    shares = markdown([*head, "hidden codes of the solved"], rows)
    codes = [list(pair) for pair in _count_codes(result, 0).most_common(8)]
    common = markdown(["hidden code, 2 units", "solved networks"], codes)
    return f"{_seeds(result)}, [95 % interval]:\n{shares}\n\n{common}"


def plot(result: Result) -> Figure:
    canvas, axes = plots.figure(2, 3, size=(4.4, 3.9))
    trained = {name: result[f"shown_{name}"] for name in LECTURE}
    solution = "the plane, and the lecture's solution"
    _draw_warped(axes[0, 0], lambda x: x, lambda x: outputs(LECTURE, x), solution)
    _draw_fold(axes[0, 1], LECTURE, "after the lecture's hidden layer")
    _draw_fold(axes[0, 2], trained, "after a trained hidden layer")
    axes[0, 0].set(xlabel="$x_1$", ylabel="$x_2$")
    axes[0, 0].legend(fontsize="small", loc="upper left", frameon=True)
    _draw_shares(axes[1, 0], result)
    _draw_losses(axes[1, 1], result)
    _draw_codes(axes[1, 2], result)
    return canvas


def _draw_fold(axes: Axes, net: Net, title: str) -> None:
    def readout(h: np.ndarray) -> np.ndarray:
        return h @ net["w"] + net["b"]

    _draw_warped(axes, lambda x: np.maximum(pre_activations(net, x), 0), readout, title)
    axes.set(xlabel="$h_1$", ylabel="$h_2$")


def _draw_warped(axes: Axes, warp: Callable, readout: Callable, title: str) -> None:
    """A grid of the plane and the four points after `warp`; shaded where `readout` is above 1/2."""
    ticks, along = np.linspace(-0.5, 1.5, 9), np.linspace(-0.5, 1.5, 121)
    rows = [np.stack([along, np.full_like(along, tick)], axis=1) for tick in ticks]
    lines = np.stack([warp(line) for line in (*rows, *(row[:, ::-1] for row in rows))])
    low, high = lines.min(axis=(0, 1)) - 0.2, lines.max(axis=(0, 1)) + 0.2
    limits = (low[0], high[0], low[1], high[1])
    above = readout(evaluate.plane(limits, 200)) > 0.5
    plots.regions(axes, 0.3 * above.reshape(200, 200), limits, title)
    for i, line in enumerate(lines):
        axes.plot(*line.T, color=plots.COLOURS[2 * (i < len(ticks))], linewidth=1)
    names: dict[tuple, list[str]] = {}
    for p, place in enumerate(warp(X)):
        names.setdefault(tuple(np.round(place, 2)), []).append(f"{p:02b}")
    for marker, colour, y in (("X", "#000000", 0), ("o", plots.COLOURS[1], 1)):
        look: plots.Style = {"marker": marker, "color": colour, "markersize": 8, "linestyle": ""}
        axes.plot(*warp(X)[y == Y].T, label=f"y = {y}", **look)
    for place, points in names.items():
        text = ", ".join(points)
        axes.annotate(text, place, (6, 6), textcoords="offset points", weight="bold")


def _draw_shares(axes: Axes, result: Result) -> None:
    shares = {
        "solved by training": result["solved"],
        "separable before training": result["gaps_start"][..., 1] > APART,
    }
    at = np.arange(len(result["widths"]))
    for (label, values), style in zip(shares.items(), plots.styles(), strict=False):
        share, low, high = 100 * np.asarray([_proportion(column) for column in values.T]).T
        axes.errorbar(at, share, [share - low, high - share], label=label, capsize=3, **style)
    axes.set_xticks(at, [str(n) for n in result["widths"]])
    axes.set(xlabel="hidden units", ylabel="networks [%]", ylim=(0, 103))
    axes.set_title(f"xor by training (95 % intervals, {_seeds(result)})")
    axes.legend(fontsize="small", loc="lower right")


def _draw_losses(axes: Axes, result: Result) -> None:
    """Every network's last loss, in order: steps are levels at which many of them rest."""
    share = np.linspace(0, 100, len(result["losses"]))
    for i, (n, style) in enumerate(zip(result["widths"][:3], plots.styles(), strict=False)):
        final = np.sort(result["losses"][:, i, -1])
        axes.plot(share, final, label=f"{n} units", **style | {"marker": ""})
    axes.set(xlabel="networks, the best first [%]", ylabel="squared error per point")
    axes.set_title("where training comes to rest")
    axes.legend(fontsize="small", loc="upper left")


def _draw_codes(axes: Axes, result: Result) -> None:
    common = _count_codes(result, 0).most_common(6)[::-1]
    lecture = code_name(hidden_codes(pre_activations(LECTURE, X)))
    names = [f"{name} (lecture)" if name == lecture else name for name, _ in common]
    colours = [plots.COLOURS[1 if name == lecture else 5] for name, _ in common]
    axes.barh(names, [count for _, count in common], color=colours)
    axes.set(
        xlabel=f"networks of {len(result['solved'])}", title="which points switch on the 2 units"
    )


def _seeds(result: Result) -> str:
    return f"{len(result['solved'])} seeds"


def _lecture_solves(result: Result) -> Sample:
    return Sample(result["lecture"] - Y)


def _one_of_an_infinity(result: Result) -> Sample:
    return Sample(result["family"])


def _shares(result: Result, holds: np.ndarray) -> Sample:
    """Of the networks of width 2 those that `holds [seeds]`, NaN where training diverged."""
    return Sample(np.where(np.isfinite(result["losses"][:, 0, -1]), holds, np.nan))


def _training_finds_others(result: Result) -> Sample:
    lecture = hidden_codes(pre_activations(LECTURE, X))
    other = (result["codes"][:, 0, :2] != lecture).any(axis=-1)
    return _shares(result, result["solved"][:, 0] & other)


def _many_local_optima(result: Result) -> dict[str, Sample]:
    optimum = _is_optimum(result)[:, 0]
    losses = np.round(result["losses"][:, 0, -1].astype(float), 3)
    commonest = Counter(losses[optimum].tolist()).most_common(1)
    another = optimum & ~np.isin(losses, [loss for loss, _ in commonest])
    return {
        "at one": _shares(result, optimum),
        "at another level": _shares(result, another),
    }


def _relu_folds(result: Result) -> dict[str, Sample]:
    every = [result[f"gaps_{name}"].reshape(-1, 2) for name in ("lecture", "start", "end")]
    apart = np.concatenate(every)[:, 0] - APART
    return {
        "linear layers": Sample(np.maximum(np.sign(apart), 0)),
        "ReLU, W and c of L1": Sample(np.sign(result["gaps_lecture"][1:] - APART)),
        "ReLU, random W and no c": _shares(result, result["gaps_without_c"][:, 0, 1] > APART),
    }


CLAIMS = {
    "lecture_solves": _lecture_solves,
    "one_of_an_infinity": _one_of_an_infinity,
    "training_finds_others": _training_finds_others,
    "many_local_optima": _many_local_optima,
    "relu_folds": _relu_folds,
}
