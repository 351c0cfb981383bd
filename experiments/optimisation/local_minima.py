"""What `gradient_descent` says about starts, steps and noise on random surfaces (row E3)."""

import jax
import numpy as np
from jax import Array
from matplotlib.axes import Axes

from jaxnets import plots

from ..lab.claims import Claim, Interval, Result, Verdict, interval, markdown, verdict
from .random_surfaces import PERIOD, RATES, SHARES, outcomes

NAMES = {1: "line", 2: "plane"}
JUDGED = SHARES.index(1 / 4)


def run(key: Array, surfaces: int, starts: int, steps: int) -> Result:
    """Returns `random_surfaces.outcomes` as `MEASURE_line` and `MEASURE_plane` of each measure."""
    result: Result = {"starts": np.asarray(starts)}
    own_keys = jax.random.split(key, len(NAMES))
    for own_key, (dimensions, name) in zip(own_keys, NAMES.items(), strict=True):
        print(f"surfaces over the {name}", flush=True)
        found = outcomes(own_key, dimensions, surfaces, starts, steps)
        result |= {f"{measure}_{name}": values for measure, values in found.items()}
    return result


def table(result: Result) -> str:
    """Formats shares of descents that reach the lowest point, by the share of terms in a step."""
    rows = [
        [f"{share:g}", *(found.percent() for found in _on_each(result, "lowest", i))]
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


def _on_each(result: Result, measure: str, at: int) -> list[Interval]:
    return [interval(result[f"{measure}_{name}"][at]) for name in NAMES.values()]


def _gains(result: Result, measure: str, to: int, since: int) -> list[Interval]:
    """Paired differences of two rows of a measure `[rows, surfaces]`."""
    both = [result[f"{measure}_{name}"] for name in NAMES.values()]
    return [interval(rows[to] - rows[since]) for rows in both]


def _list(found: list[Interval]) -> str:
    return ", ".join(f"{name} {f.percent()}" for name, f in zip(NAMES.values(), found, strict=True))


def _surfaces(result: Result) -> str:
    return f"{len(result['closest_line'])} surfaces of each kind, {result['starts']} starts"


def _depends_on_start(result: Result) -> Verdict:
    found = [interval(result[f"different_{name}"]) for name in NAMES.values()]
    ours = "minima in which a surface's descents end: " + ", ".join(
        f"{name} {f.decimals(1)}" for name, f in zip(NAMES.values(), found, strict=True)
    )
    return verdict(all(f.low > 1 for f in found), ours, _surfaces(result))


def _closest(result: Result) -> Verdict:
    found = [interval(result[f"closest_{name}"]) for name in NAMES.values()]
    ours = f"descents that end in the closest minimum: {_list(found)}"
    return verdict(all(f.low >= 0.9 for f in found), ours, _surfaces(result))


def _rarely_global(result: Result) -> Verdict:
    found = _on_each(result, "lowest", 0)
    ours = f"descents that end in the global minimum: {_list(found)}"
    return verdict(all(f.high < 0.5 for f in found), ours, _surfaces(result))


def _step_matters(result: Result) -> Verdict:
    small, large = (_list(_on_each(result, "settled", i)) for i in (0, 1))
    ours = f"descents that settle: at {RATES[0]:g} {small}; at {RATES[1]:g} {large}"
    lost = _gains(result, "settled", 0, 1)
    return verdict(all(each.low > 0 for each in lost), ours, _surfaces(result))


def _noise_helps(result: Result) -> Verdict:
    quiet, noisy = (_list(_on_each(result, "lowest", i)) for i in (0, JUDGED))
    ours = f"reach the lowest point: by all terms {quiet}; by a quarter of them {noisy}"
    gains = _gains(result, "lowest", JUDGED, 0)
    return verdict(all(gain.low > 0 for gain in gains), ours, _surfaces(result))


CLAIMS = [
    Claim("E3, L0", "the result depends on the starting point", "statement", _depends_on_start),
    Claim("E3, L0", "it is very likely the closest local minimum", "very likely", _closest),
    Claim("E3, L0", "which is not usually the global one", "not usually", _rarely_global),
    Claim("E3, L2", "the step matters: 0.125 against 0.5", "pictures", _step_matters),
    Claim("E3, L2", "mini-batches help to evade local minima", "statement", _noise_helps),
]
