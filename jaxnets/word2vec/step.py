"""word2vec's updates in closed form: one gather and one scatter of a stretch per table.

By hand (row D1), for a position with hidden vector h, word w and noise words u, with
`g_w = sigma(h v_w) - 1` and `g_u = sigma(h v_u)`: `dE/dh = g_w v_w + sum g_u v_u`,
`dE/dv_w = g_w h` and `dE/dv_u = g_u h`. All of a stretch is computed from the params before it.
"""

from collections.abc import Callable

import jax
import jax.numpy as jnp
from jax import Array

from jaxnets.word2vec.objective import Params
from jaxnets.word2vec.stretch import Stretch, offsets


def cbow_step(
    params: Params, stretch: Stretch, negatives: int, rate: Array
) -> tuple[Params, Array]:
    """The params after `rate` times the gradient of the summed `cbow_loss`; the losses `[n]`."""
    words, middle = stretch.words, stretch.middle
    rows = _gather(params["input"], words)
    contexts = stretch.pairs.sum(0)
    hidden = _around(rows, stretch.pairs) / jnp.maximum(contexts, 1)[:, None]
    known = (contexts > 0).astype(rows.dtype)
    numbers = jnp.concatenate([middle, stretch.noise.ravel()])
    losses, to_hidden, to_output = _gradients(
        hidden, middle, known, _gather(params["output"], numbers), stretch.noise, negatives
    )
    to_input = _spread(to_hidden, stretch.pairs)
    return {
        "input": _scatter(params["input"], words, -rate * to_input),
        "output": _scatter(params["output"], numbers, -rate * to_output),
    }, losses


def _gradients(
    hidden: Array, words: Array, weight: Array, rows: Array, noise: Array, negatives: int
) -> tuple[Array, Array, Array]:
    """Losses `[n]`, `dE/d hidden [n, d]` and `dE/d rows`, the output rows of words, then noise."""
    n, dimensions = hidden.shape
    groups, k = noise.shape
    right, wrong = rows[:n], rows[n:].reshape(groups, k, dimensions)
    grouped = hidden.reshape(groups, -1, dimensions)
    score = (hidden * right).sum(1)
    scores = jnp.einsum("gnd,gkd->gnk", grouped, wrong)
    other = (noise[:, None] != words.reshape(groups, -1, 1)) * (negatives / k)
    other = other * weight.reshape(groups, -1, 1)
    losses = weight * jax.nn.softplus(-score)
    losses = losses + (other * jax.nn.softplus(scores)).sum(2).reshape(n)
    to_score = (weight * (jax.nn.sigmoid(score) - 1))[:, None]
    to_scores = other * jax.nn.sigmoid(scores)
    to_hidden = to_score * right + jnp.einsum("gnk,gkd->gnd", to_scores, wrong).reshape(n, -1)
    to_wrong = jnp.einsum("gnk,gnd->gkd", to_scores, grouped).reshape(-1, dimensions)
    return losses, to_hidden, jnp.concatenate([to_score * hidden, to_wrong])


def skip_gram_step(
    params: Params, stretch: Stretch, negatives: int, rate: Array
) -> tuple[Params, Array]:
    """The same for `skip_gram_loss`."""
    n, words, middle = stretch.pairs.shape[1], stretch.words, stretch.middle
    groups, k = stretch.noise.shape
    hidden = _gather(params["input"], middle)
    numbers = jnp.concatenate([words, stretch.noise.ravel()])
    rows = _gather(params["output"], numbers)
    wrong = rows[len(words) :].reshape(groups, k, -1)
    grouped = hidden.reshape(groups, -1, hidden.shape[1])
    scores = jnp.einsum("gnd,gkd->gnk", grouped, wrong)
    other = sum(
        pair.reshape(groups, -1, 1) * (stretch.noise[:, None] != context.reshape(groups, -1, 1))
        for pair, context in zip(stretch.pairs, stretch.contexts, strict=True)
    ) * (negatives / k)
    losses = (other * jax.nn.softplus(scores)).sum(2).reshape(n)
    to_scores = other * jax.nn.sigmoid(scores)
    to_hidden = jnp.einsum("gnk,gkd->gnd", to_scores, wrong).reshape(n, -1)
    to_wrong = jnp.einsum("gnk,gnd->gkd", to_scores, grouped).reshape(groups * k, -1)
    weights = []
    for pair, offset in zip(stretch.pairs, offsets(stretch.reach), strict=True):
        start = stretch.reach + offset
        right = rows[start : start + n]
        score = (hidden * right).sum(1)
        losses = losses + pair * jax.nn.softplus(-score)
        weights.append(pair * (jax.nn.sigmoid(score) - 1))
        to_hidden = to_hidden + weights[-1][:, None] * right
    to_right = _spread(hidden, jnp.stack(weights))
    return {
        "input": _scatter(params["input"], middle, -rate * to_hidden),
        "output": _scatter(
            params["output"], numbers, -rate * jnp.concatenate([to_right, to_wrong])
        ),
    }, losses


STEPS: dict[str, Callable] = {"cbow": cbow_step, "skip_gram": skip_gram_step}


def _around(rows: Array, weights: Array) -> Array:
    """`sum_o weights[o, i] rows[reach + i + o]`, `[n, d]`: weighted sums of contexts' rows."""
    both, n = weights.shape
    reach = both // 2
    return sum(
        weight[:, None] * rows[reach + o : reach + o + n]
        for weight, o in zip(weights, offsets(reach), strict=True)
    )


def _spread(rows: Array, weights: Array) -> Array:
    """The transpose of `_around`: rows `[n, d]` to every context, `[n + 2 reach, d]`."""
    both, n = weights.shape
    reach = both // 2
    wide = jnp.pad(rows, ((2 * reach, 2 * reach), (0, 0)))
    weights = jnp.pad(weights, ((0, 0), (2 * reach, 2 * reach)))
    return sum(
        weight[reach - o : 3 * reach - o + n, None] * wide[reach - o : 3 * reach - o + n]
        for weight, o in zip(weights, offsets(reach), strict=True)
    )


def _gather(table: Array, numbers: Array) -> Array:
    return table.at[numbers].get(mode="promise_in_bounds")


def _scatter(table: Array, numbers: Array, rows: Array) -> Array:
    return table.at[numbers].add(rows, mode="promise_in_bounds")
