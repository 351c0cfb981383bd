"""Time until L2's network (row C4), untrained at first, is right on 99 % of MNIST's test images."""

import time
from collections.abc import Callable
from typing import Any

from benchmarks.harness import Contender, Race, without

TARGET, BATCH, RATE, LONGEST = 0.99, 128, 1e-3, 20


def jaxnets() -> Callable[[], dict]:
    """Trains by Adam, an epoch in one program, and evaluates the test images after each."""
    import jax
    import jax.numpy as jnp

    from jaxnets import TrainSpec
    from jaxnets.data import load
    from jaxnets.models import small_cnn
    from jaxnets.training.loop import advance, begin

    data = load("mnist", valid=0, flat=False)
    data = jax.device_put(data._replace(valid=data.test, test=None))
    spec = TrainSpec(small_cnn(), "softmax_cross_entropy", LONGEST, BATCH)
    hparams = {"learning_rate": jnp.float32(RATE)}
    init = jax.jit(lambda key, x: begin(spec, key, x, hparams, True))
    steps = spec.steps_per_epoch(len(data.train["y"]))

    @jax.jit
    def epoch(carry: Any, order_key: jax.Array, number: jax.Array, data: Any) -> Any:
        return advance(spec, carry, number * steps, steps, data, hparams, order_key)

    seeds = iter(range(1_000_000))
    start = time.perf_counter()
    carry, order_key = jax.block_until_ready(init(jax.random.key(0), data.train["x"]))
    compiled = epoch.lower(carry, order_key, jnp.int32(0), data).compile()
    compile_s = time.perf_counter() - start

    def run() -> dict:
        start = time.perf_counter()
        carry, order_key = init(jax.random.key(next(seeds)), data.train["x"])
        epochs, accuracy = 0, 0.0
        while accuracy < TARGET and epochs < LONGEST:
            carry = compiled(carry, order_key, jnp.int32(epochs), data)
            accuracy, epochs = float(carry.history["valid_accuracy"][epochs]), epochs + 1
        seconds = time.perf_counter() - start
        require_reached(accuracy)
        return {
            "seconds": seconds,
            "epochs": epochs,
            "accuracy": round(accuracy, 4),
            "with compilation": f"{seconds + compile_s:.1f} s",
        }

    return run


def require_reached(accuracy: float) -> None:
    """Raises a RuntimeError for a run that never reached the target: its time says nothing."""
    if accuracy < TARGET:
        raise RuntimeError(
            f"{accuracy:.2%} of the test images after {LONGEST} epochs, not {TARGET:.0%}"
        )


def without_mnist(contenders: list[Contender]) -> list[Contender]:
    """Marks contenders as missing where MNIST cannot be had."""
    from jaxnets.data import load

    try:
        load("mnist")
    except ConnectionError:
        return without(contenders, "needs MNIST")
    return contenders


def _race() -> Race:
    title = "L2's network on MNIST until 99 % of the test images are right, CPU"
    contenders = [Contender("jaxnets", f"{__name__}:jaxnets")]
    return Race(title, without_mnist(contenders), [], 5, "accuracy")


RACES = [_race]
