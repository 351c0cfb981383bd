"""Which names of jaxnets are public: what its rooms export, and what a few modules define."""

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

OPEN = (
    *("analysis.constructions", "analysis.evaluate", "analysis.inference"),
    *("analysis.landscape", "analysis.linear_regions", "analysis.projections", "analysis.summary"),
    *("backprop.graph", "claims.forest", "claims.made_up", "claims.power"),
    *("storage.checkpoints", "storage.run_folder", "storage.tensorboard"),
    *("text.corpus", "text.phrases", "text.tiny_language", "training.averaging"),
)
"""Modules that users import themselves, since their rooms export nothing of them."""
Definition = ast.FunctionDef | ast.ClassDef


class Name(NamedTuple):
    """A public function, class or table: its module, its name, and its definition."""

    module: str
    name: str
    node: ast.stmt


def names(root: Path) -> list[Name]:
    """Returns every public function and class once, by module and then as they are defined."""
    return [name for name in _public(root) if isinstance(name.node, Definition)]


def tables(root: Path) -> list[Name]:
    """Returns the public tables and numbers, such as `LOSSES`, likewise."""
    return [name for name in _public(root) if not isinstance(name.node, Definition)]


def exported(path: Path) -> set[tuple[str, str]]:
    """Returns what an `__init__` imports from the modules of jaxnets, by module and name."""
    body = ast.parse(path.read_text(encoding="utf-8")).body
    lists = [node.value for node in body if isinstance(node, ast.Assign) and _is_list(node)]
    meant = set(ast.literal_eval(lists[0])) if lists else None
    return {
        (node.module, alias.name)
        for node in body
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("jaxnets")
        for alias in node.names
        if meant is None or alias.name in meant
    }


def _is_list(node: ast.Assign) -> bool:
    return isinstance(node.targets[0], ast.Name) and node.targets[0].id == "__all__"


def module_of(path: Path, root: Path) -> str:
    """Returns the name under which a file of the repository is imported."""
    return ".".join(path.relative_to(root).with_suffix("").parts).removesuffix(".__init__")


@cache
def _public(root: Path) -> tuple[Name, ...]:
    library = root / "jaxnets"
    found = set().union(*(exported(path) for path in library.rglob("__init__.py")))
    return tuple(
        name
        for path in sorted(library.rglob("*.py"))
        for name in _defined(path, root)
        if (name.module, name.name) in found or _is_open(name.module)
    )


def _is_open(module: str) -> bool:
    room = module.removeprefix("jaxnets.")
    return ("." not in room and room != "objective") or room in OPEN


def _defined(path: Path, root: Path) -> Iterator[Name]:
    module = module_of(path, root)
    body = ast.parse(path.read_text(encoding="utf-8")).body
    for node, after in zip(body, [*body[1:], None], strict=True):
        names = [node.name] if isinstance(node, Definition) else _described(node, after)
        yield from (Name(module, name, node) for name in names if not name.startswith("_"))


def _described(node: ast.stmt, after: ast.stmt | None) -> list[str]:
    """The names in capitals that an assignment defines, if a docstring follows it."""
    targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
    if not (isinstance(after, ast.Expr) and isinstance(after.value, ast.Constant)):
        return []
    return [at.id for at in targets if isinstance(at, ast.Name) and at.id.isupper()]
