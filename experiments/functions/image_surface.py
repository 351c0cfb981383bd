"""An image as a surface I = f(x, y), learned by 11 small networks (row F6; L0, L4).

Claims, on a grey image of 51 x 51 pixels: with one layer "the more nodes the more accurate"; two
layers of 20 beat one of 125 at 501 weights; "the three-layer MLP does even better but the
difference is less striking"; "adding a ResNet layer yields a further small improvement"; tanh
"works better than ReLU in this case", on two images; resampling to 24 x 24 grey values is "simpler
but not necessarily better" than 471 weights. The lecture does not give its images, so its losses
are compared with ours in order and ratios only.

Command: `make image_surface`, six minutes on 2 cores. Protocol: the centres of scikit-learn's two
photographs, a temple for the first image and a flower for the second, grey, 51 x 51; values and
coordinates scaled to mean 0 and variance 1, so that a constant has loss 1; mean squared error over
all pixels, batches of 153, Adam with a rate that falls to zero, 12 starts; of two initial rates
each network gets the one with the lower mean loss. One layer of up to 125 nodes, two of 20 and
three of 14 are also trained by Levenberg-Marquardt in float64. A fourth layer without the bypass
tells what the bypass adds to the layer that it comes with. Criteria are in
`experiments/claims/image_surface`. Expect the order of depths and the gain of the residual layer,
and ReLU as good as tanh; one layer at 0.11 with any number of nodes after Adam, but 0.02 to 0.03
after Levenberg-Marquardt: it had not converged.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from scipy.stats import spearmanr

import jaxnets as jn
from jaxnets import plots
from jaxnets.analysis import evaluate
from jaxnets.claims import Sample
from jaxnets.converge import converge
from jaxnets.data import Dataset
from jaxnets.models import count_parameters
from jaxnets.training.optimizers import adam_cosine

from ..lab.claims import Result, markdown
from ..lab.judging import Measured, NotMeasured
from ..shared.best import best
from .grey_images import SIDE, SMALL, photographs, psnr, resample, standardise

LOSS = "squared_error"
PICTURES = ("temple", "flower")


class Network(NamedTuple):
    """A model and its losses in the lecture: on the first image, and perhaps on the second.

    A network without any is trained on the first image.
    """

    model: Any
    lecture: tuple[float, ...]


SMALLER = "24 x 24"
TANH, RELU = "10/20/10", "10/20/10 ReLU"
RESIDUAL, PLAIN = "10/20/10/10 residual", "10/20/10/10 plain"
NETWORKS = {
    "1 x 50": Network(jn.MLP((50,)), (3.65e-1,)),
    "1 x 100": Network(jn.MLP((100,)), (2.50e-1,)),
    "1 x 125": Network(jn.MLP((125,)), (2.40e-1,)),
    "1 x 300": Network(jn.MLP((300,)), (1.92e-1,)),
    "2 x 20": Network(jn.MLP((20, 20)), (8.31e-2,)),
    "3 x 14": Network(jn.MLP((14, 14, 14)), (7.55e-2,)),
    "3 x 15": Network(jn.MLP((15, 15, 15)), (5.93e-2,)),
    "3 x 19": Network(jn.MLP((19, 19, 19)), (4.38e-2,)),
    TANH: Network(jn.MLP((10, 20, 10)), (6.43e-2, 1.95e-2)),
    RESIDUAL: Network(jn.ResidualMLP((10, 20, 10, 10)), (5.30e-2,)),
    PLAIN: Network(jn.MLP((10, 20, 10, 10)), ()),
    RELU: Network(jn.MLP((10, 20, 10), activation="relu"), (3.07e-1, 7.21e-2)),
}
FAMILIES = {
    "1 layer": ("1 x 50", "1 x 100", "1 x 125", "1 x 300"),
    "2 layers": ("2 x 20",),
    "3 layers": ("3 x 14", "3 x 15", "3 x 19"),
    "10/20/10": (TANH,),
    "residual": (RESIDUAL,),
    "4 layers": (PLAIN,),
    "ReLU": (RELU,),
}


@dataclass(frozen=True)
class Config:
    networks: tuple[str, ...] = tuple(NETWORKS)
    seeds: int = 12
    epochs: int = 300
    batch_size: int = 153
    rates: tuple[float, ...] = (0.01, 0.03)
    searched: tuple[str, ...] = ("1 x 50", "1 x 100", "1 x 125", "2 x 20", "3 x 14")
    """Of `networks`, those trained by Levenberg-Marquardt, too."""
    starts: int = 2
    steps: int = 500
    """Of each of its starts, at most."""
    seed: int = 1


MULTIVERSE = Config(rates=(0.01,), seeds=4, searched=("1 x 50",), starts=2, steps=20)
SMOKE = Config(networks=("1 x 50", TANH), seeds=2, epochs=1, searched=("1 x 50",), steps=2)


def run(config: Config, key: Array, checkpoints: jn.CheckpointConfig | None = None) -> Result:
    x = evaluate.plane((-1.0, 1.0, -1.0, 1.0), SIDE)
    x = (x - x.mean(axis=0)) / x.std(axis=0)
    result: Result = {}
    for i, (picture, photograph) in enumerate(zip(PICTURES, photographs(), strict=True)):
        image, deviation = standardise(photograph)
        result |= {f"image {picture}": image, f"deviation {picture}": deviation}
        result |= _record(f"{picture} {SMALLER}", resample(image)[None], image)
        for name in config.networks:
            model, lecture = NETWORKS[name]
            if i < max(len(lecture), 1):
                print(f"{picture}: {name}", flush=True)
                surfaces = _train(config, key, model, x, image, checkpoints=checkpoints)
                result |= _record(f"{picture} {name}", surfaces, image)
            if i == 0 and name in config.searched:
                result |= _search(config, key, name, x, image)
    return result


def _train(
    config: Config,
    key: Array,
    model: Any,
    x: np.ndarray,
    image: np.ndarray,
    checkpoints: jn.CheckpointConfig | None = None,
) -> np.ndarray:
    """Surfaces of networks trained at the rate with the lowest mean loss, `[seeds, 51, 51]`."""
    data = Dataset({"x": x, "y": image.reshape(-1, 1)})
    steps = config.epochs * -(-len(x) // config.batch_size)
    spec = jn.TrainSpec(
        model, LOSS, config.epochs, config.batch_size, adam_cosine(steps), config.epochs
    )
    hparams = jn.grid(learning_rate=config.rates, seed=range(config.seeds))
    keys = jax.random.split(key, len(hparams.pop("seed")))
    states, _ = jn.sweep(spec, keys, data, hparams, checkpoints=checkpoints)
    outputs = evaluate.all_predictions(model, LOSS, states.params, x)
    surfaces = outputs.reshape(len(config.rates), config.seeds, SIDE, SIDE)
    return surfaces[best(-np.mean((surfaces - image) ** 2, axis=(1, 2, 3)))]


def _search(config: Config, key: Array, name: str, x: np.ndarray, image: np.ndarray) -> Result:
    """Losses of a network after Levenberg-Marquardt `[starts]`, and the best one's gradient."""
    data = Dataset({"x": x.astype(np.float64), "y": image.reshape(-1, 1).astype(np.float64)})
    with jax.enable_x64(True):
        found = converge(
            NETWORKS[name].model,
            LOSS,
            key,
            data,
            starts=config.starts,
            method="levenberg_marquardt",
            steps=config.steps,
            group=1,
        )
    return {
        f"searched {name}": found.starts["train_loss"],
        f"gradient {name}": np.asarray(found.gradient_norm),
    }


def _record(name: str, surfaces: np.ndarray, image: np.ndarray) -> Result:
    """The losses of `surfaces [seeds, 51, 51]`, and the surface of the median one."""
    losses = np.mean((surfaces - image[None]) ** 2, axis=(1, 2))
    middle = surfaces[np.argsort(losses)[len(losses) // 2]]
    return {f"loss {name}": losses, f"drawn {name}": middle}


def _weights(name: str) -> int:
    """Weights of a network, or grey values of the small image."""
    if name == SMALLER:
        return SMALL**2
    init = NETWORKS[name].model.init
    return count_parameters(jax.eval_shape(init, jax.random.key(0), jnp.zeros((1, 2))))


def _text(losses: np.ndarray) -> str:
    return f"{losses.mean():.3f}" + (f" ± {losses.std(ddof=1):.3f}" if len(losses) > 1 else "")


def _decibels(result: Result, picture: str, name: str) -> str:
    losses, deviation = result[f"loss {picture} {name}"], result[f"deviation {picture}"]
    return f"{psnr(losses, deviation).mean():.1f} dB"


def table(result: Result) -> str:
    rows = []
    for i, picture in enumerate(PICTURES):
        for name in (*NETWORKS, SMALLER):
            if f"loss {picture} {name}" in result:
                losses = result[f"loss {picture} {name}"]
                printed = () if name == SMALLER else NETWORKS[name].lecture[i : i + 1]
                lecture = f"{printed[0]:.2e}" if printed else "-"
                decibels = _decibels(result, picture, name)
                searched = result.get(f"searched {name}") if i == 0 else None
                best = "-" if searched is None else f"{searched.min():.3f}"
                row = [picture, name, _weights(name), _text(losses), decibels, best, lecture]
                rows.append(row)
    head = ["image", "network", "weights", "loss", "PSNR", "Levenberg-Marquardt", "in the lecture"]
    return markdown(head, rows)


LAYOUT = (
    ("temple", "image"), ("temple", SMALLER), ("temple", "1 x 125"), ("temple", "2 x 20"),
    ("temple", TANH), ("temple", RESIDUAL), ("temple", RELU), None,
    ("flower", "image"), ("flower", SMALLER), ("flower", TANH), ("flower", RELU),
)  # fmt: skip
"""The panels of the figure, in three rows; None is the chart."""


def plot(result: Result) -> Figure:
    canvas, axes = plots.figure(3, 4, size=(2.9, 3.1))
    for panel, shown in zip(axes.ravel(), LAYOUT, strict=True):
        if shown is None:
            _draw_losses(panel, result)
        else:
            _draw_image(panel, result, *shown)
    return canvas


def _draw_image(axes: Axes, result: Result, picture: str, name: str) -> None:
    original = result[f"image {picture}"]
    drawn = original if name == "image" else result.get(f"drawn {picture} {name}")
    axes.set_axis_off()
    if drawn is not None:
        axes.imshow(drawn, cmap="gray", vmin=original.min(), vmax=original.max())
    if name == "image":
        axes.set_title(f"{picture}\n{SIDE**2} grey values")
    elif drawn is not None:
        kind = "values" if name == SMALLER else "weights"
        axes.set_title(f"{name}\n{_weights(name)} {kind}, {_decibels(result, picture, name)}")


def _draw_losses(axes: Axes, result: Result) -> None:
    style = plots.styles()
    for family, names in FAMILIES.items():
        line, known = next(style), [name for name in names if f"loss temple {name}" in result]
        if known:
            losses = np.stack([result[f"loss temple {name}"] for name in known], axis=1)
            plots.spread(axes, [_weights(name) for name in known], losses, family, line)
    plots.level(axes, result[f"loss temple {SMALLER}"][0], SMALLER, next(style))
    axes.set(xscale="log", yscale="log", xlabel="weights", ylabel="loss", title="temple, ± 1 std")
    axes.set_xticks((200, 400, 800), ("200", "400", "800"))
    axes.set_yticks((0.03, 0.05, 0.1, 0.2), ("0.03", "0.05", "0.1", "0.2"))
    axes.minorticks_off()
    axes.legend(fontsize="x-small", loc="lower left", bbox_to_anchor=(0, 0.05))


def _logs(result: Result, *names: str, picture: str = PICTURES[0]) -> list[np.ndarray]:
    """Logs of the losses `[starts]` of each network.

    Raises:
        NotMeasured: one of them was not trained.
    """
    missing = [name for name in names if f"loss {picture} {name}" not in result]
    if missing:
        raise NotMeasured(f"not trained: {', '.join(missing)}")
    return [np.log(result[f"loss {picture} {name}"]) for name in names]


def _searched(result: Result, *names: str) -> str:
    """What Levenberg-Marquardt found with those of the networks that it trained."""
    found = [
        f"{name} {losses.min():.3f} (gradient {result[f'gradient {name}']:.0e})"
        for name in names
        if (losses := result.get(f"searched {name}")) is not None
    ]
    return f"Levenberg-Marquardt, best loss: {', '.join(found)}" if found else ""


Measure = Callable[[Result], Measured]


def _better(part: str, better: str, worse: str, picture: str = PICTURES[0]) -> Measure:
    """Measures the logs of two networks' losses."""

    def measure(result: Result) -> Measured:
        sample = Sample(*_logs(result, better, worse, picture=picture))
        return Measured({part: sample}, _searched(result, better, worse))

    return measure


def _more_nodes(names: Sequence[str]) -> Measure:
    """Measures how loss falls with the nodes, in each start and from first to last."""

    def measure(result: Result) -> Measured:
        logs = np.asarray(_logs(result, *names))
        trend = [spearmanr(range(len(names)), start).statistic for start in logs.T]
        samples = {"trend": Sample(trend), "gain": Sample(logs[-1], logs[0])}
        return Measured(samples, _searched(result, *names))

    return measure


def _third_layer(result: Result) -> Measured:
    names = "1 x 125", "2 x 20", "3 x 14"
    one, two, three = _logs(result, *names)
    less = Sample((three - two) - (two - one))
    return Measured({"gain": Sample(three, two), "less striking": less}, _searched(result, *names))


def _residual_layer(result: Result) -> dict[str, Sample]:
    with_it, without = _logs(result, RESIDUAL, TANH)
    return {"improves": Sample(with_it, without), "a little": Sample(with_it - without)}


def _weights_beat_resampling(result: Result) -> dict[str, Sample]:
    network, resampled = _logs(result, TANH, SMALLER)
    return {"471 weights": Sample(network - resampled)}


CLAIMS = {
    "one_layer_more_nodes": _more_nodes(FAMILIES["1 layer"]),
    "two_layers": _better("2 x 20", "2 x 20", "1 x 125"),
    "third_layer": _third_layer,
    "three_layers_more_nodes": _more_nodes(FAMILIES["3 layers"]),
    "residual_layer": _residual_layer,
    "bypass": _better("bypass", RESIDUAL, PLAIN),
    "weights_beat_resampling": _weights_beat_resampling,
    "tanh_beats_relu": _better("tanh", TANH, RELU),
    "tanh_beats_relu_again": _better("tanh", TANH, RELU, picture=PICTURES[1]),
}
