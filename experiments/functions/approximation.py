"""Universal approximation: ReLU networks written down and trained (row F8; L0, L1, L2, L3, L4).

Claims: a linear combination of shifted and scaled ReLUs approximates the sine as well as one likes,
and sums of such sines approximate functions of several variables (L0, L2); four hidden units make a
bump (L3); any "squashing" function will do (L0, L1); "a better approximation requires a larger
hidden layer (larger K)" (L2). But "networks don't really learn bumps", and the theorem does not say
"whether we can actually learn any function" (L3).

Command: `make approximation`, forty seconds on 2 cores. Protocol: sin x on [-pi, pi] as a polygon
of K units, and as a row of K/4 bumps; sin x1 sin x2 on the square as two ridges of K/2 units each.
The same functions and one bump are learned by networks of K units: batches of 32, Adam with a rate
that falls to zero, 32 starts per width. Errors are root mean squares over separate points.
Criteria, fixed before any run (the training settings after small trials): the polygon's error falls
as K^-2 within 0.1 and stays below h^2/8; the mean trained error falls at every doubling of K, and
the 95 % interval of its rate is below 0; a trained network has found the bump if its error is below
2 % of the height, and bumps are not learned if the 95 % interval of the share of starts that find
it is below one half. Expect the polygon to gain as K^-2, a row of bumps and trained ReLUs about as
K^-1, tanh to stop at 1e-2, where this training ends; no start finds the bump with 4 units, half of
them do with 64.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import jax
import numpy as np
from jax import Array
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from scipy.stats import binomtest

import jaxnets as jn
from jaxnets import plots
from jaxnets.analysis import evaluate
from jaxnets.data import Dataset
from jaxnets.training.optimizers import adam_cosine

from ..lab.claims import Claim, Result, Verdict, interval, markdown, verdict
from .written_sines import WRITTEN, bump_errors, outputs, sine

LOSS = "squared_error"
EDGES = (-2.0, -1.0, 1.0, 2.0)
FOUND = 0.02
"""The error, in heights of the bump, below which a network has found it."""
POINTS = {1: (256, 1001), 2: (24, 61)}
"""Points a side to train on and to test on, by the number of features."""
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
    seed: int = 0


SMOKE = Config(written=(4, 8), units=(4, 8), seeds=3, epochs=2, bumps=4)


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


def _within_bound(name: str, spacing: float) -> Callable[[Result], Verdict]:
    """Judges a family whose knots are `spacing / K` apart."""

    def judge(result: Result) -> Verdict:
        k, worst = result["written"], result[f"worst_{name}"]
        share = worst / ((spacing / k) ** 2 / 8)
        ours = (
            f"largest error {worst[0]:.1e} at K = {k[0]}, {worst[-1]:.1e} at K = {k[-1]}; "
            f"at most {share.max():.2f} of h^2 / 8"
        )
        holds = (share <= 1).all() and (np.diff(worst) < 0).all()
        return verdict(holds, ours, f"{len(k)} networks")

    return judge


def _quadratic(result: Result) -> Verdict:
    k, errors = result["written"], result["rms_polygon"]
    exponent = rate(k, errors)
    ours = f"RMS error as K^{exponent:.2f}; a row of bumps K^{rate(k, result['rms_bumps']):.2f}"
    return verdict(abs(exponent + 2) <= 0.1, ours, f"{len(k)} networks")


def _writes_bump(result: Result) -> Verdict:
    worst = result["worst_bump"]
    return verdict(
        worst.max() < 1e-9, f"largest error {worst.max():.0e} of the height", f"{len(worst)} bumps"
    )


def _learns_no_bumps(result: Result) -> Verdict:
    found = (result["rms_bump"] < FOUND).sum(axis=1)
    starts, k = result["rms_bump"].shape[1], result["units"]
    counts = ", ".join(f"{n} (K = {units})" for n, units in zip(found, k, strict=True))
    limits = binomtest(int(found[0]), starts).proportion_ci()
    share = f"{100 * limits.low:.0f} to {100 * limits.high:.0f} %"
    ours = f"of {starts} starts found it: {counts}; with {k[0]} units {share} (95 %)"
    return verdict(limits.high < 0.5, ours, f"{starts} starts per width")


def _larger_is_better(name: str) -> Callable[[Result], Verdict]:
    def judge(result: Result) -> Verdict:
        errors, k = result[f"rms_{name}"], result["units"]
        exponent = interval(rate(k, errors))
        ours = (
            f"RMS error {_text(errors[0])} at K = {k[0]}, {_text(errors[-1])} at K = {k[-1]}; "
            f"as K^r, r in [{exponent.low:.2f}, {exponent.high:.2f}] (95 %)"
        )
        holds = exponent.high < 0 and (np.diff(errors.mean(axis=1)) < 0).all()
        return verdict(holds, ours, f"{errors.shape[1]} starts per width")

    return judge


def _training_stays_behind(result: Result) -> Verdict:
    k = np.intersect1d(result["units"], result["written"])[-1]
    trained = result["rms_relu"][result["units"] == k][0]
    written = result["rms_polygon"][result["written"] == k][0]
    ratio = interval(np.log(trained / written))
    low, high = np.exp([ratio.low, ratio.high])
    ours = (
        f"K = {k}: trained {_text(trained)}, polygon {written:.1e}; ratio {low:.1f} to {high:.1f}"
    )
    return verdict(ratio.low > 0, f"{ours} (95 %)", f"{len(trained)} starts")


CLAIMS = [
    Claim(
        "F8, L2", "K ReLUs approximate sin x", "any epsilon", _within_bound("polygon", 2 * np.pi)
    ),
    Claim(
        "F8, L0, L2", "so do sines in the plane", "any epsilon", _within_bound("ridges", 8 * np.pi)
    ),
    Claim("F8, theory", "the error of the polygon falls as K^-2", "K^-2", _quadratic),
    Claim("F8, L3", "four hidden units make a bump", "picture", _writes_bump),
    Claim("F8, L3", "networks don't really learn bumps", "statement", _learns_no_bumps),
    Claim("F8, L2", "larger K is better: trained ReLUs, sin x", "-", _larger_is_better("relu")),
    Claim(
        "F8, L0, L1", "the same with squashing units: tanh, sin x", "-", _larger_is_better("tanh")
    ),
    Claim("F8, L2", "the same in the plane: ReLUs, sin x1 sin x2", "-", _larger_is_better("plane")),
    Claim(
        "F8, L3", "representing a function is not learning it", "statement", _training_stays_behind
    ),
]
