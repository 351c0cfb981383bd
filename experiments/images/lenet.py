"""LeNet-5 on MNIST: which digits it confuses, its feature maps and its filters (row C5; L4).

Claim: lecture L4 shows LeNet-5's results in a figure without numbers; the network's authors give
0.95 % test error without distorted images (LeCun, Bottou, Bengio and Haffner, "Gradient-based
learning applied to document recognition", 1998). What counts as near it:
`experiments/claims/lenet/`.

Command: `make lenet`, 5 minutes on one core; without MNIST it uses scikit-learn's digits, a
smaller network, and the claim is not judged. Protocol: all 60,000 training images, pixels in 0..1;
the network of `jaxnets.models.lenet5` (61,706 parameters); batches of 128, Adam with a rate that
falls to zero over 8 epochs, all seeds in one program, nothing chosen on the test images.
Expect 1.3 %, nine the worst digit, most often read as a four.
"""

from dataclasses import dataclass
from functools import partial

import jax
import numpy as np
from jax import Array
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from jaxnets import plots
from jaxnets.analysis import evaluate
from jaxnets.claims import Sample
from jaxnets.data import Dataset
from jaxnets.models import CNN, Activate, AveragePool, Conv, Dense, Flatten, lenet5
from jaxnets.storage.checkpoints import CheckpointConfig

from ..lab.claims import Result, interval, markdown
from ..lab.judging import require_mnist
from ..shared.image_data import mnist_or_digits
from ..shared.image_networks import LOSS, train

CLASSES = 10
CONFUSIONS = 8
SHOWN = (4, 5)
"""Confusions, and examples of each, in the figure."""
LAYERS = (1, 4)
"""The layers whose maps are shown: each the activation behind a convolution."""


@dataclass(frozen=True)
class Config:
    seeds: int = 6
    epochs: int = 8
    batch_size: int = 128
    learning_rate: float = 2e-3
    data: str = "mnist"
    seed: int = 1


MULTIVERSE = Config(seeds=3)
SMOKE = Config(seeds=2, epochs=2, data="digits")


def run(config: Config, key: Array, checkpoints: CheckpointConfig | None = None) -> Result:
    data, name = mnist_or_digits(config.data, flat=False, valid=0)
    model = _network(data)
    params = train(config, key, data, model, checkpoints=checkpoints)
    predicted = evaluate.all_predictions(model, LOSS, params, data.test["x"])
    one = jax.tree.map(lambda leaf: leaf[0], params)
    maps = jax.jit(partial(model.apply, method="maps"))(one, data.test["x"][:1])
    return {
        "data": np.asarray(name),
        "confusion": np.stack([confusion(data.test["y"], row) for row in predicted]),
        **examples(data, predicted),
        "filters": np.asarray(one["params"]["layers_0"]["kernel"])[:, :, 0],
        "digit": data.test["x"][0, :, :, 0],
        **{f"maps_{layer}": np.asarray(maps[layer][0]) for layer in LAYERS},
    }


def _network(data: Dataset) -> CNN:
    """LeNet-5, or a network of its kind for the digits' 8 x 8 images."""
    if data.train["x"].shape[1:3] == (28, 28):
        return lenet5()
    first = (Conv(6, 3, padding="SAME", gain="glorot"), Activate("tanh"), AveragePool(2))
    second = (Conv(16, 3, gain="glorot"), Activate("tanh"))
    return CNN((*first, *second, Flatten(), Dense(10, "lecun")))


def confusion(labels: np.ndarray, predicted: np.ndarray) -> np.ndarray:
    """Counts samples of class i that were read as class j, `[i, j]`."""
    flat = np.bincount(CLASSES * labels + predicted, minlength=CLASSES**2)
    return flat.reshape(CLASSES, CLASSES)


def most_confused(counts: np.ndarray, most: int = CONFUSIONS) -> np.ndarray:
    """Finds the `most` pairs (true, predicted) with the largest total of `counts [seeds, i, j]`.

    `[most, 2]`, the most frequent first.
    """
    total = counts.sum(axis=0) * (1 - np.eye(CLASSES, dtype=int))
    flat = np.argsort(-total, axis=None, kind="stable")[:most]
    return np.stack(np.unravel_index(flat, total.shape), axis=1)


def examples(data: Dataset, predicted: np.ndarray) -> Result:
    """Finds the images of each frequent confusion that the most networks misread.

    `examples [confusions, examples, rows, columns]` and `votes [confusions, examples]`.
    """
    labels = data.test["y"]
    counts = np.stack([confusion(labels, row) for row in predicted])
    shown, votes = [], []
    for true, read in most_confused(counts, SHOWN[0]):
        wrong = np.where(labels == true, (predicted == read).sum(axis=0), -1)
        chosen = np.argsort(-wrong, kind="stable")[: SHOWN[1]]
        shown.append(data.test["x"][chosen, :, :, 0])
        votes.append(wrong[chosen])
    return {"examples": np.stack(shown), "votes": np.stack(votes)}


def errors(result: Result) -> np.ndarray:
    """Computes the test error of each network, `[seeds]`."""
    counts = result["confusion"]
    return 1 - np.trace(counts, axis1=1, axis2=2) / counts.sum((1, 2))


def class_errors(result: Result) -> np.ndarray:
    """Computes the share of each class that a network misreads, `[seeds, classes]`."""
    counts = result["confusion"]
    return 1 - np.diagonal(counts, axis1=1, axis2=2) / counts.sum(2)


def table(result: Result) -> str:
    by_class = class_errors(result).T
    rows = [[str(digit), interval(row).percent()] for digit, row in enumerate(by_class)]
    rows.append(["all", interval(errors(result)).percent()])
    counts = result["confusion"]
    pairs = []
    for true, read in most_confused(counts):
        cell = counts[:, true, read]
        pairs.append([f"{true} as {read}", f"{cell.mean():.1f} ± {cell.std(ddof=1):.1f}"])
    return (
        f"{result['data']}, {_seeds(result)}:\n{markdown(['digit', 'test error'], rows)}\n\n"
        f"{markdown(['read', f'of {counts[0].sum():,} images'], pairs)}"
    )


def plot(result: Result) -> Figure:
    canvas, axes = plots.figure(2, 3, size=(4.6, 4.0))
    _draw_confusion(axes[0, 0], result)
    _draw_class_errors(axes[0, 1], result)
    _draw_pairs(axes[0, 2], result)
    _draw_examples(axes[1, 0], result)
    _draw_filters(axes[1, 1], result)
    _draw_maps(axes[1, 2], result)
    return canvas


def _draw_confusion(axes: Axes, result: Result) -> None:
    """Mean counts off the diagonal; the diagonal is blank."""
    mean = result["confusion"].mean(axis=0)
    off = np.ma.masked_array(mean, np.eye(CLASSES, dtype=bool))
    axes.imshow(off, cmap="Greys")
    for i, j in np.argwhere((mean > 0.5) & ~np.eye(CLASSES, dtype=bool)):
        dark = mean[i, j] > 0.55 * off.max()
        colour = "white" if dark else "black"
        axes.text(j, i, f"{mean[i, j]:.0f}", ha="center", va="center", color=colour, size="x-small")
    axes.plot([-0.5, 9.5], [-0.5, 9.5], color="0.7", linewidth=0.8)
    axes.grid(visible=False)
    ticks = range(CLASSES)
    title = f"images misread, mean of {_seeds(result)}"
    axes.set(xlabel="read as", ylabel="true digit", xticks=ticks, yticks=ticks, title=title)


def _draw_class_errors(axes: Axes, result: Result) -> None:
    by_class = 100 * class_errors(result)
    spread = by_class.std(axis=0, ddof=1)
    axes.bar(range(CLASSES), by_class.mean(axis=0), yerr=spread, capsize=3, color=plots.COLOURS[5])
    mean = 100 * errors(result).mean()
    style = next(plots.styles())
    plots.level(axes, mean, f"all digits: {mean:.2f} %", style | {"color": "black"})
    axes.set(xlabel="true digit", ylabel=f"test error on {result['data']} [%]")
    axes.set(xticks=range(CLASSES), title="error by class (± 1 std)")
    axes.set_ylim(0, 1.25 * np.max(by_class.mean(axis=0) + spread))
    axes.legend(fontsize="small")


def _draw_pairs(axes: Axes, result: Result) -> None:
    pairs = most_confused(result["confusion"])[::-1]
    counts = np.stack([result["confusion"][:, true, read] for true, read in pairs])
    names = [f"{true} read as {read}" for true, read in pairs]
    axes.barh(
        names,
        counts.mean(axis=1),
        xerr=counts.std(axis=1, ddof=1),
        capsize=3,
        color=plots.COLOURS[4],
    )
    images_tested = result["confusion"][0].sum()
    axes.set(xlabel=f"test images of {images_tested:,}", title="most frequent confusions (± 1 std)")


def _draw_examples(axes: Axes, result: Result) -> None:
    examples, votes = result["examples"], result["votes"]
    side = examples.shape[-1] + 1
    axes.imshow(mosaic(examples), cmap="gray_r", vmin=0, vmax=1)
    for (i, j), vote in np.ndenumerate(votes):
        axes.text((j + 1) * side - 2, i * side, str(vote), ha="right", va="top", size="small")
    pairs = most_confused(result["confusion"], len(examples))
    names = [f"{true} as {read}" for true, read in pairs]
    middles = side * (np.arange(len(names)) + 0.5) - 1
    axes.set(xticks=[], title=f"misread images, and how many of {_seeds(result)} agree")
    axes.set_yticks(middles, names)
    axes.grid(visible=False)


def _draw_filters(axes: Axes, result: Result) -> None:
    filters = np.moveaxis(result["filters"], -1, 0)
    most = np.abs(filters).max()
    tiles = mosaic(filters.reshape(2, -1, *filters.shape[1:]))
    shown = axes.imshow(tiles, cmap="gray", vmin=-most, vmax=most)
    bar = axes.get_figure().colorbar(shown, ax=axes, orientation="horizontal", shrink=0.7)
    bar.set_label("weight")
    axes.set(xticks=[], yticks=[], title="the 6 filters of the first layer (first seed)")
    axes.grid(visible=False)


def _draw_maps(axes: Axes, result: Result) -> None:
    """The digit and its 6 maps after the first convolution, above its 16 after the second."""
    first = np.moveaxis(result["maps_1"], -1, 0)
    blank = np.full_like(first[:1], np.nan)
    digit = 2 * result["digit"][None] - 1
    first = np.concatenate([digit, first[:3], blank, first[3:]])
    second = np.moveaxis(result["maps_4"], -1, 0)
    top = 0.0
    for tiles, rows in ((first, 2), (second, 2)):
        image = mosaic(tiles.reshape(rows, -1, *tiles.shape[1:]))
        bottom = top + image.shape[0] / image.shape[1]
        axes.imshow(image, cmap="gray", vmin=-1, vmax=1, extent=(0, 1, bottom, top))
        top = bottom + 0.04
    axes.set(xlim=(0, 1), ylim=(bottom, 0), xticks=[], yticks=[])
    axes.set(title="a digit, its 6 first and 16 second maps (-1 to 1)")
    axes.grid(visible=False)


def mosaic(tiles: np.ndarray) -> np.ndarray:
    """Joins images `[rows, columns, h, w]` side by side, with a line of NaN between them."""
    rows, columns, h, w = tiles.shape
    framed = np.pad(tiles, ((0, 0), (0, 0), (0, 1), (0, 1)), constant_values=np.nan)
    image = framed.transpose(0, 2, 1, 3).reshape(rows * (h + 1), columns * (w + 1))
    return image[:-1, :-1]


def _seeds(result: Result) -> str:
    return f"{len(result['confusion'])} seeds"


def _near_its_authors(result: Result) -> Sample:
    require_mnist(result)
    return Sample(100 * errors(result))


CLAIMS = {"near_its_authors": _near_its_authors}
