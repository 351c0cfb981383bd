"""Where a figure can be cut so that its panels stand below each other on a narrow screen."""

from typing import NamedTuple

from matplotlib.figure import Figure

MARGIN = 2.0
"""Points around a piece."""


class Box(NamedTuple):
    """A rectangle in points from the upper left corner of the figure."""

    left: float
    top: float
    right: float
    bottom: float


def pieces_of(canvas: Figure) -> list[list[float]]:
    """Returns `[x, y, width, height]` of each piece in points, in the order of reading.

    A piece is what no straight gap through the figure divides: a panel with its labels, its legend
    and its bar of colours (recursive cuts: Nagy and Seth, 1984).
    """
    return [
        [round(x, 1) for x in (box.left, box.top, box.right - box.left, box.bottom - box.top)]
        for box in map(_hull, _cut(_boxes(canvas)))
    ]


def _boxes(canvas: Figure) -> list[Box]:
    """What is drawn: axes with all that belongs to them, and legends of the figure."""
    canvas.draw_without_rendering()
    height, scale = canvas.bbox.height, 72 / canvas.dpi
    drawn = [axes for axes in canvas.axes if axes.axison or axes.texts or axes.images]
    found = [artist.get_tightbbox() for artist in [*drawn, *canvas.legends, *canvas.texts]]
    return [
        Box(b.x0 * scale, (height - b.y1) * scale, b.x1 * scale, (height - b.y0) * scale)
        for b in found
        if b is not None
    ]


def _cut(boxes: list[Box]) -> list[list[Box]]:
    """Cuts into rows, then each row into columns, until nothing can be cut."""
    for low, high in ((1, 3), (0, 2)):
        groups = _groups(boxes, low, high)
        if len(groups) > 1:
            return [piece for group in groups for piece in _cut(group)]
    return [boxes] if boxes else []


def _groups(boxes: list[Box], low: int, high: int) -> list[list[Box]]:
    groups: list[list[Box]] = []
    end = float("-inf")
    for box in sorted(boxes, key=lambda box: box[low]):
        if box[low] >= end:
            groups.append([])
        groups[-1].append(box)
        end = max(end, box[high])
    return groups


def _hull(boxes: list[Box]) -> Box:
    lefts, tops, rights, bottoms = zip(*boxes, strict=True)
    left, top = min(lefts) - MARGIN, min(tops) - MARGIN
    return Box(left, top, max(rights) + MARGIN, max(bottoms) + MARGIN)
