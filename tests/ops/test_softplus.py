"""The softplus against NumPy in twice the precision, and its derivatives against closed forms."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxnets.ops import softplus

POINTS = np.concatenate([np.linspace(-20, 20, 4001), [-1e4, -104.0, -88.0, -1e-30, 0, 1e-30, 1e4]])


@pytest.mark.parametrize("dtype", [jnp.float16, jnp.float32, jnp.float64])
def test_each_type_has_its_own_precision(dtype, x64):
    s = np.asarray(POINTS[np.abs(POINTS) < np.finfo(dtype).max], dtype)
    found = np.asarray(jax.jit(softplus)(s), np.longdouble)
    exact = np.logaddexp(s.astype(np.longdouble), 0)
    assert softplus(jnp.asarray(s)).dtype == dtype
    info = np.finfo(dtype)
    np.testing.assert_allclose(found, exact, rtol=8 * float(info.eps), atol=float(info.tiny))


def test_other_platforms_take_their_own_logarithm():
    s = jnp.asarray(POINTS, jnp.float32)
    text = jax.export.export(jax.jit(softplus), platforms=["cuda"])(s).mlir_module()
    assert "log_plus_one" in text
    assert "log_plus_one" not in jax.jit(softplus).lower(s).as_text()


def test_derivatives_of_both_modes_and_of_second_order(x64):
    s = jnp.linspace(-30.0, 30.0, 601)
    sigmoid = 1 / (1 + np.exp(-np.asarray(s)))
    one = jax.vmap(jax.grad(softplus))(s)
    np.testing.assert_allclose(one, sigmoid, rtol=1e-12)
    np.testing.assert_allclose(jax.jvp(softplus, (s,), (2 * s,))[1], 2 * s * sigmoid, rtol=1e-12)
    two = jax.vmap(jax.grad(jax.grad(softplus)))(s)
    np.testing.assert_allclose(two, sigmoid * (1 - sigmoid), rtol=1e-9, atol=1e-16)


def test_infinity_and_nan_stay_what_they_are():
    found = softplus(jnp.array([-jnp.inf, jnp.inf, jnp.nan]))
    np.testing.assert_array_equal(found, [0.0, np.inf, np.nan])
