"""Rosenblatt's perceptron on MNIST's zeros and ones, and its convergence bound (rows A2, A3; L2).

Claims: the algorithm converges to zero training error in about ten epochs, with a test error of
0.1 to 0.2 %; it makes at most 4 R^2 / gamma^2 updates, and scaling the data leaves that unchanged.

Command: `make perceptron_mnist`, one minute on 2 cores; it needs MNIST (without it, scikit-learn's
digits are used and the claims about MNIST are not judged). What counts:
`experiments/claims/perceptron_mnist/`. Protocol: "0" is the negative class, pixels as stored (0 to
255) with a constant component of 1, others are in its multiverse; first in the order of the files,
as the lecture's program visits them, then in 32 random orders. The bound takes its separator from
the hard margin, on MNIST and on 32 random separable sets. Expect 13 epochs in the order of the
files, 16 in random ones.

The lecture's printed counts are one run of a program without chance, on data of which it gives
neither order nor scaling: none of 420 scalings, orders and biases gives them, and only pixels in
-1 to 1 or standardised ones start near 64. So they cannot be compared.
"""

from collections.abc import Callable
from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from matplotlib.figure import Figure

from jaxnets import classical, plots
from jaxnets.claims import Sample

from ..lab.claims import Result, interval, markdown
from ..lab.judging import require_mnist
from ..shared.image_data import mnist_or_digits

LECTURE = {
    "changes": (64, 24, 10, 6, 5, 4, 3, 2, 0),
    "train": (0.23, 0.07, 0.06, 0.03, 0.03, 0.02, 0.01, 0.00, 0.00),
    "test": (0.19, 0.00, 0.05, 0.14, 0.09, 0.14, 0.14, 0.14, 0.14),
}


PIXELS: dict[str, Callable[[np.ndarray], tuple[float, float]]] = {
    "0 to 255": lambda train: (0.0, 1.0),
    "0 to 1": lambda train: (0.0, 255.0),
    "-1 to 1": lambda train: (127.5, 127.5),
    "standardised": lambda train: (float(train.mean()), float(train.std())),
}
"""What is subtracted from pixels of 0 to 255, and what they are then divided by."""
BIAS = {"a constant of 1": 1.0, "none": 0.0}
"""The constant component."""


@dataclass(frozen=True)
class Config:
    pixels: str = "0 to 255"
    bias: str = "a constant of 1"
    orders: int = 32
    max_epochs: int = 50
    sets: int = 32
    data: str = "mnist"
    seed: int = 1


SMOKE = Config(orders=3, sets=3, data="digits")


def run(config: Config, key: Array) -> Result:
    train, test, name = _zeros_and_ones(config.data, config.pixels)
    constant = BIAS[config.bias]
    tested = {"max_epochs": config.max_epochs, "x_test": test["x"], "y_test": test["y"]}
    tested |= {"constant": constant}
    params, history = classical.perceptron(**train, **tested)
    rows = int(history["epochs"])
    orders = []
    for order_key in jax.random.split(key, config.orders):
        order = jax.random.permutation(order_key, len(train["y"]))
        orders.append(classical.perceptron(train["x"][order], train["y"][order], **tested)[1])
    margin = classical.max_margin(**(train if constant else _mirrored(**train)))
    bound = classical.perceptron_bound(**train, separator=margin, constant=constant)
    return {
        "data": np.asarray(name),
        "changes": np.asarray(history["changes"])[:rows],
        "train_error": np.asarray(history["train_error"])[:rows],
        "test_error": np.asarray(history["test_error"])[:rows],
        "order_epochs": np.asarray([int(h["epochs"]) for h in orders]),
        "order_train_error": np.asarray([h["train_error"][-1] for h in orders]),
        "order_test_error": np.asarray([h["test_error"][-1] for h in orders]),
        "weights": np.asarray(params["w"]),
        "updates": np.asarray([history["updates"], *(h["updates"] for h in orders)]),
        "bound": np.asarray(bound["bound"]),
    } | _random_sets(config, key)


def _zeros_and_ones(name: str, pixels: str) -> tuple[dict[str, Array], dict[str, Array], str]:
    """Training and test samples of both classes in the order of the files."""
    data, name = mnist_or_digits(name, valid=0)

    def pair(part: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        chosen = part["y"] < 2
        return {"x": np.rint(255.0 * part["x"][chosen]), "y": part["y"][chosen]}

    train, test = pair(data.train), pair(data.test)
    shift, size = PIXELS[pixels](train["x"])

    def scaled(part: dict[str, np.ndarray]) -> dict[str, Array]:
        x = (part["x"] - shift) / size
        return {"x": jnp.asarray(x, float), "y": jnp.asarray(part["y"])}

    return scaled(train), scaled(test), name


def _mirrored(x: Array, y: Array) -> dict[str, Array]:
    """Samples with their mirror images of the other class, whose widest margin is at the origin."""
    return {"x": jnp.concatenate([x, -x]), "y": jnp.concatenate([y, 1 - y])}


def _random_sets(config: Config, key: Array) -> Result:
    """Updates, bound, and the bound of a set ten times as large, on random separable sets."""
    updates, bounds, scaled = [], [], []
    for set_key in jax.random.split(jax.random.fold_in(key, 1), config.sets):
        x_key, w_key = jax.random.split(set_key)
        x = jax.random.normal(x_key, (200, 5))
        w = jax.random.normal(w_key, (5,))
        side = x @ w
        x += 0.1 * jnp.outer(jnp.sign(side), w / jnp.linalg.norm(w))
        y = (side > 0).astype(jnp.int32)
        _, history = classical.perceptron(x, y, max_epochs=1000)
        updates.append(int(history["updates"]))
        separator = classical.max_margin(x, y)
        bounds.append(classical.perceptron_bound(x, y, separator)["bound"])
        larger = {"w": separator["w"], "b": separator["b"] * 10}
        scaled.append(classical.perceptron_bound(10 * x, y, larger, constant=10.0)["bound"])
    columns = {"set_updates": updates, "set_bounds": bounds, "set_bounds_scaled": scaled}
    return {name: np.asarray(column, float) for name, column in columns.items()}


def table(result: Result) -> str:
    rows = []
    for i, (changes, train, test) in enumerate(
        zip(result["changes"], result["train_error"], result["test_error"], strict=True)
    ):
        lecture = [column[i] if i < len(column) else "-" for column in LECTURE.values()]
        rows.append([i, changes, f"{100 * train:.2f}", f"{100 * test:.2f}", *lecture])
    head = ["epoch", "changes", "train error [%]", "test error [%]"]
    epochs, test = interval(result["order_epochs"]), interval(result["order_test_error"])
    return (
        f"{result['data']}, in the order of the files:\n"
        f"{markdown([*head, 'lecture: changes', 'train', 'test'], rows)}\n\n"
        f"{len(result['order_epochs'])} random orders: {epochs.decimals(1)} epochs, "
        f"test error {test.percent()}"
    )


def plot(result: Result) -> Figure:
    canvas, axes = plots.figure(1, 3, size=(4.2, 3.4))
    style = plots.styles()
    epochs = np.arange(len(result["changes"]))
    axes[0, 0].plot(epochs, result["changes"], label="ours", **next(style))
    lecture = LECTURE["changes"]
    axes[0, 0].plot(np.arange(len(lecture)), lecture, label="lecture", **next(style))
    axes[0, 0].set(xlabel="epoch", ylabel="updates", title=f"{result['data']}: 0 against 1")
    axes[0, 0].legend()
    side = int(np.sqrt(len(result["weights"])))
    limit = np.abs(result["weights"]).max()
    image = axes[0, 1].imshow(
        result["weights"].reshape(side, side), cmap="cividis", vmin=-limit, vmax=limit
    )
    axes[0, 1].set(title="learned weights", xticks=[], yticks=[])
    canvas.colorbar(image, ax=axes[0, 1], label="weight")
    axes[0, 2].scatter(result["set_bounds"], result["set_updates"], label="random sets", s=14)
    axes[0, 2].scatter(
        [result["bound"]], [result["updates"][0]], marker="^", color=plots.COLOURS[1],
        label=str(result["data"]),
    )  # fmt: skip
    ends = np.asarray([1, max(result["set_bounds"].max(), result["bound"])])
    axes[0, 2].plot(ends, ends, color="black", linestyle="--", label="bound")
    axes[0, 2].set(xscale="log", yscale="log", xlabel="$4 R^2 / \\gamma^2$", ylabel="updates")
    axes[0, 2].legend(fontsize="small")
    return canvas


def _converges(result: Result) -> dict[str, Sample]:
    require_mnist(result)
    return {
        "no training error": Sample(result["order_train_error"] == 0),
        "epochs": Sample(np.log(result["order_epochs"])),
        "test error": Sample(100 * result["order_test_error"]),
    }


def _printed_trace(result: Result) -> Sample:
    require_mnist(result)
    ours, lecture = result["changes"], LECTURE["changes"]
    difference = np.zeros(max(len(ours), len(lecture)))
    difference[: len(ours)] += ours
    difference[: len(lecture)] -= lecture
    return Sample(difference)


def _bound_holds(result: Result) -> dict[str, Sample]:
    return {
        "random sets": Sample(_excess(result["set_updates"], result["set_bounds"])),
        "zeros and ones": Sample(_excess(result["updates"], result["bound"])),
    }


def _excess(updates: np.ndarray, bound: np.ndarray) -> np.ndarray:
    """By how much more than the bound, as a share of it; NaN for a bound that is not finite."""
    return np.where(np.isfinite(bound), np.maximum(updates / bound - 1, 0), np.nan)


def _scale_free(result: Result) -> Sample:
    return Sample(result["set_bounds_scaled"] / result["set_bounds"])


CLAIMS = {
    "converges": _converges,
    "printed_trace": _printed_trace,
    "bound_holds": _bound_holds,
    "scale_free": _scale_free,
}
