"""What it costs to keep a training: a save every 10 s in a run of about 30 s, and host checks."""

import tempfile
import time
from collections.abc import Callable

import jax
import numpy as np

import jaxnets
from jaxnets import MLP, Run, fit
from jaxnets.checkpoints import Checkpoints
from jaxnets.data import Dataset
from jaxnets.prepare import prepare

RATE = {"learning_rate": 1e-3}


def images(samples: int) -> Dataset:
    rng = np.random.default_rng(0)
    x = rng.uniform(size=(samples, 784)).astype(np.float32)
    return Dataset({"x": x, "y": rng.integers(10, size=samples)}, None)


def training(kept: bool, epochs: int = 40) -> Callable[[], float]:
    """With a folder or without: pieces, saves and the digest of the data against one program."""
    jaxnets.use_all_cores()
    data = images(60_000)
    run = Run(MLP((100,), outputs=10), "softmax_cross_entropy", epochs=epochs, batch_size=64)

    def once() -> float:
        with tempfile.TemporaryDirectory() as folder:
            start = time.perf_counter()
            keep = Checkpoints(folder) if kept else None
            fit(run, jax.random.key(0), data, RATE, keep=keep)
            return time.perf_counter() - start

    return once


def checks() -> Callable[[], float]:
    """`prepare` on 60,000 x 784 floats, device copies included."""
    data = images(60_000)
    run = Run(MLP((100,), outputs=10), "softmax_cross_entropy", epochs=1, batch_size=64)

    def once() -> float:
        start = time.perf_counter()
        jax.block_until_ready(prepare(run, data, RATE)[1])
        return time.perf_counter() - start

    return once
