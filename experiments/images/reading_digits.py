"""Data, depth and an SVM; templates, pixels and pooling (rows G4, G8, G17, G22; L0, L2, L4).

Claims: "the more training data the better", and "given enough training data, deeper is better"
(L0); that SVMs are superior to networks "is no longer the case" (L0, L4); a convolution can be a
crude "template matcher" (L2), and so can a linear classifier, whose weights are then pictures of
the classes; "in a typical image, the values of neighboring pixels tend to be more highly correlated
than those of distant ones" (L4); a pooled unit tells whether "a particular feature is present in
that neighborhood while ignoring the exact location" (L4).

Command: `make reading_digits`, three minutes on one core; without MNIST it uses scikit-learn's
digits, and claims on samples of MNIST are not judged. Protocol, data and depth: ReLU layers of 40
units, Adam on mini-batches of 32 whose rate falls to zero over as many updates for all; each seed
has images of its own. SVM: 10,000 images for all learners, an RBF kernel with C = 10, an MLP of two
layers of 120 units and LeNet-5, tested along the way, so that a figure shows from how many updates
on a network is ahead. Templates: softmax regression by L-BFGS, with a small penalty, on images of
its own for each seed; its weights are correlated with the mean picture of each class. Pixels:
Pearson's correlation of all pairs of pixels of an image at a distance, to the right or down, of the
ten photographs that `image_features` uses, and of 1,000 handwritten digits; as a control, the same
of permuted pixels. Pooling: one active unit at every position of a map, and digits of which the
pixels are shuffled within the windows of the pooling. What counts is in
`experiments/claims/reading_digits`. Expect depth to pay from 1,600 samples on, not before; LeNet-5
to pass the SVM late, 0.2 points ahead after 3,000 updates and 0.8 after 12,000, and the MLP to stay
half a point behind; and templates that correlate by 0.4 with the pictures of their classes.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from jaxnets.claims import Sample
from jaxnets.data import Dataset, photographs

from ..lab.claims import Result, interval, markdown, rank_trend
from ..lab.judging import Measured, require_mnist
from ..shared.image_data import mnist_or_digits
from . import digit_learners
from . import pixel_statistics as pixels
from .digit_figures import accuracies
from .digit_figures import plot as plot
from .digit_learners import NETWORKS


@dataclass(frozen=True)
class Config:
    seeds: int = 8
    sizes: tuple[int, ...] = (100, 400, 1600, 6250)
    depths: tuple[int, ...] = (1, 2, 3)
    width: int = 40
    updates: int = 2000
    batch_size: int = 32
    learning_rate: float = 2e-3
    trained: int = 10000
    """Images that the SVM and the networks beside it learn from."""
    networks: int = 6
    hidden: int = 120
    svm_penalty: float = 10.0
    budget: int = 3000
    """Updates of the networks beside the SVM, tested after 1/64, ..., 1/2 and all of them."""
    linear: int = 6250
    """Images that a linear classifier learns from."""
    l2: float = 1e-3
    steps: int = 200
    images: int = 1000
    """Digits of which the pixels are correlated."""
    pool: int = 2
    data: str = "mnist"
    seed: int = 1


SMOKE = Config(
    seeds=2, sizes=(20, 100), updates=20, trained=200, networks=2, budget=64,
    linear=200, steps=20, images=20, data="digits",
)  # fmt: skip


def run(config: Config, key: Array) -> Result:
    data, name = mnist_or_digits(config.data)
    order_key, pixel_key, depth_key, svm_key = jax.random.split(key, 4)
    rng = np.random.default_rng(int(jax.random.bits(pixel_key)))
    result: Result = {"data": np.asarray(name)}
    result |= _data_and_depth(config, depth_key, data)
    result |= _against_svm(config, svm_key)
    result |= _templates(config, order_key, data)
    result |= _correlations(config, rng, data, name)
    return result | _pooling(config, rng, data)


def _data_and_depth(config: Config, key: Array, data: Dataset) -> Result:
    row_key, key = jax.random.split(key)
    rows = own_rows(row_key, len(data.train["y"]), config.seeds, config.sizes[-1])
    print("training on samples and depths", flush=True)
    right = digit_learners.by_samples_and_depth(
        key, data, rows, config.sizes, config.depths, config.width, config.updates,
        config.batch_size, config.learning_rate,
    )  # fmt: skip
    return {
        "sizes": np.asarray(config.sizes),
        "depths": np.asarray(config.depths),
        "width": np.asarray(config.width),
        "right": right,
    }


def _against_svm(config: Config, key: Array) -> Result:
    data, name = mnist_or_digits(config.data, flat=False)
    records = [config.budget // 2**halved for halved in range(6, -1, -1)]
    print("training an SVM, and networks beside it", flush=True)
    found = digit_learners.against_svm(
        key, data, name, config.trained, config.networks, config.hidden, config.svm_penalty,
        records, config.batch_size, config.learning_rate,
    )  # fmt: skip
    return {"records": np.asarray(records)} | {f"read_{n}": r for n, r in found.items()}


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
        "misses": pixels.misses(pixels.as_images(data.test["x"][:100])),
    }


def _correlations(config: Config, rng: np.random.Generator, data: Dataset, name: str) -> Result:
    grey = [photo.mean(axis=-1) for photo in photographs.load(photographs.KNOWN)]
    digits = pixels.as_images(data.test["x"][: config.images])
    return {
        "photographs": np.stack([pixels.correlations(one, pixels.FAR) for one in grey]),
        "permuted": np.stack(
            [pixels.correlations(pixels.shuffled(rng, one), pixels.FAR) for one in grey]
        ),
        "digits": np.stack([pixels.correlations(one, pixels.NEAR[name]) for one in digits]),
    }


def _pooling(config: Config, rng: np.random.Generator, data: Dataset) -> Result:
    maps = pixels.as_images(data.test["x"][:100])
    pooled, plain = pixels.shuffled_windows(rng, maps, config.pool)
    return {"shuffled_pooled": pooled, "shuffled": plain} | pixels.pooled_positions(config.pool, 4)


def table(result: Result) -> str:
    own, others = _own_and_others(result)
    name = str(result["data"])
    rows = [
        [f"{d} x {result['width']}, {n} samples: test accuracy", interval(values).percent()]
        for d, by_size in zip(result["depths"], np.moveaxis(accuracies(result), 2, 0), strict=True)
        for n, values in zip(result["sizes"], by_size.T, strict=True)
    ]
    rows.append(["RBF SVM", f"{100 * result['read_svm'].mean():.2f} %"])
    rows += [[f"{label} beside it", _last(result, n)] for n, label in NETWORKS.items()]
    rows += [
        ["linear classifier: test accuracy", interval(result["linear_accuracy"]).percent()],
        ["its weights with the mean picture of their class", interval(own).decimals(2)],
        ["with those of other classes", interval(others).decimals(2)],
        ["pixels 1 px apart, photographs", interval(result["photographs"][:, 0]).decimals(2)],
        [f"pixels {pixels.FAR[-1]} px apart", interval(result["photographs"][:, -1]).decimals(2)],
        ["1 px apart, permuted", interval(result["permuted"][:, 0]).decimals(3)],
        [f"pixels 1 px apart, {name}", interval(result["digits"][:, 0]).decimals(2)],
        [f"pixels {pixels.NEAR[name][-1]} px apart", interval(result["digits"][:, -1]).decimals(2)],
    ]
    return f"{name}:\n" + markdown(["what", "measured"], rows)


def _last(result: Result, network: str) -> str:
    """The accuracy after all updates, and how many it takes to pass the SVM."""
    curves = result[f"read_{network}"].mean(axis=-1)
    first = digit_learners.passing(result["records"], curves, result["read_svm"].mean())
    ahead = int(np.isfinite(first).sum())
    passes = f", from {np.nanmedian(first):.0f} updates on" if ahead else ""
    return f"{interval(curves[:, -1]).percent()}, {ahead} of {len(first)} ahead{passes}"


def _own_and_others(result: Result) -> tuple[np.ndarray, np.ndarray]:
    """The correlation with a class's own picture and the mean of the others', `[seeds]`."""
    alike = result["likeness"]
    own = np.trace(alike, axis1=1, axis2=2) / 10
    return own, (alike.mean(axis=(1, 2)) * 10 - own) / 9


def _more_data_is_better(result: Result) -> dict[str, Sample]:
    require_mnist(result)
    samples = {}
    for i, depth in enumerate(result["depths"]):
        right = 100.0 * result["right"][:, :, i]
        samples[f"trend, {depth}"] = Sample(rank_trend(result["sizes"], right.mean(axis=-1)))
        samples[f"last step, {depth}"] = Sample(right[:, -1], right[:, -2])
    return samples


def _deeper_is_better(result: Result) -> dict[str, Sample]:
    require_mnist(result)
    right = 100.0 * result["right"][:, -1]
    one, *deeper = np.moveaxis(right, 1, 0)
    return {
        f"{d} over 1": Sample(r, one) for d, r in zip(result["depths"][1:], deeper, strict=True)
    }


def _beside_svm(network: str) -> Callable[[Result], Measured]:
    def measure(result: Result) -> Measured:
        require_mnist(result)
        right = 100.0 * result[f"read_{network}"][:, -1]
        svm = np.broadcast_to(100.0 * result["read_svm"], right.shape)
        return Measured(Sample(right, svm), f"Adam, {result['records'][-1]} updates, rate to 0")

    return measure


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
        "photographs: trend": Sample(rank_trend(pixels.FAR, photos)),
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
    "more_data_is_better": _more_data_is_better,
    "deeper_is_better": _deeper_is_better,
    "mlp_beside_svm": _beside_svm("mlp"),
    "convolutions_pass_svm": _beside_svm("convolutions"),
    "weights_are_pictures": _weights_are_pictures,
    "template_matcher": _template_matcher,
    "neighbours_correlate": _neighbours_correlate,
    "pooling_ignores_location": _pooling_ignores_location,
}
