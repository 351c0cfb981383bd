"""Looks of a figure: for the screen, for slides, for paper, dark, and stacked for a phone.

with theme("slides"):
    canvas, axes = plots.figure(1, 2)
    axes[0, 0].plot(x, y)
    picture = encode(canvas, "svg")
"""

import io
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, NamedTuple, cast

import numpy as np

try:
    import matplotlib as mpl
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes
    from matplotlib.collections import Collection, PathCollection, PolyCollection, QuadMesh
    from matplotlib.colors import to_rgba_array
    from matplotlib.figure import Figure
    from matplotlib.legend import Legend
    from matplotlib.transforms import ScaledTranslation
except ModuleNotFoundError as error:
    raise ModuleNotFoundError(
        f"figures need {error.name}: pip install 'jaxnets[plots]'", name=error.name
    ) from error

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


class Theme(NamedTuple):
    """What changes from the look of the screen.

    Example:
        >>> THEMES["dark"].dark, THEMES["phone"].stacked
        (True, True)
    """

    rc: dict[str, Any]
    """Settings of matplotlib beyond `STYLE`."""
    scale: float = 1.0
    """Of the panels' sides."""
    stacked: bool = False
    """Whether panels stand below each other."""
    dark: bool = False
    """Whether greys are turned: black to white, and white to the dark ground."""


THEMES: dict[str, Theme] = {
    "screen": Theme({}),
    "slides": Theme(
        {"font.size": 15.0, "lines.linewidth": 2.4, "lines.markersize": 7, "axes.linewidth": 1.2},
        scale=1.3,
    ),
    "paper": Theme(
        {"font.size": 8.0, "font.family": "serif", "mathtext.fontset": "dejavuserif"}
        | {"lines.linewidth": 1.1, "axes.linewidth": 0.6},
        scale=0.72,
    ),
    "dark": Theme({"font.size": 15.0, "lines.linewidth": 2.4}, scale=1.3, dark=True),
    "phone": Theme({}, stacked=True),
}
"""The looks by name; `slides` and `dark` have larger letters and wider lines."""
MOST_STACKED = 8
MOST_PATHS = 1000
"""A collection of more, such as a mesh, is a picture within an SVG or PDF."""
GROUND = 0.09
"""The grey of the dark ground."""
PARTS = ("color", "facecolor", "edgecolor", "markerfacecolor", "markeredgecolor")
FORMATS = ("png", "svg", "pdf")
METADATA: dict[str, dict[str, Any]] = {
    "png": {"Software": None},
    "svg": {"Date": None, "Creator": None},
    "pdf": {"CreationDate": None, "Creator": None, "Producer": None},
}
"""Without dates and versions, so that a figure that is drawn twice is the same file."""
_active: ContextVar[Theme] = ContextVar("theme", default=THEMES["screen"])


@contextmanager
def theme(name: str) -> Iterator[Theme]:
    """Draws the figures that are made within it in a look of `THEMES`.

    Raises:
        ValueError: another name.

    Examples:
        >>> with theme("paper") as look:
        ...     look.scale
        0.72
    """
    if name not in THEMES:
        raise ValueError(f"no look {name!r}: choose one of {', '.join(THEMES)}")
    token = _active.set(THEMES[name])
    try:
        with mpl.rc_context(STYLE | THEMES[name].rc):
            yield THEMES[name]
    finally:
        _active.reset(token)


def active() -> Theme:
    """Returns the look that figures are drawn in now.

    Example:
        >>> with theme("dark"):
        ...     active().dark
        True
    """
    return _active.get()


def encode(canvas: Figure, kind: str, title: str = "") -> bytes:
    """Returns a figure as the bytes of a PNG, SVG or PDF, the same ones each time.

    Args:
        canvas: the figure.
        kind: one of `FORMATS`.
        title: what the file says of itself, for those who cannot see it.

    Raises:
        ValueError: another kind of file.

    Example:
        >>> from jaxnets import plots
        >>> canvas, axes = plots.figure()
        >>> encode(canvas, "png")[1:4]
        b'PNG'
    """
    if kind not in FORMATS:
        raise ValueError(f"a figure is saved as {', '.join(FORMATS)}, not as {kind!r}")
    canvas.draw_without_rendering()
    for drawn in canvas.findobj(Collection):
        drawn.set_rasterized(len(drawn.get_paths()) > MOST_PATHS)
    file, about = io.BytesIO(), METADATA[kind] | ({"Title": title} if title else {})
    with mpl.rc_context({"svg.hashsalt": "jaxnets"}):
        canvas.savefig(file, format=kind, dpi=150, metadata=about)
    return file.getvalue()


def layout(rows: int, columns: int) -> tuple[int, int]:
    """Returns how many panels there are down and across in the look that figures have now.

    Where panels are stacked, up to `MOST_STACKED` stand in one column, and more in a few.

    Examples:
        >>> with theme("phone"):
        ...     layout(2, 3)
        (6, 1)
    """
    panels = rows * columns
    if not active().stacked or panels == 1:
        return rows, columns
    if panels <= MOST_STACKED:
        return panels, 1
    across = next(count for count in range(2, panels + 1) if panels % count == 0)
    return panels // across, across


def finish(canvas: Figure) -> Figure:
    """Gives a drawn figure what it needs at the end, and returns it.

    Legends that cover what is drawn move below their panel, for which the figure grows. In a dark
    look every grey is turned, black to white; colours stay, and so does what is drawn on a picture.

    Example:
        >>> from jaxnets import plots
        >>> canvas, axes = plots.figure()
        >>> finish(canvas) is canvas
        True
    """
    canvas.draw_without_rendering()
    grown: dict[int, float] = {}
    for axes in canvas.axes:
        legend = axes.get_legend()
        if legend and (_has_picture(axes) or _covers(legend, axes)):
            row = round(axes.get_window_extent().y0)
            grown[row] = max(grown.get(row, 0), _move_below(legend, axes))
    canvas.set_figheight(canvas.get_figheight() + sum(grown.values()))
    if active().dark:
        _darken(canvas)
    return canvas


def _covers(legend: Legend, axes: Axes) -> bool:
    """Whether a legend lies on a line, a band or a point of its panel."""
    box = legend.get_window_extent()
    points = [found for found in axes.collections if isinstance(found, PathCollection)]
    bands = [found for found in axes.collections if isinstance(found, PolyCollection)]
    lines = [line.get_transform().transform_path(line.get_path()) for line in axes.lines]
    areas = [b.get_transform().transform_path(path) for b in bands for path in b.get_paths()]
    places = [
        p.get_offset_transform().transform(np.ma.filled(p.get_offsets(), np.nan)) for p in points
    ]
    return (
        any(line.intersects_bbox(box, filled=False) for line in lines)
        or any(area.intersects_bbox(box, filled=True) for area in areas)
        or any(box.count_contains(place) for place in places)
    )


def _move_below(legend: Legend, axes: Axes) -> float:
    """Puts a legend under its panel, in as many columns as fit; returns its height in inches."""
    canvas, frame = cast(Figure, legend.get_figure(root=True)), axes.get_window_extent()
    lowest = axes.xaxis.get_tightbbox() if axes.axison else None
    drop = (lowest.y0 - frame.y0 if lowest else 0) / canvas.dpi
    moved = axes.legend(
        [handle for handle in legend.legend_handles if handle is not None],
        [text.get_text() for text in legend.texts],
        title=legend.get_title().get_text() or None,
        fontsize=legend.texts[0].get_fontsize(),
        loc="upper center",
        bbox_to_anchor=(0.5, 0),
        bbox_transform=axes.transAxes + ScaledTranslation(0, drop, canvas.dpi_scale_trans),
        ncols=max(1, int(1.15 * frame.width // legend.get_window_extent().width)),
        frameon=False,
    )
    return float(moved.get_window_extent().height / canvas.dpi)


def _darken(canvas: Figure) -> None:
    own = [artist for axes in canvas.axes if _has_picture(axes) for artist in _drawn_on(axes)]
    same = {id(part) for artist in own for part in artist.findobj()}
    for artist in canvas.findobj():
        if id(artist) not in same and not isinstance(artist, Figure | Axes):
            _turn(artist)


def _has_picture(axes: Axes) -> bool:
    return bool(axes.images) or any(isinstance(found, QuadMesh) for found in axes.collections)


def _drawn_on(axes: Axes) -> list[Artist]:
    return [*axes.lines, *axes.collections, *axes.texts, *axes.patches]


def _turn(artist: Artist) -> None:
    found = {
        part: to_rgba_array(getattr(artist, f"get_{part}")())
        for part in PARTS
        if hasattr(artist, f"get_{part}") and hasattr(artist, f"set_{part}")
    }
    for part, colours in found.items():
        grey = np.ptp(colours[:, :3], axis=1) < 0.02
        if grey.any():
            colours[grey, :3] = GROUND + (1 - colours[grey, :3]) * (0.95 - GROUND)
            getattr(artist, f"set_{part}")(colours if len(colours) > 1 else colours[0])
