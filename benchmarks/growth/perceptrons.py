"""A step of a perceptron of any width, depth and batch: one scan against PyTorch."""

import os
from collections.abc import Callable

import numpy as np

from benchmarks.growth.axes import CLASSES, Shape, shape
from benchmarks.growth.timing import memory, run_of

RATE, SAMPLES_A_CALL, MOST_STEPS = 1e-3, 8_192, 200


def steps_of(at: Shape) -> int:
    """Returns the steps of a call: 8,192 samples, but from 2 to 200 steps."""
    return max(2, min(MOST_STEPS, SAMPLES_A_CALL // at.batch))


def data_of(axis: str, at: Shape) -> tuple[np.ndarray, np.ndarray]:
    """Draws the samples of a call, which `samples` takes in one batch, again and again."""
    rng, count = np.random.default_rng(0), at.batch * (1 if axis == "samples" else steps_of(at))
    x = rng.random((count, at.inputs), np.float32)
    return x, rng.integers(0, CLASSES, count).astype(np.int32)


def jaxnets(axis: str, value: int) -> Callable[[], dict]:
    import jax
    import jax.numpy as jnp

    import jaxnets as jn
    from jaxnets.data import Dataset
    from jaxnets.training.loop import advance, begin

    before, at = memory(), shape(axis, value)
    x, y = map(jnp.asarray, data_of(axis, at))
    data, steps = Dataset({"x": x, "y": y}, None, None), steps_of(at)
    epochs = steps if axis == "samples" else 1
    model = jn.MLP(at.hidden, CLASSES, "relu")
    spec = jn.TrainSpec(
        model, "softmax_cross_entropy", epochs, min(at.batch, len(x)), record_every=epochs
    )
    hparams = {"learning_rate": RATE}
    carry, order_key = begin(spec, jax.random.key(0), x, hparams, False)
    train = jax.jit(lambda carry, data, key: advance(spec, carry, 0, steps, data, hparams, key))
    compiled = train.lower(carry, data, order_key).compile()

    def call() -> None:
        jax.block_until_ready(compiled(carry, data, order_key))

    return run_of(call, steps * at.units, before)


def pytorch_on_one_core(axis: str, value: int) -> Callable[[], dict]:
    return pytorch(axis, value, 1)


def pytorch(axis: str, value: int, threads: int = os.cpu_count() or 1) -> Callable[[], dict]:
    import torch
    from torch import nn

    before, at = memory(), shape(axis, value)
    torch.set_num_threads(threads)
    x, y = (torch.from_numpy(a) for a in data_of(axis, at))
    y = y.long()
    widths = (at.inputs, *at.hidden)
    layers: list[nn.Module] = []
    for a, b in zip(widths, at.hidden, strict=False):
        layers += [nn.Linear(a, b), nn.ReLU()]
    model = nn.Sequential(*layers, nn.Linear(widths[-1], CLASSES))
    adam = torch.optim.Adam(model.parameters(), RATE, fused=True)

    def call() -> None:
        all_rows = [slice(None)] * steps_of(at)
        for rows in all_rows if axis == "samples" else torch.randperm(len(x)).split(at.batch):
            adam.zero_grad(set_to_none=True)
            nn.functional.cross_entropy(model(x[rows]), y[rows]).backward()
            adam.step()

    return run_of(call, steps_of(at) * at.units, before)
