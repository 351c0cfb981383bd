"""Published networks: their sizes, and what a trained one sees on photographs (rows C6, F14, F15).

Claims: AlexNet, VGG-19, GoogLeNet and ResNet as published, and L2's script, which loads weights and
prints the 15 best classes of a picture with their scores. On truly trained weights also L4's: some
first filters are very similar to derivatives of a Gaussian, and a step that cannot be seen flips
the class.

Command: `make published_networks WEIGHTS=squeezenet10.npz IMAGE=cat.png`, under a minute. WEIGHTS
is an `.npz`, `.safetensors` or PyTorch file of `network`, by default SqueezeNet, with the names of
PyTorch's model zoo or with its layers in order; without it only the counts are judged. IMAGE is any
picture that Pillow reads; without it four photographs of scikit-image are read: a cat, a cup of
coffee, a cameraman with his tripod, a motorcycle. SqueezeNet's authors scale pixels to 0 to 255 in
the order blue, green, red and subtract a mean colour; the others take red, green, blue,
standardised. The largest square in the middle is resized. What counts is in
`experiments/claims/published_networks`; the scores are those before the softmax, as in the lecture.
Steps are taken, on these and on six more photographs, in every pixel along the sign of the gradient
that lowers the best class's score against all others, and along random signs.

Expect SqueezeNet to read all four photographs, and a step of 2 of 255 grey values to change its
mind about nearly all.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from jaxnets import plots, weights
from jaxnets.analysis.inference import inference
from jaxnets.claims import Sample
from jaxnets.data import photographs
from jaxnets.models import CNN, count_parameters, fold_normalisation
from jaxnets.models.published import NETWORKS
from jaxnets.storage.digest import digest_of_files

from ..lab.claims import Result, markdown
from ..lab.judging import NotMeasured
from .adversarial import deficit
from .gaussian_bank import bank, match
from .pictures import label, prepared, read_picture

PHOTOGRAPHS = {
    "chelsea": "Egyptian cat",
    "coffee": "espresso",
    "camera": "tripod",
    "motorcycle": "moped",
}
"""Four photographs, and what they show in the words of ImageNet."""
OTHERS = ("astronaut", "china", "flower", "hubble", "retina", "rocket")
"""Photographs whose class is changed too, whatever it is."""
STEPS = (0.5, 1.0, 2.0, 4.0)
"""Grey values of 255."""
SHOWN = 5
"""Classes of a picture in the figure."""


@dataclass(frozen=True)
class Config:
    network: str = "squeezenet"
    weights: str = ""
    """The path of a file; nothing for counts only."""
    image: str = ""
    """The path of a picture; nothing for four photographs."""
    top: int = 15
    judged: float = 2.0
    """The step whose flips are judged, one of `STEPS`."""
    draws: int = 8
    """Random signs a picture."""
    seed: int = 1


SMOKE = Config(draws=2)


def run(config: Config, key: Array) -> Result:
    result: Result = {
        "names": np.asarray(list(NETWORKS)),
        "counts": np.asarray([_count(name) for name in NETWORKS]),
        "network": np.asarray(config.network),
    }
    if not config.weights:
        print("no weights: pass WEIGHTS=FILE, with NETWORK's trained weights, to see pictures")
        return result
    published = NETWORKS[config.network]
    model = published.build()
    model, variables = fold_normalisation(model, _variables(config, model))
    named = _pictures(config.image)
    shown = len(named) if config.image else len(PHOTOGRAPHS)
    x = np.stack([prepared(picture, config.network, published.side) for picture in named.values()])
    scores = inference(model, variables)(x)
    best = np.argsort(-scores[:shown], axis=1)[:, : config.top]
    kernel = np.asarray(variables["params"]["layers_0"]["kernel"], np.float64)
    return result | {
        "pictures": np.asarray(list(named)[:shown]),
        "shown": np.stack([_thumbnail(picture) for picture in list(named.values())[:shown]]),
        "scores": scores,
        "best": best,
        "labels": np.asarray([[label(int(k)) for k in row] for row in best]),
        "filters": kernel,
        **_similarities(kernel),
        "judged": np.asarray(config.judged),
        **_attack(config, key, model, variables, x),
    }


def _count(name: str) -> int:
    """Parameters of a network, by its shapes alone."""
    published = NETWORKS[name]
    image = jax.ShapeDtypeStruct((1, published.side, published.side, 3), jnp.float32)
    shapes = jax.eval_shape(published.build().init, jax.random.key(0), image)
    return count_parameters(shapes["params"])


def _variables(config: Config, model: CNN) -> Any:
    """The weights of a file, by PyTorch's names if it has these, or in its own order."""
    side, names = NETWORKS[config.network].side, weights.torch_names(config.network)
    by_name = f"{names[0]}.weight" in weights.read(config.weights)
    return weights.load(model, config.weights, side, names if by_name else None)


def _pictures(path: str) -> dict[str, np.ndarray]:
    if path:
        return {path: read_picture(path)}
    names = (*PHOTOGRAPHS, *OTHERS)
    return dict(zip(names, photographs.load(names), strict=True))


def _thumbnail(picture: np.ndarray) -> np.ndarray:
    return prepared(picture, "", 160).astype(np.uint8)


def _similarities(kernel: np.ndarray) -> Result:
    """Each filter's largest |cosine| with a Gaussian's derivatives, and that of Gaussian noise."""
    size = kernel.shape[0]
    grey = np.moveaxis(kernel.mean(2), -1, 0).reshape(kernel.shape[-1], size**2)
    noise = np.random.default_rng(0).normal(size=grey.shape)
    derivatives = bank(size).filters
    pairs = {"similarity": grey, "similarity_noise": noise}
    return {name: match(filters, derivatives)[0] for name, filters in pairs.items()}


def _attack(config: Config, key: Array, model: CNN, variables: Any, x: np.ndarray) -> Result:
    """Whether the best class changes, by steps `[pictures, steps]`, and along random signs too."""

    @jax.jit
    def classes(x: Array) -> Array:
        return model.apply(variables, x).argmax(-1)

    @jax.jit
    def signs(x: Array, y: Array) -> Array:
        lowered = jax.grad(lambda x: deficit(model.apply(variables, x), y).sum())
        return jnp.sign(lowered(x))

    y = classes(x)
    unit = 1.0 if config.network == "squeezenet" else 1 / 255 / 0.226
    along = signs(x, y)
    flips = [classes(x + unit * step * along) != y for step in STEPS]
    random = jax.random.rademacher(key, (config.draws, *x.shape), x.dtype)
    noise = [[classes(x + unit * step * one) != y for one in random] for step in STEPS]
    return {
        "flips": np.asarray(flips).T,
        "random_flips": np.asarray(noise).mean(1).T,
        "changed": np.asarray([label(int(k)) for k in classes(x + unit * config.judged * along)]),
    }


def inputs(config: Config) -> str:
    """Digests the files that were given."""
    return digest_of_files([Path(path) for path in (config.weights, config.image) if path])


def table(result: Result) -> str:
    rows = [
        [name, f"{count:,}", f"{NETWORKS[str(name)].parameters:,}"]
        for name, count in zip(result["names"], result["counts"], strict=True)
    ]
    text = markdown(["network", "parameters", "published"], rows)
    if "scores" not in result:
        return text
    blocks = [
        "\n".join([f"{picture}:", *_lines(scores, best, labels)])
        for picture, scores, best, labels in zip(
            *(result[part] for part in ("pictures", "scores", "best", "labels")), strict=False
        )
    ]
    return "\n\n".join([text, *blocks])


def _lines(scores: np.ndarray, best: np.ndarray, labels: np.ndarray) -> list[str]:
    """As L2 prints them: the rank, the score, the class."""
    return [
        f"#{i} ({scores[k]:.2f}) {name}"
        for i, (k, name) in enumerate(zip(best, labels, strict=True), 1)
    ]


def plot(result: Result) -> Figure:
    if "scores" not in result:
        canvas, axes = plots.figure(1, 1, size=(5.0, 3.4))
        _draw_counts(axes[0, 0], result)
        return canvas
    pictures = len(result["pictures"])
    canvas, axes = plots.figure(2, max(pictures, 3), size=(3.4, 3.0))
    for panel in axes.ravel():
        panel.set_axis_off()
    for i in range(pictures):
        _draw_picture(axes[0, i], result, i)
    for panel in axes[1, :3]:
        panel.set_axis_on()
    _draw_counts(axes[1, 0], result)
    _draw_filters(axes[1, 1], result)
    _draw_flips(axes[1, 2], result)
    return canvas


def _draw_counts(axes: Axes, result: Result) -> None:
    names = [str(name) for name in result["names"]]
    axes.barh(names, result["counts"] / 1e6, color=plots.COLOURS[0])
    axes.set(xscale="log", xlabel="million parameters", title="published networks")


def _draw_picture(axes: Axes, result: Result, i: int) -> None:
    axes.imshow(result["shown"][i])
    best = [
        f"{result['scores'][i, k]:.1f} {str(name).partition(',')[0]}"
        for k, name in zip(result["best"][i, :SHOWN], result["labels"][i], strict=False)
    ]
    after = str(result["changed"][i]).partition(",")[0]
    last = f"after a step of {result['judged']:g}: {after}"
    axes.set_title("\n".join([*best, last]), fontsize="small", loc="left")


def _draw_filters(axes: Axes, result: Result) -> None:
    """All first filters, from the most to the least like a Gaussian's derivative."""
    kernel, order = result["filters"], np.argsort(-result["similarity"])
    size, columns = kernel.shape[0], 12
    rows = -(-len(order) // columns)
    sheet = np.ones((rows * (size + 1), columns * (size + 1), 3))
    for place, k in enumerate(order):
        tile = kernel[..., k]
        tile = (tile - tile.min()) / np.ptp(tile)
        top, left = (size + 1) * (place // columns), (size + 1) * (place % columns)
        sheet[top : top + size, left : left + size] = tile[..., ::-1]
    axes.imshow(sheet)
    axes.set_axis_off()
    axes.set_title("first filters, most like derivatives first", fontsize="small")


def _draw_flips(axes: Axes, result: Result) -> None:
    style = plots.styles()
    for name, part in (
        ("along the gradient's signs", "flips"),
        ("along random signs", "random_flips"),
    ):
        axes.plot(STEPS, 100 * result[part].mean(axis=0), label=name, **next(style))
    axes.set(xlabel="step [grey values of 255]", ylabel="pictures that flip [%]", ylim=(-4, 104))
    axes.legend(fontsize="small")


def _counts(result: Result) -> dict[str, Sample]:
    return {
        str(name): Sample([count])
        for name, count in zip(result["names"], result["counts"], strict=True)
    }


def _require_weights(result: Result) -> None:
    if "scores" not in result:
        raise NotMeasured("needs trained weights: WEIGHTS=FILE")


def _reads_pictures(result: Result) -> dict[str, Sample]:
    _require_weights(result)
    if [*result["pictures"]] != [*PHOTOGRAPHS]:
        raise NotMeasured("needs the four photographs")
    first = [str(labels[0]).partition(",")[0] for labels in result["labels"]]
    pairs = zip(PHOTOGRAPHS.items(), first, strict=True)
    return {name: Sample([float(found == word)]) for (name, word), found in pairs}


def _filters(result: Result) -> dict[str, Sample]:
    _require_weights(result)
    noise = np.percentile(result["similarity_noise"], 95)
    return {
        "very similar": Sample(result["similarity"] > 0.9),
        "more than noise": Sample(result["similarity"] > noise),
    }


def _flips(result: Result) -> dict[str, Sample]:
    _require_weights(result)
    at = STEPS.index(float(result["judged"]))
    flips, noise = result["flips"][:, at], result["random_flips"][:, at]
    return {"flipped": Sample(flips.astype(float)), "over random": Sample(1.0 * flips, noise)}


Measure = Callable[[Result], dict[str, Sample]]
CLAIMS: dict[str, Measure] = {
    "published_counts": _counts,
    "reads_pictures": _reads_pictures,
    "filters_are_derivatives": _filters,
    "small_steps_flip": _flips,
}
