"""Convolutional networks, batches of 128, Adam: PyTorch's best form against one scan.

`small` is L2's network (row C4) on 28 x 28 images. `wide` has four convolutions of 3 x 3, to 64,
64, 128 and 128 maps, on 32 x 32 x 3: larger maps and kernels of 3 are the usual case.
"""

import os
import time
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from benchmarks.harness import Contender, Goal, Race

BATCH, RATE = 128, 1e-3
SAMPLES = {"small": 6_400, "wide": 512}
SHAPES = {"small": (28, 28, 1), "wide": (32, 32, 3)}


def images(network: str) -> tuple[np.ndarray, np.ndarray]:
    """Images, a third of whose pixels are bright, labelled by a linear map."""
    rng, shape = np.random.default_rng(0), (SAMPLES[network], *SHAPES[network])
    x = rng.random(shape, np.float32)
    x *= rng.random(shape) < 0.3
    flat = x.reshape(len(x), -1)
    y = np.argmax(flat @ rng.standard_normal((flat.shape[1], 10), np.float32), axis=1)
    return x, y.astype(np.int32)


def torch_model(network: str) -> Any:
    from torch import nn

    if network == "small":
        return nn.Sequential(
            *(nn.Conv2d(1, 32, 5), nn.ReLU(), nn.MaxPool2d(3)),
            *(nn.Conv2d(32, 64, 5), nn.ReLU(), nn.MaxPool2d(2)),
            *(nn.Flatten(), nn.Linear(256, 256), nn.ReLU(), nn.Linear(256, 10)),
        )
    return nn.Sequential(
        *(nn.Conv2d(3, 64, 3, padding=1), nn.ReLU()),
        *(nn.Conv2d(64, 64, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)),
        *(nn.Conv2d(64, 128, 3, padding=1), nn.ReLU()),
        *(nn.Conv2d(128, 128, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)),
        *(nn.Flatten(), nn.Linear(128 * 64, 10)),
    )


def own_model(network: str) -> Any:
    from jaxnets import models
    from jaxnets.models import Activate, Conv, Dense, Flatten, MaxPool

    if network == "small":
        return models.small_cnn()
    layers: list[Any] = []
    for i, maps in enumerate((64, 64, 128, 128)):
        layers += [Conv(maps, 3, padding="SAME"), Activate("relu")]
        layers += [MaxPool(2)] if i % 2 else []
    return models.CNN((*layers, Flatten(), Dense(10, "lecun")))


def pytorch(
    network: str, channels_last: bool, threads: int, compiled: bool = False
) -> Callable[[], dict]:
    import torch
    from torch import nn

    torch.set_num_threads(threads)
    x, y = images(network)
    x, y = torch.from_numpy(x).permute(0, 3, 1, 2).contiguous(), torch.from_numpy(y).long()
    model = torch_model(network)
    if channels_last:
        x = x.to(memory_format=torch.channels_last)
        model = model.to(memory_format=torch.channels_last)
    adam = torch.optim.Adam(model.parameters(), RATE, fused=True)

    def mean_loss(rows: Any) -> Any:
        return nn.functional.cross_entropy(model(x[rows]), y[rows])

    loss_of = torch.compile(mean_loss) if compiled else mean_loss

    def run() -> dict:
        start, total = time.perf_counter(), torch.zeros(())
        for rows in torch.randperm(len(x)).split(BATCH):
            adam.zero_grad(set_to_none=True)
            loss = loss_of(rows)
            loss.backward()
            adam.step()
            total += loss.detach() * len(rows)
        return _row(start, len(x), float(total) / len(x))

    return run


def jaxnets(network: str, by_hand: bool = False, in_scan: bool = True) -> Callable[[], dict]:
    import jax
    import jax.numpy as jnp
    import optax

    from jaxnets import Objective, TrainSpec, backprop, make_step
    from jaxnets.data import Dataset
    from jaxnets.training.loop import advance, begin

    x, y = map(jnp.asarray, images(network))
    data, samples = Dataset({"x": x, "y": y}, None, None), len(x)
    differentiate = backprop.value_and_grad if by_hand else jax.value_and_grad
    model = own_model(network)
    spec = TrainSpec(model, "softmax_cross_entropy", 1, BATCH, value_and_grad=differentiate)
    hparams = {"learning_rate": RATE}
    key, steps = jax.random.key(0), spec.steps_per_epoch(samples)
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
        return _row(start, samples, loss) | {"compile": round(compile_s, 2)}

    def run_loop() -> dict:
        start, losses = time.perf_counter(), []
        for rows in rng.permutation(samples).reshape(-1, BATCH):
            state[0], metrics = one(state[0], rows, data)
            losses.append(metrics["loss"])
        loss = float(np.mean(jax.device_get(losses)))
        return _row(start, samples, loss)

    return run_scan if in_scan else run_loop


def _row(start: float, samples: int, loss: float) -> dict:
    seconds = time.perf_counter() - start
    return {
        "seconds": seconds,
        "ms per step": round(1e3 * seconds / (samples // BATCH), 2),
        "images/s": round(samples / seconds),
        "loss": round(loss, 3),
    }


def _race(network: str, row: str, title: str, at_most: float, rounds: int) -> Race:
    cores = os.cpu_count() or 1
    torch = [
        Contender(
            f"PyTorch {name}, {threads} thread(s)",
            f"{__name__}:pytorch",
            {
                "network": network,
                "channels_last": "channels_last" in name,
                "threads": threads,
                "compiled": "compiled" in name,
            },
        )
        for name, threads in (
            ("eager", 1),
            ("eager", cores),
            ("eager, channels_last", 1),
            ("eager, channels_last", cores),
            ("compiled, channels_last", cores),
        )
    ]
    ours = [
        Contender(f"jaxnets, {name}", f"{__name__}:jaxnets", {"network": network} | options)
        for name, options in (
            ("in a scan", {}),
            ("in a loop", {"in_scan": False}),
            ("in a scan, gradients by hand", {"by_hand": True}),
        )
    ]
    goals = [
        Goal("jaxnets, in a scan", "PyTorch", at_most=at_most),
        Goal("jaxnets, in a scan", "jaxnets, in a loop", at_most=1.0),
    ]
    return Race(title, torch + ours, goals, rounds, row)


SMALL = "L2's convolutional network, 50 steps of 128, Adam"
WIDE = "convolutions 3x3 to 64, 64, 128, 128 maps on 32x32x3, 4 steps of 128, Adam"
RACES = [
    partial(_race, "small", "cnn", SMALL, 0.33, 15),
    partial(_race, "wide", "cnn-wide", WIDE, 1.0, 7),
]
