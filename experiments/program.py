"""What a result was computed by: the sha256 of an experiment's source."""

import ast
import hashlib
from pathlib import Path

FOLDER = Path(__file__).parent
SHARED = ("contents", "lab", "program")
"""Modules behind every experiment, on which no number depends."""


def digest(name: str) -> str:
    """The sha256 of an experiment and what it imports from here, without comments and lab notes."""
    found = hashlib.sha256()
    for module in sorted(_reached(name, set())):
        found.update(f"{module} {ast.dump(_parsed(module))}".encode())
    return found.hexdigest()


def _parsed(module: str) -> ast.Module:
    tree = ast.parse((FOLDER / f"{module}.py").read_text(encoding="utf-8"))
    if ast.get_docstring(tree) is not None:
        del tree.body[0]
    return tree


def _reached(module: str, seen: set[str]) -> set[str]:
    """The module and all that it imports from `experiments`, added to those seen."""
    if module in seen or module in SHARED:
        return seen
    seen.add(module)
    for node in ast.walk(_parsed(module)):
        if isinstance(node, ast.ImportFrom) and node.module.partition(".")[0] == FOLDER.name:
            _, _, imported = node.module.partition(".")
            for one in [imported] if imported else [alias.name for alias in node.names]:
                _reached(one, seen)
    return seen
