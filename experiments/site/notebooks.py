"""Cells as notebooks: Jupyter's (nbformat 4.5) and marimo's, of the same text and code."""

import ast
import builtins
import json
import re
from collections.abc import Sequence
from textwrap import indent

from .cells import Cell

LINK = re.compile(r"\[([^\]]*)\]\((?!https?:)[^)\s]+\)")
"""Of a page of the site: a notebook has only its text."""
PYTHON = {"display_name": "Python 3", "language": "python", "name": "python3"}


def as_ipynb(cells: Sequence[Cell]) -> str:
    """Returns a Jupyter notebook, without outputs."""
    notebook = {
        "cells": [_ipynb_cell(number, cell) for number, cell in enumerate(cells)],
        "metadata": {"kernelspec": PYTHON, "language_info": {"name": "python"}},
        "nbformat": 4,
        "nbformat_minor": 5,
    }
    return json.dumps(notebook, indent=1, ensure_ascii=False) + "\n"


def as_marimo(cells: Sequence[Cell]) -> str:
    """Returns a marimo notebook, in which each cell gets the names it uses from the others.

    Raises:
        ValueError: two cells define the same name, which marimo refuses.
    """
    scopes = [_scope(cell.source) if cell.kind == "code" else ((), ()) for cell in cells]
    defined: dict[str, int] = {}
    for number, (names, _) in enumerate(scopes):
        for name in names:
            if name in defined:
                raise ValueError(f"cells {defined[name]} and {number} both define {name}")
            defined[name] = number
    parts = [
        "import marimo",
        "app = marimo.App()",
        "@app.cell\ndef _():\n    import marimo as mo\n\n    return (mo,)",
    ]
    for number, (cell, (names, used)) in enumerate(zip(cells, scopes, strict=True)):
        given = [name for name in used if defined.get(name, number) != number]
        parts.append(_marimo_cell(cell, names, given))
    parts.append('if __name__ == "__main__":\n    app.run()')
    return "\n\n\n".join(parts) + "\n"


def _ipynb_cell(number: int, cell: Cell) -> dict[str, object]:
    source = LINK.sub(r"\1", cell.source) if cell.kind == "text" else cell.source
    made: dict[str, object] = {
        "id": f"cell-{number}",
        "metadata": {},
        "source": source.splitlines(True),
    }
    if cell.kind == "text":
        return made | {"cell_type": "markdown"}
    return made | {"cell_type": "code", "execution_count": None, "outputs": []}


def _marimo_cell(cell: Cell, names: Sequence[str], given: Sequence[str]) -> str:
    if cell.kind == "text":
        text = LINK.sub(r"\1", cell.source).replace("\\", "\\\\").replace('"""', '\\"\\"\\"')
        text = indent(text, "    ", lambda line: bool(line.strip()))
        return f'@app.cell\ndef _(mo):\n    mo.md("""\n{text}\n    """)\n    return'
    body = indent(cell.source, "    ", lambda line: bool(line.strip()))
    returned = f" ({', '.join(names)},)" if names else ""
    return f"@app.cell\ndef _({', '.join(given)}):\n{body}\n    return{returned}"


def _scope(source: str) -> tuple[list[str], list[str]]:
    """Returns the names that a cell defines for others, and those that it uses, sorted."""
    tree = ast.parse(source)
    names = {name for statement in tree.body for name in _bound(statement)}
    used = {
        node.id
        for node in ast.walk(tree)
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load)
    }
    used -= set(dir(builtins))
    return sorted(name for name in names if not name.startswith("_")), sorted(used)


def _bound(node: ast.AST) -> set[str]:
    """Names that a statement binds outside of functions, classes and comprehensions."""
    if isinstance(node, ast.FunctionDef | ast.ClassDef):
        return {node.name}
    if isinstance(node, ast.Import | ast.ImportFrom):
        return {(alias.asname or alias.name).partition(".")[0] for alias in node.names}
    if isinstance(node, ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp | ast.Lambda):
        return set()
    if isinstance(node, ast.Name):
        return {node.id} if isinstance(node.ctx, ast.Store) else set()
    return {name for child in ast.iter_child_nodes(node) for name in _bound(child)}
