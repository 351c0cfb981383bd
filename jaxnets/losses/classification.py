"""Losses of labels: cross entropies, hinge and perceptron (rows B3, A4, A7)."""

from functools import cache, partial

import jax
import jax.numpy as jnp
from jax import Array

from jaxnets.host import checks
from jaxnets.losses.loss import Loss, Rule, as_binary_labels, as_bits, build


def _one_hot(labels: Array, like: Array) -> Array:
    return (labels[:, None] == jnp.arange(like.shape[-1])[None]).astype(like.dtype)


def _softmax_value(outputs: Array, labels: Array) -> Array:
    """`log sum_j exp(y_j) - y_t`: the negative log-likelihood of a categorical (L0)."""
    picked = jnp.sum(outputs * _one_hot(labels, outputs), axis=-1)
    return jax.nn.logsumexp(outputs, axis=-1) - picked


def _softmax_grad(outputs: Array, labels: Array) -> Array:
    """`p - onehot(t)`."""
    return jax.nn.softmax(outputs, axis=-1) - _one_hot(labels, outputs)


def _signs(labels: Array, like: Array) -> Array:
    """Converts labels 0 and 1 to a column of -1 and 1, the lectures' y."""
    return (2 * labels[:, None] - 1).astype(like.dtype)


def _logistic_value(outputs: Array, labels: Array) -> Array:
    """`log(1 + exp(-m))`, margin `m = y s`: binary cross entropy (L0; L2 in this form)."""
    return jax.nn.softplus(-_signs(labels, outputs) * outputs)[:, 0]


def _logistic_grad(outputs: Array, labels: Array) -> Array:
    """`-y sigmoid(-y s)`, which is `sigmoid(s) - t`."""
    y = _signs(labels, outputs)
    return -y * jax.nn.sigmoid(-y * outputs)


def _multilabel_value(outputs: Array, targets: Array) -> Array:
    """The sum over labels of binary cross entropies, `softplus(s) - t s` (L1, row B2)."""
    return jnp.sum(jax.nn.softplus(outputs) - targets * outputs, axis=-1)


def _multilabel_grad(outputs: Array, targets: Array) -> Array:
    """`sigmoid(s) - t`."""
    return jax.nn.sigmoid(outputs) - targets


def _hinge_value(outputs: Array, labels: Array) -> Array:
    """`max(0, 1 - m)`, margin `m = y s` (Vapnik, 1995; L2, row A7)."""
    m = _signs(labels, outputs) * outputs
    return jnp.where(m >= 1, 0, 1 - m)[:, 0]


def _hinge_grad(outputs: Array, labels: Array) -> Array:
    """`-y` where `m < 1`, else 0."""
    y = _signs(labels, outputs)
    return jnp.where(y * outputs >= 1, 0, -y)


def _perceptron_value(outputs: Array, labels: Array) -> Array:
    """`max(0, -m)`, margin `m = y s`: the loss that Rosenblatt's rule descends (L1, row A4)."""
    m = _signs(labels, outputs) * outputs
    return jnp.where(m > 0, 0, -m)[:, 0]


def _perceptron_grad(outputs: Array, labels: Array) -> Array:
    """`-y` where `m <= 0`, else 0: the rule updates on the boundary too."""
    y = _signs(labels, outputs)
    return jnp.where(y * outputs > 0, 0, -y)


def _sign_predict(outputs: Array) -> Array:
    return (outputs[:, 0] >= 0).astype(jnp.int32)


def _binary(value: Rule, grad: Rule) -> Loss:
    return build(value, grad, as_binary_labels, _sign_predict)


@cache
def focal(gamma: float = 2.0) -> Loss:
    r"""Builds the focal loss of Lin et al. (2017), which cares less for what is classified well.

    $-(1 - p_t)^\gamma \log p_t$, with the softmax $p$ and the label $t$; its derivative is
    $((1 - p_t)^\gamma - \gamma p_t (1 - p_t)^{\gamma - 1} \log p_t) (p_j - [j = t])$.

    Raises:
        ValueError: gamma that is negative; 0 is the cross entropy.
        TypeError: gamma that is not a number.
    """
    checks.require_at_least_0(gamma, "gamma")

    def log_of_label(outputs: Array, labels: Array) -> Array:
        return -_softmax_value(outputs, labels)

    def value(outputs: Array, labels: Array) -> Array:
        log_p = log_of_label(outputs, labels)
        return -((-jnp.expm1(log_p)) ** gamma) * log_p

    def grad(outputs: Array, labels: Array) -> Array:
        log_p = log_of_label(outputs, labels)
        rest = -jnp.expm1(log_p)
        known = rest == 0
        ratio = jnp.where(known, -1, log_p / jnp.where(known, 1, rest))
        slope = rest**gamma * (1 - gamma * jnp.exp(log_p) * ratio)
        return slope[:, None] * _softmax_grad(outputs, labels)

    return build(value, grad, checks.as_labels, partial(jnp.argmax, axis=-1))


@cache
def smoothed_cross_entropy(smoothing: float = 0.1) -> Loss:
    r"""Builds the softmax cross entropy with smoothed labels (Szegedy et al., 2016).

    $-\sum_j q_j \log p_j$ with $q_j = (1 - \epsilon) [j = t] + \epsilon / k$ for k classes; its
    derivative is $p - q$.

    Raises:
        ValueError: a smoothing that is negative, or 1 or more.
        TypeError: a smoothing that is not a number.
    """
    checks.require_share(smoothing, "smoothing")

    def wanted(outputs: Array, labels: Array) -> Array:
        return (1 - smoothing) * _one_hot(labels, outputs) + smoothing / outputs.shape[-1]

    def value(outputs: Array, labels: Array) -> Array:
        total = jax.nn.logsumexp(outputs, axis=-1)
        return total - jnp.sum(outputs * wanted(outputs, labels), axis=-1)

    def grad(outputs: Array, labels: Array) -> Array:
        return jax.nn.softmax(outputs, axis=-1) - wanted(outputs, labels)

    return build(value, grad, checks.as_labels, partial(jnp.argmax, axis=-1))


SOFTMAX = build(_softmax_value, _softmax_grad, checks.as_labels, partial(jnp.argmax, axis=-1))
LOGISTIC = _binary(_logistic_value, _logistic_grad)
MULTILABEL = build(
    _multilabel_value,
    _multilabel_grad,
    as_bits,
    lambda outputs: (outputs >= 0).astype(jnp.int32),
)
HINGE = _binary(_hinge_value, _hinge_grad)
PERCEPTRON = _binary(_perceptron_value, _perceptron_grad)
