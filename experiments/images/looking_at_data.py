"""Pictures of MNIST by PCA, kernel PCA and t-SNE, centred and not (row A11; L1).

Claims: the lecture compares the three side by side, in a picture without numbers; PCA is kernel PCA
with phi = id; "as a safe measure, do not forget to center the data!"; a kernel is centred by
K <- K - 1K - K1 + 1K1.

Command: `make looking_at_data`, one minute on 2 cores; without MNIST it uses scikit-learn's digits
and the claims about pictures of MNIST are not judged. Protocol: 32 subsamples of 300 training
images, pixels in 0..1, the same for all methods; two dimensions; the kernel exp(-d^2 / m) of the
distance d, m the median of d^2; scikit-learn's t-SNE of perplexity 30 from the principal
components. A picture's number is the share of its points whose nearest other point has the same
label.

What counts is in `experiments/claims/looking_at_data/`; as two subsamples share 0.5 % of their
images, the intervals are corrected. Expect 37 % of the points next to one of their label by PCA,
28 % if not centred, 36 % by kernel PCA, and 81 % by t-SNE, as many as among all pixels.
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
from jaxnets.analysis.projections import centre_kernel, kernel_pca, pca, project
from jaxnets.claims import Sample

from ..lab.claims import Result, interval, markdown
from ..lab.judging import require_mnist
from ..shared.image_data import mnist_or_digits

PICTURES = {
    "pca": "PCA",
    "pca_uncentred": "PCA, not centred",
    "kernel": "kernel PCA",
    "kernel_uncentred": "kernel PCA, not centred",
    "tsne": "t-SNE",
}
SHARES = PICTURES | {"pixels": "all pixels, no picture", "chance": "labels by chance"}
DRAWN = ("pca", "pca_uncentred", "kernel", "tsne")


@dataclass(frozen=True)
class Config:
    subsamples: int = 32
    samples: int = 300
    kernel: str = "Gaussian"
    """Of kernel PCA, a name in `KERNELS`."""
    perplexity: float = 30.0
    """Of t-SNE, at most a third of the other points."""
    neighbours: int = 1
    """Nearest other points whose labels are compared."""
    data: str = "mnist"
    seed: int = 1


MULTIVERSE = Config(subsamples=8)
SMOKE = Config(subsamples=3, samples=60, data="digits")


def run(config: Config, key: Array) -> Result:
    data, name = mnist_or_digits(config.data, valid=0)
    random = np.random.default_rng(config.seed)
    rows = []
    with jax.enable_x64(True):
        for number in range(config.subsamples):
            chosen = random.permutation(len(data.train["y"]))[: config.samples]
            x, labels = data.train["x"][chosen].astype(np.float64), data.train["y"][chosen]
            found = jax.device_get(_linear_pictures(x, config.kernel))
            found["tsne"] = _tsne(x, config.perplexity, config.seed + number)
            rows.append(_measure(found, x, labels, config.neighbours))
            if number == 0:
                first = found | {"labels": labels}
    measures = {measure: np.stack([row[measure] for row in rows]) for measure in rows[0]}
    pictures = {f"picture_{picture}": first[picture] for picture in PICTURES}
    directions = [first["mean"], first["direction_uncentred"], first["directions"][0]]
    arrays = {
        "data": name,
        "neighbours": config.neighbours,
        "labels": first["labels"],
        "images": directions,
    }
    return pictures | measures | {key: np.asarray(value) for key, value in arrays.items()}


def gaussian(x: Array) -> Array:
    """Computes `exp(-d^2 / m)` of samples `[n, features]`, `[n, n]`; m is the median of all d^2."""
    squares = jnp.sum(x**2, axis=1)
    distances = jnp.maximum(squares[:, None] + squares[None] - 2 * x @ x.T, 0)
    return jnp.exp(-distances / jnp.median(distances))


def polynomial(x: Array) -> Array:
    """Computes `(x . y / features + 1)^3`, scikit-learn's polynomial kernel, `[n, n]`."""
    return (x @ x.T / x.shape[1] + 1) ** 3


def cosine(x: Array) -> Array:
    """Computes the cosines of the angles between samples, `[n, n]`."""
    unit = x / jnp.linalg.norm(x, axis=1, keepdims=True)
    return unit @ unit.T


KERNELS = {"Gaussian": gaussian, "polynomial": polynomial, "cosine": cosine}


@partial(jax.jit, static_argnums=1)
def _linear_pictures(x: Array, kernel_name: str) -> dict[str, Array]:
    """Pictures `[samples, 2]`, the directions that made them, and the kernels."""
    centred, uncentred, kernel = pca(x), pca(x, centre=False), KERNELS[kernel_name](x)
    return {
        "pca": project(centred, x),
        "pca_uncentred": project(uncentred, x),
        "kernel": kernel_pca(kernel),
        "kernel_uncentred": kernel_pca(kernel, centre=False),
        "mean": centred.mean,
        "directions": centred.directions,
        "direction_uncentred": uncentred.directions[0],
        "kernel_matrix": kernel,
        "centred_matrix": centre_kernel(kernel),
        "linear_kernel": kernel_pca(x @ x.T),
    }


def _tsne(x: np.ndarray, perplexity: float, seed: int) -> np.ndarray:
    from sklearn.manifold import TSNE

    most = (len(x) - 1) / 3
    return TSNE(2, perplexity=min(perplexity, most), init="pca", random_state=seed).fit_transform(x)


def _measure(found: Result, x: np.ndarray, labels: np.ndarray, neighbours: int) -> Result:
    from sklearn.preprocessing import KernelCenterer

    theirs = KernelCenterer().fit_transform(found["kernel_matrix"])
    signs = np.sign((found["linear_kernel"] * found["pca"]).sum(axis=0))
    counts = np.bincount(labels)
    pairs = len(labels) * (len(labels) - 1)
    return {
        **{f"share_{name}": nearest_alike(found[name], labels, neighbours) for name in PICTURES},
        "share_pixels": nearest_alike(x, labels, neighbours),
        "share_chance": (counts * (counts - 1)).sum() / pairs,
        "cosine": abs(_cosine(found["direction_uncentred"], found["mean"])),
        "cosine_centred": abs(_cosine(found["directions"][0], found["mean"])),
        "formula": _difference(found["centred_matrix"], theirs),
        "linear": _difference(signs * found["linear_kernel"], found["pca"]),
    }


def nearest_alike(places: np.ndarray, labels: np.ndarray, neighbours: int) -> float:
    """Computes the share of the nearest other points of `[n, dimensions]` with the same label."""
    from sklearn.neighbors import NearestNeighbors

    machine = NearestNeighbors(n_neighbors=neighbours).fit(places)
    nearest = machine.kneighbors(return_distance=False)
    return float(np.mean(labels[nearest] == labels[:, None]))


def _cosine(a: np.ndarray, b: np.ndarray) -> float:
    return float(a @ b / np.linalg.norm(a) / np.linalg.norm(b))


def _difference(ours: np.ndarray, theirs: np.ndarray) -> float:
    """The largest difference, relative to the largest entry."""
    return float(np.abs(ours - theirs).max() / np.abs(theirs).max())


def table(result: Result) -> str:
    rows = [[name, interval(result[f"share_{key}"]).percent()] for key, name in SHARES.items()]
    head = ["points in", f"same label, {_nearest(result)}"]
    return f"{result['data']}, {_samples(result)}:\n{markdown(head, rows)}"


def plot(result: Result) -> Figure:
    canvas, axes = plots.figure(2, 3, size=(4.4, 3.9))
    for panel, name in zip(axes.ravel()[[0, 1, 3, 4]], DRAWN, strict=True):
        _draw_picture(panel, result, name)
    _draw_shares(axes[0, 2], result)
    _draw_directions(axes[1, 2], result)
    return canvas


def _draw_picture(axes: Axes, result: Result, name: str) -> None:
    """The first subsample, every point drawn as its digit."""
    places, labels = result[f"picture_{name}"], result["labels"]
    for digit, style in zip(np.unique(labels), plots.styles(), strict=False):
        x, y = places[labels == digit].T
        axes.plot(x, y, linestyle="none", marker=f"${digit}$", markersize=5, color=style["color"])
    share = 100 * result[f"share_{name}"].mean()
    axes.set(xticks=[], yticks=[], title=f"{PICTURES[name]}: {share:.0f} % next to same label")
    axes.grid(visible=False)


def _draw_shares(axes: Axes, result: Result) -> None:
    shares = [interval(100 * result[f"share_{name}"]) for name in SHARES][::-1]
    means, spreads = [share.mean for share in shares], [share.std for share in shares]
    names = list(SHARES.values())[::-1]
    axes.barh(names, means, xerr=spreads, capsize=3, color=plots.COLOURS[5])
    axes.set(xlim=(0, 100), xlabel=f"same label, {_nearest(result)} [%]")
    axes.set_title(f"{result['data']}, {len(result['cosine'])} subsamples (± 1 std)")


def _draw_directions(axes: Axes, result: Result) -> None:
    """The mean image, and first directions with the sign that brings them nearer to it."""
    mean = result["images"][0]
    side = int(np.sqrt(len(mean)))
    for i, direction in enumerate(result["images"]):
        image = direction * np.sign(direction @ mean)
        limit = np.abs(image).max()
        axes.imshow(
            image.reshape(side, side),
            cmap="PuOr_r",
            vmin=-limit,
            vmax=limit,
            extent=(1.1 * i, 1.1 * i + 1, 0, 1),
        )
    axes.set(xlim=(0, 3.2), ylim=(0, 1), yticks=[], title="orange positive, purple negative")
    axes.set_xticks([0.5, 1.6, 2.7], ["mean image", "1st, not centred", "1st, centred"])
    axes.tick_params(length=0)
    axes.grid(visible=False)
    axes.spines[:].set_visible(False)


def _nearest(result: Result) -> str:
    count = int(result["neighbours"])
    return "nearest other point" if count == 1 else f"nearest {count} other points"


def _samples(result: Result) -> str:
    return f"{len(result['cosine'])} subsamples of {len(result['labels'])} images"


def _gain(result: Result, name: str, against: str) -> Sample:
    return Sample(100 * result[f"share_{name}"], 100 * result[f"share_{against}"])


def _tsne_is_clearest(result: Result) -> dict[str, Sample]:
    require_mnist(result)
    return {
        "over PCA": _gain(result, "tsne", "pca"),
        "over kernel": _gain(result, "tsne", "kernel"),
    }


def _mean_comes_first(result: Result) -> dict[str, Sample]:
    require_mnist(result)
    cosine = result["cosine"]
    return {"not centred": Sample(cosine), "drop": Sample(cosine, result["cosine_centred"])}


def _centring_helps(result: Result) -> dict[str, Sample]:
    require_mnist(result)
    return {
        "PCA": _gain(result, "pca", "pca_uncentred"),
        "kernel PCA": _gain(result, "kernel", "kernel_uncentred"),
    }


CLAIMS = {
    "tsne_is_clearest": _tsne_is_clearest,
    "mean_comes_first": _mean_comes_first,
    "centring_helps": _centring_helps,
    "kernel_formula": lambda result: Sample(result["formula"]),
    "pca_is_kernel_pca": lambda result: Sample(result["linear"]),
}
