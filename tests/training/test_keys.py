"""No two draws of a run share a key: whatever draws from the same key draws the same numbers."""

from functools import partial

import jax
import numpy as np
import pytest

import jaxnets as jn
from experiments.lab.run import load
from jaxnets.augment import shift
from jaxnets.data import Dataset
from jaxnets.models import CNN, Activate, Conv, Dense, Dropout, Flatten, MaxPool
from jaxnets.parallel import rows
from jaxnets.text import corpus, tiny_language
from jaxnets.training import driver
from jaxnets.word2vec import Word2Vec
from jaxnets.word2vec import train as train_words
from tests.support.recording_keys import RECORDING, recorded_draws

RNG = np.random.default_rng(0)
IMAGES = Dataset(
    {"x": RNG.uniform(size=(13, 6, 6, 1)).astype(np.float32), "y": np.arange(13) % 2},
    {"x": RNG.uniform(size=(4, 6, 6, 1)).astype(np.float32), "y": np.arange(4) % 2},
)
FLAT = Dataset({"x": RNG.normal(size=(300, 2)).astype(np.float32), "y": np.arange(300) % 2})
RATE = {"learning_rate": 0.05}
SHIFTED = partial(shift, pixels=1)
EXPERIMENTS = ("gradient_descent", "adversarial", "equivariance", "random_points")
"""With `local_minima`, `image_networks` and `memorising`, which they call."""


def fit(layers, key, augment=None):
    spec = jn.TrainSpec(CNN(layers), "softmax_cross_entropy", 3, 5, augment=augment)
    jn.fit(spec, key, IMAGES, RATE)


def dropout_mlp(key):
    layers = (Flatten(), Dense(4), Activate("relu"), Dropout(0.3), Dense(3), Dropout(0.2), Dense(2))
    fit(layers, key, SHIFTED)


def cnn(key):
    fit((Conv(3, 3), Activate("relu"), MaxPool(2), Flatten(), Dropout(0.3), Dense(2)), key)


def many(key):
    spec = jn.TrainSpec(jn.MLP((3,)), "binary_cross_entropy", 3, 128)
    jn.sweep(spec, jax.random.split(key, 3), FLAT, RATE)


def words(key):
    text = corpus.read(tiny_language.sentences(300), min_count=1)
    settings = Word2Vec(dimensions=4, epochs=2, batch_size=256, sample=1e-3)
    train_words(settings, key, text)


def experiment(name, key):
    module = load(name)
    module.run(module.SMOKE, key)


RUNS = {
    "MLP with dropout and augmentation": dropout_mlp,
    "CNN": cnn,
    "sweep": many,
    "word2vec": words,
} | {name: partial(experiment, name) for name in EXPERIMENTS}


@pytest.fixture(autouse=True)
def nothing_twice(monkeypatch):
    """Computes each row and each epoch once.

    Rows repeat to fill the last group of a device, and pieces of an epoch draw its order again.
    """
    real = rows.layout

    def layout(n, _):
        with monkeypatch.context() as patch:
            patch.setattr(jax, "local_devices", lambda: jax.devices()[:1])
            return real(n, 1)

    monkeypatch.setattr(rows, "layout", layout)
    monkeypatch.setattr("jaxnets.training.sweep.layout", layout)
    monkeypatch.setattr(driver._Pace, "count", lambda pace, step: 2**20)


@pytest.mark.parametrize("run", RUNS.values(), ids=RUNS)
def test_no_two_draws_share_a_key(run):
    with recorded_draws() as draws:
        run(jax.random.key(0, impl=RECORDING))
    assert len(draws) > 3
    assert max(draws.values()) == 1, f"{sum(n > 1 for n in draws.values())} of {len(draws)} keys"


def test_a_key_that_is_used_twice_is_found():
    with recorded_draws() as draws:
        key = jax.random.key(0, impl=RECORDING)
        jax.random.normal(jax.random.split(key)[1])
        jax.random.uniform(jax.random.fold_in(key, 1))
    assert max(draws.values()) == 2
