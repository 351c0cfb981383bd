"""The lectures' network of words in context as a Flax module (row C7; lecture L0)."""

from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.nn.initializers import variance_scaling

from jaxnets.host import checks
from jaxnets.models.mlp import parameter

UNIFORM = variance_scaling(1 / 3, "fan_in", "uniform", in_axis=0, out_axis=1)
"""Uniform in `+- 1 / sqrt(inputs)`, as the lecture's `nn.Linear` draws."""


def window_mean(embedding: Array, x: Array) -> Array:
    """Averages the rows of `embedding [words, n]` indexed by `x [batch, window]`, `[batch, n]`.

    A negative number stands for no word; the mean of no words is 0. It equals the product of the
    window's mean one-hot vector with `embedding`, without computing that vector.
    """
    present = (x >= 0)[..., None]
    rows = jnp.where(present, embedding[x], 0)
    return rows.sum(1) / jnp.maximum(present.sum(1), 1)


class WordNet(nn.Module):
    """Predicts a word from the words around it, `W' sigma(mean of the window's rows of W)`.

    Continuous bag of words with a sigmoid hidden layer and no biases. `init(key, x) -> params`
    and `apply(params, x) -> logits [batch, words]` for int32 `x [batch, window]`, the numbers of
    the surrounding words (negative for none) in windows of any size; params is `{"params":
    {"embedding": [words, dimensions], "output": [dimensions, words]}}`.

    Args:
        words: the size of the vocabulary.
        dimensions: hidden units.

    Raises:
        ValueError: a size below 1; where samples are checked, as by `fit`, a word number that is
            not in the vocabulary, for which `apply` takes the last word.
        TypeError: a size or word numbers that are not integers.

    Example:
        >>> import jax, jax.numpy as jnp
        >>> model, x = WordNet(words=50, dimensions=8), jnp.array([[3, 7, -1, 2]])
        >>> model.apply(model.init(jax.random.key(0), x), x).shape
        (1, 50)
    """

    words: int
    dimensions: int

    def __post_init__(self) -> None:
        checks.require_count(self.words, "words")
        checks.require_count(self.dimensions, "dimensions")
        super().__post_init__()

    @nn.compact
    def __call__(self, x: Array) -> Array:
        """Computes the logits of the word in the middle of each window."""
        x = checks.as_array(x, "x")
        if not jnp.issubdtype(x.dtype, jnp.integer):
            raise TypeError(f"x has dtype {x.dtype}; word numbers are integers")
        if x.ndim != 2:
            raise ValueError(f"x has shape {x.shape}; contexts are [samples, window]")
        embedding = parameter(self, "embedding", UNIFORM, (self.words, self.dimensions))
        output = parameter(self, "output", UNIFORM, (self.dimensions, self.words))
        return jax.nn.sigmoid(window_mean(embedding, x)) @ output

    def check_samples(self, x: Any, name: str) -> np.ndarray:
        """Converts contexts to int32; raises unless all their words are in the vocabulary.

        Raises:
            ValueError: no windows, or a number beyond the vocabulary (its sample is named).
            TypeError: numbers that are not integers.
        """
        x = x if checks.is_traced(x) else checks.as_numpy(x, name)
        if not checks.is_integer(x.dtype) or x.dtype == np.bool_:
            raise TypeError(f"{name} has dtype {x.dtype}; word numbers are integers")
        if x.ndim != 2 or 0 in x.shape:
            raise ValueError(f"{name} has shape {x.shape}; contexts are [samples, window]")
        if checks.is_traced(x):
            return checks.as_int32(x)
        if x.max() >= self.words:
            row, column = (int(i) for i in np.argwhere(x >= self.words)[0])
            raise ValueError(
                f"{name} has the word number {x[row, column]} in sample {row}; the vocabulary "
                f"has {self.words} words, numbered from 0"
            )
        return checks.as_int32(x)
