"""Random surfaces and descents on them against closed forms and walks on a grid."""

import itertools
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from experiments.optimisation import random_surfaces
from experiments.optimisation.random_surfaces import PERIOD, SIDE, Surface

BOWL = Surface(jnp.asarray([[1.0]]), jnp.asarray([np.pi], jnp.float32), 1.0)
"""`-cos w`: its only minimum is at 0."""


@pytest.mark.parametrize("k", [1, 2])
def test_spectral_norms_are_those_of_numpy(k):
    matrices = np.random.default_rng(0).normal(size=(9, k, k))
    matrices += matrices.swapaxes(1, 2)
    found = random_surfaces.spectral_norms(jnp.asarray(matrices))
    np.testing.assert_allclose(found, np.linalg.norm(matrices, 2, axis=(1, 2)), rtol=1e-5)


@pytest.mark.parametrize("dimensions", [1, 2])
def test_surfaces_are_periodic_and_have_the_given_curvature(key, dimensions):
    surface, values = jax.jit(partial(random_surfaces.draw, dimensions))(key)
    w = jnp.linspace(0.1, 2.0, dimensions)
    shifted = w.at[0].add(PERIOD)
    value = partial(random_surfaces.value, surface)
    np.testing.assert_allclose(value(w), value(shifted), atol=1e-4)
    points = random_surfaces.grid(dimensions)
    places = (5, 9)[:dimensions]
    at = jnp.asarray(places) * PERIOD / SIDE
    np.testing.assert_allclose(values[places], value(at), atol=1e-4)
    step = 1e-2
    slope = jax.jit(jax.vmap(jax.grad(value)))
    ahead, behind = (slope(points + sign * step * np.eye(dimensions)[:1]) for sign in (1, -1))
    bends = np.abs(np.asarray(ahead - behind)[:, 0] / (2 * step)).max()
    assert bends <= 8.01
    assert dimensions == 2 or bends > 7.9


def test_surfaces_can_be_rougher_and_steeper(key):
    draw = partial(random_surfaces.draw, 1)
    smooth, gentle = jax.jit(partial(draw, highest=2))(key)
    rough, steep = jax.jit(partial(draw, highest=8, curvature=32.0))(key)
    assert (int(smooth.frequencies.max()), int(rough.frequencies.max())) == (2, 8)
    counts = [
        len(random_surfaces.minima(np.asarray(values), random_surfaces.APART / highest))
        for values, highest in ((gentle, 2), (steep, 8))
    ]
    assert counts[0] < counts[1]
    second = np.diff(np.asarray(steep, np.float64), 2) * (SIDE / PERIOD) ** 2
    assert np.abs(second).max() == pytest.approx(32, rel=0.05)


def test_a_descent_of_all_terms_never_climbs_at_one_over_the_curvature(key):
    surface, _ = jax.jit(partial(random_surfaces.draw, 2))(key)
    run = jax.jit(random_surfaces.descend, static_argnums=5)
    path = run(surface, jnp.asarray([1.0, 4.0]), key, 0.125, 1.0, 210)
    heights = jax.vmap(partial(random_surfaces.value, surface))(path)
    assert float(jnp.diff(heights).max()) < 1e-5
    assert float(heights[0] - heights[-1]) > 0.01


def test_a_descent_is_its_recurrence(key):
    path = random_surfaces.descend(BOWL, jnp.asarray([2.0]), key, 0.5, 1.0, 3)
    shown = random_surfaces.paths(jax.tree.map(np.asarray, BOWL), np.asarray([[2.0]]), steps=3)
    w, expected = 2.0, []
    for _ in range(3):
        w -= 0.5 * np.sin(w)
        expected.append([w])
    np.testing.assert_allclose(path, expected, rtol=1e-5)
    np.testing.assert_allclose(shown[1, 0], [[2.0], *expected], rtol=1e-5)


def test_some_terms_give_the_slope_on_average(key):
    """One step of many noisy descents, before the last 200."""
    surface, _ = jax.jit(partial(random_surfaces.draw, 1))(key)
    start, steps = jnp.asarray([1.0]), random_surfaces.SETTLING + 1
    slope = jax.grad(partial(random_surfaces.value, surface))(start)

    def first(key):
        return (start - random_surfaces.descend(surface, start, key, 1.0, 0.25, steps)[0])[0]

    slopes = np.asarray(jax.jit(jax.vmap(first))(jax.random.split(key, 2000)))
    assert abs(slopes.mean() - float(slope[0])) < 4 * slopes.std() / np.sqrt(2000)
    assert slopes.std() > 0.1


def test_minima_of_a_grid():
    """`cos 3 w` has three, and a dent next to one of them is not another."""
    w = np.arange(SIDE) * PERIOD / SIDE
    heights = np.cos(3 * w) + 0.1 * np.cos(w - 1)
    found = np.sort(random_surfaces.minima(heights)[:, 0])
    np.testing.assert_allclose(found, np.asarray([1, 3, 5]) * np.pi / 3, atol=0.1)
    plane = -np.cos(w[:, None] - 1) - np.cos(w[None] - 6)
    np.testing.assert_allclose(random_surfaces.minima(plane), [[1, 6]], atol=0.05)
    dented = heights.copy()
    dented[np.abs(w - np.pi / 3).argmin() + 3] -= 0.3
    assert len(random_surfaces.minima(dented)) == 3


def test_distances_go_around():
    a, b = np.asarray([[0.1, 3.0]]), np.asarray([[PERIOD - 0.2, 3.4], [0.1, 2.0]])
    np.testing.assert_allclose(random_surfaces.distances(a, b), [[0.5, 1.0]])


def test_outcomes_agree_with_walking_down_a_fine_grid(key):
    """On a line, a descent at 1/L stays in the valley it starts in."""
    counts = {"functions": 3, "starts": 8, "steps": 900}
    found = random_surfaces.outcomes(key, 1, **counts)
    surface_key, start_key, _ = jax.random.split(key, 3)
    draw = jax.jit(jax.vmap(partial(random_surfaces.draw, 1)))
    surfaces, _ = draw(jax.random.split(surface_key, 3))
    starts = jax.random.uniform(start_key, (3, 8, 1), maxval=PERIOD)
    w = np.arange(2048) * PERIOD / 2048
    for i in range(3):
        one = jax.tree.map(lambda a, i=i: np.asarray(a[i], np.float64), surfaces)
        waves = np.cos(one.frequencies * w[None] + one.phases[:, None])
        heights = np.mean(waves / np.maximum(np.abs(one.frequencies), 1), axis=0)
        ends = [_walk(heights, int(w / PERIOD * 2048)) for w in np.asarray(starts)[i, :, 0]]
        pairs = [one != other for one, other in itertools.combinations(ends, 2)]
        assert found["different"][i] == pytest.approx(np.mean(pairs))
        assert found["lowest"][0, i] == np.mean(np.asarray(ends) == heights.argmin())


def _walk(heights, i):
    n = len(heights)
    while True:
        best = min((i - 1) % n, i, (i + 1) % n, key=lambda j: heights[j])
        if best == i:
            return i
        i = best
