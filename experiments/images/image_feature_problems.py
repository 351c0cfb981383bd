"""The problems of `image_features`: patches of photographs and digits, classified by features.

`config` is that of `image_features`.
"""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

import jaxnets as jn
from jaxnets import augment
from jaxnets.analysis import evaluate
from jaxnets.data import Dataset, photographs
from jaxnets.models import CNN, Activate, Conv, Dense, Flatten, MaxPool

from ..lab.claims import Result
from ..shared.best import best
from ..shared.image_data import mnist_or_digits
from ..shared.image_networks import LOSS, adam_cosine_spec
from . import image_descriptors as descriptors

CELL, WINDOW, STRIDE, WORDS = 8, 8, 4, 64
"""Pixels of a HOG's cell, of a visual word, between windows; words."""
SHALLOW = {
    "pixels": "raw pixels",
    "colours": "colour histogram",
    "hog": "HOG",
    "words": "bag of visual words",
}
TOGETHER = ("colours", "hog", "words")
"""The hand-made features, which are also put side by side."""
CONTENDERS = SHALLOW | {"together": "features together", "network": "network on pixels"}
DIGITS = {"pixels": "raw pixels", "hog": "HOG", "orientations": "HOG averaged over cells"}
MEASURED = ("photographs", "colour_change", "moved")
"""What is measured on patches for every seed."""
SHIFTS = (0, 1, 2)
"""How far images are changed: so many pixels, or as `CHANGES` says."""
TURN, NOISE = 5.0, 0.1
"""Of a change by 1: degrees, which move the border of a digit by a pixel, and a deviation."""
SHOWN = 6
"""Patches of each photograph in the figure."""

Part = dict[str, np.ndarray]
Features = Callable[[np.ndarray], np.ndarray]


def linear_classifier(name: str) -> Any:
    """Returns a classifier of `CLASSIFIERS` on standardised features."""
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    return make_pipeline(StandardScaler(), CLASSIFIERS[name]())


def _ridge() -> Any:
    from sklearn.linear_model import RidgeClassifierCV

    return RidgeClassifierCV(np.logspace(0, 6, 7))


def _logistic_regression() -> Any:
    from sklearn.linear_model import LogisticRegression

    return LogisticRegression(C=PENALTY, max_iter=1000)


def _linear_svm() -> Any:
    from sklearn.svm import LinearSVC

    return LinearSVC(C=PENALTY, dual=True, max_iter=10_000, random_state=0)


PENALTY = 0.01
"""The inverse of the penalty of classifiers that do not choose it: there are few samples."""
CLASSIFIERS: dict[str, Callable[[], Any]] = {
    "ridge": _ridge,
    "logistic regression": _logistic_regression,
    "linear SVM": _linear_svm,
}
"""scikit-learn's; the ridge classifier chooses its penalty by leave-one-out validation."""


def _noise(key: Array, x: Array, by: int) -> Array:
    return x + by * NOISE * jax.random.normal(key, x.shape)


CHANGES: dict[str, Callable[[Array, Array, int], Array]] = {
    "shift": augment.shift,
    "rotation": lambda key, x, by: augment.affine(key, x, degrees=TURN * by, zoom=0.0, pixels=0.0),
    "noise": _noise,
}
"""What makes small changes of images; all of them take a key, images and how far."""


def patches(
    config: Any,
    pictures: list[np.ndarray],
    seed: int,
    key: Array,
    checkpoints: jn.CheckpointConfig | None = None,
) -> Result:
    """Measures accuracies `[contenders, 2]` on test patches, and with their pixels shuffled.

    A seed's patches come from either side of an edge through the photographs, which it turns.
    Also the largest change of a colour histogram by shuffling, the share of pixels that it moves,
    the first test patches of each photograph, and the visual words.
    """
    random = np.random.default_rng([config.seed, seed])
    turned = [np.rot90(picture, seed)[None] for picture in pictures]
    left, right = zip(*map(photographs.sides, turned), strict=True)
    train, valid, test = (
        photographs.labelled_crops(random, [side[0] for side in part], each, config.patch)
        for part, each in ((left, config.train), (left, config.test), (right, config.test))
    )
    tests = [test, test | {"x": descriptors.shuffle_pixels(random, test["x"])}]
    book = descriptors.codebook(random, train["x"], WORDS, WINDOW)
    features: dict[str, Features] = {
        "pixels": _flat,
        "colours": descriptors.colour_histogram,
        "hog": lambda x: _flat(descriptors.oriented_gradients(x, CELL)),
        "words": partial(descriptors.visual_words, book, size=WINDOW, stride=STRIDE),
    }
    features["together"] = lambda x: join([features[name](x) for name in TOGETHER])
    fitted = linear_classifier(config.classifier)
    accuracies = [_shallow(fitted, describe, train, tests) for describe in features.values()]
    accuracies.append(_network(config, key, train, valid, tests, checkpoints=checkpoints))
    print(f"seed {seed}: {np.round(100 * np.asarray(accuracies)[:, 0])} %", flush=True)
    colours, of_shuffled = (features["colours"](part["x"]) for part in tests)
    return {
        "photographs": np.asarray(accuracies),
        "colour_change": np.abs(of_shuffled - colours).max(),
        "moved": (tests[0]["x"] != tests[1]["x"]).any(axis=-1).mean(),
        "shown": test["x"].reshape(len(pictures), -1, *test["x"].shape[1:])[:, :SHOWN],
        "book": book.cluster_centers_.reshape(WORDS, WINDOW, WINDOW, 3).astype(np.uint8),
    }


def join(described: Sequence[np.ndarray]) -> np.ndarray:
    """Puts features `[images, ...]` side by side, so that a linear classifier sees all of them."""
    return np.concatenate(described, axis=1)


def _flat(x: np.ndarray) -> np.ndarray:
    return x.reshape(len(x), -1).astype(np.float32)


def _shallow(classifier: Any, features: Features, train: Part, tests: list[Part]) -> list[float]:
    machine = classifier.fit(features(train["x"]), train["y"])
    return [machine.score(features(test["x"]), test["y"]) for test in tests]


def network() -> CNN:
    """Returns a network that takes patches of 32 x 32 to 14, pooled 7, 5."""
    first = (Conv(16, 5, 2), Activate("relu"), MaxPool(2))
    second = (Conv(32, 3), Activate("relu"), Flatten())
    return CNN((*first, *second, Dense(len(photographs.KNOWN), "lecun")))


def _network(
    config: Any,
    key: Array,
    train: Part,
    valid: Part,
    tests: list[Part],
    checkpoints: jn.CheckpointConfig | None = None,
) -> list[float]:
    """Accuracies of the network whose rate of `config.rates` is best on `valid`."""
    data = Dataset(_scale(train), _scale(valid))
    model = network()
    spec = adam_cosine_spec(model, LOSS, config.epochs, config.batch_size, data)
    keys = jax.random.split(key, len(config.rates))
    states, history = jn.sweep(
        spec, keys, data, jn.grid(learning_rate=config.rates), checkpoints=checkpoints
    )
    chosen = best(history["valid_accuracy"][:, -1])
    return [evaluate.accuracies(model, LOSS, states.params, _scale(test))[chosen] for test in tests]


def _scale(part: Part) -> Part:
    """Pixels from 0..255 to -1..1."""
    return part | {"x": part["x"] / np.float32(127.5) - 1}


def digits(config: Any, key: Array) -> Result:
    """Measures accuracies `[seeds, DIGITS, SHIFTS]` on digits changed by up to `SHIFTS`."""
    data, name = mnist_or_digits(config.data, flat=False, valid=0)
    random, n = np.random.default_rng(config.seed), config.images
    train, test = _some(random, data.train, 4 * n), _some(random, data.test, 2 * n)
    cell = max(2, train["x"].shape[1] // 7)
    change = CHANGES[config.changes]
    moved = [np.asarray(change(key, jnp.asarray(test["x"]), by)) for by in SHIFTS]
    seen, *tests = (_describe(x, cell) for x in (train["x"], *moved))
    accuracies = []
    for _ in range(config.seeds):
        rows, tested = (random.permutation(len(part["y"]))[:n] for part in (train, test))
        machines = {
            f: linear_classifier(config.classifier).fit(seen[f][rows], train["y"][rows])
            for f in DIGITS
        }
        accuracies.append(
            [[m.score(x[f][tested], test["y"][tested]) for x in tests] for f, m in machines.items()]
        )
    return {"data": np.asarray(name), "digits": np.asarray(accuracies)}


def _some(random: np.random.Generator, part: Part, n: int) -> Part:
    rows = random.permutation(len(part["y"]))[:n]
    return {axis: values[rows] for axis, values in part.items()}


def _describe(x: np.ndarray, cell: int) -> dict[str, np.ndarray]:
    cells = descriptors.oriented_gradients(x, cell)
    return {"pixels": _flat(x), "hog": _flat(cells), "orientations": cells.mean(axis=(1, 2))}
