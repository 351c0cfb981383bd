"""Any number of planar networks: one sweep, PyTorch's stacked products, and C++ by hand."""

import os
from collections.abc import Callable

import numpy as np

from benchmarks.growth.axes import SWEEP_EPOCHS
from benchmarks.growth.timing import memory, run_of
from benchmarks.sweep import RATE, drawn, points

GROUP = 32


def jaxnets(axis: str, value: int) -> Callable[[], dict]:
    import jaxnets as jn

    jn.use_all_cores()
    import jax

    from jaxnets.data import Dataset

    before, (x, y) = memory(), points("planar")
    data = Dataset({"x": x, "y": y}, None, None)
    spec = jn.TrainSpec(
        jn.MLP((10,)), "binary_cross_entropy", SWEEP_EPOCHS, record_every=SWEEP_EPOCHS
    )
    keys, hparams = jax.random.split(jax.random.key(0), value), {"learning_rate": RATE["planar"]}
    return run_of(lambda: jn.sweep(spec, keys, data, hparams), value, before)


def stacked(axis: str, value: int) -> Callable[[], dict]:
    import torch

    from benchmarks.peers.stacked import trainer

    before = memory()
    torch.set_num_threads(os.cpu_count() or 1)
    train, group = trainer("planar", *points("planar"), RATE["planar"]), min(GROUP, value)
    rng = np.random.default_rng(0)

    def call() -> None:
        for _ in range(value // group):
            train(drawn("planar", group, rng), [None] * SWEEP_EPOCHS)

    return run_of(call, value, before)


def by_hand(axis: str, value: int) -> Callable[[], dict]:
    from benchmarks.peers.cplusplus import trainer

    before = memory()
    train = trainer(*points("planar"), RATE["planar"], os.cpu_count() or 1)
    rng = np.random.default_rng(0)
    return run_of(lambda: train(drawn("planar", value, rng), SWEEP_EPOCHS), value, before)
