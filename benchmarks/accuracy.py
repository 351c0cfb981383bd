"""Time until L2's network (row C4) is right on 99 % of MNIST's test images, from nothing."""

import dataclasses
import time
from collections.abc import Callable
from typing import Any

TARGET, BATCH, RATE, LONGEST = 0.99, 128, 1e-3, 20


def jaxnets() -> Callable[[], dict]:
    """Adam, a whole epoch in one program; the test images are looked at after each."""
    import jax
    import jax.numpy as jnp

    from jaxnets import TrainSpec
    from jaxnets.data import load
    from jaxnets.models import small_cnn
    from jaxnets.training.loop import advance, begin, split_key

    data = load("mnist", valid=0, flat=False)
    data = jax.device_put(data._replace(valid=data.test, test=None))
    training = TrainSpec(small_cnn(), "softmax_cross_entropy", 1, BATCH)
    hparams = {"learning_rate": jnp.float32(RATE)}
    longest = dataclasses.replace(training, epochs=LONGEST)
    init = jax.jit(lambda key, data: begin(longest, key, data, hparams))
    steps = longest.steps_per_epoch(len(data.train["y"]))

    @jax.jit
    def epoch(carry: Any, key: jax.Array, number: jax.Array, data: Any) -> Any:
        order_key = split_key(key).order
        return advance(longest, carry, number * steps, steps, data, hparams, order_key)

    seeds = iter(range(1_000_000))
    start = time.perf_counter()
    carry = jax.block_until_ready(init(jax.random.key(0), data))
    compiled = epoch.lower(carry, jax.random.key(0), jnp.int32(0), data).compile()
    compile_s = time.perf_counter() - start

    def run() -> dict:
        start = time.perf_counter()
        key = jax.random.key(next(seeds))
        carry = init(key, data)
        epochs, accuracy = 0, 0.0
        while accuracy < TARGET and epochs < LONGEST:
            carry = compiled(carry, key, jnp.int32(epochs), data)
            accuracy, epochs = float(carry.history["valid_accuracy"][epochs]), epochs + 1
        seconds = time.perf_counter() - start
        return {
            "seconds": seconds,
            "epochs": epochs,
            "accuracy": round(accuracy, 4),
            "with compilation": f"{seconds + compile_s:.1f} s",
        }

    return run
