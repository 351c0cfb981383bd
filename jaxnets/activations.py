"""Activation functions with their derivatives by hand, as a table (row B1)."""

import math
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
        kinks: where the value or the derivative jumps.

    Example:
        >>> import jax.numpy as jnp
        >>> square = Activation(lambda s: s * s, lambda s, x: 2 * s, (0.0, float("inf")), None)
        >>> square.df(jnp.array([3.0]), square.f(jnp.array([3.0]))).tolist()
        [6.0]
    """

    f: Callable[[Array], Array]
    df: Callable[[Array, Array], Array]
    limits: tuple[float, float]
    smoothness: int | None
    gain: str = "glorot"
    kinks: tuple[float, ...] = ()


_INF = float("inf")


def _leaky_relu(s: Array, a: float) -> Array:
    return jnp.where(s > 0, s, a * s)


def _leaky_relu_df(s: Array, x: Array, a: float) -> Array:
    return jnp.where(s > 0, 1, a).astype(s.dtype)


def leaky_relu(a: float = 0.2) -> Activation:
    """Builds `s` for `s > 0`, else `a s`; `a = 0.2` in lecture L3 (Maas, Hannun and Ng, 2013).

    Example:
        >>> import jax.numpy as jnp
        >>> leaky_relu(0.25).f(jnp.array([-4.0, 2.0])).tolist()
        [-1.0, 2.0]
    """
    return Activation(
        partial(_leaky_relu, a=a),
        partial(_leaky_relu_df, a=a),
        (-_INF if a > 0 else 0.0, _INF),
        0,
        "he",
        (0.0,),
    )


def _elu(s: Array, a: float) -> Array:
    return jnp.where(s > 0, s, a * jnp.expm1(jnp.where(s > 0, 0, s)))


def _elu_df(s: Array, x: Array, a: float) -> Array:
    return jnp.where(s > 0, 1, x + a)


def elu(a: float = 1.0) -> Activation:
    """Builds `s` for `s > 0`, else `a (exp(s) - 1)` (Clevert, Unterthiner and Hochreiter, 2016).

    The derivative below zero is `x + a`, so it is continuously differentiable only for `a = 1`.

    Example:
        >>> import jax.numpy as jnp
        >>> elu(2.0).f(jnp.array([-100.0, 3.0])).tolist()
        [-2.0, 3.0]
    """
    smoothness, kinks = (1, ()) if a == 1 else (0, (0.0,))
    return Activation(
        partial(_elu, a=a), partial(_elu_df, a=a), (-a, _INF), smoothness, "he", kinks
    )


SELU_SCALE, SELU_SHIFT = 1.0507009873554805, 1.7580993408473766
"""lambda and lambda alpha of the paper, which keep mean 0 and variance 1 from layer to layer."""


def _gelu_df(s: Array, x: Array) -> Array:
    """`Phi(s) + s phi(s)`, with the normal distribution and its density."""
    density = jnp.exp(-s * s / 2) / math.sqrt(2 * math.pi)
    return jax.scipy.special.erfc(-s / math.sqrt(2)) / 2 + s * density


def _silu_df(s: Array, x: Array) -> Array:
    sigmoid = jax.nn.sigmoid(s)
    return sigmoid + x * (1 - sigmoid)


def _step(s: Array) -> Array:
    return jnp.where(jnp.isnan(s), s, (s >= 0).astype(s.dtype))


ACTIVATIONS: dict[str, Activation] = {
    "identity": Activation(
        lambda s: s, lambda s, x: jnp.ones_like(s), (-_INF, _INF), None, "lecun"
    ),
    "sigmoid": Activation(jax.nn.sigmoid, lambda s, x: x * (1 - x), (0.0, 1.0), None),
    "step": Activation(_step, lambda s, x: jnp.zeros_like(s), (0.0, 1.0), -1, kinks=(0.0,)),
    "tanh": Activation(jnp.tanh, lambda s, x: 1 - x * x, (-1.0, 1.0), None),
    "relu": Activation(
        jax.nn.relu, lambda s, x: (s > 0).astype(s.dtype), (0.0, _INF), 0, "he", (0.0,)
    ),
    "leaky_relu": leaky_relu(),
    "elu": elu(),
    "softplus": Activation(
        jax.nn.softplus, lambda s, x: jax.nn.sigmoid(s), (0.0, _INF), None, "he"
    ),
    "gaussian": Activation(lambda s: jnp.exp(-s * s), lambda s, x: -2 * s * x, (0.0, 1.0), None),
    "gelu": Activation(
        partial(jax.nn.gelu, approximate=False), _gelu_df, (-0.16997120747, _INF), None, "he"
    ),
    "silu": Activation(jax.nn.silu, _silu_df, (-0.27846454276, _INF), None, "he"),
    "selu": Activation(
        jax.nn.selu,
        lambda s, x: jnp.where(s > 0, SELU_SCALE, x + SELU_SHIFT),
        (-SELU_SHIFT, _INF),
        0,
        "lecun",
        (0.0,),
    ),
    "softsign": Activation(jax.nn.soft_sign, lambda s, x: (1 - jnp.abs(x)) ** 2, (-1.0, 1.0), 1),
    "hard_tanh": Activation(
        jax.nn.hard_tanh,
        lambda s, x: (jnp.abs(s) <= 1).astype(s.dtype),
        (-1.0, 1.0),
        0,
        kinks=(-1.0, 1.0),
    ),
}
"""Name to activation: those of lectures L0, L1 and L3, then GELU (Hendrycks and Gimpel, 2016), SiLU
(Elfwing et al., 2018), SELU (Klambauer et al., 2017), softsign and hard tanh (Collobert, 2004)."""


def get_activation(activation: str | Activation) -> Activation:
    """Looks up an activation by name, or returns the given one.

    Raises:
        ValueError: an unknown name; the nearest one is suggested.

    Example:
        >>> import jax.numpy as jnp
        >>> get_activation("relu").f(jnp.array([-1.0, 2.0])).tolist()
        [0.0, 2.0]
    """
    if isinstance(activation, Activation):
        return activation
    return lookup(ACTIVATIONS, activation, "activation")
