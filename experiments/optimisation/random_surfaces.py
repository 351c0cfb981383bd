"""Gradient descent on random smooth surfaces, by all of a loss or by some of its terms (row E3).

A surface is a mean of cosines of period 2 pi, scaled so that its largest curvature is 8. Then the
lecture's steps are eta = 0.125 = 1/L, which never climbs, and eta = 0.5 = 4/L, twice what a minimum
that sharp can bear. A mini-batch is some of the cosines.
"""

from functools import partial
from itertools import product
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array, lax

from jaxnets.parallel.rows import parallel_map

TERMS = 64
HIGHEST = 4
"""The largest frequency along an axis, unless said otherwise."""
CURVATURE = 8.0
"""The largest curvature, unless said otherwise."""
PERIOD = 2 * np.pi
SIDE = 128
"""Points of the grid along an axis."""
APART = 1.6
"""Minima of the grid that are nearer than this, over the largest frequency, count as one: half the
shortest wave is 2.2 over it."""
RATES = (0.125, 0.5)
SHARES = (1.0, 1 / 2, 1 / 4, 1 / 8, 1 / 16, 1 / 32, 1 / 64)
"""Of the terms in a step: the first is gradient descent."""
SETTLING = 200
"""Steps with all terms at the end of every descent."""
FLAT = 1e-3
"""A slope below which a descent has settled."""
NEAR = 0.01
"""A descent this close to the lowest point, in shares of the surface's range, has reached it."""


class Surface(NamedTuple):
    """`f(w) = scale / N sum_n cos(frequency_n . w + phase_n) / |frequency_n|`."""

    frequencies: Array
    """Integers `[terms, dimensions]`."""
    phases: Array
    """`[terms]`."""
    scale: Array | float


def value(surface: Surface, w: Array | np.ndarray, weights: Array | float = 1.0) -> Array:
    """Computes `f(w)` at one point `[dimensions]`, each term multiplied by its weight `[terms]`."""
    waves = jnp.cos(surface.frequencies @ w + surface.phases)
    lengths = jnp.maximum(jnp.linalg.norm(surface.frequencies, axis=1), 1)
    return surface.scale * jnp.mean(weights * waves / lengths)


def draw(
    dimensions: int, key: Array, highest: int = HIGHEST, curvature: float = CURVATURE
) -> tuple[Surface, Array]:
    """Draws a random surface of that largest curvature; also returns its values on the grid.

    The values are `[SIDE] * dimensions`: entry `[i, j]` belongs to `w = PERIOD / SIDE (i, j)`.
    """
    frequency_key, phase_key = jax.random.split(key)
    shape = (TERMS, dimensions)
    frequencies = jax.random.randint(frequency_key, shape, -highest, highest + 1)
    phases = jax.random.uniform(phase_key, (TERMS,), maxval=PERIOD)
    unscaled = Surface(frequencies.astype(phases.dtype), phases, 1.0)
    points = grid(dimensions)
    bends = jax.vmap(jax.hessian(partial(value, unscaled)))(points)
    surface = unscaled._replace(scale=curvature / spectral_norms(bends).max())
    values = jax.vmap(partial(value, surface))(points)
    return surface, values.reshape((SIDE,) * dimensions)


def spectral_norms(matrices: Array) -> Array:
    """Computes the largest absolute eigenvalues `[n]` of symmetric `[n, k, k]`, k = 1 or 2."""
    k = matrices.shape[-1]
    middle = jnp.trace(matrices, axis1=1, axis2=2) / k
    apart = jnp.sum(matrices**2, axis=(1, 2)) / k - middle**2
    return jnp.abs(middle) + jnp.sqrt(jnp.maximum(apart, 0))


def grid(dimensions: int) -> np.ndarray:
    """Returns points `[SIDE^dimensions, dimensions]` of one period, last coordinate fastest."""
    ticks = np.arange(SIDE, dtype=np.float32) * np.float32(PERIOD / SIDE)
    axes = np.meshgrid(*[ticks] * dimensions, indexing="ij")
    return np.stack([axis.ravel() for axis in axes], axis=1)


def descend(surface: Surface, start: Array, key: Array, rate: Any, share: Any, steps: int) -> Array:
    """Descends from `start [dimensions]` and returns the points `[steps, dimensions]`.

    Each step takes every term with chance `share` and divides by it, so that the slope is right on
    average: the noise of a mini-batch. The last steps (`SETTLING`) take all terms.
    """

    def step(w: Array, i: Array) -> tuple[Array, Array]:
        chance = jnp.where(i < steps - SETTLING, share, 1.0)
        taken = jax.random.uniform(jax.random.fold_in(key, i), surface.phases.shape) < chance
        w = w - rate * jax.grad(value, 1)(surface, w, taken / chance)
        return w, w

    return lax.scan(step, start, jnp.arange(steps))[1]


def minima(values: np.ndarray, apart_by: float = APART / HIGHEST) -> np.ndarray:
    """Finds local minima `[minima, dimensions]` of values on the periodic grid, lowest first."""
    lower = np.ones(values.shape, bool)
    for shift in product((-1, 0, 1), repeat=values.ndim):
        if any(shift):
            lower &= values < np.roll(values, shift, axis=tuple(range(values.ndim)))
    places = np.argwhere(lower)[np.argsort(values[lower])] * (PERIOD / SIDE)
    apart = places[:1]
    for place in places[1:]:
        if distances(apart, place[None]).min() > apart_by:
            apart = np.concatenate([apart, place[None]])
    return apart


def distances(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Computes distances `[a, b]` of points `[a, dimensions]`, `[b, dimensions]` on the torus."""
    apart = np.abs(a[:, None] - b[None]) % PERIOD
    return np.linalg.norm(np.minimum(apart, PERIOD - apart), axis=-1)


def outcomes(
    key: Array,
    dimensions: int,
    functions: int,
    starts: int,
    steps: int,
    highest: int = HIGHEST,
    curvature: float = CURVATURE,
) -> dict[str, np.ndarray]:
    """Measures where descents on random surfaces end, shares `[functions]` of `starts` starts.

    `closest`: without noise and at the first of `RATES`, in the minimum nearest to the start;
    `different`: the share of pairs of these descents that end in two minima; `global`: the share
    that ends in the lowest one; `settled [rates, functions]`: the share that comes to rest; `lowest
    [shares, functions]`: that comes as low as the lowest point, or nearly, at the first rate.
    """
    surface_key, start_key, noise_key = jax.random.split(key, 3)
    keys = jax.random.split(surface_key, functions)
    drawn = partial(draw, dimensions, highest=highest, curvature=curvature)
    surfaces, values = parallel_map(drawn, keys, group=1)
    first = jax.random.uniform(start_key, (functions, starts, dimensions), maxval=PERIOD)
    settings = [*((rate, 1.0) for rate in RATES), *((RATES[0], share) for share in SHARES[1:])]
    ends, heights, slopes = _ends(surfaces, first, noise_key, settings, steps)
    maps = np.asarray(values)
    flat = maps.reshape(functions, -1)
    reached = heights <= (flat.min(1) + NEAR * np.ptp(flat, axis=1))[None, :, None]
    nearest = partial(_nearest_minima, APART / highest)
    chosen = [nearest(*each) for each in zip(maps, np.asarray(first), ends[0], strict=True)]
    return {
        "closest": np.asarray([np.mean(begin == end) for begin, end in chosen]),
        "different": np.asarray([different_pairs(end) for _, end in chosen]),
        "global": np.asarray([np.mean(end == 0) for _, end in chosen]),
        "settled": np.mean(slopes[: len(RATES)] < FLAT, axis=2),
        "lowest": np.delete(reached, range(1, len(RATES)), axis=0).mean(axis=2),
        "map": maps[0],
        "paths": paths(jax.tree.map(lambda a: np.asarray(a[0]), surfaces), np.asarray(first[0])),
    }


def _ends(
    surfaces: Surface, first: Array, key: Array, settings: list[tuple[float, float]], steps: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Points `[settings, functions, starts, dimensions]`, and heights and slopes there."""
    functions, starts, _ = first.shape
    each, on = np.divmod(np.arange(len(settings) * functions), functions)
    rate, share = np.asarray(settings, np.float32).T

    def one(row: dict[str, Any]) -> tuple[Array, Array, Array]:
        def descent(start: Array, key: Array) -> tuple[Array, Array, Array]:
            end = descend(row["surface"], start, key, row["rate"], row["share"], steps)[-1]
            height, slope = jax.value_and_grad(value, 1)(row["surface"], end)
            return end, height, jnp.linalg.norm(slope)

        return jax.vmap(descent)(row["first"], jax.random.split(row["key"], starts))

    rows = {
        "surface": jax.tree.map(lambda a: a[on], surfaces),
        "first": first[on],
        "key": jax.random.split(key, len(on)),
        "rate": rate[each],
        "share": share[each],
    }
    found = parallel_map(one, rows, group=1)
    shape = (len(settings), functions)
    ends, heights, slopes = (np.asarray(a).reshape(*shape, *a.shape[1:]) for a in found)
    return ends, heights, slopes


def different_pairs(ends: np.ndarray) -> float:
    """Computes the share of pairs of `ends [starts]`, numbers of minima, that differ."""
    return float(np.mean(ends[:, None] != ends[None]) * len(ends) / (len(ends) - 1))


def _nearest_minima(
    apart_by: float, values: np.ndarray, first: np.ndarray, ends: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """For every descent, the minimum nearest to its start and the one nearest to its end."""
    places = minima(values, apart_by)
    return distances(first, places).argmin(1), distances(ends, places).argmin(1)


def paths(surface: Surface, first: np.ndarray, starts: int = 6, steps: int = 24) -> np.ndarray:
    """Returns the first points `[rates, starts, 1 + steps, dimensions]` of noiseless descents."""
    frequencies, phases, scale = surface
    directions = frequencies / np.maximum(np.linalg.norm(frequencies, axis=1, keepdims=True), 1)
    found = []
    for rate in RATES:
        points = [first[:starts]]
        for _ in range(steps):
            waves = -np.sin(points[-1] @ frequencies.T + phases[None])
            points.append(points[-1] - rate * scale * waves @ directions / len(phases))
        found.append(np.stack(points, axis=1))
    return np.stack(found)
