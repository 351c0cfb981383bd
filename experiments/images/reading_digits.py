"""Templates, pixels that correlate, and pooling (rows G17, G22; L2, L4).

Claims: a convolution can be a crude "template matcher" (L2), and so can a linear classifier, whose
weights are then pictures of the classes; "in a typical image, the values of neighboring pixels tend
to be more highly correlated than those of distant ones" (L4); a pooled unit tells whether "a
particular feature is present in that neighborhood while ignoring the exact location" (L4).

Command: `make reading_digits`, a minute on one core; without MNIST it uses scikit-learn's digits,
and claims on samples of MNIST are not judged. Protocol, templates: softmax regression by L-BFGS,
with a small penalty, on images of its own for each seed; its weights are correlated with the mean
picture of each class. Pixels: Pearson's correlation of all pairs of pixels of an image at a
distance, to the right or down, of the ten photographs that `image_features` uses, and of 1,000
handwritten digits; as a control, the same of permuted pixels. Pooling: one active unit at every
position of a map, and digits of which the pixels are shuffled within the windows of the pooling.
What counts is in `experiments/claims/reading_digits`.
"""

from dataclasses import dataclass
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from jaxnets import plots
from jaxnets.claims import Sample
from jaxnets.data import Dataset, photographs

from ..lab.claims import Result, interval, markdown, rank_trend
from ..lab.judging import Measured, require_mnist
from ..shared.image_data import mnist_or_digits
from . import pixel_statistics as pixels

FAR = (1, 2, 4, 8, 16, 32)
"""Distances in photographs, in pixels."""
NEAR = {"mnist": (1, 2, 4, 8), "digits": (1, 2, 3)}
"""Distances in handwritten digits."""


@dataclass(frozen=True)
class Config:
    seeds: int = 8
    linear: int = 6250
    """Images that a linear classifier learns from."""
    l2: float = 1e-3
    steps: int = 200
    images: int = 1000
    """Digits of which the pixels are correlated."""
    pool: int = 2
    data: str = "mnist"
    seed: int = 1


SMOKE = Config(seeds=2, linear=200, steps=20, images=20, data="digits")


def run(config: Config, key: Array) -> Result:
    data, name = mnist_or_digits(config.data)
    order_key, pixel_key = jax.random.split(key)
    rng = np.random.default_rng(int(jax.random.bits(pixel_key)))
    result: Result = {"data": np.asarray(name)}
    result |= _templates(config, order_key, data)
    result |= _correlations(config, rng, data, name)
    return result | _pooling(config, rng, data)


def own_rows(key: Array, total: int, seeds: int, size: int) -> np.ndarray:
    """Draws rows for each seed, `[seeds, size or total]`; no two have one in common if possible."""
    if seeds * size <= total:
        return np.asarray(jax.random.permutation(key, total)[: seeds * size]).reshape(seeds, size)
    draw = jax.vmap(lambda key: jax.random.permutation(key, total)[:size])
    return np.asarray(draw(jax.random.split(key, seeds)))


def _templates(config: Config, key: Array, data: Dataset) -> Result:
    x, y = (np.asarray(data.train[name]) for name in ("x", "y"))
    rows = own_rows(key, len(y), config.seeds, config.linear)
    learn = jax.jit(partial(pixels.linear_classifier, l2=config.l2, steps=config.steps))
    weights, accuracies, norms, alike = [], [], [], []
    for own in rows:
        weight, bias, norm = learn(jnp.asarray(x[own]), jnp.asarray(y[own]))
        predicted = np.argmax(data.test["x"] @ np.asarray(weight).T + np.asarray(bias), axis=1)
        accuracies.append(np.mean(predicted == data.test["y"]))
        weights.append(np.asarray(weight))
        norms.append(norm)
        alike.append(pixels.likeness(weights[-1], pixels.mean_pictures(x[own], y[own])))
    return {
        "weights": weights[0],
        "means": pixels.mean_pictures(x[rows[0]], y[rows[0]]),
        "likeness": np.stack(alike),
        "linear_accuracy": np.asarray(accuracies),
        "linear_norm": np.asarray(norms),
        "misses": pixels.misses(_images(data.test["x"][:100])),
    }


def _images(x: np.ndarray) -> np.ndarray:
    side = int(np.sqrt(x.shape[1]))
    return np.asarray(x).reshape(-1, side, side)


def _correlations(config: Config, rng: np.random.Generator, data: Dataset, name: str) -> Result:
    grey = [photo.mean(axis=-1) for photo in photographs.load(photographs.KNOWN)]
    digits = _images(data.test["x"][: config.images])
    return {
        "photographs": np.stack([pixels.correlations(one, FAR) for one in grey]),
        "permuted": np.stack([pixels.correlations(pixels.shuffled(rng, one), FAR) for one in grey]),
        "digits": np.stack([pixels.correlations(one, NEAR[name]) for one in digits]),
    }


def _pooling(config: Config, rng: np.random.Generator, data: Dataset) -> Result:
    maps = _images(data.test["x"][:100])
    pooled, plain = pixels.shuffled_windows(rng, maps, config.pool)
    return {"shuffled_pooled": pooled, "shuffled": plain} | pixels.pooled_positions(config.pool, 4)


def table(result: Result) -> str:
    own, others = _own_and_others(result)
    name = str(result["data"])
    rows = [
        ["linear classifier: test accuracy", interval(result["linear_accuracy"]).percent()],
        ["its weights with the mean picture of their class", interval(own).decimals(2)],
        ["with those of other classes", interval(others).decimals(2)],
        ["pixels 1 px apart, photographs", interval(result["photographs"][:, 0]).decimals(2)],
        [f"pixels {FAR[-1]} px apart", interval(result["photographs"][:, -1]).decimals(2)],
        ["1 px apart, permuted", interval(result["permuted"][:, 0]).decimals(3)],
        [f"pixels 1 px apart, {name}", interval(result["digits"][:, 0]).decimals(2)],
        [f"pixels {NEAR[name][-1]} px apart", interval(result["digits"][:, -1]).decimals(2)],
    ]
    return f"{name}:\n" + markdown(["what", "measured"], rows)


def plot(result: Result) -> Figure:
    canvas, axes = plots.figure(2, 2, size=(5.6, 3.6))
    weights, means = result["weights"], result["means"]
    largest = np.abs(weights).max()
    _draw_pictures(canvas, axes[0, 0], means, "mean picture of each class", "Greys", 0, 1)
    title = "weights of a linear classifier"
    _draw_pictures(canvas, axes[0, 1], weights, title, "RdBu_r", -largest, largest)
    _draw_likeness(canvas, axes[1, 0], result["likeness"].mean(axis=0))
    _draw_correlations(axes[1, 1], result)
    return canvas


def _draw_pictures(
    canvas: Figure, axes: Axes, x: np.ndarray, title: str, colours: str, low: float, high: float
) -> None:
    images = _images(x)
    rows = [np.concatenate(list(images[i : i + 5]), axis=1) for i in (0, 5)]
    drawn = axes.imshow(np.concatenate(rows), cmap=colours, vmin=low, vmax=high)
    axes.set(title=title, xticks=[], yticks=[], xlabel="0 to 4, 5 to 9")
    axes.grid(visible=False)
    canvas.colorbar(drawn, ax=axes, label="grey value" if low == 0 else "weight")


def _draw_likeness(canvas: Figure, axes: Axes, values: np.ndarray) -> None:
    drawn = axes.imshow(values, cmap="RdBu_r", vmin=-1, vmax=1)
    axes.set(xlabel="mean picture of class", ylabel="weights of class")
    axes.set(title="correlation, mean over seeds", xticks=range(10), yticks=range(10))
    axes.grid(visible=False)
    canvas.colorbar(drawn, ax=axes, label="correlation")


def _draw_correlations(axes: Axes, result: Result) -> None:
    style, name = plots.styles(), str(result["data"])
    near = np.asarray(NEAR[name])
    plots.spread(axes, FAR, result["photographs"], "ten photographs (± 1 std)", next(style))
    label = f"{len(result['digits'])} images of {name} (± 1 std)"
    plots.spread(axes, near, result["digits"], label, next(style))
    plots.spread(axes, FAR, result["permuted"], "photographs, permuted pixels", next(style))
    axes.set_xscale("log", base=2)
    axes.set_xticks(FAR, [str(d) for d in FAR])
    axes.set(xlabel="distance [px]", ylabel="correlation", title="pixels of an image")
    axes.legend(fontsize="x-small")


def _own_and_others(result: Result) -> tuple[np.ndarray, np.ndarray]:
    """The correlation with a class's own picture and the mean of the others', `[seeds]`."""
    alike = result["likeness"]
    own = np.trace(alike, axis1=1, axis2=2) / 10
    return own, (alike.mean(axis=(1, 2)) * 10 - own) / 9


def _weights_are_pictures(result: Result) -> Measured:
    require_mnist(result)
    alike = result["likeness"]
    best = np.where(np.isnan(alike).any(axis=(1, 2)), np.nan, _share_of_best(alike))
    samples = {"lead": Sample(*_own_and_others(result)), "own is the best of ten": Sample(best)}
    norm = np.median(result["linear_norm"])
    return Measured(samples, f"L-BFGS; median norm of the gradient {norm:.0e}")


def _share_of_best(alike: np.ndarray) -> np.ndarray:
    return 100 * (alike.argmax(axis=2) == np.arange(10)).mean(axis=1)


def _template_matcher(result: Result) -> Sample:
    return Sample(result["misses"])


def _neighbours_correlate(result: Result) -> dict[str, Sample]:
    require_mnist(result)
    photos, digits = result["photographs"], result["digits"]
    return {
        "photographs: trend": Sample(rank_trend(FAR, photos)),
        "photographs: ends": Sample(photos[:, 0], photos[:, -1]),
        "photographs, permuted": Sample(result["permuted"][:, 0]),
        "digits: ends": Sample(digits[:, 0], digits[:, -1]),
    }


def _pooling_ignores_location(result: Result) -> dict[str, Sample]:
    return {
        "within a window": Sample(result["moved_within"]),
        "to another window": Sample(result["moved_out"]),
        "shuffled within windows": Sample(result["shuffled_pooled"]),
    }


CLAIMS = {
    "weights_are_pictures": _weights_are_pictures,
    "template_matcher": _template_matcher,
    "neighbours_correlate": _neighbours_correlate,
    "pooling_ignores_location": _pooling_ignores_location,
}
