"""The Rosenbrock function regressed by 2, 3 and 4 tanh units, run to convergence (row F5; L0).

Claim: "the more nodes the more accurate": losses 3.02e-1, 2.08e-2, 8.27e-3 with 2, 3, 4 nodes on
one slide and 2.61e-1, 2.51e-4, 3.07e-7 on the next. The lecture gives neither the domain nor the
scale of z, and the second slide does not name its surface.

Command: `make rosenbrock_regression`, three minutes on 2 cores. Protocol: z = 100 (x2 - x1^2)^2 +
(1 - x1)^2 on a grid of 25 x 25 points of three domains; z and both inputs scaled to mean 0 and
variance 1, so that a constant has loss 1; mean squared error in float64; L-BFGS with a line search
from 64 random starts. Expect the first slide's losses to be undercut on [-1, 1]^2, and the
second's only down to three nodes.
"""

from collections.abc import Callable
from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax import Array
from matplotlib.figure import Figure

import jaxnets as jn
from jaxnets import plots
from jaxnets.analysis import evaluate
from jaxnets.data import Dataset
from jaxnets.data.toy import rosenbrock

from ..lab.claims import Claim, Result, Verdict, markdown, verdict

DOMAINS = ((-1.0, 1.0, -1.0, 1.0), (0.0, 2.0, 0.0, 3.0), (-2.0, 2.0, -1.0, 3.0))
FIRST_SLIDE = {2: 3.02e-1, 3: 2.08e-2, 4: 8.27e-3}
SECOND_SLIDE = {2: 2.61e-1, 3: 2.51e-4, 4: 3.07e-7}


@dataclass(frozen=True)
class Config:
    nodes: tuple[int, ...] = (2, 3, 4)
    starts: int = 64
    iterations: int = 3000
    grid: int = 25
    seed: int = 0


SMOKE = Config(nodes=(2, 3), starts=4, iterations=20, grid=9)


def run(config: Config, key: Array, checkpoints: jn.CheckpointConfig | None = None) -> Result:
    with jax.enable_x64(True):
        losses, maps = [], []
        for domain in DOMAINS:
            data = Dataset(_surface(domain, config.grid), None, None)
            per_nodes = [
                _regress(config, n, jax.random.fold_in(key, n), data, checkpoints=checkpoints)
                for n in config.nodes
            ]
            losses.append([history for history, _ in per_nodes])
            maps.append([data.train["y"][:, 0], *(surface for _, surface in per_nodes)])
        return {
            "domains": np.asarray(DOMAINS),
            "nodes": np.asarray(config.nodes),
            "iterations": np.linspace(0, config.iterations, 11)[1:],
            "losses": np.asarray(losses),
            "surfaces": np.asarray(maps).reshape(len(DOMAINS), -1, config.grid, config.grid),
        }


def _surface(domain: tuple[float, float, float, float], steps: int) -> dict[str, np.ndarray]:
    x = evaluate.plane(domain, steps).astype(np.float64)
    z = np.asarray(rosenbrock(jnp.asarray(x)))[:, None]
    return {"x": (x - x.mean(0)) / x.std(0), "y": (z - z.mean()) / z.std()}


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
    states, history = jn.sweep(
        spec, jax.random.split(key, config.starts), data, {}, checkpoints=checkpoints
    )
    losses = np.nan_to_num(np.asarray(history["train_loss"]), nan=np.inf)
    best = jax.tree.map(lambda a: a[losses[:, -1].argmin()], states.params)
    return losses, np.asarray(model.apply(best, data.train["x"]))[:, 0]


def _final_losses(result: Result) -> np.ndarray:
    """Losses `[domains, nodes, starts]` after the last iteration."""
    return result["losses"][..., -1]


def _name(domain: np.ndarray) -> str:
    return "[{:g}, {:g}] x [{:g}, {:g}]".format(*domain)


def table(result: Result) -> str:
    rows = []
    for domain, per_nodes, curves in zip(
        result["domains"], _final_losses(result), result["losses"], strict=True
    ):
        for n, losses, curve in zip(result["nodes"], per_nodes, curves, strict=True):
            best = curve[losses.argmin()]
            still = f"{100 * (1 - best[-1] / best[-2]):.1f} %"
            row = [_name(domain), n, f"{losses.min():.2e}", f"{np.median(losses):.2e}", still]
            rows.append([*row, FIRST_SLIDE.get(int(n), "-"), SECOND_SLIDE.get(int(n), "-")])
    head = ["domain", "nodes", "best", "median", "gain of the last tenth of the steps"]
    return markdown([*head, "lecture, first", "second"], rows)


def plot(result: Result) -> Figure:
    canvas, axes = plots.figure(len(result["domains"]), 1 + len(result["nodes"]), size=(2.9, 2.5))
    titles = ["$z$, standardised", *(f"{n} nodes" for n in result["nodes"])]
    for row, domain, surfaces, losses in zip(
        axes, result["domains"], result["surfaces"], _final_losses(result), strict=True
    ):
        notes = ["", *(f", loss {best:.1e}" for best in losses.min(axis=1))]
        span = {"vmin": surfaces[0].min(), "vmax": surfaces[0].max()}
        for panel, title, note, surface in zip(row, titles, notes, surfaces, strict=True):
            image = panel.imshow(
                surface, origin="lower", extent=domain, aspect="auto", cmap="viridis", **span
            )
            panel.set(title=title + note, xlabel="$x_1$")
            panel.grid(visible=False)
        row[0].set_ylabel("$x_2$")
        canvas.colorbar(image, ax=list(row), label="z [standard deviations]")
    return canvas


def _more_nodes(result: Result) -> Verdict:
    best = _final_losses(result).min(axis=2)
    nodes = ", ".join(map(str, result["nodes"]))
    ours = f"best loss over {nodes} nodes: " + "; ".join(
        f"{_name(d)} " + ", ".join(f"{b:.2e}" for b in row)
        for d, row in zip(result["domains"], best, strict=True)
    )
    return verdict((np.diff(best, axis=1) < 0).all(), ours, _samples(result))


def _samples(result: Result) -> str:
    return f"{result['losses'].shape[2]} starts, {int(result['iterations'][-1])} L-BFGS steps"


def _reaches(slide: dict[int, float]) -> Callable[[Result], Verdict]:
    def judge(result: Result) -> Verdict:
        if result["nodes"].tolist() != list(slide):
            return Verdict("not tested", f"needs {', '.join(map(str, slide))} nodes", "-")
        targets = np.asarray(list(slide.values()))
        final = _final_losses(result)
        ratios = final.min(axis=2) / targets
        i = np.argmin(ratios.max(axis=1))
        ours = f"{_name(result['domains'][i])}: " + ", ".join(
            f"{n} nodes best {losses.min():.2e} median {np.median(losses):.2e}"
            for n, losses in zip(result["nodes"], final[i], strict=True)
        )
        return verdict((ratios[i] <= 1).all(), ours, _samples(result) + ", closest of 3 domains")

    return judge


def _numbers(slide: dict[int, float]) -> str:
    return ", ".join(f"{loss:.2e}" for loss in slide.values())


CLAIMS = [
    Claim("F5, L0", "the more nodes the more accurate", "two slides", _more_nodes),
    Claim(
        "F5, L0",
        "2, 3, 4 nodes reach these losses or lower (first slide)",
        _numbers(FIRST_SLIDE),
        _reaches(FIRST_SLIDE),
    ),
    Claim(
        "F5, L0",
        "2, 3, 4 nodes reach these losses or lower (second slide)",
        _numbers(SECOND_SLIDE),
        _reaches(SECOND_SLIDE),
    ),
]
