"""The Rosenbrock function regressed by 2, 3 and 4 tanh units, run to convergence (row F5; L0).

Claim: "the more nodes the more accurate": losses 3.02e-1, 2.08e-2, 8.27e-3 with 2, 3, 4 nodes on
one slide and 2.61e-1, 2.51e-4, 3.07e-7 on the next. The lecture gives neither the domain nor the
scale of z, and the second slide does not name its surface.

Command: `make rosenbrock_regression`, three minutes on 2 cores. Protocol: z = 100 (x2 - x1^2)^2 +
(1 - x1)^2 on a grid of 25 x 25 points of one domain, that of `rosenbrock_region`; others are in its
multiverse, as are other scales of z. z and both inputs have mean 0 and variance 1, so that a
constant has loss 1; mean squared error in float64; L-BFGS with a line search from 192 random
starts, of which the best of every 4 counts. Criteria are in
`experiments/claims/rosenbrock_regression`. Expect losses that fall with every node, not those of
the slides; the second slide's fit x1 x2 instead.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import pairwise

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax import Array
from matplotlib.figure import Figure

import jaxnets as jn
from jaxnets import plots
from jaxnets.analysis import evaluate
from jaxnets.claims import Sample
from jaxnets.data import Dataset
from jaxnets.data.toy import rosenbrock

from ..lab.claims import Result, markdown
from ..lab.judging import Measured

Domain = tuple[float, float, float, float]
DOMAINS: dict[str, Domain] = {
    "[-1, 1] x [-1, 1]": (-1.0, 1.0, -1.0, 1.0),
    "[0, 2] x [0, 3]": (0.0, 2.0, 0.0, 3.0),
    "[-2, 2] x [-1, 3]": (-2.0, 2.0, -1.0, 3.0),
}
SCALES: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "mean 0 and variance 1": lambda z: (z - z.mean()) / z.std(),
    "0 to 1": lambda z: (z - z.min()) / np.ptp(z),
    "-1 to 1": lambda z: 2 * (z - z.min()) / np.ptp(z) - 1,
}
FIRST_SLIDE = {2: 3.02e-1, 3: 2.08e-2, 4: 8.27e-3}
SECOND_SLIDE = {2: 2.61e-1, 3: 2.51e-4, 4: 3.07e-7}
OF = 4
"""Starts of which the best counts."""


@dataclass(frozen=True)
class Config:
    nodes: tuple[int, ...] = (2, 3, 4)
    starts: int = 192
    iterations: int = 3000
    domain: str = "[0, 2] x [0, 3]"
    grid: int = 25
    z: str = "mean 0 and variance 1"
    """How z is scaled, of `SCALES`."""
    seed: int = 1


MULTIVERSE = Config(starts=32, iterations=500)
SMOKE = Config(nodes=(2, 3), starts=8, iterations=20, grid=9)


def run(config: Config, key: Array, checkpoints: jn.CheckpointConfig | None = None) -> Result:
    with jax.enable_x64(True):
        data = Dataset(_surface(config), None, None)
        found = [
            _regress(config, n, jax.random.fold_in(key, n), data, checkpoints=checkpoints)
            for n in config.nodes
        ]
        surfaces = [data.train["y"][:, 0], *(surface for _, surface in found)]
        return {
            "domain": np.asarray(DOMAINS[config.domain]),
            "nodes": np.asarray(config.nodes),
            "iterations": np.linspace(0, config.iterations, 11)[1:],
            "losses": np.asarray([history for history, _ in found]),
            "surfaces": np.asarray(surfaces).reshape(-1, config.grid, config.grid),
        }


def _surface(config: Config) -> dict[str, np.ndarray]:
    x = evaluate.plane(DOMAINS[config.domain], config.grid).astype(np.float64)
    z = np.asarray(rosenbrock(jnp.asarray(x)))[:, None]
    return {"x": (x - x.mean(0)) / x.std(0), "y": SCALES[config.z](z)}


def _regress(
    config: Config,
    nodes: int,
    key: Array,
    data: Dataset,
    checkpoints: jn.CheckpointConfig | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Losses `[starts, 10]` along the way, and the surface `[points]` of the best start."""
    model = jn.MLP((nodes,))
    steps = config.iterations
    spec = jn.TrainSpec(
        model, "squared_error", steps, optimizer=optax.lbfgs, record_every=steps // 10
    )
    # One by one, since a group would wait for the longest line search of its starts in every step.
    states, history = jn.sweep(
        spec, jax.random.split(key, config.starts), data, {}, group=1, checkpoints=checkpoints
    )
    losses = np.nan_to_num(np.asarray(history["train_loss"]), nan=np.inf)
    best = jax.tree.map(lambda a: a[losses[:, -1].argmin()], states.params)
    return losses, np.asarray(model.apply(best, data.train["x"]))[:, 0]


def table(result: Result) -> str:
    rows = []
    for n, curves in zip(result["nodes"], result["losses"], strict=True):
        final = curves[:, -1]
        still = f"{100 * _last_gain(curves):.1f} %"
        row = [n, f"{final.min():.2e}", f"{np.median(final):.2e}", still]
        rows.append([*row, FIRST_SLIDE.get(int(n), "-"), SECOND_SLIDE.get(int(n), "-")])
    head = ["nodes", "best", "median", "gain of the last tenth of the steps"]
    domain = "z on [{:g}, {:g}] x [{:g}, {:g}]\n\n".format(*result["domain"])
    return domain + markdown([*head, "lecture, first", "second"], rows)


def _last_gain(curves: np.ndarray) -> float:
    """The share of its loss that the best start lost in the last tenth of the steps."""
    best = curves[curves[:, -1].argmin()]
    return float(1 - best[-1] / best[-2])


def plot(result: Result) -> Figure:
    canvas, axes = plots.figure(1, 1 + len(result["nodes"]), size=(3.2, 3.2))
    titles = ["$z$, standardised", *(f"{n} nodes" for n in result["nodes"])]
    notes = ["", *(f", loss {best:.1e}" for best in result["losses"][..., -1].min(axis=1))]
    surfaces, limits = result["surfaces"], result["domain"]
    span = {"vmin": surfaces[0].min(), "vmax": surfaces[0].max()}
    for panel, title, note, surface in zip(axes[0], titles, notes, surfaces, strict=True):
        image = panel.imshow(
            surface, origin="lower", extent=limits, aspect="auto", cmap="viridis", **span
        )
        panel.set(title=title + note, xlabel="$x_1$")
        panel.grid(visible=False)
    axes[0, 0].set_ylabel("$x_2$")
    canvas.colorbar(image, ax=list(axes[0]), label="z [standard deviations]")
    return canvas


def _best(result: Result) -> dict[int, np.ndarray]:
    """Logs of the losses of the best of every `OF` starts, `[starts / OF]`, by nodes."""
    final = result["losses"][..., -1]
    groups = final.shape[1] // OF
    best = np.log(final[:, : groups * OF].reshape(len(final), groups, OF).min(axis=2))
    return dict(zip(result["nodes"].tolist(), best, strict=True))


def _converged(result: Result) -> str:
    steps, gain = result["iterations"][-1], max(map(_last_gain, result["losses"]))
    return (
        f"L-BFGS, {steps:,.0f} steps; the last tenth gains at most {100 * gain:.1f} % of the best"
    )


def _more_nodes(result: Result) -> Measured:
    best = _best(result)
    samples = {f"{n} to {m} nodes": Sample(best[m], best[n]) for n, m in pairwise(best)}
    return Measured(samples, _converged(result))


def _reaches(slide: Mapping[int, float]) -> Callable[[Result], Measured]:
    def measure(result: Result) -> Measured:
        found = _best(result).items()
        samples = {f"{n} nodes": Sample(best - np.log(slide[n])) for n, best in found}
        return Measured(samples, _converged(result))

    return measure


CLAIMS = {
    "more_nodes": _more_nodes,
    "first_slide": _reaches(FIRST_SLIDE),
    "second_slide": _reaches(SECOND_SLIDE),
}
