"""word2vec's gradients in closed form, for the rows of the two tables that a batch uses.

By hand (row D1), for a position with hidden vector h, word w and noise words u, with
`g_w = sigma(h v_w) - 1` and `g_u = sigma(h v_u)`: `dE/dh = g_w v_w + sum g_u v_u`,
`dE/dv_w = g_w h` and `dE/dv_u = g_u h`. All gradients of a batch are taken at the same params.
"""

from collections.abc import Callable, Iterable
from functools import reduce

import jax.numpy as jnp
from jax import Array

from jaxnets.word2vec.batch import TextBatch, offsets
from jaxnets.word2vec.reference_loss import Params
from jaxnets.word2vec.tables import Rows, gather

Gradients = dict[str, list[Rows]]
"""For each table of the params, parts of its gradient; an index may occur more than once.

XLA updates a table in place if it is read with one gather, however often it is written, but copies
it if there are two gathers. Writing the parts one by one avoids a concatenation, which is slow.
"""


def cbow_gradients(params: Params, batch: TextBatch, negatives: int) -> tuple[Array, Gradients]:
    """Computes the losses `[n]` of `cbow_loss`, and the gradients of their sum."""
    words, middle = batch.words, batch.middle
    n, groups = len(middle), len(batch.noise)
    inputs = gather(params["input"], words)
    contexts = batch.pairs.sum(0)
    known = (contexts > 0).astype(inputs.dtype)
    hidden = _around(inputs, batch) / jnp.maximum(contexts, 1)[:, None]
    numbers = jnp.concatenate([middle, batch.noise.ravel()])
    outputs = gather(params["output"], numbers)
    right = outputs[:n]
    score = (hidden * right).sum(1)
    weight = (batch.noise[:, None] != middle.reshape(groups, -1, 1)) * (negatives / _k(batch))
    losses, to_hidden, to_noise = _noise_gradients(
        hidden, outputs[n:], weight * known.reshape(groups, -1, 1)
    )
    loss, slope = _softplus(-score)
    to_score = (-known * slope)[:, None]
    to_inputs = _spread(to_score * right + to_hidden, batch.pairs, batch.streams)
    return known * loss + losses, {
        "input": [Rows(words, to_inputs)],
        "output": [Rows(middle, to_score * hidden), Rows(batch.noise.ravel(), to_noise)],
    }


def skip_gram_gradients(
    params: Params, batch: TextBatch, negatives: int
) -> tuple[Array, Gradients]:
    """Computes the losses `[n]` of `skip_gram_loss`, and the gradients of their sum."""
    words, middle = batch.words, batch.middle
    groups = len(batch.noise)
    hidden = gather(params["input"], middle)
    numbers = jnp.concatenate([words, batch.noise.ravel()])
    outputs = gather(params["output"], numbers)
    weight = _total(
        pair.reshape(groups, -1, 1) * (batch.noise[:, None] != context.reshape(groups, -1, 1))
        for pair, context in zip(batch.pairs, batch.contexts, strict=True)
    )
    losses, to_hidden, to_noise = _noise_gradients(
        hidden, outputs[len(words) :], weight * (negatives / _k(batch))
    )
    to_scores = []
    for pair, offset in zip(batch.pairs, offsets(batch.reach), strict=True):
        right = batch.at_offset(offset, outputs)
        loss, slope = _softplus(-(hidden * right).sum(1))
        losses = losses + pair * loss
        to_scores.append(-pair * slope)
        to_hidden = to_hidden + to_scores[-1][:, None] * right
    to_words = _spread(hidden, jnp.stack(to_scores), batch.streams)
    return losses, {
        "input": [Rows(middle, to_hidden)],
        "output": [Rows(words, to_words), Rows(batch.noise.ravel(), to_noise)],
    }


GRADIENTS: dict[str, Callable[[Params, TextBatch, int], tuple[Array, Gradients]]] = {
    "cbow": cbow_gradients,
    "skip_gram": skip_gram_gradients,
}


def _positions(pairs: Array) -> Array:
    return pairs.any(0).sum()


EXAMPLES: dict[str, Callable[[Array], Array]] = {"cbow": _positions, "skip_gram": jnp.sum}
"""How many examples a batch of `pairs` has: positions with contexts, or pairs."""


def _noise_gradients(hidden: Array, noise: Array, weight: Array) -> tuple[Array, Array, Array]:
    """Computes losses `[n]`, `dE/dh [n, d]` and `dE/dv [groups k, d]` of `sum w softplus(h v)`.

    `hidden [n, d]` and `noise [groups k, d]` are paired within their groups, with weights w of
    `weight [groups, n / groups, k]`.
    """
    groups, _, k = weight.shape
    n, dimensions = hidden.shape
    hidden, noise = (rows.reshape(groups, -1, dimensions) for rows in (hidden, noise))
    scores = jnp.einsum("gnd,gkd->gnk", hidden, noise)
    loss, slope = _softplus(scores)
    to_scores = weight * slope
    return (
        (weight * loss).sum(2).reshape(n),
        jnp.einsum("gnk,gkd->gnd", to_scores, noise).reshape(n, dimensions),
        jnp.einsum("gnk,gnd->gkd", to_scores, hidden).reshape(groups * k, dimensions),
    )


def _softplus(s: Array) -> tuple[Array, Array]:
    """Computes `log(1 + e^s)` and its derivative `sigma(s)` from one exponential.

    The absolute error is small; `log1p`, whose relative error is small too, would take a tenth of
    the time of a step.
    """
    e = jnp.exp(-jnp.abs(s))
    return jnp.maximum(s, 0) + jnp.log(1 + e), jnp.where(s > 0, 1, e) / (1 + e)


def _k(batch: TextBatch) -> int:
    return batch.noise.shape[1]


def _total(terms: Iterable[Array]) -> Array:
    return reduce(jnp.add, terms)


def _around(rows: Array, batch: TextBatch) -> Array:
    """Sums the contexts' rows, `[n, d]`, of `rows [n + 2 reach s, d]`."""
    return _total(
        pair[:, None] * batch.at_offset(offset, rows)
        for pair, offset in zip(batch.pairs, offsets(batch.reach), strict=True)
    )


def _spread(rows: Array, weights: Array, streams: int) -> Array:
    """Adds `rows [n, d]`, weighted `[2 reach, n]`, at the contexts, `[n + 2 reach s, d]`."""
    both, n = weights.shape
    edge = both * streams
    wide = jnp.pad(rows, ((edge, edge), (0, 0)))
    weights = jnp.pad(weights, ((0, 0), (edge, edge)))
    return _total(
        weight[start : start + n + edge, None] * wide[start : start + n + edge]
        for weight, offset in zip(weights, offsets(both // 2), strict=True)
        for start in [(both // 2 - offset) * streams]
    )
