"""Output units and their likelihoods, cross entropy and KL divergence (rows B2 and B4; L1).

Claims: linear units suit regression, and a Gaussian whose variance is diagonal and positive;
maximum likelihood is least squares where the covariance is the identity; sigmoid units model a
Bernoulli variable, softmax units one of several classes, a sigmoid per label several labels. For
two classes the cross entropy is -(y log p + (1 - y) log(1 - p)). Maximising the likelihood,
minimising the cross entropy and minimising KL(data, model) are the same. (`activations` tests what
clipping a linear unit does.)

Command: `make likelihoods`, a minute on 2 cores. Protocol: x uniform on [-1, 1], targets from
a known distribution of the unit's kind whose parameters are smooth functions of x; a perceptron of
20 tanh units, 2,000 samples, 600 epochs of Adam with a rate that falls to zero; each of 32 seeds
draws its own data and weights. The error of a learned parameter is its distance from the true one,
averaged over x; real targets have means from -1 to 1 and deviations of 0.05 to 0.45. Equalities:
float64, random outputs and targets, and 32 samples of a categorical variable. What counts is in
`experiments/claims/likelihoods`.

Expect everything to hold: errors of 0.02 for probabilities and means, 8 % for the deviation (the
best constant: 117 %). The deviation learns slowly, its peak and ends last: it is 22 % off after
100 epochs, 8 % after 600, 4 % after 1,800.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

import jax
import numpy as np
from jax import Array
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from jaxnets import plots
from jaxnets.claims import Sample

from ..lab.claims import Result, interval, markdown
from . import known_distributions as known
from . import likelihood_identities as identities
from .known_distributions import KNOWN, X, reliability

CLASSIFIERS = {"sigmoid": "sigmoid", "softmax": "softmax", "multilabel": "a sigmoid per label"}
TRUTH: plots.Style = {"color": "black", "linestyle": "--", "linewidth": 1.2}


@dataclass(frozen=True)
class Config:
    seeds: int = 32
    samples: int = 2000
    units: int = 20
    epochs: int = 600
    batch_size: int = 100
    learning_rate: float = 0.02
    steps: int = 500
    seed: int = 1


SMOKE = Config(seeds=2, samples=100, epochs=2, steps=50)


def run(config: Config, key: Array) -> Result:
    random = np.random.default_rng(int(jax.random.bits(key)))
    result = {"example": known.draw_gaussian(random, X)}
    for name, unit_key in zip(KNOWN, jax.random.split(key, len(KNOWN)), strict=True):
        result[f"true_{name}"] = KNOWN[name].truth(X)
        result[f"learned_{name}"] = known.learn(config, name, unit_key, random)
    with jax.enable_x64(True):
        pairs = random.normal(size=(2, config.seeds, 50, 2))
        result |= jax.device_get(jax.jit(jax.vmap(identities.loss_differences))(*pairs))
        labels = identities.draw_labels(random, config.seeds)
        starts = random.normal(size=(config.seeds, 2))
        descend = partial(identities.descend, steps=config.steps)
        result |= jax.device_get(jax.jit(jax.vmap(descend))(labels, starts))
    return result


def errors(result: Result, name: str) -> np.ndarray:
    """Computes the mean distance over x of learned from true parameters, `[seeds, k]`."""
    return np.abs(result[f"learned_{name}"] - result[f"true_{name}"]).mean(axis=1)


def constant_deviation(result: Result) -> np.ndarray:
    """Computes the best constant for the linear unit's deviation, `[seeds]`.

    It is the root of the expected squared residual: true variance plus squared bias, averaged over
    x.
    """
    bias = result["learned_linear"][..., 0] - result["true_linear"][:, 0]
    return np.sqrt((result["true_gaussian"][:, 1] ** 2 + bias**2).mean(axis=1))


def relative_errors(result: Result, deviation: np.ndarray) -> np.ndarray:
    """Computes the mean relative error over x of deviations `[seeds, points]` or `[seeds, 1]`."""
    return np.abs(deviation / result["true_gaussian"][:, 1] - 1).mean(axis=1)


def calibration(result: Result, name: str) -> np.ndarray:
    """Computes the mean distance of predicted from true probabilities in ten groups, `[seeds]`."""
    predicted, true = reliability(result[f"learned_{name}"], result[f"true_{name}"])
    return np.abs(predicted - true).mean(axis=1)


def differences(result: Result) -> dict[str, np.ndarray]:
    """Computes how likelihood, cross entropy and KL divergence differ as objectives."""
    values, entropy = result["values"], result["entropy"][:, None]
    return {
        "gradients": np.ptp(result["gradients"][:, :3], axis=1),
        "minimisers": np.ptp(result["minimisers"][:, :3], axis=1),
        "likelihood minus cross entropy": values[:, 0] - values[:, 1],
        "cross entropy minus KL minus entropy": values[:, 1] - values[:, 2] - entropy,
    }


def deviation_errors(result: Result) -> tuple[np.ndarray, np.ndarray]:
    """Computes relative errors of the learned deviation and of the best constant, `[seeds]`."""
    learned = relative_errors(result, result["learned_gaussian"][..., 1])
    return learned, relative_errors(result, constant_deviation(result)[:, None])


def table(result: Result) -> str:
    deviation, constant = deviation_errors(result)
    rows = [
        ["linear", "mean", interval(errors(result, "linear")[:, 0]).decimals(4), "-"],
        ["Gaussian", "mean", interval(errors(result, "gaussian")[:, 0]).decimals(4), "-"],
        ["Gaussian", "deviation (relative)", interval(deviation).decimals(4), "-"],
        ["linear", "best constant deviation (relative)", interval(constant).decimals(4), "-"],
    ]
    for name, label in CLASSIFIERS.items():
        error = interval(errors(result, name).mean(axis=1)).decimals(4)
        rows.append(
            [label, "probabilities", error, interval(calibration(result, name)).decimals(4)]
        )
    exact = {
        "Gaussian of variance 1 minus least squares": result["least_squares"],
        "softmax of two minus binary cross entropy": result["two_classes"],
        **differences(result),
        "minimisers, of KL(model, data) instead": np.diff(result["minimisers"][:, 2:], axis=1),
    }
    units = markdown(["unit", "parameter", "mean error", "calibration error"], rows)
    equal = [[f"{np.abs(values).max():.1e}", name] for name, values in exact.items()]
    return f"{units}\n\n{markdown(['largest difference', 'of'], equal)}"


def plot(result: Result) -> Figure:
    canvas, axes = plots.figure(2, 3, size=(4.2, 3.5))
    _draw_gaussian(axes[0, 0], result)
    _draw_deviation(axes[0, 1], result)
    _draw_probabilities(axes[0, 2], result, "sigmoid", ["P(y = 1)"])
    _draw_probabilities(axes[1, 0], result, "softmax", [f"P(y = {i})" for i in range(3)])
    _draw_reliability(axes[1, 1], result)
    _draw_objectives(axes[1, 2], result)
    return canvas


def _draw_gaussian(axes: Axes, result: Result) -> None:
    x, (mean, deviation) = X[:, 0], result["learned_gaussian"].mean(axis=0).T
    true_mean, true_deviation = result["true_gaussian"].T
    axes.plot(x, result["example"][:, 0], ".", color="0.7", markersize=4, label="data")
    for side in (-2, 0, 2):
        learned, truth = ("learned, mean over seeds", "truth") if side == 0 else (None, None)
        axes.plot(x, mean + side * deviation, color=plots.COLOURS[0], label=learned)
        axes.plot(x, true_mean + side * true_deviation, label=truth, **TRUTH)
    axes.set(xlabel="x", ylabel="y", title="Gaussian unit: mean ± 2 standard deviations")
    axes.legend(fontsize="small")


def _draw_deviation(axes: Axes, result: Result) -> None:
    style = plots.styles()
    plots.spread(
        axes, X[:, 0], result["learned_gaussian"][..., 1], "Gaussian unit (± 1 std)", _line(style)
    )
    constant = constant_deviation(result).mean()
    plots.level(axes, constant, "linear unit: one for all x", next(style))
    axes.plot(X[:, 0], result["true_gaussian"][:, 1], label="truth", **TRUTH)
    axes.set(xlabel="x", ylabel="standard deviation", title="deviation of the noise", ylim=(0, 0.6))
    axes.legend(fontsize="small")


def _draw_probabilities(axes: Axes, result: Result, name: str, labels: list[str]) -> None:
    style = plots.styles()
    for i, label in enumerate(labels):
        plots.spread(axes, X[:, 0], result[f"learned_{name}"][..., i], label, _line(style))
        truth = "truth" if i + 1 == len(labels) else None
        axes.plot(X[:, 0], result[f"true_{name}"][:, i], label=truth, **TRUTH)
    axes.set(xlabel="x", ylabel="probability", title=f"{name} unit (± 1 std)", ylim=(0, 1))
    axes.legend(fontsize="small")


def _draw_reliability(axes: Axes, result: Result) -> None:
    style = plots.styles()
    axes.plot([0, 1], [0, 1], label="calibrated", **TRUTH)
    for name, label in CLASSIFIERS.items():
        predicted, true = reliability(result[f"learned_{name}"], result[f"true_{name}"])
        plots.spread(axes, predicted.mean(axis=0), true, label, next(style))
    axes.set(xlabel="predicted probability", ylabel="true probability")
    axes.set_title("calibration, tenths of the points (± 1 std)")
    axes.legend(fontsize="small")


def _draw_objectives(axes: Axes, result: Result) -> None:
    likelihood, cross_entropy, kl = result["values"][0, :3, :30]
    steps, style = np.arange(len(kl)), plots.styles()
    axes.plot(steps, cross_entropy, label="cross entropy", **_line(style))
    points = next(style) | {"linestyle": ""}
    axes.plot(steps, likelihood, label="- mean log-likelihood", **points)
    axes.plot(steps, kl, label="KL(data, model)", **_line(style))
    top, bottom, end = cross_entropy[-1], kl[-1], steps[-1]
    axes.annotate("", (end, bottom), (end, top), arrowprops={"arrowstyle": "<->"})
    note = f"entropy\nof the data\n{result['entropy'][0]:.3f} nats "
    axes.text(end, (top + bottom) / 2, note, ha="right", va="center", size="small")
    axes.set(
        xlabel="step of gradient descent", ylabel="nats", title="a categorical model (first seed)"
    )
    axes.legend(fontsize="small")


def _line(style: Iterator[plots.Style]) -> plots.Style:
    return next(style) | {"marker": ""}


def _regression(result: Result) -> Sample:
    return Sample(errors(result, "linear")[:, 0])


def _gaussian(result: Result) -> dict[str, Sample]:
    learned, constant = deviation_errors(result)
    return {
        "mean": Sample(errors(result, "gaussian")[:, 0]),
        "deviation": Sample(learned),
        "against a constant": Sample(np.log(learned / constant)),
        "positive": Sample(result["learned_gaussian"][..., 1] > 0),
    }


def _classifies(name: str) -> Callable[[Result], dict[str, Sample]]:
    def measure(result: Result) -> dict[str, Sample]:
        found = {
            "error": Sample(errors(result, name).max(axis=1)),
            "calibration": Sample(calibration(result, name)),
            "in [0, 1]": Sample(result[f"learned_{name}"]),
        }
        if name == "softmax":
            found["sum"] = Sample(result["learned_softmax"].sum(axis=-1))
        return found

    return measure


def _difference(name: str) -> Callable[[Result], Sample]:
    return lambda result: Sample(result[name])


def _one_objective(result: Result) -> dict[str, Sample]:
    return {name: Sample(values) for name, values in differences(result).items()}


CLAIMS = {
    "regression": _regression,
    "gaussian": _gaussian,
    "least_squares": _difference("least_squares"),
    "two_classes": _difference("two_classes"),
    "one_objective": _one_objective,
} | {name: _classifies(name) for name in CLASSIFIERS}
