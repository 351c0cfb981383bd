"""How fast mini-batches of 1 to 50,000 images reduce the loss on MNIST (row E4; L1, L2).

Claims: the exact gradient "takes time to compute", and part of the sum serves as well, so that from
the same samples mini-batches "of a few tens" learn more than the full set; steps after every single
sample do "not benefit from the speed-up of batch-processing"; mini-batches are the "compromise", so
that after the same time they are ahead of both. L2 shows curves without numbers, network or rates.

Command: `make batch_size`, two minutes on 2 cores; without MNIST it uses scikit-learn's
digits and nothing is judged. Protocol: 784-32-10, ReLU, plain gradient steps on the mean
loss of a batch, 3 epochs over 50,000 images, each in a new random order. For each size the rate is
the one of 8 with the lowest loss on 10,000 validation images after a run of its own. Losses are on
5,000 of the training images. Seconds are those of one run with nothing else running: a sample's
share of a timed epoch, of which there are 16, times the samples seen. "A few tens" is 50, in
its multiverse 20 and 100 too; in
samples the losses at the end count, in time those when the quickest size has seen all its samples,
where every seed takes the times of another epoch. What counts is in `experiments/claims/batch_size`
as log ratios. Expect losses near 0.12 with 50 at a time or one by one, far above 1 with the full
set, which has made 3 steps; a sample alone takes several times as long as one of 50.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax import Array, lax
from matplotlib.axes import Axes
from matplotlib.figure import Figure

import jaxnets as jn
from jaxnets import plots
from jaxnets.claims import Sample
from jaxnets.data import Dataset
from jaxnets.objective import metrics_of, outputs_of
from jaxnets.parallel.rows import parallel_map
from jaxnets.training.permutation import permutation

from ..lab.claims import Result, interval, markdown
from ..lab.judging import NotMeasured, require_mnist
from ..shared.best import best
from ..shared.image_data import mnist_or_digits

LOSS = "softmax_cross_entropy"
OPTIMISERS = {"gradient descent": (optax.sgd, 1.0), "Adam": (optax.adam, 0.03)}
"""What makes the steps, and what it multiplies the rates by."""
WATCHED = 5_000
"""Training images whose loss is recorded."""
RECORDS = 10
"""A record is taken every tenth of an epoch, or every step if that is longer."""
MULTIPLE = 1_000
"""The training set is cut to a multiple of it, so that round sizes divide it."""


@dataclass(frozen=True)
class Config:
    sizes: tuple[int, ...] = (1, 5, 50, 500, 5_000)
    """Alongside the full set. Only divisors and multiples of a tenth of it are used."""
    rates: tuple[float, ...] = (0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0)
    seeds: int = 16
    epochs: int = 3
    tens: int = 50
    """The batch that is judged as "a few tens", one of the sizes in any case."""
    optimiser: str = "gradient descent"
    """A name in `OPTIMISERS`."""
    hidden: int = 32
    rounds: int = 16
    data: str = "mnist"
    seed: int = 1


SMOKE = Config((50,), (0.1, 1.0), seeds=2, epochs=2, hidden=8, rounds=2, data="digits")


class Spec(NamedTuple):
    """The static settings of a run."""

    model: jn.MLP
    size: int
    epochs: int
    optimiser: str = "gradient descent"

    def steps(self, rate: Array | float) -> optax.GradientTransformation:
        """Returns what makes the steps at a rate."""
        build, factor = OPTIMISERS[self.optimiser]
        return build(factor * rate)


def run(config: Config, key: Array) -> Result:
    data, name = mnist_or_digits(config.data)
    n = len(data.train["y"]) // MULTIPLE * MULTIPLE
    data = Dataset(jax.tree.map(lambda a: a[:n], data.train), data.valid)
    model = jn.MLP((config.hidden,), 10, "relu")
    sizes = usable(sorted({*config.sizes, config.tens}), n)
    result: Result = {"data": np.asarray(name), "sizes": np.asarray(sizes)}
    result["tens"] = np.asarray(config.tens)
    rates, seconds = [], []
    for i, size in enumerate(sizes):
        spec = Spec(model, size, config.epochs, config.optimiser)
        rate, losses = _learn(config, key, spec, data)
        rates.append(rate)
        seconds.append(_seconds(config, key, spec, rate, data.train))
        seen = np.linspace(0, config.epochs * n, losses.shape[1] + 1)[1:]
        result |= {f"loss_{i}": losses, f"seen_{i}": seen}
        print(f"batches of {size:,}: rate {rate:g}, loss {losses[:, -1].mean():.3f}", flush=True)
    return result | {"rates": np.asarray(rates), "seconds": np.asarray(seconds)}


def usable(sizes: Sequence[int], n: int) -> list[int]:
    """Returns the sizes that fit records of a tenth of `n` samples, and `n` itself."""
    tenth = n // RECORDS
    fit = [s for s in sizes if s < n and n % s == 0 and 0 in (tenth % s, s % tenth)]
    return [*fit, n]


def _learn(config: Config, key: Array, spec: Spec, data: Dataset) -> tuple[float, np.ndarray]:
    """The rate chosen on validation data, and losses `[seeds, records]` of new runs at it."""
    pilot_key, key = jax.random.split(key)
    program = partial(parallel_map, partial(train, spec), group=1)
    rates = jnp.asarray(config.rates)
    pilots = program({"key": jax.random.split(pilot_key, len(rates)), "rate": rates}, data)
    rate = config.rates[best(-pilots["valid"])]
    rows = {"key": jax.random.split(key, config.seeds), "rate": jnp.full(config.seeds, rate)}
    return rate, np.asarray(program(rows, data)["losses"])


def train(spec: Spec, row: dict[str, Array], data: Dataset) -> dict[str, Array]:
    """Trains from `row["key"]` at `row["rate"]`: the losses `[records]` on training images.

    `valid` is the loss on the validation images at the end.
    """
    init_key, order_key = jax.random.split(row["key"])
    n = len(data.train["y"])
    watched = jax.tree.map(lambda a: a[:WATCHED], data.train)

    def record(state: jn.State, rows: Array) -> tuple[jn.State, Array]:
        state = steps(spec, row["rate"], data.train, state, rows)
        return state, _loss(spec.model, state.params, watched)

    epoch_keys = jax.random.split(order_key, spec.epochs)
    orders = jax.vmap(partial(permutation, n=n))(epoch_keys)
    rows = orders.reshape(-1, max(1, n // RECORDS // spec.size), spec.size)
    state = start(spec, init_key, row["rate"], data.train)
    state, losses = lax.scan(record, state, rows)
    return {"losses": losses, "valid": _loss(spec.model, state.params, data.valid)}


def start(spec: Spec, key: Array, rate: Array | float, part: dict[str, Array]) -> jn.State:
    """Returns the state before the first step."""
    params = spec.model.init(key, part["x"][:1])
    return jn.State(params, spec.steps(rate).init(params), jnp.zeros((), jnp.int32), key)


def steps(
    spec: Spec, rate: Array | float, part: dict[str, Array], state: jn.State, rows: Array
) -> jn.State:
    """Takes a gradient step on each of the batches `rows [steps, size]`."""
    step = jn.make_step(jn.Objective(spec.model, LOSS), spec.steps(rate))

    def on_rows(state: jn.State, rows: Array) -> tuple[jn.State, None]:
        full = spec.size == len(part["y"])
        batch = part if full else jax.tree.map(lambda a: a[rows], part)
        return step(state, batch)[0], None

    return lax.scan(on_rows, state, rows)[0]


def _loss(model: jn.MLP, params: Any, part: dict[str, Array]) -> Array:
    return metrics_of(jn.LOSSES[LOSS], outputs_of(model, params, part["x"]), part["y"])["loss"]


def _seconds(
    config: Config, key: Array, spec: Spec, rate: float, part: dict[str, Array]
) -> np.ndarray:
    """Seconds per sample of a single run, `[rounds]`, one epoch each."""
    part = jax.tree.map(jnp.asarray, part)
    n = len(part["y"])
    rows = permutation(key, n).reshape(-1, spec.size)
    state = jax.jit(start, static_argnums=0)(spec, key, rate, part)
    epoch = jax.jit(steps, static_argnums=0)
    state = jax.block_until_ready(epoch(spec, rate, part, state, rows))
    taken = []
    for _ in range(config.rounds):
        begin = time.perf_counter()
        state = jax.block_until_ready(epoch(spec, rate, part, state, rows))
        taken.append((time.perf_counter() - begin) / n)
    return np.asarray(taken)


def durations(result: Result) -> np.ndarray:
    """Computes the seconds of a complete run of each size, `[sizes]`."""
    return np.median(result["seconds"], axis=1) * result["seen_0"][-1]


def at_time(result: Result, i: int, seconds: float) -> np.ndarray:
    """Interpolates the losses `[seeds]` of size `i` after `seconds` of training.

    The seeds are as quick as the rounds were, in turn, so that losses vary as times do.
    """
    losses, rounds = result[f"loss_{i}"], result["seconds"][i]
    seen = seconds / np.resize(rounds, len(losses))
    pairs = zip(seen, losses, strict=True)
    return np.asarray([np.interp(each, result[f"seen_{i}"], row) for each, row in pairs])


def table(result: Result) -> str:
    quickest, rows = durations(result).min(), []
    for i, size in enumerate(result["sizes"]):
        micro = interval(1e6 * result["seconds"][i])
        ends = (result[f"loss_{i}"][:, -1], at_time(result, i, quickest))
        row = [f"{size:,}", f"{result['rates'][i]:g}", micro.decimals(2)]
        rows.append(row + [interval(end).decimals(4) for end in ends])
    head = ["batch", "rate", "µs per sample", "loss at the end", f"loss after {quickest:.2f} s"]
    return f"{result['data']}, {len(result['loss_0'])} seeds:\n{markdown(head, rows)}"


def plot(result: Result) -> Figure:
    canvas, axes = plots.figure(1, 3, size=(4.6, 3.8))
    _draw_losses(axes[0, 0], result, np.ones(len(result["sizes"])))
    _draw_losses(axes[0, 1], result, np.median(result["seconds"], axis=1))
    axes[0, 0].set(xlabel="samples seen", ylabel="cross entropy [nats]", title="by samples")
    axes[0, 1].set(xlabel="seconds of training", title="by time, one run at a time")
    lines, names = axes[0, 0].get_legend_handles_labels()
    canvas.legend(lines, names, title="batch (± 1 std)", loc="outside right center")
    micro = 1e6 * result["seconds"].T
    plots.spread(axes[0, 2], result["sizes"], micro, "measured", next(plots.styles()))
    axes[0, 2].set(xscale="log", yscale="log", xlabel="batch size", ylabel="µs per sample")
    axes[0, 2].set_title(f"time of a sample (± 1 std, {micro.shape[0]} epochs)")
    return canvas


def _draw_losses(axes: Axes, result: Result, scales: np.ndarray) -> None:
    """Losses against samples seen times the scale of each size."""
    for i, (size, style) in enumerate(zip(result["sizes"], plots.styles(), strict=False)):
        style |= {"markersize": 3, "linewidth": 1.2}
        plots.spread(axes, scales[i] * result[f"seen_{i}"], result[f"loss_{i}"], f"{size:,}", style)
    axes.set(xscale="log", yscale="log", ylim=(0.05, 5))


def _indices(result: Result) -> tuple[int, int, int]:
    """Those of single samples, of a few tens and of the full set, which is the last."""
    require_mnist(result)
    sizes, tens = result["sizes"].tolist(), int(result["tens"])
    if not {1, tens} <= set(sizes):
        raise NotMeasured(f"needs batches of 1 and {tens}")
    return sizes.index(1), sizes.index(tens), len(sizes) - 1


def _fewer_samples(result: Result) -> Sample:
    _, tens, full = _indices(result)
    return Sample(*(np.log(result[f"loss_{i}"][:, -1]) for i in (full, tens)))


def _single_is_slow(result: Result) -> Sample:
    single, tens, _ = _indices(result)
    return Sample(np.log(result["seconds"][single] / result["seconds"][tens]))


def _compromise(result: Result) -> dict[str, Sample]:
    quickest = durations(result).min()
    single, tens, full = (np.log(at_time(result, i, quickest)) for i in _indices(result))
    return {"single samples": Sample(single, tens), "full set": Sample(full, tens)}


CLAIMS = {
    "fewer_samples": _fewer_samples,
    "single_is_slow": _single_is_slow,
    "compromise": _compromise,
}
