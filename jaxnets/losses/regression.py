"""Losses of numbers: squared error, Gaussian likelihood, and two that bound the slope (row B3)."""

from functools import cache

import jax
import jax.numpy as jnp
from jax import Array

from jaxnets.host import checks
from jaxnets.losses.loss import Loss, as_half_as_many, build

VARIANCE_FLOOR = 1e-6
DELTA = 0.1
"""Beyond this, `clamped_l1` does not tell distances apart."""


def _squared_value(outputs: Array, targets: Array) -> Array:
    """`sum_i (y_i - t_i)^2` (L0: "minimize sum (z - y)^2")."""
    return jnp.sum((outputs - targets) ** 2, axis=-1)


def _squared_grad(outputs: Array, targets: Array) -> Array:
    """`2 (y - t)`."""
    return 2 * (outputs - targets)


def mean_and_variance(outputs: Array) -> tuple[Array, Array]:
    """Splits outputs `[..., 2 k]` into mean and variance `softplus(s) + 1e-6`, `[..., k]` each.

    The output unit of a Gaussian; the floor makes the likelihood finite for any output (L1, row B2:
    "diagonal (positive)").
    """
    mean, s = jnp.split(outputs, 2, axis=-1)
    return mean, jax.nn.softplus(s) + VARIANCE_FLOOR


def _gaussian_value(outputs: Array, targets: Array) -> Array:
    """`1/2 sum_i (log v_i + (t_i - y_i)^2 / v_i + log 2 pi)`: -log-likelihood (L1, row B2)."""
    mean, v = mean_and_variance(outputs)
    return 0.5 * jnp.sum(jnp.log(2 * jnp.pi * v) + (targets - mean) ** 2 / v, axis=-1)


def _gaussian_grad(outputs: Array, targets: Array) -> Array:
    """`(y - t) / v` for the mean; `1/2 (1 - (t - y)^2 / v) / v`, times `v'(s) = sigmoid(s)`."""
    mean, v = mean_and_variance(outputs)
    residual = mean - targets
    slope = jax.nn.sigmoid(jnp.split(outputs, 2, axis=-1)[1])
    return jnp.concatenate([residual / v, 0.5 * slope * (1 - residual**2 / v) / v], axis=-1)


@cache
def clamped_l1(delta: float = DELTA, outputs_too: bool = False) -> Loss:
    r"""Builds the loss of signed distances that only cares for what is near the surface (row C9).

    $\sum_i |y_i - c(t_i)|$ with $c(t) = \max(-\delta, \min(t, \delta))$, and the derivative
    $\mathrm{sign}(y_i - c(t_i))$, which outputs beyond the limits have too. Park et al., "DeepSDF"
    (2019), clamp the outputs as well: a network whose outputs are all beyond one limit then has no
    gradient, and stays as it is.

    Args:
        delta: the limit, above 0.
        outputs_too: whether to clamp the outputs as the paper does.

    Raises:
        ValueError: delta that is not above 0.
        TypeError: delta that is not a number.
    """
    checks.require_positive(delta, "delta")

    def value(outputs: Array, targets: Array) -> Array:
        seen = jnp.clip(outputs, -delta, delta) if outputs_too else outputs
        return jnp.sum(jnp.abs(seen - jnp.clip(targets, -delta, delta)), axis=-1)

    def grad(outputs: Array, targets: Array) -> Array:
        signs = jnp.sign(outputs - jnp.clip(targets, -delta, delta))
        return jnp.where(jnp.abs(outputs) < delta, signs, 0) if outputs_too else signs

    return build(value, grad, checks.as_targets, lambda outputs: outputs, classifies=False)


@cache
def huber(delta: float = 1.0) -> Loss:
    r"""Builds Huber's loss (1964), the squared error near 0 and the absolute error beyond.

    $\sum_i h(y_i - t_i)$ with $h(r) = r^2 / 2$ for $|r| \le \delta$, else
    $\delta (|r| - \delta / 2)$; the derivative is $\max(-\delta, \min(r, \delta))$.

    Raises:
        ValueError: delta that is not above 0.
        TypeError: delta that is not a number.
    """
    checks.require_positive(delta, "delta")

    def value(outputs: Array, targets: Array) -> Array:
        size = jnp.abs(outputs - targets)
        near = jnp.minimum(size, delta)
        return jnp.sum(near * (size - near / 2), axis=-1)

    def grad(outputs: Array, targets: Array) -> Array:
        return jnp.clip(outputs - targets, -delta, delta)

    return build(value, grad, checks.as_targets, lambda outputs: outputs, classifies=False)


SQUARED = build(
    _squared_value,
    _squared_grad,
    checks.as_targets,
    lambda outputs: outputs,
    classifies=False,
)
GAUSSIAN = build(
    _gaussian_value,
    _gaussian_grad,
    as_half_as_many,
    lambda outputs: mean_and_variance(outputs)[0],
    classifies=False,
)
