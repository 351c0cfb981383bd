"""word2vec's loss of a batch of text, written plainly: the truth that the fast step must meet.

Negative sampling (Mikolov et al., 2013; row C8): with h the hidden vector, v the output vector of
the word and u those of noise words, `-log sigma(h v) - sum log sigma(-h u)`.
"""

import jax
import jax.numpy as jnp
from jax import Array, lax

from jaxnets.word2vec.batch import TextBatch

Params = dict[str, Array]
"""`{"input": [words, dimensions], "output": [words, dimensions]}`."""


def cbow_loss(params: Params, batch: TextBatch, negatives: int) -> Array:
    """The losses of the positions, `[n]`: the word from the mean of its contexts; 0 without any.

    As in the authors' program, every context word gets the whole gradient of the mean, not its
    share; a noise word that is the word itself counts nothing; the shared noise words of a group
    count as `negatives` words together.
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
    """The losses of the positions, `[n]`: each of its contexts from the word, summed.

    The noise words of a group serve all contexts of its positions.
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
