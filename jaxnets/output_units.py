"""Output units and their likelihoods (Goodfellow, Bengio and Courville, 2016; row B2).

A unit maps the raw outputs of the last affine layer to the parameters of a distribution over
targets; its loss in `LOSSES` is the negative log-likelihood of that distribution.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import Array

from jaxnets.losses import mean_and_variance


class OutputUnit(NamedTuple):
    """Maps outputs to distribution parameters, with the log-likelihood.

    Args:
        link: `outputs [batch, k]` to the parameters.
        log_likelihood: `(parameters, targets) -> [batch]`, as in the textbook.
        loss: the name in `LOSSES` of the loss that computes it from outputs without overflow.
    """

    link: Callable[[Array], Any]
    log_likelihood: Callable[[Any, Array], Array]
    loss: str


def _normal(parameters: tuple[Array, Array], targets: Array) -> Array:
    mean, variance = parameters
    density = jnp.exp(-((targets - mean) ** 2) / (2 * variance)) / jnp.sqrt(2 * jnp.pi * variance)
    return jnp.sum(jnp.log(density), axis=-1)


def _bernoulli(p: Array, targets: Array) -> Array:
    return jnp.sum(targets * jnp.log(p) + (1 - targets) * jnp.log(1 - p), axis=-1)


def _categorical(p: Array, labels: Array) -> Array:
    return jnp.log(jnp.take_along_axis(p, labels[:, None], axis=-1)[:, 0])


OUTPUT_UNITS: dict[str, OutputUnit] = {
    "linear": OutputUnit(
        lambda outputs: (outputs, jnp.full_like(outputs, 0.5)), _normal, "squared_error"
    ),
    "gaussian": OutputUnit(mean_and_variance, _normal, "gaussian"),
    "sigmoid": OutputUnit(
        jax.nn.sigmoid, lambda p, t: _bernoulli(p, t[:, None]), "binary_cross_entropy"
    ),
    "softmax": OutputUnit(jax.nn.softmax, _categorical, "softmax_cross_entropy"),
    "multilabel": OutputUnit(jax.nn.sigmoid, _bernoulli, "multilabel_cross_entropy"),
}
"""Name to output unit. The linear unit is a Gaussian of variance 1/2, whose negative log-likelihood
is the squared error plus a constant."""
