"""word2vec with checkpoints: a run that was stopped ends with the bits of an undisturbed one."""

import csv
import dataclasses
import signal

import chex
import jax
import numpy as np
import pytest

from jaxnets import CheckpointConfig
from jaxnets.host.signals import Interrupted
from jaxnets.storage.checkpoints import CheckpointMismatch
from jaxnets.storage.run_folder import RunWriter
from jaxnets.text import tiny_language
from jaxnets.text.corpus import read as read_corpus
from jaxnets.word2vec import Word2Vec, chunks, train

SETTINGS = Word2Vec(
    dimensions=12, window=3, epochs=3, batch_size=64, positions_per_group=16, sample=0.05
)


@pytest.fixture(scope="module")
def corpus():
    return read_corpus(tiny_language.sentences(600), min_count=1)


@pytest.fixture(autouse=True)
def several_chunks_an_epoch(monkeypatch):
    monkeypatch.setattr(chunks, "CHUNK", 10 * SETTINGS.batch_size)


def stopping(monkeypatch, after):
    """Makes a signal come while the checkpoint number `after` is saved."""
    save, count = RunWriter.save, iter(range(1, 1000))

    def save_and_signal(self, *args):
        save(self, *args)
        if next(count) == after:
            signal.raise_signal(signal.SIGTERM)

    monkeypatch.setattr(RunWriter, "save", save_and_signal)


def same(one, other):
    chex.assert_trees_all_equal(one.params, other.params)
    np.testing.assert_array_equal(one.loss, other.loss)


@pytest.mark.parametrize("model", ["cbow", "skip_gram"])
@pytest.mark.parametrize("after", [1, 4, 7])
def test_a_stopped_run_resumes_bit_for_bit(key, corpus, tmp_path, monkeypatch, model, after):
    settings = dataclasses.replace(SETTINGS, model=model)
    config = CheckpointConfig(tmp_path, seconds=0)
    stopping(monkeypatch, after)
    with pytest.raises(Interrupted, match=f"stopped by signal 15 .* saved in {tmp_path}") as caught:
        train(settings, key, corpus, checkpoints=config)
    assert caught.value.code == 143
    monkeypatch.undo()
    monkeypatch.setattr(chunks, "CHUNK", 10 * settings.batch_size)
    plain = train(settings, key, corpus)
    same(train(settings, key, corpus, checkpoints=config), plain)
    same(train(settings, key, corpus, checkpoints=config), plain)
    with (tmp_path / "metrics.csv").open() as file:
        rows = [float(row["train_loss"]) for row in csv.DictReader(file)]
    np.testing.assert_allclose(rows, plain.loss, rtol=1e-8)


def test_devices_resume_bit_for_bit(key, corpus, tmp_path, monkeypatch):
    config, devices = CheckpointConfig(tmp_path, seconds=0), jax.devices()[:4]
    stopping(monkeypatch, 3)
    with pytest.raises(Interrupted):
        train(SETTINGS, key, corpus, devices=devices, checkpoints=config)
    monkeypatch.undo()
    monkeypatch.setattr(chunks, "CHUNK", 10 * SETTINGS.batch_size)
    resumed = train(SETTINGS, key, corpus, devices=devices, checkpoints=config)
    same(resumed, train(SETTINGS, key, corpus, devices=devices))


@pytest.mark.parametrize("part", ["settings", "key", "corpus", "devices"])
def test_a_folder_of_another_run_is_refused(key, corpus, tmp_path, part):
    settings = dataclasses.replace(SETTINGS, epochs=1)
    run = {"settings": settings, "key": key, "corpus": corpus, "devices": None}
    train(**run, checkpoints=CheckpointConfig(tmp_path))
    ids = corpus.ids.copy()
    ids[[0, 1]] = ids[[1, 0]]
    other = {
        "settings": dataclasses.replace(settings, negatives=4),
        "key": jax.random.key(1),
        "corpus": corpus._replace(ids=ids),
        "devices": jax.devices()[:2],
    }
    named = "settings" if part == "devices" else part
    with pytest.raises(CheckpointMismatch, match=rf"mismatch: {named}"):
        train(**run | {part: other[part]}, checkpoints=CheckpointConfig(tmp_path))
