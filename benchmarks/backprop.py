"""The gradient of a 784-128-64-10 perceptron: by hand against jax.grad, alone and in a scan."""

import time
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from benchmarks.harness import Contender, Goal, Race

STEPS = 300
WIDTHS = (128, 64)


def jaxnets(batch: int, by_hand: bool, in_scan: bool) -> Callable[[], float]:
    import jax
    import jax.numpy as jnp

    import jaxnets as jn
    from jaxnets import backprop

    rng = np.random.default_rng(0)
    data = {
        "x": jnp.asarray(rng.random((batch, 784), np.float32)),
        "y": jnp.asarray(rng.integers(0, 10, batch), jnp.int32),
    }
    model = jn.MLP(WIDTHS, 10, "relu")
    objective = jn.Objective(model, "softmax_cross_entropy")
    differentiate = (backprop if by_hand else jax).value_and_grad(objective, has_aux=True)
    params = jax.jit(model.init)(jax.random.key(0), data["x"])

    def descend(params: Any, data: Any) -> Any:
        def step(params: Any, _: None) -> tuple[Any, None]:
            _, grads = differentiate(params, data)
            return jax.tree.map(lambda w, g: w - 1e-3 * g, params, grads), None

        return jax.lax.scan(step, params, None, length=STEPS)[0]

    compiled = jax.jit(descend if in_scan else lambda params, data: differentiate(params, data)[1])

    def run() -> float:
        start = time.perf_counter()
        for _ in range(1 if in_scan else STEPS):
            jax.block_until_ready(compiled(params, data))
        return (time.perf_counter() - start) / STEPS

    return run


def _race(batch: int) -> Race:
    contenders = [
        Contender(
            f"{name}, {place}",
            f"{__name__}:jaxnets",
            {"batch": batch, "by_hand": name == "by hand", "in_scan": place == "in a scan"},
        )
        for place in ("alone", "in a scan")
        for name in ("jax.grad", "by hand")
    ]
    goals = [
        Goal("by hand, in a scan", "jax.grad, in a scan", at_most=0.97),
        Goal("by hand, alone", "jax.grad, alone", at_most=1.10),
    ]
    title = f"gradient of 784-128-64-10, batch {batch}"
    return Race(title, contenders, goals, 11, f"backprop-{batch}")


RACES = [partial(_race, 64), partial(_race, 1024)]
