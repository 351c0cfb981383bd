"""Turns arrays into figures: the only module that imports matplotlib.

Colours are Okabe and Ito's (2008), which colour-blind readers can distinguish; every line also has
its own dash pattern and marker, so that figures work in greyscale.
"""

from collections.abc import Sequence
from itertools import cycle
from typing import Any

import numpy as np

try:
    import matplotlib as mpl
    from matplotlib.axes import Axes
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
except ModuleNotFoundError as error:
    raise ModuleNotFoundError(
        f"figures need {error.name}: pip install 'jaxnets[plots]'", name=error.name
    ) from error

Style = dict[str, Any]
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000", "#8C6D31")
DASHES = ("-", "--", "-.", ":", (0, (5, 1)), (0, (3, 1, 1, 1)), (0, (1, 1)), (0, (8, 2)))
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*")
STYLE: dict[Any, Any] = {
    "axes.grid": True,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.titlesize": "medium",
    "figure.constrained_layout.use": True,
    "font.size": 10.0,
    "grid.alpha": 0.3,
    "legend.frameon": False,
}


def figure(rows: int = 1, columns: int = 1, size: tuple[float, float] = (5.0, 3.6)) -> Any:
    """Creates a figure of panels of `size` inches each, and its axes `[rows, columns]`."""
    with mpl.rc_context(STYLE):
        canvas = Figure(figsize=(columns * size[0], rows * size[1]))
        FigureCanvasAgg(canvas)
        return canvas, canvas.subplots(rows, columns, squeeze=False)


def styles() -> Any:
    """Yields the colour, dash pattern and marker of the first line, the second line, ..."""
    for colour, dash, marker in cycle(zip(COLOURS, DASHES, MARKERS, strict=True)):
        yield {"color": colour, "linestyle": dash, "marker": marker, "markersize": 4}


def spread(
    axes: Axes,
    x: Sequence[float] | np.ndarray,
    values: np.ndarray,
    label: str,
    style: Style,
) -> None:
    """Draws the mean of `values [seeds, len(x)]` as a line, one standard deviation as a band."""
    mean, std = values.mean(axis=0), values.std(axis=0, ddof=1)
    axes.plot(x, mean, label=label, **style)
    axes.fill_between(x, mean - std, mean + std, color=style["color"], alpha=0.15, linewidth=0)


def level(axes: Axes, value: float, label: str, style: Style) -> None:
    """Draws a horizontal line for a baseline."""
    axes.axhline(
        value, label=label, color=style["color"], linestyle=style["linestyle"], linewidth=1.2
    )


def regions(
    axes: Axes, predicted: np.ndarray, limits: tuple[float, float, float, float], title: str
) -> None:
    """Draws a decision map `[rows, columns]` in 0..1 over `limits = (left, right, bottom, top)`."""
    axes.imshow(
        predicted, origin="lower", extent=limits, aspect="auto", cmap="Blues", vmin=-0.2, vmax=1.4
    )
    axes.grid(visible=False)
    axes.set(title=title, xlabel="$x_1$", ylabel="$x_2$")


def points(axes: Axes, x: np.ndarray, y: np.ndarray, most: int = 300) -> None:
    """Draws up to `most` samples: filled circles for class 1, crosses for class 0."""
    x, y = x[:most], y[:most]
    zero, one = x[y == 0], x[y == 1]
    axes.scatter(
        zero[:, 0], zero[:, 1], s=9, marker="x", color="#555555", linewidths=0.7, label="class 0"
    )
    axes.scatter(
        one[:, 0], one[:, 1], s=11, marker="o", color=COLOURS[1], linewidths=0, label="class 1"
    )
