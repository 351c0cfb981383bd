"""Batches of factorisations against NumPy, and on all cores at once, where jaxlib's would hang."""

import subprocess
import sys

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxnets.ops import one_by_one

RNG = np.random.default_rng(0)
MATRICES = RNG.normal(size=(3, 4, 5, 5)) + 5 * np.eye(5)


def test_any_mix_of_axes_equals_numpy(x64):
    solve = one_by_one(jnp.linalg.solve)
    rights = RNG.normal(size=(4, 5))
    found = jax.jit(jax.vmap(jax.vmap(solve), (0, None)))(MATRICES, rights)
    expected = np.linalg.solve(MATRICES, np.broadcast_to(rights, (3, 4, 5))[..., None])[..., 0]
    np.testing.assert_allclose(found, expected, rtol=1e-12)
    one = jax.vmap(solve, (None, 0))(MATRICES[0, 0], rights)
    np.testing.assert_allclose(one, np.linalg.solve(MATRICES[0, 0], rights.T).T, rtol=1e-12)
    np.testing.assert_allclose(solve(MATRICES[0, 0], rights[0]), one[0], rtol=1e-12)


def test_a_batch_stays_one_on_other_platforms():
    called = jax.jit(jax.vmap(one_by_one(jnp.linalg.qr)))
    assert "while" in called.lower(MATRICES[0]).as_text()
    text = jax.export.export(called, platforms=["cuda"])(MATRICES[0]).mlir_module()
    assert "while" not in text


HANGS = """
import jaxnets as jn
jn.use_all_cores()
import jax, jax.numpy as jnp, numpy as np
from jaxnets.ops import one_by_one
jax.config.update("jax_enable_x64", True)
drawn = np.random.default_rng(0).normal(size=(32, 60, 60))
matrices = jnp.asarray(drawn @ drawn.swapaxes(1, 2) + np.eye(60))
factor = one_by_one(FUNCTION)
def total(matrix):
    return jax.lax.fori_loop(0, 300, lambda i, t: t + factor(matrix * (1 + i)).sum(), 0.0)
assert jnp.isfinite(jn.parallel_map(total, matrices, group=16)).all()
"""


@pytest.mark.parametrize(
    "function", ["jnp.linalg.cholesky", "jnp.linalg.inv", "lambda a: jnp.linalg.qr(a).R"]
)
def test_all_cores_factor_at_once(function):
    """As many devices as threads: with jaxlib's batches, each waits for a thread of the others."""
    program = HANGS.replace("FUNCTION", function)
    subprocess.run([sys.executable, "-c", program], check=True, timeout=120)
