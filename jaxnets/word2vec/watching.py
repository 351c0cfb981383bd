"""The losses of a run as they are shown and returned, and its speed."""

import math
import time
from typing import Any, NamedTuple

import jax
import numpy as np
from jax import Array


def as_finite(values: Any, epoch: int) -> Any:
    """Returns the losses or params of an epoch; raises a FloatingPointError unless finite."""
    if not all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(values)):
        what = "params are" if isinstance(values, dict) else "loss is"
        raise FloatingPointError(
            f"the {what} not finite in epoch {epoch + 1}: try a smaller learning rate, or a "
            "smaller batch_size"
        )
    return values


class _Pending(NamedTuple):
    epoch: int
    read: int
    sums: Array


class Losses:
    """The losses of each epoch, fetched a chunk late: while one is under way, the next is drawn.

    A chunk's words and its losses reach the bar together: what is shown is the mean loss of the
    examples of this epoch among the words read so far.
    """

    def __init__(self, sums: np.ndarray, bar: Any) -> None:
        """Goes on from the sum and number of the losses of each epoch, `[epochs, 2]`."""
        self.sums, self.bar = sums, bar
        self.pending: _Pending | None = None

    def add(self, epoch: int, read: int, sums: Array) -> None:
        """Adds the losses of a chunk of `read` entries; collects those of the last one."""
        self.collect()
        self.pending = _Pending(epoch, read, sums)

    def collect(self) -> np.ndarray:
        """Adds what is pending; raises a FloatingPointError unless it is finite."""
        if self.pending is not None:
            (epoch, read, sums), self.pending = self.pending, None
            self.sums[epoch] += as_finite(np.asarray(sums), epoch)
            self.bar.set_postfix(
                epoch=f"{epoch + 1}/{len(self.sums)}",
                loss=f"{self.means()[epoch]:.4f}",
                refresh=False,
            )
            self.bar.update(read)
        return self.sums

    def means(self) -> np.ndarray:
        """Computes the mean loss of an example of each epoch, NaN where there is none."""
        total, n = self.sums.T
        return np.divide(total, n, out=np.full_like(total, np.nan), where=n > 0)


class Clock:
    """Measures words per second after the first chunk, which waits for the compiler."""

    def __init__(self, first: int) -> None:
        """Starts at `first` entries, which an earlier part of the run has read."""
        self.first, self.start, self.words = first, 0.0, 0

    def record(self, done: int) -> None:
        """Starts the clock at the first chunk after the one that was compiled."""
        if done > self.first and not self.words:
            self.start, self.words = time.perf_counter(), done

    def rate(self, done: int) -> float:
        """Returns the words per second since then, NaN if there was one chunk."""
        seconds = time.perf_counter() - self.start
        return (done - self.words) / seconds if done > self.words > 0 else math.nan
