"""The softplus, in a form that CPUs compute in half the time of XLA's logarithm."""

import jax
import jax.numpy as jnp
from jax import Array, lax


@jax.custom_jvp
def softplus(s: Array) -> Array:
    r"""Computes `log(1 + exp(s))` elementwise, without overflow; the derivative is the sigmoid.

    As $\max(s, 0) + \log(1 + e)$ with $e = \exp(-|s|) \le 1$. On a CPU the logarithm is the series
    $2 \operatorname{artanh}(z) = 2 \sum_k z^{2k+1} / (2k+1)$ of $z = e / (2 + e) \le 1/3$, of which
    float32 needs 7 terms: XLA's own has two branches, both of which it computes.

    Example:
        >>> import jax.numpy as jnp
        >>> [round(v, 4) for v in softplus(jnp.array([-1e4, 0.0, 1e4])).tolist()]
        [0.0, 0.6931, 10000.0]
    """
    e = jnp.exp(-jnp.abs(s))
    rest = lax.platform_dependent(e, cpu=_series, default=jnp.log1p)
    return jnp.where(s > 0, s + rest, rest)


@softplus.defjvp
def _softplus_jvp(primals: tuple[Array], tangents: tuple[Array]) -> tuple[Array, Array]:
    (s,), (ds,) = primals, tangents
    return softplus(s), jax.nn.sigmoid(s) * ds


def _series(e: Array) -> Array:
    """Computes `log(1 + e)` for e from 0 to 1, to the precision of its type."""
    z = e / (2 + e)
    square, rest = z * z, jnp.zeros_like(z)
    for k in reversed(range(1, _terms(e.dtype))):
        rest = (rest + 1 / (2 * k + 1)) * square
    return 2 * z + 2 * z * rest


def _terms(dtype: jnp.dtype) -> int:
    """Counts the terms after which the rest is below a quarter of a unit in the last place."""
    limit = float(jnp.finfo(dtype).eps) / 4
    return next(n for n in range(1, 100) if 9.0**-n / (2 * n + 1) < limit)
