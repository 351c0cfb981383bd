"""An image as a surface I = f(x, y), learned by 11 small networks (row F6; L0, L4).

Claims, on a grey image of 51 x 51 pixels: with one layer "the more nodes the more accurate"; two
layers of 20 beat one of 125 at 501 weights; "the three-layer MLP does even better but the
difference is less striking"; "adding a ResNet layer yields a further small improvement"; tanh
"works better than ReLU in this case", on two images; resampling to 24 x 24 grey values is "simpler
but not necessarily better" than 471 weights. The lecture does not give its images, so its losses
are compared with ours in order and ratios only.

Command: `make image_surface`, two minutes on 2 cores. Protocol: the centres of scikit-learn's two
photographs, a temple for the first image and a flower for the second, grey, 51 x 51; values and
coordinates scaled to mean 0 and variance 1, so that a constant has loss 1; mean squared error over
all pixels, batches of 153, Adam with a rate that falls to zero, 8 starts; of two initial rates each
network gets the one with the lower mean loss. Criteria, fixed before any run (the training settings
after small trials): A is better than B if the 95 % interval of the mean log ratio of their losses,
paired by start, is below 0; more nodes are better if every mean is below the one before and the
last is better than the first; the third layer is less striking if its log ratio is nearer 0 than
the second's, in the same sense; an improvement is small if more than half of the loss remains.
Expect the order of depths and the gain of the residual layer, but one layer at 0.11 with any number
of nodes, ReLU as good as tanh, and 24 x 24 values ahead on the temple.
"""

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
from jaxnets import plots
from jaxnets.analysis import evaluate
from jaxnets.data import Dataset
from jaxnets.models import count_parameters
from jaxnets.training.optimizers import adam_cosine

from ..lab.claims import Claim, Interval, Result, Verdict, interval, markdown, verdict

LOSS = "squared_error"
SIDE, SMALL = 51, 24
"""Pixels along a side of the image, and of the one it is resampled to."""
GREY = (0.299, 0.587, 0.114)
"""Luma of red, green and blue (ITU-R BT.601)."""
PICTURES = ("temple", "flower")


class Network(NamedTuple):
    """A model and its loss in the lecture: on the first image, and perhaps on the second."""

    model: Any
    lecture: tuple[float, ...]


SMALLER = "24 x 24"
TANH, RESIDUAL, RELU = "10/20/10", "10/20/10/10 residual", "10/20/10 ReLU"
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
    RELU: Network(jn.MLP((10, 20, 10), activation="relu"), (3.07e-1, 7.21e-2)),
}
FAMILIES = {
    "1 layer": ("1 x 50", "1 x 100", "1 x 125", "1 x 300"),
    "2 layers": ("2 x 20",),
    "3 layers": ("3 x 14", "3 x 15", "3 x 19"),
    "10/20/10": (TANH,),
    "residual": (RESIDUAL,),
    "ReLU": (RELU,),
}


@dataclass(frozen=True)
class Config:
    networks: tuple[str, ...] = tuple(NETWORKS)
    seeds: int = 8
    epochs: int = 300
    batch_size: int = 153
    rates: tuple[float, ...] = (0.01, 0.03)
    seed: int = 0


SMOKE = Config(networks=(TANH,), seeds=2, epochs=1)


def run(config: Config, key: Array, checkpoints: jn.CheckpointConfig | None = None) -> Result:
    x = evaluate.plane((-1.0, 1.0, -1.0, 1.0), SIDE)
    x = (x - x.mean(axis=0)) / x.std(axis=0)
    result: Result = {}
    for i, (picture, photograph) in enumerate(zip(PICTURES, photographs(), strict=True)):
        image, deviation = standardise(photograph)
        result |= {f"image {picture}": image, f"deviation {picture}": deviation}
        result |= _record(f"{picture} {SMALLER}", resample(image)[None], image)
        for name in config.networks:
            if i < len(NETWORKS[name].lecture):
                print(f"{picture}: {name}", flush=True)
                surfaces = _train(
                    config, key, NETWORKS[name].model, x, image, checkpoints=checkpoints
                )
                result |= _record(f"{picture} {name}", surfaces, image)
    return result


def photographs() -> list[np.ndarray]:
    """Loads the centres of scikit-learn's photographs, grey values in 0..255, `[51, 51]` each."""
    from sklearn.datasets import load_sample_images

    found = []
    for image in load_sample_images().images:
        rows, columns, _ = image.shape
        edge = (columns - rows) // 2
        square = image[:, edge : edge + rows].astype(np.float32) @ np.asarray(GREY, np.float32)
        found.append(np.asarray(jax.image.resize(square, (SIDE, SIDE), "cubic")))
    return found


def standardise(image: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Scales the image to mean 0 and variance 1; also returns its standard deviation."""
    return (image - image.mean()) / image.std(), image.std()


def resample(image: np.ndarray, side: int = SMALL) -> np.ndarray:
    """Reduces the image `[n, n]` to `side x side` values and enlarges it again, both bicubic."""
    small = jax.image.resize(jnp.asarray(image), (side, side), "cubic")
    return np.asarray(jax.image.resize(small, image.shape, "cubic"))


def psnr(loss: Any, deviation: Any) -> Any:
    """Computes the peak signal-to-noise ratio in dB from the loss on an image scaled to variance 1.

    `10 log10(255^2 / (loss deviation^2))`, with the deviation in grey values of 0..255.
    """
    return 20 * np.log10(255 / deviation) - 10 * np.log10(loss)


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
    return surfaces[np.argmin(np.mean((surfaces - image) ** 2, axis=(1, 2, 3)))]


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
                lecture = "-" if name == SMALLER else f"{NETWORKS[name].lecture[i]:.2e}"
                decibels = _decibels(result, picture, name)
                rows.append([picture, name, _weights(name), _text(losses), decibels, lecture])
    return markdown(["image", "network", "weights", "loss", "PSNR", "loss in the lecture"], rows)


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


def _ratio(losses: np.ndarray, others: np.ndarray) -> tuple[Interval, str]:
    """The log ratio of losses, and the ratio as a text."""
    found = interval(np.log(losses / others))
    mean, low, high = np.exp([found.mean, found.low, found.high])
    return found, f"ratio {mean:.2f} in [{low:.2f}, {high:.2f}]"


Judge = Callable[..., tuple[bool, str]]
"""`(losses [starts] of each network) -> (whether the claim holds, the number that says so)`."""


def _falls(*losses: np.ndarray) -> tuple[bool, str]:
    found, text = _ratio(losses[-1], losses[0])
    means = [one.mean() for one in losses]
    return bool((np.diff(means) < 0).all()) and found.high < 0, f"last to first {text}"


def _better(losses: np.ndarray, others: np.ndarray) -> tuple[bool, str]:
    found, text = _ratio(losses, others)
    return found.high < 0, text


def _slightly_better(losses: np.ndarray, others: np.ndarray) -> tuple[bool, str]:
    found, text = _ratio(losses, others)
    return found.high < 0 and found.mean > np.log(0.5), text


def _less_striking(one: np.ndarray, two: np.ndarray, three: np.ndarray) -> tuple[bool, str]:
    (_, second), (third_ratio, third) = _ratio(two, one), _ratio(three, two)
    less = interval(np.log(three / two) - np.log(two / one))
    return third_ratio.high < 0 and less.low > 0, f"second layer {second}, third {third}"


def _claim(row: str, statement: str, judge: Judge, *names: str, picture: str = "temple") -> Claim:
    def judge_losses(result: Result) -> Verdict:
        keys = [f"loss {picture} {name}" for name in names]
        if not all(key in result for key in keys):
            return Verdict("not tested", "these networks were not trained", "-")
        holds, text = judge(*(result[key] for key in keys))
        losses = [f"{name}: {_text(result[f'loss {picture} {name}'])}" for name in names]
        ours = f"{', '.join(losses)}; {text} (95 %)"
        return verdict(holds, ours, f"{len(result[keys[0]])} starts")

    image = PICTURES.index(picture)
    lecture = [f"{NETWORKS[name].lecture[image]:.3g}" for name in names if name in NETWORKS]
    return Claim(row, statement, ", ".join(lecture), judge_losses)


BOTH, FIRST = "F6, L0, L4", "F6, L0"
CLAIMS = [
    _claim(BOTH, "one layer: the more nodes the better", _falls, *FAMILIES["1 layer"]),
    _claim(BOTH, "two layers are better than one at 501 weights", _better, "2 x 20", "1 x 125"),
    _claim(BOTH, "a third gains, less strikingly", _less_striking, "1 x 125", "2 x 20", "3 x 14"),
    _claim(BOTH, "three layers: the more nodes the better", _falls, *FAMILIES["3 layers"]),
    _claim(FIRST, "a residual layer improves a little", _slightly_better, RESIDUAL, TANH),
    _claim(FIRST, "471 weights beat 24 x 24 resampled values", _better, TANH, SMALLER),
    _claim(FIRST, "tanh beats ReLU on the first image", _better, TANH, RELU),
    _claim(FIRST, "tanh beats ReLU on the second", _better, TANH, RELU, picture="flower"),
]
