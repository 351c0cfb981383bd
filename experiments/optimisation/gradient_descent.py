"""Batches, momentum, Adam, step sizes and local minima (rows E1, E2 and E3; L0, L2).

Claims: (E1) the gradient summed over mini-batches is the full one; a part of the sum is an unbiased
estimate "of greater variance"; where M samples are repeated K times, steps on M samples "cut the
computation by K". (E2) momentum, and Adam with L0's epsilon inside the square root, are "improved
gradient descent". (E3) a descent depends on its start, ends "very likely" in the closest local
minimum, "not usually the global one"; the step matters; mini-batches help to evade local minima.

Command: `make gradient_descent`, six minutes on 2 cores. Protocol: E1 and E2 in float64 on 128 of
scikit-learn's digits, 16 tanh units, new weights for each seed. Biases and variances are of batches
drawn without replacement, the latter against (N - B) / (N - 1) / B times that of one sample. The
computation is the samples seen until the loss is 0.5, at rate 0.5, by the full set and by shuffled
mini-batches of M. Optimizers written out run alongside optax's for 200 steps on all samples, at
rate 0.1 (Adam 0.001); they are compared by their last loss, each at the best of 8 rates. The
lectures show E3 on surfaces they do not give: ours are random (`random_surfaces.py` here), 192 on
the line and 192 on the plane, with 32 starts each, and the steps 0.125 and 0.5 are those of L2. A
mini-batch is a random share of a surface's 64 terms; the last 200 of 700 steps take all; a quarter
of the terms is judged. What counts is in `experiments/claims/gradient_descent`.
Expect all of E1 and E2; of E3 that 85 to 90 % of the descents on the line end in the closest
minimum and 75 % on the plane, that about 46 and 16 % end in the global one, and 71 and 37 % with a
quarter of the terms, but hardly more than without noise with one term of 64.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import jax
import numpy as np
from jax import Array
from matplotlib.axes import Axes
from matplotlib.figure import Figure

import jaxnets as jn
from jaxnets import plots
from jaxnets.claims import Sample
from jaxnets.parallel.rows import parallel_map

from ..lab.claims import Result, interval, markdown
from ..shared.best import best
from . import descent, local_minima

RULES = tuple(descent.RULES)
RATE, TARGET = 0.5, 0.5
"""For the repeated samples: the rate of the steps, and the loss to reach."""


@dataclass(frozen=True)
class Config:
    seeds: int = 32
    samples: int = 128
    hidden: int = 16
    sizes: tuple[int, ...] = (1, 5, 16, 60)
    draws: int = 64
    copies: tuple[int, ...] = (2, 4, 8)
    most_steps: int = 400
    order: str = "shuffled copies"
    """Of repeated samples, a name in `descent.ORDERS`."""
    batch: str = "full set"
    """What the optimizers step on, a name in `descent.BATCHES`."""
    data: str = "digits"
    """Or MNIST."""
    optimizer_steps: int = 200
    rates: tuple[float, ...] = (0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0)
    """Of the optimizers, 0.1 and 0.001 among them."""
    surfaces: int = 192
    starts: int = 32
    steps: int = 700
    highest: int = 4
    """The largest frequency of a surface along an axis."""
    curvature: float = 8.0
    """The largest of a surface."""
    share: str = "1/4"
    """Of the terms, in the mini-batch that is judged."""
    seed: int = 1


MULTIVERSE = Config(seeds=8, surfaces=64)
SMOKE = Config(
    *(3, 32, 4, (1, 5), 4, (2,), 20),
    optimizer_steps=5,
    rates=(0.001, 0.1),
    surfaces=3,
    starts=4,
    steps=205,
)


def run(config: Config, key: Array) -> Result:
    surface_key, start_key, draw_key = jax.random.split(key, 3)
    result = local_minima.run(
        surface_key,
        functions=config.surfaces,
        starts=config.starts,
        steps=config.steps,
        highest=config.highest,
        curvature=config.curvature,
    )
    print("batches and optimizers", flush=True)
    with jax.enable_x64(True):
        problem = descent.digits_problem(config.samples, config.hidden, config.data)
        w = parallel_map(problem.start, jax.random.split(start_key, config.seeds))
        result |= _batches(config, problem, w, draw_key) | _optimizers(config, problem, w)
    counts = ("samples", "sizes", "copies", "rates")
    result["share"] = np.asarray(config.share)
    return result | {name: np.asarray(getattr(config, name)) for name in counts}


def _batches(config: Config, problem: descent.Problem, w: Array, key: Array) -> Result:
    """`errors`, `variances`, `biases` `[seeds, sizes]`, `seen [copies, seeds, full or batches]`."""
    variance_key, *order_keys = jax.random.split(key, 1 + len(config.copies))
    gradients = partial(descent.batch_gradients, problem, config.sizes, config.draws)
    errors, variances, biases = parallel_map(gradients, _rows(w, variance_key))
    seen = [
        partial(
            descent.samples_seen,
            problem,
            copies,
            config.most_steps,
            RATE,
            TARGET,
            order=config.order,
        )
        for copies in config.copies
    ]
    return {
        "errors": np.asarray(errors),
        "variances": np.asarray(variances),
        "biases": np.asarray(biases),
        "seen": np.asarray(
            [
                parallel_map(samples, _rows(w, order_key))
                for samples, order_key in zip(seen, order_keys, strict=True)
            ]
        ),
    }


def _rows(w: Array, key: Array) -> dict[str, Array]:
    """The first weights of every seed, with a key of its own."""
    return {"w": w, "key": jax.random.split(key, len(w))}


def _optimizers(config: Config, problem: descent.Problem, w: Array) -> Result:
    """`losses [rules, seeds, rates, steps]`, `gaps [rules and one more, seeds]` at one rate."""
    rules = (*descent.RULES.values(), descent.EPSILON_OUTSIDE)
    rows = jn.grid(seed=range(config.seeds), rate=config.rates)
    rows["w"] = w[rows.pop("seed")]

    def each(row: dict[str, Array]) -> list[tuple[Array, Array]]:
        return [
            descent.side_by_side(problem, rule, config.optimizer_steps, row, config.batch)
            for rule in rules
        ]

    losses, gaps = zip(*parallel_map(each, rows), strict=True)
    shape = (len(rules), config.seeds, len(config.rates))
    at = [config.rates.index(rule.rate) for rule in rules]
    compared = [gap[:, i] for gap, i in zip(np.asarray(gaps).reshape(shape), at, strict=True)]
    return {
        "losses": np.asarray(losses[:-1]).reshape(shape[0] - 1, *shape[1:], -1),
        "gaps": np.asarray(compared),
    }


def expected_variances(sizes: np.ndarray, samples: int) -> np.ndarray:
    """Returns variances of means of B of N numbers, not replaced, over those of one, `[sizes]`."""
    return (samples - sizes) / (samples - 1) / sizes


def savings(result: Result) -> np.ndarray:
    """Divides the samples that the full set needs by those of mini-batches, `[seeds, copies]`."""
    full, parts = np.moveaxis(result["seen"], -1, 0)
    reached = np.isfinite(full) & np.isfinite(parts)
    return np.where(reached, full, np.nan).T / np.where(reached, parts, 1).T


def best_losses(result: Result) -> tuple[np.ndarray, np.ndarray]:
    """Returns rates `[rules]` of the lowest mean last loss, and losses `[rules, seeds, steps]`."""
    chosen = best(-result["losses"][..., -1].mean(axis=1), axis=1)
    losses = [rule[:, i] for rule, i in zip(result["losses"], chosen, strict=True)]
    return result["rates"][chosen], np.asarray(losses)


def table(result: Result) -> str:
    rates, losses = best_losses(result)
    rows = [
        [rule, f"{rate:g}", _plain(curves[:, -1]), f"{gaps.max():.0e}"]
        for rule, rate, curves, gaps in zip(RULES, rates, losses, result["gaps"], strict=False)
    ]
    rows.append(["Adam, epsilon outside the root", "-", "-", f"{result['gaps'][-1].max():.0e}"])
    head = ["optimizer", "best rate", "last loss", "distance from optax's"]
    return f"{markdown(head, rows)}\n\n{local_minima.table(result)}"


def _plain(values: np.ndarray) -> str:
    found = interval(values)
    return f"{found.mean:.3g} ± {found.std:.2g}"


def plot(result: Result) -> Figure:
    canvas, axes = plots.figure(2, 3, size=(4.4, 3.5))
    local_minima.draw_line(axes[0, 0], result)
    local_minima.draw_plane(axes[0, 1], result)
    local_minima.draw_noise(axes[0, 2], result)
    _draw_variances(axes[1, 0], result)
    _draw_savings(axes[1, 1], result)
    _draw_losses(axes[1, 2], result)
    return canvas


def _draw_variances(axes: Axes, result: Result) -> None:
    sizes, samples = result["sizes"], int(result["samples"])
    plots.spread(axes, sizes, result["variances"], "measured (± 1 std)", next(plots.styles()))
    every = np.arange(1, samples)
    expected = expected_variances(every, samples)
    axes.plot(every, expected, label="(N - B) / (N - 1) / B", color="black", linestyle="--")
    axes.set(xscale="log", yscale="log", xlabel=f"samples B of {samples} in a batch")
    axes.set(ylabel="variance, relative to B = 1", title="variance of a batch's gradient")
    axes.legend(fontsize="small")


def _draw_savings(axes: Axes, result: Result) -> None:
    copies = result["copies"]
    plots.spread(axes, copies, savings(result), "measured (± 1 std)", next(plots.styles()))
    axes.plot(copies, copies, label="K", color="black", linestyle="--")
    axes.set(xlabel="copies K of M samples", ylabel="all samples / batches of M")
    axes.set(title=f"ratio of samples seen until loss {TARGET:g}", xticks=copies)
    axes.legend(fontsize="small")


def _draw_losses(axes: Axes, result: Result) -> None:
    rates, losses = best_losses(result)
    for rule, rate, curves, style in zip(RULES, rates, losses, plots.styles(), strict=False):
        steps = np.arange(curves.shape[1])
        plots.spread(axes, steps, curves, f"{rule}, rate {rate:g}", style | {"marker": ""})
    axes.set(yscale="log", xlabel="step on all samples", ylabel="cross entropy [nats]")
    axes.set_title("each at its best rate (± 1 std)")
    axes.legend(fontsize="small")


def _accumulates(result: Result) -> Sample:
    return Sample(result["errors"])


def _unbiased(result: Result) -> dict[str, Sample]:
    expected = expected_variances(result["sizes"], int(result["samples"]))
    found = {}
    for i, size in enumerate(result["sizes"]):
        found[f"bias, B = {size}"] = Sample(result["biases"][:, i])
        found[f"variance, B = {size}"] = Sample(np.log(result["variances"][:, i] / expected[i]))
    return found


def _cheaper(result: Result) -> dict[str, Sample]:
    copies = result["copies"]
    logs = np.log(savings(result) / copies[None])
    return {f"K = {k}": Sample(each) for k, each in zip(copies, logs.T, strict=True)}


def _as_optax(rule: str) -> Callable[[Result], Sample]:
    return lambda result: Sample(result["gaps"][RULES.index(rule)])


def _improves(rule: str) -> Callable[[Result], Sample]:
    """By the log ratio of the last losses, each at its own best rate."""

    def measure(result: Result) -> Sample:
        plain, improved = best_losses(result)[1][[0, RULES.index(rule)], :, -1]
        return Sample(np.log(plain), np.log(improved))

    return measure


CLAIMS = {
    "accumulates": _accumulates,
    "unbiased": _unbiased,
    "cheaper": _cheaper,
    "momentum_is_optax": _as_optax("momentum"),
    "adam_is_optax": _as_optax("Adam"),
    "momentum_improves": _improves("momentum"),
    "adam_improves": _improves("Adam"),
    **local_minima.CLAIMS,
}
