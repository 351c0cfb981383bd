"""Many networks at once: PyTorch's loop and torch.func against one sweep over all cores.

`planar` is 2-10-1, tanh, 200 full-batch steps of Adam on 1,000 points; `image` is 784-64-10, ReLU,
one epoch of 6,400 images in batches of 64, drawn separately for each network. Seconds are per
network.
"""

import copy
import os
import time
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from benchmarks.harness import Contender, Goal, Race

RATE = {"planar": 1e-2, "image": 1e-3}
EPOCHS = {"planar": 200, "image": 1}
BATCH = {"planar": None, "image": 64}


def points(task: str) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    if task == "planar":
        x = rng.uniform(-1, 1, (1_000, 2)).astype(np.float32)
        return x, (np.sum(x**2, axis=1) < 0.5).astype(np.int32)
    x = (rng.random((6_400, 784)) * (rng.random((6_400, 784)) < 0.2)).astype(np.float32)
    return x, np.argmax(x @ rng.standard_normal((784, 10)), axis=1).astype(np.int32)


def _torch_task(task: str, threads: int) -> tuple[Any, Any, Callable, Callable]:
    import torch
    from torch import nn

    torch.set_num_threads(threads)
    x, y = (torch.from_numpy(a) for a in points(task))
    if task == "planar":
        build = lambda: nn.Sequential(nn.Linear(2, 10), nn.Tanh(), nn.Linear(10, 1))  # noqa: E731
        return x, y.float()[:, None], build, nn.functional.binary_cross_entropy_with_logits
    build = lambda: nn.Sequential(nn.Linear(784, 64), nn.ReLU(), nn.Linear(64, 10))  # noqa: E731
    return x, y.long(), build, nn.functional.cross_entropy


def pytorch_loop(task: str, threads: int, networks: int) -> Callable[[], dict]:
    import torch

    x, y, build, loss_fn = _torch_task(task, threads)

    def one() -> float:
        model = build()
        adam = torch.optim.Adam(model.parameters(), RATE[task], fused=True)
        for _ in range(EPOCHS[task]):
            batches = torch.randperm(len(x)).split(BATCH[task]) if BATCH[task] else [slice(None)]
            for rows in batches:
                adam.zero_grad(set_to_none=True)
                loss = loss_fn(model(x[rows]), y[rows])
                loss.backward()
                adam.step()
        return float(loss.detach())

    def run() -> dict:
        start = time.perf_counter()
        losses = [one() for _ in range(networks)]
        seconds = (time.perf_counter() - start) / networks
        return {"seconds": seconds, "loss": round(float(np.mean(losses)), 4)}

    return run


def pytorch_func(task: str, threads: int, networks: int) -> Callable[[], dict]:
    import torch
    from torch.func import functional_call, grad_and_value, stack_module_state, vmap

    x, y, build, loss_fn = _torch_task(task, threads)

    def run() -> dict:
        start = time.perf_counter()
        models = [build() for _ in range(networks)]
        stacked, _ = stack_module_state(models)
        skeleton = copy.deepcopy(models[0]).to("meta")
        leaves = {name: p.detach().requires_grad_() for name, p in stacked.items()}
        adam = torch.optim.Adam(list(leaves.values()), RATE[task], fused=True)

        def loss_of(params: Any, x: Any, y: Any) -> Any:
            return loss_fn(functional_call(skeleton, params, (x,)), y)

        own = 0 if BATCH[task] else None
        gradients = vmap(grad_and_value(loss_of), in_dims=(0, own, own))
        for _ in range(EPOCHS[task]):
            orders = torch.stack(
                [torch.randperm(len(x)) for _ in range(networks if own == 0 else 0)]
                or [torch.arange(0)]
            )
            for rows in orders.split(BATCH[task], dim=1) if BATCH[task] else [slice(None)]:
                detached = {name: p.detach() for name, p in leaves.items()}
                grads, loss = gradients(detached, x[rows], y[rows])
                for name, p in leaves.items():
                    p.grad = grads[name]
                adam.step()
        seconds = (time.perf_counter() - start) / networks
        return {"seconds": seconds, "loss": round(float(loss.mean()), 4)}

    return run


def jaxnets(
    task: str, networks: int, shared: bool = False, by_hand: bool = False, group: int | None = None
) -> Callable[[], dict]:
    import jaxnets as jn

    jn.use_all_cores()
    import jax

    from jaxnets import backprop
    from jaxnets.data import Dataset

    x, y = points(task)
    data = Dataset({"x": x, "y": y}, None, None)
    if task == "planar":
        model, loss = jn.MLP((10,)), "binary_cross_entropy"
    else:
        model, loss = jn.MLP((64,), 10, "relu"), "softmax_cross_entropy"
    spec = jn.TrainSpec(
        model,
        loss,
        EPOCHS[task],
        BATCH[task],
        record_every=EPOCHS[task],
        value_and_grad=backprop.value_and_grad if by_hand else jax.value_and_grad,
    )
    seeds = iter(range(1_000_000))

    def run() -> dict:
        keys = jax.random.split(jax.random.key(next(seeds)), networks)
        start = time.perf_counter()
        _, history = jn.sweep(
            spec, keys, data, {"learning_rate": RATE[task]}, shared_order=shared, group=group
        )
        losses = np.asarray(history["train_loss"][:, -1])
        seconds = (time.perf_counter() - start) / networks
        return {"seconds": seconds, "loss": round(float(losses.mean()), 4)}

    return run


def _race(task: str, networks: int, at_least: float) -> Race:
    cores = os.cpu_count() or 1
    torch = [
        Contender(
            f"PyTorch loop, {threads} thread(s)",
            f"{__name__}:pytorch_loop",
            {"task": task, "threads": threads, "networks": 4},
        )
        for threads in (1, cores)
    ]
    torch.append(
        Contender(
            f"torch.func.vmap, {cores} thread(s)",
            f"{__name__}:pytorch_func",
            {"task": task, "threads": cores, "networks": networks},
        )
    )
    ours = [
        Contender(label, f"{__name__}:jaxnets", {"task": task, "networks": networks} | options)
        for label, options in (
            ("jaxnets sweep", {}),
            ("jaxnets sweep, gradients by hand", {"by_hand": True}),
            ("jaxnets sweep, shared order", {"shared": True}),
        )
        if task == "image" or "shared" not in options
    ]
    goals = [
        Goal("jaxnets sweep", "PyTorch loop", at_least=at_least),
        Goal("jaxnets sweep", "torch.func", at_least=1.0),
    ]
    layers = {"planar": "2-10-1, full batch", "image": "784-64-10, batches of its own"}[task]
    title = f"sweep of {networks} networks {layers}, seconds a network"
    return Race(title, torch + ours, goals, 5, f"sweep-{task}-{networks}")


RACES = [partial(_race, "planar", 256, 30), partial(_race, "image", 128, 4.5)]
