"""Turns arrays into figures: the only module that imports matplotlib.

Colours are Okabe and Ito's (2008), which colour-blind readers can distinguish; every line also has
its own dash pattern and marker, so that figures work in greyscale.
"""

import io
from collections.abc import Mapping, Sequence
from itertools import cycle
from typing import Any

import numpy as np

try:
    import matplotlib as mpl
    from matplotlib.axes import Axes
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from matplotlib.ticker import LogLocator, MaxNLocator

    from jaxnets import themes
except ModuleNotFoundError as error:
    raise ModuleNotFoundError(
        f"figures need {error.name}: pip install 'jaxnets[plots]'", name=error.name
    ) from error

Row = Mapping[str, Any]
Style = dict[str, Any]
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000", "#8C6D31")
DASHES = ("-", "--", "-.", ":", (0, (5, 1)), (0, (3, 1, 1, 1)), (0, (1, 1)), (0, (8, 2)))
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*")


class Canvas(Figure):
    """A figure that a notebook shows when it is the last line of a cell.

    Example:
        >>> canvas, axes = figure()
        >>> canvas._repr_png_()[1:4]
        b'PNG'
    """

    def _repr_png_(self) -> bytes:
        file = io.BytesIO()
        self.savefig(file, format="png")
        return file.getvalue()


def figure(rows: int = 1, columns: int = 1, size: tuple[float, float] = (5.0, 3.6)) -> Any:
    """Creates a figure of panels of `size` inches each, and its axes `[rows, columns]`.

    Within `themes.theme` it has another look.

    In a notebook the figure shows itself, as the last line of a cell.

    Examples:
        >>> canvas, axes = figure(1, 2)
        >>> axes.shape
        (1, 2)
    """
    look, (down, across) = themes.active(), themes.layout(rows, columns)
    with mpl.rc_context(themes.STYLE | look.rc):
        canvas = Canvas(figsize=(across * size[0] * look.scale, down * size[1] * look.scale))
        FigureCanvasAgg(canvas)
        axes = canvas.subplots(down, across, squeeze=False)
        return canvas, axes.reshape(rows, columns)


def styles() -> Any:
    """Yields the colour, dash pattern and marker of the first line, the second line, ...

    Example:
        >>> next(styles())["linestyle"]
        '-'
    """
    for colour, dash, marker in cycle(zip(COLOURS, DASHES, MARKERS, strict=True)):
        yield {"color": colour, "linestyle": dash, "marker": marker, "markersize": 4}


def spread(
    axes: Axes,
    x: Sequence[float] | np.ndarray,
    values: np.ndarray,
    label: str,
    style: Style,
) -> None:
    """Draws the mean of `values [seeds, len(x)]` as a line, one standard deviation as a band.

    Example:
        >>> canvas, axes = figure()
        >>> spread(axes[0, 0], [1, 2], np.array([[0.1, 0.2], [0.3, 0.4]]), "loss", next(styles()))
        >>> axes[0, 0].lines[0].get_ydata().round(2).tolist()
        [0.2, 0.3]
    """
    mean, std = values.mean(axis=0), values.std(axis=0, ddof=1)
    axes.plot(x, mean, label=label, **style)
    axes.fill_between(x, mean - std, mean + std, color=style["color"], alpha=0.15, linewidth=0)


def level(axes: Axes, value: float, label: str, style: Style) -> None:
    """Draws a horizontal line for a baseline.

    Example:
        >>> canvas, axes = figure()
        >>> level(axes[0, 0], 0.5, "chance", next(styles()))
        >>> axes[0, 0].lines[0].get_label()
        'chance'
    """
    axes.axhline(
        value, label=label, color=style["color"], linestyle=style["linestyle"], linewidth=1.2
    )


def regions(
    axes: Axes, predicted: np.ndarray, limits: tuple[float, float, float, float], title: str
) -> None:
    """Draws a decision map `[rows, columns]` in 0..1 over `limits = (left, right, bottom, top)`.

    Example:
        >>> canvas, axes = figure()
        >>> regions(axes[0, 0], np.eye(4), (-1.0, 1.0, -1.0, 1.0), "classes")
        >>> axes[0, 0].get_title()
        'classes'
    """
    axes.imshow(
        predicted, origin="lower", extent=limits, aspect="auto", cmap="Blues", vmin=-0.2, vmax=1.4
    )
    axes.grid(visible=False)
    axes.set(title=title, xlabel="$x_1$", ylabel="$x_2$")


def points(axes: Axes, x: np.ndarray, y: np.ndarray, most: int = 300) -> None:
    """Draws up to `most` of `x [samples, 2]`: filled circles for class 1, crosses for class 0.

    Example:
        >>> canvas, axes = figure()
        >>> points(axes[0, 0], np.array([[0.0, 0.0], [1.0, 1.0]]), np.array([0, 1]))
        >>> len(axes[0, 0].collections)
        2
    """
    x, y = x[:most], y[:most]
    zero, one = x[y == 0], x[y == 1]
    axes.scatter(
        zero[:, 0], zero[:, 1], s=9, marker="x", color="#555555", linewidths=0.7, label="class 0"
    )
    axes.scatter(
        one[:, 0], one[:, 1], s=11, marker="o", color=COLOURS[1], linewidths=0, label="class 1"
    )


def quantiles(
    axes: Axes,
    x: Sequence[float] | np.ndarray,
    values: np.ndarray,
    label: str,
    style: Style,
    band: tuple[float, float] = (0.1, 0.9),
) -> None:
    """Draws the median of `values [seeds, len(x)]` as a line, and a band between two quantiles.

    NaN, such as those of runs that ended early, are left out.

    Example:
        >>> canvas, axes = figure()
        >>> runs = np.array([[3.0, 1.0], [4.0, 2.0], [9.0, 9.0]])
        >>> quantiles(axes[0, 0], [1, 2], runs, "loss", next(styles()))
        >>> axes[0, 0].lines[0].get_ydata().tolist()
        [4.0, 2.0]
    """
    seen = ~np.isnan(values).all(axis=0)
    x, values = np.asarray(x)[seen], values[:, seen]
    ends = [band[0], 0.5, band[1]]
    low, middle, high = np.nanquantile(values, ends, axis=0) if len(x) else np.empty((3, 0))
    axes.plot(x, middle, label=label, **(style | {"markevery": max(1, len(x) // 8)}))
    axes.fill_between(x, low, high, color=style["color"], alpha=0.15, linewidth=0)


def curves(
    axes: Axes,
    values: np.ndarray,
    labels: Sequence[Any],
    x: Sequence[float] | np.ndarray | None = None,
) -> None:
    """Draws a line with quantiles for each label, over the rows of `values` that have it.

    Args:
        axes: where.
        values: a metric `[rows, records]`, such as `found.history["valid_loss"]`.
        labels: one a row, such as `[row["activation"] for row in found.table()]`.
        x: the epoch of each record; by default 1, 2, ...

    Raises:
        ValueError: another number of labels than of rows.

    Example:
        >>> canvas, axes = figure()
        >>> curves(axes[0, 0], np.array([[3.0, 1.0], [4.0, 2.0]]), ["tanh", "relu"])
        >>> len(axes[0, 0].lines)
        2
    """
    values = np.asarray(values)
    if len(labels) != len(values):
        raise ValueError(f"there are {len(labels)} labels for {len(values)} rows")
    x = np.arange(values.shape[1]) + 1 if x is None else x
    kinds = _in_order(labels)
    for kind, style in zip(kinds, styles(), strict=False):
        quantiles(axes, x, values[[label == kind for label in labels]], _text(kind), style)
    axes.set(xlabel="epoch")
    axes.legend(frameon=False, loc="center left", bbox_to_anchor=(1, 0.5))


def heat_map(axes: Axes, rows: Sequence[Row], x: str, y: str, value: str) -> None:
    """Draws a value over two columns of a table, the mean of the rows that share a cell.

    Args:
        axes: where; its figure gets a bar of colours.
        rows: a table, such as `found.table()`.
        x: the column of the horizontal axis.
        y: the column of the vertical axis.
        value: the column that is shown.

    Raises:
        ValueError: no rows, or a column that the table has not.

    Example:
        >>> canvas, axes = figure()
        >>> rows = [{"rate": 0.1, "width": 4, "loss": 0.5}, {"rate": 0.2, "width": 4, "loss": 0.3}]
        >>> heat_map(axes[0, 0], rows, "rate", "width", "loss")
        >>> axes[0, 0].get_xlabel()
        'rate'
    """
    _require_columns(rows, (x, y, value))
    across, up = (_in_order([row[name] for row in rows]) for name in (x, y))
    cells: list[list[list[float]]] = [[[] for _ in across] for _ in up]
    for row in rows:
        cells[up.index(row[y])][across.index(row[x])].append(row[value])
    means = np.array([[np.mean(cell) if cell else np.nan for cell in line] for line in cells])
    image = axes.pcolormesh(means, cmap="cividis", edgecolors="w", linewidth=1)
    axes.figure.colorbar(image, ax=axes, label=_words(value))
    axes.grid(visible=False)
    axes.set(xlabel=_words(x), ylabel=_words(y))
    axes.set_xticks(np.arange(len(across)) + 0.5, map(_text, across))
    axes.set_yticks(np.arange(len(up)) + 0.5, map(_text, up))
    for (i, j), mean in np.ndenumerate(means):
        if np.isfinite(mean):
            colour = "w" if float(np.asarray(image.norm(mean))) < 0.5 else "k"
            axes.text(j + 0.5, i + 0.5, f"{mean:.3g}", ha="center", va="center", color=colour)


def parallel_coordinates(
    axes: Axes, rows: Sequence[Row], columns: Sequence[str], value: str
) -> None:
    """Draws each row of a table as a line through its columns, the darker the better its value.

    Values are high if they are good, and losses low. Columns with up to six different values are
    equally spaced, where lines fan out by the value; others are on a linear scale, or a logarithmic
    one if most numbers are near its lower end. Rows with NaN are left out (Inselberg, 1985).

    Args:
        axes: where.
        rows: a table, such as `found.table()`.
        columns: the choices to show, from left to right.
        value: the column that is last, and decides the colour.

    Raises:
        ValueError: no rows, or a column that the table has not.

    Example:
        >>> canvas, axes = figure()
        >>> rows = [{"rate": 0.1, "width": 4, "loss": 0.5}, {"rate": 0.2, "width": 8, "loss": 0.3}]
        >>> parallel_coordinates(axes[0, 0], rows, ["rate", "width"], "loss")
        >>> len(axes[0, 0].lines) > 0
        True
    """
    names = [*columns, value]
    _require_columns(rows, names)
    scales = [_Scale([row[name] for row in rows]) for name in names]
    lines = np.array(
        [[s.place(row[n]) for s, n in zip(scales, names, strict=True)] for row in rows]
    )
    lines = lines[np.isfinite(lines).all(axis=1)]
    goodness = 1 - lines[:, -1] if value.endswith("loss") else lines[:, -1]
    fan = FAN * (goodness[:, None] - 0.5) * [scale.spaced for scale in scales]
    for i in np.argsort(goodness, kind="stable"):
        colour = mpl.colormaps["cividis_r"](goodness[i])
        axes.plot(lines[i] + fan[i], color=colour, alpha=0.8, linewidth=1.3)
    for i, scale in enumerate(scales):
        axes.axvline(i, color="k", linewidth=0.8)
        for at, text in scale.ticks():
            axes.annotate(text, (i, at), (-4, 0), textcoords="offset points", **BESIDE)
    axes.grid(visible=False)
    axes.set_xticks(range(len(names)), map(_words, names))
    axes.set_yticks([])
    axes.tick_params(length=0)
    axes.spines[["left", "bottom"]].set_visible(False)
    axes.set_xlim(-0.5, len(names) - 0.9)


BESIDE: Style = {
    "ha": "right",
    "va": "center",
    "fontsize": "small",
    "bbox": {"facecolor": "w", "alpha": 0.7, "linewidth": 0, "pad": 0.5},
}
"""How a tick is written to the left of its axis."""


FEW, FAN = 6, 0.08
"""Up to how many values are equally spaced; how far lines fan out there."""


class _Scale:
    """Places the values of a column between 0 and 1."""

    def __init__(self, values: Sequence[Any]):
        numeric = all(map(_is_number, values))
        self.kinds = _in_order([v for v in values if not numeric or np.isfinite(v)])
        self.spaced = not numeric or len(self.kinds) <= FEW
        low, middle, high = (0, 1, 2) if self.spaced else np.quantile(self.kinds, [0, 0.5, 1])
        self.log = bool(low > 0 and high > 20 * low and middle - low < 0.25 * (high - low))
        self.ends = np.log10([low, high]) if self.log else (low, high)

    def place(self, value: Any) -> float:
        """Returns the height of a value, NaN if it is not finite."""
        if self.spaced:
            if value not in self.kinds:
                return np.nan
            last = len(self.kinds) - 1
            return self.kinds.index(value) / last if last else 0.5
        low, high = self.ends
        return float(((np.log10(value) if self.log else value) - low) / (high - low))

    def ticks(self) -> list[tuple[float, str]]:
        """Returns heights and texts: of each value if they are few, else of round numbers."""
        found = self.kinds
        if not self.spaced:
            low, high = self.kinds[0], self.kinds[-1]
            find = LogLocator(subs=(1, 3), numticks=9) if self.log else MaxNLocator(5)
            found = [value for value in find.tick_values(low, high) if low <= value <= high]
        return [(self.place(value), _text(value)) for value in found]


def _require_columns(rows: Sequence[Row], names: Sequence[str]) -> None:
    if not rows:
        raise ValueError("the table has no rows")
    for name in names:
        if name not in rows[0]:
            raise ValueError(f"the table has no column {name!r}; it has {', '.join(rows[0])}")


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float | np.number) and not isinstance(value, bool)


def _in_order(values: Sequence[Any]) -> list[Any]:
    """Lists the different values: numbers by size, others as they come."""
    kinds = list(dict.fromkeys(values))
    return sorted(kinds) if all(map(_is_number, kinds)) else kinds


def _text(value: Any) -> str:
    if isinstance(value, tuple):
        return ", ".join(map(_text, value))
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _words(name: str) -> str:
    return name.replace("_", " ")
