"""The curves of a figure as numbers, and a figure in words: what a page needs to show it."""

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

MOST_POINTS = 200
"""Of a curve on a page: more could not be told apart."""
LEAST_POINTS = 3


def curves_of(canvas: Figure) -> list[dict[str, Any]]:
    """Returns the panels of a figure that have named curves: labels, scales and numbers.

    A panel that shows a picture has none: its lines are drawn on the picture.
    """
    panels = [_panel(axes) for axes in canvas.axes if not axes.images]
    return [panel for panel in panels if panel["series"]]


def describe(canvas: Figure) -> str:
    """Says in a sentence for each panel what it shows, such as `loss against epoch: Adam, SGD.`"""
    return " ".join(filter(None, map(_sentence, canvas.axes)))


def _sentence(axes: Axes) -> str:
    names = [label for label in axes.get_legend_handles_labels()[1] if label]
    title, x, y = axes.get_title(), axes.get_xlabel(), axes.get_ylabel()
    what = f"{y} against {x}" if x and y else y or x
    parts = [part for part in (title, what, ", ".join(names)) if part]
    return plain(f"{': '.join(parts)}.") if parts and axes.axison else ""


def plain(text: str) -> str:
    """Returns a label without the marks of formulas and broken lines."""
    for mark, word in (("$", ""), ("\\", ""), ("\n", " "), ("{", ""), ("}", "")):
        text = text.replace(mark, word)
    return " ".join(text.split())


def _panel(axes: Axes) -> dict[str, Any]:
    return {
        "title": plain(axes.get_title()),
        "x": plain(axes.get_xlabel()),
        "y": plain(axes.get_ylabel()),
        "log": [axes.get_xscale() == "log", axes.get_yscale() == "log"],
        "limits": [*map(_short, axes.get_xlim()), *map(_short, axes.get_ylim())],
        "series": [_series(line) for line in axes.get_lines() if _is_curve(line)],
    }


def _is_curve(line: Line2D) -> bool:
    x, y = _numbers(line)
    named = not str(line.get_label()).startswith("_") and len(x) >= LEAST_POINTS
    return named and bool(np.isfinite(y).any()) and bool((np.diff(x) >= 0).all())


def _numbers(line: Line2D) -> tuple[np.ndarray, np.ndarray]:
    x, y = (np.asarray(line.convert_xunits(a), float) for a in line.get_data(orig=False))
    return x, y


def _series(line: Line2D) -> dict[str, Any]:
    x, y = _numbers(line)
    at = np.unique(np.linspace(0, len(x) - 1, min(len(x), MOST_POINTS)).round().astype(int))
    return {
        "name": plain(str(line.get_label())),
        "colour": to_hex(line.get_color()),
        "x": [_short(value) for value in x[at]],
        "y": [_short(value) if np.isfinite(value) else None for value in y[at]],
    }


def _short(value: float) -> float:
    return float(f"{value:.5g}")
