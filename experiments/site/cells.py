"""Scripts in cells (`# %%`): what they say, what they compute, and what they show."""

import ast
import contextlib
import io
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal, NamedTuple

Kind = Literal["text", "code"]
LAST = "_last"
"""The name of a cell's last line while the cell runs."""


class Cell(NamedTuple):
    """A part of a script: Markdown, or Python with a title that says what its figure shows."""

    kind: Kind
    title: str
    source: str


class Shown(NamedTuple):
    """What a code cell printed, and its last line if that is a figure."""

    printed: str
    figure: Any = None


def read(path: Path) -> list[Cell]:
    """Returns the cells of a script in the percent format."""
    parts = re.split(r"(?m)^# %%(.*)\n", path.read_text(encoding="utf-8"))
    if parts[0].strip():
        raise ValueError(f"{path}: the first line must begin a cell, `# %% [markdown]`")
    return [_cell(mark.strip(), body) for mark, body in zip(parts[1::2], parts[2::2], strict=True)]


def run(cells: Sequence[Cell], name: str) -> tuple[list[Shown], dict[str, Any]]:
    """Runs the code cells in order; returns what each shows, and the names that they left."""
    scope: dict[str, Any] = {"__name__": name}
    return [_run(cell, name, scope) for cell in cells if cell.kind == "code"], scope


def title_of(cells: Sequence[Cell]) -> str:
    """Returns the heading that a script begins with."""
    return cells[0].source.partition("\n")[0].removeprefix("# ")


def _cell(mark: str, body: str) -> Cell:
    if mark == "[markdown]":
        lines = (line.removeprefix("#").removeprefix(" ") for line in body.strip().splitlines())
        return Cell("text", "", "\n".join(lines))
    return Cell("code", mark, body.strip())


def _run(cell: Cell, name: str, scope: dict[str, Any]) -> Shown:
    tree, printed = ast.parse(cell.source, name), io.StringIO()
    if isinstance(tree.body[-1], ast.Expr):
        last = ast.Assign([ast.Name(LAST, ast.Store())], tree.body[-1].value)
        tree.body[-1] = ast.fix_missing_locations(ast.copy_location(last, tree.body[-1]))
    with contextlib.redirect_stdout(printed):
        exec(compile(tree, name, "exec"), scope)
    value = scope.pop(LAST, None)
    return Shown(printed.getvalue(), value if hasattr(value, "savefig") else None)
