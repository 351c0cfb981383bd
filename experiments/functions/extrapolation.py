"""Perceptrons inside and outside the range of their training data (row F11; L0).

Claims: "perceptrons do not extrapolate well"; "MLPs are very good at interpolating, less so at
extrapolating" (pictures, no function, no numbers). Their units determine where they go: far out a
tanh network is constant and a ReLU network a straight line.

Command: `make extrapolation`, twenty seconds on 2 cores. Protocol: a sine, a parabola and a
straight line on [-2, 2], scaled there to mean 0 and variance 1; 64 evenly spaced points without
noise; two hidden layers of 32 units, full batches, Adam with a rate that falls to zero, 32 starts.
Errors are root mean squares, inside between the training points, outside at 2 < |x| <= 4; far out
is |x| = 2^21. What counts is in `experiments/claims/extrapolation`. Expect errors of 0.01 inside
and 2 to 4 outside; only on the line does a ReLU network continue as well as it began, since it
becomes a line.
"""

from collections.abc import Callable
from dataclasses import dataclass

import jax
import numpy as np
from jax import Array
from matplotlib.axes import Axes
from matplotlib.figure import Figure

import jaxnets as jn
from jaxnets import plots
from jaxnets.analysis import evaluate
from jaxnets.claims import Sample
from jaxnets.data import Dataset
from jaxnets.training.optimizers import adam_cosine

from ..lab.claims import Result, markdown

LOSS = "squared_error"
Measure = Callable[[np.ndarray], np.ndarray]
FUNCTIONS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "sine": lambda x: np.sin(2 * x),
    "parabola": lambda x: x**2,
    "line": lambda x: x,
}
CURVES = ("sine", "parabola")
ACTIVATIONS = {"tanh": "tanh", "relu": "ReLU"}
RANGE, OUTSIDE, SHOWN = 2.0, 4.0, 6.0
"""Half the training range, the farthest error that counts, and the end of the figure."""
DISTANCES = RANGE * 2.0 ** np.arange(21)
STRETCHES = np.asarray([1.0, 1.5, 2.0])
"""Three points, in distances, that reveal constants and straight lines."""


@dataclass(frozen=True)
class Config:
    widths: tuple[int, ...] = (32, 32)
    samples: int = 64
    seeds: int = 32
    steps: int = 3000
    learning_rate: float = 1e-2
    seed: int = 1


SMOKE = Config(widths=(8,), samples=16, seeds=3, steps=20)


def run(config: Config, key: Array, checkpoints: jn.CheckpointConfig | None = None) -> Result:
    x = np.linspace(-SHOWN, SHOWN, 601)
    result = {"x": x}
    for i, activation in enumerate(ACTIVATIONS):
        for j, name in enumerate(FUNCTIONS):
            train_x = np.linspace(-RANGE, RANGE, config.samples)
            train_y, result[f"target_{name}"] = scale(FUNCTIONS[name], train_x, x)
            data = Dataset({"x": train_x[:, None], "y": train_y[:, None]})
            keys = jax.random.split(jax.random.fold_in(key, 3 * i + j), config.seeds)
            near, far = _train(config, keys, activation, data, x, checkpoints=checkpoints)
            result |= {f"{activation}_{name}": near, f"far_{activation}_{name}": far}
    return result


def scale(
    function: Callable[[np.ndarray], np.ndarray], train: np.ndarray, x: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Evaluates a function at both sets of points, scaled to mean 0 and variance 1 at the first."""
    y = function(train)
    return (y - y.mean()) / y.std(), (function(x) - y.mean()) / y.std()


def _train(
    config: Config,
    keys: Array,
    activation: str,
    data: Dataset,
    x: np.ndarray,
    checkpoints: jn.CheckpointConfig | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Outputs at x, `[seeds, points]`, and at the `far_points`, `[seeds, 2, distances, 3]`."""
    model = jn.MLP(config.widths, activation=activation)
    steps = config.steps
    spec = jn.TrainSpec(model, LOSS, steps, optimizer=adam_cosine(steps), record_every=steps)
    states, _ = jn.sweep(
        spec, keys, data, {"learning_rate": config.learning_rate}, checkpoints=checkpoints
    )
    points = np.concatenate([x, far_points().ravel()])[:, None]
    outputs = evaluate.all_predictions(model, LOSS, states.params, points)[..., 0]
    far = outputs[:, len(x) :].reshape(len(keys), *far_points().shape)
    return outputs[:, : len(x)], far


def far_points() -> np.ndarray:
    """Returns d, 1.5 d and 2 d for every distance d, on both sides: `[2, distances, 3]`."""
    sides = np.asarray([-1.0, 1.0])
    return sides[:, None, None] * DISTANCES[None, :, None] * STRETCHES[None, None]


def errors(result: Result, activation: str, name: str) -> tuple[np.ndarray, np.ndarray]:
    """Computes RMS errors inside and outside the training range, `[seeds]` each."""
    squares = (result[f"{activation}_{name}"] - result[f"target_{name}"][None]) ** 2
    inside = np.abs(result["x"]) <= RANGE
    outside = ~inside & (np.abs(result["x"]) <= OUTSIDE)
    return np.sqrt(squares[:, inside].mean(1)), np.sqrt(squares[:, outside].mean(1))


def change(far: np.ndarray) -> np.ndarray:
    """Computes `|f(2x) - f(x)|` of values at `far_points`, relative to the largest value plus 1."""
    return np.abs(far[..., 2] - far[..., 0]) / (1 + np.abs(far).max(axis=-1))


def bend(far: np.ndarray) -> np.ndarray:
    """Computes `|f(x) - 2 f(1.5x) + f(2x)|`, relative in the same way: 0 on a straight line."""
    second = far[..., 0] - 2 * far[..., 1] + far[..., 2]
    return np.abs(second) / (1 + np.abs(far).max(axis=-1))


def _far(result: Result, activation: str, measure: Measure) -> np.ndarray:
    """A measure of all networks of an activation, `[networks and sides, distances]`."""
    rays = [measure(result[f"far_{activation}_{name}"]) for name in FUNCTIONS]
    return np.concatenate(rays).reshape(-1, len(DISTANCES))


def table(result: Result) -> str:
    rows = []
    for name in FUNCTIONS:
        for activation, label in ACTIVATIONS.items():
            inside, outside = errors(result, activation, name)
            ratio = f"{np.exp(np.log(outside / inside).mean()):.0f}"
            rows.append([name, label, _text(inside), _text(outside), ratio])
    seeds = len(result["tanh_sine"])
    head = ["function", "units", "RMS error inside", "outside", "ratio"]
    return f"mean ± std of {seeds} starts, geometric mean of the ratio\n" + markdown(head, rows)


def _text(values: np.ndarray) -> str:
    return f"{values.mean():.2g} ± {values.std(ddof=1):.1g}"


def plot(result: Result) -> Figure:
    canvas, axes = plots.figure(2, 3, size=(4.2, 3.3))
    for panel, name in zip(axes[0], FUNCTIONS, strict=True):
        _draw_function(panel, result, name)
    axes[0, 2].legend(fontsize="small", loc="upper left")
    for panel, name in zip(axes[1], CURVES, strict=False):
        _draw_error(panel, result, name)
    _draw_far(axes[1, 2], result)
    return canvas


def _draw_function(axes: Axes, result: Result, name: str) -> None:
    style, x = plots.styles(), result["x"]
    target = result[f"target_{name}"]
    for activation, label in ACTIVATIONS.items():
        line = next(style) | {"marker": ""}
        plots.spread(axes, x, result[f"{activation}_{name}"], f"{label} (± 1 std)", line)
    axes.plot(x, target, color="black", linewidth=1, label="function")
    axes.axvspan(-RANGE, RANGE, color="0.5", alpha=0.15, linewidth=0, label="training range")
    means = [result[f"{activation}_{name}"].mean(axis=0) for activation in ACTIVATIONS]
    shown = np.stack([target, *means])[:, np.abs(x) <= OUTSIDE]
    margin = 0.1 * np.ptp(shown)
    axes.set(title=name, xlabel="x", ylabel="output [standard deviations]")
    axes.set(xlim=(-SHOWN, SHOWN), ylim=(shown.min() - margin, shown.max() + margin))


def _draw_error(axes: Axes, result: Result, name: str) -> None:
    """The RMS error over the starts at every x."""
    style = plots.styles()
    for activation, label in ACTIVATIONS.items():
        squares = (result[f"{activation}_{name}"] - result[f"target_{name}"][None]) ** 2
        line = next(style) | {"marker": ""}
        axes.plot(result["x"], np.sqrt(squares.mean(axis=0)), label=label, **line)
    axes.axvspan(-RANGE, RANGE, color="0.5", alpha=0.15, linewidth=0)
    axes.set(title=f"error on the {name}", xlabel="x", ylabel="RMS error over starts")
    axes.set(yscale="log", xlim=(-SHOWN, SHOWN))
    axes.legend(fontsize="small")


def _draw_far(axes: Axes, result: Result) -> None:
    style = plots.styles()
    for activation, measure in (("tanh", change), ("relu", change), ("relu", bend)):
        worst = _far(result, activation, measure).max(axis=0)
        label = f"{ACTIVATIONS[activation]}, {measure.__name__}"
        axes.plot(DISTANCES, np.maximum(worst, 1e-9), label=label, **next(style))
    axes.set(
        xscale="log", yscale="log", xlabel="distance |x|", ylabel="largest, relative to values"
    )
    axes.set(title="change and bend between x and 2 x")
    axes.legend(fontsize="small")


def _interpolates(result: Result) -> dict[str, Sample]:
    return {
        f"{label}, {name}": Sample(errors(result, activation, name)[0])
        for activation, label in ACTIVATIONS.items()
        for name in FUNCTIONS
    }


def _extrapolates_badly(activation: str) -> Callable[[Result], dict[str, Sample]]:
    def measure(result: Result) -> dict[str, Sample]:
        found = {}
        for name in CURVES:
            inside, outside = errors(result, activation, name)
            found[f"{name}, outside"] = Sample(outside)
            found[f"{name}, against inside"] = Sample(np.log(outside / inside))
        return found

    return measure


def _far_out(activation: str, measure: Measure) -> Callable[[Result], Sample]:
    return lambda result: Sample(_far(result, activation, measure)[:, -1])


CLAIMS = {
    "interpolates": _interpolates,
    "tanh_extrapolates_badly": _extrapolates_badly("tanh"),
    "relu_extrapolates_badly": _extrapolates_badly("relu"),
    "tanh_constant": _far_out("tanh", change),
    "relu_straight": _far_out("relu", bend),
}
