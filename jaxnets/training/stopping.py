"""Early stopping inside the compiled program, so that each network of a sweep stops by itself.

    spec = TrainSpec(..., stopping=EarlyStopping("valid_loss", patience=5))

The params of the best record are what a run returns (Prechelt, 1998). `fit` cuts its history off
after the last record; the rows of a sweep are NaN from there on.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array, lax

from jaxnets.host import checks

Record = Callable[[Any, Array], tuple[Any, dict[str, Array]]]


@dataclass(frozen=True)
class EarlyStopping:
    """Says when a run ends early: after `patience` records in a row that are not better.

    A value is better if it is by more than `min_delta` below the best so far, or above it where
    higher is better.

    Args:
        metric: the row of the history that decides, such as `valid_loss` or `valid_accuracy`.
        patience: how many records in a row may be no better.
        min_delta: by how much a value must be better, 0 or more.
        higher_is_better: whether the metric should rise; None for accuracies only.

    Raises:
        ValueError: a patience below 1, or a negative `min_delta`.
        TypeError: a patience that is not an integer, or a metric that is not a name.

    Example:
        >>> import jax, jaxnets as jn
        >>> from jaxnets.data import load
        >>> stopping = jn.EarlyStopping("valid_loss", patience=1, min_delta=100.0)  # never better
        >>> spec = jn.TrainSpec(
        ...     jn.MLP((4,), 10), "softmax_cross_entropy", 9, 256, stopping=stopping
        ... )
        >>> _, history = jn.fit(spec, jax.random.key(0), load("digits"), {"learning_rate": 1e-2})
        >>> len(history["valid_loss"])
        2
    """

    metric: str = "valid_loss"
    patience: int = 10
    min_delta: float = 0.0
    higher_is_better: bool | None = None

    def __post_init__(self) -> None:
        if not isinstance(self.metric, str):
            raise TypeError(f"metric is {self.metric!r}; it must be a name, such as 'valid_loss'")
        checks.require_count(self.patience, "patience")
        checks.require_at_least_0(self.min_delta, "min_delta")

    @property
    def sign(self) -> int:
        """1 if the metric should fall, -1 if it should rise."""
        rises = self.higher_is_better
        return -1 if (self.metric.endswith("accuracy") if rises is None else rises) else 1


class Watched(NamedTuple):
    """What a run remembers for early stopping."""

    best: Array
    """The best value so far, times the sign of the metric."""
    params: Any
    """Those of the best record."""
    waited: Array
    """Records since then."""
    records: Array
    """How many there were."""
    stopped: Array


def watch(params: Any) -> Watched:
    """Begins to watch a run with these params."""
    zero = jnp.zeros((), jnp.int32)
    return Watched(jnp.array(jnp.inf), params, zero, zero, jnp.array(False))


def watch_record(
    stopping: EarlyStopping, before: Watched, row: dict[str, Array], params: Any
) -> Watched:
    """Takes note of a record, with its row of the history and the params after it."""
    value = stopping.sign * row[stopping.metric]
    better = value < before.best - stopping.min_delta
    kept = jax.tree.map(lambda new, old: jnp.where(better, new, old), params, before.params)
    waited = jnp.where(better, 0, before.waited + 1)
    best = jnp.where(better, value, before.best)
    return Watched(best, kept, waited, before.records + 1, waited >= stopping.patience)


def stoppable(record: Record) -> Record:
    """Makes a scan body `((state, watched), index)` do nothing, with a row of NaN, once stopped."""

    def unless_stopped(now: tuple[Any, Watched], index: Array) -> tuple[Any, dict[str, Array]]:
        shapes = jax.eval_shape(record, now, index)[1]
        nothing = {name: jnp.full(s.shape, jnp.nan, s.dtype) for name, s in shapes.items()}
        return lax.cond(now[1].stopped, lambda now, _: (now, nothing), record, now, index)

    return unless_stopped


def best_state(state: Any, watched: Watched) -> Any:
    """Puts the params of the best record in the last state."""
    return state._replace(params=watched.params)


def cut_off(history: dict[str, np.ndarray], records: Any) -> dict[str, np.ndarray]:
    """Removes the rows after the last record; those of many networks become NaN."""
    records = np.asarray(records)
    if records.ndim == 0:
        return {name: values[:records] for name, values in history.items()}
    rows = np.arange(next(iter(history.values())).shape[1])
    over = rows[None] >= records[:, None]
    return {name: np.where(over, np.nan, values) for name, values in history.items()}
