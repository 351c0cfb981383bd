"""Closed-form distances against points on the surface, and against what defines a distance."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxnets import shapes

HALF = np.asarray([0.5, 0.3, 0.4])
START, END = np.asarray([-0.3, 0.1, 0.2]), np.asarray([0.4, -0.2, 0.1])


def on_sphere(rng, n):
    x = rng.normal(size=(n, 3))
    return 0.6 * x / np.linalg.norm(x, axis=1, keepdims=True)


def on_box(rng, n):
    x = rng.uniform(-1, 1, size=(n, 3))
    axis = rng.integers(0, 3, size=n)
    x[np.arange(n), axis] = rng.choice([-1, 1], size=n)
    return x * HALF


def on_torus(rng, n):
    u, v = rng.uniform(0, 2 * np.pi, size=(2, n))
    out = 0.5 + 0.2 * np.cos(v)
    return np.stack([out * np.cos(u), out * np.sin(u), 0.2 * np.sin(v)], axis=1)


def on_capsule(rng, n):
    along = rng.uniform(size=(n, 1))
    sideways = np.cross(rng.normal(size=(n, 3)), END - START)
    tube = (
        START + along * (END - START) + 0.15 * sideways / np.linalg.norm(sideways, axis=1)[:, None]
    )
    ball = 0.25 * on_sphere(rng, n)
    ends = np.where(np.sum(ball * (END - START), axis=1)[:, None] > 0, END, START)
    return np.concatenate([tube, ends + ball])


SOLIDS = {
    "sphere": (lambda x: shapes.sphere(x, 0.6), on_sphere),
    "box": (lambda x: shapes.box(x, HALF), on_box),
    "torus": (lambda x: shapes.torus(x, 0.5, 0.2), on_torus),
    "capsule": (lambda x: shapes.capsule(x, START, END, 0.15), on_capsule),
}
EACH = pytest.mark.parametrize("name", SOLIDS)


@EACH
def test_zero_on_the_surface(x64, name):
    f, draw = SOLIDS[name]
    points = draw(np.random.default_rng(0), 500)
    np.testing.assert_allclose(f(points), 0, atol=1e-12)


@EACH
def test_distance_to_the_nearest_of_many_points_of_the_surface(x64, name):
    """Which is at least the distance, and hardly more where there are many."""
    f, draw = SOLIDS[name]
    rng = np.random.default_rng(1)
    points, surface = rng.uniform(-1, 1, size=(100, 3)), draw(rng, 20000)
    nearest = [np.linalg.norm(surface - p, axis=1).min() for p in points]
    gap = nearest - np.abs(f(points))
    assert gap.min() > -1e-12
    assert gap.max() < 0.03


@EACH
def test_gradient_of_length_one(x64, name):
    f, _ = SOLIDS[name]
    points = np.random.default_rng(2).uniform(-1, 1, size=(200, 3))
    slopes = jax.vmap(jax.grad(f))(jnp.asarray(points))
    np.testing.assert_allclose(np.linalg.norm(slopes, axis=1), 1, atol=1e-10)


@EACH
def test_no_nan_in_the_middle(name):
    f, _ = SOLIDS[name]
    for point in (np.zeros(3), START, END, np.asarray([0.5, 0, 0])):
        assert np.isfinite(jax.grad(f)(jnp.asarray(point, jnp.float32))).all()


def test_any_leading_axes_and_traced_sizes():
    points = np.random.default_rng(3).normal(size=(2, 5, 3)).astype(np.float32)
    for f, _ in SOLIDS.values():
        np.testing.assert_allclose(f(points), f(points.reshape(-1, 3)).reshape(2, 5), atol=1e-6)
    assert jax.grad(lambda r: shapes.sphere(points, r).sum())(0.5) == -10


def test_unions_and_differences_are_those_of_sets():
    points = np.random.default_rng(4).uniform(-1, 1, size=(500, 3))
    a, b = shapes.sphere(points, 0.6), shapes.box(points - [0.4, 0, 0], HALF)
    either, rest = shapes.union(a, b), shapes.difference(a, b)
    np.testing.assert_array_equal(either < 0, (a < 0) | (b < 0))
    np.testing.assert_array_equal(rest < 0, (a < 0) & (b > 0))
    np.testing.assert_array_equal(shapes.union(a), a)


def test_smooth_union_is_below_the_union_by_a_quarter_of_the_radius_at_most(x64):
    a, b = np.random.default_rng(5).normal(size=(2, 500))
    smooth, sharp = shapes.smooth_union(a, b, 0.4), shapes.union(a, b)
    gap = np.asarray(sharp - smooth)
    assert gap.min() >= 0
    assert gap.max() <= 0.1
    np.testing.assert_array_equal(gap[np.abs(a - b) >= 0.4], 0)
    np.testing.assert_allclose(shapes.smooth_union(a, a, 0.4), a - 0.1)
    np.testing.assert_array_equal(smooth, shapes.smooth_union(b, a, 0.4))


def test_smooth_union_has_a_continuous_derivative(x64):
    gaps = jnp.linspace(-0.5, 0.5, 2002)
    slopes = jax.vmap(jax.grad(lambda g: shapes.smooth_union(g, 0.0 * g, 0.4)))(gaps)
    assert np.abs(np.diff(slopes)).max() < 2e-3


BAD = {
    "flat points": (lambda: shapes.sphere(np.zeros((4, 2)), 1.0), ValueError, r"\(4, 2\)"),
    "no points": (lambda: shapes.sphere(1.0, 1.0), ValueError, r"expected \[\.\.\., 3\]"),
    "integers": (lambda: shapes.torus(np.zeros((4, 3), int), 1, 0.1), TypeError, "must be floats"),
    "text": (lambda: shapes.sphere("abc", 1.0), TypeError, "points is"),
    "no radius": (lambda: shapes.sphere(np.zeros(3), 0.0), ValueError, "radius is 0"),
    "a NaN": (lambda: shapes.torus(np.zeros(3), 1.0, np.nan), ValueError, "minor is nan"),
    "two edges": (
        lambda: shapes.box(np.zeros(3), [1.0, 1.0]),
        ValueError,
        r"half has shape \(2,\)",
    ),
    "a flat end": (
        lambda: shapes.capsule(np.zeros(3), [0.0] * 3, [0.0] * 2, 1.0),
        ValueError,
        "end has shape",
    ),
    "no solids": (lambda: shapes.union(), ValueError, "one solid or more"),
    "shapes": (lambda: shapes.difference(np.zeros(3), np.zeros(2)), ValueError, "one shape"),
    "no rounding": (
        lambda: shapes.smooth_union(np.zeros(3), np.zeros(3), -1),
        ValueError,
        "radius is -1",
    ),
}


@pytest.mark.parametrize(("call", "error", "message"), BAD.values(), ids=BAD)
def test_bad_input(call, error, message):
    with pytest.raises(error, match=message):
        call()
