"""Toy problems: labels against NumPy, shapes against SciPy and scikit-learn, noise by counting."""

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats
from scipy.optimize import rosen
from scipy.spatial import cKDTree
from sklearn.datasets import make_moons

from jaxnets.data import toy
from jaxnets.data.toy import TOY

N = 4000
KEY = jax.random.key(0)
PROBLEMS = pytest.mark.parametrize("problem", TOY.values(), ids=TOY)
NOISY = pytest.mark.parametrize(
    "problem", [TOY[name] for name in TOY if name != "random_points"], ids=lambda f: f.__name__
)


def draw(problem, n=N, key=KEY, **options):
    return {name: np.asarray(array) for name, array in problem(key, n, **options).items()}


def within(share, expected, n=N, sigmas=4.5):
    """Whether a share of n independent draws is where a binomial puts it."""
    return abs(share - expected) <= sigmas * np.sqrt(expected * (1 - expected) / n)


@PROBLEMS
@pytest.mark.parametrize("n", [1, 7])
def test_shapes_and_types(problem, n):
    points = jax.eval_shape(lambda key: problem(key, n), KEY)
    chex.assert_shape(points["x"], (n, 2))
    chex.assert_type(points["x"], jnp.float32)
    chex.assert_shape(points["y"], (n,))
    chex.assert_type(points["y"], jnp.int32)


@PROBLEMS
def test_both_labels_appear(problem):
    assert set(draw(problem)["y"].tolist()) == {0, 1}


@PROBLEMS
def test_a_key_decides_everything(problem):
    points = draw(problem)
    chex.assert_trees_all_equal(points, draw(problem))
    other = draw(problem, key=jax.random.key(1))
    assert not np.isclose(points["x"], other["x"], rtol=0, atol=1e-6).all(axis=1).any()


@PROBLEMS
def test_compiled_equals_uncompiled(problem):
    compiled = jax.jit(problem, static_argnames="n")
    chex.assert_trees_all_close(compiled(KEY, n=N), problem(KEY, N), atol=1e-5)


def test_rosenbrock_is_scipys():
    x = np.random.default_rng(0).uniform(-2, 2, (5, 7, 2)).astype(np.float32)
    truth = rosen(np.moveaxis(x.astype(np.float64), -1, 0))
    np.testing.assert_allclose(toy.rosenbrock(x), truth, rtol=1e-4, atol=1e-4)
    assert toy.rosenbrock(jnp.ones(2)) == 0


@pytest.mark.parametrize("threshold", [0.1, 0.5, 2.0])
def test_region_is_where_rosenbrock_is_low(threshold):
    points = draw(toy.rosenbrock_region, threshold=threshold, inside=0.3)
    height = rosen(points["x"].T.astype(np.float64))
    clear = np.abs(height - threshold) > 1e-4
    assert clear.mean() > 0.99
    np.testing.assert_array_equal(points["y"][clear], height[clear] < threshold)


@pytest.mark.parametrize(("inside", "share"), [(0.4, 0.4157), (0.0, 0.0262), (1.0, 1.0)])
def test_region_class_balance(inside, share):
    assert within(draw(toy.rosenbrock_region, inside=inside)["y"].mean(), share)


def test_region_area_by_counting_a_grid():
    x1, x2 = np.meshgrid(np.linspace(0, 2, 1001), np.linspace(0, 3, 1501))
    area = (rosen(np.stack([x1, x2])) < 0.5).mean() * 6
    assert area == pytest.approx(np.pi * 0.5 / 10, rel=5e-3)


def test_region_is_covered_uniformly():
    x = draw(toy.rosenbrock_region, inside=1.0)["x"].astype(np.float64)
    u, v = 1 - x[:, 0], 10 * (x[:, 1] - x[:, 0] ** 2)
    assert stats.kstest((u**2 + v**2) / 0.5, "uniform").pvalue > 1e-3
    assert stats.kstest(np.arctan2(v, u) / (2 * np.pi) + 0.5, "uniform").pvalue > 1e-3


def test_region_stays_in_a_domain_that_cuts_it():
    points = draw(toy.rosenbrock_region, domain=((0.0, 1.0), (0.5, 2.0)))
    assert (points["x"] >= [0, 0.5]).all()
    assert (points["x"] <= [1, 2]).all()
    assert points["y"].any()


def test_surface_has_rosenbrocks_heights():
    points = draw(toy.rosenbrock_surface, domain=((-1.0, 0.5), (0.0, 2.0)))
    assert points["y"].shape == (N, 1)
    np.testing.assert_allclose(points["y"][:, 0], rosen(points["x"].T), rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(points["x"].min(0), [-1, 0], atol=0.05)
    np.testing.assert_allclose(points["x"].max(0), [0.5, 2], atol=0.05)


@pytest.mark.parametrize(("cells", "share"), [(2, 1 / 2), (3, 4 / 9), (4, 1 / 2)])
def test_checkerboard_colours(cells, share):
    points = draw(toy.checkerboard, cells=cells)
    edges = np.linspace(-1, 1, cells + 1)[1:-1].astype(np.float32)
    column, row = np.searchsorted(edges, points["x"].T, side="right")
    np.testing.assert_array_equal(points["y"], (column ^ row) & 1)
    assert within(points["y"].mean(), share)


def test_xor_table_is_the_operator():
    table = toy.xor_table()
    rows = [(int(a), int(b), int(y)) for (a, b), y in zip(table["x"], table["y"], strict=True)]
    assert rows == [(a, b, a ^ b) for a in (0, 1) for b in (0, 1)]


def test_xor_clusters():
    points = draw(toy.xor, noise=0.05)
    corner = np.rint(points["x"]).astype(int)
    assert {tuple(row) for row in corner.tolist()} == {(0, 0), (0, 1), (1, 0), (1, 1)}
    np.testing.assert_array_equal(points["y"], corner[:, 0] ^ corner[:, 1])
    assert (points["x"] - corner).std() == pytest.approx(0.05, rel=0.05)


def test_moons_lie_on_scikit_learns():
    ours = draw(toy.two_moons)
    x, y = make_moons(20_000, shuffle=False)
    for label in (0, 1):
        a, b = ours["x"][ours["y"] == label], x[y == label]
        assert cKDTree(b).query(a)[0].max() < 1e-3
        assert cKDTree(a).query(b)[0].max() < 0.03


def test_circles_have_their_radii():
    points = draw(toy.circles, factor=0.3)
    radius = np.hypot(*points["x"].T)
    np.testing.assert_allclose(radius, np.where(points["y"] == 0, 1.0, 0.3), rtol=1e-5)
    angle = np.arctan2(*points["x"].T) / (2 * np.pi) + 0.5
    assert stats.kstest(angle, "uniform").pvalue > 1e-3


@pytest.mark.parametrize("turns", [0.5, 1.5, 3.0])
def test_spirals_turn_with_the_radius(turns):
    points = draw(toy.spirals, turns=turns)
    point = points["x"][:, 0] + 1j * points["x"][:, 1]
    unwound = point * np.exp(-2j * np.pi * turns * np.abs(point))
    side = np.where(points["y"] == 0, 1, -1)
    np.testing.assert_allclose(unwound, side * np.abs(point), atol=1e-4)
    assert stats.kstest((np.abs(point) - 0.1) / 0.9, "uniform").pvalue > 1e-3


@pytest.mark.parametrize("problem", [toy.two_moons, toy.spirals, toy.circles])
def test_paired_curves_share_the_points_evenly(problem):
    assert draw(problem)["y"].sum() == N // 2


@pytest.mark.parametrize("classes", [2, 5])
def test_random_points_know_nothing(classes):
    points = draw(toy.random_points, classes=classes)
    for axis in points["x"].T:
        assert stats.kstest((axis + 1) / 2, "uniform").pvalue > 1e-3
    assert stats.chisquare(np.bincount(points["y"], minlength=classes)).pvalue > 1e-3
    quadrant = (points["x"] > 0) @ [1, 2]
    table = stats.contingency.crosstab(quadrant, points["y"]).count
    assert table.shape == (4, classes)
    assert stats.chi2_contingency(table).pvalue > 1e-3


@NOISY
def test_noise_moves_points_and_keeps_labels(problem):
    still, moved = draw(problem, noise=0.0), draw(problem, noise=0.3)
    np.testing.assert_array_equal(still["y"], moved["y"])
    assert stats.kstest((moved["x"] - still["x"]).ravel() / 0.3, "norm").pvalue > 1e-3


@NOISY
@pytest.mark.parametrize("flip", [0.1, 0.5])
def test_flip_changes_its_share_of_labels(problem, flip):
    clean, flipped = draw(problem), draw(problem, flip=flip)
    np.testing.assert_array_equal(clean["x"], flipped["x"])
    assert within((clean["y"] != flipped["y"]).mean(), flip)


def test_flips_do_not_depend_on_the_noise():
    clean, both = draw(toy.circles), draw(toy.circles, noise=0.3, flip=0.3)
    moved = (both["x"] - clean["x"])[clean["y"] != both["y"]] / 0.3
    for axis in moved.T:
        assert stats.kstest(axis, "norm").pvalue > 1e-3


def test_a_sweep_over_flips_is_a_vmap():
    swept = jax.vmap(lambda flip: toy.circles(KEY, N, flip=flip))(jnp.array([0.0, 0.25]))
    for row, flip in enumerate((0.0, 0.25)):
        one = toy.circles(KEY, N, flip=flip)
        np.testing.assert_array_equal(swept["y"][row], one["y"])


@PROBLEMS
def test_zero_points_are_refused(problem):
    with pytest.raises(ValueError, match="n is 0; it must be 1 or more"):
        problem(KEY, 0)


@NOISY
@pytest.mark.parametrize(
    "option", [{"noise": -0.1}, {"noise": np.inf}, {"flip": -0.1}, {"flip": 0.6}, {"flip": np.nan}]
)
def test_impossible_noise_is_refused(problem, option):
    with pytest.raises(ValueError, match=f"{next(iter(option))} is .*; it must be finite"):
        problem(KEY, 5, **option)


@pytest.mark.parametrize(
    ("problem", "options", "message"),
    [
        (toy.rosenbrock_region, {"threshold": -1.0}, "threshold is -1.0"),
        (toy.rosenbrock_region, {"inside": 1.5}, "inside is 1.5.*between 0 and 1"),
        (toy.rosenbrock_region, {"domain": ((0, 0), (0, 1))}, "domain is"),
        (toy.rosenbrock_surface, {"domain": ((0, 1), (1, 0))}, "expected .*x1_low, x1_high"),
        (toy.checkerboard, {"cells": 0}, "cells is 0"),
        (toy.spirals, {"turns": -1}, "turns is -1.*between 0 and"),
        (toy.circles, {"factor": 2}, "factor is 2"),
        (toy.random_points, {"classes": 1}, "classes is 1"),
    ],
)
def test_impossible_shapes_are_refused(problem, options, message):
    with pytest.raises(ValueError, match=message):
        problem(KEY, 5, **options)
