"""One epoch of a 784-100-10 perceptron on 60,000 images, Adam: PyTorch, and NumPy with numba."""

import os
import time
from collections.abc import Callable
from functools import partial
from importlib.util import find_spec
from typing import Any

import numpy as np

from benchmarks.harness import Contender, Goal, Race

NO_NUMBA = "" if find_spec("numba") else "needs numba"
SAMPLES, FEATURES, HIDDEN, CLASSES, RATE = 60_000, 784, 100, 10, 1e-3


def images() -> tuple[np.ndarray, np.ndarray]:
    """Data of MNIST's size and sparsity, labelled by a linear map."""
    rng = np.random.default_rng(0)
    x = rng.random((SAMPLES, FEATURES), np.float32) * (rng.random((SAMPLES, FEATURES)) < 0.2)
    x = x.astype(np.float32)
    y = np.argmax(x @ rng.standard_normal((FEATURES, CLASSES), np.float32), axis=1)
    return x, y.astype(np.int32)


def pytorch(batch: int, threads: int, compiled: bool = False) -> Callable[[], dict]:
    import torch
    from torch import nn

    torch.set_num_threads(threads)
    x, y = (torch.from_numpy(a) for a in images())
    y = y.long()
    model = nn.Sequential(nn.Linear(FEATURES, HIDDEN), nn.ReLU(), nn.Linear(HIDDEN, CLASSES))
    adam = torch.optim.Adam(model.parameters(), RATE, fused=True)

    def mean_loss(rows: Any) -> Any:
        return nn.functional.cross_entropy(model(x[rows]), y[rows])

    loss_of = torch.compile(mean_loss) if compiled else mean_loss

    def run() -> dict:
        start, total = time.perf_counter(), torch.zeros(())
        order = torch.randperm(SAMPLES)
        for rows in order.split(batch):
            adam.zero_grad(set_to_none=True)
            loss = loss_of(rows)
            loss.backward()
            adam.step()
            total += loss.detach() * len(rows)
        return _row(start, float(total))

    return run


def by_hand(batch: int, threads: int) -> Callable[[], dict]:
    """NumPy's products, and loops that numba compiles."""
    from threadpoolctl import threadpool_limits

    from benchmarks.peers.by_hand import Perceptron

    x, y = images()
    threadpool_limits(threads)
    rng = np.random.default_rng(0)
    shapes = ((HIDDEN, FEATURES), (HIDDEN,), (CLASSES, HIDDEN), (CLASSES,))
    fans = (FEATURES, FEATURES, HIDDEN, HIDDEN)
    params = [rng.uniform(-1, 1, s) / np.sqrt(fan) for s, fan in zip(shapes, fans, strict=True)]
    network = Perceptron(params, batch, RATE)

    def run() -> dict:
        start, order = time.perf_counter(), rng.permutation(SAMPLES)
        parts = range(0, SAMPLES, batch)
        total = sum(network.step(x, y, order[i : i + batch]) for i in parts)
        return _row(start, total)

    return run


def _row(start: float, total: float) -> dict:
    return {"seconds": time.perf_counter() - start, "loss": round(total / SAMPLES, 4)}


def jaxnets(batch: int, by_hand: bool) -> Callable[[], dict]:
    import jax
    import jax.numpy as jnp

    from jaxnets import backprop
    from jaxnets.data import Dataset
    from jaxnets.models import MLP
    from jaxnets.training.loop import advance, begin
    from jaxnets.training.spec import TrainSpec

    x, y = map(jnp.asarray, images())
    data = Dataset({"x": x, "y": y}, None, None)
    differentiate = backprop.value_and_grad if by_hand else jax.value_and_grad
    model = MLP((HIDDEN,), CLASSES, "relu")
    spec = TrainSpec(model, "softmax_cross_entropy", 1, batch, value_and_grad=differentiate)
    hparams = {"learning_rate": RATE}
    key, steps = jax.random.key(0), spec.steps_per_epoch(SAMPLES)
    first, order_key = begin(spec, key, data.train["x"], hparams, False)
    epoch = jax.jit(lambda carry, data, key: advance(spec, carry, 0, steps, data, hparams, key))
    start = time.perf_counter()
    compiled = epoch.lower(first, data, order_key).compile()
    compile_s = time.perf_counter() - start
    carry = [first]

    def run() -> dict:
        start = time.perf_counter()
        carry[0] = jax.block_until_ready(compiled(carry[0], data, order_key))
        seconds = time.perf_counter() - start
        loss = round(float(carry[0].history["train_loss"][-1]), 4)
        return {"seconds": seconds, "loss": loss, "compile": round(compile_s, 2)}

    return run


def _race(batch: int, over_torch: float, over_hand: float) -> Race:
    cores = os.cpu_count() or 1
    torch = [
        Contender(
            f"PyTorch {name}, fused Adam, {threads} thread(s)",
            f"{__name__}:pytorch",
            {"batch": batch, "threads": threads, "compiled": name == "compiled"},
        )
        for name, threads in (("eager", 1), ("eager", cores), ("compiled", cores))
    ]
    hand = [
        Contender(
            f"NumPy and numba by hand, {threads} thread(s)",
            f"{__name__}:by_hand",
            {"batch": batch, "threads": threads},
            missing=NO_NUMBA,
        )
        for threads in (1, cores)
    ]
    ours = [
        Contender(f"jaxnets, {name}", f"{__name__}:jaxnets", {"batch": batch, "by_hand": by_hand})
        for name, by_hand in (("jax.grad", False), ("gradients by hand", True))
    ]
    goals = [
        Goal("jaxnets, jax.grad", "PyTorch", at_most=over_torch),
        Goal("jaxnets, jax.grad", "NumPy and numba", at_most=over_hand),
    ]
    title = f"784-100-10, one epoch of 60,000 images, Adam, batch {batch}"
    return Race(title, torch + hand + ours, goals, row=f"mlp_epoch-{batch}")


RACES = [partial(_race, 64, 0.32, 0.50), partial(_race, 256, 0.48, 0.60)]
