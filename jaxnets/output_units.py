"""Output units and their likelihoods (Goodfellow, Bengio and Courville, 2016; row B2).

A unit maps the raw outputs of the last affine layer to the parameters of a distribution over
targets; its loss in `LOSSES` is the negative log-likelihood of that distribution.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import Array

from jaxnets.host import checks
from jaxnets.losses import LOSSES, mean_and_variance


class OutputUnit(NamedTuple):
    """Maps outputs to distribution parameters, with the log-likelihood.

    Args:
        link: `outputs [batch, k]` to the parameters.
        log_likelihood: `(parameters, targets) -> [batch]`, as in the textbook.
        loss: the name in `LOSSES` of the loss that computes it from outputs without overflow.

    Example:
        >>> import jax.numpy as jnp
        >>> OUTPUT_UNITS["softmax"].link(jnp.zeros((1, 2))).tolist()
        [[0.5, 0.5]]
    """

    link: Callable[[Array], Any]
    log_likelihood: Callable[[Any, Array], Array]
    loss: str


def _normal(parameters: Array, targets: Array) -> Array:
    mean, variance = jnp.split(parameters, 2, axis=-1)
    residual = targets - mean
    return -0.5 * jnp.sum(jnp.log(2 * jnp.pi * variance) + residual**2 / variance, axis=-1)


def _bernoulli(p: Array, targets: Array) -> Array:
    """Sums `t log p + (1 - t) log(1 - p)`, where 0 times the logarithm of 0 is 0."""
    return jnp.sum(_times_log(targets, p) + _times_log(1 - targets, 1 - p), axis=-1)


def _times_log(t: Array, p: Array) -> Array:
    """`t log p`, and 0 with derivative 0 wherever t is 0."""
    return jnp.where(t == 0, 0, t * jnp.log(jnp.where(t == 0, 1, p)))


def _categorical(p: Array, labels: Array) -> Array:
    return jnp.log(jnp.take_along_axis(p, labels[:, None], axis=-1)[:, 0])


def _bernoulli_of_labels(p: Array, labels: Array) -> Array:
    return _bernoulli(p, labels[:, None])


def _unit(
    link: Callable[[Array], Any], log_likelihood: Callable, loss: str, checked_as: str = ""
) -> OutputUnit:
    """Builds a unit whose likelihood checks its targets as the loss does."""
    checked = checks.with_checks(log_likelihood, LOSSES[checked_as or loss].check)

    def of_parameters(parameters: Any, targets: Array) -> Array:
        together = isinstance(parameters, tuple)
        return checked(jnp.concatenate(parameters, -1) if together else parameters, targets)

    return OutputUnit(link, of_parameters, loss)


OUTPUT_UNITS: dict[str, OutputUnit] = {
    "linear": _unit(
        lambda outputs: (outputs, jnp.full_like(outputs, 0.5)),
        _normal,
        "squared_error",
        checked_as="gaussian",
    ),
    "gaussian": _unit(mean_and_variance, _normal, "gaussian"),
    "sigmoid": _unit(jax.nn.sigmoid, _bernoulli_of_labels, "binary_cross_entropy"),
    "softmax": _unit(jax.nn.softmax, _categorical, "softmax_cross_entropy"),
    "multilabel": _unit(jax.nn.sigmoid, _bernoulli, "multilabel_cross_entropy"),
}
"""Name to output unit. The linear unit is a Gaussian of variance 1/2, whose negative log-likelihood
is the squared error plus a constant."""
