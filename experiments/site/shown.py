"""The figure of an experiment on a page: whole, in pieces on a phone, its curves, its files."""

import json
from functools import cache
from pathlib import Path
from typing import Any

from ..lab.escape import as_html
from ..lab.registry import EXPERIMENTS

FILES = {"svg": "SVG", "pdf": "PDF", "csv": "CSV", "tex": "LaTeX"}
"""What a reader can take for slides, by its ending."""


def files(root: Path) -> dict[str, Path]:
    """Returns the files of the figures and tables that were drawn, by their place in the site."""
    found = [root / "results" / f"{name}.{end}" for name in EXPERIMENTS for end in FILES]
    found += [path for name in EXPERIMENTS if (path := _picture(name, root)) is not None]
    return {f"figures/{path.name}": path for path in found if path.is_file()}


def figure(name: str, title: str, root: Path) -> str:
    """Returns the figure as HTML, or why there is none; for a page one folder below the top."""
    picture = _picture(name, root)
    if picture is None:
        return f"No figure yet: it has not been drawn here; `make {name}` draws it."
    about = _about(name, root)
    text = as_html(about.get("text", title))
    place = f"../figures/{picture.name}"
    return (
        '<figure class="shown">'
        f'<a class="whole" href="{place}"><img src="{place}" alt="{text}" loading="lazy"></a>'
        f"{_pieces(place, about, text)}{_curves(about)}</figure>"
    )


def downloads(name: str, root: Path) -> str:
    """Returns links to the files of a figure and its table, as Markdown; "" if there are none."""
    found = {end: word for end, word in FILES.items() if (root / f"results/{name}.{end}").is_file()}
    links = ", ".join(f"[{word}](../figures/{name}.{end})" for end, word in found.items())
    return f"For slides: {links}." if links else ""


def thumbnail(name: str, root: Path) -> str:
    """Returns the address of a small picture of the figure, "" if it has not been drawn."""
    picture = _picture(name, root)
    return f"figures/{picture.name}" if picture else ""


def _picture(name: str, root: Path) -> Path | None:
    found = (root / "results" / f"{name}.{end}" for end in ("svg", "png"))
    return next((path for path in found if path.is_file()), None)


@cache
def _about(name: str, root: Path) -> dict[str, Any]:
    path = root / "results" / f"{name}.figure.json"
    return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}


def _pieces(place: str, about: dict[str, Any], text: str) -> str:
    """The panels below each other, each a view of the same file; hidden on wide screens."""
    pieces = about.get("pieces", [])
    if len(pieces) < 2 or not place.endswith(".svg"):
        return ""
    views = [
        f'<img src="{place}#svgView(viewBox({x},{y},{w},{h}))" alt="{text if not i else ""}" '
        f'style="aspect-ratio:{w}/{h}" loading="lazy">'
        for i, (x, y, w, h) in enumerate(pieces)
    ]
    return f'<div class="pieces">{"".join(views)}</div>'


def _curves(about: dict[str, Any]) -> str:
    """The curves as data that `static/curves.js` draws."""
    if not about.get("curves"):
        return ""
    data = json.dumps(about["curves"]).replace("<", "\\u003c")
    return (
        '<details class="curves"><summary>Read the curves</summary>'
        f'<script type="application/json">{data}</script></details>'
    )
