"""The tutorials: scripts in cells that run here, as pages with what they printed and drew."""

import io
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import jax

import jaxnets as jn

from . import cells, notebooks
from .cells import Cell, Shown
from .navigation import COMING_FROM, TUTORIALS, notebook_of
from .texts import as_page

INDEX = """# Tutorials

Each page is a script in cells, which ran when this page was built. Download it as a notebook,
change something, and run it again. They need no knowledge of JAX, no network and no data of yours.

| tutorial | what you do |
| --- | --- |
{tutorials}

## Coming from another library

Each page has a table of what is called what, an example, and when the other library is the better
choice.

| page | what you do |
| --- | --- |
{coming_from}

## A notebook for each lecture

The claims of a lecture as cells that load or run its experiments, with figures and verdicts. They
need a checkout, or the wheel with `pip install 'jaxnets[experiments]'`.

| lecture | notebook |
| --- | --- |
{lectures}
"""


DEVICES = 4
"""As many as one of the tutorials asks for."""


class Tutorial(NamedTuple):
    """A script's cells, and what each code cell showed."""

    name: str
    cells: list[Cell]
    shown: list[Shown]


def read(root: Path, run: bool = True) -> list[Tutorial]:
    """Reads every tutorial, and runs it in a namespace of its own."""
    if run:
        jn.use_all_cores(DEVICES)
        jax.config.update("jax_disable_most_optimizations", True)  # compiling is most of the work
    found = []
    for name in (*TUTORIALS, *COMING_FROM):
        script = cells.read(_path(name, root))
        shown = cells.run(script, name)[0] if run else [Shown("")] * len(script)
        found.append(Tutorial(name, script, shown))
    return found


def index(root: Path, lectures: Sequence[str]) -> dict[str, str]:
    """Returns the Markdown of the page that lists the tutorials, by its page."""
    lists = ("\n".join(_row(name, root) for name in names) for names in (TUTORIALS, COMING_FROM))
    rows = (f"| {title} | [Jupyter](../{notebook_of(title)}) |" for title in lectures)
    first, second = lists
    text = INDEX.format(tutorials=first, coming_from=second, lectures="\n".join(rows))
    return {"tutorials/index.md": text}


def pages(tutorials: Sequence[Tutorial]) -> dict[str, str]:
    """Returns the Markdown of the tutorials that ran, by page."""
    return {f"tutorials/{tutorial.name}.md": _page(tutorial) for tutorial in tutorials}


def figures(tutorials: Sequence[Tutorial]) -> dict[str, bytes]:
    """Returns what the tutorials drew, by its place in the site."""
    return {
        f"tutorials/{_figure(tutorial.name, number)}": _png(shown.figure)
        for tutorial in tutorials
        for number, shown in enumerate(tutorial.shown)
        if shown.figure is not None
    }


def downloads(root: Path) -> dict[str, str]:
    """Returns the tutorials as scripts and notebooks, by their place in the site."""
    found = {}
    for name in (*TUTORIALS, *COMING_FROM):
        script = cells.read(_path(name, root))
        found[f"tutorials/{name}.py"] = _path(name, root).read_text(encoding="utf-8")
        found[f"tutorials/{name}.ipynb"] = notebooks.as_ipynb(script)
        found[f"tutorials/{name}_marimo.py"] = notebooks.as_marimo(script)
    return found


def _path(name: str, root: Path) -> Path:
    return root / "docs" / "tutorials" / f"{name}.py"


def _figure(name: str, number: int) -> str:
    return f"{name}_{number}.png"


def _row(name: str, root: Path) -> str:
    script = cells.read(_path(name, root))
    about = script[0].source.split("\n\n")
    sentence = " ".join(about[1].split()).partition(". ")[0].rstrip(".:")
    return f"| [{cells.title_of(script)}]({name}.md) | {sentence} |"


def _page(tutorial: Tutorial) -> str:
    name = tutorial.name
    links = [f"[Jupyter notebook]({name}.ipynb)", f"[marimo]({name}_marimo.py)"]
    download = f"Download: {', '.join(links)}, [script]({name}.py)."
    parts = list(_parts(tutorial))
    head, _, rest = parts[0].partition("\n\n")
    return "\n\n".join([head, download, rest, *parts[1:]]) + "\n"


def _parts(tutorial: Tutorial) -> Iterator[str]:
    number = 0
    for cell in tutorial.cells:
        if cell.kind == "text":
            name = tutorial.name
            yield as_page(cell.source, f"docs/tutorials/{name}.py", f"tutorials/{name}.md")
            continue
        shown = tutorial.shown[number]
        yield f"```python\n{cell.source}\n```"
        if shown.printed.strip():
            yield f"```text\n{shown.printed.rstrip()}\n```"
        if shown.figure is not None:
            yield f"![{cell.title}]({_figure(tutorial.name, number)})"
        number += 1


def _png(figure: object) -> bytes:
    file = io.BytesIO()
    figure.savefig(file, format="png", dpi=130)  # type: ignore[attr-defined]
    return file.getvalue()
