"""Published networks (row C6), one forward pass: PyTorch's best against `inference`.

Weights and pictures of 224 x 224 are random; both have all cores. PyTorch runs eagerly, with either
layout, and traced, frozen and fused, without gradients; both fold batch normalisation into the
convolutions. Several pictures are shared by devices, a single one has a device with all cores. What
compiles is told apart, for jaxnets with tracing and lowering; it compiles first, before the others
hold gigabytes of memory, and after its weights are drawn: either made it half as slow again.
"""

import time
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from benchmarks.harness import Contender, Goal, Race

BATCHES = {1: 1.2, 16: 1.0}
"""The largest ratio to PyTorch's best, for each batch size."""
NETWORKS = ("alexnet", "vgg19", "googlenet", "resnet18", "resnet50", "squeezenet")
COMPILING = "/jax/core/compile/"
"""What JAX's events of tracing, lowering and compiling begin with."""
PYTORCH = {
    "PyTorch eager": {"channels_last": False, "fused": False},
    "PyTorch eager, channels_last": {"channels_last": True, "fused": False},
    "PyTorch frozen and fused": {"channels_last": False, "fused": True},
    "PyTorch frozen and fused, channels_last": {"channels_last": True, "fused": True},
}


def pictures(batch: int) -> np.ndarray:
    return np.random.default_rng(0).standard_normal((batch, 224, 224, 3)).astype(np.float32)


def pytorch(network: str, batch: int, channels_last: bool, fused: bool) -> Callable[[], dict]:
    import torch

    from benchmarks.torch_networks import random_network

    x = torch.from_numpy(pictures(batch)).permute(0, 3, 1, 2).contiguous()
    model = random_network(network)
    if channels_last:
        x = x.to(memory_format=torch.channels_last)
        model = model.to(memory_format=torch.channels_last)
    start = time.perf_counter()
    if fused:
        with torch.inference_mode():
            frozen = torch.jit.freeze(torch.jit.trace(model, x))
            model = torch.jit.optimize_for_inference(frozen)
            for _ in range(2):
                model(x)
    compiled = time.perf_counter() - start

    def run() -> dict:
        start = time.perf_counter()
        with torch.inference_mode():
            model(x)
        return _row(time.perf_counter() - start, batch, compiled)

    return run


def jaxnets(network: str, batch: int) -> Callable[[], dict]:
    import jax

    import jaxnets as jn
    from jaxnets.analysis.inference import inference
    from jaxnets.models import fold_normalisation
    from jaxnets.models.published import NETWORKS

    if batch > 1:
        jn.use_all_cores()
    model, x = NETWORKS[network].build(), pictures(batch)
    model, variables = fold_normalisation(model, jax.jit(model.init)(jax.random.key(0), x[:1]))
    outputs = inference(model, jax.block_until_ready(variables))
    parts: list[float] = []

    def note(event: str, duration_secs: float, **_: Any) -> None:
        if event.startswith(COMPILING):
            parts.append(duration_secs)

    jax.monitoring.register_event_duration_secs_listener(note)
    outputs(x)
    compiled = sum(parts)

    def run() -> dict:
        start = time.perf_counter()
        outputs(x)
        return _row(time.perf_counter() - start, batch, compiled)

    return run


def _row(seconds: float, batch: int, compiled: float) -> dict:
    return {
        "seconds": seconds,
        "ms a picture": round(1e3 * seconds / batch, 2),
        "compile": round(compiled, 2),
    }


def _race(network: str, batch: int) -> Race:
    of = {"network": network, "batch": batch}
    peers = [Contender(name, f"{__name__}:pytorch", of | how) for name, how in PYTORCH.items()]
    ours = Contender("jaxnets", f"{__name__}:jaxnets", of)
    goal = Goal("jaxnets", "PyTorch", at_most=BATCHES[batch])
    title = f"{network}, forward, batch {batch}"
    return Race(title, [ours, *peers], [goal], 9, f"inference-{network}-{batch}")


RACES = [partial(_race, network, batch) for network in NETWORKS for batch in BATCHES]
