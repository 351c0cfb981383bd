"""Cars of boxes and wheels, with closed-form distances: a family of six numbers."""

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from jaxnets import meshes, shapes

from .animals import samples_around

NUMBERS = ("length", "height", "cabin's place", "cabin's length", "cabin's height", "wheels")
"""Half of each size, and the radius of the wheels."""
LEAST = np.asarray([0.60, 0.10, -0.30, 0.14, 0.07, 0.10], np.float32)
MOST = np.asarray([0.80, 0.17, 0.10, 0.32, 0.17, 0.16], np.float32)
PICKUP = np.asarray([0.78, 0.16, -0.25, 0.16, 0.17, 0.16], np.float32)
SPORTS_CAR = np.asarray([0.70, 0.10, 0.08, 0.30, 0.08, 0.12], np.float32)
HALF_WIDTH, CABIN_WIDTH, AXLE = 0.30, 0.26, 0.62
"""The axles are at that share of half the length."""
ROUNDED = 0.03
GRID = 40
"""Points along an edge of the grid on which cars are compared."""


@jax.jit
def distance(numbers: Array, points: Array) -> Array:
    """Computes the distances `[n]` of `points [n, 3]` to a car of `numbers [6]`; z is up.

    They are exact outside, where no part is nearer to a point inside than the surface.
    """
    length, height, place, cabin_length, cabin_height, wheel = numbers
    body = _rounded_box(points, jnp.stack([length, jnp.float32(HALF_WIDTH), height]))
    middle = jnp.stack([place, jnp.float32(0), height + cabin_height])
    half = jnp.stack([cabin_length, jnp.float32(CABIN_WIDTH), cabin_height + 0.04])
    cabin = _rounded_box(points - middle[None], half)
    folded = jnp.concatenate([jnp.abs(points[:, :2]), points[:, 2:]], axis=1)
    axle = jnp.stack([AXLE * length, jnp.float32(HALF_WIDTH), -height])
    upright = (folded - axle[None])[:, jnp.asarray([0, 2, 1])]
    return shapes.union(body, cabin, shapes.torus(upright, wheel / 2, wheel / 2))


def _rounded_box(points: Array, half: Array) -> Array:
    return shapes.box(points, half - ROUNDED) - ROUNDED


def draw(n: int, rng: np.random.Generator) -> np.ndarray:
    """Draws the numbers of cars, `[n, 6]`."""
    return rng.uniform(LEAST, MOST, size=(n, len(NUMBERS))).astype(np.float32)


def samples(numbers: np.ndarray, n: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Draws points `[n, 3]` around a car, and computes their distances `[n]`."""
    surface = meshes.march(on_grid(numbers).reshape(GRID, GRID, GRID))
    points = samples_around(surface, n, rng)
    return points, np.asarray(distance(jnp.asarray(numbers), jnp.asarray(points)))


def on_grid(numbers: np.ndarray) -> np.ndarray:
    """Computes the distances to a car on the points of a grid, `[GRID^3]`."""
    return np.asarray(distance(jnp.asarray(numbers), jnp.asarray(meshes.grid(GRID))))
