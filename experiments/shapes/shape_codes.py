"""A cow and a duck as two codes of one network, and what lies between the codes (row C9; L0).

Claims: a latent vector C "parameterizes the surface" of `s = f(x | C)`; surfaces that are zero sets
"can easily change topology" (L0).

Command: `make shape_codes`, five minutes on 2 cores. Protocol: the cow is Spot, by Keenan Crane,
smoothed by one Loop subdivision, of genus 0; the duck is a swimming ring with a head, in closed
form, of genus 1 (`SET=duck=FILE.obj` reads another control mesh, such as Crane's Bob). Both fill a
ball of radius 0.9. A decoder and two codes are learned together, on points near the surfaces and
in the cube, with exact distances as targets; each seed draws the first weights and the batches.
Measured are the exact Chamfer distance, of points on either surface to the triangles of the other,
and the genus, by Euler's formula on the mesh of marching cubes; then the genus at seven weights
from one code to the other. Margins are in `experiments/claims/shape_codes`.
Expect distances of 0.0017 and 0.0010.
"""

from dataclasses import dataclass
from typing import Any

import jax
import numpy as np
from jax import Array
from matplotlib.figure import Figure

from jaxnets import meshes, plots
from jaxnets.claims import Sample
from jaxnets.host.paths import as_path
from jaxnets.meshes import Mesh
from jaxnets.models import CodedShapes
from jaxnets.storage.checkpoints import CheckpointConfig
from jaxnets.storage.digest import digest_of_file

from ..lab.claims import Result, interval, markdown
from ..lab.judging import Measured
from . import animals, coded
from .drawing import draw_values

NAMES = ("cow", "duck")
GENUS = (0, 1)
WEIGHTS = np.linspace(0, 1, 7)
"""Of the duck's code, on the way from the cow's."""
DRAWN = 40
"""Points along an edge of the grid for what is drawn."""


@dataclass(frozen=True)
class Config:
    seeds: int = 16
    points: int = 60_000
    """Of each shape, to learn from."""
    dimensions: int = 4
    """Numbers in a code."""
    width: int = 64
    layers: int = 6
    steps: int = 16_000
    learning_rate: float = 3e-3
    cells: int = 64
    """Points along an edge of the grid for marching cubes."""
    compared: int = 1500
    """Points on each surface for the Chamfer distance."""
    duck: str = ""
    """A file of another second shape."""
    seed: int = 1


SMOKE = Config(seeds=2, points=1000, width=16, layers=2, steps=20, cells=16, compared=64)


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
    rows = []
    for i in range(config.seeds):
        own = jax.tree.map(lambda leaf, i=i: leaf[i], params)
        rows.append(_measure(config, model, own, shapes, rng))
    found = {name: np.stack([row[name] for row in rows]) for name in rows[0]}
    first = jax.tree.map(lambda leaf: leaf[0], params)
    path = [np.asarray(coded.values(model, first, c, DRAWN)) for c in _between(first)[::2]]
    return found | {"losses": losses, "drawn": np.stack(path)}


def _between(params: Any) -> np.ndarray:
    cow, duck = np.asarray(params["params"]["codes"])
    return (1 - WEIGHTS)[:, None] * cow + WEIGHTS[:, None] * duck


def _measure(
    config: Config,
    model: CodedShapes,
    params: Any,
    shapes: tuple[Mesh, ...],
    rng: np.random.Generator,
) -> dict[str, np.ndarray]:
    """Chamfer distances `[2]`, handles and pieces `[2, 2]`, and those on the way `[weights, 2]`."""
    codes = params["params"]["codes"]
    learned = [coded.mesh(model, params, code, config.cells) for code in codes]
    distances = [
        np.nan if own is None else meshes.chamfer(own, shape, config.compared, rng)
        for own, shape in zip(learned, shapes, strict=True)
    ]
    path = [coded.mesh(model, params, code, config.cells) for code in _between(params)]
    return {
        "chamfer": np.asarray(distances),
        "holes": np.stack([coded.holes(own) for own in learned]),
        "path": np.stack([coded.holes(own) for own in path]),
    }


def table(result: Result) -> str:
    """Formats the distance and the topology of each shape, and the topology between them."""
    rows = []
    for i, name in enumerate(NAMES):
        rows.append(
            [f"{name}: Chamfer, thousandths", interval(1000 * result["chamfer"][:, i]).decimals(2)]
        )
        whole = coded.is_whole(result["holes"][:, i], GENUS[i])
        rows.append([f"{name}: genus {GENUS[i]}, one piece", f"{whole.mean():.0%}"])
    for weight, found in zip(WEIGHTS, np.swapaxes(result["path"], 0, 1), strict=True):
        shares = [f"genus {g} in {coded.is_whole(found, g).mean():.0%}" for g in GENUS]
        rows.append([f"duck's code by {weight:.2f}, one piece", ", ".join(shares)])
    return markdown(["what", "measured"], rows)


def plot(result: Result) -> Figure:
    canvas, axes = plots.figure(1, len(result["drawn"]), size=(2.6, 2.9))
    for panel, values, weight in zip(axes[0], result["drawn"], WEIGHTS[::2], strict=True):
        draw_values(panel, values, f"duck's code by {weight:.2f}")
    return canvas


def _code_is_a_shape(result: Result) -> Measured:
    samples = {}
    for i, name in enumerate(NAMES):
        samples[f"{name}, distance"] = Sample(1000 * result["chamfer"][:, i])
        samples[f"{name}, genus"] = Sample(coded.is_whole(result["holes"][:, i], GENUS[i]))
    return Measured(samples, f"training losses up to {result['losses'].max():.4f}")


def _topology_changes(result: Result) -> Sample:
    """Whether the largest piece has no handle at first, one at the end, and only one change."""
    path = result["path"][:, :, 0]
    steps = np.diff(path, axis=1)
    once = (path[:, 0] == 0) & (path[:, -1] == 1) & (np.abs(steps).sum(axis=1) == 1)
    return Sample(np.where(np.isnan(path).any(axis=1), np.nan, once))


CLAIMS = {"code_is_a_shape": _code_is_a_shape, "topology_changes": _topology_changes}
