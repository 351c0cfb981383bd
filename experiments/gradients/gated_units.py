"""Gated units against vanishing gradients, beside plain and residual layers (row G9; L0).

Claim: that gradients vanish in deep networks "can be mitigated by [...] relying on gated or
resnet-type architectures". The lecture gives no numbers; `vanishing_gradients` has its other
remedies.

Command: `make gated_units`, a few minutes on one core. Protocol: sigmoid networks of 4 and 16
layers of 16 units on scikit-learn's digits, standardised: plain, highway (Srivastava et al., 2015,
gates that start at a bias of -2) and residual. Before training, the norm of the gradient by the
weights of every layer. Then gradient descent with momentum on mini-batches, for each network and
depth the best of several rates by validation accuracy. A seed draws the weights and the order of
the samples; the digits are divided once, so that the intervals are about these test digits. What
counts is in `experiments/claims/gated_units`.

Expect the first of 16 plain layers to have a gradient 10 orders of magnitude below that of the
last, and at most one with gates or a bypass. After 4 epochs networks with a bypass have learnt and
those with gates hardly. Of tanh layers with these initial weights the gradient does not vanish.
"""

from dataclasses import dataclass
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax import Array
from matplotlib.axes import Axes
from matplotlib.figure import Figure

import jaxnets as jn
from jaxnets import plots
from jaxnets.analysis import evaluate
from jaxnets.claims import Sample
from jaxnets.data import Dataset
from jaxnets.models import Highway
from jaxnets.storage.checkpoints import CheckpointConfig

from ..lab.claims import Result, interval, markdown
from ..lab.judging import NotMeasured
from ..shared.best import best
from .deep_networks import CLASSES, LOSS, load_standardised

KINDS = ("plain", "highway", "residual")
DEEPEST = 16
SAMPLES, BATCH = 1024, 256
"""Digits to train on, and those whose gradient is looked at before."""
LEAST = 1e-300
LEARNT = 0.5
"""The test accuracy below which a network has not learnt the digits."""


@dataclass(frozen=True)
class Config:
    seeds: int = 32
    depths: tuple[int, ...] = (4, 16)
    width: int = 16
    activation: str = "sigmoid"
    gate_bias: float = 2.0
    """Minus the bias with which the gates start."""
    epochs: int = 4
    batch_size: int = 32
    rates: tuple[float, ...] = (0.01, 0.05)
    seed: int = 1


MULTIVERSE = Config(seeds=8, depths=(DEEPEST,))
SMOKE = Config(seeds=2, depths=(3,), width=8, epochs=1, batch_size=256, rates=(0.05,))


def run(config: Config, key: Array, checkpoints: CheckpointConfig | None = None) -> Result:
    data = load_standardised("digits", SAMPLES)
    keys = jax.random.split(key, config.seeds)
    norms, accuracies = [], []
    for depth in config.depths:
        models = [network(config, kind, depth) for kind in KINDS]
        batch = {name: values[:BATCH] for name, values in data.train.items()}
        found = [jax.jit(jax.vmap(partial(gradient_norms, m, batch)))(keys) for m in models]
        norms.append(np.pad(np.stack(found, axis=1), _after(config, depth)))
        trained = [_accuracies(config, model, keys, data, checkpoints) for model in models]
        accuracies.append(np.stack(trained, axis=1))
        print(f"{depth} layers: {np.round(100 * accuracies[-1].mean(axis=0))} %", flush=True)
    return {
        "depths": np.asarray(config.depths),
        "activation": np.asarray(config.activation),
        "norms": np.stack(norms, axis=2),
        "accuracies": np.stack(accuracies, axis=2),
    }


def _after(config: Config, depth: int) -> list[tuple[int, int]]:
    return [(0, 0), (0, 0), (0, max(config.depths) - depth)]


def network(config: Config, kind: str, depth: int) -> Any:
    """Builds a network with `depth` square layers above a first one."""
    widths = (config.width,) * (depth + 1)
    if kind == "highway":
        return Highway(config.width, depth, CLASSES, config.activation, -config.gate_bias)
    model = jn.ResidualMLP if kind == "residual" else jn.MLP
    return model(widths, CLASSES, config.activation)


def gradient_norms(model: Any, batch: dict[str, Array], key: Array) -> Array:
    """Computes the norm of the gradient by each square layer's weights at the start, `[depth]`.

    Of gates, the weights that they let through count, not their own.
    """
    params = model.init(key, batch["x"][:1])
    grads = jax.grad(lambda p: jn.Objective(model, LOSS)(p, batch)[0])(params)["params"]
    if isinstance(model, Highway):
        return jnp.linalg.norm(grads["layers"]["weight"], axis=(1, 2))
    layers = [grads[f"hidden_{i}"]["weight"] for i in range(1, len(model.widths))]
    return jnp.stack([jnp.linalg.norm(layer) for layer in layers])


def _accuracies(
    config: Config, model: Any, keys: Array, data: Dataset, checkpoints: CheckpointConfig | None
) -> np.ndarray:
    """Test accuracies `[seeds]`, of the rate that is best on average on validation data."""
    rows = jnp.concatenate([keys] * len(config.rates))
    rates = np.repeat(config.rates, config.seeds)
    spec = jn.TrainSpec(
        model, LOSS, config.epochs, config.batch_size, partial(optax.sgd, momentum=0.9)
    )
    states, history = jn.sweep(spec, rows, data, {"learning_rate": rates}, checkpoints=checkpoints)
    shape = (len(config.rates), config.seeds)
    chosen = best(history["valid_accuracy"][:, -1].reshape(shape).mean(axis=1))
    return evaluate.accuracies(model, LOSS, states.params, data.test).reshape(shape)[chosen]


def orders(result: Result) -> np.ndarray:
    """Computes log10 of the first layer's gradient over the last's, `[seeds, kinds, depths]`."""
    norms = np.maximum(result["norms"], LEAST)
    last = [norms[:, :, i, depth - 1] for i, depth in enumerate(result["depths"])]
    return np.log10(norms[..., 0] / np.stack(last, axis=2))


def table(result: Result) -> str:
    lost, accuracies = orders(result), result["accuracies"]
    rows = []
    for i, kind in enumerate(KINDS):
        for j, depth in enumerate(result["depths"]):
            ratio = f"{lost[:, i, j].mean():+.2f} ± {lost[:, i, j].std(ddof=1):.2f}"
            rows.append([kind, depth, ratio, interval(accuracies[:, i, j]).percent()])
    head = ["layers", "depth", "first gradient over last, log10", "test accuracy"]
    return markdown(head, rows)


def plot(result: Result) -> Figure:
    canvas, axes = plots.figure(1, 2, size=(5.0, 3.7))
    _draw_norms(axes[0, 0], result)
    _draw_accuracies(axes[0, 1], result)
    return canvas


def _draw_norms(axes: Axes, result: Result) -> None:
    depth = int(result["depths"][-1])
    norms = np.log10(np.maximum(result["norms"][:, :, -1, :depth], LEAST))
    for i, (kind, style) in enumerate(zip(KINDS, plots.styles(), strict=False)):
        look = style | {"markevery": max(1, depth // 8)}
        relative = norms[:, i] - norms[:, i, -1:]
        plots.spread(axes, np.arange(1, depth + 1), relative, f"{kind} (± 1 std)", look)
    axes.set(xlabel=f"layer, of {depth}", ylabel="gradient over that of the last layer, log10")
    axes.set_title(f"{result['activation']}, before training")
    axes.legend(fontsize="small")


def _draw_accuracies(axes: Axes, result: Result) -> None:
    depths = result["depths"]
    for i, (kind, style) in enumerate(zip(KINDS, plots.styles(), strict=False)):
        plots.spread(axes, depths, 100 * result["accuracies"][:, i], f"{kind} (± 1 std)", style)
    axes.set_xticks(depths, [str(depth) for depth in depths])
    axes.set(xlabel="layers", ylabel="test accuracy [%]", ylim=(0, 102), title="after training")
    axes.legend(fontsize="small", loc="lower left")


def _of_kinds(result: Result, values: np.ndarray) -> dict[str, np.ndarray]:
    at = np.flatnonzero(result["depths"] == DEEPEST)
    if not at.size:
        raise NotMeasured(f"needs networks of {DEEPEST} layers")
    return dict(zip(KINDS, values[:, :, at[0]].T, strict=True))


def _gates_keep_gradients(result: Result) -> dict[str, Sample]:
    lost = _of_kinds(result, orders(result))
    return {
        kind: Sample(np.abs(lost["plain"]), np.abs(lost[kind])) for kind in ("highway", "residual")
    }


def _gates_train_deep(result: Result) -> dict[str, Sample]:
    found = _of_kinds(result, 100 * result["accuracies"])
    if max(row.mean() for row in found.values()) < 100 * LEARNT:
        raise NotMeasured("no network has learnt the digits")
    return {kind: Sample(found[kind], found["plain"]) for kind in ("highway", "residual")}


CLAIMS = {"gates_keep_gradients": _gates_keep_gradients, "gates_train_deep": _gates_train_deep}
