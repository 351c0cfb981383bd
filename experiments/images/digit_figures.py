"""The figure of `reading_digits`."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from jaxnets import plots

from ..lab.claims import Result
from .digit_learners import NETWORKS
from .pixel_statistics import FAR, NEAR, as_images


def accuracies(result: Result) -> np.ndarray:
    """Computes the test accuracy `[seeds, sizes, depths]`."""
    return result["right"].mean(axis=-1)


def plot(result: Result) -> Figure:
    canvas, axes = plots.figure(2, 3, size=(5.2, 3.6))
    weights, means = result["weights"], result["means"]
    largest = np.abs(weights).max()
    _draw_depths(axes[0, 2], result)
    _draw_budget(axes[1, 2], result)
    _draw_pictures(canvas, axes[0, 0], means, "mean picture of each class", "Greys", 0, 1)
    title = "weights of a linear classifier"
    _draw_pictures(canvas, axes[0, 1], weights, title, "RdBu_r", -largest, largest)
    _draw_likeness(canvas, axes[1, 0], result["likeness"].mean(axis=0))
    _draw_correlations(axes[1, 1], result)
    return canvas


def _draw_depths(axes: Axes, result: Result) -> None:
    for depth, values, style in zip(
        result["depths"], np.moveaxis(100 * accuracies(result), 2, 0), plots.styles(), strict=False
    ):
        plots.spread(axes, result["sizes"], values, f"{depth} hidden (± 1 std)", style)
    axes.set(xscale="log", xlabel="training samples", ylabel="test accuracy [%]")
    axes.set(title=f"layers of {result['width']} units, {result['data']}")
    axes.legend(fontsize="small")


def _draw_budget(axes: Axes, result: Result) -> None:
    style = plots.styles()
    for network, label in NETWORKS.items():
        errors = 100 - 100 * result[f"read_{network}"].mean(axis=-1)
        plots.spread(axes, result["records"], errors, f"{label} (± 1 std)", next(style))
    plots.level(axes, 100 - 100 * float(result["read_svm"].mean()), "RBF SVM", next(style))
    axes.set(xscale="log", yscale="log", xlabel="updates of a network", ylabel="test error [%]")
    axes.set(title="the same images for all")
    axes.set_yticks([2, 3, 5, 10, 20, 50], ["2", "3", "5", "10", "20", "50"])
    axes.minorticks_off()
    axes.legend(fontsize="small")


def _draw_pictures(
    canvas: Figure, axes: Axes, x: np.ndarray, title: str, colours: str, low: float, high: float
) -> None:
    images = as_images(x)
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
