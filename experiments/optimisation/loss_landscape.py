"""Slices of loss landscapes: convex for a linear classifier, not for a network (row E5; L1, L3).

Claims: f is convex if f(t x1 + (1-t) x2) <= t f(x1) + (1-t) f(x2); "linear classifiers optimize a
convex function"; losses of neural nets "sometimes look convex-ish", are "often clearly nonconvex",
"with local minima", and "can get very wild" (L3, with 1-D slices for a 4-layer ReLU network with 10
inputs, 32 units a layer, 10 categories and softmax loss); they "have a lot of local minima" (L1).

Command: `make loss_landscape`, half a minute on 2 cores. Protocol: a seed is ten Gaussian classes
around normal centres, 128 samples, three trained networks (full-batch Adam, 200 steps). Chords: 200
segments at nine t for the linear classifier and for the network, from random parameters (a quarter
to twice He's deviation) 1 to 100 % of the way to others. Slices: through random and through trained
networks in filter-normalised directions (Li et al., "Visualizing the loss landscape of neural
nets", 2018), 0.1 to 2 norms to either side, and through pairs of trained networks. All in float64.
Smaller scales were added after a trial: at twice He's deviation 40 segments violated nothing, since
the loss there grows with the fourth power of the scale. Criteria, fixed after small trials and
before the full run: a chord is violated by more than 1e-9 of the larger end. A slice's gap is its
largest violation of the inequality over its range; it looks convex below 1 %, and is clearly
non-convex above 5 %. A valley is deeper than 1 % of the range, and a local minimum one that lies 1
% above the lowest point; three valleys are wild. "Often" is more than half of the slices,
"sometimes" a share whose 95 % interval over seeds is above 0, "a lot of local minima" a ridge on
more than half of the lines between two trained networks. Expect no violation for the linear
classifier; for the network 54 % at the smallest scales and hardly any at the largest.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
from jax import Array
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from jaxnets import plots
from jaxnets.analysis import landscape
from jaxnets.analysis.landscape import gap, local_minima, valleys

from ..lab.claims import Claim, Result, Verdict, interval, markdown, verdict
from .loss_slices import AROUND, BEYOND, MODELS, Config, measure

SLICES = {
    "linear": "linear classifier",
    "network": "network, random",
    "trained": "network, trained",
    "between": "between two trained networks",
}
NETWORKS = ("network", "trained", "between")
ROUNDING, CONVEX, CLEARLY, DEEP = 1e-9, 0.01, 0.05, 0.01
SMOKE = Config(seeds=2, samples=16, segments=4, slices=2, points=11, steps=4, grid=5)


def run(config: Config, key: Array) -> Result:
    return measure(config, key)


def is_ridge(y: np.ndarray) -> bool:
    """Returns whether the loss between two networks rises 1 % of the slice's range above both."""
    s = np.linspace(-BEYOND, 1 + BEYOND, len(y))
    inside = y[(s >= 0) & (s <= 1)]
    return bool(inside.max() > max(inside[0], inside[-1]) + DEEP * np.ptp(y))


class Property(NamedTuple):
    """What a slice `[points]` may look like, and how clearly it does."""

    holds: Callable[[np.ndarray], bool]
    score: Callable[[np.ndarray], float]


PROPERTIES = {
    "looks convex": Property(lambda y: gap(y) < CONVEX, lambda y: -gap(y)),
    "clearly non-convex": Property(
        lambda y: gap(y) > CLEARLY, lambda y: gap(y) - abs(len(valleys(y, DEEP)) - 1)
    ),
    "local minimum": Property(
        lambda y: local_minima(y, DEEP) > 0, lambda y: gap(y) - abs(len(valleys(y, DEEP)) - 2)
    ),
    "three valleys": Property(
        lambda y: len(valleys(y, DEEP)) >= 3, lambda y: gap(y) + len(valleys(y, DEEP))
    ),
}


def shares(result: Result, kinds: Sequence[str], holds: Callable[[np.ndarray], bool]) -> np.ndarray:
    """Computes the share of the slices of some kinds for which it `holds`, `[seeds]`."""
    slices = np.concatenate([result[f"slice_{kind}"] for kind in kinds], axis=1)
    return np.mean([[holds(y) for y in seed] for seed in slices], axis=1)


def examples(result: Result) -> dict[str, np.ndarray]:
    """Searches all slices of networks for the clearest of every property, `[points]` each."""
    pool = [y for kind in NETWORKS for seed in result[f"slice_{kind}"] for y in seed]
    found = {name: list(filter(prop.holds, pool)) for name, prop in PROPERTIES.items()}
    return {name: max(ys, key=PROPERTIES[name].score) for name, ys in found.items() if ys}


def table(result: Result) -> str:
    chords = [
        [
            name,
            f"{excess.size:,}",
            f"{excess.max():.1e}",
            *map(_share, np.array_split(excess, 4, 1)),
        ]
        for name in MODELS
        for excess in [result[f"excess_{name}"]]
    ]
    rows = [
        [label, *(interval(shares(result, [kind], p.holds)).percent() for p in PROPERTIES.values())]
        for kind, label in SLICES.items()
    ]
    parts = ["smallest quarter violated", "second", "third", "largest scale"]
    head = ["model", "segments", "largest excess", *parts]
    return f"{markdown(head, chords)}\n\n{markdown(['slices', *PROPERTIES], rows)}"


def _share(excess: np.ndarray) -> str:
    return f"{100 * (excess > ROUNDING).mean():.2f} %"


def plot(result: Result) -> Figure:
    canvas, axes = plots.figure(2, 3, size=(4.2, 3.3))
    first, *panels, last = axes.ravel()
    for y in result["slice_linear"][0, :6]:
        _draw_slice(first, y)
    first.set_title("linear classifier: convex")
    found = examples(result)
    for panel, name in zip(panels, PROPERTIES, strict=True):
        panel.ticklabel_format(useOffset=False)
        panel.set_title(f"network: {name}" if name in found else f"no slice: {name}")
        if name in found:
            _draw_slice(panel, found[name])
            panel.legend(fontsize="small")
        else:
            panel.set_axis_off()
    for panel in (first, *panels):
        panel.set(xlabel="position on the slice", ylabel="loss [nats]")
    _draw_surface(last, result["surface"])
    return canvas


def _draw_slice(axes: Axes, y: np.ndarray) -> None:
    """A slice, over the largest convex function below it where the two differ."""
    s, style = np.linspace(0, 1, len(y)), plots.styles()
    axes.plot(s, y, label="loss", **next(style) | {"marker": ""})
    if gap(y) > CONVEX:
        convex = landscape.convex_minorant(y)
        axes.plot(s, convex, label="largest convex function below", **next(style) | {"marker": ""})


def _draw_surface(axes: Axes, surface: np.ndarray) -> None:
    positions = np.linspace(-AROUND, AROUND, len(surface))
    shown = axes.contourf(positions, positions, np.log10(surface), 20, cmap="viridis")
    axes.plot(0, 0, marker="*", color="white", markersize=9)
    axes.set(xlabel="first direction [filter norms]", ylabel="second direction")
    axes.set_title("around a trained network (star)")
    axes.grid(visible=False)
    axes.get_figure().colorbar(shown, ax=axes, label="log10 of the loss in nats")


def _linear_is_convex(result: Result) -> Verdict:
    values = result["excess_linear"]
    ours = f"{(values > ROUNDING).sum()} of {values.size:,} segments violate it"
    return verdict((values <= ROUNDING).all(), ours, f"{len(values)} seeds")


def _network_is_not(result: Result) -> Verdict:
    share = (result["excess_network"] > ROUNDING).mean(axis=1)
    ours = f"{interval(share).percent()} of segments violate it, at least "
    ours += f"{100 * share.min():.1f} % for every seed"
    return verdict(share.min() > 0, ours, f"{len(share)} seeds")


def _share_above(least: float, name: str) -> Callable[[Result], Verdict]:
    def judge(result: Result) -> Verdict:
        holds = PROPERTIES[name].holds
        share = interval(shares(result, NETWORKS, holds))
        ours = f"{name}: {share.percent()} of slices; " + ", ".join(
            f"{SLICES[kind]} {100 * shares(result, [kind], holds).mean():.0f} %"
            for kind in NETWORKS
        )
        return verdict(share.low > least, ours, f"{len(result['slice_between'])} seeds")

    return judge


def _ridges(result: Result) -> Verdict:
    share = interval(shares(result, ["between"], is_ridge))
    ours = f"a ridge on {share.percent()} of the lines between two trained networks"
    return verdict(share.low > 0.5, ours, f"{len(result['slice_between'])} seeds")


CLAIMS = [
    Claim("E5, L3", "linear classifiers optimise a convex function", "-", _linear_is_convex),
    Claim("E5, L3", "neural networks need non-convex optimisation", "-", _network_is_not),
    *(
        Claim("E5, L3", f"losses of networks {statement}", "picture", _share_above(least, name))
        for statement, least, name in (
            ("sometimes look convex-ish", 0, "looks convex"),
            ("are often clearly non-convex", 0.5, "clearly non-convex"),
            ("have local minima", 0, "local minimum"),
            ("can get very wild", 0, "three valleys"),
        )
    ),
    Claim("E5, L1", "cost functions have a lot of local minima", "-", _ridges),
]
