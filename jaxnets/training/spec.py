"""The static choices of a run."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import jax
import optax

from jaxnets.host import checks
from jaxnets.losses import AnyLoss, get_loss
from jaxnets.metrics import as_metrics
from jaxnets.objective import Metric, MetricPairs
from jaxnets.training.optimizers import (
    as_optimizer,
    require_functions,
    require_hashable,
    require_sizes,
)
from jaxnets.training.stopping import EarlyStopping


@dataclass(frozen=True)
class TrainSpec:
    """Describes a training run by its static choices; equal specs share one compiled program.

    Args:
        model: a Flax module, or any object with `init(key, x) -> params` and
            `apply(params, x) -> outputs [batch, k]`.
        loss: a name in `jaxnets.LOSSES`, a `Loss` of your own, or any pure function
            `(outputs [batch, k], targets) -> [batch]`.
        epochs: passes over the training samples.
        batch_size: samples a step; None for the full set, 1 for single-sample descent. The last,
            partial batch of an epoch is used as it is.
        optimizer: builds an optax optimizer from hyper-parameters, `optimizer(learning_rate=...)`;
            or its name in optax, or one that is built and takes none.
        record_every: epochs between two rows of the history.
        value_and_grad: `jax.value_and_grad` or `jaxnets.backprop.value_and_grad`.
        augment: changes the samples of every batch before they are used, `augment(key, x) -> x`, or
            their targets too, `augment(key, x, y) -> (x, y)`; see `jaxnets.augment`.
        stopping: when to end early, and return the best params; None to take all epochs.
        metrics: functions `(outputs [samples, k], targets) -> number` by name, recorded with the
            params after an epoch; see `jaxnets.metrics`.

    Raises:
        ValueError: a size below 1, epochs that are not a multiple of `record_every`, or an unknown
            loss.
        TypeError: a size that is not an integer, a model without `init` and `apply`, an
            optimizer that cannot be called, or a choice that cannot be hashed.

    Example:
        >>> import jaxnets as jn
        >>> spec = jn.TrainSpec(jn.MLP((4,), 10), "softmax_cross_entropy", epochs=5, batch_size=32)
        >>> spec.steps_per_epoch(100)  # the last batch has 4 samples
        4
    """

    model: Any
    loss: AnyLoss
    epochs: int
    batch_size: int | None = None
    optimizer: Any = optax.adam
    record_every: int = 1
    value_and_grad: Callable[..., Callable] = jax.value_and_grad
    augment: Callable[..., Any] | None = None
    stopping: EarlyStopping | None = None
    metrics: Mapping[str, Metric] | MetricPairs = ()

    def __post_init__(self) -> None:
        checks.require_model(self.model)
        object.__setattr__(self, "metrics", as_metrics(self.metrics))
        object.__setattr__(self, "optimizer", as_optimizer(self.optimizer))
        require_functions(self.value_and_grad, self.augment)
        require_hashable(vars(self))
        require_sizes(self.epochs, self.batch_size, self.record_every)
        get_loss(self.loss)

    def steps_per_epoch(self, samples: int) -> int:
        """Updates in one pass over the data, a last, partial batch included."""
        return -(-samples // (self.batch_size or samples))
