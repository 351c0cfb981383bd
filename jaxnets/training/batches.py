"""Other batches for a step: the hardest samples of its own, or samples that are drawn for it.

Both wrap the `value_and_grad` of a `TrainSpec`, so that `fit`, `sweep` and `train` need not know:

    value_and_grad=FreshGradients(draw, HardestGradients(32))

draws a batch, chooses the 32 samples with the largest loss, and differentiates their mean loss.
Optimizers that search along a line evaluate the objective on the original batch: use others.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array, lax

from jaxnets.host import checks
from jaxnets.losses import get_loss
from jaxnets.objective import Batch, calls_of

Gradient = Callable[..., Callable]


def hardest(losses: Array, batch: Any, n: int) -> Any:
    """Selects the n samples of a batch with the largest losses, in the order of the batch.

    Of equal losses the first count as larger, and a NaN as larger than all, so that it is seen. All
    n samples of a batch of n are the batch itself, bit for bit. Lecture L4 calls it hard-example
    mining (Shrivastava, Gupta and Girshick, 2016, choose so within every step).

    Args:
        losses: `[batch]`.
        batch: arrays `[batch, ...]`, such as `{"x": ..., "y": ...}`.
        n: how many samples to select.

    Returns:
        The same arrays, each `[n, ...]`.

    Raises:
        ValueError, TypeError: losses with other axes, arrays of other lengths, or an n that is not
            an integer from 1 to the number of samples.
    """
    checks.require_count(n, "n")
    if np.ndim(losses) != 1:
        raise ValueError(f"losses have shape {np.shape(losses)}; expected one a sample, [batch]")
    size = len(losses)
    lengths = {np.shape(a)[:1] for a in jax.tree.leaves(batch)}
    if lengths != {(size,)}:
        raise ValueError(f"there are {size} losses, but arrays of {sorted(lengths)} samples")
    if n > size:
        raise ValueError(f"n is {n}; a batch of {size} has no {n} hardest samples")
    rows = lax.top_k(losses, n)[1].sort()
    return jax.tree.map(lambda a: a[rows], batch)


@dataclass(frozen=True)
class HardestGradients:
    """Differentiates the mean loss of the n hardest samples of a batch; equal ones share a program.

    The loss that decides is that of the network without dropout. The metrics of a step are those of
    the samples that were selected. Samples of weight 0 are the last to be. A last, partial batch of
    n samples or fewer is used as it is.

    Args:
        n: how many samples to go back through.
        value_and_grad: computes the gradient, `jax.value_and_grad` or one like it.

    Raises:
        ValueError, TypeError: an n that is not an integer of 1 or more, or a gradient that cannot
            be called.
    """

    n: int
    value_and_grad: Gradient = jax.value_and_grad

    def __post_init__(self) -> None:
        checks.require_count(self.n, "n")
        checks.require_callable(self.value_and_grad, "value_and_grad", "jax.value_and_grad")

    def __call__(self, objective: Any, has_aux: bool = True) -> Callable:
        """Builds the gradient of a `jaxnets.Objective`, `(params, batch, key)` to what it gives."""
        differentiate = self.value_and_grad(objective, has_aux=has_aux)
        loss = get_loss(objective.loss)

        def evaluate(params: Any, batch: Batch, key: Array | None = None) -> Any:
            outputs = calls_of(objective.model).evaluate(params, batch["x"])
            losses = loss.value(outputs, batch["y"])
            if "weight" in batch:
                losses = jnp.where(batch["weight"] > 0, losses, -jnp.inf)
            return differentiate(params, hardest(losses, batch, min(self.n, len(losses))), key)

        return evaluate


@dataclass(frozen=True)
class FreshGradients:
    """Differentiates the loss of samples that are drawn in every step; equal ones share a program.

    A run then sees no sample twice. Of its training data only the number counts, which says how
    many steps make an epoch, and the shape.

    Args:
        draw: `(key, n) -> batch`, n samples such as `jaxnets.data.hands.hands` draws.
        value_and_grad: computes the gradient, `jax.value_and_grad` or one like it.

    Raises:
        TypeError: a `draw` or a gradient that cannot be called.
    """

    draw: Callable[[Array, int], Batch]
    value_and_grad: Gradient = jax.value_and_grad

    def __post_init__(self) -> None:
        checks.require_callable(self.draw, "draw", "jaxnets.data.hands.hands")
        checks.require_callable(self.value_and_grad, "value_and_grad", "jax.value_and_grad")

    def __call__(self, objective: Any, has_aux: bool = True) -> Callable:
        """Builds the gradient, which needs the key of a step."""
        differentiate = self.value_and_grad(objective, has_aux=has_aux)

        def evaluate(params: Any, batch: Batch, key: Array) -> Any:
            draw_key, model_key = jax.random.split(key)
            return differentiate(params, self.draw(draw_key, len(batch["x"])), model_key)

        return evaluate
