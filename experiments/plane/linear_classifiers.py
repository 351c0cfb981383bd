"""Perceptron, logistic regression and SVM on three problems (rows A4, A5, A7; L0, L1, L2, L4).

Claims: a perceptron trained by gradient descent "can linearly separate data", by Algorithm 1
(squared loss) or by the perceptron loss, and "cannot separate non linear data" (L1); logistic
regression "can handle a few outliers but not a complex nonlinear boundary" (L0, L4); its gradient
in closed form, minimised with eta = 0.1 on 100 points (L2); the SVM's loss "is convex and has a
global optimum" (L2). The lectures show pictures without numbers.

Command: `make linear_classifiers`, a minute on 2 cores. Protocol: 100 points to learn from and
1,000 to test on, all around the square [-1, 1]^2: the two sides of a random line, 0.1 or more away
from it; the same with 5 training labels flipped, but correct test labels; and the Rosenbrock
region. Each seed draws everything again. Perceptrons visit the samples 500 times with rates 0.01
(squared) and 0.1, logistic regression takes 2,000 steps of 0.01 on L2's sum, the SVM has lambda =
1e-3, and the best of all lines of 180 directions shows what any linear classifier could do.

"Separates" is a share of the sets, "cannot" a training error in every set, of the perceptrons and
of the best line; the descent with eta = 0.1 is judged on all three problems, by its last gradient,
and by its last loss where a line separates, since there it has no minimum. Limits and margins are
in `experiments/claims/linear_classifiers`.

Expect the perceptron loss to separate all sets and Algorithm 1 nine in ten, since least squares may
sacrifice a sample near the line for distant ones; outliers to cost logistic regression 0.7 points;
43 % test error on the region, and 31 % for the best line. There eta = 0.1 overshoots forever: the
sum's curvature is near 100 / 4 where every sample is uncertain, above 2 / eta.
"""

from collections.abc import Callable
from functools import partial

import jax
import numpy as np
from jax import Array
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from jaxnets import plots
from jaxnets.analysis import evaluate
from jaxnets.claims import Sample

from ..lab.claims import Result, interval, markdown
from .linear_fits import CLASSIFIERS, PROBLEMS, Config, draw, identities, measure

LIMITS = (-1.1, 1.1, -1.1, 1.1)

SMOKE = Config(seeds=3, tested=200, epochs=20, steps=200, chords=5)


def run(config: Config, key: Array) -> Result:
    data_key, fit_key, identity_key = jax.random.split(key, 3)
    train, test = _map_axes(partial(draw, config), 1)(jax.random.split(data_key, config.seeds))
    sets = (config.seeds, len(PROBLEMS))
    keys = jax.random.split(fit_key, sets)
    found = _map_axes(partial(measure, config), 2)(keys, train, test)
    with jax.enable_x64(True):
        exact = {"x": np.asarray(train["x"], np.float64), "y": np.asarray(train["y"])}
        keys = jax.random.split(identity_key, sets)
        found |= _map_axes(partial(identities, config), 2)(keys, exact)
    result = {name: np.asarray(values) for name, values in found.items()}
    recorded = np.unique(np.geomspace(1, config.steps, 60).astype(int))
    return result | {
        "iterations": recorded,
        "losses": result["losses"][..., recorded - 1],
        "lines": result["lines"][0],
        "svm": result["svm"][..., -1],
        "svm_curves": result["svm"][0, 1],
        "points": np.asarray(train["x"][0]),
        "labels": np.asarray(train["y"][0]),
        "eta": np.asarray(config.eta),
    }


def _map_axes(function: Callable, axes: int) -> Callable:
    """Maps the function over its leading axes, as one program."""
    for _ in range(axes):
        function = jax.vmap(function)
    return jax.jit(function)


def _accuracies(result: Result, part: str, classifier: str, problem: str) -> np.ndarray:
    """Accuracies `[seeds]`."""
    return result[part][:, list(PROBLEMS).index(problem), list(CLASSIFIERS).index(classifier)]


def table(result: Result) -> str:
    head = ["classifier"]
    for label in PROBLEMS.values():
        head += [f"{label}: separated", "test accuracy"]
    rows = []
    for classifier, label in CLASSIFIERS.items():
        rows.append([label])
        for problem in PROBLEMS:
            separated = np.sum(_accuracies(result, "train", classifier, problem) == 1)
            tested = interval(_accuracies(result, "test", classifier, problem)).percent()
            rows[-1] += [f"{separated} of {len(result['train'])}", tested]
    return f"{_seeds(result)}:\n{markdown(head, rows)}"


def plot(result: Result) -> Figure:
    canvas, axes = plots.figure(2, 3, size=(4.6, 3.9))
    for i, title in enumerate(PROBLEMS.values()):
        _draw_problem(axes[0, i], result, i, title)
    handles = axes[0, 0].get_legend_handles_labels()
    canvas.legend(*handles, loc="outside upper center", ncols=6, fontsize="small")
    _draw_errors(axes[1, 0], result)
    _draw_descent(axes[1, 1], result)
    _draw_starts(axes[1, 2], result)
    return canvas


def _draw_problem(axes: Axes, result: Result, i: int, title: str) -> None:
    """The first seed's training set, P(y = 1) by logistic regression, and the lines found."""
    steps = 100
    lines = dict(zip(CLASSIFIERS, result["lines"][i], strict=True))
    scores = evaluate.plane(LIMITS, steps) @ lines["logistic"][:2] + lines["logistic"][2]
    plots.regions(axes, 1 / (1 + np.exp(-scores.reshape(steps, steps))), LIMITS, title)
    plots.points(axes, result["points"][i], result["labels"][i])
    for (name, label), style in zip(CLASSIFIERS.items(), plots.styles(), strict=False):
        if name != "best":
            ends = _ends(lines[name])
            look = {"color": style["color"], "linestyle": style["linestyle"]}
            axes.plot(*ends.T, label=label, **look)
    axes.set(xlim=LIMITS[:2], ylim=LIMITS[2:], xticks=[-1, 0, 1], yticks=[-1, 0, 1])


def _ends(line: np.ndarray) -> np.ndarray:
    """Two points `[2, 2]` of the line `w.x + b = 0` outside the picture, NaN if it misses it."""
    w, b = line[:2], line[2]
    norm = np.linalg.norm(w)
    if abs(b) > 2 * norm or norm == 0:
        return np.full((2, 2), np.nan)
    along = np.asarray([-w[1], w[0]]) / norm
    return -b * w / norm**2 + 4 * np.stack([-along, along])


def _draw_errors(axes: Axes, result: Result) -> None:
    positions = np.arange(len(PROBLEMS))
    for i, (name, style) in enumerate(zip(CLASSIFIERS, plots.styles(), strict=False)):
        errors = 100 * (1 - np.stack([_accuracies(result, "test", name, p) for p in PROBLEMS]))
        look = style | {"linestyle": "", "capsize": 3, "label": CLASSIFIERS[name]}
        at = positions + 0.15 * (i - 2)
        axes.errorbar(at, errors.mean(axis=1), errors.std(axis=1, ddof=1), **look)
    axes.set_xticks(positions, ["a line", "outliers", "region"])
    axes.set(ylabel="test error [%]", title=f"test error (± 1 std, {_seeds(result)})")
    axes.legend(fontsize="small", loc="upper left")


def _draw_descent(axes: Axes, result: Result) -> None:
    for i, (label, style) in enumerate(zip(PROBLEMS.values(), plots.styles(), strict=False)):
        look = style | {"marker": ""}
        plots.spread(axes, result["iterations"], result["losses"][:, i], label, look)
    axes.set(xscale="log", xlabel="step", ylabel="cross entropy [nats per sample]")
    points = result["labels"].shape[-1]
    eta = rf"$\eta$ = {float(result['eta']):g}"
    axes.set(ylim=(0, None), title=f"logistic regression, {eta} on {points} points")
    axes.legend(fontsize="small", title="± 1 std over seeds", loc="center right")


def _draw_starts(axes: Axes, result: Result) -> None:
    steps = np.arange(1, result["svm_curves"].shape[1] + 1)
    for i, (curve, style) in enumerate(zip(result["svm_curves"], plots.styles(), strict=False)):
        axes.plot(steps, curve, label=f"start {i + 1}", **style | {"marker": ""})
    axes.set(xscale="log", xlabel="step", ylabel="loss, lowest so far", ylim=(0, None))
    axes.set_title("SVM from random starts (with outliers)")
    axes.legend(fontsize="small")


def _seeds(result: Result) -> str:
    return f"{len(result['train'])} seeds"


def _separates(name: str) -> Callable[[Result], Sample]:
    def measure(result: Result) -> Sample:
        accuracies = _accuracies(result, "train", name, "line")
        return Sample(np.where(np.isnan(accuracies), np.nan, accuracies == 1))

    return measure


def _cannot_separate(result: Result) -> dict[str, Sample]:
    names = {
        "squared": "squared loss",
        "perceptron": "perceptron loss",
        "best": "best of all lines",
    }
    return {
        f"{problem}: {label}": Sample(np.sign(1 - _accuracies(result, "train", name, problem)))
        for problem in ("outliers", "region")
        for name, label in names.items()
    }


def _handles_outliers(result: Result) -> dict[str, Sample]:
    clean, noisy = (
        100 * _accuracies(result, "test", "logistic", problem) for problem in ("line", "outliers")
    )
    return {"cost": Sample(clean - noisy), "accuracy": Sample(noisy)}


def _fails_on_the_region(result: Result) -> dict[str, Sample]:
    return {
        CLASSIFIERS[name]: Sample(100 * (1 - _accuracies(result, "test", name, "region")))
        for name in ("logistic", "best")
    }


def _one_gradient(result: Result) -> dict[str, Sample]:
    return {"losses": Sample(result["forms"]), "gradients": Sample(result["gradients"])}


def _eta_minimises(result: Result) -> dict[str, Sample]:
    last = dict(zip(PROBLEMS, result["losses"][..., -1].T, strict=True))
    slopes = dict(zip(PROBLEMS, result["slopes"].T, strict=True))
    return {"a line: loss": Sample(last["line"])} | {
        f"{problem}: gradient": Sample(slopes[problem]) for problem in ("outliers", "region")
    }


def _one_optimum(result: Result) -> dict[str, Sample]:
    losses = result["svm"]
    return {
        "above a chord": Sample(np.maximum(result["excess"], 0)),
        "spread of the starts": Sample(np.ptp(losses, axis=-1) / losses.min(axis=-1)),
    }


CLAIMS = {
    "perceptron_loss_separates": _separates("perceptron"),
    "squared_loss_separates": _separates("squared"),
    "cannot_separate": _cannot_separate,
    "handles_outliers": _handles_outliers,
    "fails_on_the_region": _fails_on_the_region,
    "one_gradient": _one_gradient,
    "eta_minimises": _eta_minimises,
    "one_optimum": _one_optimum,
}
