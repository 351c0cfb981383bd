"""What the networks of `first_filters` learn from: digits, rotated patches, noisy patches."""

from typing import Any, NamedTuple

import numpy as np

from jaxnets.data import Dataset, photographs
from jaxnets.models import CNN, Activate, Conv, Dense, Flatten, MaxPool
from jaxnets.models.cnn import small_cnn

from ..shared.image_data import mnist_or_digits

PATCH = 24
FILTERS = 32


class Task(NamedTuple):
    """What a network learns."""

    model: CNN
    loss: str
    epochs: int
    data: Dataset


def tasks(config: Any) -> tuple[dict[str, Task], str]:
    """Returns what the networks learn, by name, and the name of the data set of digits.

    `config` is that of `first_filters`.
    """
    digits, name = mnist_or_digits(config.data, flat=False)
    model = small_cnn() if name == "mnist" else _tiny_cnn()
    entropy = "softmax_cross_entropy"
    rotated, noisy = patches(config.patches, config.noise, config.seed)
    found = {
        "digits": Task(model, entropy, config.epochs, digits),
        "rotation": Task(_classifier(), entropy, config.patch_epochs, rotated),
        "noise": Task(_denoiser(), "squared_error", config.patch_epochs, noisy),
    }
    return found, name


def _tiny_cnn() -> CNN:
    """For scikit-learn's digits, which are too small for L2's network."""
    layers = (Conv(FILTERS, 3), Activate("relu"), MaxPool(2), Flatten(), Dense(10, "lecun"))
    return CNN(layers)


def _classifier() -> CNN:
    """24 x 24 to 18, pooled 9, 6, pooled 3."""
    return CNN(
        (
            *(Conv(FILTERS, 7), Activate("relu"), MaxPool(2)),
            *(Conv(48, 4), Activate("relu"), MaxPool(2)),
            Flatten(),
            *(Dense(64), Activate("relu")),
            Dense(4, "lecun"),
        )
    )


def _denoiser() -> CNN:
    """16 x 16 to the 4 x 4 pixels in the middle, whose windows are inside the patch."""
    return CNN((Conv(FILTERS, 7), Activate("relu"), Conv(1, 7, gain="lecun"), Flatten()))


def patches(n: int, noise: float, seed: int) -> tuple[Dataset, Dataset]:
    """Cuts rotated patches with their quarter turns, and noisy ones with their clean middles.

    n of them from the left three quarters of the photographs to train on, n / 4 from the rest to
    test on; grey, of mean 0 and variance 1 over all pixels of both photographs.
    """
    random = np.random.default_rng(seed)
    parts = zip(photographs.sides(_grey()), (n, n // 4), strict=True)
    clean = [photographs.crops(random, part, count, PATCH) for part, count in parts]
    rotated = [_rotate(random, x) for x in clean]
    noisy = [_add_noise(random, x, noise) for x in clean]
    return Dataset(rotated[0], test=rotated[1]), Dataset(noisy[0], test=noisy[1])


def _grey() -> np.ndarray:
    """`[photographs, rows, columns]`, float32."""
    colour = photographs.load(photographs.SCIKIT_LEARN)
    grey = np.stack([photograph.mean(axis=-1) for photograph in colour])
    return ((grey - grey.mean()) / grey.std()).astype(np.float32)


def _rotate(random: np.random.Generator, x: np.ndarray) -> dict[str, np.ndarray]:
    turns = random.integers(4, size=len(x))
    turned = np.stack([np.rot90(patch, k) for patch, k in zip(x, turns, strict=True)])
    return {"x": turned[..., None], "y": turns.astype(np.int32)}


def _add_noise(random: np.random.Generator, x: np.ndarray, noise: float) -> dict[str, np.ndarray]:
    x = x[:, 4:-4, 4:-4]
    noisy = x + noise * random.standard_normal(x.shape, np.float32)
    return {"x": noisy[..., None].astype(np.float32), "y": x[:, 6:-6, 6:-6].reshape(len(x), -1)}
