"""A neural network in fewer than 20 lines, from random weights to the last epoch (row F13; L3).

Claim: "neural net in <20 lines!": 784-256-10, ReLU, cross entropy, SGD at rate 0.1, 10 epochs. The
slides leave the loop over epochs and batches to a function they do not show, and give no result;
the book they follow uses Fashion-MNIST in batches of 256.

Command: `make twenty_lines`, one to two minutes on 2 cores. Protocol: `outputs` and `train` below
are the complete program, loop included, and what is run; their lines with code are counted, without
docstrings, blank lines and comments. Fashion-MNIST if its files are found, else MNIST, else
scikit-learn's digits, where the second claim is not judged. All training images, pixels in 0..1.
A linear classifier, trained by the library in the same way, shows what the hidden layer adds. What
counts: `experiments/claims/twenty_lines/`. Expect 19 lines, 95.0 % on MNIST after 10 epochs, and
91.7 % by the linear classifier.
"""

import ast
import inspect
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax import Array, lax
from matplotlib.figure import Figure

import jaxnets as jn
from jaxnets import plots, themes
from jaxnets.analysis import evaluate
from jaxnets.claims import Sample
from jaxnets.data import Dataset, images, load, prepared, registry
from jaxnets.parallel.rows import parallel_map

from ..lab.claims import Result, interval, markdown
from ..lab.judging import NotMeasured
from ..shared.image_data import mnist_or_digits

FASHION = "fashion_mnist"
LIMIT = 20


@dataclass(frozen=True)
class Config:
    hidden: int = 256
    rate: float = 0.1
    epochs: int = 10
    batch_size: int = 256
    seeds: int = 8
    data: str = "mnist"
    """With "mnist", Fashion-MNIST takes precedence."""
    seed: int = 1


MULTIVERSE = Config(seeds=3)
SMOKE = Config(hidden=16, epochs=2, batch_size=64, seeds=2, data="digits")


def outputs(params, x):
    """Computes the outputs `[batch, 10]` of samples `[batch, features]`."""
    W1, b1, W2, b2 = params
    return jax.nn.relu(x @ W1 + b1[None]) @ W2 + b2[None]


def train(config, key, x, y):
    """Trains by SGD on the cross entropy, from small random weights: params after each epoch."""
    keys = jax.random.split(key, config.epochs + 2)
    W1 = 0.01 * jax.random.normal(keys[0], (x.shape[1], config.hidden))
    W2 = 0.01 * jax.random.normal(keys[1], (config.hidden, 10))
    params = [W1, jnp.zeros(config.hidden), W2, jnp.zeros(10)]

    def loss(params, x, y):
        return -jnp.take_along_axis(jax.nn.log_softmax(outputs(params, x)), y[:, None], 1).mean()

    def step(params, rows):
        grads = jax.grad(loss)(params, x[rows], y[rows])
        return [p - config.rate * g for p, g in zip(params, grads, strict=True)], None

    def epoch(params, key):
        used = len(x) - len(x) % config.batch_size
        rows = jax.random.permutation(key, len(x))[:used].reshape(-1, config.batch_size)
        params, _ = lax.scan(step, params, rows)
        return params, params

    return lax.scan(epoch, params, keys[2:])[1]


def code(*functions: Callable) -> list[str]:
    """Returns the lines of some functions, without docstrings, blank lines and comments."""
    found: list[str] = []
    for function in functions:
        source = inspect.getsource(function)
        documented = [
            range(node.body[0].lineno, node.body[0].end_lineno + 1)
            for node in ast.walk(ast.parse(source))
            if isinstance(node, ast.FunctionDef) and ast.get_docstring(node) is not None
        ]
        for number, line in enumerate(source.splitlines(), 1):
            text = line.strip()
            if text and not text.startswith("#") and not any(number in r for r in documented):
                found.append(line)
    return found


def run(config: Config, key: Array, checkpoints: jn.CheckpointConfig | None = None) -> Result:
    data, name = _images(config.data)
    keys = jax.random.split(key, config.seeds)
    print(f"{config.hidden} hidden units on {name}", flush=True)
    network, right = parallel_map(partial(_results, config), {"key": keys}, data, group=1)
    print("a linear classifier", flush=True)
    linear = jn.TrainSpec(
        jn.MLP((), 10), "softmax_cross_entropy", config.epochs, config.batch_size, optax.sgd
    )
    states, history = jn.sweep(
        linear, keys, data, {"learning_rate": config.rate}, checkpoints=checkpoints
    )
    test = data.valid
    predicted = evaluate.all_predictions(linear.model, linear.loss, states.params, test["x"])
    return {
        "data": np.asarray(name),
        "code": np.asarray(code(outputs, train)),
        "network": np.asarray(network),
        "linear": np.asarray(history["valid_accuracy"]),
        "right_network": np.asarray(right),
        "right_linear": predicted == test["y"],
    }


def _images(name: str) -> tuple[Dataset, str]:
    """Training images, test images to evaluate on after each epoch, and the set's name."""
    if name == "mnist" and _is_available(FASHION):
        data, name = load(FASHION, valid=0), FASHION
    else:
        data, name = mnist_or_digits(name, valid=0)
    return Dataset(data.train, valid=data.test), name


def _is_available(name: str) -> bool:
    return prepared.is_prepared(name) or len(images.find(name)) == len(registry.FILES[name])


def _results(config: Config, row: dict[str, Array], data: Dataset) -> tuple[Array, Array]:
    """The accuracy on the test images after each epoch, `[epochs]`, and those right at the end."""
    after = train(config, row["key"], data.train["x"], data.train["y"])
    test = data.valid
    right = lax.map(lambda params: outputs(params, test["x"]).argmax(1) == test["y"], after)
    return right.mean(1), right[-1]


CONTENDERS = {"network": "the program", "linear": "linear classifier"}


def table(result: Result) -> str:
    epochs = result["network"].shape[1]
    rows = [
        [label, *(interval(result[name][:, i]).percent() for i in (0, epochs - 1))]
        for name, label in CONTENDERS.items()
    ]
    head = [f"test accuracy on {result['data']}", "1 epoch", f"{epochs} epochs"]
    return f"{len(result['code'])} lines, {_seeds(result)}:\n{markdown(head, rows)}"


def plot(result: Result) -> Figure:
    canvas, axes = plots.figure(1, 2, size=(7.2, 3.8))
    listing = [f"{i:2}  {line}" for i, line in enumerate(result["code"], 1)]
    style = {
        "family": "monospace",
        "size": 8.2 * themes.active().scale,
        "va": "top",
        "linespacing": 1.35,
    }
    axes[0, 0].text(0, 1, "\n".join(listing), **style)
    axes[0, 0].set_axis_off()
    axes[0, 0].set_title(f"the program, {len(listing)} lines", loc="left")
    epochs = np.arange(1, result["network"].shape[1] + 1)
    for (name, label), look in zip(CONTENDERS.items(), plots.styles(), strict=False):
        plots.spread(axes[0, 1], epochs, 100 * result[name], f"{label} (± 1 std)", look)
    axes[0, 1].set(xlabel="epoch", ylabel=f"test accuracy on {result['data']} [%]", xticks=epochs)
    axes[0, 1].legend()
    return canvas


def _seeds(result: Result) -> str:
    return f"{len(result['network'])} seeds"


def _few_lines(result: Result) -> dict[str, Sample]:
    return {
        "lines too many": Sample([float(max(len(result["code"]) - (LIMIT - 1), 0))]),
        "accuracy": Sample(100.0 * result["network"][:, -1]),
    }


def _beats_linear(result: Result) -> Sample:
    if result["data"] not in ("mnist", FASHION):
        raise NotMeasured("needs MNIST or Fashion-MNIST")
    network, linear = (100.0 * result[f"right_{name}"] for name in CONTENDERS)
    return Sample(network, linear)


CLAIMS = {"few_lines": _few_lines, "beats_linear": _beats_linear}
