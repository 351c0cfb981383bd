"""Slices of losses and their convexity, against closed forms and other algorithms."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.spatial import ConvexHull

import jaxnets as jn
from jaxnets.analysis import landscape
from jaxnets.models import CNN, Conv, Dense, Flatten


def test_along_walks_the_line():
    """`|c + s d|^2 = |c|^2 + 2 s c d + s^2 |d|^2`, over a tree of arrays."""
    centre = {"a": jnp.asarray([1.0, 2.0]), "b": jnp.asarray([[3.0]])}
    direction = {"a": jnp.asarray([1.0, -1.0]), "b": jnp.asarray([[0.5]])}
    s = jnp.linspace(-1, 2, 7)

    def square(params):
        return sum(jnp.sum(leaf**2) for leaf in jax.tree.leaves(params))

    found = landscape.along(square, centre, direction, s)
    np.testing.assert_allclose(found, 14 + 2 * s * 0.5 + s**2 * 2.25, rtol=1e-6)


def test_directions_have_the_norms_of_every_unit(key):
    params, drawn = (jn.MLP((6, 5), 3).init(k, jnp.zeros((1, 4))) for k in jax.random.split(key))
    drawn = jax.tree.map(lambda a: 7 * a + 1, drawn)
    found = landscape.filter_normalise(drawn, params)["params"]
    for name, layer in params["params"].items():
        norms = [np.linalg.norm(tree["weight"], axis=1) for tree in (layer, found[name])]
        np.testing.assert_allclose(*norms, rtol=1e-5)
        ratio = np.asarray(found[name]["weight"] / drawn["params"][name]["weight"])
        np.testing.assert_allclose(ratio, np.broadcast_to(ratio[:, :1], ratio.shape), rtol=1e-5)
        assert (ratio > 0).all()
        assert (found[name]["bias"] == 0).all()


def test_directions_of_convolutions_have_the_norms_of_every_channel(key):
    model = CNN((Conv(3, 2), Flatten(), Dense(2)))
    params, drawn = (model.init(k, jnp.zeros((1, 4, 4, 2))) for k in jax.random.split(key))
    drawn = jax.tree.map(lambda a: 7 * a, drawn)
    found = landscape.filter_normalise(drawn, params)
    kernels = [tree["params"]["layers_0"]["kernel"] for tree in (params, found)]
    norms = [np.linalg.norm(kernel.reshape(-1, 3), axis=0) for kernel in kernels]
    np.testing.assert_allclose(*norms, rtol=1e-5)


def test_excess_by_hand():
    t = jnp.linspace(0, 1, 5)
    assert float(landscape.excess(1 + t, t)) == pytest.approx(0, abs=1e-6)
    assert float(landscape.excess((1 - t) ** 2, t)) == 0
    bump = jnp.asarray([1.0, 1.5, 3.5, 1.5, 2.0])
    assert float(landscape.excess(bump, t)) == pytest.approx((3.5 - 1.5) / 2)


CURVES = {
    "parabola": lambda s: s**2,
    "cosines": lambda s: np.cos(7 * s) + s,
    "cubic": lambda s: s**3,
    "noise": lambda s: np.random.default_rng(0).normal(size=len(s)),
}


@pytest.mark.parametrize("curve", CURVES.values(), ids=CURVES)
def test_the_minorant_is_the_lower_convex_hull(curve):
    s = np.linspace(-1, 1, 61)
    y = curve(s)
    lid = [[s[0], y.max() + 9], [s[-1], y.max() + 9]]
    hull = ConvexHull(np.concatenate([np.stack([s, y], axis=1), lid]))
    corners = np.sort([i for i in hull.vertices if i < len(s)])
    np.testing.assert_allclose(landscape.convex_minorant(y), np.interp(s, s[corners], y[corners]))


@pytest.mark.parametrize("curve", CURVES.values(), ids=CURVES)
def test_the_gap_is_the_largest_violation_over_all_chords(curve):
    y = curve(np.linspace(-1, 1, 25))
    worst = 0.0
    for i in range(25):
        for k in range(i + 1, 25):
            t = np.arange(k - i + 1) / (k - i)
            worst = max(worst, (y[i : k + 1] - (1 - t) * y[i] - t * y[k]).max())
    assert landscape.gap(y) == pytest.approx(worst / np.ptp(y), abs=1e-12)


def test_valleys_and_local_minima_by_hand():
    two = np.asarray([5.0, 0.0, 3.0, 1.0, 5.0])
    assert landscape.valleys(two).tolist() == [1, 3]
    assert landscape.local_minima(two) == 1
    equal = np.asarray([5.0, 0.0, 3.0, 0.0, 5.0])
    assert landscape.local_minima(equal) == 0
    shallow = np.asarray([5.0, 2.0, 2.02, 1.99, 5.0])
    assert len(landscape.valleys(shallow)) == 1
    assert len(landscape.valleys(shallow, depth=0.001)) == 2
    lower_end = np.asarray([5.0, 3.0, 4.0, 0.0])
    assert landscape.local_minima(lower_end) == 1
    assert landscape.local_minima(np.linspace(-1, 1, 9) ** 2) == 0


def test_a_direction_of_zeros_stays_one():
    """As that between two checkpoints with a dead unit; it was 0 / 0."""
    direction = {"w": jnp.array([[0.0, 0.0], [3.0, 4.0]])}
    found = landscape.filter_normalise(direction, {"w": jnp.ones((2, 2))})["w"]
    np.testing.assert_allclose(found, [[0, 0], np.sqrt(2) * np.array([0.6, 0.8])], rtol=1e-6)
