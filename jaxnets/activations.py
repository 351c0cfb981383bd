"""Activation functions with their derivatives by hand, as a table (row B1)."""

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import Array

from jaxnets.host.checks import lookup


class Activation(NamedTuple):
    """Pairs an elementwise function `x = f(s)` with its derivative `df(s, x)`.

    The derivative gets the pre-activation `s` and the computed value `x`, so that
    `tanh' = 1 - x^2` needs no second `tanh`.

    Args:
        f: `s -> x`, elementwise.
        df: `(s, x) -> dx/ds`, elementwise.
        limits: infimum and supremum of the values.
        smoothness: the number of continuous derivatives; -1 for a jump, None for infinitely many.
        gain: the initialisation of the weights that suits it: "glorot", "he" or "lecun".
    """

    f: Callable[[Array], Array]
    df: Callable[[Array, Array], Array]
    limits: tuple[float, float]
    smoothness: int | None
    gain: str = "glorot"


_INF = float("inf")


def _leaky_relu(s: Array, a: float) -> Array:
    return jnp.where(s > 0, s, a * s)


def _leaky_relu_df(s: Array, x: Array, a: float) -> Array:
    return jnp.where(s > 0, 1, a).astype(s.dtype)


def leaky_relu(a: float = 0.2) -> Activation:
    """Builds `s` for `s > 0`, else `a s`; `a = 0.2` in lecture L3 (Maas, Hannun and Ng, 2013)."""
    return Activation(
        partial(_leaky_relu, a=a),
        partial(_leaky_relu_df, a=a),
        (-_INF if a > 0 else 0.0, _INF),
        0,
        "he",
    )


def _elu(s: Array, a: float) -> Array:
    return jnp.where(s > 0, s, a * jnp.expm1(jnp.where(s > 0, 0, s)))


def _elu_df(s: Array, x: Array, a: float) -> Array:
    return jnp.where(s > 0, 1, x + a)


def elu(a: float = 1.0) -> Activation:
    """Builds `s` for `s > 0`, else `a (exp(s) - 1)` (Clevert, Unterthiner and Hochreiter, 2016).

    The derivative below zero is `x + a`, so it is continuously differentiable only for `a = 1`.
    """
    return Activation(
        partial(_elu, a=a), partial(_elu_df, a=a), (-a, _INF), 1 if a == 1 else 0, "he"
    )


def _step(s: Array) -> Array:
    return jnp.where(jnp.isnan(s), s, (s >= 0).astype(s.dtype))


ACTIVATIONS: dict[str, Activation] = {
    "identity": Activation(
        lambda s: s, lambda s, x: jnp.ones_like(s), (-_INF, _INF), None, "lecun"
    ),
    "sigmoid": Activation(jax.nn.sigmoid, lambda s, x: x * (1 - x), (0.0, 1.0), None),
    "step": Activation(_step, lambda s, x: jnp.zeros_like(s), (0.0, 1.0), -1),
    "tanh": Activation(jnp.tanh, lambda s, x: 1 - x * x, (-1.0, 1.0), None),
    "relu": Activation(jax.nn.relu, lambda s, x: (s > 0).astype(s.dtype), (0.0, _INF), 0, "he"),
    "leaky_relu": leaky_relu(),
    "elu": elu(),
    "softplus": Activation(
        jax.nn.softplus, lambda s, x: jax.nn.sigmoid(s), (0.0, _INF), None, "he"
    ),
    "gaussian": Activation(lambda s: jnp.exp(-s * s), lambda s, x: -2 * s * x, (0.0, 1.0), None),
}
"""Name to activation, for all activations of lectures L0, L1 and L3."""


def get_activation(activation: str | Activation) -> Activation:
    """Looks up an activation by name, or returns the given one.

    Raises:
        ValueError: an unknown name; the nearest one is suggested.
    """
    if isinstance(activation, Activation):
        return activation
    return lookup(ACTIVATIONS, activation, "activation")
