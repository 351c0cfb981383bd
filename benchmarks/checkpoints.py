"""The cost of checkpoints: a save every 10 s in a run of about 30 s, and the host checks."""

from __future__ import annotations

import importlib
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from benchmarks.harness import Contender, Goal, Race

if TYPE_CHECKING:
    from jaxnets import TrainSpec
    from jaxnets.data import Dataset

RATE = {"learning_rate": 1e-3}


def perceptron(epochs: int) -> tuple[TrainSpec, Dataset]:
    """A 784-100-10 perceptron, and 60,000 random images."""
    from jaxnets import MLP, TrainSpec
    from jaxnets.data import Dataset

    rng = np.random.default_rng(0)
    x = rng.uniform(size=(60_000, 784)).astype(np.float32)
    data = Dataset({"x": x, "y": rng.integers(10, size=60_000)}, None)
    model = MLP((100,), outputs=10)
    return TrainSpec(model, "softmax_cross_entropy", epochs=epochs, batch_size=64), data


def training(saves: bool, epochs: int = 60) -> Callable[[], dict[str, float]]:
    """Times `fit` with or without saves, the digest of the data included.

    The processor's seconds show the cost even when other work runs alongside.
    """
    import jax

    from jaxnets import fit, use_all_cores
    from jaxnets.storage.checkpoints import CheckpointConfig

    use_all_cores()
    spec, data = perceptron(epochs)

    def once() -> dict[str, float]:
        with tempfile.TemporaryDirectory() as folder:
            checkpoints = CheckpointConfig(folder) if saves else None
            start, worked = time.perf_counter(), time.process_time()
            fit(spec, jax.random.key(0), data, RATE, checkpoints=checkpoints)
            seconds = time.perf_counter() - start
            return {"seconds": seconds, "processor s": time.process_time() - worked}

    return once


def parts() -> Callable[[], dict[str, float]]:
    """One save of a perceptron with Adam's moments, the digest of 60,000 x 784, orbax's import."""
    import jax

    from jaxnets import fit
    from jaxnets.storage.checkpoints import save
    from jaxnets.training.fingerprint import fingerprint

    start = time.perf_counter()
    importlib.import_module("orbax.checkpoint")
    imported = time.perf_counter() - start
    spec, data = perceptron(epochs=1)
    state, _ = fit(spec, jax.random.key(0), data, RATE)

    def once() -> dict[str, float]:
        start = time.perf_counter()
        fingerprint(spec, jax.random.key(0), data, RATE)
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
    import jax

    from jaxnets.training.validate import prepare

    spec, data = perceptron(epochs=1)

    def once() -> float:
        start = time.perf_counter()
        jax.block_until_ready(prepare(spec, data, RATE)[0])
        return time.perf_counter() - start

    return once


def _race() -> Race:
    contenders = [
        Contender("without checkpoints", f"{__name__}:training", {"saves": False}),
        Contender("checkpoints every 10 s", f"{__name__}:training", {"saves": True}),
        Contender("a save and the digest of the data", f"{__name__}:parts"),
        Contender("host checks of 60,000 x 784", f"{__name__}:checks"),
    ]
    goals = [Goal("checkpoints every 10 s", "without checkpoints", at_most=1.05)]
    title = "784-100-10, 60 epochs of 60,000 images: saving as it trains"
    return Race(title, contenders, goals, 3, "checkpoints")


RACES = [_race]
