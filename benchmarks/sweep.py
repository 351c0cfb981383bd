"""Many networks at once: PyTorch's forms and C++ by hand against one sweep over all cores.

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
from benchmarks.peers.cplusplus import NO_COMPILER

RATE = {"planar": 1e-2, "image": 1e-3}
EPOCHS = {"planar": 200, "image": 1}
BATCH = {"planar": None, "image": 64}
SIZES = {"planar": (2, 10, 1), "image": (784, 64, 10)}


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
        return _row(start, networks, losses)

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
        return _row(start, networks, float(loss.mean()))

    return run


def drawn(task: str, networks: int, rng: np.random.Generator) -> list[np.ndarray]:
    """Draws params `W1 [n, h, d], b1 [n, h], W2 [n, k, h], b2 [n, k]` of stacked networks."""
    d, h, k = SIZES[task]
    shapes = ((h, d), (h,), (k, h), (k,))
    fans = (d, d, h, h)
    params = [
        rng.uniform(-1, 1, (networks, *shape)) / np.sqrt(fan)
        for shape, fan in zip(shapes, fans, strict=True)
    ]
    return [p.astype(np.float32) for p in params]


def stacked(
    task: str, threads: int, networks: int, group: int | None = None, compiled: bool = False
) -> Callable[[], dict]:
    """PyTorch's products of stacks, in groups that stay in the cache, or all at once."""
    import torch

    from benchmarks.peers.stacked import orders, trainer

    torch.set_num_threads(threads)
    x, y = points(task)
    train = trainer(task, x, y, RATE[task], compiled)
    rng, together = np.random.default_rng(0), group or networks

    def one_group() -> float:
        params = drawn(task, together, rng)
        batches = (
            [None] * EPOCHS[task]
            if BATCH[task] is None
            else orders(len(x), together).split(BATCH[task], dim=1)
        )
        return train(params, batches)[1]

    def run() -> dict:
        start = time.perf_counter()
        losses = [one_group() for _ in range(networks // together)]
        return _row(start, networks, losses)

    return run


def by_hand(threads: int, networks: int) -> Callable[[], dict]:
    """The planar networks in C++."""
    from benchmarks.peers.cplusplus import trainer

    x, y = points("planar")
    train = trainer(x, y, RATE["planar"], threads)
    rng = np.random.default_rng(0)

    def run() -> dict:
        start = time.perf_counter()
        losses = train(drawn("planar", networks, rng), EPOCHS["planar"])[1]
        return _row(start, networks, losses)

    return run


def _row(start: float, networks: int, losses: Any) -> dict:
    seconds = (time.perf_counter() - start) / networks
    return {"seconds": seconds, "loss": round(float(np.mean(losses)), 4)}


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
        return _row(start, networks, history["train_loss"][:, -1])

    return run


def _peers(task: str, networks: int) -> list[Contender]:
    """PyTorch's and, for planar networks, ours in C++; all with all cores but one loop."""
    cores = os.cpu_count() or 1
    all_cores = {"task": task, "threads": cores}
    loops = [
        Contender(
            f"PyTorch loop, {threads} thread(s)",
            f"{__name__}:pytorch_loop",
            {"task": task, "threads": threads, "networks": 4},
        )
        for threads in (1, cores)
    ]
    func = Contender("torch.func.vmap", f"{__name__}:pytorch_func", all_cores | {"networks": 128})
    stacks = [
        Contender(
            f"stacked baddbmm{name}",
            f"{__name__}:stacked",
            all_cores | {"networks": networks} | how,
        )
        for name, how in (
            ("", {}),
            (", groups of 32", {"group": 32}),
            (", groups of 32, compiled", {"group": 32, "compiled": True}),
        )
    ]
    own = {"threads": cores, "networks": networks}
    kernel = Contender("C++ by hand", f"{__name__}:by_hand", own, missing=NO_COMPILER)
    return [*loops, func, *stacks, *([kernel] if task == "planar" else [])]


def _race(task: str, networks: int, over_stacked: float) -> Race:
    ours = [
        Contender(label, f"{__name__}:jaxnets", {"task": task, "networks": networks} | options)
        for label, options in (
            ("jaxnets sweep", {}),
            ("jaxnets sweep, gradients by hand", {"by_hand": True}),
            ("jaxnets sweep, shared order", {"shared": True}),
        )
        if task == "image" or "shared" not in options
    ]
    kernel = "a kernel in C++ for one fixed network, if its time matters more than yours"
    goals = [
        Goal("jaxnets sweep", "PyTorch loop", at_least=30 if task == "planar" else 4.5),
        Goal("jaxnets sweep", "torch.func", at_least=1.0),
        Goal("jaxnets sweep", "stacked baddbmm", at_most=over_stacked),
    ]
    if task == "planar":
        goals.append(Goal("jaxnets sweep", "C++ by hand", at_most=1.2, instead=kernel))
    layers = {"planar": "2-10-1, full batch", "image": "784-64-10, batches of its own"}[task]
    title = f"sweep of {networks:,} networks {layers}, seconds a network"
    return Race(title, _peers(task, networks) + ours, goals, 5, f"sweep-{task}-{networks}")


RACES = [partial(_race, "planar", 1_024, 0.20), partial(_race, "image", 128, 0.55)]
