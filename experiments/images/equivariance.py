"""Shifted images: maps of convolutions move along, and accuracies fall (row C3; L2, L4).

Claims: a convolution "applies the same linear transformation locally, everywhere": the maps of a
shifted image are the shifted maps; it needs no "3.87e+10 parameters" (150 GB) as a linear layer
between two RGB images of 256 x 256 does; `(0,0,0,0,1,2,3,4,4,4,4)` with `(-1,1)` gives
`(0,0,0,1,1,1,1,0,0,0)`. A network of convolutions should then lose less than an MLP on images that
are off centre.

Command: `make equivariance`, 6 minutes on one core. Protocol: L2's network and an MLP with two
layers of 100 units learn the centred images of MNIST, with Adam whose rate falls to zero over 2
epochs; two more learn images moved by up to 2 pixels at random. All are tested on every second test
image, moved by 0 to 6 pixels in four directions. Maps are compared where both see the same pixels,
for every shift of up to 3 pixels that is a multiple of the maps' stride (one stride where that is
more than 3). What counts as equal, and as less, is in `experiments/claims/equivariance/`. Expect
maps equal to rounding, and a network that still loses accuracy, since its dense layers see
positions, but a fifth of what the MLP loses.
"""

from dataclasses import dataclass
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from jaxnets import augment, ops, plots
from jaxnets.analysis import evaluate
from jaxnets.claims import Sample
from jaxnets.models import CNN, Conv, Dense
from jaxnets.storage.checkpoints import CheckpointConfig

from ..lab.claims import Result, interval, markdown
from ..lab.judging import NotMeasured, require_mnist
from ..shared.image_data import mnist_or_digits
from ..shared.image_networks import LOSS, cnn, mlp, train
from .shifted_maps import KINDS, SHOWN, compare, shift_images, span

NETWORKS = {
    "mlp": "MLP, centred images",
    "cnn": "CNN, centred images",
    "mlp_moved": "MLP, moved images",
    "cnn_moved": "CNN, moved images",
}
AUGMENTED = 2
"""How far, in pixels, the moved images are moved."""
LEARNED = 0.5
"""The accuracy below which nothing is judged: a network that learned nothing has none to lose."""
DIRECTIONS = ((1, 0), (-1, 0), (0, 1), (0, -1))
L2_INPUT = (0, 0, 0, 0, 1, 2, 3, 4, 4, 4, 4)
L2_KERNEL = (-1, 1)
L2_OUTPUT = (0, 0, 0, 1, 1, 1, 1, 0, 0, 0)


@dataclass(frozen=True)
class Config:
    seeds: int = 5
    epochs: int = 2
    batch_size: int = 64
    learning_rate: float = 1e-3
    farthest: int = 6
    judged: int = 2
    """The shift, in pixels, at which the networks are compared."""
    every: int = 2
    """Tests on one in `every` images of the test part."""
    data: str = "mnist"
    seed: int = 1


MULTIVERSE = Config(seeds=2)
SMOKE = Config(seeds=2, epochs=1, farthest=2, every=4, data="digits")


def run(config: Config, key: Array, checkpoints: CheckpointConfig | None = None) -> Result:
    data, name = mnist_or_digits(config.data, flat=False)
    models = {"mlp": mlp(), "cnn": cnn(name)}
    result: Result = {"data": np.asarray(name), "shifts": np.arange(config.farthest + 1)}
    random_key, *train_keys = jax.random.split(key, 1 + len(NETWORKS))
    for network, train_key in zip(NETWORKS, train_keys, strict=True):
        model = models[network[:3]]
        augmented = partial(augment.shift, pixels=AUGMENTED) if network.endswith("moved") else None
        params = train(config, train_key, data, model, augmented, checkpoints=checkpoints)
        right = [
            _right(config, model, params, data.test, distance)
            for distance in range(config.farthest + 1)
        ]
        result[f"accuracy_{network}"] = np.stack([each.mean((1, 2)) for each in right], axis=1)
        result[f"lost_{network}"] = lost(right[0], right[config.judged])
        if network == "cnn":
            result |= compare(random_key, model, params, data.test["x"], config.seeds)
    example = jnp.asarray(L2_INPUT, float)[None, None, :, None]
    kernel = jnp.asarray(L2_KERNEL, float)[None, :, None, None]
    result["l2_output"] = np.asarray(ops.convolve(example, kernel)[0, 0, :, 0])
    return result | _counts()


def _right(
    config: Config, model: CNN, params: Any, part: dict[str, Any], distance: int
) -> np.ndarray:
    """Which images each network reads right, moved by a distance, `[seeds, directions, images]`."""
    x, y = np.asarray(part["x"])[:: config.every], np.asarray(part["y"])[:: config.every]
    blocks = np.array_split(np.arange(len(y)), -(-len(y) // 500))
    found = []
    for down, right in DIRECTIONS if distance else DIRECTIONS[:1]:
        moved = shift_images(x, distance * down, distance * right)
        hits = [np.asarray(_hits(model, params, moved[block], y[block])) for block in blocks]
        found.append(np.concatenate(hits, axis=1))
    return np.stack(found, axis=1)


@partial(jax.jit, static_argnums=0)
def _hits(model: CNN, params: Any, x: Array, y: Array) -> Array:
    """Which samples each network predicts, `[seeds, samples]`."""
    return jax.lax.map(lambda one: evaluate.predictions(model, LOSS, one, x) == y, params)


def lost(still: np.ndarray, moved: np.ndarray) -> np.ndarray:
    """Counts the directions in which an image is lost less those in which it is gained.

    `[seeds, images]`, of `still [seeds, 1, images]` and `moved [seeds, directions, images]`.
    """
    return (still.astype(np.int8) - moved.astype(np.int8)).sum(axis=1, dtype=np.int8)


def _counts() -> Result:
    """Weights of layers between two 256 x 256 RGB images; nothing is allocated."""
    image = jax.ShapeDtypeStruct((1, 256, 256, 3), jnp.float32)
    flat = jax.ShapeDtypeStruct((1, 256 * 256 * 3), jnp.float32)
    layers: dict[str, tuple[Any, Any, str]] = {
        "dense": (Dense(256 * 256 * 3), flat, "weight"),
        "conv_3": (Conv(3, 3, padding="SAME"), image, "kernel"),
        "conv_5": (Conv(3, 5, padding="SAME"), image, "kernel"),
    }
    counts = {}
    for name, (layer, x, weights) in layers.items():
        params = jax.eval_shape(layer.init, jax.random.key(0), x)["params"]
        counts[f"weights_{name}"] = np.asarray(params[weights].size, np.int64)
    return counts


def table(result: Result) -> str:
    accuracies = markdown(
        ["test accuracy [%] at a shift of", *(f"{d} px" for d in result["shifts"])],
        [
            [label, *(interval(column).percent()[:-2] for column in result[f"accuracy_{name}"].T)]
            for name, label in NETWORKS.items()
        ],
    )
    differences = markdown(
        ["maps after", "stride [px]", "trained", "random"],
        [
            [stage, stride, *(f"{result[f'difference_{k}'][:, i].max():.1e}" for k in KINDS)]
            for i, (stage, stride) in enumerate(
                zip(result["stages"], result["strides"], strict=True)
            )
        ],
    )
    return (
        f"{result['data']}, {_seeds(result)}:\n{accuracies}\n\n"
        f"largest relative difference of the shifted maps:\n{differences}\n\n"
        f"weights between two RGB images of 256 x 256: {_weights(result)}"
    )


def _weights(result: Result) -> str:
    names = {"dense": "linear", "conv_3": "3 x 3 convolution", "conv_5": "5 x 5 convolution"}
    return ", ".join(f"{name} {int(result[f'weights_{k}']):,}" for k, name in names.items())


def plot(result: Result) -> Figure:
    canvas, axes = plots.figure(2, 3, size=(4.2, 3.5))
    plain, of_moved = result["pair_maps"]
    down, right = SHOWN
    titles = "image", f"moved {down} px down, {right} right"
    for row, title in enumerate(titles):
        _show(canvas, axes[row, 0], result["pair"][row], title, "grey value")
        _show(canvas, axes[row, 1], result["pair_maps"][row], "its map", "activation", plain.max())
    back = np.full_like(plain, np.nan)
    rows, columns = plain.shape
    there = span(rows, down), span(columns, right)
    here = span(rows, -down), span(columns, -right)
    back[there] = np.abs(of_moved[there] - plain[here]) / np.abs(plain).max()
    largest = f"at most {np.nanmax(back):.2g} (grey: nothing to compare)"
    title = f"|second map - first map moved|\n{largest}"
    _show(canvas, axes[1, 2], 1e6 * back, title, "of the largest activation [$10^{-6}$]", 1.0)
    _draw(axes[0, 2], result)
    return canvas


def _show(
    canvas: Figure, axes: Axes, image: np.ndarray, title: str, unit: str, top: float | None = None
) -> None:
    axes.set_facecolor("#BBBBBB")
    drawn = axes.imshow(image, cmap="Greys", vmin=0, vmax=top)
    axes.set(title=title, xlabel="column [px]", ylabel="row [px]")
    axes.grid(visible=False)
    canvas.colorbar(drawn, ax=axes, label=unit)


def _draw(axes: Axes, result: Result) -> None:
    for (name, label), style in zip(NETWORKS.items(), plots.styles(), strict=False):
        plots.spread(axes, result["shifts"], 100 * result[f"accuracy_{name}"], label, style)
    axes.set(
        xlabel="shift of the test images [px]",
        ylabel="test accuracy [%]",
        title=f"{result['data']} (± 1 std over {_seeds(result)})",
    )
    axes.legend(fontsize="x-small", loc="lower left")


def _seeds(result: Result) -> str:
    return f"{len(result['accuracy_cnn'])} seeds"


def _maps_move(result: Result) -> dict[str, Sample]:
    return {kind: Sample(result[f"difference_{kind}"].ravel()) for kind in KINDS}


def _cnn_loses_less(result: Result) -> Sample:
    require_mnist(result)
    networks = ("mlp", "cnn")
    if min(result[f"accuracy_{network}"][:, 0].min() for network in networks) < LEARNED:
        raise NotMeasured("a network has not learned the digits")
    return Sample(*(100 / len(DIRECTIONS) * result[f"lost_{network}"] for network in networks))


def _intractable(result: Result) -> dict[str, Sample]:
    weights = np.atleast_1d(result["weights_dense"])
    return {"weights": Sample(weights), "memory": Sample(4 * weights / 1e9)}


def _worked_example(result: Result) -> Sample:
    return Sample(result["l2_output"], L2_OUTPUT)


CLAIMS = {
    "maps_move": _maps_move,
    "cnn_loses_less": _cnn_loses_less,
    "intractable": _intractable,
    "worked_example": _worked_example,
}
