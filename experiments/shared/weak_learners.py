"""AdaBoost whose weak classifiers are fitted by least squares, not chosen by their error."""

from functools import partial

import jax
import jax.numpy as jnp
from jax import Array

from jaxnets.ops import one_by_one


@partial(jax.jit, static_argnames="rounds")
def boost_least_squares(x: Array, y: Array, *, rounds: int) -> dict[str, Array]:
    """Trains AdaBoost with the sign of the weighted least-squares fit in each round.

    The fit of the labels -1 and 1 need not have the least weighted error, as L1 requires of a weak
    classifier.

    Args:
        x: `[samples, features]`.
        y: class indices 0 or 1, `[samples]`.
        rounds: the number of weak classifiers.

    Returns:
        The params of `classical.adaboost`.
    """
    rows = jnp.column_stack([x, jnp.ones(len(x))])
    targets = 2.0 * y - 1
    tiny = jnp.finfo(rows.dtype).eps

    def boost(weights: Array, _: None) -> tuple[Array, tuple[Array, Array]]:
        weighted = (weights[:, None] * rows).T
        fit = one_by_one(jnp.linalg.solve)(weighted @ rows, weighted @ targets)
        said = jnp.where(rows @ fit >= 0, 1, -1)
        error = jnp.clip(jnp.sum(weights * (said != targets)), tiny, 1 - tiny)
        alpha = 0.5 * jnp.log((1 - error) / error)
        weights = weights * jnp.exp(-alpha * targets * said)
        return weights / weights.sum(), (fit, alpha)

    fits, alpha = jax.lax.scan(boost, jnp.full(len(x), 1 / len(x)), length=rounds)[1]
    return {"w": fits[:, :-1], "b": fits[:, -1], "alpha": alpha}
