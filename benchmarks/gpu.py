"""`python -m benchmarks gpu`: the rows that need an accelerator, each in three precisions.

float32, TF32 (products of float32 rounded to 10 bits) and bfloat16 (values between the layers, and
products; params and moments stay float32) are contenders of their own. Each row says what part it
reaches of the card's roofline: its arithmetic over the measured speed of large products in the same
precision. Without a GPU nothing is measured.
"""

import dataclasses
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from functools import partial
from typing import Any

import numpy as np

from benchmarks.accuracy import BATCH, LONGEST, RATE, TARGET, require_reached
from benchmarks.harness import Contender, Goal, Race, measure
from benchmarks.history import save
from benchmarks.report import section
from benchmarks.results import processor, result_of

PRECISIONS = {"float32": "float32", "TF32": "tensorfloat32", "bfloat16": "bfloat16"}
"""What JAX calls the precision of products."""
ONE_OF_MANY = {"XLA_PYTHON_CLIENT_PREALLOCATE": "false"}
"""Several processes share the card's memory."""
CNN_FLOPS = {"small": 3 * 2.7e6, "wide": 3 * 192.5e6}
"""Of an image, forward and backward: two for a multiplication and sum, three passes."""
PLANAR_FLOPS = 6 * 30 * 1_000 * 200
"""Of a network 2-10-1 on 1,000 points for 200 steps."""
NO_GPU = (
    "no GPU: JAX finds only {found}. Run this where there is one, with jaxnets[cuda] installed; "
    "tests/benchmarks/test_gpu.py checks the programs themselves without one"
)


@dataclasses.dataclass(frozen=True)
class HalfPrecision:
    """Computes a model in bfloat16, from params and to outputs of float32."""

    model: Any

    def init(self, key: Any, x: Any) -> Any:
        return self.model.init(key, x)

    def apply(self, params: Any, x: Any) -> Any:
        import jax
        import jax.numpy as jnp

        half = jax.tree.map(lambda a: a.astype(jnp.bfloat16), params)
        return self.model.apply(half, x.astype(jnp.bfloat16)).astype(jnp.float32)


def in_precision(precision: str, model: Any) -> tuple[Any, AbstractContextManager]:
    """Returns the model that computes in a precision, and the setting to compile it under."""
    import jax

    setting = jax.default_matmul_precision(PRECISIONS[precision])
    return (HalfPrecision(model) if precision == "bfloat16" else model), setting


def epoch_program(spec: Any, hparams: dict[str, float]) -> Any:
    """Returns the jitted `(carry, data, order_key, epoch) -> carry`, one epoch in one program.

    The carry is donated: its buffers take the new params and moments.
    """
    import jax

    from jaxnets.training.loop import advance

    def run(carry: Any, data: Any, order_key: Any, epoch: Any) -> Any:
        steps = spec.steps_per_epoch(len(data.train["x"]))
        return advance(spec, carry, epoch * steps, steps, data, hparams, order_key)

    return jax.jit(run, donate_argnums=0)


def cnn(network: str, precision: str) -> Callable[[], dict]:
    """An epoch of the convolutional networks of `benchmarks.cnn`, on ten times the images."""
    import jax
    import jax.numpy as jnp

    from benchmarks.cnn import images, own_model
    from jaxnets import TrainSpec
    from jaxnets.data import Dataset
    from jaxnets.training.loop import begin

    x, y = (jnp.asarray(np.concatenate([a] * 10)) for a in images(network))
    model, setting = in_precision(precision, own_model(network))
    spec = TrainSpec(model, "softmax_cross_entropy", 1, BATCH)
    data, hparams = Dataset({"x": x, "y": y}, None, None), {"learning_rate": RATE}
    carry, order_key = begin(spec, jax.random.key(0), x, hparams, False)
    with setting:
        program = epoch_program(spec, hparams)
        compiled = program.lower(carry, data, order_key, jnp.int32(0)).compile()
    now, peak = [carry], peak_flops(precision)

    def run() -> dict:
        start = time.perf_counter()
        now[0] = jax.block_until_ready(compiled(now[0], data, order_key, jnp.int32(0)))
        found = row(start, len(x) * CNN_FLOPS[network], peak)
        return found | {"images/s": round(len(x) / found["seconds"])}

    return run


def mnist(precision: str) -> Callable[[], dict]:
    """L2's network until 99 % of the test images are right, which are evaluated at each epoch."""
    import jax
    import jax.numpy as jnp

    from jaxnets import TrainSpec
    from jaxnets.data import load
    from jaxnets.models import small_cnn
    from jaxnets.training.loop import begin

    data = load("mnist", valid=0, flat=False)
    data = jax.device_put(data._replace(valid=data.test, test=None))
    model, setting = in_precision(precision, small_cnn())
    spec = TrainSpec(model, "softmax_cross_entropy", LONGEST, BATCH)
    hparams, x = {"learning_rate": RATE}, data.train["x"]
    first = jax.jit(lambda key, x: begin(spec, key, x, hparams, True))
    with setting:
        carry, order_key = first(jax.random.key(0), x)
        program = epoch_program(spec, hparams)
        compiled = program.lower(carry, data, order_key, jnp.int32(0)).compile()
    seeds, peak = iter(range(1_000_000)), peak_flops(precision)

    def run() -> dict:
        carry, order_key = jax.block_until_ready(first(jax.random.key(next(seeds)), x))
        start, epochs, accuracy = time.perf_counter(), 0, 0.0
        while accuracy < TARGET and epochs < LONGEST:
            carry = compiled(carry, data, order_key, jnp.int32(epochs))
            accuracy, epochs = float(carry.history["valid_accuracy"][epochs]), epochs + 1
        require_reached(accuracy)
        found = row(start, epochs * len(x) * CNN_FLOPS["small"], peak)
        return found | {"epochs": epochs, "accuracy": round(accuracy, 4)}

    return run


def sweep(networks: int, precision: str) -> Callable[[], dict]:
    """Planar networks, 2-10-1, 200 full-batch steps, all in one program."""
    import jax

    import jaxnets as jn
    from benchmarks.sweep import points
    from jaxnets.data import Dataset

    x, y = points("planar")
    data = Dataset({"x": x, "y": y}, None, None)
    model, setting = in_precision(precision, jn.MLP((10,)))
    spec = jn.TrainSpec(model, "binary_cross_entropy", 200, record_every=200)
    keys, peak = jax.random.split(jax.random.key(0), networks), peak_flops(precision)

    def run() -> dict:
        with setting:
            start = time.perf_counter()
            _, history = jn.sweep(spec, keys, data, {"learning_rate": 1e-2})
            found = row(start, networks * PLANAR_FLOPS, peak)
        return found | {"loss": round(float(history["train_loss"][:, -1].mean()), 4)}

    return run


def cbow() -> Callable[[], dict]:
    """An epoch of CBOW, of products too small for the card: it moves vectors."""
    from benchmarks.words import ENTRIES, jaxnets_epoch

    epoch = jaxnets_epoch()

    def run() -> dict:
        seconds = epoch()
        return {"seconds": seconds, "words/s": round(ENTRIES / seconds)}

    return run


def row(start: float, work: float, peak: float) -> dict:
    """Returns seconds since `start`, and the part of the roofline that `work` flops reached."""
    seconds = time.perf_counter() - start
    return {"seconds": seconds, "of the roofline": f"{work / peak / seconds:.2%}"}


def peak_flops(precision: str, size: int = 8_192, tries: int = 5) -> float:
    """Measures operations a second of a large product in a precision."""
    import jax
    import jax.numpy as jnp

    a = jnp.ones((size, size), jnp.bfloat16 if precision == "bfloat16" else jnp.float32)
    with jax.default_matmul_precision(PRECISIONS[precision]):
        multiply = jax.jit(jnp.matmul)
        jax.block_until_ready(multiply(a, a))
        times = []
        for _ in range(tries):
            start = time.perf_counter()
            jax.block_until_ready(multiply(a, a))
            times.append(time.perf_counter() - start)
    return 2 * size**3 / min(times)


def _race(name: str, title: str, factory: str, rounds: int, **options: Any) -> Race:
    contenders = [
        Contender(
            precision, f"{__name__}:{factory}", options | {"precision": precision}, ONE_OF_MANY
        )
        for precision in PRECISIONS
    ]
    goals = [Goal(precision, "float32") for precision in ("TF32", "bfloat16")]
    return Race(title, contenders, goals, rounds, name)


def _mnist() -> Race:
    from benchmarks.accuracy import without_mnist

    race = _race("gpu-mnist", f"{MNIST}, seconds of training (goal: under 1 s)", "mnist", 5)
    return race._replace(contenders=without_mnist(race.contenders))


def _cbow() -> Race:
    from benchmarks.words import without_corpus

    contender = Contender("float32", f"{__name__}:cbow", {}, ONE_OF_MANY)
    return Race("CBOW on a GPU, one epoch", without_corpus([contender]), [], 5, "gpu-cbow")


MNIST = "L2's network on MNIST until 99 % of the test images are right, GPU"
SWEEP = "sweep of {:,} networks 2-10-1 in one program, GPU"
RACES: Sequence[Callable[[], Race]] = [
    _mnist,
    *(
        partial(_race, f"gpu-sweep-{n}", SWEEP.format(n), "sweep", 5, networks=n)
        for n in (1_024, 16_384)
    ),
    partial(_race, "gpu-cnn", "L2's network, an epoch, GPU", "cnn", 7, network="small"),
    partial(_race, "gpu-cnn-wide", "3x3 convolutions, an epoch, GPU", "cnn", 7, network="wide"),
    _cbow,
]


def require_gpu() -> str:
    """Returns the card's name.

    Raises:
        ValueError: JAX finds no GPU here.
    """
    import jax

    device = jax.devices()[0]
    if device.platform != "gpu":
        raise ValueError(NO_GPU.format(found=device.platform))
    return device.device_kind


def main(arguments: Sequence[str]) -> None:
    """Runs the rows whose names are given, all by default, and saves their results."""
    card = require_gpu()
    for build in RACES:
        race = build()
        if not arguments or race.name in arguments:
            print(f"{race.title} ...", flush=True)
            try:
                result = result_of(race, *measure(race.contenders, race.rounds))
            except RuntimeError as error:
                print(f"error: {error}", file=sys.stderr)
                continue
            result = dataclasses.replace(result, machine=f"{card} and {processor()}")
            print(section(result), flush=True)
            if result.measured:
                print(f"saved: {save(result)}")
