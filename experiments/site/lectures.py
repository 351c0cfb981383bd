"""A page for each lecture: its experiments with figure, claims, verdicts, protocol and command."""

import ast
from pathlib import Path
from typing import NamedTuple

from jaxnets.claims import Claim

from ..lab.claim_files import registered
from ..lab.escape import as_markdown
from ..lab.registry import LECTURES
from .navigation import lecture_page
from .scores import NOT_MEASURED, of_experiment

HEAD = "| line | what the lecture says | printed | measured | n | verdict |\n| --- " + "| --- " * 5


class Lecture(NamedTuple):
    """A lecture's title and its experiments."""

    title: str
    experiments: tuple[str, ...]


def pages(root: Path) -> dict[str, str]:
    """Returns the Markdown of the lectures by page."""
    return {
        lecture_page(title): _page(Lecture(title, names), root) for title, names in LECTURES.items()
    }


def figures(root: Path) -> dict[str, Path]:
    """Returns the figures that were drawn, by their place in the site."""
    drawn = [root / "results" / f"{name}.png" for names in LECTURES.values() for name in names]
    return {f"figures/{path.name}": path for path in drawn if path.is_file()}


def _page(lecture: Lecture, root: Path) -> str:
    parts = [f"# {lecture.title}"]
    for name in lecture.experiments:
        parts += _experiment(name, root)
    return "\n\n".join(parts) + "\n"


def _experiment(name: str, root: Path) -> list[str]:
    source = next((root / "experiments").glob(f"*/{name}.py"))
    text = ast.get_docstring(ast.parse(source.read_text(encoding="utf-8"))) or ""
    heading, _, protocol = text.partition("\n\n")
    title = " ".join(heading.split()).rstrip(".")
    return [
        f"## {_prose(title)} {{: #{name} }}",
        _figure(name, title, root),
        _table(name, root),
        _prose(protocol),
        f"Code: `{source.relative_to(root).as_posix()}`. Command: `make {name}`.",
    ]


def _figure(name: str, title: str, root: Path) -> str:
    if (root / "results" / f"{name}.png").is_file():
        return f"![{as_markdown(title)}](../figures/{name}.png)"
    return f"No figure yet: it has not been drawn here; `make {name}` draws it."


def _table(name: str, root: Path) -> str:
    scores = of_experiment(name, root)
    claims = sorted(registered(name).values(), key=lambda claim: (claim.source, claim.line or 0))
    if not claims:
        return "No claim is registered."
    rows = [_row(claim, scores.get((_key(claim), claim.statement))) for claim in claims]
    return "\n".join([HEAD + "|", *rows])


def _key(claim: Claim) -> str:
    return f"{claim.row}, {claim.source}"


def _row(claim: Claim, score: tuple[str, str, str] | None) -> str:
    line = f"{_key(claim)}" + (f", line {claim.line}" if claim.line else "")
    words = [as_markdown(text) for text in (line, claim.statement, claim.printed)]
    return "| " + " | ".join([*words, *(score or NOT_MEASURED)]) + " |"


def _prose(text: str) -> str:
    """Returns a docstring's text, in which no tag can begin outside of code."""
    parts = text.split("`")
    parts[::2] = [part.replace("&", "&amp;").replace("<", "&lt;") for part in parts[::2]]
    return "`".join(parts)
