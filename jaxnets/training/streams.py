"""Where the batches of a run come from if not from arrays on the device.

A source yields the batches of one epoch after another as the host has them, with None after each
epoch; `BatchCheck` converts them as `fit` converts arrays.
"""

import mmap
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

import jax
import numpy as np
from jax import Array

from jaxnets.host import checks
from jaxnets.losses import get_loss
from jaxnets.objective import PARTS, as_samples, count_outputs
from jaxnets.training.permutation import permutation
from jaxnets.training.spec import TrainSpec

PART_NAMES = ("x", "y", "weight")
END: Any = object()
MAPPED_AT_MOST = 2**28
"""Bytes of a file that may be mapped at a time."""
AROUND = 2**16
"""Bytes that an operating system maps around one that is read."""
GIVE_BACK = getattr(mmap, "MADV_DONTNEED", None)
"""Where the operating system lets a process give pages back."""


class Raw(NamedTuple):
    """A batch before it is checked."""

    parts: Any
    place: str
    rows: np.ndarray | None = None
    """Which rows of the arrays it is, if it is from arrays."""


RawBatches = Iterator[Raw | None]


@dataclass(frozen=True)
class Stream:
    """Batches of an iterable, or of a function that makes iterators.

    Args:
        source: what the user gave.
        steps: batches an epoch; None if an epoch is a pass.
    """

    source: Any
    steps: int | None

    def batches(self, epochs: range) -> RawBatches:
        """Yields the batches of the epochs, None after each."""
        return self._passes(epochs) if self.steps is None else self._counted(epochs, self.steps)

    def _passes(self, epochs: range) -> RawBatches:
        for epoch in epochs:
            number = 0
            for number, batch in enumerate(self._open(), 1):
                yield Raw(batch, _place(number, epoch))
            if not number:
                raise ValueError(f"the stream has no batch in epoch {epoch + 1}: {self._advice()}")
            yield None

    def _counted(self, epochs: range, steps: int) -> RawBatches:
        batches = self._open()
        for epoch in epochs:
            for number in range(1, steps + 1):
                batch = next(batches, END)
                if batch is END and number == 1 and epoch > epochs[0]:
                    batches = self._open()
                    batch = next(batches, END)
                if batch is END:
                    raise ValueError(
                        f"the stream ended after {number - 1} of {steps} batches of epoch "
                        f"{epoch + 1}: {self._advice()}"
                    )
                yield Raw(batch, _place(number, epoch))
            yield None

    def _open(self) -> Iterator[Any]:
        made = self.source if isinstance(self.source, Iterable) else self.source()
        if not isinstance(made, Iterable):
            raise TypeError(
                f"the function of the stream returned a {type(made).__name__}; it must return an "
                "iterator of batches"
            )
        return iter(made)

    def _advice(self) -> str:
        if isinstance(self.source, Iterator):
            return (
                "an iterator can be used once; give a function that makes a new one, such as "
                "lambda: batches(), or fewer epochs"
            )
        if self.steps is None:
            return "its function must make a new iterator each time, with a batch or more"
        return "lower steps_per_epoch, or leave it out, so that an epoch is a pass over the stream"


@dataclass(frozen=True)
class Rows:
    """Batches of arrays that stay where they are, such as in a file, in the order of `fit`.

    Args:
        part: arrays `[samples, ...]`, x, y and perhaps weight.
        size: samples a batch.
        order_key: decides the order, as in `jaxnets.training.loop`.
    """

    part: Mapping[str, Any]
    size: int
    order_key: Array

    @property
    def steps(self) -> int:
        """Batches an epoch."""
        return -(-len(self.part["x"]) // self.size)

    def batches(self, epochs: range) -> RawBatches:
        """Yields the batches of the epochs, None after each."""
        n = len(self.part["x"])
        for epoch in epochs:
            order = np.arange(n)
            if self.size < n:
                order = np.asarray(_order(self.order_key, epoch, n))
            for number in range(1, self.steps + 1):
                rows = order[(number - 1) * self.size : number * self.size]
                batch = {name: _read(array, rows) for name, array in self.part.items()}
                yield Raw(batch, _place(number, epoch), rows)
            yield None


@partial(jax.jit, static_argnums=2)
def _order(key: Array, epoch: Array, n: int) -> Array:
    """Draws the order of n samples in an epoch, that of `fit`."""
    return permutation(jax.random.fold_in(key, epoch), n)


def _read(array: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Reads rows of an array; those of a large file in its order, to give its pages back after.

    Pages that were read count as memory of the process, though the system may drop them.
    """
    file = _file_of(array)
    if file is None:
        return array[rows]
    found = np.empty((len(rows), *array.shape[1:]), array.dtype)
    order = np.argsort(rows)
    at_a_time = max(1, MAPPED_AT_MOST // (AROUND + array[0].nbytes))
    for start in range(0, len(rows), at_a_time):
        some = order[start : start + at_a_time]
        found[some] = array[rows[some]]
        file.madvise(GIVE_BACK)
    return found


def _file_of(array: Any) -> Any:
    """Returns the large file that an array is mapped from, if its pages can be read again."""
    while isinstance(array, np.ndarray):
        if isinstance(array, np.memmap) and array.mode == "c":
            return None
        array = array.base
    mapped = isinstance(array, mmap.mmap) and GIVE_BACK is not None
    return array if mapped and len(array) > MAPPED_AT_MOST else None


def open_source(spec: TrainSpec, train: Any, steps: int | None, order_key: Array) -> Stream | Rows:
    """Chooses how to read batches.

    Raises:
        TypeError: something that has no batches.
        ValueError: an iterator whose epochs cannot be told, or steps of arrays, which have theirs.
    """
    if steps is not None:
        checks.require_count(steps, "steps_per_epoch")
    if isinstance(train, Mapping) and {*"xy"} <= {*train}:
        return _rows(spec, train, steps, order_key)
    if isinstance(train, Mapping | str | bytes) or not (
        callable(train) or isinstance(train, Iterable)
    ):
        raise TypeError(
            f"the stream is {_described(train)}; it must yield batches: an iterable, a function "
            "that makes an iterator for each epoch, or arrays {'x': x, 'y': y}"
        )
    if isinstance(train, Iterator) and steps is None and spec.epochs > 1:
        raise ValueError(
            f"the stream is an iterator, of which nothing tells where one of {spec.epochs} epochs "
            "ends: give steps_per_epoch, or a function that makes a new iterator for each epoch, "
            "such as lambda: batches()"
        )
    return Stream(train, steps)


def _rows(spec: TrainSpec, part: Mapping[str, Any], steps: int | None, order_key: Array) -> Rows:
    if steps is not None:
        raise ValueError(
            f"steps_per_epoch is {steps}, but an epoch of arrays is a pass over them: leave it out"
        )
    if part.keys() - PARTS:
        raise TypeError(f"train has {sorted(part.keys() - PARTS)}, which nothing would use")
    arrays = {name: _as_rows(array, f"train {name}") for name, array in part.items()}
    for name, array in arrays.items():
        checks.require_same_length(arrays["x"], array, ("train x", f"train {name}"))
    return Rows(arrays, checks.as_batch_size(spec.batch_size, len(arrays["x"])), order_key)


def _as_rows(array: Any, name: str) -> np.ndarray:
    """Converts to an array, without reading one that is in a file."""
    return np.asarray(array) if isinstance(array, np.memmap) else checks.as_rows(array, name)


def _described(value: Any) -> str:
    parts = f" of {', '.join(map(str, value))}" if isinstance(value, Mapping) else ""
    return f"a {type(value).__name__}{parts}"


def _place(number: int, epoch: int) -> str:
    return f"batch {number} of epoch {epoch + 1}"


class Checked(NamedTuple):
    """A batch that the step can take."""

    parts: dict[str, np.ndarray]
    samples: float
    """How many samples it counts for: the sum of the weights, if there are any."""


class BatchCheck:
    """Converts batches as `fit` converts arrays, once they are like the first.

    Args:
        spec: the static choices.
        first: the first batch.

    Raises:
        TypeError, ValueError: what does not fit, in which batch, and what to do.
    """

    def __init__(self, spec: TrainSpec, first: Raw):
        self.model, self.loss = spec.model, get_loss(spec.loss)
        parts = parts_of(first)
        self.like = {name: (a.dtype, a.shape[1:]) for name, a in parts.items()}
        x = as_samples(spec.model, parts["x"][:1], f"x of {first.place}")
        self.outputs = count_outputs.__wrapped__(spec.model, x.shape[1:], x.dtype)

    def __call__(self, raw: Raw | None) -> Checked | None:
        """Converts a batch; None, the end of an epoch, stays so."""
        return None if raw is None else self.convert(raw)

    def convert(self, raw: Raw) -> Checked:
        """Converts a batch."""
        try:
            return self._converted(parts_of(raw), raw.place)
        except ValueError:
            if raw.rows is not None:
                self._blame(raw, raw.rows)
            raise

    def require_targets(self, part: Mapping[str, Any]) -> None:
        """Raises an error unless all targets and weights of arrays fit."""
        self.loss.check(part["y"], self.outputs, "train y")
        if "weight" in part:
            checks.as_weights(part["weight"], "train weight")

    def _blame(self, raw: Raw, rows: np.ndarray) -> None:
        """Raises the error of the row that it is about, if it is about one."""
        for i, row in enumerate(rows):
            self._converted({name: a[i : i + 1] for name, a in raw.parts.items()}, f"row {row}")

    def _converted(self, parts: dict[str, np.ndarray], place: str) -> Checked:
        self._require_alike(parts, place)
        x = as_samples(self.model, parts["x"], f"x of {place}")
        y = self.loss.check(parts["y"], self.outputs, f"y of {place}")
        checks.require_same_length(x, y, (f"x of {place}", f"y of {place}"))
        found, samples = {"x": np.array(x), "y": np.array(y)}, float(len(x))
        if "weight" in parts:
            weight = checks.as_weights(parts["weight"], f"weight of {place}", some=False)
            checks.require_same_length(x, weight, (f"x of {place}", f"weight of {place}"))
            found["weight"], samples = np.array(weight), float(weight.sum())
        return Checked(found, samples)

    def _require_alike(self, parts: dict[str, np.ndarray], place: str) -> None:
        if parts.keys() != self.like.keys():
            raise ValueError(
                f"{place} has {', '.join(parts)}; the first had {', '.join(self.like)}"
            )
        for name, array in parts.items():
            dtype, shape = self.like[name]
            if array.dtype != dtype or array.shape[1:] != shape:
                raise ValueError(
                    f"{name} of {place} is {array.dtype} {array.shape}; that of the first was "
                    f"{dtype} {('batch', *shape)}: all batches need samples of one shape and type"
                )


def parts_of(raw: Raw) -> dict[str, np.ndarray]:
    """Returns the arrays of a batch that a stream has yielded.

    Raises:
        TypeError: not a dict with x and y, nor a pair.
        ValueError: a single sample, or an array that cannot be read.
    """
    found = raw.parts
    if isinstance(found, tuple | list) and 2 <= len(found) <= len(PART_NAMES):
        found = dict(zip(PART_NAMES, found, strict=False))
    if not isinstance(found, Mapping):
        raise TypeError(
            f"{raw.place} is {_described(found)}; a stream yields dicts of x, y and perhaps "
            "weight, or pairs (x, y)"
        )
    if not {*"xy"} <= {*found} <= PARTS:
        raise TypeError(
            f"{raw.place} has {', '.join(map(str, found))}; it must have x, y and perhaps weight: "
            "rename these, and leave out the rest"
        )
    arrays = {name: checks.as_numpy(a, f"{name} of {raw.place}") for name, a in found.items()}
    for name, array in arrays.items():
        if array.ndim == 0:
            raise ValueError(
                f"{name} of {raw.place} is a single number; expected [batch, ...]: if the stream "
                "yields samples, put them into batches first"
            )
    return arrays
