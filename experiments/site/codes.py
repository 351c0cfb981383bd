"""The source of each experiment as a page, so that links into the code work offline."""

from pathlib import Path

from ..lab.registry import EXPERIMENTS

HEAD = "---\nsearch:\n  exclude: true\n---\n"


def path(name: str, root: Path) -> str:
    """Returns the file of an experiment from the repository's root."""
    found = next((root / "experiments").glob(f"*/{name}.py"))
    return found.relative_to(root).as_posix()


def page(name: str) -> str:
    """Returns the page of an experiment's source."""
    return f"code/{name}.md"


def pages(root: Path) -> dict[str, str]:
    """Returns the Markdown of the sources by page."""
    return {page(name): _page(path(name, root), root) for name in EXPERIMENTS}


def _page(file: str, root: Path) -> str:
    source = (root / file).read_text(encoding="utf-8")
    return f"{HEAD}# `{file}`\n\n````python\n{source}````\n"
