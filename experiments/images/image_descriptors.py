"""Hand-made features of images: colours, oriented gradients, bags of visual words (row A10)."""

import numpy as np
from sklearn.cluster import KMeans

from jaxnets.data import photographs

ORIENTATIONS = 9


def colour_histogram(x: np.ndarray, levels: int = 4) -> np.ndarray:
    """Computes the share of pixels in each of `levels^3` colour boxes, `[images, levels^3]` (L3).

    `x [images, rows, columns, 3]`, uint8; red is the slowest index.
    """
    red, green, blue = np.moveaxis(x // (256 // levels), -1, 0).astype(int)
    boxes = (levels * red + green) * levels + blue
    return np.mean(boxes.reshape(len(x), -1, 1) == np.arange(levels**3), axis=1)


def oriented_gradients(x: np.ndarray, cell: int = 8) -> np.ndarray:
    """Computes distributions of edge directions by cell, `[images, cells, cells, 9]` (L2, L3).

    scikit-image's histograms of gradients over 9 directions of half a turn, weighted by their
    strength, of `cell x cell` pixels; each sums to 1, or to 0 where nothing changes. Pixels outside
    full cells are left out (Dalal and Triggs, 2005). `x [images, rows, columns, channels]`; of
    several channels a pixel takes the strongest gradient.
    """
    from skimage.feature import hog

    def distributions(image: np.ndarray) -> np.ndarray:
        return hog(
            image,
            ORIENTATIONS,
            pixels_per_cell=(cell, cell),
            cells_per_block=(1, 1),
            block_norm="L1",
            feature_vector=False,
            channel_axis=-1,
        )[:, :, 0, 0]

    return np.stack([distributions(image) for image in x])


def codebook(random: np.random.Generator, x: np.ndarray, words: int, size: int) -> KMeans:
    """Learns visual words: centres of random windows `size x size` of the images (L3).

    k-means over 30 windows per word, from `x [images, rows, columns, channels]`.
    """
    windows = photographs.crops(random, x, 30 * words, size).reshape(30 * words, -1)
    start = int(random.integers(2**31))
    return KMeans(words, n_init=1, random_state=start).fit(windows.astype(np.float32))


def visual_words(book: KMeans, x: np.ndarray, size: int, stride: int) -> np.ndarray:
    """Counts how often each word of the codebook is nearest to a window, `[images, words]` (L3).

    Shares of all windows `size x size` of an image, `stride` pixels apart.
    """
    windows = np.lib.stride_tricks.sliding_window_view(x, (size, size), (1, 2))
    windows = np.moveaxis(windows[:, ::stride, ::stride], 3, -1)
    flat = windows.reshape(-1, size * size * x.shape[-1]).astype(np.float32)
    nearest = book.predict(flat).reshape(len(x), -1, 1)
    return np.mean(nearest == np.arange(book.n_clusters), axis=1)


def shuffle_pixels(random: np.random.Generator, x: np.ndarray) -> np.ndarray:
    """Shuffles the pixels of the images, each in an order of its own."""
    flat = x.reshape(len(x), -1, x.shape[-1])
    order = random.permuted(np.tile(np.arange(flat.shape[1]), (len(x), 1)), axis=1)
    return np.take_along_axis(flat, order[..., None], axis=1).reshape(x.shape)
