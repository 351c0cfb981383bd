"""How attached vertices move, against bisection along the normal and against closed forms."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxnets import MLP, meshes, shapes
from jaxnets.meshes import attach

N = 40


def sphere(code, x):
    return shapes.sphere(x, code[0])


def steep(code, x):
    """The zero set of a sphere, with a gradient whose length is not 1 and changes."""
    return 3.7 * sphere(code, x) * (1 + x[:, 0] ** 2)


def torus(code, x):
    return shapes.torus(x, code[0], code[1])


FAMILIES = {
    "sphere": (sphere, (0.6,), [4 * np.pi * 0.6**2]),
    "steep": (steep, (0.6,), [4 * np.pi * 0.6**2]),
    "torus": (torus, (0.5, 0.2), [2 * np.pi**2 * 0.2**2, 4 * np.pi**2 * 0.5 * 0.2]),
}


def surface(f, code, n=N):
    values = jax.jit(f)(code, jnp.asarray(meshes.grid(n)))
    return meshes.march(np.asarray(values).reshape(n, n, n))


def volume_of(f, mesh):
    def volume(code):
        a, b, c = jnp.moveaxis(attach(f, code, mesh.vertices)[mesh.triangles], 1, 0)
        return jnp.sum(a * jnp.cross(b, c)) / 6

    return volume


@pytest.mark.parametrize("name", FAMILIES)
def test_volume_grows_as_its_closed_form_says(name):
    """With an error that falls fourfold where the cells are halved."""
    f, code, expected = FAMILIES[name]
    code, errors = jnp.asarray(code), []
    for n in (32, 63):
        mesh = surface(f, code, n)
        assert volume_of(f, mesh)(code) == pytest.approx(meshes.volume(mesh), rel=1e-4)
        errors.append(np.asarray(jax.grad(volume_of(f, mesh))(code)) / expected - 1)
    assert np.abs(errors[1]).max() < 0.01
    assert (np.abs(errors[0] / errors[1] - 4) < 1).all()


def network():
    """A zero set that no formula describes: of a network, with its code as an input."""
    decoder = MLP((16, 16), activation="tanh")
    params = decoder.init(jax.random.key(3), jnp.zeros((1, 5)))

    def f(code, x):
        rows = jnp.concatenate([jnp.broadcast_to(code, (len(x), 2)), x], axis=1)
        return shapes.sphere(x, 0.6) * (1.5 + x[:, 1]) + 0.4 * decoder.apply(params, rows)[:, 0]

    return f, jnp.asarray([0.3, -0.2])


def along_the_normal(f, code, start, normal):
    """How far along the normal the zero is, by bisection."""
    low, high = jnp.full(len(start), -0.05), jnp.full(len(start), 0.05)
    for _ in range(40):
        middle = (low + high) / 2
        inside = f(code, start + middle[:, None] * normal) < 0
        low, high = jnp.where(inside, middle, low), jnp.where(inside, high, middle)
    return (low + high) / 2


def test_vertices_move_as_bisection_along_the_normal_says(x64):
    f, code = network()
    start = jnp.asarray(surface(f, code, 24).vertices)
    slopes = jax.grad(lambda x: f(code, x).sum())(start)
    steepness = jnp.linalg.norm(slopes, axis=1)
    normal = slopes / steepness[:, None]
    on = start + along_the_normal(f, code, start, normal)[:, None] * normal
    slopes = jax.grad(lambda x: f(code, x).sum())(on)
    steepness = jnp.linalg.norm(slopes, axis=1)
    normal = slopes / steepness[:, None]
    direction = jnp.asarray([0.6, 0.8])
    ahead, behind = (along_the_normal(f, code + h * direction, on, normal) for h in (1e-4, -1e-4))
    truth = (ahead - behind) / 2e-4
    moved = jax.jvp(lambda c: attach(f, c, on), (code,), (direction,))[1]
    ours = jnp.sum(moved * normal, axis=1)
    assert np.median(np.abs(ours / truth - 1)) < 1e-3
    np.testing.assert_allclose(jnp.linalg.norm(moved, axis=1), np.abs(ours), atol=1e-12)
    # Without the square of the gradient's length, -n df / dC, the speed is wrong by that much.
    assert np.median(np.abs(ours * steepness / truth - 1)) > 0.1


def test_backward_is_the_transpose_of_forward(x64):
    f, code = network()
    vertices = surface(f, code, 16).vertices
    forward = jax.jacfwd(lambda c: attach(f, c, vertices))(code)
    backward = jax.jacrev(jax.jit(lambda c: attach(f, c, vertices)))(code)
    np.testing.assert_allclose(forward, backward, atol=1e-12)


def test_any_tree_can_be_the_code():
    """Moving and growing at once: dv = centre's speed along the normal, plus the radius's."""

    def ball(code, x):
        return shapes.sphere(x - jnp.broadcast_to(code["centre"], x.shape), code["radius"])

    code = {"centre": jnp.zeros(3), "radius": 0.5}
    vertices = np.asarray([[0.5, 0, 0], [0, 0.5, 0], [0.3, 0, 0.4]], np.float32)
    speed = {"centre": jnp.asarray([0.0, 1.0, 0.0]), "radius": 0.2}
    value, moved = jax.jvp(lambda c: attach(ball, c, vertices), (code,), (speed,))
    np.testing.assert_array_equal(value, vertices)
    expected = (2 * vertices[:, 1:2] + 0.2) * 2 * vertices
    np.testing.assert_allclose(moved, expected, atol=1e-6)


BAD = {
    "no function": (lambda: attach(3, jnp.ones(1), np.zeros((2, 3))), TypeError, "must be a func"),
    "flat": (lambda: attach(sphere, jnp.ones(1), np.zeros((2, 2))), ValueError, r"\(2, 2\)"),
    "text": (lambda: attach(sphere, jnp.ones(1), ["a"]), TypeError, "vertices is"),
    "columns": (
        lambda: attach(lambda c, x: x, jnp.ones(1), np.zeros((2, 3))),
        ValueError,
        r"f returns the shape \(2, 3\)",
    ),
}


@pytest.mark.parametrize(("call", "error", "message"), BAD.values(), ids=BAD)
def test_bad_input(call, error, message):
    with pytest.raises(error, match=message):
        call()
