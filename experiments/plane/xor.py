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

Criteria, fixed before any run. Infinity: 1,000 members of the family c = [-t, -1], w = [1, t - 2] /
(1 - t), 0 <= t < 0.9, are exact to 1e-12. Others: of the solved networks of width 2, the share with
a different code from the lecture's is above 0 with its 95 % interval (Wilson's, as for all shares).
Local optima: of the networks of width 2 more than 5 %, with the interval, end above a loss of 0.01
that fell by less than 1 % in the second half of the steps, at two or more levels, each shared by
1 % of all networks. Folding: W x + c separates in no network, ReLU(W x + c) in the lecture's and in
every solved one.

Expect training to solve xor with 20 % of the networks of width 2, 69 % of width 4 and 98 % of width
8, from width 3 on about as many as start with a hidden layer that separates the points; four fifths
of the solutions of width 2 to differ from the lecture's, most of them |x1 - x2|; and the other
networks to rest at 1/8 (two points right), 1/6 (one right, three alike) or 1/4 (all alike).
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
from jaxnets.storage.checkpoints import CheckpointConfig

from ..lab.claims import Claim, Result, Verdict, markdown, verdict
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
    outputs,
    pre_activations,
    train,
)

APART = 1e-6
"""Segments closer than this count as touching."""


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
        "gaps_lecture": gaps(LECTURE),
        "gaps_start": gaps(start),
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


def _levels(result: Result) -> list[float]:
    """Losses at which 1 % or more of the networks of width 2 are stuck, to three digits."""
    final = np.round(result["losses"][:, 0, -1][_is_stuck(result)[:, 0]].astype(float), 3)
    values, counts = np.unique(final, return_counts=True)
    return values[counts >= 0.01 * len(result["losses"])].tolist()


def _proportion(values: np.ndarray) -> tuple[float, float, float]:
    """The share of `values [seeds]` that hold, and Wilson's 95 % interval."""
    found = binomtest(int(values.sum()), len(values))
    low, high = found.proportion_ci(method="wilson")
    return found.statistic, low, high


def _share(values: np.ndarray) -> str:
    share, low, high = _proportion(values)
    return f"{100 * share:.0f} % [{100 * low:.0f}, {100 * high:.0f}]"


def table(result: Result) -> str:
    columns = [result["solved"], _is_stuck(result), result["gaps_start"][..., 1] > APART]
    rows = [
        [f"{n} units", *(_share(c[:, i]) for c in columns), len(_count_codes(result, i))]
        for i, n in enumerate(result["widths"])
    ]
    head = ["network", "solves xor", "at rest above 0", "separable before training"]
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


def _lecture_solves(result: Result) -> Verdict:
    values = ", ".join(f"{y:g}" for y in result["lecture"])
    return verdict(np.array_equal(result["lecture"], Y), f"outputs {values}", "4 points")


def _infinity(result: Result) -> Verdict:
    ours = f"a family c = [-t, -1], exact to {result['family'].max():.0e}"
    return verdict(result["family"].max() < 1e-12, ours, f"{len(result['family'])} members")


def _others(result: Result) -> Verdict:
    solved = result["solved"][:, 0]
    if not solved.any():
        return verdict(False, "no network of width 2 solved it", _seeds(result))
    other = result["codes"][solved, 0, :2] != hidden_codes(pre_activations(LECTURE, X))
    share = other.any(axis=1)
    ours = (
        f"width 2: {_share(solved)} solved, {_share(share)} of them by a different hidden code "
        f"from the lecture's; {len(_count_codes(result, 0))} codes"
    )
    return verdict(_proportion(share)[1] > 0, ours, f"{_seeds(result)} per width")


def _local_optima(result: Result) -> Verdict:
    stuck, levels = _is_stuck(result), _levels(result)
    columns = zip(result["widths"], stuck.T, strict=True)
    shares = ", ".join(f"width {n} {_share(column)}" for n, column in columns)
    ours = f"at rest above 0: {shares}; width 2 at losses {', '.join(f'{x:g}' for x in levels)}"
    holds = _proportion(stuck[:, 0])[1] > 0.05 and len(levels) > 1
    return verdict(holds, ours, f"{_seeds(result)} per width")


def _folds(result: Result) -> Verdict:
    every = [result[f"gaps_{name}"].reshape(-1, 2) for name in ("lecture", "start", "end")]
    straight, folded = np.concatenate(every).T > APART
    solved = result["gaps_end"][result["solved"]][:, 1] > APART
    ours = (
        f"W x + c separates in {straight.sum()} of {straight.size:,} layers, ReLU in "
        f"{solved.sum():,} of {solved.size:,} solved ones and in the lecture's (classes "
        f"{result['gaps_lecture'][1]:.2f} apart); with random W and c = 0, width 2: "
        f"{_share(result['gaps_start'][:, 0, 1] > APART)}"
    )
    holds = not straight.any() and folded[0] and solved.all()
    return verdict(holds, ours, f"{_seeds(result)} per width")


CLAIMS = [
    Claim("F10, L1", "W, c, w, b solve xor", "0, 1, 1, 0 (its table: 0, 0, 0, 1)", _lecture_solves),
    Claim("F10, L1", "the solution is one among an infinity", "statement", _infinity),
    Claim("F10, L1", "training finds others", "not unique", _others),
    Claim("F10, L1", "the task has many local optima", "statement", _local_optima),
    Claim(
        "F10, L3",
        "a linear layer leaves the points inseparable, ReLU folds the plane and separates them",
        "picture",
        _folds,
    ),
]
