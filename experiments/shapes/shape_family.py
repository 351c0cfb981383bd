"""Thirty cars as codes of one network: a prior for new cars, and a way between two (row C9; L0).

Claims: "simultaneously learn the network weights and a code C for each car", as a prior; then the
codes lead "from pickup truck to sports car" (L0, pictures).

Command: `make shape_family`, four minutes on 2 cores. Protocol: cars of boxes and wheels with
closed-form distances, of six numbers each; two of the thirty are a pickup and a sports car. A
decoder and thirty codes are learned together. Each seed draws weights, batches and new cars: of
each new car 800 points with distances are given, and only its code is learned. Cars are compared
by the volume of what is in both over that in any, on a grid. The most similar of the thirty is what
a new car is compared with; halfway between the codes of pickup and sports car, the surface is
compared with the car of the mean numbers. How well the six numbers are linear in the codes is
measured by leaving out each car in turn. Margins are in `experiments/claims/shape_family`. Expect
an overlap of 95 %, of new cars too.
"""

from dataclasses import dataclass
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax import Array, lax
from matplotlib.figure import Figure

from jaxnets import LOSSES, plots
from jaxnets.claims import Sample
from jaxnets.models import CodedShapes
from jaxnets.storage.checkpoints import CheckpointConfig
from jaxnets.training.optimizers import adam_cosine

from ..lab.claims import Result, interval, markdown
from ..lab.judging import Measured
from . import cars, coded
from .animals import overlap
from .drawing import draw_values

WEIGHTS = np.linspace(0, 1, 5)
PRIOR = 1e-5
"""Of a new code's squared length, in standard deviations of the codes that were learned."""


@dataclass(frozen=True)
class Config:
    seeds: int = 16
    cars: int = 30
    points: int = 4000
    """Of each car, to learn from."""
    dimensions: int = 6
    """Numbers in a code."""
    width: int = 64
    layers: int = 4
    steps: int = 6000
    learning_rate: float = 2e-3
    new: int = 8
    """Cars whose codes are learned after the network, a seed."""
    given: int = 800
    """Points of a new car."""
    updates: int = 400
    """Of a new car's code."""
    seed: int = 1


SMOKE = Config(
    seeds=2, cars=9, points=500, width=16, layers=2, steps=20, new=2, given=64, updates=10
)


def run(config: Config, key: Array, checkpoints: CheckpointConfig | None = None) -> Result:
    rng = np.random.default_rng(config.seed)
    numbers = np.stack([cars.PICKUP, cars.SPORTS_CAR, *cars.draw(config.cars - 2, rng)])
    drawn = [cars.samples(car, config.points, rng) for car in numbers]
    data = coded.numbered(*map(list, zip(*drawn, strict=True)))
    model = CodedShapes(config.cars, config.dimensions, coded.decoder(config.width, config.layers))
    keys = jax.random.split(key, config.seeds)
    params, losses = coded.train(
        model, "clamped_l1", data, keys, config.steps, config.learning_rate, checkpoints
    )
    truth = [cars.on_grid(car) for car in numbers]
    rows = []
    for i in range(config.seeds):
        own = jax.tree.map(lambda leaf, i=i: leaf[i], params)
        known = _known(model, own, numbers, truth)
        rows.append(known | _new(config, model, own, truth, rng))
    found = {name: np.stack([row[name] for row in rows]) for name in rows[0]}
    first = jax.tree.map(lambda leaf: leaf[0], params)
    path = [_values(model, first, _between(first, weight)) for weight in WEIGHTS]
    shape = (len(WEIGHTS), cars.GRID, cars.GRID, cars.GRID)
    return found | {"losses": losses, "drawn": np.stack(path).reshape(shape)}


def _values(model: CodedShapes, params: Any, code: Array) -> np.ndarray:
    return np.asarray(coded.values(model, params, code, cars.GRID)).ravel()


def _between(params: Any, weight: float) -> Array:
    pickup, sports_car = params["params"]["codes"][:2]
    return (1 - weight) * pickup + weight * sports_car


def _known(
    model: CodedShapes, params: Any, numbers: np.ndarray, truth: list[np.ndarray]
) -> dict[str, np.ndarray]:
    """Overlaps `[cars]`; halfway from pickup to sports car; what is linear in the codes, `[6]`."""
    codes = params["params"]["codes"]
    learned = [_values(model, params, code) for code in codes]
    middle = cars.on_grid(numbers[:2].mean(axis=0))
    halfway = overlap(_values(model, params, _between(params, 0.5)), middle)
    ends = max(overlap(own, middle) for own in truth[:2])
    return {
        "overlaps": np.asarray([overlap(a, b) for a, b in zip(learned, truth, strict=True)]),
        "halfway": np.asarray([halfway, ends]),
        "linear": explained(np.asarray(codes, float), numbers.astype(float)),
    }


def explained(codes: np.ndarray, numbers: np.ndarray) -> np.ndarray:
    """Computes the share of each number's variance that codes predict linearly, `[numbers]`.

    Each car is predicted from the others; the share is below 0 where the mean of the others would
    be better.
    """
    rows = np.column_stack([codes, np.ones(len(codes))])
    left = np.diag(rows @ np.linalg.pinv(rows))[:, None]
    residuals = (numbers - rows @ np.linalg.lstsq(rows, numbers)[0]) / (1 - left)
    mean = (numbers - numbers.mean(axis=0)) / (1 - 1 / len(numbers))
    return 1 - np.sum(residuals**2, axis=0) / np.sum(mean**2, axis=0)


def _new(
    config: Config,
    model: CodedShapes,
    params: Any,
    truth: list[np.ndarray],
    rng: np.random.Generator,
) -> dict[str, np.ndarray]:
    """Overlaps of new cars with what their codes give, and with the nearest known, `[new, 2]`."""
    numbers = cars.draw(config.new, rng)
    given = [cars.samples(car, config.given, rng) for car in numbers]
    points, distances = (jnp.asarray(np.stack(part)) for part in zip(*given, strict=True))
    codes = infer(model, config.updates, params, points, distances)
    rows = []
    for car, code in zip(numbers, codes, strict=True):
        own = cars.on_grid(car)
        nearest = max(overlap(own, other) for other in truth)
        rows.append([overlap(own, _values(model, params, code)), nearest])
    return {"new": np.asarray(rows)}


@partial(jax.jit, static_argnums=(0, 1))
def infer(model: CodedShapes, updates: int, params: Any, points: Array, distances: Array) -> Array:
    """Learns the codes `[n, dimensions]` of shapes from `points [n, m, 3]` and their distances.

    By Adam, from the mean of the known codes, at a rate of a fifth of their standard deviation that
    falls to 0.
    """
    known = params["params"]["codes"]
    scale = jnp.std(known, axis=0)
    loss = LOSSES["clamped_l1"].value
    optimiser = adam_cosine(updates)(0.2)

    def of_one(points: Array, distances: Array) -> Array:
        def objective(moved: Array) -> Array:
            code = jnp.mean(known, axis=0) + scale * moved
            outputs = model.distances(params, code, points)
            return jnp.mean(loss(outputs[:, None], distances[:, None])) + PRIOR * moved @ moved

        def update(carry: tuple[Array, Any], _: None) -> tuple[tuple[Array, Any], None]:
            moved, state = carry
            change, state = optimiser.update(jax.grad(objective)(moved), state)
            return (optax.apply_updates(moved, change), state), None

        start = jnp.zeros(model.dimensions)
        (moved, _), _ = lax.scan(update, (start, optimiser.init(start)), None, updates)
        return jnp.mean(known, axis=0) + scale * moved

    return jax.vmap(of_one)(points, distances)


def table(result: Result) -> str:
    """Formats overlaps, and the share of each number that is linear in the codes."""
    rows = [
        ["known cars: overlap", interval(result["overlaps"].mean(axis=1)).percent()],
        ["new cars: overlap", interval(result["new"][:, :, 0].mean(axis=1)).percent()],
        ["the nearest known car", interval(result["new"][:, :, 1].mean(axis=1)).percent()],
        ["halfway, with the car of mean numbers", interval(result["halfway"][:, 0]).percent()],
        ["pickup or sports car, with that car", interval(result["halfway"][:, 1]).percent()],
    ]
    for name, shares in zip(cars.NUMBERS, result["linear"].T, strict=True):
        rows.append([f"{name}: linear in the code", interval(shares).percent()])
    return markdown(["what", "measured"], rows)


def plot(result: Result) -> Figure:
    canvas, axes = plots.figure(1, len(WEIGHTS), size=(2.8, 2.4))
    for panel, values, weight in zip(axes[0], result["drawn"], WEIGHTS, strict=True):
        draw_values(panel, values, f"sports car by {weight:.2f}", upright=False)
    return canvas


def _code_for_each_car(result: Result) -> Measured:
    sample = Sample(100 * result["overlaps"].mean(axis=1))
    return Measured(sample, f"training losses up to {result['losses'].max():.4f}")


def _prior_for_new_cars(result: Result) -> Sample:
    return Sample(*100 * result["new"].mean(axis=1).T)


def _pickup_to_sports_car(result: Result) -> Sample:
    return Sample(*100 * result["halfway"].T)


CLAIMS = {
    "code_for_each_car": _code_for_each_car,
    "prior_for_new_cars": _prior_for_new_cars,
    "pickup_to_sports_car": _pickup_to_sports_car,
}
