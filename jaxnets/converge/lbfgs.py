"""Any smooth objective to a small gradient: full-batch L-BFGS with a line search."""

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax
from jax import Array, lax

from jaxnets.converge.minimum import (
    Minimum,
    Params,
    as_inexact,
    require_finite_value,
    require_function,
    require_limits,
    require_start,
)
from jaxnets.host import checks

PATIENCE = 5
"""Steps in a row without a lower value after which rounding has been reached."""


class _Search(NamedTuple):
    params: Params
    optimizer: optax.OptState
    value: Array
    gradient: Params
    steps: Array
    idle: Array
    """Steps since the value last fell."""


def minimise(
    objective: Callable[..., Array],
    params: Params,
    *args: Any,
    steps: int = 1000,
    tolerance: float | None = None,
    memory: int = 20,
) -> Minimum:
    """Minimises a smooth function by L-BFGS until its gradient is small (Liu and Nocedal, 1989).

    Each step's length satisfies the strong Wolfe conditions (Nocedal and Wright, 2006, algorithms
    3.5 and 3.6), as `optax.lbfgs` searches for it.

    It is a pure function: `jax.vmap(lambda start: minimise(objective, start))` searches from many
    starts at once. Float64 params need `jax.enable_x64`.

    Args:
        objective: `(params, *args) -> scalar`, pure.
        params: where to start, any tree of floats.
        *args: passed on to the objective: the data.
        steps: the most steps.
        tolerance: the Euclidean norm of the gradient at which the search has converged; by default
            1e-8 in double, 1e-5 in single precision.
        memory: how many differences of gradients the inverse Hessian is estimated from.

    Returns:
        The params with the lowest value found, that value and the norm of its gradient. The search
        also ends, not converged, if 5 steps in a row bring no lower value.

    Raises:
        ValueError: params or a value that are not finite at the start, an objective that returns no
            scalar, steps, a tolerance or a memory of 0.
        TypeError: params that are not floats, steps or a memory that are not integers.

    Example:
        >>> import jax.numpy as jnp
        >>> from jaxnets.converge import minimise
        >>> found = minimise(lambda w, low: jnp.sum(jnp.cosh(w - low)), jnp.zeros(2), 1.5)
        >>> [round(float(w), 3) for w in found.params]
        [1.5, 1.5]
    """
    require_function(objective, "objective", "lambda params, x, y: loss")
    require_start(params)
    require_limits(steps, tolerance)
    checks.require_count(memory, "memory")
    params = as_inexact(params)
    found = jax.eval_shape(objective, params, *args)
    if getattr(found, "shape", None) != ():
        raise ValueError(
            f"objective returns {found}; it must be a scalar: of a jaxnets.Objective, take "
            "lambda params, batch: objective(params, batch)[0]"
        )
    require_finite_value(objective, params, args, "objective")
    return _run(objective, memory, params, args, steps, tolerance)


@partial(jax.jit, static_argnums=(0, 1))
def _run(
    objective: Callable,
    memory: int,
    params: Params,
    args: tuple,
    steps: Array,
    tolerance: Array | None,
) -> Minimum:
    def value_of(params: Params) -> Array:
        return objective(params, *args)

    tx = optax.lbfgs(memory_size=memory)
    value, gradient = jax.value_and_grad(value_of)(params)
    usual = 1e-8 if value.dtype == jnp.float64 else 1e-5
    enough = usual if tolerance is None else tolerance

    def goes_on(now: _Search) -> Array:
        norm = optax.tree.norm(now.gradient)
        return (now.steps < steps) & (norm > enough) & (now.idle < PATIENCE)

    nothing = jnp.zeros((), jnp.int32)
    begun = _Search(params, tx.init(params), value, gradient, nothing, nothing)
    last = lax.while_loop(goes_on, partial(_step, tx, value_of), begun)
    norm = optax.tree.norm(last.gradient)
    return Minimum(last.params, last.value, norm, last.steps, norm <= enough)


def _step(tx: optax.GradientTransformationExtraArgs, value_of: Callable, now: _Search) -> _Search:
    updates, optimizer = tx.update(
        now.gradient,
        now.optimizer,
        now.params,
        value=now.value,
        grad=now.gradient,
        value_fn=value_of,
    )
    params = optax.apply_updates(now.params, updates)
    # The line search has just computed both; nothing is evaluated again.
    value, gradient = optax.value_and_grad_from_state(value_of)(params, state=optimizer)
    taken = value <= now.value
    idle = jnp.where(value < now.value, 0, jnp.where(taken, now.idle + 1, PATIENCE))
    params, optimizer, value, gradient = jax.tree.map(
        partial(jnp.where, taken),
        (params, optimizer, value, gradient),
        (now.params, now.optimizer, now.value, now.gradient),
    )
    return _Search(params, optimizer, value, gradient, now.steps + 1, idle)
