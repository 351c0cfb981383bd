"""From the cow's code to the duck by gradients: the genus changes on the way (row C9; L0).

Claims: start with a code, "use marching cubes to compute vertices and facets", use them "for the
forward pass and for backpropagation", update the code and iterate: this turns "a genus 0 cow into a
genus 1 duck by minimizing a differentiable objective function"; and vertices move by
`dv / ds = -n` (L0).

Command: `make shape_optimisation`, five minutes on 2 cores. Protocol: shapes, network and training
as in `shape_codes`, with more points and fewer steps. From the cow's code, each step builds a mesh,
takes the squared Chamfer distance between its vertices and points of the duck, and goes back from
the vertices to the code by `jaxnets.meshes.attach`, for a step down the gradient whose length falls
to 0, within the ball of the learned codes; the loss knows nothing of the duck's code. The speed of
vertices is measured at the code halfway, against the zeros of f found by bisection along the
normal, of two codes close by: with the derivative of `attach`, `-(grad f / |grad f|^2) df / dC`,
and with the lecture's, which is the same where f is a distance. Pieces and handles are counted on
a finer grid than that of the steps.
Margins are in `experiments/claims/shape_optimisation`. Expect a ring after about 13 steps.
"""

from dataclasses import dataclass

import jax
import numpy as np
from jax import Array
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from jaxnets import meshes, plots
from jaxnets.claims import Sample
from jaxnets.host.paths import as_path
from jaxnets.models import CodedShapes
from jaxnets.storage.checkpoints import CheckpointConfig
from jaxnets.storage.digest import digest_of_file

from ..lab.claims import Result, interval, markdown
from ..lab.judging import Measured
from . import animals, coded, following
from .drawing import draw_values

DRAWN = 40
"""Points along an edge of the grid for what is drawn."""
LAST = 0.5
"""The share of the steps, at the end, in which the shape must be a ring in one piece."""


@dataclass(frozen=True)
class Config:
    seeds: int = 16
    points: int = 160_000
    """Of each shape, to learn from: among fewer, some network sees a sliver where none is."""
    dimensions: int = 4
    """Numbers in a code."""
    width: int = 64
    layers: int = 4
    steps: int = 4000
    """Of the training."""
    learning_rate: float = 3e-3
    updates: int = 80
    """Of the code."""
    cells: int = 32
    """Points along an edge of the grid for marching cubes, at each update."""
    counted: int = 64
    """The same where handles and pieces are counted: a coarse grid adds and hides thin ones."""
    compared: int = 1500
    """Points on each surface for the Chamfer distances."""
    duck: str = ""
    """A file of another second shape."""
    seed: int = 5


SMOKE = Config(
    seeds=2,
    points=1000,
    width=16,
    layers=2,
    steps=40,
    updates=4,
    cells=12,
    counted=16,
    compared=64,
)


def inputs(config: Config) -> str:
    """Digests the file of the second shape, if one was given."""
    return digest_of_file(as_path(config.duck)) if config.duck else ""


def run(config: Config, key: Array, checkpoints: CheckpointConfig | None = None) -> Result:
    rng = np.random.default_rng(config.seed)
    shapes = (animals.cow(), animals.duck(config.duck))
    drawn = [animals.samples(shape, config.points, rng) for shape in shapes]
    data = coded.numbered(*map(list, zip(*drawn, strict=True)))
    model = CodedShapes(2, config.dimensions, coded.decoder(config.width, config.layers))
    keys = jax.random.split(key, config.seeds)
    params, losses = coded.train(
        model, "clamped_l1", data, keys, config.steps, config.learning_rate, checkpoints
    )
    goal = meshes.surface_points(shapes[1], config.compared, rng)
    paths, holes, chamfer, speeds = [], [], [], []
    for i in range(config.seeds):
        own = jax.tree.map(lambda leaf, i=i: leaf[i], params)
        path = following.follow(model, own, goal, config.updates, config.cells, rng)
        surfaces = [coded.mesh(model, own, code, config.counted) for code in path]
        paths.append(path)
        holes.append([coded.holes(surface) for surface in surfaces])
        chamfer.append(
            [
                np.nan if end is None else meshes.chamfer(end, shapes[1], config.compared, rng)
                for end in (surfaces[0], surfaces[-1])
            ]
        )
        speeds.append(following.speed_errors(model, own, config.cells, rng))
    first = jax.tree.map(lambda leaf: leaf[0], params)
    shown = [paths[0][k] for k in _shown(config.updates)]
    return {
        "losses": losses,
        "holes": np.asarray(holes),
        "chamfer": np.asarray(chamfer),
        "speeds": np.stack(speeds),
        "drawn": np.stack([np.asarray(coded.values(model, first, c, DRAWN)) for c in shown]),
    }


def _shown(updates: int) -> list[int]:
    """Which updates are drawn: more at first, where the hole opens."""
    return [round(updates * share) for share in (0, 0.125, 0.25, 0.5, 1)]


def table(result: Result) -> str:
    """Formats distances, topology and errors of the speeds."""
    chamfer, speeds = 1000 * result["chamfer"], result["speeds"]
    rings = coded.is_whole(result["holes"], 1) == 1
    rows = [
        ["Chamfer distance to the duck at first, thousandths", interval(chamfer[:, 0]).decimals(1)],
        ["and at last", interval(chamfer[:, 1]).decimals(1)],
        [
            "cow at first: genus 0, one piece",
            f"{coded.is_whole(result['holes'][:, 0], 0).mean():.0%}",
        ],
        ["duck at last: genus 1, one piece", f"{rings[:, -1].mean():.0%}"],
        ["first update with genus 1, one piece", interval(rings.argmax(axis=1)).decimals(1)],
        ["speeds of vertices by attach: median error", interval(speeds[:, 0]).percent()],
        ["speeds of vertices as -n df/dC: median error", interval(speeds[:, 1]).percent()],
    ]
    return markdown(["what", "measured"], rows)


def plot(result: Result) -> Figure:
    drawn = result["drawn"]
    canvas, axes = plots.figure(1, len(drawn) + 1, size=(2.8, 2.9))
    updates = result["holes"].shape[1] - 1
    for panel, values, update in zip(axes[0], drawn, _shown(updates), strict=False):
        draw_values(panel, values, f"update {update}")
    _draw_holes(axes[0, -1], result["holes"])
    return canvas


def _draw_holes(axes: Axes, holes: np.ndarray) -> None:
    for genus, style in zip((0, 1), plots.styles(), strict=False):
        share = 100 * coded.is_whole(holes, genus).mean(axis=0)
        axes.plot(share, label=f"genus {genus}", **style | {"marker": ""})
    axes.set(xlabel="update of the code", ylabel="seeds in one piece [%]")
    axes.legend(fontsize="small")


def _cow_becomes_duck(result: Result) -> Measured:
    holes = result["holes"]
    updates = holes.shape[1] - 1
    last = holes[:, int(np.ceil(LAST * updates)) :]
    samples = {
        "a cow at first": Sample(coded.is_whole(holes[:, 0], 0)),
        "a ring to the end": Sample(coded.is_whole(last, 1).min(axis=1)),
        "distance": Sample(1000 * result["chamfer"][:, 1]),
    }
    return Measured(samples, f"training losses up to {result['losses'].max():.4f}")


def _vertices_move(which: int, result: Result) -> Sample:
    return Sample(100 * result["speeds"][:, which])


CLAIMS = {
    "cow_becomes_duck": _cow_becomes_duck,
    "vertices_follow_the_field": lambda result: _vertices_move(0, result),
    "vertices_move_by_the_normal": lambda result: _vertices_move(1, result),
}
