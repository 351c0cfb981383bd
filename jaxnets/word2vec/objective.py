"""word2vec's loss of a stretch of text, written plainly: the truth that the fast step must meet.

Negative sampling (Mikolov et al., 2013; row C8): with h the hidden vector, v the output vector of
the word and u those of noise words, `-log sigma(h v) - sum log sigma(-h u)`.
"""

import jax
import jax.numpy as jnp
from jax import Array, lax

from jaxnets.word2vec.stretch import Stretch

Params = dict[str, Array]
"""`{"input": [words, dimensions], "output": [words, dimensions]}`."""


def cbow_loss(params: Params, stretch: Stretch, negatives: int) -> Array:
    """The losses of the positions, `[n]`: the word from the mean of its contexts; 0 without any.

    As in the authors' program, every context word gets the whole gradient of the mean, not its
    share; a noise word that is the word itself counts nothing; the shared noise words of a group
    count as `negatives` words together.
    """
    total = sum(
        pair[:, None] * params["input"][words]
        for pair, words in zip(stretch.pairs, stretch.contexts, strict=True)
    )
    contexts = stretch.pairs.sum(0)
    mean = total / jnp.maximum(contexts, 1)[:, None]
    hidden = total + lax.stop_gradient(mean - total)
    return (contexts > 0) * _negative_sampling(params, hidden, stretch.middle, stretch, negatives)


def skip_gram_loss(params: Params, stretch: Stretch, negatives: int) -> Array:
    """The losses of the positions, `[n]`: each of its contexts from the word, summed.

    The noise words of a group serve all contexts of its positions.
    """
    hidden = params["input"][stretch.middle]
    losses = [
        pair * _negative_sampling(params, hidden, words, stretch, negatives)
        for pair, words in zip(stretch.pairs, stretch.contexts, strict=True)
    ]
    return jnp.stack(losses).sum(0)


def _negative_sampling(
    params: Params, hidden: Array, words: Array, stretch: Stretch, negatives: int
) -> Array:
    groups, k = stretch.noise.shape
    each = jnp.repeat(stretch.noise, len(words) // groups, axis=0)
    right = jnp.einsum("nd,nd->n", hidden, params["output"][words])
    wrong = jnp.einsum("nd,nkd->nk", hidden, params["output"][each])
    other = (each != words[:, None]) * (negatives / k)
    return jax.nn.softplus(-right) + (other * jax.nn.softplus(wrong)).sum(1)
