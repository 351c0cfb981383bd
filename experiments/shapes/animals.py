"""A cow and a duck as meshes, points around them with their distances, and what is built of those.

The cow is the control mesh of Spot by Keenan Crane, who released it into the public domain, with
coordinates of four decimals. The duck is a swimming ring with a head, of closed-form distances; the
file of another mesh can be given instead.
"""

from functools import cache
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np

from jaxnets import meshes, shapes
from jaxnets.meshes import Mesh

COW = Path(__file__).with_name("spot.obj")
RADIUS = 0.9
"""Of the ball that each shape fills."""
DUCK_GRID = 32
NEAR, NEARER, ANYWHERE = 0.4, 0.4, 0.2
"""Shares of the points: within about 0.05 and 0.016 of the surface, and in the cube."""


@cache
def cow() -> Mesh:
    """Reads the cow, smoothed by one subdivision: genus 0, its nose along -z, its back along y."""
    return meshes.normalise(meshes.subdivide(meshes.read_obj(COW)), RADIUS)


@cache
def duck(path: str = "") -> Mesh:
    """Builds the duck, of genus 1, or reads a control mesh and smooths it by one subdivision."""
    if path:
        return meshes.normalise(meshes.subdivide(meshes.read_obj(path)), RADIUS)
    n = DUCK_GRID
    values = jax.jit(duck_distance)(jnp.asarray(meshes.grid(n))).reshape(n, n, n)
    return meshes.normalise(meshes.march(values), RADIUS)


def duck_distance(points: jax.Array) -> jax.Array:
    """Computes values `[n]` that are 0 on the duck's surface: a ring, a tail, a head and a beak."""
    upright = points[:, jnp.asarray([0, 2, 1])] - jnp.asarray([[0.0, 0.0, -0.25]])
    body = shapes.torus(upright, 0.48, 0.22)
    tail = shapes.capsule(upright, [0.0, 0.55, 0.1], [0.0, 0.78, 0.3], 0.08)
    head = shapes.sphere(upright - jnp.asarray([[0.0, -0.5, 0.45]]), 0.26)
    beak = shapes.capsule(upright, [0.0, -0.7, 0.42], [0.0, -0.85, 0.4], 0.07)
    whole = shapes.smooth_union(body, head, 0.2)
    return shapes.smooth_union(shapes.smooth_union(whole, tail, 0.1), beak, 0.05)


def samples(mesh: Mesh, n: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Draws points `[n, 3]` around a mesh, and computes their distances `[n]`."""
    points = samples_around(mesh, n, rng)
    return points, meshes.signed_distance(points, mesh)


def samples_around(mesh: Mesh, n: int, rng: np.random.Generator) -> np.ndarray:
    """Draws points `[n, 3]`, most of them near the surface, the others in the cube."""
    near, nearer = int(NEAR * n), int(NEARER * n)
    surface = meshes.surface_points(mesh, near + nearer, rng)
    spread = np.repeat([0.05, 0.016], [near, nearer])[:, None]
    around = surface + spread * rng.normal(size=surface.shape)
    anywhere = rng.uniform(-1, 1, size=(n - len(surface), 3))
    return np.concatenate([around, anywhere]).astype(np.float32)


def overlap(a: np.ndarray, b: np.ndarray) -> float:
    """Computes the volume of what is in both over that in any, of distances on one grid."""
    shared, either = np.sum((a < 0) & (b < 0)), np.sum((a < 0) | (b < 0))
    return float(shared / either) if either else 0.0
