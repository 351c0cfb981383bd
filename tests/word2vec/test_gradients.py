"""word2vec's closed-form updates against automatic differentiation of the plain loss."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

from jaxnets.word2vec import reference_loss, sampling, tables
from jaxnets.word2vec.batch import dynamic_reaches, offsets, streams, text_batch
from jaxnets.word2vec.gradients import GRADIENTS

LOSSES = {"cbow": reference_loss.cbow_loss, "skip_gram": reference_loss.skip_gram_loss}
WORDS, DIMENSIONS = 13, 6


def random_params(seed=0):
    rng = np.random.default_rng(seed)
    shape = (WORDS, DIMENSIONS)
    return {name: jnp.asarray(rng.standard_normal(shape)) for name in ("input", "output")}


def random_batch(seed=0, n=24, reach=3, groups=4, k=5, apart=1):
    """Few words and short lines, so that words repeat, meet noise, and some have no context."""
    rng = np.random.default_rng(seed)
    rows = n // apart
    words = jnp.asarray(rng.integers(0, WORDS, (rows + 2 * reach, apart)), jnp.int32)
    lines = jnp.asarray(np.cumsum(rng.random((rows + 2 * reach, apart)) < 0.4, axis=0))
    reaches = jnp.asarray(rng.integers(1, reach + 1, (rows, apart)))
    noise = jnp.asarray(rng.integers(0, WORDS, (groups, k)), jnp.int32)
    return text_batch(words, lines, reaches, noise), lines, reaches


@pytest.mark.parametrize("name", GRADIENTS)
@pytest.mark.parametrize(
    "sizes",
    [{}, {"reach": 1}, {"groups": 1}, {"groups": 24, "k": 2}, {"apart": 3}, {"apart": 24}],
    ids=str,
)
def test_the_closed_form_is_the_gradient_of_the_loss(x64, name, sizes):
    params, (batch, *_) = random_params(), random_batch(**sizes)
    losses, found = GRADIENTS[name](params, batch, 5)
    want = LOSSES[name](params, batch, 5)
    np.testing.assert_allclose(losses, want, rtol=1e-12, atol=1e-14)
    grads = jax.grad(lambda p: LOSSES[name](p, batch, 5).sum())(params)
    for table, grad in grads.items():
        change = -tables.descend({table: jnp.zeros_like(grad)}, {table: found[table]}, 1)[table]
        assert jnp.linalg.norm(change - grad) <= 1e-12 * jnp.linalg.norm(grad)
        assert jnp.linalg.norm(grad) > 0


@pytest.mark.parametrize("name", GRADIENTS)
def test_a_hundred_steps_equal_a_hundred_dense_steps(name):
    """In float32, from one batch of text to the next."""
    batches = [random_batch(seed)[0] for seed in range(100)]
    batches = jax.tree.map(lambda *leaves: jnp.stack(leaves), *batches)
    start = jax.tree.map(lambda a: 0.3 * a.astype(jnp.float32), random_params())

    def dense(params, batch):
        grads = jax.grad(lambda p: LOSSES[name](p, batch, 5).sum())(params)
        return jax.tree.map(lambda p, g: p - 0.02 * g, params, grads), None

    def sparse(params, batch):
        _, grads = GRADIENTS[name](params, batch, 5)
        return tables.descend(params, grads, 0.02), None

    found, _ = jax.lax.scan(sparse, start, batches)
    want, _ = jax.lax.scan(dense, start, batches)
    for table in start:
        assert jnp.linalg.norm(found[table] - want[table]) <= 1e-5 * jnp.linalg.norm(want[table])
        assert jnp.linalg.norm(found[table] - start[table]) > 0.1


def slow_cbow(params, batch, lines, reaches, negatives):
    """The sum of losses, position by position, as word2vec's authors describe it."""
    words = np.asarray(batch.words).reshape(lines.shape)
    groups, reach = len(batch.noise), (len(lines) - len(reaches)) // 2
    total = 0.0
    for i, stream in np.ndindex(reaches.shape):
        at = reach + i
        near = range(at - int(reaches[i, stream]), at + int(reaches[i, stream]) + 1)
        mine = [j for j in near if j != at and lines[j, stream] == lines[at, stream]]
        if not mine:
            continue
        hidden = np.mean([params["input"][words[j, stream]] for j in mine], axis=0)
        word = words[at, stream]
        total += np.log1p(np.exp(-hidden @ params["output"][word]))
        group = (i * reaches.shape[1] + stream) * groups // reaches.size
        noise = [other for other in np.asarray(batch.noise)[group] if other != word]
        for other in noise:
            weight = negatives / batch.noise.shape[1]
            total += weight * np.log1p(np.exp(hidden @ params["output"][other]))
    return total


@pytest.mark.parametrize("apart", [1, 4])
def test_the_loss_is_that_of_a_loop(x64, apart):
    params, (batch, lines, reaches) = random_params(), random_batch(apart=apart)
    found = reference_loss.cbow_loss(params, batch, 5).sum()
    arrays = {name: np.asarray(table) for name, table in params.items()}
    want = slow_cbow(arrays, batch, np.asarray(lines), np.asarray(reaches), 5)
    np.testing.assert_allclose(found, want, rtol=1e-12)


def test_pairs_are_of_one_line_and_within_reach():
    batch, *others = random_batch(n=24, reach=3, apart=2)
    lines, reaches = map(np.asarray, others)
    for row, offset in zip(np.asarray(batch.pairs), offsets(3), strict=True):
        for (i, stream), is_pair in np.ndenumerate(row.reshape(reaches.shape)):
            near = abs(offset) <= reaches[i, stream]
            same = lines[3 + i + offset, stream] == lines[3 + i, stream]
            assert is_pair == (near and same)


def test_streams_are_the_text_in_parts_with_their_contexts():
    text = np.arange(24 + 2 * 3)
    found = np.asarray(streams(text, 4, reach=3))
    for stream in range(4):
        np.testing.assert_array_equal(found[:, stream], text[6 * stream : 6 * stream + 12])
    np.testing.assert_array_equal(streams(text, 1, reach=3)[:, 0], text)


def test_reaches_are_uniform(key):
    drawn = np.asarray(dynamic_reaches(key, (500, 100), 5))
    assert stats.chisquare(np.bincount(drawn.ravel(), minlength=6)[1:]).pvalue > 1e-3


COUNTS = np.asarray([5000, 1200, 800, 300, 44, 40, 31, 12, 7, 5])


def test_noise_follows_the_counts_to_the_three_quarters(key):
    drawn = np.asarray(sampling.draw(key, sampling.noise(COUNTS), (400, 500)))
    want = COUNTS**0.75
    found = np.bincount(drawn.ravel(), minlength=len(COUNTS))
    assert stats.chisquare(found, drawn.size * want / want.sum()).pvalue > 1e-3
    assert stats.chisquare(found, drawn.size * COUNTS / COUNTS.sum()).pvalue < 1e-9


@pytest.mark.parametrize("n", [1, 2, 3, 1000])
def test_alias_tables_hold_their_distribution(n):
    weights = np.random.default_rng(n).pareto(1.0, n) + 1e-9
    weights /= weights.sum()
    accept, other = sampling.alias(weights)
    accept = np.asarray(accept, np.float64)
    found = np.bincount(other, 1 - accept, minlength=n) + accept
    np.testing.assert_allclose(found / n, weights, atol=1e-7)
    assert (accept >= 0).all()
    assert (accept <= 1).all()


def test_frequent_words_are_read_less(key):
    """The share read of a word of frequency f, against the formula in the authors' program."""
    keep = sampling.keep_probabilities(COUNTS, 1e-2)
    frequency = COUNTS / COUNTS.sum()
    want = (np.sqrt(frequency / 1e-2) + 1) * 1e-2 / frequency
    np.testing.assert_allclose(keep, np.minimum(1, want))
    assert (np.diff(keep) >= 0).all()
    assert keep[0] < 0.2
    np.testing.assert_array_equal(sampling.keep_probabilities(COUNTS, 0), 1)
    with pytest.raises(ValueError, match="sample is 2"):
        sampling.keep_probabilities(COUNTS, 2)


def test_ordered_additions_equal_plain_ones(x64):
    """A word may occur once, often or never; the last and the first row included."""
    rng = np.random.default_rng(0)
    table = jnp.asarray(rng.standard_normal((WORDS, DIMENSIONS)))
    for numbers in (rng.integers(0, WORDS, 50), np.zeros(7), [WORDS - 1, 0], [3]):
        rows = jnp.asarray(rng.standard_normal((len(numbers), DIMENSIONS)))
        change = tables.Rows(jnp.asarray(numbers, jnp.int32), rows)
        want = np.array(table)
        np.add.at(want, np.asarray(numbers, int), np.asarray(rows))
        for add in (tables.add, tables.ordered_add):
            np.testing.assert_allclose(add(table, change), want, rtol=1e-13, atol=1e-13)


def test_ordered_additions_never_write_twice_to_a_row():
    """What makes them the same on every run of a GPU: XLA may rely on it."""
    change = tables.Rows(jnp.zeros(9, jnp.int32), jnp.ones((9, DIMENSIONS)))
    table = jnp.zeros((WORDS, DIMENSIONS))
    text = {
        add: jax.jit(add).trace(table, change).lower(lowering_platforms=("cuda",)).as_text()
        for add in (tables.add, tables.ordered_add)
    }
    assert "unique_indices = true" in text[tables.ordered_add]
    assert "unique_indices = true" not in text[tables.add]
