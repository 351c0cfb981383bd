"""Random keys that record what is drawn from them."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

import jax
import numpy as np
from jax.extend.random import define_prng_impl, threefry_prng_impl

_draws: Counter = Counter()


def _record(key: np.ndarray) -> None:
    for each in np.asarray(key).reshape(-1, 2):
        _draws[tuple(map(int, each))] += 1


def _random_bits(key: jax.Array, bit_width: int, shape: tuple[int, ...]) -> jax.Array:
    jax.debug.callback(_record, key)
    return threefry_prng_impl.random_bits(key, bit_width, shape)


RECORDING = define_prng_impl(
    key_shape=threefry_prng_impl.key_shape,
    seed=threefry_prng_impl.seed,
    split=threefry_prng_impl.split,
    random_bits=_random_bits,
    fold_in=threefry_prng_impl.fold_in,
    name="recording",
    tag="rec",
)
"""Threefry, with a note of every key that bits are drawn from."""


@contextmanager
def recorded_draws() -> Iterator[Counter]:
    """Counts the draws of each key; the counts are complete once the block has ended."""
    _draws.clear()
    yield _draws
    jax.effects_barrier()
