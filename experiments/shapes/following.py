"""From one code to another by the gradient of a loss of vertices, and how vertices move."""

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax import Array
from optax.projections import projection_l2_ball

from jaxnets import meshes
from jaxnets.models import CodedShapes

from . import coded

VERTICES = 1000
"""Drawn among those of a mesh, with replacement, so that one program serves all meshes."""
PATH = 1.6
"""The length of all steps together, where the two codes are 1 apart."""
REACH, HALVINGS = 0.05, 24
"""Of the bisection along a normal."""
STEEP = 0.3
"""The least length of the gradient at vertices whose speed is compared."""


@partial(jax.jit, static_argnums=0)
def loss_and_slope(
    model: CodedShapes, params: Any, code: Array, vertices: Array, target: Array
) -> tuple[Array, Array]:
    """Computes the squared Chamfer distance of attached vertices to points, and dE/dC."""

    def loss(code: Array) -> Array:
        moved = meshes.attach(partial(model.distances, params), code, vertices)
        squared = jnp.sum((moved[:, None] - target[None]) ** 2, axis=-1)
        return jnp.mean(jnp.min(squared, axis=0)) + jnp.mean(jnp.min(squared, axis=1))

    return jax.value_and_grad(loss)(code)


def follow(
    model: CodedShapes,
    params: Any,
    target: np.ndarray,
    steps: int,
    cells: int,
    rng: np.random.Generator,
) -> np.ndarray:
    """Goes from the first code towards points of a surface, down the gradient on meshes of codes.

    Each step builds the mesh of the code, and takes the gradient from its vertices to the code.
    Steps have a given length, which falls to 0 along half a cosine. Adam, which scales each number
    of a code for itself, leaves the direction of the gradient. No code is longer than the longest
    that was learned (the bound of Park et al., 2019): beyond, the decoder has seen no shape.

    Returns:
        The codes `[steps + 1, dimensions]`; once one has no surface, all that follow repeat it.
    """
    codes = params["params"]["codes"]
    longest = jnp.linalg.norm(codes, axis=1).max()
    length = 2 * PATH / steps * jnp.linalg.norm(codes[1] - codes[0])
    optimiser = optax.chain(
        optax.normalize_by_update_norm(),
        optax.sgd(optax.cosine_decay_schedule(length, steps)),
    )
    code, goal = codes[0], jnp.asarray(target, jnp.float32)
    state, path = optimiser.init(code), [np.asarray(code)]
    for _ in range(steps):
        mesh = coded.mesh(model, params, code, cells)
        if mesh is not None:
            some = mesh.vertices[rng.choice(len(mesh.vertices), VERTICES)]
            vertices = jnp.asarray(some, jnp.float32)
            _, slope = loss_and_slope(model, params, code, vertices, goal)
            update, state = optimiser.update(slope, state)
            code = projection_l2_ball(optax.apply_updates(code, update), longest)
        path.append(np.asarray(code))
    return np.stack(path)


def speed_errors(
    model: CodedShapes, params: Any, cells: int, rng: np.random.Generator
) -> np.ndarray:
    """Compares how vertices move with bisection along the normal, at the code halfway.

    Returns:
        Two median relative errors: of `-n (df/dC) / |grad f|`, which `attach` has, and of
        `-n df/dC`; NaN where there is no surface.
    """
    cow, duck = params["params"]["codes"]
    code, direction = (cow + duck) / 2, (duck - cow) / jnp.linalg.norm(duck - cow)
    mesh = coded.mesh(model, params, code, cells)
    if mesh is None:
        return np.full(2, np.nan)
    some = jnp.asarray(mesh.vertices[rng.choice(len(mesh.vertices), VERTICES)], jnp.float32)
    step = 2e-3 * jnp.linalg.norm(duck - cow)
    truth, ours, steepness, found = _speeds(model, params, code, direction, step, some)
    keep = np.asarray(found & (steepness > STEEP))
    relative = (np.abs(ours / truth - 1), np.abs(ours * steepness / truth - 1))
    return np.asarray([np.median(error[keep]) if keep.any() else np.nan for error in relative])


@partial(jax.jit, static_argnums=0)
def _speeds(
    model: CodedShapes, params: Any, code: Array, direction: Array, step: Array, start: Array
) -> tuple[Array, Array, Array, Array]:
    """Speeds along the normal, by bisection and by `attach`; |grad f|; where zeros were found."""
    f = partial(model.distances, params)
    normal, _ = _normals(f, code, start)
    shift, on_surface = _bisect(f, code, start, normal)
    on = start + shift[:, None] * normal
    normal, steepness = _normals(f, code, on)
    ahead, first = _bisect(f, code + step * direction, on, normal)
    behind, second = _bisect(f, code - step * direction, on, normal)
    moved = jax.jvp(lambda c: meshes.attach(f, c, on), (code,), (direction,))[1]
    ours = jnp.sum(moved * normal, axis=1)
    return (ahead - behind) / (2 * step), ours, steepness, on_surface & first & second


def _normals(f: Any, code: Array, points: Array) -> tuple[Array, Array]:
    slopes = jax.grad(lambda p: jnp.sum(f(code, p)))(points)
    steepness = jnp.sqrt(jnp.sum(slopes**2, axis=1) + 1e-12)
    return slopes / steepness[:, None], steepness


def _bisect(f: Any, code: Array, start: Array, normal: Array) -> tuple[Array, Array]:
    """Finds how far along the normal f is 0, and whether it is within reach."""
    low, high = jnp.full(len(start), -REACH), jnp.full(len(start), REACH)

    def value(along: Array) -> Array:
        return f(code, start + along[:, None] * normal)

    def halve(_: int, ends: tuple[Array, Array]) -> tuple[Array, Array]:
        middle = (ends[0] + ends[1]) / 2
        inside = value(middle) < 0
        return jnp.where(inside, middle, ends[0]), jnp.where(inside, ends[1], middle)

    found = (value(low) < 0) & (value(high) > 0)
    low, high = jax.lax.fori_loop(0, HALVINGS, halve, (low, high))
    return (low + high) / 2, found
