"""Descent that is not monotonic, minima that are good, and saddle points (rows G3, G11, G12).

Claims: the loss of stochastic gradient descent "decreases over time but not monotonically" (L0);
deep networks have "surprisingly good local & non-global" optima; their cost functions have "a lot
of local minima and saddle points" (L1).

Command: `make critical_points`, a minute on 2 cores. Protocol: a seed draws its own data. Descent:
mini-batches of the Rosenbrock region, one layer of 20 units; the loss is that of all samples after
each step. Minima: two layers of growing width fit 64 values of a sum of waves (squared error, a
small penalty on all weights), by Levenberg-Marquardt in double precision from 16 starts; a gap is
the loss of a start less that of the best start, in variances of the data. Critical points: one
layer of 3 units on the same data, 16 descents by L-BFGS and 16 searches for a zero of the gradient;
the eigenvalues of the Hessian tell minima, which have index 0, from saddle points. Two points are
the same if their losses are. Margins are in `experiments/claims/critical_points`. Expect a step in
two to raise the loss; hardly any gap from two layers of 4 on, where every start is as good as the
best, and so no optimum that is not global; and few saddle points, of losses up to the variance.
"""

from dataclasses import dataclass
from functools import partial

import jax
import numpy as np
from jax import Array, lax
from matplotlib.axes import Axes
from matplotlib.figure import Figure

import jaxnets as jn
from jaxnets import plots
from jaxnets.claims import Sample
from jaxnets.data.toy import rosenbrock_region

from ..lab.claims import Result, interval, markdown
from ..lab.judging import Measured
from . import stationary

ENDS = 10
"""Tenths: the loss falls from the mean of the first to that of the last."""


@dataclass(frozen=True)
class Config:
    seeds: int = 16
    samples: int = 256
    batch_size: int = 16
    rate: float = 0.1
    steps: int = 1600
    points: int = 64
    widths: tuple[int, ...] = (2, 4, 6)
    starts: int = 16
    l2: float = 1e-4
    searched: int = 300
    followed: int = 500
    units: int = 3
    apart: float = 1e-3
    """A start ends at the best loss if it is within this of it, in variances of the data."""
    seed: int = 1


SMOKE = Config(
    seeds=2, steps=100, points=16, widths=(2,), starts=3, searched=50, followed=50, units=2
)


def run(config: Config, key: Array) -> Result:
    descent_key, minima_key, critical_key = jax.random.split(key, 3)
    keys = jax.random.split(descent_key, config.seeds)
    result = {
        "descent": np.asarray(jax.jit(jax.vmap(partial(descend, config)))(keys)),
        "apart": np.asarray(config.apart),
    }
    with jax.enable_x64(True):
        data_key, start_key = jax.random.split(minima_key)
        keys = jax.random.split(data_key, config.seeds)
        parts = jax.vmap(partial(stationary.draw, samples=config.points))(keys)
        search = partial(stationary.minima, parts=parts, starts=config.starts)
        found = [
            search(
                jn.MLP((width, width)),
                config.l2,
                jax.random.split(width_key, config.seeds),
                steps=config.searched,
            )
            for width, width_key in zip(
                config.widths, jax.random.split(start_key, len(config.widths)), strict=True
            )
        ]
        points = stationary.critical(
            jn.MLP((config.units,)),
            config.l2,
            jax.random.split(critical_key, config.seeds),
            parts,
            config.starts,
            config.followed,
        )
    minima = {f"minima_{name}": np.stack([one[name] for one in found]) for name in found[0]}
    return (
        result
        | minima
        | {f"critical_{name}": values for name, values in points.items()}
        | {"widths": np.asarray(config.widths)}
    )


def descend(config: Config, key: Array) -> Array:
    """Trains by stochastic gradient descent; the loss of all samples after each step, `[steps]`."""
    data_key, init_key, order_key = jax.random.split(key, 3)
    data = rosenbrock_region(data_key, config.samples)
    model = jn.MLP((20,))
    objective = jn.Objective(model, "binary_cross_entropy")

    def loss(params, part):
        return objective(params, part)[0]

    def step(params, key):
        rows = jax.random.choice(key, config.samples, (config.batch_size,), replace=False)
        gradient = jax.grad(loss)(params, jax.tree.map(lambda a: a[rows], data))
        params = jax.tree.map(lambda w, g: w - config.rate * g, params, gradient)
        return params, loss(params, data)

    start = model.init(init_key, data["x"][:1])
    return lax.scan(step, start, jax.random.split(order_key, config.steps))[1]


def gaps(result: Result) -> np.ndarray:
    """Computes how far starts end above the best one, `[widths, seeds, starts]`."""
    losses = result["minima_losses"]
    return losses - losses.min(axis=-1, keepdims=True)


def rises(result: Result) -> np.ndarray:
    """Computes the share of steps after which the loss is higher, `[seeds]`."""
    losses = result["descent"]
    change = np.diff(losses, axis=1)
    return np.where(np.isfinite(losses).all(axis=1), (change > 0).mean(axis=1), np.nan)


def counts(result: Result) -> dict[str, np.ndarray]:
    """Counts the different minima and saddle points of each seed, `[seeds]`."""
    losses, indices = result["critical_losses"], result["critical_indices"]
    found = {"minima": indices == 0, "saddle points": indices > 0}
    if np.isnan(losses).all():
        return {name: np.full(len(losses), np.nan) for name in found}
    return {name: stationary.distinct(losses, chosen) for name, chosen in found.items()}


def table(result: Result) -> str:
    """Formats shares of rising steps, gaps by width, and counts of critical points."""
    rows = [["steps after which the loss is higher", interval(rises(result)).percent()]]
    for width, found in zip(result["widths"], gaps(result), strict=True):
        typical = interval(np.median(found, axis=-1)).percent()
        worst = interval(found.max(axis=-1)).percent()
        rows.append([f"2 x {width}: above the best of the starts, median", typical])
        rows.append([f"2 x {width}: above the best of the starts, worst", worst])
    rows += [[f"different {name}", interval(n).decimals(1)] for name, n in counts(result).items()]
    found = np.isfinite(result["critical_losses"]).mean()
    rows.append(["searches that end at a critical point", f"{100 * found:.0f} %"])
    return markdown(["what", "measured"], rows)


def plot(result: Result) -> Figure:
    canvas, axes = plots.figure(1, 3, size=(4.6, 3.7))
    _draw_descent(axes[0, 0], result)
    _draw_gaps(axes[0, 1], result)
    _draw_critical(axes[0, 2], result)
    return canvas


def _draw_descent(axes: Axes, result: Result) -> None:
    steps = np.arange(1, result["descent"].shape[1] + 1)
    for losses, style in zip(result["descent"][:3], plots.styles(), strict=False):
        look = style | {"marker": "", "linestyle": "-", "linewidth": 0.8}
        axes.plot(steps, losses, **look)
    axes.set(xlabel="step", ylabel="loss of all samples [nats]", ylim=(0, None))
    axes.set_title("stochastic gradient descent, three seeds")


def _draw_gaps(axes: Axes, result: Result) -> None:
    for width, found, style in zip(result["widths"], gaps(result), plots.styles(), strict=False):
        ordered = np.sort(found, axis=-1)
        ranks = np.linspace(0, 100, ordered.shape[1])
        plots.spread(axes, ranks, 100 * ordered, f"2 layers of {width}", style)
    axes.set(xlabel="starts, the best first [%]", ylabel="loss above the best [% of variance]")
    axes.set(title="minima found (± 1 std over data)", ylim=(0, None))
    axes.legend(fontsize="small")


def _draw_critical(axes: Axes, result: Result) -> None:
    losses, indices = result["critical_losses"], result["critical_indices"]
    for (name, chosen), style in zip(
        {"minima": indices == 0, "saddle points": indices > 0}.items(), plots.styles(), strict=False
    ):
        axes.plot(indices[chosen], losses[chosen], label=name, **style | {"linestyle": ""})
    axes.set(xlabel="directions in which the loss falls", ylabel="loss")
    axes.set(title="critical points of all data sets")
    axes.locator_params(axis="x", integer=True)
    axes.legend(fontsize="small")


def _not_monotonic(result: Result) -> dict[str, Sample]:
    tenth = -(-result["descent"].shape[1] // ENDS)
    first, last = (
        np.log(part.mean(axis=1))
        for part in (result["descent"][:, :tenth], result["descent"][:, -tenth:])
    )
    return {"rises": Sample(100 * rises(result)), "fall": Sample(first - last)}


def _good_local_optima(result: Result) -> Measured:
    widest = gaps(result)[-1]
    norms = result["minima_gradient_norms"][-1]
    others = np.where(
        np.isnan(widest).any(axis=-1), np.nan, (widest > result["apart"]).mean(axis=-1)
    )
    samples = {
        "typical gap": Sample(100 * np.median(widest, axis=-1)),
        "not the best": Sample(100 * others),
    }
    return Measured(
        samples, f"Levenberg-Marquardt; median norm of the gradient {np.median(norms):.1e}"
    )


def _minima_and_saddles(result: Result) -> dict[str, Sample]:
    return {name: Sample(values) for name, values in counts(result).items()}


CLAIMS = {
    "not_monotonic": _not_monotonic,
    "good_local_optima": _good_local_optima,
    "minima_and_saddles": _minima_and_saddles,
}
