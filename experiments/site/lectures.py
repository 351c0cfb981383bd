"""A page for each lecture: figure by figure in its order, with claims, verdicts and protocol."""

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

from jaxnets.claims import Claim

from ..lab.claim_files import registered
from ..lab.escape import as_html
from ..lab.registry import EXPERIMENTS, LECTURES
from . import codes, saved_pages, shown
from .navigation import PAGES, lecture_page, notebook_of
from .rows import Row, rows
from .scores import NOT_MEASURED, Score, of_experiment

ERRATA = f"../{PAGES['docs/errata.md']}"
LAST = 10**6
"""Stands for the line of a claim that has none."""


class Section(NamedTuple):
    """An experiment on a lecture's page, with the claims of that lecture."""

    name: str
    claims: tuple[Claim, ...]


def pages(root: Path) -> dict[str, str]:
    """Returns the Markdown of the lectures by page."""
    return {lecture_page(title): _page(title, root) for title in LECTURES}


def short(title: str) -> str:
    """Returns the short name of a lecture, such as `L0`."""
    return title.partition(":")[0]


def home(name: str) -> str:
    """Returns the lecture's title under which the registry has an experiment."""
    return next(title for title, names in LECTURES.items() if name in names)


def sections(title: str) -> list[Section]:
    """Returns the experiments of a lecture in the order of its slides.

    Those are the experiments with a claim of the lecture, and those that the registry has there.
    Claims of no lecture stand where the registry has their experiment.
    """
    found = []
    for name in EXPERIMENTS:
        own = [claim for claim in registered(name).values() if _belongs(claim, name, title)]
        if own or name in LECTURES[title]:
            found.append(Section(name, tuple(sorted(own, key=_line))))
    return sorted(found, key=lambda section: _line(section.claims[0]) if section.claims else LAST)


def _belongs(claim: Claim, name: str, title: str) -> bool:
    of_lecture = any(short(other) == claim.source for other in LECTURES)
    return claim.source == short(title) if of_lecture else home(name) == title


def _line(claim: Claim) -> int:
    return claim.line or LAST


def _page(title: str, root: Path) -> str:
    found = sections(title)
    notebook = f"[The notebook of this lecture](../{notebook_of(title)})."
    parts = [f"# {title}", notebook, _contents(title, found)]
    for section in found:
        parts += _section(section, root)
    return "\n\n".join(parts) + "\n"


def _contents(title: str, found: list[Section]) -> str:
    """The rows of a lecture, each with the experiments that show it or the reason why none does."""
    lines = ["| row | what | shown by |", "| --- | --- | --- |"]
    for name, row in rows().items():
        if short(title) in row.lectures:
            lines.append(f"| {name} | {row.title} | {_shown_by(name, row, found)} |")
    return "\n".join(lines)


def _shown_by(row: str, about: Row, found: list[Section]) -> str:
    if about.reason:
        return f"{about.reason.rstrip('.')}: [errata]({ERRATA})"
    here = {section.name for section in found}
    links = []
    for name in EXPERIMENTS:
        if any(claim.row == row for claim in registered(name).values()):
            page = "" if name in here else lecture_page(home(name)).rpartition("/")[2]
            links.append(f"[{name}]({page}#{name})")
    return ", ".join(links)


def _section(section: Section, root: Path) -> Iterator[str]:
    name = section.name
    title, protocol = note(name, root)
    yield f"## {prose(title)} {{: #{name} }}"
    of_rows = dict.fromkeys(claim.row for claim in section.claims)
    for row in of_rows:
        yield f"**{row}, {rows()[row].title}.** {rows()[row].says}"
    yield shown.figure(name, title, root)
    yield claims_list(section, root)
    yield prose(protocol)
    yield _links(section, tuple(of_rows), root)


def _links(section: Section, of_rows: tuple[str, ...], root: Path) -> str:
    name = section.name
    code = f"Code: [{codes.path(name, root)}](../{codes.page(name)})."
    presets = dict.fromkeys(preset for row in of_rows for preset in rows()[row].presets)
    links = [f"[{preset}](../{saved_pages.page(preset)})" for preset in presets]
    played = f"In the playground: {', '.join(links)}." if links else ""
    return " ".join(
        filter(None, [f"Command: `make {name}`.", code, played, shown.downloads(name, root)])
    )


def claims_list(section: Section, root: Path) -> str:
    """Returns claims with what was measured and their verdicts, as HTML."""
    if not section.claims:
        return "The claims of this experiment are those of other lectures."
    scores = of_experiment(section.name, root)
    items = (
        _claim(claim, scores.get((f"{claim.row}, {claim.source}", claim.statement), NOT_MEASURED))
        for claim in section.claims
    )
    return f'<ul class="claims">{"".join(items)}</ul>'


def _claim(claim: Claim, score: Score) -> str:
    where = f"{claim.row}, {claim.source}" + (f", line {claim.line}" if claim.line else "")
    ours = f"{score.ours} ({score.samples})" if score.samples.strip("-") else score.ours
    facts = {"the slide": claim.printed, "measured": ours, "holds in": score.share}
    lines = "".join(
        f"<dt>{word}</dt><dd>{as_html(fact)}</dd>" for word, fact in facts.items() if fact
    )
    head = f"{badge(score.verdict)} <b>{where}</b>: {as_html(claim.statement)}"
    return f"<li>{head}<dl>{lines}</dl></li>"


def badge(verdict: str) -> str:
    """Returns a verdict as HTML."""
    return f'<span class="verdict {verdict.replace(" ", "-")}">{verdict}</span>'


@cache
def note(name: str, root: Path) -> tuple[str, str]:
    """Returns the title of an experiment and the rest of its lab note."""
    source = (root / codes.path(name, root)).read_text(encoding="utf-8")
    heading, _, protocol = (ast.get_docstring(ast.parse(source)) or "").partition("\n\n")
    return " ".join(heading.split()).rstrip("."), protocol


def prose(text: str) -> str:
    """Returns a docstring's text, in which no tag and no formula can begin outside of code."""
    parts = text.split("`")
    parts[::2] = [
        part.replace("&", "&amp;").replace("<", "&lt;").replace("$", "&#36;").replace("*", "\\*")
        for part in parts[::2]
    ]
    return "`".join(parts)
