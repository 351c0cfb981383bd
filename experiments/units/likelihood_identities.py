"""Equalities between likelihoods, cross entropies and KL divergence, as numbers in float64."""

from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array, lax
from jax.scipy.special import entr, rel_entr

from jaxnets.losses import LOSSES, VARIANCE_FLOOR

OBJECTIVES = ("likelihood", "cross_entropy", "kl", "reversed_kl")
ANGLES = np.arange(6) * np.pi / 3
DIRECTIONS = np.stack([np.cos(ANGLES), np.sin(ANGLES)], axis=1)
RATE = 2 / 3
"""At most one over the curvature of the cross entropy, |DIRECTIONS|^2 / 2 = 3 / 2."""


def loss_differences(outputs: Array, targets: Array) -> dict[str, Array]:
    """Computes the largest difference between two forms of a loss, or between their gradients.

    Both arrays are `[samples, 2]`. `least_squares`: the Gaussian unit with variance 1 against half
    the squared error plus log(2 pi) / 2 for each target. `two_classes`: the softmax of (0, s)
    against -(t log p + (1 - t) log(1 - p)), p = sigmoid(s), for the label t of a positive target.
    """
    unit_variance = jnp.full(targets.shape, jnp.log(jnp.expm1(1 - VARIANCE_FLOOR)))
    labels = (targets[:, 0] > 0).astype(int)

    def gaussian(outputs: Array) -> Array:
        return LOSSES["gaussian"].value(jnp.concatenate([outputs, unit_variance], axis=1), targets)

    def least_squares(outputs: Array) -> Array:
        return LOSSES["squared_error"].value(outputs, targets) / 2 + jnp.log(2 * jnp.pi)

    def softmax(outputs: Array) -> Array:
        return LOSSES["softmax_cross_entropy"].value(outputs * jnp.array([[0.0, 1.0]]), labels)

    def two_classes(outputs: Array) -> Array:
        p = jax.nn.sigmoid(outputs[:, 1])
        return -(labels * jnp.log(p) + (1 - labels) * jnp.log(1 - p))

    return {
        "least_squares": _difference(gaussian, least_squares, outputs),
        "two_classes": _difference(softmax, two_classes, outputs),
    }


def _difference(first: Callable, second: Callable, outputs: Array) -> Array:
    """The largest difference of two losses per sample, in value or in any derivative."""
    values = first(outputs) - second(outputs)
    slopes = jax.grad(lambda outputs: first(outputs).sum())(outputs)
    slopes -= jax.grad(lambda outputs: second(outputs).sum())(outputs)
    return jnp.maximum(jnp.abs(values).max(), jnp.abs(slopes).max())


def shares(labels: Array) -> Array:
    """Computes the share of each direction among `labels [n]`."""
    return jnp.bincount(labels, length=len(DIRECTIONS)) / len(labels)


def objectives(labels: Array) -> dict[str, Callable[[Array], Array]]:
    """Builds functions of theta `[2]` for a model of six directions, p_j = exp(u_j theta) / Z.

    u_j is a unit vector of the plane (`DIRECTIONS`); the data are `labels [n]`, with shares q.
    `likelihood` is minus the mean log-likelihood of the labels, `cross_entropy` -sum_j q_j log p_j,
    `kl` is KL(q, p) and `reversed_kl` KL(p, q).
    """
    share = shares(labels)

    def log_p(theta: Array) -> Array:
        return jax.nn.log_softmax(DIRECTIONS @ theta)

    def likelihood(theta: Array) -> Array:
        outputs = jnp.broadcast_to(DIRECTIONS @ theta, (len(labels), len(DIRECTIONS)))
        return LOSSES["softmax_cross_entropy"].value(outputs, labels).mean()

    return {
        "likelihood": likelihood,
        "cross_entropy": lambda theta: -jnp.sum(share * log_p(theta)),
        "kl": lambda theta: jnp.sum(rel_entr(share, jnp.exp(log_p(theta)))),
        "reversed_kl": lambda theta: jnp.sum(rel_entr(jnp.exp(log_p(theta)), share)),
    }


def descend(labels: Array, start: Array, steps: int) -> dict[str, Array]:
    """Minimises each of `OBJECTIVES` on `labels [n]` by gradient descent from `start [2]`.

    Returns `values [objectives, steps]` and `gradients [objectives, steps, 2]` along the way,
    `minimisers [objectives, 2]`, and the `entropy` of the sample's shares.
    """
    of = objectives(labels)
    each = [jax.value_and_grad(of[name]) for name in OBJECTIVES]

    def step(thetas: Array, _: None) -> tuple[Array, tuple[Array, Array]]:
        found = [f(theta) for f, theta in zip(each, thetas, strict=True)]
        values, gradients = (jnp.stack(columns) for columns in zip(*found, strict=True))
        return thetas - RATE * gradients, (values, gradients)

    thetas = jnp.broadcast_to(start, (len(each), 2))
    thetas, (values, gradients) = lax.scan(step, thetas, None, length=steps)
    return {
        "values": values.T,
        "gradients": gradients.swapaxes(0, 1),
        "minimisers": thetas,
        "entropy": entr(shares(labels)).sum(),
    }


def draw_labels(random: np.random.Generator, samples: int, n: int = 1000) -> np.ndarray:
    """Draws labels `[samples, n]`, each sample from its own shares, which no model here can have.

    So the least KL divergence is not 0.
    """
    true = random.dirichlet(np.full(len(DIRECTIONS), 5.0), samples)
    return np.stack([random.choice(len(DIRECTIONS), n, p=p) for p in true])
