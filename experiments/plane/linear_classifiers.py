"""Perceptron, logistic regression and SVM on three problems (rows A4, A5, A7; L0, L1, L2, L4).

Claims: a perceptron trained by gradient descent "can linearly separate data", by Algorithm 1
(squared loss) or by the perceptron loss, and "cannot separate non linear data" (L1); logistic
regression "can handle a few outliers but not a complex nonlinear boundary" (L0, L4); its gradient
in closed form, minimised with eta = 0.1 on 100 points (L2); the SVM's loss "is convex and has a
global optimum" (L2). The lectures show pictures without numbers.

Command: `make linear_classifiers`, half a minute on 2 cores. Protocol: 100 points to learn from and
1,000 to test on, all around the square [-1, 1]^2: the two sides of a random line, 0.1 or more away
from it; the same with 5 training labels flipped, but correct test labels; and the Rosenbrock
region. Each seed draws everything again. Perceptrons visit the samples 500 times with rates 0.01
(squared) and 0.1, logistic regression takes 2,000 steps of 0.01 on L2's sum, the SVM has lambda =
1e-3, and the best of all lines of 180 directions shows what any linear classifier could do.

Criteria, fixed before any run. "Separates": no training error in any seed; "cannot": some in every
seed. "Handles": 5 outliers cost less than 5 points of test accuracy, with the 95 % interval of the
paired differences; "not a boundary": the test error there is above 5 %, with its interval. Forms of
a loss and of a gradient agree to 1e-9 in float64. Descent with eta = 0.1 ends with a gradient below
1e-4 on the sets with outliers (separable ones have no minimum). The SVM: none of 100 random chords
per set is below its loss by more than 1e-9 of it, and 4 starts end within 1e-3 of one another.

Expect the perceptron loss to separate all 32 sets and Algorithm 1 only 29, since least squares may
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

from ..lab.claims import Claim, Result, Verdict, interval, markdown, verdict
from .linear_fits import CLASSIFIERS, PROBLEMS, Config, draw, identities, measure

LIMITS = (-1.1, 1.1, -1.1, 1.1)
TOLERANCE = 0.05
"""In accuracy: the most that outliers may cost, and the least that a complex boundary costs."""

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
    axes.axhline(100 * TOLERANCE, color="#777777", linewidth=0.8)
    axes.set_xticks(positions, ["a line", "outliers", "region"])
    title = f"test error (± 1 std, {_seeds(result)}); line: {TOLERANCE:.0%}"
    axes.set(ylabel="test error [%]", title=title)
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


def _separates(name: str) -> Callable[[Result], Verdict]:
    def judge(result: Result) -> Verdict:
        errors = 1 - _accuracies(result, "train", name, "line")
        tested = interval(_accuracies(result, "test", name, "line")).percent()
        ours = (
            f"{np.sum(errors == 0)} of {len(errors)} sets separated, training error up to "
            f"{100 * errors.max():.0f} %, test accuracy {tested}"
        )
        return verdict((errors == 0).all(), ours, _seeds(result))

    return judge


def _cannot_separate(result: Result) -> Verdict:
    names = ("squared", "perceptron", "best")
    errors = {name: 1 - _accuracies(result, "train", name, "region") for name in names}
    ours = "training error on the Rosenbrock region: " + ", ".join(
        f"{CLASSIFIERS[name]} {interval(values).percent()} (least {100 * values.min():.0f} %)"
        for name, values in errors.items()
    )
    holds = min(errors["squared"].min(), errors["perceptron"].min()) > 0
    return verdict(holds, ours, _seeds(result))


def _handles_outliers(result: Result) -> Verdict:
    clean, noisy = (
        _accuracies(result, "test", "logistic", problem) for problem in ("line", "outliers")
    )
    cost = interval(clean - noisy)
    ours = (
        f"test accuracy {interval(clean).percent()} without, {interval(noisy).percent()} with "
        f"outliers: they cost {cost.percent()} [{100 * cost.low:.2f}, {100 * cost.high:.2f}]"
    )
    return verdict(cost.high < TOLERANCE, ours, f"{_seeds(result)}, paired")


def _fails_on_the_region(result: Result) -> Verdict:
    error = interval(1 - _accuracies(result, "test", "logistic", "region"))
    best = interval(1 - _accuracies(result, "test", "best", "region"))
    ours = (
        f"test error {error.percent()} [{100 * error.low:.1f}, {100 * error.high:.1f}], best of "
        f"all lines {best.percent()}"
    )
    return verdict(error.low > TOLERANCE, ours, _seeds(result))


def _one_gradient(result: Result) -> Verdict:
    forms, gradients = result["forms"], result["gradients"]
    ours = f"losses differ by at most {forms.max():.0e}, gradients by {gradients.max():.0e}"
    return verdict(max(forms.max(), gradients.max()) < 1e-9, ours, f"{forms.size} sets, float64")


def _eta(result: Result) -> Verdict:
    largest = dict(zip(PROBLEMS, result["slopes"].max(axis=0), strict=True))
    ours = "largest component of the last gradient: " + ", ".join(
        f"{label} {largest[problem]:.0e}" for problem, label in PROBLEMS.items()
    )
    return verdict(largest["outliers"] < 1e-4, ours, _seeds(result))


def _one_optimum(result: Result) -> Verdict:
    losses = result["svm"]
    spread = np.ptp(losses, axis=-1) / losses.min(axis=-1)
    ours = (
        f"{losses.shape[-1]} starts end within {spread.max():.0e} of one another; at most "
        f"{result['excess'].max():+.0e} above a chord, relative to it"
    )
    holds = spread.max() < 1e-3 and result["excess"].max() < 1e-9
    return verdict(holds, ours, f"{spread.size} sets")


CLAIMS = [
    Claim(
        "A4, L1", "the perceptron loss separates linear data", "picture", _separates("perceptron")
    ),
    Claim(
        "A4, L1",
        "Algorithm 1 (squared loss) separates linear data",
        "picture",
        _separates("squared"),
    ),
    Claim("A4, L1", "a perceptron cannot separate non-linear data", "picture", _cannot_separate),
    Claim("A5, L0", "logistic regression handles a few outliers", "picture", _handles_outliers),
    Claim("A5, L0", "but not a complex non-linear boundary", "picture", _fails_on_the_region),
    Claim(
        "A5, L2",
        "u_n and v_n are the gradient; labels 0, 1 and -1, 1 give one loss",
        "formula",
        _one_gradient,
    ),
    Claim("A5, L2", "eta = 0.1 minimises the loss on 100 points", "picture", _eta),
    Claim("A7, L2", "the SVM's loss is convex and has one optimum", "statement", _one_optimum),
]
