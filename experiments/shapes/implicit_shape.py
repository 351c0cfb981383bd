"""One shape as the zero set of one network, by its activation and its loss (row C9; L0).

Claims: "represent a 3D surface by the zero crossings of a signed distance function", of which
`s = f(x)` is a network: "f(x) is the signed distance to the surface" (L0).

Command: `make implicit_shape`, four minutes on 2 cores. Protocol: the duck of `shape_codes`, a ring
with a head, of genus 1; points near it and in the cube, with exact distances as targets. Each
network has the same layers and steps; each seed draws weights and batches. The shape is compared
by the volume of what is in both over that in any, on a grid; the length of the gradient of f, which
is 1 for a distance, within 0.05 of the surface, closer than where the loss clamps.

Collapse: the loss of DeepSDF clamps outputs and targets. A network whose outputs are all beyond the
limit has no gradient then; the default here clamps the targets only. Both are trained from networks
as they are drawn, and from networks whose output is shifted by 3 at first. Margins are in
`experiments/claims/implicit_shape`. Expect an overlap of 98 % with ReLU.
"""

from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from matplotlib.axes import Axes
from matplotlib.figure import Figure

import jaxnets as jn
from jaxnets import meshes, plots
from jaxnets.claims import Sample
from jaxnets.data import Dataset
from jaxnets.losses import clamped_l1
from jaxnets.storage.checkpoints import CheckpointConfig

from ..lab.claims import Result, interval, markdown
from ..lab.judging import Measured
from . import animals, coded
from .drawing import draw_values

GRID = 40
"""Points along an edge of the grid."""
NEAR = 0.05
"""Where the length of the gradient is measured."""
SHIFT = 3.0
"""More than the outputs of a network as drawn differ in the cube."""
GENUS = 1


class Shifted(jn.MLP):
    """An MLP of which the output begins `shift` too high."""

    shift: float = 0.0

    def init(self, key: Array, x: Array) -> Any:
        """Draws the params for samples like x."""
        layers = dict(super().init(key, x)["params"])
        layers["output"] = layers["output"] | {"bias": layers["output"]["bias"] + self.shift}
        return {"params": layers}


class Arm(NamedTuple):
    """How a network is trained."""

    activation: str = "relu"
    outputs_too: bool = False
    """Whether the loss clamps the outputs as well."""
    shift: float = 0.0


ARMS = {
    "relu": Arm(),
    "elu": Arm("elu"),
    "tanh": Arm("tanh"),
    "softplus": Arm("softplus"),
    "gaussian": Arm("gaussian"),
    "relu, outputs clamped": Arm(outputs_too=True),
    "relu, shifted": Arm(shift=SHIFT),
    "relu, outputs clamped, shifted": Arm(outputs_too=True, shift=SHIFT),
}
RELU, SHIFTED, STUCK = 0, 6, 7
DRAWN = (0, 2, 3)


@dataclass(frozen=True)
class Config:
    seeds: int = 16
    points: int = 40_000
    width: int = 64
    layers: int = 4
    steps: int = 2000
    learning_rate: float = 3e-3
    seed: int = 1


SMOKE = Config(seeds=2, points=1000, width=16, layers=2, steps=20)


def run(config: Config, key: Array, checkpoints: CheckpointConfig | None = None) -> Result:
    rng = np.random.default_rng(config.seed)
    points, distances = animals.samples(animals.duck(), config.points, rng)
    data = Dataset({"x": points, "y": distances[:, None]})
    truth = meshes.signed_distance(meshes.grid(GRID), animals.duck())
    arms = []
    for arm, arm_key in zip(ARMS.values(), jax.random.split(key, len(ARMS)), strict=True):
        model = Shifted((config.width,) * config.layers, 1, arm.activation, shift=arm.shift)
        params, losses = coded.train(
            model,
            clamped_l1(outputs_too=arm.outputs_too),
            data,
            jax.random.split(arm_key, config.seeds),
            config.steps,
            config.learning_rate,
            checkpoints,
        )
        arms.append(_measure(model, params, truth) | {"losses": losses})
    return {name: np.stack([arm[name] for arm in arms], axis=1) for name in arms[0]}


def _measure(model: jn.MLP, params: Any, truth: np.ndarray) -> dict[str, np.ndarray]:
    """Overlaps `[seeds]`, handles and pieces, lengths of the gradient; values of the first seed."""
    grid = jnp.asarray(meshes.grid(GRID))
    near = jnp.asarray(np.abs(truth) < NEAR)
    values, lengths = jax.jit(jax.vmap(partial(_field, model, grid)))(params)
    values, lengths = np.asarray(values), np.asarray(lengths)[:, near]
    cubes = values.reshape(-1, GRID, GRID, GRID)
    crossing = [cube if cube.min() < 0 < cube.max() else None for cube in cubes]
    surfaces = [None if cube is None else meshes.march(cube) for cube in crossing]
    return {
        "overlaps": np.asarray([animals.overlap(own, truth) for own in values]),
        "holes": np.stack([coded.holes(surface) for surface in surfaces]),
        "lengths": np.stack([lengths.mean(axis=1), lengths.std(axis=1)], axis=1),
        "drawn": cubes[:1],
    }


def _field(model: jn.MLP, points: Array, params: Any) -> tuple[Array, Array]:
    """Outputs `[n]` and the lengths of their gradients `[n]`."""

    def value(points: Array) -> tuple[Array, Array]:
        found = model.apply(params, points)[:, 0]
        return jnp.sum(found), found

    slopes, found = jax.grad(value, has_aux=True)(points)
    return found, jnp.sqrt(jnp.sum(slopes**2, axis=1))


def table(result: Result) -> str:
    """Formats overlap, topology and length of the gradient by activation and loss."""
    rows = []
    for i, name in enumerate(ARMS):
        holes = result["holes"][:, i]
        rows.append(
            [
                name,
                interval(result["overlaps"][:, i]).percent(),
                f"{(coded.is_whole(holes, GENUS) == 1).mean():.0%}",
                interval(result["lengths"][:, i, 0]).decimals(3),
                f"{np.isnan(holes[:, 0]).mean():.0%}",
            ]
        )
    head = ["network", "overlap", "genus 1, one piece", "length of the gradient", "no surface"]
    return markdown(head, rows)


def plot(result: Result) -> Figure:
    canvas, axes = plots.figure(1, 4, size=(3.2, 3.2))
    for panel, which in zip(axes[0], DRAWN, strict=False):
        draw_values(panel, result["drawn"][0, which], list(ARMS)[which])
    _draw_overlaps(axes[0, 3], result)
    return canvas


def _draw_overlaps(axes: Axes, result: Result) -> None:
    overlaps = 100 * result["overlaps"]
    places = np.arange(len(ARMS))
    style = next(plots.styles()) | {"linestyle": "", "alpha": 0.4}
    axes.plot(overlaps.T, places, **style)
    axes.set_yticks(places, list(ARMS), fontsize="x-small")
    axes.invert_yaxis()
    axes.set(xlabel="overlap [%], a dot per seed")


def _network_is_a_shape(result: Result) -> Measured:
    samples = {
        "overlap": Sample(100 * result["overlaps"][:, RELU]),
        "genus": Sample(coded.is_whole(result["holes"][:, RELU], GENUS)),
        "length of the gradient": Sample(result["lengths"][:, RELU, 0]),
    }
    return Measured(samples, f"training losses up to {result['losses'][:, RELU].max():.4f}")


def _clamped_outputs_collapse(result: Result) -> dict[str, Sample]:
    collapsed = _collapsed(result)
    return {
        "outputs clamped, shifted": Sample(collapsed[:, STUCK]),
        "shifted": Sample(collapsed[:, SHIFTED]),
        "as drawn": Sample(collapsed[:, RELU]),
    }


def _collapsed(result: Result) -> np.ndarray:
    """Whether there is no surface, 0 or 1, `[seeds, arms]`; NaN where the loss is NaN."""
    none = np.isnan(result["holes"][:, :, 0]).astype(float)
    return np.where(np.isnan(result["losses"]), np.nan, none)


CLAIMS = {
    "network_is_a_shape": _network_is_a_shape,
    "clamped_outputs_collapse": _clamped_outputs_collapse,
}
