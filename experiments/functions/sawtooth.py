"""Few oscillations against many, and depth against width (rows G6, G15; L0, L1).

Claims: "functions with few oscillations do not approximate well functions that have many", and
networks with few layers have few (L0); depth improves the generalisation error, "and depth is
better than width" (L1, a figure without numbers).

Command: `make sawtooth`, a minute on 2 cores. Protocol: a function with k teeth has 2k pieces; the
best that any 2k pieces, joined or not, can do against 2k teeth is computed exactly, by dynamic
programming over all divisions, for the largest and for the squared error. A ReLU layer of 2k - 1
units, which has no more pieces, is fitted by L-BFGS from several starts; a deep one that folds the
interval has all the teeth with two units a layer. Depth: tanh networks on a checkerboard, one layer
of 16 units against two layers of 16 and against one layer with as many weights; each seed draws
everything again, and trains by 400 steps of full-batch L-BFGS. The first protocol of the depth had
3,200 steps of Adam on mini-batches, with which one layer stayed at chance, so that nothing could be
judged; other seeds are used now. Margins are in `experiments/claims/sawtooth`.

Expect half of the oscillations to leave half of the variance at best, and 80 % when trained. What
depth is worth depends on the training: L-BFGS makes one wide layer the best of the networks (94 %,
6 to 8 points ahead of deep ones, whose gradient is still 0.03 where it stops), and with Adam,
which may be chosen instead for 12,800 mini-batches, the deep ones are ahead by more.
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
from jaxnets.claims import Sample
from jaxnets.converge import minimise
from jaxnets.data import Dataset
from jaxnets.data.toy import Points, checkerboard
from jaxnets.training.optimizers import adam_cosine

from ..lab.claims import Result, interval, markdown
from ..lab.judging import Measured
from ..shared.best import best
from . import zigzags

NETWORKS = {"1 x 16": (16,), "1 x 84": (84,), "2 x 16": (16, 16), "3 x 11": (11, 11, 11)}
WEIGHTS = (65, 337, 337, 309)
MINI_BATCHES, BATCH, LEARNING_RATE = 32, 32, 0.03
"""Of Adam."""
MUCH = 0.3
"""A least squared error of this share of the variance, or more, does not approximate well."""
GRID = 129
"""Points of the interval; teeth begin at some of them."""


@dataclass(frozen=True)
class Config:
    seeds: int = 32
    teeth: tuple[int, ...] = (1, 2, 4)
    starts: int = 8
    fitted: int = 300
    samples: int = 512
    cells: int = 4
    l2: float = 1e-5
    trained: int = 400
    """Steps of L-BFGS; Adam takes `MINI_BATCHES` for each."""
    optimiser: str = "L-BFGS"
    """Of the networks on the board: `L-BFGS`, on all samples, or `Adam`, on mini-batches."""
    seed: int = 2


MULTIVERSE = Config(teeth=(1,), starts=2)
SMOKE = Config(seeds=3, teeth=(1,), starts=2, fitted=20, samples=64, trained=20)


def run(config: Config, key: Array) -> Result:
    fit_key, depth_key = jax.random.split(key)
    x = np.linspace(0, 1, GRID)
    keys = jax.random.split(depth_key, config.seeds)
    accuracies, norms = (
        np.stack(found, axis=1)
        for found in zip(
            *(jax.vmap(partial(generalise, config, jn.MLP(w)))(keys) for w in NETWORKS.values()),
            strict=True,
        )
    )
    fits, errors = [], []
    for teeth, teeth_key in zip(
        config.teeth, jax.random.split(fit_key, len(config.teeth)), strict=True
    ):
        outputs = fit(config, teeth, teeth_key, x)
        wrong = np.mean((outputs - zigzags.sawtooth(2 * teeth, x)) ** 2, axis=-1)
        errors.append(np.nan_to_num(wrong, nan=np.inf).min(axis=1))
        fits.append(outputs[0, best(-wrong[0])])
    return {
        "teeth": np.asarray(config.teeth),
        "optimiser": np.asarray(config.optimiser),
        "accuracies": accuracies,
        "gradient_norms": norms,
        "fits": np.stack(fits),
        "fitted": np.stack(errors, axis=1) / _variances(config.teeth, x),
    } | _limits(config.teeth, x)


def _limits(teeth: tuple[int, ...], x: np.ndarray) -> Result:
    """What half of the oscillations can do at best, and the error of a deep network as written.

    `uniform` is in errors of the best constant, `squared` in variances.
    """
    uniform, squared, written = [], [], []
    for k in teeth:
        ends = np.linspace(0, 1, 4 * k + 1)
        at_ends = zigzags.sawtooth(2 * k, ends)
        constant = np.ptp(at_ends) / 2
        uniform.append(zigzags.least_uniform(ends, at_ends, 2 * k) / constant)
        squared.append(zigzags.least_squares(x, zigzags.sawtooth(2 * k, x), 2 * k))
        layers = int(np.log2(k)) + 2
        folded = zigzags.folded(layers, x) - zigzags.sawtooth(2 ** (layers - 1), x)
        written.append(np.abs(folded).max())
    limits = {"uniform": uniform, "written": written}
    found = {name: np.asarray(values) for name, values in limits.items()}
    return found | {"squared": np.asarray(squared) / _variances(teeth, x)}


def _variances(teeth: tuple[int, ...], x: np.ndarray) -> np.ndarray:
    return np.asarray([zigzags.sawtooth(2 * k, x).var() for k in teeth])


def fit(config: Config, teeth: int, key: Array, x: np.ndarray) -> np.ndarray:
    """Fits one ReLU layer with at most 2 teeth pieces to twice the teeth.

    Returns:
        The outputs of each start, `[seeds, starts, len(x)]`.
    """
    model = jn.MLP((2 * teeth - 1,), activation="relu")
    points = jnp.asarray(x)[:, None]
    target = jnp.asarray(zigzags.sawtooth(2 * teeth, x))

    def loss(params: Array) -> Array:
        return jnp.mean((model.apply(params, points)[:, 0] - target) ** 2)

    def search(key: Array) -> Array:
        weight_key, kink_key = jax.random.split(key)
        params = model.init(weight_key, points)
        hidden = params["params"]["hidden_0"]
        # A kink anywhere in the interval, instead of all at 0.
        kinks = jax.random.uniform(kink_key, hidden["bias"].shape)
        hidden["bias"] = -hidden["weight"][:, 0] * kinks
        return model.apply(minimise(loss, params, steps=config.fitted).params, points)[:, 0]

    keys = jax.random.split(key, (config.seeds, config.starts))
    return np.asarray(jax.vmap(jax.vmap(search))(keys), np.float64)


def generalise(config: Config, model: jn.MLP, key: Array) -> tuple[Array, Array]:
    """Trains on a new checkerboard; the accuracy on 4,096 other points, and the gradient's norm."""
    train_key, test_key, init_key = jax.random.split(key, 3)
    train = checkerboard(train_key, config.samples, cells=config.cells)
    test = checkerboard(test_key, 4096, cells=config.cells)
    objective = jn.Objective(model, "binary_cross_entropy", l2=config.l2)
    params, norm = OPTIMISERS[config.optimiser](config, objective, init_key, train)
    right = (model.apply(params, test["x"])[:, 0] >= 0) == (test["y"] == 1)
    return jnp.mean(right), norm


def _by_lbfgs(
    config: Config, objective: jn.Objective, key: Array, train: Points
) -> tuple[Any, Array]:
    start = objective.model.init(key, train["x"][:1])
    found = minimise(lambda p, part: objective(p, part)[0], start, train, steps=config.trained)
    return found.params, found.gradient_norm


def _by_adam(
    config: Config, objective: jn.Objective, key: Array, train: Points
) -> tuple[Any, Array]:
    """At a rate that falls to zero, in whole epochs."""
    each = -(-config.samples // BATCH)
    epochs = -(-MINI_BATCHES * config.trained // each)
    optimiser = adam_cosine(epochs * each)
    spec = jn.TrainSpec(
        objective.model, objective.loss, epochs, BATCH, optimiser, record_every=epochs
    )
    hparams = {"learning_rate": LEARNING_RATE, "l2": objective.l2}
    params = jn.train(spec, key, Dataset(train), hparams)[0].params
    return params, optax.tree.norm(jax.grad(lambda p: objective(p, train)[0])(params))


OPTIMISERS = {"L-BFGS": _by_lbfgs, "Adam": _by_adam}


def table(result: Result) -> str:
    """Formats errors against twice the teeth by pieces, and accuracies by network."""
    rows = []
    for i, k in enumerate(result["teeth"]):
        least = f"largest {result['uniform'][i]:.3g} of a constant's, "
        least += f"squared {100 * result['squared'][i]:.1f} %"
        rows.append([f"{k} against {2 * k} teeth: least error", least])
        rows.append(
            [f"{k} against {2 * k} teeth: trained", interval(result["fitted"][:, i]).percent()]
        )
    for name, accuracies in zip(NETWORKS, result["accuracies"].T, strict=True):
        rows.append([f"{name} on the board: accuracy", interval(accuracies).percent()])
    return markdown(["what", "measured"], rows)


def plot(result: Result) -> Figure:
    canvas, axes = plots.figure(1, 3, size=(4.6, 3.7))
    _draw_fit(axes[0, 0], result)
    _draw_errors(axes[0, 1], result)
    _draw_depth(axes[0, 2], result)
    return canvas


def _draw_fit(axes: Axes, result: Result) -> None:
    k, x = int(result["teeth"][-1]), np.linspace(0, 1, GRID)
    axes.plot(x, zigzags.sawtooth(2 * k, x), color="0.7", label=f"{2 * k} teeth")
    style = next(plots.styles()) | {"marker": ""}
    axes.plot(x, result["fits"][-1], label=f"best layer of {2 * k - 1} ReLUs", **style)
    axes.set(xlabel="x", title="few pieces against many", ylim=(-0.1, 1.35))
    axes.legend(fontsize="small", loc="upper right", ncols=2)


def _draw_errors(axes: Axes, result: Result) -> None:
    first, second, third = (style for style, _ in zip(plots.styles(), range(3), strict=False))
    teeth = result["teeth"]
    plots.spread(axes, teeth, 100 * result["fitted"], "one ReLU layer, trained (± 1 std)", first)
    axes.plot(teeth, 100 * result["squared"], label="least error of 2k pieces", **second)
    axes.plot(teeth, 100 * result["written"], label="deep network as written", **third)
    axes.set_xticks(teeth, [str(k) for k in teeth])
    axes.set(xlabel="k, of functions fitted to 2k teeth", ylim=(-5, 130))
    axes.set(ylabel="squared error [% of the variance]", title="half of the oscillations")
    axes.legend(fontsize="small", loc="upper right")


def _draw_depth(axes: Axes, result: Result) -> None:
    accuracies = 100 * result["accuracies"]
    places = np.arange(len(NETWORKS))
    means, stds = accuracies.mean(axis=0), accuracies.std(axis=0, ddof=1)
    axes.errorbar(places, means, stds, **next(plots.styles()) | {"linestyle": "", "capsize": 4})
    labels = [f"{name}\n{n} weights" for name, n in zip(NETWORKS, WEIGHTS, strict=True)]
    axes.set_xticks(places, labels, fontsize="small")
    axes.set(ylabel="held-out accuracy [%]", title="a checkerboard (± 1 std over seeds)")


def _few_against_many(result: Result) -> Measured:
    squared, fitted = result["squared"], result["fitted"]
    samples = {
        "largest error": Sample(result["uniform"]),
        "below the least": Sample(np.maximum(squared - fitted, 0)),
        "all oscillations": Sample(result["written"]),
        "least squared error": Sample(np.maximum(MUCH - squared, 0)),
    }
    least = ", ".join(f"{100 * value:.0f}" for value in squared)
    return Measured(samples, f"the least squared errors are {least} % of the variance")


def _depth_beats_width(result: Result) -> Measured:
    small, wide, two, three = 100 * result["accuracies"].T
    samples = {
        "two layers, same width": Sample(two, small),
        "two layers, same weights": Sample(two, wide),
        "three layers, as many weights": Sample(three, wide),
    }
    norms = ", ".join(f"{norm:.0e}" for norm in np.median(result["gradient_norms"], axis=0))
    return Measured(samples, f"{result['optimiser']}; median norms of the gradient {norms}")


CLAIMS = {"few_against_many": _few_against_many, "depth_beats_width": _depth_beats_width}
