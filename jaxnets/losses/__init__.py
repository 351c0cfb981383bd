"""Losses on raw network outputs, one value per example, each with its gradient by hand (row B3).

Every loss takes `outputs [batch, k]` directly from the last affine layer: the sigmoid or softmax is
part of the loss, so values stay finite at |output| = 1e4.
"""

from jaxnets.losses.classification import focal, smoothed_cross_entropy
from jaxnets.losses.loss import Loss, with_checks
from jaxnets.losses.regression import (
    DELTA,
    VARIANCE_FLOOR,
    clamped_l1,
    huber,
    mean_and_variance,
)
from jaxnets.losses.table import LOSSES, get_loss

__all__ = [
    "DELTA",
    "LOSSES",
    "VARIANCE_FLOOR",
    "Loss",
    "clamped_l1",
    "focal",
    "get_loss",
    "huber",
    "mean_and_variance",
    "smoothed_cross_entropy",
    "with_checks",
]
