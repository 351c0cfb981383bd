"""Slices of loss landscapes: convex for a linear classifier, not for a network (row E5; L1, L3).

Claims: f is convex if f(t x1 + (1-t) x2) <= t f(x1) + (1-t) f(x2); "linear classifiers optimize a
convex function"; losses of neural nets "sometimes look convex-ish", are "often clearly nonconvex",
"with local minima", and "can get very wild" (L3, with 1-D slices for a 4-layer ReLU network with 10
inputs, 32 units a layer, 10 categories and softmax loss); they "have a lot of local minima" (L1).

Command: `make loss_landscape`, three minutes on 2 cores. Protocol: a seed is ten Gaussian classes
around normal centres, 128 samples, three trained networks (full-batch Adam, 200 steps). Chords: 200
segments at nine t for the linear classifier and for the network, from random parameters (a quarter
to twice He's deviation) 1 to 100 % of the way to others. Slices: through random and through trained
networks in filter-normalised directions (Li et al., "Visualizing the loss landscape of neural
nets", 2018), 0.1 to 2 norms to either side, and through pairs of trained networks. Minima: L-BFGS
from 8 starts to a gradient of 1e-7, on other data and a network of two layers of 8 tanh units with
a penalty on its weights, which has minima where the Hessian is positive; minima with the same loss
count as one, since units can be exchanged. All in float64. Smaller scales were added after a trial:
at twice He's deviation 40 segments violated nothing, since the loss there grows with the fourth
power of the scale.
A chord is violated by more than 1e-9 of the larger end. A slice's gap is its largest violation of
the inequality over its range; it looks convex below 1 %, and is clearly non-convex above 5 %. A
valley is deeper than 1 % of the range, and a local minimum one that lies 1 % above the lowest
point; three valleys are wild. How often that must be is in `experiments/claims/loss_landscape`.
Expect no violation for the linear classifier; for the network 54 % at the smallest scales and
hardly any at the largest, most of them small; and another minimum from almost every start.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import jax
import numpy as np
from jax import Array
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from jaxnets import plots
from jaxnets.analysis import landscape
from jaxnets.analysis.landscape import gap, local_minima, valleys
from jaxnets.claims import Sample

from ..lab.claims import Result, interval, markdown
from ..lab.judging import Measured
from . import loss_minima
from .loss_slices import AROUND, MODELS, NETWORKS, Config, measure

SLICES = {
    "linear": "linear classifier",
    "network": "network, random",
    "trained": "network, trained",
    "between": "between two trained networks",
}
ROUNDING, CONVEX, CLEARLY, DEEP = 1e-9, 0.01, 0.05, 0.01
SMOKE = Config(seeds=2, samples=16, segments=4, slices=2, points=11, steps=4, grid=5, starts=2)


def run(config: Config, key: Array) -> Result:
    slice_key, search_key = jax.random.split(key)
    found = measure(config, slice_key) | {"judged": np.asarray(config.judged)}
    print("searching for minima", flush=True)
    return found | loss_minima.search(config, search_key)


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
    """Computes the share of the slices of some kinds for which it `holds`, `[seeds]`.

    NaN for a seed with a slice that is not finite.
    """
    slices = np.concatenate([result[f"slice_{kind}"] for kind in kinds], axis=1)
    found = [[holds(y) for y in seed] for seed in slices]
    return np.where(np.isfinite(slices).all(axis=(1, 2)), np.mean(found, axis=1), np.nan)


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
    pairs = interval(loss_minima.different_pairs(result)).percent()
    return (
        f"{markdown(head, chords)}\n\n{markdown(['slices', *PROPERTIES], rows)}\n\n"
        f"{_many_minima(result).converged}; {pairs} of pairs differ in loss"
    )


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


def violated(excess: np.ndarray) -> np.ndarray:
    """Computes the share of segments that violate the inequality, `[seeds]`; NaN stays NaN."""
    return np.where(np.isfinite(excess), excess > ROUNDING, np.nan).mean(axis=1)


def _linear_is_convex(result: Result) -> Sample:
    return Sample(result["excess_linear"])


def _network_is_not(result: Result) -> dict[str, Sample]:
    share = violated(result["excess_network"])
    return {
        "seeds": Sample(np.where(np.isnan(share), np.nan, share > 0)),
        "segments": Sample(share),
    }


def _share_of(name: str) -> Callable[[Result], Sample]:
    return lambda result: Sample(shares(result, result["judged"], PROPERTIES[name].holds))


def _many_minima(result: Result) -> Measured:
    are_minima = loss_minima.are_minima(result)
    converged = (
        f"{are_minima.sum()} of {are_minima.size} ends of L-BFGS are minima, with a gradient of at "
        f"most {loss_minima.TOLERANCE:g} and curved upwards"
    )
    return Measured(Sample(loss_minima.different_pairs(result)), converged)


CLAIMS = {
    "linear_is_convex": _linear_is_convex,
    "network_is_not": _network_is_not,
    "looks_convex": _share_of("looks convex"),
    "often_nonconvex": _share_of("clearly non-convex"),
    "local_minima": _share_of("local minimum"),
    "very_wild": _share_of("three valleys"),
    "many_minima": _many_minima,
}
