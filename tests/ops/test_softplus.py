"""The softplus is exact to the last digits, where it is tiny, too, and so are its derivatives."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.special import expit

from jaxnets.ops.softplus import softplus

WIDE = np.concatenate([np.linspace(-80, 80, 4001), np.linspace(-1, 1, 2001)])


@pytest.mark.parametrize(("dtype", "error"), [(np.float32, 3e-7), (np.float64, 5e-16)])
def test_values_and_derivatives_are_exact(x64, dtype, error):
    x = WIDE.astype(dtype)
    wide = x.astype(np.longdouble)
    found = jax.jit(softplus)(x)
    assert found.dtype == dtype
    np.testing.assert_allclose(found, np.logaddexp(wide, 0).astype(float), rtol=error)
    np.testing.assert_allclose(jax.vmap(jax.grad(softplus))(x), expit(x), rtol=4 * error)
    second = jax.vmap(jax.grad(jax.grad(softplus)))(x)
    np.testing.assert_allclose(second, expit(wide) * expit(-wide), rtol=4 * error, atol=error)


def test_limits():
    x = jnp.array([-jnp.inf, -1000.0, 1000.0, jnp.inf, jnp.nan])
    np.testing.assert_array_equal(softplus(x), [0, 0, 1000, np.inf, np.nan])
