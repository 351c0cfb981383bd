"""Which names of jaxnets are public: what its rooms export, and what a few modules define."""

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

OPEN = (
    *("analysis.constructions", "analysis.evaluate", "analysis.landscape"),
    *("analysis.linear_regions", "analysis.projections", "analysis.summary"),
    *("backprop.graph", "claims.forest", "claims.made_up", "claims.power"),
    *("storage.checkpoints", "storage.run_folder", "storage.tensorboard"),
    *("text.corpus", "text.phrases", "text.tiny_language", "training.averaging"),
)
"""Modules that users import themselves, since their rooms export nothing of them."""


class Name(NamedTuple):
    """A public function or class: its module, its name, and its definition."""

    module: str
    name: str
    node: ast.FunctionDef | ast.ClassDef


def names(root: Path) -> list[Name]:
    """Returns every public function and class once, by module and then as they are defined."""
    library = root / "jaxnets"
    exported = set().union(*(_exported(path) for path in library.rglob("__init__.py")))
    return [
        found
        for path in sorted(library.rglob("*.py"))
        for found in _defined(path, root)
        if (found.module, found.name) in exported or _is_open(found.module)
    ]


def _exported(path: Path) -> set[tuple[str, str]]:
    """What an `__init__` imports from the modules of jaxnets, by module and name."""
    return {
        (node.module, alias.name)
        for node in ast.parse(path.read_text(encoding="utf-8")).body
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("jaxnets")
        for alias in node.names
    }


def _is_open(module: str) -> bool:
    room = module.removeprefix("jaxnets.")
    return ("." not in room and room != "objective") or room in OPEN


def _defined(path: Path, root: Path) -> Iterator[Name]:
    module = ".".join(path.relative_to(root).with_suffix("").parts).removesuffix(".__init__")
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef) and not node.name.startswith("_"):
            yield Name(module, node.name, node)
