"""Single operations of L2's network (row C4), batches of 128, forward and backward.

The forward pass computes no gradients; the backward pass starts from dE/dy and the saved values of
a forward pass.
"""

import os
import time
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from benchmarks.harness import Contender, Goal, Race

BATCH, CALLS = 128, 20
SHAPES: dict[str, tuple[tuple[int, ...], Any]] = {
    "convolution 5x5, 1 to 32": ((28, 28, 1), (5, 5, 1, 32)),
    "max pooling 3x3 of 24x24x32": ((24, 24, 32), 3),
    "convolution 5x5, 32 to 64": ((8, 8, 32), (5, 5, 32, 64)),
    "max pooling 2x2 of 4x4x64": ((4, 4, 64), 2),
    "dense 256 to 256": ((256,), (256, 256)),
}
ROWS = dict(
    zip(
        SHAPES,
        ("convolution-1-32", "pooling-3x3", "convolution-32-64", "pooling-2x2", "dense"),
        strict=True,
    )
)
ARENA = {f"MALLOC_{name}_": "4000000000" for name in ("MMAP_THRESHOLD", "TRIM_THRESHOLD")} | {
    "MALLOC_TOP_PAD_": "268435456"
}
"""Settings of glibc for both sides: large results reuse memory, as they do while training."""


def arrays(operation: str) -> tuple[np.ndarray, np.ndarray | int]:
    """Images and weights (`[rows, columns, in, out]`, `[out, in]`) or a pool's size."""
    shape, weights = SHAPES[operation]
    rng = np.random.default_rng(0)
    x = rng.standard_normal((BATCH, *shape), np.float32)
    return x, weights if isinstance(weights, int) else rng.standard_normal(weights, np.float32)


def pytorch(
    operation: str, backward: bool, threads: int, channels_last: bool = False
) -> Callable[[], float]:
    import torch
    from torch.nn import functional

    torch.set_num_threads(threads)
    images, weights = arrays(operation)
    x = torch.from_numpy(np.ascontiguousarray(np.moveaxis(images, -1, 1)))
    layout = torch.channels_last if channels_last else torch.contiguous_format
    x = x.contiguous(memory_format=layout)
    inputs = [x.requires_grad_()] if _needs_input_grad(operation) else []
    if isinstance(weights, int):
        forward = partial(functional.max_pool2d, x, weights)
    else:
        w = torch.from_numpy(weights)
        if w.ndim == 4:
            w = w.permute(3, 2, 0, 1).contiguous(memory_format=layout)
        inputs.append(w.requires_grad_())
        forward = partial(functional.conv2d if w.ndim == 4 else functional.linear, x, w)
    y = forward()
    g = torch.ones_like(y)

    def call() -> None:
        if backward:
            torch.autograd.grad(y, inputs, g, retain_graph=True)
        else:
            with torch.inference_mode():
                forward()

    return lambda: _seconds(call)


def jaxnets(operation: str, backward: bool) -> Callable[[], float]:
    import jax
    import jax.numpy as jnp

    from jaxnets import ops

    images, weights = arrays(operation)
    x = jnp.asarray(images)
    forward: Callable
    if isinstance(weights, int):
        forward, args = partial(ops.max_pool, size=weights), [x]
    else:
        one = ops.convolve if weights.ndim == 4 else lambda x, w: x @ w.T
        forward, args = one, [x, jnp.asarray(weights)]
        if backward and not _needs_input_grad(operation):
            forward, args = partial(one, x), args[1:]
    call = jax.jit(forward)
    if backward:
        y, saved = jax.jit(partial(jax.vjp, forward))(*args)
        call, args = jax.jit(lambda saved, g: saved(g)), [saved, jnp.ones_like(y)]
    jax.block_until_ready(call(*args))
    return lambda: _seconds(lambda: jax.block_until_ready(call(*args)))


def _needs_input_grad(operation: str) -> bool:
    """Whether this is not the first layer, whose input is the data."""
    return operation != next(iter(SHAPES))


def _seconds(call: Callable[[], object]) -> float:
    """The median of `CALLS` calls."""
    times = []
    for _ in range(CALLS):
        start = time.perf_counter()
        call()
        times.append(time.perf_counter() - start)
    return float(np.median(times))


def _race(name: str) -> Race:
    contenders, goals = [], []
    for direction in ("forward", "backward"):
        options = {"operation": name, "backward": direction == "backward"}
        contenders += [
            Contender(
                f"PyTorch {direction}{how}, {threads} thread(s)",
                f"{__name__}:pytorch",
                options | {"threads": threads, "channels_last": bool(how)},
                ARENA,
            )
            for how in (("", ", channels_last") if len(SHAPES[name][0]) == 3 else ("",))
            for threads in (1, os.cpu_count() or 1)
        ]
        ours = f"jaxnets {direction}"
        contenders.append(Contender(ours, f"{__name__}:jaxnets", options, ARENA))
        goals.append(Goal(ours, f"PyTorch {direction}", at_most=1.5))
    return Race(f"{name}, batch {BATCH}", contenders, goals, row=f"operations-{ROWS[name]}")


RACES = [partial(_race, name) for name in SHAPES]
