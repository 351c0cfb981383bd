"""Two photographs as grey images of 51 x 51 pixels, and what is measured of them (row F6)."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

SIDE, SMALL = 51, 24
"""Pixels along a side of the image, and of the one it is resampled to."""
GREY = (0.299, 0.587, 0.114)
"""Luma of red, green and blue (ITU-R BT.601)."""


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
