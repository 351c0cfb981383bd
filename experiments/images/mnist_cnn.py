"""MNIST by lecture L2's convolutional network: its own SGD, Adam, augmented images (row C4; L2).

Claim: with SGD at rate 1e-2, "training time < 10 s (GPU), error about 1 %". Our goals: at most
0.80 % test error without augmentation and 0.50 % with it. What counts as reached:
`experiments/claims/mnist_cnn/`.

Command: `make mnist_cnn`, 25 minutes on 2 cores, 45 on one; without MNIST it uses scikit-learn's
digits, a smaller network, and no claim is judged. Protocol: all 60,000 training images,
pixels in 0..1; the network of `jaxnets.models.small_cnn` (120,458 parameters), no weight decay:
- the lecture's SGD at 1e-2, of which it gives neither batches nor epochs: batches of 64 ("a few
  tens of samples") for 10 epochs;
- Adam with a rate that falls to zero over 15 epochs, batches of 128, and half of the 256 hidden
  units dropped: the lecture's network plus dropout;
- the same over 30 epochs, every image rotated by up to 10 degrees, resized by up to 10 % and moved
  by up to 2 pixels, at random each time it is seen.
Adam's settings were fixed by runs of one seed on 50,000 images, judged on the other 10,000: 0.89 %
without dropout (12 epochs), 0.81 % with it (15 epochs); with shifts 0.66 %, with shifts and dropout
0.63 % (15 epochs) and 0.61 % (20 epochs), with all augmentations and dropout 0.60 % (20 epochs).
The error is that of the last epoch, for SGD the mean of the last five, as it still jumps by half a
percent from epoch to epoch. It is that of MNIST's own 10,000 test images, as in all published
numbers. The seconds include evaluation on the test images for SGD, and compilation in the first
seed. Expect 1.3 to 2.5 % with SGD, 0.6 to 0.8 % with Adam and 0.45 to 0.57 % with augmented images.

Five keys once gave 0.48 +- 0.01 % on two cores and 0.55 +- 0.02 % on one, which looked like a fault
of the latter. One core and two draw the same images bit for bit, and after 100 steps no weight
differs by more than 1e-4. Other keys have since given 0.54 +- 0.05 % on two cores and 0.50 +- 0.04
% on one: the spread from seed to seed is four times what those ten runs showed, no gap remains
between the cores, and all four means lie within what five seeds of that spread may give.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import jax
import numpy as np
import optax
from jax import Array
from matplotlib.axes import Axes
from matplotlib.figure import Figure

import jaxnets as jn
from jaxnets import plots
from jaxnets.analysis import evaluate
from jaxnets.augment import affine
from jaxnets.claims import Sample
from jaxnets.data import Dataset
from jaxnets.models import CNN, Dropout

from ..lab.claims import Result, interval, markdown
from ..lab.judging import NotMeasured, require_mnist
from ..shared.image_data import mnist_or_digits
from ..shared.image_networks import LOSS, adam_cosine_spec, cnn

RUNS = {
    "sgd": "SGD at 1e-2 (lecture)",
    "adam": "Adam to zero, dropout",
    "augmented": "the same, images augmented",
}
GOALS = {"adam": 0.0080, "augmented": 0.0050}
ABOUT_ONE_PERCENT = (0.005, 0.015)
LAST = 5
"""Epochs at the end over which the error of SGD is averaged."""


@dataclass(frozen=True)
class Config:
    seeds: int = 5
    sgd_epochs: int = 10
    sgd_rate: float = 1e-2
    sgd_batch: int = 64
    adam_epochs: int = 15
    adam_rate: float = 1e-3
    augmented_epochs: int = 30
    augmented_rate: float = 2e-3
    pixels: int = 2
    dropout: float = 0.5
    batch_size: int = 128
    data: str = "mnist"
    seed: int = 1


MULTIVERSE = Config(seeds=2, adam_epochs=1, augmented_epochs=1)
SMOKE = Config(seeds=2, sgd_epochs=2, adam_epochs=2, augmented_epochs=2, pixels=1, data="digits")


def run(config: Config, key: Array, checkpoints: jn.CheckpointConfig | None = None) -> Result:
    data, name = mnist_or_digits(config.data, flat=False, valid=0)
    result: Result = {
        "data": np.asarray(name),
        "backend": np.asarray(jax.default_backend()),
        "device": np.asarray(jax.devices()[0].device_kind),
    }
    for i, (kind, spec) in enumerate(_specs(config, data, name).items()):
        keys = jax.random.split(jax.random.fold_in(key, i), config.seeds)
        rate = {"learning_rate": getattr(config, f"{kind}_rate")}
        rows = [
            _train(spec, key, data, rate, watched=kind == "sgd", checkpoints=checkpoints)
            for key in keys
        ]
        for measure in rows[0]:
            result[f"{measure}_{kind}"] = np.asarray([row[measure] for row in rows])
        result[f"epochs_{kind}"] = np.asarray(spec.epochs)
        errors = np.round(100 * result[f"test_{kind}"], 2)
        print(f"{RUNS[kind]}: test errors {errors} %", flush=True)
    return result


def _specs(config: Config, data: Dataset, name: str) -> dict[str, jn.TrainSpec]:
    """The three runs by name."""
    model = cnn(name)
    dropped = CNN((*model.layers[:-1], Dropout(config.dropout), model.layers[-1]))
    augment = partial(affine, pixels=config.pixels)
    adam, augmented, size = config.adam_epochs, config.augmented_epochs, config.batch_size
    return {
        "sgd": jn.TrainSpec(model, LOSS, config.sgd_epochs, config.sgd_batch, optax.sgd),
        "adam": adam_cosine_spec(dropped, LOSS, adam, size, data),
        "augmented": adam_cosine_spec(dropped, LOSS, augmented, size, data, augment),
    }


def _train(
    spec: jn.TrainSpec,
    key: Array,
    data: Dataset,
    hparams: dict[str, float],
    watched: bool,
    checkpoints: jn.CheckpointConfig | None = None,
) -> dict[str, np.ndarray | float]:
    """One run: seconds, test error and, if watched, the test error after each epoch."""
    seen = Dataset(data.train, valid=data.test if watched else None)
    start = time.perf_counter()
    state, history = jn.fit(spec, key, seen, hparams, progress=True, checkpoints=checkpoints)
    jax.block_until_ready(state)
    row: dict[str, np.ndarray | float] = {"seconds": time.perf_counter() - start}
    accuracy = evaluate.accuracy(spec.model, spec.loss, state.params, data.test)
    row["test"] = 1 - float(accuracy)
    if watched:
        row["curve"] = 1 - history["valid_accuracy"]
    return row


def table(result: Result) -> str:
    rows = []
    for kind, name in RUNS.items():
        error, seconds = (interval(result[f"{m}_{kind}"]) for m in ("test", "seconds"))
        time = f"{seconds.decimals(0)} s"
        rows.append([name, result[f"epochs_{kind}"], time, error.percent()])
    head = ["run", "epochs", "time", "test error"]
    where = f"{result['data']}, {_seeds(result, 'sgd')}, {result['device']}"
    return f"{where}:\n{markdown(head, rows)}"


def plot(result: Result) -> Figure:
    canvas, axes = plots.figure(1, 2, size=(5.0, 3.8))
    _draw_curve(axes[0, 0], result)
    _draw_errors(axes[0, 1], result)
    return canvas


def _draw_curve(axes: Axes, result: Result) -> None:
    """The test error of the lecture's run after each epoch."""
    curve, style = 100 * result["curve_sgd"], plots.styles()
    epochs = np.arange(1, curve.shape[1] + 1)
    plots.spread(axes, epochs, curve, f"{RUNS['sgd']} (± 1 std)", next(style))
    axes.axhspan(
        *(100 * limit for limit in ABOUT_ONE_PERCENT), color="0.88", label='"about 1 %"', zorder=0
    )
    axes.set(xlabel="epoch", ylabel=f"test error on {result['data']} [%]", xticks=epochs)
    axes.set_ylim(0)
    axes.legend(fontsize="small")


def _draw_errors(axes: Axes, result: Result) -> None:
    """The last test error of every seed, their means with one standard deviation, and our goals."""
    rng = np.random.default_rng(0)
    for i, (kind, style) in enumerate(zip(RUNS, plots.styles(), strict=False)):
        errors = 100 * result[f"test_{kind}"]
        dot = {"color": style["color"], "marker": style["marker"]}
        across = i + rng.uniform(-0.12, 0.12, len(errors)) - 0.15
        axes.plot(across, errors, linestyle="none", markersize=4, alpha=0.6, **dot)
        axes.errorbar(i + 0.15, errors.mean(), errors.std(ddof=1), capsize=4, **dot)
        if kind in GOALS:
            goal = 100 * GOALS[kind]
            axes.hlines(goal, i - 0.35, i + 0.35, color="0.3", linestyle="--", linewidth=1.2)
            axes.annotate(f" goal {goal:.2f}", (i + 0.35, goal), fontsize="small", va="center")
    epochs = [f"{int(result[f'epochs_{kind}'])} epochs" for kind in RUNS]
    names = ("SGD (lecture)", "Adam to zero,\ndropout", "the same,\nimages augmented")
    labels = [f"{name}\n{length}" for name, length in zip(names, epochs, strict=True)]
    axes.set_xticks(range(len(labels)), labels, fontsize="small")
    axes.set(ylabel="test error at the end [%]", xlim=(-0.5, 2.9), ylim=(0, None))


def _about_one_percent(result: Result) -> Sample:
    require_mnist(result)
    return Sample(100 * result["curve_sgd"][:, -LAST:].mean(1))


def _fast_training(result: Result) -> Sample:
    """Without the first seed, which compiles."""
    require_mnist(result)
    if result["backend"] not in ("gpu", "cuda", "rocm"):
        raise NotMeasured(f"needs a GPU; {np.median(result['seconds_sgd']):.1f} s without")
    return Sample(np.log(result["seconds_sgd"][1:]))


def _goal(kind: str) -> Callable[[Result], Sample]:
    def measure(result: Result) -> Sample:
        require_mnist(result)
        return Sample(100 * result[f"test_{kind}"])

    return measure


def _seeds(result: Result, kind: str) -> str:
    return f"{len(result[f'test_{kind}'])} seeds"


CLAIMS = {
    "about_one_percent": _about_one_percent,
    "fast_training": _fast_training,
    "goal_plain": _goal("adam"),
    "goal_augmented": _goal("augmented"),
}
