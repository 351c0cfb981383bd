"""Universal approximation: ReLU networks written down and trained (row F8; L0, L1, L2, L3, L4).

Claims: a linear combination of shifted and scaled ReLUs approximates the sine as well as one likes,
and sums of such sines approximate functions of several variables (L0, L2); four hidden units make a
bump (L3); any "squashing" function will do (L0, L1); "a better approximation requires a larger
hidden layer (larger K)" (L2). But "networks don't really learn bumps", and the theorem does not say
"whether we can actually learn any function" (L3).

Command: `make approximation`, four minutes on 2 cores. Protocol: sin x on [-pi, pi] as a polygon
of K units, and as a row of K/4 bumps; sin x1 sin x2 on the square as two ridges of K/2 units each.
The same functions and one bump are learned by networks of K units: batches of 32, Adam with a rate
that falls to zero, 32 starts per width; and, to separate the training from the network, by
Levenberg-Marquardt in float64 on all points, 8 starts. Errors are root mean squares over separate
points. Criteria are in `experiments/claims/approximation`; a network has found the bump if its
error is below 2 % of the height. Expect the polygon to gain as K^-2, a row of bumps and trained
ReLUs about as K^-1; tanh at 1e-2 after Adam and below 1e-4 after Levenberg-Marquardt at every K; no
start of Adam to find the bump with 4 units, half of them with 64.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import jax
import numpy as np
from jax import Array
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from scipy.stats import spearmanr

import jaxnets as jn
from jaxnets import plots
from jaxnets.analysis import evaluate
from jaxnets.claims import Sample
from jaxnets.converge import converge
from jaxnets.data import Dataset
from jaxnets.training.optimizers import adam_cosine

from ..lab.claims import Result, markdown
from ..lab.judging import Measured
from .written_sines import WRITTEN, bump_errors, outputs, sine

LOSS = "squared_error"
EDGES = (-2.0, -1.0, 1.0, 2.0)
POINTS = {1: (256, 1001), 2: (24, 61)}
"""Points a side to train on and to test on, by the number of features."""
LARGEST = 64
"""The units of which the claim on squashing functions is judged."""
SHOWN = 12
"""Starts of each width whose outputs are saved."""


@dataclass(frozen=True)
class Config:
    written: tuple[int, ...] = (4, 8, 16, 32, 64, 128, 256)
    """Units of the networks written down: multiples of 4."""
    units: tuple[int, ...] = (4, 8, 16, 32, 64)
    seeds: int = 32
    epochs: int = 600
    batch_size: int = 32
    learning_rate: float = 1e-2
    bumps: int = 256
    found: float = 0.02
    """The error, in heights of the bump, below which a network has found it."""
    starts: int = 8
    """Starts of the search by Levenberg-Marquardt."""
    steps: int = 1500
    """The most steps of each."""
    seed: int = 1


SMOKE = Config(written=(4, 8), units=(4, 8), seeds=3, epochs=2, bumps=4, starts=2, steps=5)


def bump(x: np.ndarray) -> np.ndarray:
    """Computes a bump of height 1 at `x [points, 1]`, `[points]`."""
    return np.interp(x[:, 0], EDGES, [0.0, 1.0, 1.0, 0.0])


class Problem(NamedTuple):
    """A function to learn, and the activation to learn it with."""

    function: Callable[[np.ndarray], np.ndarray]
    activation: str
    features: int
    target: str
    name: str


TRAINED = {
    "relu": Problem(sine, "relu", 1, "sin x", "trained ReLU"),
    "tanh": Problem(sine, "tanh", 1, "sin x", "trained tanh"),
    "plane": Problem(sine, "relu", 2, "sin x1 sin x2", "trained ReLU"),
    "bump": Problem(bump, "relu", 1, "a bump", "trained ReLU"),
}


def run(config: Config, key: Array, checkpoints: jn.CheckpointConfig | None = None) -> Result:
    result = {"units": np.asarray(config.units), "written": np.asarray(config.written)}
    result["found"] = np.asarray(config.found)
    for name, family in WRITTEN.items():
        x = _points(family.features)
        found = outputs([family.write(units) for units in config.written], x)
        errors = found - sine(x)
        result |= {f"rms_{name}": _rms(errors), f"worst_{name}": np.abs(errors).max(axis=1)}
        result[f"outputs_{name}"] = found[:2]
    random = np.random.default_rng(config.seed)
    result["worst_bump"] = bump_errors(random, _points(1), config.bumps)
    for i, (name, problem) in enumerate(TRAINED.items()):
        x = _points(problem.features)
        found = _train(config, jax.random.fold_in(key, i), problem, x, checkpoints=checkpoints)
        result[f"rms_{name}"] = _rms(found - problem.function(x))
        result[f"outputs_{name}"] = found[:, :SHOWN]
        if problem.features == 1:
            result[f"searched_{name}"] = _search(config, jax.random.fold_in(key, i), problem)
    return result


def _points(features: int, training: bool = False) -> np.ndarray:
    """Evenly spaced points of [-pi, pi] or of its square, `[points, features]`."""
    side = POINTS[features][0 if training else 1]
    if features == 1:
        return np.linspace(-np.pi, np.pi, side)[:, None]
    return evaluate.plane((-np.pi, np.pi, -np.pi, np.pi), side).astype(np.float64)


def _train(
    config: Config,
    key: Array,
    problem: Problem,
    x: np.ndarray,
    checkpoints: jn.CheckpointConfig | None = None,
) -> np.ndarray:
    """Outputs at x of trained networks, `[widths, seeds, points]`."""
    train = _points(problem.features, training=True)
    data = Dataset({"x": train, "y": problem.function(train)[:, None]})
    model = jn.MLP((max(config.units),), activation=problem.activation)
    steps = config.epochs * -(-len(train) // config.batch_size)
    spec = jn.TrainSpec(
        model, LOSS, config.epochs, config.batch_size, adam_cosine(steps), config.epochs
    )
    hparams = jn.grid(
        width=config.units, seed=range(config.seeds), learning_rate=[config.learning_rate]
    )
    keys = jax.random.split(key, len(hparams.pop("seed")))
    states, _ = jn.sweep(spec, keys, data, hparams, checkpoints=checkpoints)
    found = evaluate.all_predictions(model, LOSS, states.params, x)
    return found.reshape(len(config.units), config.seeds, -1)


def _search(config: Config, key: Array, problem: Problem) -> np.ndarray:
    """RMS errors after Levenberg-Marquardt, `[widths, starts]`."""
    points = _points(1, training=True), _points(1)
    data = Dataset(*({"x": x, "y": problem.function(x)[:, None]} for x in points))
    with jax.enable_x64(True):
        losses = [
            converge(
                jn.MLP((units,), activation=problem.activation),
                LOSS,
                key,
                data,
                starts=config.starts,
                method="levenberg_marquardt",
                steps=config.steps,
            ).starts["valid_loss"]
            for units in config.units
        ]
    return np.sqrt(losses)


def _rms(errors: np.ndarray) -> np.ndarray:
    return np.sqrt(np.mean(errors**2, axis=-1))


def rate(units: np.ndarray, errors: np.ndarray) -> np.ndarray:
    """Computes the exponent r of the fit `error ~ K^r` to `errors [widths, ...]`, per column."""
    return np.polyfit(np.log(units), np.log(errors), 1)[0]


def table(result: Result) -> str:
    widths = sorted({*result["units"].tolist(), *result["written"].tolist()})
    rows = []
    for name, line in (WRITTEN | TRAINED).items():
        units = result["written" if name in WRITTEN else "units"].tolist()
        cells = dict(zip(units, map(_text, result[f"rms_{name}"]), strict=True))
        rows.append([f"{line.target}, {line.name}", *(cells.get(k, "-") for k in widths)])
        if f"searched_{name}" in result:
            best = result[f"searched_{name}"].min(axis=1)
            cells = dict(zip(units, map(_text, best), strict=True))
            what = f"{line.target}, {line.name}, best of Levenberg-Marquardt"
            rows.append([what, *(cells.get(k, "-") for k in widths)])
    title = f"RMS error; trained networks: mean ± std of {result['rms_relu'].shape[1]} starts\n"
    return title + markdown(["", *(f"K = {k}" for k in widths)], rows)


def _text(errors: np.ndarray) -> str:
    if np.ndim(errors) == 0:
        return f"{errors:.1e}"
    return f"{errors.mean():.1e} ± {errors.std(ddof=1):.0e}"


def plot(result: Result) -> Figure:
    canvas, axes = plots.figure(2, 3, size=(4.2, 3.5))
    _draw_polygons(axes[0, 0], result)
    _draw_bump(axes[0, 1], result)
    _draw_errors(axes[0, 2], result, ("polygon", "bumps"), ("relu", "tanh"))
    for panel, i in zip(axes[1], (0, -1), strict=False):
        _draw_surface(panel, result, i)
    _draw_errors(axes[1, 2], result, ("ridges",), ("plane",))
    return canvas


def _draw_polygons(axes: Axes, result: Result) -> None:
    x, style = _points(1), plots.styles()
    axes.plot(x, sine(x), label="sin x", **next(style) | {"marker": ""})
    for units, row in zip(result["written"], result["outputs_polygon"], strict=False):
        axes.plot(x, row, label=f"K = {units}", **next(style) | {"marker": ""})
    axes.set(title="sin x by K ReLUs, written down", xlabel="x", ylabel="output")
    axes.legend(fontsize="small")


def _draw_bump(axes: Axes, result: Result) -> None:
    x, style = _points(1), plots.styles()
    written, trained = next(style), next(style)
    thin = {"color": trained["color"], "linewidth": 0.8, "alpha": 0.7}
    for i, row in enumerate(result["outputs_bump"][0]):
        axes.plot(x, row, label=None if i else "trained, some of the starts", **thin)
    axes.plot(x, bump(x), label="written down", **written | {"marker": "", "linewidth": 2})
    title = f"a bump by {result['units'][0]} ReLUs"
    axes.set(title=title, xlabel="x", ylabel="output", ylim=(-0.4, 1.6))
    axes.legend(fontsize="small", loc="upper right")


def _draw_errors(
    axes: Axes, result: Result, written: tuple[str, ...], trained: tuple[str, ...]
) -> None:
    style = plots.styles()
    for name in written:
        axes.plot(result["written"], result[f"rms_{name}"], label=WRITTEN[name].name, **next(style))
    for name in trained:
        line = next(style)
        low, middle, high = np.quantile(result[f"rms_{name}"], (0.1, 0.5, 0.9), axis=1)
        axes.plot(result["units"], middle, label=TRAINED[name].name, **line)
        axes.fill_between(result["units"], low, high, color=line["color"], alpha=0.15, linewidth=0)
    axes.set(xscale="log", yscale="log", xlabel="hidden units K", ylabel="RMS error")
    axes.set_title(WRITTEN[written[0]].target)
    axes.set_xticks(result["written"], [str(k) for k in result["written"]])
    axes.minorticks_off()
    axes.legend(fontsize="small", title="median, 80 % of starts", title_fontsize="small")


def _draw_surface(axes: Axes, result: Result, i: int) -> None:
    side = POINTS[2][1]
    surface = result["outputs_plane"][i, 0].reshape(side, side)
    limits = (-np.pi, np.pi, -np.pi, np.pi)
    shown = axes.imshow(surface, origin="lower", extent=limits, cmap="viridis", vmin=-1, vmax=1)
    axes.get_figure().colorbar(shown, ax=axes, label="output")
    title = f"$\\sin x_1\\,\\sin x_2$ by {result['units'][i]} trained ReLUs"
    axes.set(title=title, xlabel="$x_1$", ylabel="$x_2$")
    axes.grid(visible=False)


def _within_bound(name: str, spacing: float) -> Callable[[Result], Sample]:
    """Measures by how much a family exceeds its bound, whose knots are `spacing / K` apart."""

    def measure(result: Result) -> Sample:
        bound = (spacing / result["written"]) ** 2 / 8
        return Sample(np.maximum(result[f"worst_{name}"] / bound - 1, 0))

    return measure


def _polygon_rate(result: Result) -> Sample:
    return Sample([rate(result["written"], result["rms_polygon"])])


def _writes_bump(result: Result) -> Sample:
    return Sample(result["worst_bump"])


def _found(errors: np.ndarray, below: float) -> np.ndarray:
    """1 for a start that found the bump, 0 for another, NaN for one that diverged."""
    return np.where(np.isnan(errors), np.nan, errors < below)


def _learns_no_bumps(result: Result) -> Measured:
    found = _found(result["rms_bump"], result["found"])
    searched = _found(result["searched_bump"], result["found"]).sum(axis=1)
    counts = ", ".join(f"{n:.0f}" for n in searched)
    starts = result["searched_bump"].shape[1]
    return Measured(
        {f"K = {k}": Sample(row) for k, row in zip(result["units"], found, strict=True)},
        f"Levenberg-Marquardt finds it from {counts} of {starts} starts, by K",
    )


def _converged(result: Result, name: str) -> str:
    """What Levenberg-Marquardt found, best of its starts."""
    if f"searched_{name}" not in result:
        return ""
    best = result[f"searched_{name}"].min(axis=1)
    found = ", ".join(
        f"{error:.1e} (K = {k})" for k, error in zip(result["units"], best, strict=True)
    )
    return f"Levenberg-Marquardt, best of {result[f'searched_{name}'].shape[1]} starts: {found}"


def _larger_is_better(name: str) -> Callable[[Result], Measured]:
    def measure(result: Result) -> Measured:
        errors, k = np.log(result[f"rms_{name}"]), result["units"]
        trend = [spearmanr(k, start).statistic for start in errors.T]
        samples = {"trend": Sample(trend), "gain": Sample(errors[-1], errors[0])}
        return Measured(samples, _converged(result, name))

    return measure


def _squashing_units_fit(result: Result) -> Measured:
    found = dict(zip(result["units"], np.log10(result["searched_tanh"]), strict=True))
    samples = {f"K = {k}": Sample(errors) for k, errors in found.items() if k == LARGEST}
    return Measured(samples, _converged(result, "tanh"))


def _learning_is_not_representing(result: Result) -> Measured:
    """Compares with the polygon, or with the best weights that the search found."""
    written = dict(zip(result["written"], result["rms_polygon"], strict=True))
    best = result["searched_relu"].min(axis=1)
    rows = zip(result["units"], result["rms_relu"], best, strict=True)
    samples = {
        f"K = {k}": Sample(np.log(trained / np.minimum(found, written.get(k, np.inf))))
        for k, trained, found in rows
    }
    return Measured(samples, _converged(result, "relu"))


CLAIMS = {
    "relus_write_the_sine": _within_bound("polygon", 2 * np.pi),
    "relus_write_plane_sines": _within_bound("ridges", 8 * np.pi),
    "polygon_rate": _polygon_rate,
    "four_units_make_a_bump": _writes_bump,
    "learns_no_bumps": _learns_no_bumps,
    "larger_relu": _larger_is_better("relu"),
    "larger_plane": _larger_is_better("plane"),
    "larger_tanh": _larger_is_better("tanh"),
    "squashing_units_fit": _squashing_units_fit,
    "learning_is_not_representing": _learning_is_not_representing,
}
