"""The cost of the backward pass against the forward pass, counted and timed (row D3, L2).

Claim: "the rule of thumb is that the backward pass is twice more expensive than the forward one". A
layer's forward pass is one product, `W x`; its backward pass has two of that size, `W^T delta` and
`delta x^T`. The first layer skips `W^T delta`, since the gradient of the images is not needed, so
that by the products alone the ratio is exactly 2 minus the first layer's share of them.

Command: `make backward_cost`, 4 to 5 minutes on 2 cores. Protocol: perceptrons and convolutional
networks on random images of MNIST's size (the cost does not depend on the values); operations are
those that XLA counts in the compiled programs, alongside our own count of the products from the
shapes. Times are of the loss alone, of `jax.value_and_grad` and of the gradients by hand, in turn,
round after round; a round calls a program for at least 50 ms and waits for every call. A ratio is
(gradient - loss) / loss. The claims are judged network by network: a mean over networks of ratios
of 0 and 4 would be twice, too. Times are compared by the log of their ratio in a round. Expect
operations at 1.0 for one hidden layer on 784 inputs and nearly 2 for ten convolutions, and times
anywhere from 0.5 to 4, less for one sample and a small network, where calling the program is most
of the time. Other work on the machine moves the times, and rounds share it: the intervals say how
well this machine, at this hour, was measured.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from matplotlib.axes import Axes
from matplotlib.figure import Figure

import jaxnets as jn
from jaxnets import backprop, plots
from jaxnets.claims import Sample
from jaxnets.models.cnn import lenet5, residual_cnn, small_cnn
from jaxnets.objective import Objective

from ..lab.claims import Result, markdown
from ..lab.judging import NotMeasured

NETWORKS: dict[str, Any] = {
    "784-100-10": jn.MLP((100,), 10, "relu"),
    "784-256-256-10": jn.MLP((256, 256), 10, "relu"),
    "784-8x256-10": jn.MLP((256,) * 8, 10, "relu"),
    "784-3x1024-10": jn.MLP((1024,) * 3, 10, "relu"),
    "L2's CNN": small_cnn(),
    "LeNet-5": lenet5(),
    "residual CNN": residual_cnn(),
}
PROGRAMS = ("forward", "grad", "hand")
DEEP = 3
"""Layers with weights from which a network counts in the claims."""


@dataclass(frozen=True)
class Config:
    networks: tuple[str, ...] = tuple(NETWORKS)
    batches: tuple[int, ...] = (1, 64, 512)
    rounds: int = 21
    milliseconds: int = 50
    """The least time for which a program is called in a round."""
    seed: int = 0


SMOKE = Config(("784-100-10", "LeNet-5"), (64,), rounds=3, milliseconds=2)


class Products(NamedTuple):
    """Multiplications of weights in the forward pass of one sample."""

    total: int
    first: int
    """Those of the first layer."""
    layers: int

    @property
    def ratio(self) -> float:
        """Backward over forward: twice the products, without the first layer's `W^T delta`."""
        return (2 * self.total - self.first) / self.total


def run(config: Config, key: Array) -> Result:
    found = [products(NETWORKS[name]) for name in config.networks]
    flops, seconds = [], []
    for name in config.networks:
        print(f"{name}: counting and timing", flush=True)
        flops.append(_flops(key, NETWORKS[name], max(config.batches)))
        seconds.append([_times(config, key, NETWORKS[name], batch) for batch in config.batches])
    return {
        "networks": np.asarray(config.networks),
        "batches": np.asarray(config.batches),
        "layers": np.asarray([p.layers for p in found]),
        "products": np.asarray([p.total for p in found]),
        "products_ratio": np.asarray([p.ratio for p in found]),
        "flops": np.asarray(flops).T,
        "seconds": np.moveaxis(np.asarray(seconds), 0, 2).swapaxes(0, 1),
    }


def products(model: Any) -> Products:
    """Counts the products of a network on a 28 x 28 image, from the shapes of weights and maps."""
    x = jax.ShapeDtypeStruct(_shape(model, 1), jnp.float32)
    params = jax.eval_shape(model.init, jax.random.key(0), x)
    _, captured = jax.eval_shape(
        lambda params, x: model.apply(params, x, capture_intermediates=True), params, x
    )
    counts = []
    for path, leaf in jax.tree.leaves_with_path(params["params"]):
        if leaf.ndim == 1:
            continue
        positions = 1
        if leaf.ndim == 4:
            value = captured["intermediates"]
            for step in path[:-1]:
                value = value[step.key]
            _, rows, columns, _ = value["__call__"][0].shape
            positions = rows * columns
        counts.append(positions * leaf.size)
    return Products(sum(counts), counts[0], len(counts))  # `hidden_0` and `layers_0` come first


def _shape(model: Any, batch: int) -> tuple[int, ...]:
    return (batch, 784) if isinstance(model, jn.MLP) else (batch, 28, 28, 1)


def _programs(model: Any) -> list[Any]:
    """The loss, and the loss with its gradients by `jax.grad` and by hand."""
    objective = Objective(model, "softmax_cross_entropy")

    def loss(params: Any, data: dict[str, Array]) -> Array:
        return objective(params, data)[0]

    def by_hand(params: Any, data: dict[str, Array]) -> tuple[Array, Any]:
        (value, _), grads = backprop.value_and_grad(objective)(params, data)
        return value, grads

    return [jax.jit(f) for f in (loss, jax.value_and_grad(loss), by_hand)]


def _arguments(key: Array, model: Any, batch: int) -> tuple[Any, dict[str, Array]]:
    params_key, x_key, y_key = jax.random.split(key, 3)
    x = jax.random.normal(x_key, _shape(model, batch))
    y = jax.random.randint(y_key, (batch,), 0, 10)
    return jax.jit(model.init)(params_key, x), {"x": x, "y": y}


def _flops(key: Array, model: Any, batch: int) -> list[float]:
    """Operations per sample that XLA counts in each compiled program."""
    arguments = _arguments(key, model, batch)
    compiled = [f.lower(*arguments).compile() for f in _programs(model)]
    return [program.cost_analysis()["flops"] / batch for program in compiled]


def _times(config: Config, key: Array, model: Any, batch: int) -> np.ndarray:
    """Seconds per call, `[programs, rounds]`."""
    arguments, programs = _arguments(key, model, batch), _programs(model)
    repeats = []
    for f in programs:
        jax.block_until_ready(f(*arguments))
        once = min(_seconds(f, arguments, 1) for _ in range(3))
        repeats.append(max(1, round(config.milliseconds / 1000 / once)))
    rounds = [
        [_seconds(f, arguments, n) for f, n in zip(programs, repeats, strict=True)]
        for _ in range(config.rounds)
    ]
    return np.asarray(rounds).T


def _seconds(f: Callable, arguments: tuple, repeats: int) -> float:
    start = time.perf_counter()
    for _ in range(repeats):
        jax.block_until_ready(f(*arguments))
    return (time.perf_counter() - start) / repeats


def flop_ratios(result: Result) -> np.ndarray:
    """Computes operations, backward over forward, `[jax.grad or by hand, networks]`."""
    return result["flops"][1:] / result["flops"][0] - 1


def time_ratios(result: Result) -> np.ndarray:
    """Computes the same for times, `[jax.grad or by hand, batches, networks, rounds]`."""
    return result["seconds"][1:] / result["seconds"][0] - 1


def table(result: Result) -> str:
    flops, times = flop_ratios(result), time_ratios(result)
    head = ["network", "layers", "products", "operations", "by hand"]
    for batch in result["batches"]:
        head += [f"time, batch {batch}", "by hand"]
    rows = []
    for i, name in enumerate(result["networks"]):
        row = [name, result["layers"][i], f"{result['products_ratio'][i]:.3f}"]
        row += [f"{ratio:.3f}" for ratio in flops[:, i]]
        row += [_quartiles(times[by, b, i]) for b in range(times.shape[1]) for by in (0, 1)]
        rows.append(row)
    rounds = times.shape[-1]
    return (
        f"cost of the backward pass over the forward pass; times: median and quartiles of "
        f"{rounds} rounds:\n" + markdown(head, rows)
    )


def _quartiles(values: np.ndarray) -> str:
    low, middle, high = np.percentile(values, [25, 50, 75])
    return f"{middle:.2f} [{low:.2f}, {high:.2f}]"


def plot(result: Result) -> Figure:
    canvas, axes = plots.figure(1, 2, size=(5.6, 4.4))
    names = result["networks"]
    place = np.arange(len(names))
    style = plots.styles()
    for values, label in (
        (result["products_ratio"], "products, from the shapes"),
        (flop_ratios(result)[0], "all operations, jax.grad"),
        (flop_ratios(result)[1], "all operations, by hand"),
    ):
        look = next(style) | {"linestyle": "none", "markersize": 6}
        offset = {"o": -0.15, "s": 0.0, "^": 0.15}[look["marker"]]
        axes[0, 0].plot(place + offset, values, label=label, **look)
    axes[0, 0].set(title="operations", ylabel="backward / forward")
    _draw_times(axes[0, 1], result, place)
    for panel, corner in zip(axes[0], ("lower right", "upper left"), strict=True):
        plots.level(panel, 2, "rule of thumb", {"color": "black", "linestyle": "--"})
        panel.set_xticks(place, names, rotation=35, ha="right")
        panel.set(ylim=(0, None), xlabel="network")
        panel.legend(fontsize="x-small", loc=corner)
    return canvas


def _draw_times(axes: Axes, result: Result, place: np.ndarray) -> None:
    """Medians with quartiles; filled by `jax.grad`, hollow by hand."""
    times = time_ratios(result)
    shown = len(result["batches"])
    for b, (batch, look) in enumerate(zip(result["batches"], plots.styles(), strict=False)):
        for by, name in enumerate(("jax.grad", "by hand")):
            low, middle, high = np.percentile(times[by, b], [25, 50, 75], axis=-1)
            axes.errorbar(
                place + 0.7 * ((2 * b + by + 0.5) / (2 * shown) - 0.5),
                middle,
                [middle - low, high - middle],
                label=f"batch {batch}, {name}",
                linestyle="none",
                color=look["color"],
                marker=look["marker"],
                markersize=5,
                markerfacecolor="white" if by else look["color"],
                elinewidth=1,
            )
    rounds = times.shape[-1]
    axes.set(title=f"time (median, quartiles of {rounds} rounds)", ylabel="backward / forward")


def _deep(result: Result) -> dict[str, int]:
    """The networks that the claims are about, and where they are in the result."""
    return {
        str(name): i for i, name in enumerate(result["networks"]) if result["layers"][i] >= DEEP
    }


def _twice_the_operations(result: Result) -> dict[str, Sample]:
    ratios = flop_ratios(result)
    return {name: Sample(ratios[:, i]) for name, i in _deep(result).items()}


def _twice_the_time(batch: int) -> Callable[[Result], dict[str, Sample]]:
    def measure(result: Result) -> dict[str, Sample]:
        if batch not in result["batches"]:
            raise NotMeasured(f"needs batches of {batch}")
        by_grad = time_ratios(result)[0, list(result["batches"]).index(batch)]
        with np.errstate(invalid="ignore", divide="ignore"):
            logs = np.log(by_grad)  # NaN where the gradient took less time than the loss alone
        return {name: Sample(logs[i]) for name, i in _deep(result).items()}

    return measure


CLAIMS = {
    "twice_the_operations": _twice_the_operations,
    "twice_the_time_1": _twice_the_time(1),
    "twice_the_time_64": _twice_the_time(64),
    "twice_the_time_512": _twice_the_time(512),
}
