"""Least squares against certified values, SciPy, closed forms, and one way against another."""

from functools import partial
from itertools import pairwise

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.optimize import least_squares

import jaxnets as jn
from jaxnets.converge import levenberg_marquardt
from jaxnets.converge.restarts import squared_error_jacobian, squared_error_residuals
from tests.support.nist import SETS

EACH_SET = pytest.mark.parametrize("name", SETS)


def differences(model, b, x, y):
    return model(b, x) - y


# One function a set: equal functions share a compiled program.
RESIDUALS = {name: partial(differences, found.model) for name, found in SETS.items()}


def fit(name, start=None, **options):
    found = SETS[name]
    start = jnp.asarray(found.start if start is None else start)
    return levenberg_marquardt(RESIDUALS[name], start, found.x, found.y, **options)


@EACH_SET
def test_the_data_have_the_certified_residual_sum(name):
    found = SETS[name]
    with jax.enable_x64(True):
        rest = differences(found.model, jnp.asarray(found.certified), found.x, found.y)
    assert np.sum(np.asarray(rest) ** 2) == pytest.approx(found.residual_sum, rel=1e-9)


@EACH_SET
def test_the_first_start_of_nist_leads_to_the_certified_values(x64, name):
    found = fit(name, steps=2000)
    np.testing.assert_allclose(found.params, SETS[name].certified, rtol=1e-6)
    np.testing.assert_allclose(2 * found.loss, SETS[name].residual_sum, rtol=1e-9)
    assert found.converged
    assert found.steps < 1000, found.steps


@EACH_SET
def test_scipy_finds_the_same(x64, name):
    problem = SETS[name]

    def residuals(b):
        return np.asarray(differences(problem.model, jnp.asarray(b), problem.x, problem.y))

    near = 1.02 * problem.certified
    scipy = least_squares(residuals, near, x_scale="jac", xtol=1e-14, ftol=1e-14, gtol=1e-14)
    ours = fit(name, near)
    np.testing.assert_allclose(ours.params, scipy.x, rtol=2e-6)
    np.testing.assert_allclose(ours.loss, scipy.cost, rtol=1e-9)


def test_a_linear_problem_is_solved_at_once(x64):
    """By the closed form `(X^T X)^-1 X^T y`, with params that are a tree."""
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(30, 4)), rng.normal(size=30)
    start = {"slope": jnp.zeros((3, 1)), "rest": {"last": jnp.zeros(())}}

    def residuals(params, x, y):
        w = jnp.append(params["slope"].ravel(), params["rest"]["last"])
        return x @ w - y

    found = levenberg_marquardt(residuals, start, x, y, tolerance=1e-10)
    expected = np.linalg.lstsq(x, y, rcond=None)[0]
    np.testing.assert_allclose(found.params["slope"], expected[:3, None], rtol=1e-8)
    np.testing.assert_allclose(found.params["rest"]["last"], expected[3], rtol=1e-8)
    assert found.steps < 10
    gradient = jax.grad(lambda p: 0.5 * jnp.sum(residuals(p, x, y) ** 2))(found.params)
    norm = np.sqrt(sum(np.sum(np.asarray(leaf) ** 2) for leaf in jax.tree.leaves(gradient)))
    np.testing.assert_allclose(found.gradient_norm, norm, atol=1e-12)


def sine(samples=40, dtype=float):
    x = np.linspace(-np.pi, np.pi, samples, dtype=dtype)[:, None]
    return {"x": jnp.asarray(x), "y": jnp.sin(x + 0.3)}


MODEL = jn.MLP((4,))


def fit_network(start, part, model=MODEL, **options):
    return levenberg_marquardt(squared_error_residuals(model), start, part, **options)


@pytest.mark.parametrize("steps", [1, 3, 10])
def test_conjugate_gradients_take_the_steps_of_cholesky(x64, key, monkeypatch, steps):
    monkeypatch.setattr("jaxnets.converge.damped.CG_TOLERANCE", 1e-13)
    part = sine()
    start = MODEL.init(key, part["x"])
    found = [
        fit_network(start, part, steps=steps, dense=dense, scaled=False) for dense in (True, False)
    ]
    assert found[0].steps == found[1].steps == steps
    for one, other in zip(*map(jax.tree.leaves, found), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-6)


def test_qr_takes_the_steps_of_cholesky(x64, key, monkeypatch):
    part = sine()
    start = MODEL.init(key, part["x"])
    one = fit_network(start, part, steps=5)
    jax.clear_caches()
    monkeypatch.setattr("jaxnets.converge.damped.by_cholesky", jn.converge.damped.by_qr)
    other = fit_network(start, part, steps=5)
    jax.clear_caches()
    for a, b in zip(*map(jax.tree.leaves, (one, other)), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-7)


@pytest.mark.parametrize("steps", [3, 10, 200])
def test_many_starts_at_once_are_as_many_one_by_one(x64, steps):
    starts = SETS["Misra1a"].start * np.linspace(0.8, 1.3, 5)[:, None]
    together = jax.vmap(lambda start: fit("Misra1a", start, steps=steps))(jnp.asarray(starts))
    for i, start in enumerate(starts):
        alone = fit("Misra1a", start, steps=steps)
        np.testing.assert_allclose(together.params[i], alone.params, rtol=1e-8)
        np.testing.assert_allclose(together.loss[i], alone.loss, rtol=1e-8)
    assert (together.converged == (steps == 200)).all()


def test_the_loss_never_rises(x64):
    losses = [float(fit("MGH09", steps=steps).loss) for steps in range(1, 40)]
    assert all(b <= a * (1 + 1e-12) for a, b in pairwise(losses))
    assert losses[-1] < 0.1 * losses[0]


@pytest.mark.parametrize("unit", [1e-4, 1e5])
def test_the_path_is_the_same_in_other_units(x64, unit):
    """Marquardt's scaling; Levenberg's own damping is not invariant."""
    problem = SETS["Rat43"]
    units = jnp.asarray([unit, 1.0, 1 / unit, 1.0])

    def in_units(b, x, y):
        return differences(problem.model, b * units, x, y)

    one = fit("Rat43", steps=12)
    start = jnp.asarray(problem.start) / units
    other = levenberg_marquardt(in_units, start, problem.x, problem.y, steps=12)
    np.testing.assert_allclose(other.params * units, one.params, rtol=1e-7)
    without = levenberg_marquardt(in_units, start, problem.x, problem.y, steps=12, scaled=False)
    assert not np.allclose(without.params * units, one.params, rtol=1e-3)


@pytest.mark.parametrize("name", ["Misra1a", "Thurber", "Rat43"])
def test_single_precision_has_its_digits(name):
    problem = SETS[name]
    found = fit(name, problem.start.astype(np.float32), steps=300)
    assert found.params.dtype == jnp.float32
    np.testing.assert_allclose(found.params, problem.certified, rtol=5e-3)
    np.testing.assert_allclose(2 * found.loss, problem.residual_sum, rtol=1e-3)


def test_a_wide_network_needs_no_jacobian(key):
    """2,341 weights, more than are ever factored."""
    part = sine(dtype=np.float32)
    model = jn.MLP((60, 36))
    start = model.init(key, part["x"])
    found = fit_network(start, part, model, steps=15)
    assert found.loss < 1e-3 * fit_network(start, part, model, steps=1).loss
    assert found.loss < 1e-4


def test_a_weight_that_does_nothing_stays(x64):
    found = levenberg_marquardt(lambda w: w[:1] - 2.0, jnp.asarray([0.0, 7.0]))
    np.testing.assert_allclose(found.params, [2.0, 7.0], rtol=1e-12)
    assert found.converged


def test_more_weights_than_residuals_are_served(x64):
    found = levenberg_marquardt(lambda w: jnp.asarray([w.sum() - 3.0]), jnp.zeros(4))
    np.testing.assert_allclose(found.params, 0.75, rtol=1e-9)


def test_the_jacobian_by_samples_is_jax_s(x64, key):
    part = {"x": jnp.ones((5, 2)), "y": jnp.zeros((5, 3))}
    model = jn.MLP((4,), 3)
    params = model.init(key, part["x"])
    for l2 in (0.0, 0.1):
        expected = jax.jacobian(squared_error_residuals(model, l2))(params, part)
        found = squared_error_jacobian(model, l2)(params, part)
        for one, other in zip(*map(jax.tree.leaves, (found, expected)), strict=True):
            np.testing.assert_allclose(one, other, atol=1e-14)


def test_a_second_call_compiles_nothing(compilations):
    def residuals(w, y):
        return jnp.sin(w) - y

    y, start, other = (jnp.asarray(np.full(2, value)) for value in (0.1, 0.0, 1.0))
    levenberg_marquardt(residuals, start, y)
    before = compilations()
    levenberg_marquardt(residuals, other, y, steps=7)
    assert compilations() == before


class Unhashable:
    __hash__ = None

    def __call__(self, w):
        return w


WRONG = {
    "not finite at the start": (lambda w: 1 / w, {}, ValueError),
    "must be a vector": (lambda w: w[None], {}, ValueError),
    "type tuple": (lambda w: (w, w), {}, ValueError),
    "are empty": (lambda w: w[:0], {}, ValueError),
    "steps is 0": (lambda w: w, {"steps": 0}, ValueError),
    "steps is 1.5": (lambda w: w, {"steps": 1.5}, TypeError),
    "tolerance is -1": (lambda w: w, {"tolerance": -1.0}, ValueError),
    "neither scaled=True": (lambda w: w, {"dense": False, "scaled": True}, ValueError),
    "residuals is 3": (3, {}, TypeError),
    "jacobian is 3": (lambda w: w, {"jacobian": 3}, TypeError),
    "residuals is an unhashable Unhashable": (Unhashable(), {}, TypeError),
}


@pytest.mark.parametrize("message", WRONG)
def test_wrong_problems_are_named(message):
    residuals, options, error = WRONG[message]
    with pytest.raises(error, match=message):
        levenberg_marquardt(residuals, jnp.zeros(2), **options)


@pytest.mark.parametrize(
    ("start", "error", "message"),
    [
        ({"a": jnp.asarray([1.0, jnp.nan])}, ValueError, r"params\['a'\] is not finite"),
        ([jnp.arange(3)], TypeError, r"params\[0\] has dtype int32"),
        ([], ValueError, "no numbers"),
        (["a"], TypeError, r"params\[0\]"),
    ],
)
def test_wrong_starts_are_named(start, error, message):
    with pytest.raises(error, match=message):
        levenberg_marquardt(lambda w: w, start)


@pytest.mark.parametrize("scaled", [True, False])
def test_a_start_without_slope_has_converged(x64, scaled):
    """Its damping of 0 stayed 0, and all steps were taken."""
    found = levenberg_marquardt(lambda w: jnp.array([w[0] ** 2 + 1.0]), jnp.zeros(1), scaled=scaled)
    assert found.converged
    assert found.steps <= 2
