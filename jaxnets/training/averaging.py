"""An exponential moving average of the params, carried by the optimizer.

    spec = TrainSpec(..., optimizer=averaged(optax.adam, decay=0.99))
    state, history = fit(spec, key, data, {"learning_rate": 1e-3})
    params = averaged_params(state)

The steps are those of the optimizer within. The history is of the params, not of their average.
"""

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax
from jax import Array

from jaxnets.host import checks
from jaxnets.training.loop import State
from jaxnets.training.optimizers import as_optimizer


class AverageState(NamedTuple):
    """What `averaged` carries from one step to the next.

    Example:
        >>> import jax, jaxnets as jn
        >>> from jaxnets.data import load
        >>> spec = jn.TrainSpec(jn.MLP((4,), 10), "softmax_cross_entropy", 1, 256, averaged("adam"))
        >>> state, _ = jn.fit(spec, jax.random.key(0), load("digits"), {"learning_rate": 1e-2})
        >>> isinstance(state.opt_state, AverageState)
        True
    """

    inner: Any
    """The state of the optimizer within."""
    sums: Any
    """`(1 - decay) sum_i decay^(n - i) w_i` over the params after each of n steps."""
    weight: Array
    """The same sum with 1 in place of the params, `1 - decay^n`."""


@dataclass(frozen=True)
class Averaged:
    """The optimizer that `averaged` builds; equal ones share a compiled program.

    Example:
        >>> averaged("adam") == averaged("adam")
        True
    """

    optimizer: Callable[..., optax.GradientTransformation]
    decay: float

    @property
    def __signature__(self) -> inspect.Signature:
        return inspect.signature(self.optimizer)

    def __call__(self, *args: Any, **hparams: Any) -> optax.GradientTransformationExtraArgs:
        """Builds the transformation for those hyper-parameters."""
        inner = optax.with_extra_args_support(self.optimizer(*args, **hparams))

        def init(params: Any) -> AverageState:
            zeros = jax.tree.map(lambda p: jnp.zeros_like(p, _precise(p)), params)
            return AverageState(inner.init(params), zeros, jnp.zeros(()))

        def update(
            grads: Any, state: AverageState, params: Any = None, **extra: Any
        ) -> tuple[Any, AverageState]:
            updates, inner_state = inner.update(grads, state.inner, params, **extra)
            new = jax.tree.map(
                lambda p: p.astype(_precise(p)), optax.apply_updates(params, updates)
            )
            ones, sums = (jnp.ones(()), new), (state.weight, state.sums)
            weight, sums = optax.incremental_update(ones, sums, 1 - self.decay)  # rounded alike
            return updates, AverageState(inner_state, sums, weight)

        return optax.GradientTransformationExtraArgs(init, update)


def averaged(optimizer: Any, decay: float = 0.999) -> Averaged:
    """Builds an optimizer that also averages the params over its steps (Polyak, 1992).

    After n steps the average is `sum_i decay^(n - i) w_i / sum_i decay^(n - i)`: the division is
    what Kingma and Ba (2015) correct the bias of Adam's moments by.

    Args:
        optimizer: as for `TrainSpec`.
        decay: how much of the average stays at each step, at least 0 and below 1; it spans about
            `1 / (1 - decay)` steps.

    Raises:
        ValueError: a decay outside [0, 1).
        TypeError: a decay that is not a number, or an optimizer that cannot be called.

    Examples:
        >>> import jax.numpy as jnp, optax
        >>> tx = averaged(optax.sgd, decay=0.5)(learning_rate=1.0)
        >>> state = tx.init({"w": jnp.zeros(1)})
        >>> _, state = tx.update({"w": jnp.ones(1)}, state, {"w": jnp.zeros(1)})
        >>> float(state.sums["w"][0] / state.weight)
        -1.0
    """
    checks.require_share(decay, "decay")
    return Averaged(as_optimizer(optimizer), float(decay))


def averaged_params(state: State) -> Any:
    """Returns the average of a run, or of each network of a sweep, in the shape of its params.

    Args:
        state: of a run with `optimizer=averaged(...)`, after a step or more.

    Raises:
        ValueError: the state of another optimizer, or one before its first step.

    Example:
        >>> import jax, jaxnets as jn
        >>> from jaxnets.data import load
        >>> spec = jn.TrainSpec(jn.MLP((4,), 10), "softmax_cross_entropy", 1, 256, averaged("adam"))
        >>> state, _ = jn.fit(spec, jax.random.key(0), load("digits"), {"learning_rate": 1e-2})
        >>> averaged_params(state)["params"]["output"]["bias"].shape
        (10,)
    """
    found = jax.tree.leaves(state.opt_state, is_leaf=_is_average)
    averages = [part for part in found if _is_average(part)]
    if len(averages) != 1:
        raise ValueError(
            "the optimizer of this state averages no params: train with "
            "optimizer=averaged(optax.adam)"
        )
    (average,) = averages
    if not (average.weight > 0).all():
        raise ValueError("the state has taken no step, so that there is nothing to average")

    def divide(sums: Array, params: Array) -> Array:
        ones = (1,) * (sums.ndim - average.weight.ndim)
        return (sums / average.weight.reshape(*average.weight.shape, *ones)).astype(params.dtype)

    return jax.tree.map(divide, average.sums, state.params)


def _precise(params: Array) -> Any:
    """The precision of a sum of many params, at least single."""
    return jnp.promote_types(params.dtype, jnp.float32)


def _is_average(part: Any) -> bool:
    return isinstance(part, AverageState)
