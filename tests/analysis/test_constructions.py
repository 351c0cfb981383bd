"""Networks written down, against NumPy's interpolation, hand-computed weights and closed forms."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxnets.analysis.constructions import add, relu_bump, relu_interpolation, ridge, widen
from jaxnets.models import MLP, compact, count_parameters


def outputs(params, x):
    """Of points `[points]` or `[points, features]`, `[points]`."""
    x = jnp.asarray(x)
    model = MLP((len(params["params"]["hidden_0"]["bias"]),), activation="relu")
    return np.asarray(model.apply(params, x[:, None] if x.ndim == 1 else x))[:, 0]


def test_interpolation_is_numpys(x64):
    rng = np.random.default_rng(0)
    knots, values = np.sort(rng.uniform(-3, 3, 12)), rng.normal(size=12)
    params = relu_interpolation(knots, values)
    x = np.linspace(-5, knots[-1], 301)
    np.testing.assert_allclose(outputs(params, x), np.interp(x, knots, values), atol=1e-12)
    assert count_parameters(params) == 11 * 2 + 12


def test_interpolation_goes_straight_on(x64):
    """After the last knot, with the last slope."""
    x = np.asarray([2.0, 3.0, 10.0])
    found = outputs(relu_interpolation([0, 1, 2], [5, 4, 6]), x)
    np.testing.assert_allclose(found, 6 + 2 * (x - 2))


def test_interpolation_keeps_the_bound_of_the_textbooks(x64):
    for k in (3, 10, 40):
        knots = np.linspace(0, 2, k + 1)
        x = np.linspace(0, 2, 1001)
        error = np.abs(outputs(relu_interpolation(knots, np.exp(knots)), x) - np.exp(x)).max()
        bound = (2 / k) ** 2 * np.exp(2) / 8
        assert 0.5 * bound < error <= bound


def test_bump_has_the_weights_of_the_lecture():
    params = relu_bump((1, 3, 4, 8), 6)["params"]
    np.testing.assert_allclose(compact(params["hidden_0"]), [[1, -1], [1, -3], [1, -4], [1, -8]])
    np.testing.assert_allclose(compact(params["output"]), [[3, -3, -1.5, 1.5, 0]])


def test_bump_is_a_trapezium(x64):
    edges = (-1.5, -1.0, 0.3, 2.0)
    x = np.linspace(-10, 10, 401)
    expected = np.interp(x, edges, [0, -2, -2, 0])
    np.testing.assert_allclose(outputs(relu_bump(edges, -2.0), x), expected, atol=1e-13)


def test_sums_ridges_and_wider_layers_are_what_they_say(x64, key):
    x = np.asarray(jax.random.normal(key, (50, 3)))
    knots = np.linspace(-4, 4, 6)
    f, g = relu_interpolation(knots, knots**2), relu_bump((-1, 0, 0.5, 1), 2.0)
    v, w = np.asarray([1.0, -2.0, 0.5]), np.asarray([0.0, 1.0, 1.0])
    added = add([ridge(f, v), ridge(g, w)], (0.5, -3.0))
    expected = 0.5 * outputs(f, x @ v) - 3 * outputs(g, x @ w)
    np.testing.assert_allclose(outputs(added, x), expected, atol=1e-12)
    np.testing.assert_array_equal(outputs(widen(added, 20), x), outputs(added, x))
    assert len(widen(added, 20)["params"]["hidden_0"]["bias"]) == 20


def test_written_networks_can_be_trained_on(key):
    """In JAX's own precision: the tree is that of `MLP.init`."""
    params = relu_bump((-2, -1, 1, 2), 1.0)
    model = MLP((4,), activation="relu")
    drawn = model.init(key, jnp.zeros((1, 1)))
    assert jax.tree.structure(params) == jax.tree.structure(drawn)
    assert jax.tree.map(jnp.shape, params) == jax.tree.map(jnp.shape, drawn)
    grads = jax.grad(lambda p: model.apply(p, jnp.zeros((1, 1))).sum())(
        jax.tree.map(jnp.asarray, params)
    )
    np.testing.assert_array_equal(grads["params"]["output"]["weight"], [[2, 1, 0, 0]])


DEEP = {"params": {"hidden_0": {}, "hidden_1": {}, "output": {}}}
LINE = relu_interpolation([0, 1], [0, 1])
BAD = {
    "one knot": (lambda: relu_interpolation([0], [1]), "two points"),
    "lengths": (lambda: relu_interpolation([0, 1], [1, 2, 3]), r"values \(3,\)"),
    "falling": (lambda: relu_interpolation([0, 2, 1], [1, 2, 3]), "must be strictly increasing"),
    "equal": (lambda: relu_bump((0, 1, 1, 2), 1), "must be strictly increasing"),
    "nan": (lambda: relu_interpolation([0, 1], [1, np.nan]), "finite"),
    "three edges": (lambda: relu_bump((0, 1, 2), 1), "4 edges"),
    "ridge of a ridge": (lambda: ridge(ridge(LINE, (1, 1)), (1, 1)), "got 2"),
    "nothing": (lambda: add([]), "0 networks"),
    "factors": (lambda: add([LINE], (1, 2)), "1 networks"),
    "features": (lambda: add([LINE, ridge(LINE, (1, 1))]), "cannot be added"),
    "deep": (lambda: add([DEEP]), "one hidden layer"),
    "narrow": (lambda: widen(relu_bump((0, 1, 2, 3), 1), 3), "4 units already"),
}


@pytest.mark.parametrize(("build", "message"), BAD.values(), ids=BAD)
def test_what_does_not_fit_is_named(build, message):
    with pytest.raises(ValueError, match=message):
        build()
