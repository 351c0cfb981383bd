"""The API by topic: the pages name what is public, mkdocstrings reads its docstrings."""

import ast
from collections.abc import Mapping, Sequence
from pathlib import Path

from . import public, references
from .navigation import TOPICS, slug

BLOCK = """::: {module}
    options:
      members: [{members}]
"""
INDEX = """# API

What users call, by topic, each with its arguments, shapes, errors and an example that tests run.
What only the package itself calls is named at the end of each page. `import jaxnets as jn` has the
names of the first column of this table:

| name | where it is described |
| --- | --- |
{top}

## Topics

| topic | modules |
| --- | --- |
{topics}
"""


def pages(root: Path) -> dict[str, str]:
    """Returns the Markdown of the topics and of their index, by page."""
    shown = _by_module(root)
    topics = {
        f"api/{slug(topic)}.md": _page(topic, rooms, shown, root) for topic, rooms in TOPICS.items()
    }
    return {"api/index.md": _index(root)} | topics


def modules(room: str, root: Path) -> list[str]:
    """Returns the public modules of a room of jaxnets, the room itself first."""
    folder = root / "jaxnets" / room
    paths = sorted(folder.rglob("*.py")) if folder.is_dir() else [folder.with_suffix(".py")]
    names = {
        public.module_of(path, root)
        for path in paths
        if path.stem == "__init__" or not path.stem.startswith("_")
    }
    return sorted(names)


def _by_module(root: Path) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for name in (*public.names(root), *public.tables(root)):
        found.setdefault(name.module, []).append(name.name)
    return found


def _page(topic: str, rooms: Sequence[str], shown: Mapping[str, Sequence[str]], root: Path) -> str:
    listed = [module for room in rooms for module in modules(room, root)]
    blocks = [
        BLOCK.format(module=module, members=", ".join(shown[module]))
        for module in listed
        if module in shown
    ]
    inside = [f"| `{m}` | {_about(m, root)} |" for m in listed if m not in shown]
    table = ["## Inside\n", "| module | what it is for |\n| --- | --- |"] if inside else []
    return "\n".join([f"# {topic}\n", *blocks, *table, *inside]) + "\n"


def _about(module: str, root: Path) -> str:
    path = root.joinpath(*module.split("."))
    path = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
    text = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
    first = " ".join(text.partition("\n\n")[0].split())
    return first.replace("|", "\\|").replace("<", "&lt;")


def _index(root: Path) -> str:
    names = references.known(root)
    top = [
        f"| `{name}` | [`{names[name]}`][{names[name]}] |"
        for name in sorted(names, key=str.lower)
        if name.startswith("jn.")
    ]
    topics = [
        f"| [{topic}]({slug(topic)}.md) | {', '.join(f'`jaxnets.{room}`' for room in rooms)} |"
        for topic, rooms in TOPICS.items()
    ]
    return INDEX.format(top="\n".join(top), topics="\n".join(topics))
