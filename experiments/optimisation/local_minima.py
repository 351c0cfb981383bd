"""What `gradient_descent` says about starts, steps and noise on random surfaces (row E3)."""

from collections.abc import Callable
from typing import Any

import jax
import numpy as np
from jax import Array
from matplotlib.axes import Axes

from jaxnets import plots
from jaxnets.claims import Sample

from ..lab.claims import Result, interval, markdown
from .random_surfaces import PERIOD, RATES, SHARES, outcomes

NAMES = {1: "line", 2: "plane"}
SHARE_NAMES = tuple(f"1/{round(1 / share)}" for share in SHARES)


def run(key: Array, **counts: Any) -> Result:
    """Returns `random_surfaces.outcomes` as `MEASURE_line` and `MEASURE_plane` of each measure."""
    result: Result = {}
    own_keys = jax.random.split(key, len(NAMES))
    for own_key, (dimensions, name) in zip(own_keys, NAMES.items(), strict=True):
        print(f"surfaces over the {name}", flush=True)
        found = outcomes(own_key, dimensions, **counts)
        result |= {f"{measure}_{name}": values for measure, values in found.items()}
    return result


def table(result: Result) -> str:
    """Formats shares of descents that reach the lowest point, by the share of terms in a step."""
    rows = [
        [f"{share:g}", *(interval(result[f"lowest_{n}"][i]).percent() for n in NAMES.values())]
        for i, share in enumerate(SHARES)
    ]
    head = ["share of the terms", *(f"on the {name}" for name in NAMES.values())]
    return f"descents that reach the lowest point:\n{markdown(head, rows)}"


def draw_line(axes: Axes, result: Result) -> None:
    """Draws one start on a line, with both steps."""
    heights, paths = result["map_line"], result["paths_line"][:, 0, :, 0]
    places = np.arange(len(heights)) * PERIOD / len(heights)
    w = np.linspace(paths.min() - 1, paths.max() + 1, 400)
    axes.plot(w, np.interp(w, places, heights, period=PERIOD), color="0.6")
    for rate, path, style in zip(RATES, paths, plots.styles(), strict=False):
        height = np.interp(path, places, heights, period=PERIOD)
        axes.plot(path, height, label=rf"$\eta$ = {rate:g}", **style | {"linewidth": 0.8})
    axes.set(xlabel="w", ylabel="loss", title="one start, two steps")
    axes.legend(fontsize="small")


def draw_plane(axes: Axes, result: Result) -> None:
    """Draws several starts on a plane, with the first step."""
    heights = np.tile(result["map_plane"], (3, 3)).T
    ticks = np.arange(len(heights)) * 3 * PERIOD / len(heights) - PERIOD
    axes.contour(ticks, ticks, heights, levels=14, cmap="Greys_r", linewidths=0.7)
    for path, style in zip(result["paths_plane"][0], plots.styles(), strict=False):
        look = {"color": style["color"], "linestyle": "none"}
        axes.plot(path[:, 0], path[:, 1], color=style["color"], linewidth=1.4)
        axes.plot(*path[0], marker="o", markersize=5, **look)
        axes.plot(*path[-1], marker="*", markersize=10, **look)
    span = (-0.5, PERIOD + 0.5)
    axes.set(xlabel="$w_1$", ylabel="$w_2$", xlim=span, ylim=span)
    axes.set_title(rf"from start (dot) to end (star), $\eta$ = {RATES[0]:g}")
    axes.grid(visible=False)


def draw_noise(axes: Axes, result: Result) -> None:
    """Draws the share of descents that reach the lowest point against the share of terms."""
    for name, style in zip(NAMES.values(), plots.styles(), strict=False):
        found = [interval(100 * shares) for shares in result[f"lowest_{name}"]]
        means, half = np.transpose([(each.mean, each.mean - each.low) for each in found])
        axes.errorbar(SHARES, means, half, label=f"on the {name}", capsize=3, **style)
    axes.set_xscale("log", base=2)
    axes.invert_xaxis()
    axes.set(xlabel="share of the terms in a step (1: no noise)", ylabel="descents [%]")
    axes.set_title("reach the lowest point (95 % interval)")
    axes.legend(fontsize="small")


def _measure(take: Callable[[Result, str], Sample]) -> Callable[[Result], dict[str, Sample]]:
    """Takes a sample of the surfaces of each kind, by its name."""
    return lambda result: {name: take(result, name) for name in NAMES.values()}


def _against(measure: str, first: int, second: int) -> Callable[[Result], dict[str, Sample]]:
    """Two rows of a measure `[rows, surfaces]`, paired."""

    def take(result: Result, name: str) -> Sample:
        rows = result[f"{measure}_{name}"]
        return Sample(rows[first], rows[second])

    return _measure(take)


def _noise_helps(result: Result) -> dict[str, Sample]:
    return _against("lowest", SHARE_NAMES.index(str(result["share"])), 0)(result)


CLAIMS = {
    "depends_on_start": _measure(lambda result, name: Sample(result[f"different_{name}"])),
    "closest": _measure(lambda result, name: Sample(result[f"closest_{name}"])),
    "rarely_global": _measure(lambda result, name: Sample(result[f"global_{name}"])),
    "step_matters": _against("settled", 0, 1),
    "noise_helps": _noise_helps,
}
