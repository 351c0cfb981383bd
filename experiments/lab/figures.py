"""The files of a figure: PNG, SVG and PDF of the screen and of another look, and its curves."""

import json
from collections.abc import Callable

from matplotlib.figure import Figure

from jaxnets import themes

from .claims import Result
from .curves import curves_of, describe
from .pieces import pieces_of

Plot = Callable[[Result], Figure]


def draw_files(
    plot: Plot, result: Result, about: str, style: str | None = None
) -> dict[str, bytes]:
    """Draws a result; returns the content of its files by their ending.

    Args:
        plot: draws a result.
        result: the arrays.
        about: what is to be seen, for those who cannot see it.
        style: another look of `themes.THEMES`, whose files end in `STYLE.png` and so on.
    """
    with themes.theme("screen"):
        canvas = themes.finish(plot(result))
        text = f"{about} {describe(canvas)}"
        about_it = {"text": text, "curves": curves_of(canvas), "pieces": pieces_of(canvas)}
        found = {kind: themes.encode(canvas, kind, text) for kind in themes.FORMATS}
    found["figure.json"] = json.dumps(about_it).encode()
    if style and style != "screen":
        with themes.theme(style):
            canvas = themes.finish(plot(result))
            found |= {
                f"{style}.{kind}": themes.encode(canvas, kind, text) for kind in themes.FORMATS
            }
    return found
