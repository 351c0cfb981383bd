"""The API by topic: the pages name the modules, mkdocstrings reads their docstrings."""

import re
from pathlib import Path

from .navigation import TOPICS, slug


def pages(root: Path) -> dict[str, str]:
    """Returns the Markdown of the topics and of their index, by page."""
    topics = {
        f"api/{slug(topic)}.md": "\n\n".join(
            [f"# {topic}", *(f"::: {name}" for room in rooms for name in modules(room, root))]
        )
        + "\n"
        for topic, rooms in TOPICS.items()
    }
    return {"api/index.md": _index()} | topics


def modules(room: str, root: Path) -> list[str]:
    """Returns the public modules of a room of jaxnets, the room itself first."""
    folder = root / "jaxnets" / room
    paths = sorted(folder.rglob("*.py")) if folder.is_dir() else [folder.with_suffix(".py")]
    names = {
        ".".join(path.relative_to(root).with_suffix("").parts).removesuffix(".__init__")
        for path in paths
        if path.stem == "__init__" or not path.stem.startswith("_")
    }
    return sorted(names)


def sources(root: Path) -> dict[str, str]:
    """Returns the files that mkdocstrings reads: an example is a section that it calls Examples."""
    return {
        path.relative_to(root).as_posix(): re.sub(
            r"(?m)^( *)Example:$", r"\1Examples:", path.read_text(encoding="utf-8")
        )
        for path in (root / "jaxnets").rglob("*.py")
    }


def _index() -> str:
    rows = [
        f"| [{topic}]({slug(topic)}.md) | {', '.join(f'`jaxnets.{room}`' for room in rooms)} |"
        for topic, rooms in TOPICS.items()
    ]
    return "\n".join(["# API", "", "| topic | modules |", "| --- | --- |", *rows, ""])
