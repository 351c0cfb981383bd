"""What the rows of ACTIVATIONS and LOSSES should be, by NumPy, SciPy and optax, and by PyTorch.

A new row there needs a row here, and has its tests then. PyTorch is passed in, as it may be absent.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import optax
from scipy import special, stats


class ActivationTruth(NamedTuple):
    numpy: Callable[[Any], Any]
    torch: Callable[[Any, Any], Any]
    """`(torch, s) -> x`."""


ACTIVATION_TRUTHS = {
    "identity": ActivationTruth(lambda s: s, lambda torch, s: 1 * s),
    "sigmoid": ActivationTruth(special.expit, lambda torch, s: torch.sigmoid(s)),
    "step": ActivationTruth(lambda s: np.heaviside(s, 1), lambda torch, s: (torch.sign(s) + 1) / 2),
    "tanh": ActivationTruth(np.tanh, lambda torch, s: torch.tanh(s)),
    "relu": ActivationTruth(lambda s: np.maximum(s, 0), lambda torch, s: torch.relu(s)),
    "leaky_relu": ActivationTruth(
        lambda s: np.maximum(s, s / 5), lambda torch, s: torch.nn.functional.leaky_relu(s, 0.2)
    ),
    "elu": ActivationTruth(
        lambda s: np.where(s > 0, s, np.exp(np.minimum(s, 0)) - 1),
        lambda torch, s: torch.nn.functional.elu(s),
    ),
    "softplus": ActivationTruth(
        lambda s: np.logaddexp(0, s), lambda torch, s: torch.nn.functional.softplus(s)
    ),
    "gaussian": ActivationTruth(
        lambda s: np.sqrt(np.pi) * stats.norm.pdf(s, scale=np.sqrt(0.5)),
        lambda torch, s: torch.exp(-(s**2)),
    ),
    "gelu": ActivationTruth(
        lambda s: s * stats.norm.cdf(s), lambda torch, s: torch.nn.functional.gelu(s)
    ),
    "silu": ActivationTruth(
        lambda s: s * special.expit(s), lambda torch, s: torch.nn.functional.silu(s)
    ),
    "selu": ActivationTruth(
        lambda s: (
            1.0507009873554805 * np.where(s > 0, s, 1.6732632423543772 * np.expm1(np.minimum(s, 0)))
        ),
        lambda torch, s: torch.selu(s),
    ),
    "softsign": ActivationTruth(
        lambda s: s / (1 + np.abs(s)), lambda torch, s: torch.nn.functional.softsign(s)
    ),
    "hard_tanh": ActivationTruth(
        lambda s: np.clip(s, -1, 1), lambda torch, s: torch.nn.functional.hardtanh(s)
    ),
}


class LossTruth(NamedTuple):
    outputs: tuple[int, ...]
    """Numbers of outputs to test it with."""
    targets: Callable[[np.random.Generator, int, int], Any]
    """`(rng, n, outputs)`, to targets at random."""
    numpy: Callable[[Any, Any], Any]
    """`(outputs, targets) -> [n]`."""
    torch: Callable[[Any, Any, Any], Any]
    """`(torch, outputs, targets) -> [n]`."""


def bits(rng, n, outputs):
    return rng.integers(0, 2, n)


def signs(y):
    return 2.0 * y - 1


def labels(rng, n, outputs):
    return rng.integers(0, outputs, n)


def _torch_focal(torch, s, y):
    p = torch.softmax(s, dim=1).gather(1, y[:, None])[:, 0]
    return -((1 - p) ** 2) * torch.log(p)


def _torch_bce(torch, s, y):
    return torch.nn.functional.binary_cross_entropy_with_logits(s, y, reduction="none")


LOSS_TRUTHS = {
    "softmax_cross_entropy": LossTruth(
        (4, 2, 5),
        labels,
        lambda s, y: (
            -stats.multinomial(1, special.softmax(s, axis=1)).logpmf(np.eye(s.shape[1])[y])
        ),
        lambda torch, s, y: torch.nn.functional.cross_entropy(s, y, reduction="none"),
    ),
    "binary_cross_entropy": LossTruth(
        (1,),
        bits,
        lambda s, y: -stats.bernoulli(special.expit(s[:, 0])).logpmf(y),
        lambda torch, s, y: _torch_bce(torch, s[:, 0], y.to(s.dtype)),
    ),
    "multilabel_cross_entropy": LossTruth(
        (3, 1),
        lambda rng, n, outputs: rng.integers(0, 2, (n, outputs)).astype(float),
        lambda s, y: -stats.bernoulli(special.expit(s)).logpmf(y).sum(axis=1),
        lambda torch, s, y: _torch_bce(torch, s, y).sum(axis=1),
    ),
    "hinge": LossTruth(
        (1,),
        bits,
        lambda s, y: optax.losses.hinge_loss(s[:, 0], signs(y)),
        lambda torch, s, y: torch.clamp(1 - signs(y) * s[:, 0], min=0),
    ),
    "perceptron": LossTruth(
        (1,),
        bits,
        lambda s, y: optax.losses.perceptron_loss(s[:, 0], signs(y)),
        lambda torch, s, y: torch.relu(-signs(y) * s[:, 0]),
    ),
    "squared_error": LossTruth(
        (3, 1),
        lambda rng, n, outputs: rng.normal(size=(n, outputs)),
        lambda s, t: optax.losses.squared_error(s, t).sum(axis=1),
        lambda torch, s, t: torch.nn.functional.mse_loss(s, t, reduction="none").sum(axis=1),
    ),
    "gaussian": LossTruth(
        (4, 2),
        lambda rng, n, outputs: rng.normal(size=(n, outputs // 2)),
        lambda s, t: _normal(*np.split(s, 2, axis=1)).logpdf(t).sum(axis=1) * -1,
        lambda torch, s, t: torch.nn.functional.gaussian_nll_loss(
            s[:, : t.shape[1]],
            t,
            torch.nn.functional.softplus(s[:, t.shape[1] :]) + 1e-6,
            full=True,
            eps=0,
            reduction="none",
        ).sum(axis=1),
    ),
    "clamped_l1": LossTruth(
        (3, 1),
        lambda rng, n, outputs: rng.normal(scale=0.1, size=(n, outputs)),
        lambda s, t: np.abs(s - np.maximum(np.minimum(t, 0.1), -0.1)).sum(axis=1),
        lambda torch, s, t: torch.nn.functional.l1_loss(
            s, torch.clamp(t, -0.1, 0.1), reduction="none"
        ).sum(axis=1),
    ),
    "huber": LossTruth(
        (3, 1),
        lambda rng, n, outputs: rng.normal(scale=2, size=(n, outputs)),
        lambda s, t: special.huber(1, s - t).sum(axis=1),
        lambda torch, s, t: torch.nn.functional.huber_loss(s, t, reduction="none").sum(axis=1),
    ),
    "focal": LossTruth(
        (4, 2, 5),
        labels,
        lambda s, y: _focal(special.softmax(s, axis=1)[np.arange(len(y)), y]),
        _torch_focal,
    ),
    "smoothed_cross_entropy": LossTruth(
        (4, 2, 5),
        labels,
        lambda s, y: optax.losses.softmax_cross_entropy(
            s, optax.smooth_labels(np.eye(s.shape[1])[y], 0.1)
        ),
        lambda torch, s, y: torch.nn.functional.cross_entropy(
            s, y, reduction="none", label_smoothing=0.1
        ),
    ),
}


def _focal(p):
    return -((1 - p) ** 2) * np.log(p)


def _normal(mean, s):
    return stats.norm(mean, np.sqrt(np.logaddexp(0, s) + 1e-6))
