"""The table of losses by name."""

from jaxnets.host import checks
from jaxnets.losses import classification, regression
from jaxnets.losses.loss import Loss

LOSSES: dict[str, Loss] = {
    "softmax_cross_entropy": classification.SOFTMAX,
    "binary_cross_entropy": classification.LOGISTIC,
    "multilabel_cross_entropy": classification.MULTILABEL,
    "hinge": classification.HINGE,
    "perceptron": classification.PERCEPTRON,
    "squared_error": regression.SQUARED,
    "gaussian": regression.GAUSSIAN,
    "clamped_l1": regression.clamped_l1(),
    "huber": regression.huber(),
    "focal": classification.focal(),
    "smoothed_cross_entropy": classification.smoothed_cross_entropy(),
}
"""Name to loss. Labels are class indices `[batch]` (0 and 1 in the binary losses), regression
targets are `[batch, k]`, multi-label targets 0 or 1 `[batch, k]`."""


def get_loss(loss: str | Loss) -> Loss:
    """Looks up a loss by name, or returns the given one.

    Raises:
        ValueError: an unknown name; the nearest one is suggested.
    """
    if isinstance(loss, Loss):
        return loss
    return LOSSES[loss] if loss in [*LOSSES] else checks.lookup(LOSSES, loss, "loss")
