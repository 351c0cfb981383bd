"""Time until L2's network (row C4) is right on 99 % of MNIST's test images, from nothing."""

import time
from collections.abc import Callable

TARGET, BATCH, RATE, LONGEST = 0.99, 128, 1e-3, 20


def jaxnets() -> Callable[[], dict]:
    """Adam, a whole epoch in one program; the test images are looked at after each."""
    import jax
    import jax.numpy as jnp

    from jaxnets import Run
    from jaxnets.data import load
    from jaxnets.models import small_cnn
    from jaxnets.train import advance, init_state

    data = load("mnist", valid=0, flat=False)
    data = jax.device_put(data._replace(valid=data.test, test=None))
    training = Run(small_cnn(), "softmax_cross_entropy", 1, BATCH)
    hparams = {"learning_rate": jnp.float32(RATE)}
    init = jax.jit(lambda key, x: init_state(training, key, hparams, x))
    epoch = jax.jit(lambda state, data: advance(training, 1, state, hparams, data, state.key))
    seeds = iter(range(1_000_000))
    start = time.perf_counter()
    state = jax.block_until_ready(init(jax.random.key(0), data.train["x"]))
    compiled = epoch.lower(state, data).compile()
    compile_s = time.perf_counter() - start

    def run() -> dict:
        start = time.perf_counter()
        state = init(jax.random.key(next(seeds)), data.train["x"])
        epochs, accuracy = 0, 0.0
        while accuracy < TARGET and epochs < LONGEST:
            state, history = compiled(state, data)
            accuracy, epochs = float(history["valid_accuracy"][-1]), epochs + 1
        seconds = time.perf_counter() - start
        return {
            "seconds": seconds,
            "epochs": epochs,
            "accuracy": round(accuracy, 4),
            "with compilation": f"{seconds + compile_s:.1f} s",
        }

    return run
