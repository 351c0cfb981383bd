"""L-BFGS against SciPy's, closed forms, and one start against many."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.optimize import minimize, rosen

import jaxnets as jn
from jaxnets.converge import minimise


def rosenbrock(w):
    return jnp.sum(100 * (w[1:] - w[:-1] ** 2) ** 2 + (1 - w[:-1]) ** 2)


def quartic(w, centre):
    return jnp.sum((w - centre) ** 4 + (w - centre) ** 2) + 1.0


@pytest.mark.parametrize("n", [2, 5])
def test_rosenbrock_as_scipy(x64, n):
    start = np.linspace(-1.2, 0.8, n)
    scipy = minimize(rosen, start, method="L-BFGS-B", options={"ftol": 1e-15, "gtol": 1e-9})
    found = minimise(rosenbrock, jnp.asarray(start))
    assert found.converged
    assert found.gradient_norm <= 1e-8
    np.testing.assert_allclose(found.params, scipy.x, rtol=1e-5)
    np.testing.assert_allclose(found.params, 1, rtol=1e-7)


def test_a_network_reaches_scipy_s_loss(x64, key):
    """With a penalty, so that there is a minimum; both may end in another of its mirror images."""
    x = jnp.linspace(-2, 2, 30)[:, None]
    batch = {"x": x, "y": (x[:, 0] > 0.3).astype(jnp.int32)}
    objective = jn.Objective(jn.MLP((3,)), "binary_cross_entropy", l2=1e-2)
    start, unravel = jax.flatten_util.ravel_pytree(objective.model.init(key, x))
    value_and_grad = jax.jit(jax.value_and_grad(lambda w: objective(unravel(w), batch)[0]))
    options = {"ftol": 1e-15, "gtol": 1e-9, "maxiter": 5000}
    scipy = minimize(value_and_grad, start, jac=True, method="L-BFGS-B", options=options)
    found = minimise(lambda w, batch: objective(w, batch)[0], unravel(start), batch)
    assert found.converged
    np.testing.assert_allclose(found.loss, scipy.fun, rtol=1e-6)
    _, gradient = value_and_grad(jax.flatten_util.ravel_pytree(found.params)[0])
    np.testing.assert_allclose(found.gradient_norm, np.linalg.norm(gradient), atol=1e-10)


def test_many_starts_at_once_are_as_many_one_by_one(x64):
    starts, centre = jnp.asarray([[0.0, 1.0], [5.0, -3.0], [2.0, 2.0]]), jnp.asarray([1.0, 2.0])
    together = jax.vmap(lambda start: minimise(quartic, start, centre))(starts)
    for i, start in enumerate(starts):
        alone = minimise(quartic, start, centre)
        assert together.steps[i] == alone.steps
        np.testing.assert_allclose(together.params[i], alone.params, atol=1e-10)
    assert together.converged.all()


def test_single_precision_has_its_digits():
    found = minimise(quartic, {"a": jnp.zeros(3)}["a"], jnp.asarray([1.0, 2.0, 3.0]))
    np.testing.assert_allclose(found.params, [1, 2, 3], rtol=1e-4)
    assert found.params.dtype == jnp.float32
    assert found.converged


def test_a_search_that_ends_early_says_so(x64):
    found = minimise(rosenbrock, jnp.asarray([-1.2, 1.0]), steps=3)
    assert not found.converged
    assert found.steps == 3
    assert found.loss < rosenbrock(jnp.asarray([-1.2, 1.0]))


def test_a_kink_ends_the_search_not_converged(x64):
    found = minimise(lambda w: jnp.sum(jnp.abs(w - 0.3)), jnp.asarray([1.0, -2.0]), steps=500)
    assert not found.converged
    assert found.steps < 500
    assert found.loss < 3


@pytest.mark.parametrize(
    ("objective", "options", "error", "message"),
    [
        (lambda w: w, {}, ValueError, "must be a scalar"),
        (lambda w: (jnp.sum(w), {}), {}, ValueError, "must be a scalar"),
        (lambda w: jnp.sum(1 / w), {}, ValueError, "not finite at the start"),
        (jnp.sum, {"memory": 0}, ValueError, "memory is 0"),
        (jnp.sum, {"tolerance": 0.0}, ValueError, "tolerance is 0"),
        (3, {}, TypeError, "objective is 3"),
    ],
)
def test_wrong_problems_are_named(objective, options, error, message):
    with pytest.raises(error, match=message):
        minimise(objective, jnp.zeros(2), **options)


def test_a_search_from_a_known_start_can_be_compiled():
    """Under jit the start is known, but what is computed from it is not."""

    def valley(x, height):
        return height * jnp.sum((x - 3.0) ** 2)

    start = jnp.zeros(2)
    found = jax.jit(lambda height: minimise(valley, start, height).params)(jnp.asarray(2.0))
    np.testing.assert_allclose(found, 3.0, rtol=1e-5)
