"""Hand-made features of images: colours, oriented gradients, bags of visual words (row A10)."""

import numpy as np
from sklearn.cluster import KMeans

from jaxnets.data import photographs

ORIENTATIONS = 9
DIRECTIONS = 8
"""Of edges, where the ninth bin is for pixels without one."""
NINTH_BIN = ("cells_no_edge", "share_no_edge", "share_all_edges")


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


def with_no_edge(x: np.ndarray, cell: int = 8, weakest: float = 1.0) -> np.ndarray:
    """Computes the shares of 8 directions and of no edge by cell, `[images, cells, cells, 9]` (L3).

    Directions are weighted by the strength of the edge and share what the pixels without an edge,
    those where it is below `weakest`, leave: their part of the cell is the ninth bin.
    `x [images, rows, columns, channels]`, of one channel or the strongest of several.
    """
    return np.stack([_edges_or_none(image, cell, weakest) for image in x])


def _edges_or_none(image: np.ndarray, cell: int, weakest: float) -> np.ndarray:
    down, right = np.gradient(image.astype(float), axis=(0, 1))
    strengths = np.hypot(down, right)
    strongest = strengths.argmax(axis=-1)[..., None]
    down, right, strength = (
        np.take_along_axis(a, strongest, axis=-1)[..., 0] for a in (down, right, strengths)
    )
    turned = np.mod(np.arctan2(down, right), np.pi) * DIRECTIONS / np.pi
    direction = np.minimum(turned.astype(int), DIRECTIONS - 1)
    edge = strength >= weakest
    weights = (np.arange(DIRECTIONS) == direction[..., None]) * (strength * edge)[..., None]
    none = _by_cell(1.0 - edge[..., None], cell).mean(axis=(1, 3))
    sums = _by_cell(weights, cell).sum(axis=(1, 3))
    total = sums.sum(axis=-1, keepdims=True)
    shares = (1 - none) * sums / np.where(total > 0, total, 1)
    return np.concatenate([shares, none], axis=-1)


def _by_cell(values: np.ndarray, cell: int) -> np.ndarray:
    """Divides `[rows, columns, k]` into full cells, `[rows, cell, columns, cell, k]`."""
    rows, columns = (n // cell for n in values.shape[:2])
    inside = values[: rows * cell, : columns * cell]
    return inside.reshape(rows, cell, columns, cell, -1)


def ninth_bin(example: np.ndarray, cell: int = 8) -> dict[str, np.ndarray]:
    """Measures what is in the bin of no edge, where there is none and where all pixels have one.

    Also how many cells and bins the `example [rows, columns]` has.
    """
    flat, slope = np.zeros((24, 24)), 5.0 * np.arange(24) + np.zeros((24, 1))
    found = (with_no_edge(image[None, ..., None], cell)[0] for image in (example, flat, slope))
    whole, without, everywhere = found
    values = np.asarray(whole.shape), without[..., -1].ravel(), everywhere[..., -1].ravel()
    return dict(zip(NINTH_BIN, values, strict=True))


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
