"""Which program computed a result: the sha256 of an experiment's source."""

import ast
import hashlib
from collections.abc import Iterator
from pathlib import Path

FOLDER = Path(__file__).parent.parent
LAB = Path(__file__).parent
"""Modules behind every experiment, on which no number depends."""


def path_of(name: str) -> Path:
    """The file of an experiment, in whichever room it is."""
    return next(FOLDER.glob(f"*/{name}.py"))


def digest(name: str) -> str:
    """The sha256 of an experiment and of the helpers it imports, without comments and lab notes.

    Modules count by their base names, so that moving a file does not outdate a saved result.
    """
    found = hashlib.sha256()
    for path in sorted(_reached(path_of(name), set()), key=lambda path: path.stem):
        found.update(f"{path.stem} {ast.dump(_source(path))}".encode())
    return found.hexdigest()


def _source(path: Path) -> ast.Module:
    """The tree without the lab note, with the base name of every imported module."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    if ast.get_docstring(tree) is not None:
        del tree.body[0]
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom):
            node.level, node.module = 0, (node.module or "").rpartition(".")[2]
    return tree


def _reached(path: Path, seen: set[Path]) -> set[Path]:
    """The file and all that it imports from other rooms, added to those seen."""
    if path not in seen and path.parent != LAB:
        seen.add(path)
        for imported in _imported(path):
            _reached(imported, seen)
    return seen


def _imported(path: Path) -> Iterator[Path]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.level:
            folder = path.parents[node.level - 1].joinpath(*(node.module or "").split("."))
            modules = [folder.with_suffix(".py"), *(folder / f"{a.name}.py" for a in node.names)]
            yield from (module for module in modules if module.exists())
