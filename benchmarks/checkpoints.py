"""What it costs to keep a training: a save every 10 s in a run of about 30 s, and host checks."""

import importlib
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import numpy as np

import jaxnets
from jaxnets import MLP, TrainSpec, fit
from jaxnets.data import Dataset
from jaxnets.storage.checkpoints import CheckpointConfig, save
from jaxnets.training.fingerprint import fingerprint
from jaxnets.training.validate import prepare

RATE = {"learning_rate": 1e-3}


def images(samples: int) -> Dataset:
    rng = np.random.default_rng(0)
    x = rng.uniform(size=(samples, 784)).astype(np.float32)
    return Dataset({"x": x, "y": rng.integers(10, size=samples)}, None)


def training(kept: bool, epochs: int = 60) -> Callable[[], dict[str, float]]:
    """With a folder or without: pieces, saves and the digest of the data against one program.

    The seconds of the processor say what it costs where other work runs beside it.
    """
    jaxnets.use_all_cores()
    data = images(60_000)
    run = TrainSpec(MLP((100,), outputs=10), "softmax_cross_entropy", epochs=epochs, batch_size=64)

    def once() -> dict[str, float]:
        with tempfile.TemporaryDirectory() as folder:
            checkpoints = CheckpointConfig(folder) if kept else None
            start, worked = time.perf_counter(), time.process_time()
            fit(run, jax.random.key(0), data, RATE, checkpoints=checkpoints)
            seconds = time.perf_counter() - start
            return {"seconds": seconds, "processor s": time.process_time() - worked}

    return once


def parts() -> Callable[[], dict[str, float]]:
    """One save of a perceptron with Adam's moments, the digest of 60,000 x 784, orbax's import."""
    start = time.perf_counter()
    importlib.import_module("orbax.checkpoint")
    imported = time.perf_counter() - start
    data = images(60_000)
    run = TrainSpec(MLP((100,), outputs=10), "softmax_cross_entropy", epochs=1, batch_size=64)
    state, _ = fit(run, jax.random.key(0), data, RATE)

    def once() -> dict[str, float]:
        start = time.perf_counter()
        fingerprint(run, jax.random.key(0), data, RATE)
        digested = time.perf_counter() - start
        with tempfile.TemporaryDirectory() as folder:
            tree: Any = (state.params, state.opt_state, state.key)
            start = time.perf_counter()
            save(Path(folder) / "checkpoints", 0, tree)
            saved = time.perf_counter() - start
        each = {"save s": saved, "digest s": digested, "import s": imported}
        return {"seconds": saved + digested} | each

    return once


def checks() -> Callable[[], float]:
    """`prepare` on 60,000 x 784 floats, device copies included."""
    data = images(60_000)
    run = TrainSpec(MLP((100,), outputs=10), "softmax_cross_entropy", epochs=1, batch_size=64)

    def once() -> float:
        start = time.perf_counter()
        jax.block_until_ready(prepare(run, data, RATE)[0])
        return time.perf_counter() - start

    return once
