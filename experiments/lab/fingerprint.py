"""Which program computed a result: the sha256 of an experiment's source, and of what it imports."""

import ast
import hashlib
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import jaxnets

FOLDER = Path(__file__).parent.parent
LIBRARY = Path(jaxnets.__file__).parent
UNCOUNTED = ("claims", "plots", "themes")
LAB = Path(__file__).parent
"""Modules behind every experiment, on which no number depends."""


def path_of(name: str) -> Path:
    """Returns the file of an experiment, whichever room it is in."""
    return next(FOLDER.glob(f"*/{name}.py"))


def digest(name: str) -> str:
    """Hashes an experiment and the helpers it imports (sha256), without comments and lab notes.

    Modules count by their base names, so that moving a file does not outdate a saved result.
    """
    found = hashlib.sha256()
    for path in sorted(_collect(path_of(name), set()), key=lambda path: path.stem):
        found.update(f"{path.stem} {_text_of_program(_read(path))}".encode())
    return found.hexdigest()


def library_digest(name: str) -> str:
    """Hashes the modules of `jaxnets` that an experiment uses, directly or through others.

    Those that judge and draw what was measured change no number: they do not count, nor do
    docstrings.
    """
    seen: set[Path] = set()
    for path in _collect(path_of(name), set()):
        for used in _used(path):
            _collect_used(used, seen)
    found = hashlib.sha256()
    for path in sorted(seen):
        found.update(f"{path.relative_to(LIBRARY)} {text_of_library(path)}".encode())
    return found.hexdigest()


@cache
def text_of_library(path: Path) -> str:
    """Returns the code of a module as text, without its docstrings."""
    tree = _parsed(_read(path))
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.FunctionDef | ast.ClassDef):
            node.body = [part for part in node.body if not _is_text(part)]
    return _text(tree)


def _is_text(node: ast.AST) -> bool:
    """Tells whether a statement is a docstring, of whatever stands before it."""
    value = node.value if isinstance(node, ast.Expr) else None
    return isinstance(value, ast.Constant) and isinstance(value.value, str)


def _collect_used(path: Path, seen: set[Path]) -> None:
    if path not in seen:
        seen.add(path)
        for used in _used(path):
            _collect_used(used, seen)


@cache
def _used(path: Path) -> tuple[Path, ...]:
    """The files of `jaxnets` that a file imports; those of a package are its `__init__`'s too."""
    files: list[Path] = []
    for name in _imported(path):
        first, *rest = name.split(".")
        file = LIBRARY.joinpath(*rest)
        both = [file / "__init__.py", *([file.with_suffix(".py")] if rest else [])]
        if first == "jaxnets" and not (rest and rest[0] in UNCOUNTED):
            files += [found for found in both if found.is_file()]
    return tuple(files)


@cache
def _imported(path: Path) -> tuple[str, ...]:
    """The modules that a file imports by their full names, and what it takes from them."""
    names: list[str] = []
    for node in ast.walk(ast.parse(_read(path))):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names += [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
    return tuple(names)


def _text(node: Any) -> str:
    """A syntax tree as text, the same in every version of Python that can parse it."""
    if isinstance(node, list):
        return f"[{','.join(map(_text, node))}]"
    if not isinstance(node, ast.AST):
        return repr(node)
    fields = (f"{k}={_text(v)}" for k, v in ast.iter_fields(node) if v not in (None, []))
    return f"{type(node).__name__}({','.join(fields)})"


def _read(path: Path) -> str:
    return path.read_text(encoding="utf-8")


@cache
def _text_of_program(source: str) -> str:
    """The code of an experiment as text; by its content, as a file may change while this runs."""
    return _text(_parsed(source))


def _parsed(source: str) -> ast.Module:
    """The syntax tree without the lab note, with the base name of every imported module."""
    tree = ast.parse(source)
    if ast.get_docstring(tree) is not None:
        del tree.body[0]
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom):
            node.level, node.module = 0, (node.module or "").rpartition(".")[2]
    return tree


def _collect(path: Path, seen: set[Path]) -> set[Path]:
    """Adds the file and everything it imports outside the lab to `seen`."""
    if path not in seen and path.parent != LAB:
        seen.add(path)
        for imported in _imports(path):
            _collect(imported, seen)
    return seen


def _imports(path: Path) -> Iterator[Path]:
    for level, module, names in _relative_imports(_read(path)):
        folder = path.parents[level - 1].joinpath(*module.split("."))
        modules = [folder.with_suffix(".py"), *(folder / f"{name}.py" for name in names)]
        yield from (module for module in modules if module.exists())


@cache
def _relative_imports(source: str) -> tuple[tuple[int, str, tuple[str, ...]], ...]:
    """The level, the module and the names of each."""
    return tuple(
        (node.level, node.module or "", tuple(alias.name for alias in node.names))
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.ImportFrom) and node.level
    )
