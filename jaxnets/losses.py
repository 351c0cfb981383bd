"""Losses on raw network outputs, one value per example, each with its gradient by hand (row B3).

Every loss takes `outputs [batch, k]` directly from the last affine layer: the sigmoid or softmax is
part of the loss, so values stay finite at |output| = 1e4.
"""

from collections.abc import Callable
from functools import cache, lru_cache, partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import Array

from jaxnets.autodiff import slope_of
from jaxnets.host import checks
from jaxnets.ops import softplus

VARIANCE_FLOOR = 1e-6
DELTA = 0.1
"""Beyond this, `clamped_l1` does not tell distances apart."""


class Loss(NamedTuple):
    """Pairs a loss per example with its derivative with respect to the outputs.

    Args:
        value: `(outputs [batch, k], targets) -> [batch]`.
        grad: `(outputs [batch, k], targets) -> [batch, k]`.
        check: `(targets, k, name) -> targets` of the right shape, dtype and range, on the host; it
            raises an error that contains the name.
        predict: `outputs [batch, k]` to the most likely targets.
        classifies: whether the targets are labels, so that there is an accuracy.

    Example:
        >>> from jaxnets import LOSSES
        >>> LOSSES["squared_error"].value(jnp.array([[3.0]]), jnp.array([[1.0]])).shape
        (1,)
    """

    value: Callable[[Array, Array], Array]
    grad: Callable[[Array, Array], Array]
    check: Callable[[Any, int, str], Any]
    predict: Callable[[Array], Array]
    classifies: bool = True


def _one_hot(labels: Array, like: Array) -> Array:
    return jax.nn.one_hot(labels, like.shape[-1], dtype=like.dtype)


def _softmax_value(outputs: Array, labels: Array) -> Array:
    """`log sum_j exp(y_j) - y_t`: the negative log-likelihood of a categorical (L0)."""
    chosen = jax.nn.one_hot(labels, outputs.shape[-1], dtype=bool)
    return jax.nn.logsumexp(outputs, axis=-1) - jnp.where(chosen, outputs, 0).sum(axis=-1)


def _softmax_grad(outputs: Array, labels: Array) -> Array:
    """`p - onehot(t)`."""
    return jax.nn.softmax(outputs, axis=-1) - _one_hot(labels, outputs)


def _signs(labels: Array, like: Array) -> Array:
    """Converts labels 0 and 1 to a column of -1 and 1, the lectures' y."""
    return (2 * labels[:, None] - 1).astype(like.dtype)


def _logistic_value(outputs: Array, labels: Array) -> Array:
    """`log(1 + exp(-m))`, margin `m = y s`: binary cross entropy (L0; L2 in this form)."""
    return softplus(-_signs(labels, outputs) * outputs)[:, 0]


def _logistic_grad(outputs: Array, labels: Array) -> Array:
    """`-y sigmoid(-y s)`, which is `sigmoid(s) - t`."""
    y = _signs(labels, outputs)
    return -y * jax.nn.sigmoid(-y * outputs)


def _multilabel_value(outputs: Array, targets: Array) -> Array:
    """The sum over labels of binary cross entropies, `softplus(s) - t s` (L1, row B2)."""
    return jnp.sum(softplus(outputs) - targets * outputs, axis=-1)


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

    Example:
        >>> mean, variance = mean_and_variance(jnp.array([[0.5, 0.0]]))
        >>> float(mean[0, 0]), round(float(variance[0, 0]), 3)
        (0.5, 0.693)
    """
    mean, s = jnp.split(outputs, 2, axis=-1)
    return mean, softplus(s) + VARIANCE_FLOOR


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


def _sign_predict(outputs: Array) -> Array:
    return (outputs[:, 0] >= 0).astype(jnp.int32)


Check = Callable[[Any, int, str], Any]
Rule = Callable[[Array, Array], Array]
AnyLoss = str | Loss | Rule
"""What stands for a loss: its name, itself, or a function of outputs and targets."""


def _loss(value: Rule, grad: Rule, check: Check, predict: Callable, **rest: bool) -> Loss:
    return Loss(
        checks.with_checks(value, check), checks.with_checks(grad, check), check, predict, **rest
    )


def _binary(value: Rule, grad: Rule) -> Loss:
    return _loss(value, grad, checks.as_binary_labels, _sign_predict)


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

    Example:
        >>> loss = clamped_l1(0.1)  # a target of 5 counts as 0.1
        >>> round(float(loss.value(jnp.array([[0.3]]), jnp.array([[5.0]]))[0]), 3)
        0.2
    """
    checks.require_positive(delta, "delta")

    def value(outputs: Array, targets: Array) -> Array:
        seen = jnp.clip(outputs, -delta, delta) if outputs_too else outputs
        return jnp.sum(jnp.abs(seen - jnp.clip(targets, -delta, delta)), axis=-1)

    def grad(outputs: Array, targets: Array) -> Array:
        signs = jnp.sign(outputs - jnp.clip(targets, -delta, delta))
        return jnp.where(jnp.abs(outputs) < delta, signs, 0) if outputs_too else signs

    return _loss(value, grad, checks.as_targets, lambda outputs: outputs, classifies=False)


@cache
def huber(delta: float = 1.0) -> Loss:
    r"""Builds Huber's loss (1964), the squared error near 0 and the absolute error beyond.

    $\sum_i h(y_i - t_i)$ with $h(r) = r^2 / 2$ for $|r| \le \delta$, else
    $\delta (|r| - \delta / 2)$; the derivative is $\max(-\delta, \min(r, \delta))$.

    Raises:
        ValueError: delta that is not above 0.
        TypeError: delta that is not a number.

    Example:
        >>> huber(1.0).value(jnp.array([[1.0], [3.0]]), jnp.zeros((2, 1))).tolist()
        [0.5, 2.5]
    """
    checks.require_positive(delta, "delta")

    def value(outputs: Array, targets: Array) -> Array:
        size = jnp.abs(outputs - targets)
        near = jnp.minimum(size, delta)
        return jnp.sum(near * (size - near / 2), axis=-1)

    def grad(outputs: Array, targets: Array) -> Array:
        return jnp.clip(outputs - targets, -delta, delta)

    return _loss(value, grad, checks.as_targets, lambda outputs: outputs, classifies=False)


@cache
def focal(gamma: float = 2.0) -> Loss:
    r"""Builds the focal loss of Lin et al. (2017), which cares less for what is classified well.

    $-(1 - p_t)^\gamma \log p_t$, with the softmax $p$ and the label $t$; its derivative is
    $((1 - p_t)^\gamma - \gamma p_t (1 - p_t)^{\gamma - 1} \log p_t) (p_j - [j = t])$.

    Raises:
        ValueError: gamma that is negative; 0 is the cross entropy.
        TypeError: gamma that is not a number.

    Example:
        >>> loss = focal(2.0).value(jnp.zeros((1, 2)), jnp.array([0]))  # (1/2)^2 log 2
        >>> round(float(loss[0]), 4)
        0.1733
    """
    checks.require_at_least_0(gamma, "gamma")

    def log_of_label(outputs: Array, labels: Array) -> Array:
        return -_softmax_value(outputs, labels)

    def value(outputs: Array, labels: Array) -> Array:
        log_p = log_of_label(outputs, labels)
        rest = -jnp.expm1(log_p)
        known = rest == 0  # where a power below 1 has no derivative
        power = jnp.where(known, float(gamma == 0), jnp.where(known, 1, rest) ** gamma)
        return -power * log_p

    def grad(outputs: Array, labels: Array) -> Array:
        log_p = log_of_label(outputs, labels)
        rest = -jnp.expm1(log_p)
        known = rest == 0
        ratio = jnp.where(known, -1, log_p / jnp.where(known, 1, rest))
        slope = rest**gamma * (1 - gamma * jnp.exp(log_p) * ratio)
        return slope[:, None] * _softmax_grad(outputs, labels)

    return _loss(value, grad, checks.as_labels, partial(jnp.argmax, axis=-1))


@cache
def smoothed_cross_entropy(smoothing: float = 0.1) -> Loss:
    r"""Builds the softmax cross entropy with smoothed labels (Szegedy et al., 2016).

    $-\sum_j q_j \log p_j$ with $q_j = (1 - \epsilon) [j = t] + \epsilon / k$ for k classes; its
    derivative is $p - q$.

    Raises:
        ValueError: a smoothing that is negative, or 1 or more.
        TypeError: a smoothing that is not a number.

    Example:
        >>> loss = smoothed_cross_entropy(0.1).value(jnp.zeros((1, 2)), jnp.array([0]))  # log 2
        >>> round(float(loss[0]), 4)
        0.6931
    """
    checks.require_share(smoothing, "smoothing")

    def wanted(outputs: Array, labels: Array) -> Array:
        return (1 - smoothing) * _one_hot(labels, outputs) + smoothing / outputs.shape[-1]

    def value(outputs: Array, labels: Array) -> Array:
        total = jax.nn.logsumexp(outputs, axis=-1)
        return total - jnp.sum(outputs * wanted(outputs, labels), axis=-1)

    def grad(outputs: Array, labels: Array) -> Array:
        return jax.nn.softmax(outputs, axis=-1) - wanted(outputs, labels)

    return _loss(value, grad, checks.as_labels, partial(jnp.argmax, axis=-1))


LOSSES: dict[str, Loss] = {
    "softmax_cross_entropy": _loss(
        _softmax_value,
        _softmax_grad,
        checks.as_labels,
        partial(jnp.argmax, axis=-1),
    ),
    "binary_cross_entropy": _binary(_logistic_value, _logistic_grad),
    "multilabel_cross_entropy": _loss(
        _multilabel_value,
        _multilabel_grad,
        checks.as_bits,
        lambda outputs: (outputs >= 0).astype(jnp.int32),
    ),
    "hinge": _binary(_hinge_value, _hinge_grad),
    "perceptron": _binary(_perceptron_value, _perceptron_grad),
    "squared_error": _loss(
        _squared_value,
        _squared_grad,
        checks.as_targets,
        lambda outputs: outputs,
        classifies=False,
    ),
    "gaussian": _loss(
        _gaussian_value,
        _gaussian_grad,
        checks.as_half,
        lambda outputs: mean_and_variance(outputs)[0],
        classifies=False,
    ),
    "clamped_l1": clamped_l1(),
    "huber": huber(),
    "focal": focal(),
    "smoothed_cross_entropy": smoothed_cross_entropy(),
}
"""Name to loss. Labels are class indices `[batch]` (0 and 1 in the binary losses), regression
targets are `[batch, k]`, multi-label targets 0 or 1 `[batch, k]`."""


def get_loss(loss: AnyLoss) -> Loss:
    """Looks up a loss by name, returns the given one, or makes one of a function.

    A pure function `(outputs [batch, k], targets) -> [batch]` is a loss without an accuracy, of
    which JAX computes the derivative. Its targets are any finite numbers `[batch, ...]`.

    Raises:
        ValueError: an unknown name; the nearest one is suggested.
        TypeError: not a name, a loss or a function.

    Example:
        >>> get_loss("softmax_cross_entropy").classifies
        True
    """
    if isinstance(loss, Loss):
        return loss
    if isinstance(loss, str):
        return LOSSES[loss] if loss in [*LOSSES] else checks.lookup(LOSSES, loss, "loss")
    checks.require_callable(loss, "loss", "jaxnets.LOSSES['squared_error'].value")
    return _of_function(loss)


@lru_cache(maxsize=256)
def _of_function(rule: Rule) -> Loss:
    def value(outputs: Array, targets: Array) -> Array:
        found = rule(outputs, targets)
        if jnp.shape(found) != outputs.shape[:1]:
            raise ValueError(
                f"the loss returned shape {jnp.shape(found)} for outputs {outputs.shape}; expected "
                f"{outputs.shape[:1]}, one number a sample: reduce all axes but the first"
            )
        return found

    return Loss(value, slope_of(value), checks.as_any, lambda outputs: outputs, classifies=False)
