"""A simple implementation of word2vec's loss, the reference for the fast gradients.

Negative sampling (Mikolov et al., 2013; row C8): `-log sigma(h v) - sum log sigma(-h u)`, where h
is the hidden vector, v the output vector of the word, and u those of the noise words.
"""

import jax
import jax.numpy as jnp
from jax import Array, lax

from jaxnets.word2vec.batch import TextBatch

Params = dict[str, Array]
"""`{"input": [words, dimensions], "output": [words, dimensions]}`."""


def cbow_loss(params: Params, batch: TextBatch, negatives: int) -> Array:
    """Computes the loss of each word given the mean of its contexts, `[n]`; 0 without contexts.

    As in the authors' program, every context word gets the full gradient of the mean, not its
    share; a noise word equal to the word itself is ignored. The shared noise words of a group
    together weigh as `negatives` words.
    """
    total = sum(
        pair[:, None] * params["input"][words]
        for pair, words in zip(batch.pairs, batch.contexts, strict=True)
    )
    contexts = batch.pairs.sum(0)
    mean = total / jnp.maximum(contexts, 1)[:, None]
    hidden = total + lax.stop_gradient(mean - total)
    return (contexts > 0) * _negative_sampling(params, hidden, batch.middle, batch, negatives)


def skip_gram_loss(params: Params, batch: TextBatch, negatives: int) -> Array:
    """Computes the loss of each word's contexts given the word, summed over contexts, `[n]`.

    The noise words of a group are used for all contexts of its positions.
    """
    hidden = params["input"][batch.middle]
    losses = [
        pair * _negative_sampling(params, hidden, words, batch, negatives)
        for pair, words in zip(batch.pairs, batch.contexts, strict=True)
    ]
    return jnp.stack(losses).sum(0)


def _negative_sampling(
    params: Params, hidden: Array, words: Array, batch: TextBatch, negatives: int
) -> Array:
    groups, k = batch.noise.shape
    each = jnp.repeat(batch.noise, len(words) // groups, axis=0)
    right = jnp.einsum("nd,nd->n", hidden, params["output"][words])
    wrong = jnp.einsum("nd,nkd->nk", hidden, params["output"][each])
    other = (each != words[:, None]) * (negatives / k)
    return jax.nn.softplus(-right) + (other * jax.nn.softplus(wrong)).sum(1)
