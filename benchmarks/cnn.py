"""L2's network (row C4), batches of 128, Adam: PyTorch against one scan, one epoch of images."""

import os
import time
from collections.abc import Callable

import numpy as np

from benchmarks.harness import Contender, Goal, Race

SAMPLES, BATCH, RATE = 6_400, 128, 1e-3


def images() -> tuple[np.ndarray, np.ndarray]:
    """Images of MNIST's size, a third of whose pixels are bright, labelled by a linear map."""
    rng = np.random.default_rng(0)
    x = rng.random((SAMPLES, 28, 28, 1), np.float32)
    x *= rng.random((SAMPLES, 28, 28, 1)) < 0.3
    y = np.argmax(x.reshape(SAMPLES, -1) @ rng.standard_normal((784, 10), np.float32), axis=1)
    return x, y.astype(np.int32)


def pytorch(channels_last: bool, threads: int) -> Callable[[], dict]:
    import torch
    from torch import nn

    torch.set_num_threads(threads)
    x, y = images()
    x, y = torch.from_numpy(x).permute(0, 3, 1, 2).contiguous(), torch.from_numpy(y).long()
    model = nn.Sequential(
        *(nn.Conv2d(1, 32, 5), nn.ReLU(), nn.MaxPool2d(3)),
        *(nn.Conv2d(32, 64, 5), nn.ReLU(), nn.MaxPool2d(2)),
        *(nn.Flatten(), nn.Linear(256, 256), nn.ReLU(), nn.Linear(256, 10)),
    )
    if channels_last:
        x = x.to(memory_format=torch.channels_last)
        model = model.to(memory_format=torch.channels_last)
    adam = torch.optim.Adam(model.parameters(), RATE, fused=True)

    def run() -> dict:
        start, total = time.perf_counter(), torch.zeros(())
        for rows in torch.randperm(SAMPLES).split(BATCH):
            adam.zero_grad(set_to_none=True)
            loss = nn.functional.cross_entropy(model(x[rows]), y[rows])
            loss.backward()
            adam.step()
            total += loss.detach() * len(rows)
        mean = float(total) / SAMPLES
        return _row(time.perf_counter() - start, mean)

    return run


def jaxnets(by_hand: bool = False, in_scan: bool = True) -> Callable[[], dict]:
    import jax
    import jax.numpy as jnp
    import optax

    from jaxnets import Objective, TrainSpec, backprop, make_step
    from jaxnets.data import Dataset
    from jaxnets.models import small_cnn
    from jaxnets.training.loop import advance, begin

    data = Dataset(dict(zip("xy", map(jnp.asarray, images()), strict=True)), None, None)
    differentiate = backprop.value_and_grad if by_hand else jax.value_and_grad
    spec = TrainSpec(small_cnn(), "softmax_cross_entropy", 1, BATCH, value_and_grad=differentiate)
    hparams = {"learning_rate": RATE}
    key, steps = jax.random.key(0), spec.steps_per_epoch(SAMPLES)
    first, order_key = begin(spec, key, data.train["x"], hparams, False)
    epoch = jax.jit(lambda carry, data, key: advance(spec, carry, 0, steps, data, hparams, key))
    step = make_step(Objective(spec.model, spec.loss), optax.adam(RATE), differentiate)
    one = jax.jit(lambda s, rows, data: step(s, jax.tree.map(lambda a: a[rows], data.train)))
    start = time.perf_counter()
    compiled = epoch.lower(first, data, order_key).compile() if in_scan else None
    compile_s = time.perf_counter() - start
    carry, state = [first], [first.state]
    rng = np.random.default_rng(0)

    def run_scan() -> dict:
        start = time.perf_counter()
        carry[0] = jax.block_until_ready(compiled(carry[0], data, order_key))
        loss = float(carry[0].history["train_loss"][-1])
        return _row(time.perf_counter() - start, loss) | {"compile": round(compile_s, 2)}

    def run_loop() -> dict:
        start, losses = time.perf_counter(), []
        for rows in rng.permutation(SAMPLES).reshape(-1, BATCH):
            state[0], metrics = one(state[0], rows, data)
            losses.append(metrics["loss"])
        loss = float(np.mean(jax.device_get(losses)))
        return _row(time.perf_counter() - start, loss)

    return run_scan if in_scan else run_loop


def _row(seconds: float, loss: float) -> dict:
    step = 1e3 * seconds / (SAMPLES // BATCH)
    return {
        "seconds": seconds,
        "ms per step": round(step, 2),
        "images/s": round(SAMPLES / seconds),
        "loss": round(loss, 3),
    }


def _race() -> Race:
    torch = [
        Contender(
            f"PyTorch eager, {name}{threads} thread(s)",
            f"{__name__}:pytorch",
            {"channels_last": bool(name), "threads": threads},
        )
        for name in ("", "channels_last, ")
        for threads in (1, os.cpu_count() or 1)
    ]
    ours = [
        Contender(f"jaxnets, {name}", f"{__name__}:jaxnets", options)
        for name, options in (
            ("in a scan", {}),
            ("in a loop", {"in_scan": False}),
            ("in a scan, gradients by hand", {"by_hand": True}),
        )
    ]
    goals = [
        Goal("jaxnets, in a scan", "PyTorch", at_most=0.50),
        Goal("jaxnets, in a scan", "jaxnets, in a loop", at_most=1.0),
    ]
    return Race("L2's convolutional network, 50 steps of 128, Adam", torch + ours, goals, 15, "cnn")


RACES = [_race]
