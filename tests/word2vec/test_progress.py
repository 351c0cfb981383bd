"""What the bar shows: the mean loss of negative sampling, against loops over every example."""

import importlib
from contextlib import contextmanager

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxnets.text import tiny_language
from jaxnets.text.corpus import read as read_corpus
from jaxnets.word2vec import Word2Vec, chunks, reference_loss, sampling, train
from jaxnets.word2vec.batch import dynamic_reaches, text_batch

training = importlib.import_module("jaxnets.word2vec.train")
SETTINGS = {
    "dimensions": 8,
    "window": 2,
    "epochs": 2,
    "sample": 0.05,
    "batch_size": 16,
    "streams": 1,
    "positions_per_group": 8,
    "shared_negatives": 3,
    "learning_rate": 0.2,
}
LOSSES = {"cbow": reference_loss.cbow_loss, "skip_gram": reference_loss.skip_gram_loss}


@pytest.fixture
def shown(monkeypatch):
    """The words read and the loss shown, after each update of the bar."""
    rows = []

    class Bar:
        read, loss = 0, None

        def set_postfix(self, loss, **_):
            self.loss = float(loss)

        def update(self, n):
            self.read += n
            if self.loss is not None:
                rows.append((self.read, self.loss))

    @contextmanager
    def bar(*_, **__):
        yield Bar()

    monkeypatch.setattr(training, "progress_bar", bar)
    return rows


def softplus(x):
    return np.logaddexp(0, x)


def losses_of(settings, params, words, lines, reaches, noise):
    """The loss of each example of a batch, one by one: `-log s(hv) - sum log s(-hu)`."""
    reach, rows = settings.window, {name: np.asarray(table) for name, table in params.items()}
    for i, mine in enumerate(reaches):
        at = reach + i
        near = [j for j in range(at - mine, at + mine + 1) if j != at and lines[j] == lines[at]]
        if settings.model == "cbow":
            hidden = rows["input"][words[near]].mean(axis=0) if near else None
            examples = [(hidden, words[at])] if near else []
        else:
            examples = [(rows["input"][words[at]], words[j]) for j in near]
        drawn = noise[i // settings.positions_per_group]
        for hidden, right in examples:
            wrong = [softplus(hidden @ rows["output"][u]) for u in drawn if u != right]
            share = settings.negatives / settings.shared_negatives
            yield softplus(-hidden @ rows["output"][right]) + share * sum(wrong)


def slow_means(settings, key, corpus):
    """The words read and the mean loss of the epoch so far after each chunk, by loops."""
    init_key, keep_key, step_key = jax.random.split(key, 3)
    counts, n, reach = corpus.vocabulary.counts, settings.batch_size, settings.window
    params = training.init(init_key, len(counts), settings.dimensions)
    table = sampling.noise(counts)
    keep = sampling.keep_probabilities(counts, settings.sample).astype(np.float32)
    rng = np.random.default_rng(np.asarray(jax.random.key_data(keep_key)).tolist())
    total = settings.epochs * len(corpus.ids)
    descent = jax.jit(
        lambda params, batch, rate: jax.tree.map(
            lambda p, g: p - rate * g,
            params,
            jax.grad(lambda p: LOSSES[settings.model](p, batch, settings.negatives).sum())(params),
        )
    )
    epoch_now, found = -1, []
    for epoch, done, chunk in chunks.passes(settings, corpus.ids, keep, rng):
        found = found if epoch == epoch_now else []
        epoch_now, steps = epoch, chunk.steps(settings)
        reach_key, noise_key = jax.random.split(jax.random.fold_in(step_key, done))
        reaches = np.asarray(dynamic_reaches(reach_key, (steps, n, 1), reach))
        shape = (steps, n // settings.positions_per_group, settings.shared_negatives)
        noise = np.asarray(sampling.draw(noise_key, table, shape))
        rates = training.rates(settings, done, done + chunk.read, total, steps)
        for i in range(steps):
            part = slice(i * n, (i + 1) * n + 2 * reach)
            words, lines = chunk.words[part], chunk.lines[part]
            found += losses_of(settings, params, words, lines, reaches[i, :, 0], noise[i])
            batch = text_batch(
                jnp.asarray(words)[:, None], jnp.asarray(lines)[:, None], reaches[i], noise[i]
            )
            params = descent(params, batch, rates[i])
        yield done + chunk.read, np.mean(found)


@pytest.mark.parametrize("model", ["cbow", "skip_gram"])
def test_the_bar_shows_the_mean_loss_of_the_epoch_so_far(key, shown, monkeypatch, model):
    settings = Word2Vec(model, **SETTINGS)
    monkeypatch.setattr(chunks, "CHUNK", 6 * settings.batch_size)
    corpus = read_corpus(tiny_language.sentences(40), min_count=1)
    trained = train(settings, key, corpus, progress=True)
    want = list(slow_means(settings, key, corpus))
    assert [read for read, _ in shown] == [read for read, _ in want]
    np.testing.assert_allclose([x for _, x in shown], [x for _, x in want], atol=1e-4)
    last = dict(want)
    ends = [last[len(corpus.ids)], last[2 * len(corpus.ids)]]
    np.testing.assert_allclose(trained.loss, ends, rtol=1e-5)
    assert shown[-1][0] == settings.epochs * len(corpus.ids)
    assert len(want) > 4
    assert trained.loss[1] < trained.loss[0]


def test_a_first_loss_is_that_of_vectors_of_zeros(key, shown):
    """Output vectors begin at zero: each of the 1 + 5 terms is log 2."""
    corpus = read_corpus(tiny_language.sentences(2), min_count=1)
    settings = Word2Vec("sg", window=1, epochs=1, sample=0, batch_size=64, learning_rate=1e-6)
    trained = train(settings, key, corpus, progress=True)
    assert 3 * np.log(2) < trained.loss[0] <= 6 * np.log(2) + 1e-6
    assert len(shown) == 1
    assert abs(shown[0][1] - trained.loss[0]) < 1e-4


def test_a_real_bar_shows_epoch_and_loss(key, capsys):
    corpus = read_corpus(tiny_language.sentences(40), min_count=1)
    trained = train(Word2Vec(**SETTINGS), key, corpus, progress=True)
    last = capsys.readouterr().err.rstrip().split("\r")[-1]
    assert "epoch=2/2" in last
    assert f"loss={trained.loss[1]:.4f}" in last
