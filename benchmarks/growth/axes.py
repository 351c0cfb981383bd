"""What grows, through which values, and what a unit of work costs at least.

A curve is flat where the cost grows as the work does. `flops` and `bytes` of a unit are those that
any program needs: products alone, and what does not fit into a cache.
"""

from collections.abc import Callable
from itertools import pairwise
from typing import NamedTuple

from benchmarks.growth import zipf

CLASSES, IMAGE = 10, 784
CACHE = 2**25
"""What a step must touch before it is taken to come from memory, in bytes: a last-level cache."""
ADAM_STATE, ADAM_PASSES = 4, 7
"""Params, gradients and two moments; they are read, and all but the gradients written."""
FIXED_WORDS = 50_000
POINTS, SWEEP_EPOCHS = 1_000, 20


class Axis(NamedTuple):
    name: str
    unit: str
    values: tuple[int, ...]
    ours: str
    peers: dict[str, str]
    """Labels and factories, `module:function(axis, value)`."""
    flops: Callable[[int], float]
    bytes: Callable[[int], float]


class Shape(NamedTuple):
    """A perceptron and its training: what its factories need for a value of an axis."""

    inputs: int
    hidden: tuple[int, ...]
    batch: int
    units: int
    """Units of work in a step."""


def shape(axis: str, value: int) -> Shape:
    """Returns the perceptron of an axis at a value."""
    if axis == "width":
        return Shape(IMAGE, (value,), 64, value)
    if axis == "depth":
        return Shape(IMAGE, (100,) * value, 64, value)
    if axis == "samples":
        return Shape(2, (10,), value, value)
    return Shape(IMAGE, (100,), value, value)


def _products(axis: str) -> Callable[[int], float]:
    def flops(value: int) -> float:
        at = shape(axis, value)
        return 6 * at.batch * _weights(at) / at.units

    return flops


def _traffic(axis: str) -> Callable[[int], float]:
    def moved(value: int) -> float:
        at = shape(axis, value)
        params, samples = 4.0 * _weights(at), 4.0 * at.batch * at.inputs
        if ADAM_STATE * params + samples <= CACHE:
            return 0.0
        return (ADAM_PASSES * params + samples) / at.units

    return moved


def _weights(at: Shape) -> int:
    widths = (at.inputs, *at.hidden, CLASSES)
    return sum(a * b for a, b in pairwise(widths))


def dimensions_of(axis: str, value: int) -> tuple[int, int, int]:
    """Returns the vocabulary, the dimensions of the vectors, and the units of work of a word."""
    return (value, 100, 1) if axis == "vocabulary" else (FIXED_WORDS, value, value)


def _word_flops(axis: str) -> Callable[[int], float]:
    """CBOW with 5 words on each side at most, 3 on average, and 5 negatives (Mikolov, 2013).

    A unit is an entry of the text; not all are read.
    """

    def flops(value: int) -> float:
        words, dimensions, units = dimensions_of(axis, value)
        return (2 * 6 + 6 * 6) * dimensions * zipf.shares_read(words).sum() / units

    return flops


def _word_bytes(axis: str) -> Callable[[int], float]:
    """The vectors of a word's context and negatives, read and written, that no cache has.

    At best it has those of the words that are read most often; negatives are drawn more evenly.
    """

    def moved(value: int) -> float:
        words, dimensions, units = dimensions_of(axis, value)
        missed = zipf.shares_read(words)[CACHE // (8 * dimensions) :].sum()
        return 2 * 4 * 12 * dimensions * missed / units

    return moved


def _perceptrons(name: str, unit: str, values: tuple[int, ...]) -> Axis:
    here = "benchmarks.growth.perceptrons"
    peers = {
        "PyTorch eager, all cores": f"{here}:pytorch",
        "PyTorch eager, one core": f"{here}:pytorch_on_one_core",
    }
    return Axis(name, unit, values, f"{here}:jaxnets", peers, _products(name), _traffic(name))


def _words(name: str, unit: str, values: tuple[int, ...]) -> Axis:
    here = "benchmarks.growth.words"
    peers = {"gensim, all cores": f"{here}:gensim", "fastText, all cores": f"{here}:fasttext"}
    return Axis(name, unit, values, f"{here}:jaxnets", peers, _word_flops(name), _word_bytes(name))


AXES = {
    axis.name: axis
    for axis in (
        Axis(
            "networks",
            f"a network 2-10-1, {SWEEP_EPOCHS} steps on {POINTS:,} points",
            (1, 4, 16, 64, 256, 1_024, 4_096),
            "benchmarks.growth.sweeps:jaxnets",
            {
                "stacked baddbmm": "benchmarks.growth.sweeps:stacked",
                "C++ by hand": "benchmarks.growth.sweeps:by_hand",
            },
            lambda value: 6.0 * SWEEP_EPOCHS * POINTS * 30,
            lambda value: 0.0,
        ),
        _perceptrons(
            "width", "a hidden unit of 784-w-10, batch 64", (10, 32, 100, 316, 1_000, 2_000)
        ),
        _perceptrons("depth", "a layer of 100, batch 64", (1, 2, 4, 8, 16, 32)),
        _perceptrons(
            "samples", "a point, 2-10-10, full batch", (1_000, 10_000, 100_000, 1_000_000)
        ),
        _perceptrons("batch", "an image, 784-100-10", (1, 4, 16, 64, 256, 1_024, 4_096, 8_192)),
        _words(
            "vocabulary", "a word, CBOW, 100 dimensions", (1_000, 10_000, 50_000, 200_000, 500_000)
        ),
        _words(
            "dimensions", f"a word and dimension, {FIXED_WORDS:,} words", (50, 100, 200, 300, 600)
        ),
    )
}
