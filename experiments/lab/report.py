"""A report for each lecture: what holds, what does not, where, and what the slides leave open.

`make report` writes `results/reports/L0.md` and `.pdf` and so on, from the saved results.
"""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from jaxnets.host.paths import as_path
from jaxnets.storage.atomic import make_folder, write_bytes, write_text

from .escape import as_markdown
from .pdf import as_pdf
from .registry import LECTURES
from .run import COMMAND, RESULTS
from .scorecard import claims_of
from .settings_tried import read

HEADINGS = {
    "reproduced": "What holds",
    "refuted": "What does not hold",
    "inconclusive": "What is not decided",
    "not comparable": "What cannot be compared",
    "not judged": "What has not been judged",
}
SHOWN = 8
"""Combinations of settings that are listed for a claim."""


class Block(NamedTuple):
    """A piece of a report: `h1` to `h3`, `p` for a paragraph, or `figure` for a picture's file."""

    kind: str
    text: str


def main(results: Path = RESULTS) -> int:
    """Writes the reports of all lectures that have claims; returns 1 if there is none."""
    results = as_path(results, "results")
    claims, damaged = claims_of(results)
    folder = results / "reports"
    make_folder(folder)
    written = 0
    for title in LECTURES:
        lecture = title.partition(":")[0]
        own = [claim for claim in claims if claim["row"].endswith(lecture)]
        if not own:
            continue
        blocks = list(blocks_of(title, own, results))
        write_text(folder / f"{lecture}.md", as_text(blocks, results))
        write_bytes(folder / f"{lecture}.pdf", as_pdf(blocks))
        print(f"{folder / lecture}.md and .pdf: {_counts(own)}", flush=True)
        written += 1
    for reason in damaged:
        print(f"not shown: {reason}")
    if not written:
        print(f"there are no results yet: run `{COMMAND} experiments`")
    return int(not written)


def blocks_of(title: str, claims: list[dict[str, Any]], results: Path) -> Iterator[Block]:
    """Yields the report of a lecture: claims by verdict, then the figures."""
    yield Block("h1", title)
    dates = sorted({f"{claim['date']} on {claim['machine']}" for claim in claims})
    yield Block("p", f"{_counts(claims)}. Measured {', '.join(dates)}.")
    for verdict, heading in HEADINGS.items():
        found = [claim for claim in claims if claim["status"] == verdict]
        if found:
            yield Block("h2", heading)
        for claim in found:
            yield from _of_claim(claim, results)
    experiments = dict.fromkeys(claim["experiment"] for claim in claims)
    shown = [name for name in experiments if (results / f"{name}.png").is_file()]
    if shown:
        yield Block("h2", "Figures")
    for name in shown:
        yield Block("h3", name)
        for picture in (results / f"{name}.png", results / "multiverse" / f"{name}.png"):
            if picture.is_file():
                yield Block("figure", str(picture))


def _counts(claims: list[dict[str, Any]]) -> str:
    counts = Counter(claim["status"] for claim in claims)
    verdicts = ", ".join(f"{counts[name]} {name}" for name in HEADINGS if counts[name])
    return f"{len(claims)} claims: {verdicts}"


def _of_claim(claim: dict[str, Any], results: Path) -> Iterator[Block]:
    """What a claim says, what was found, and under which settings."""
    where = f"{claim['row']}, line {claim['line']}" if claim.get("line") else claim["row"]
    yield Block("h3", f"{claim['statement']} ({where})")
    yield Block("p", f"The lecture: {claim['lecture']}. Ours: {claim['ours']}; {claim['samples']}.")
    more = {
        "Converged": claim.get("converged"),
        "Chosen after a look at results": claim.get("exploratory"),
        "Not comparable": claim.get("not_comparable"),
        "The result is": claim["age"],
        "The slide leaves open": _open(claim.get("open", {})),
        "It holds at": _places(claim, results),
    }
    lines = [f"{name}: {text}." for name, text in more.items() if text]
    if lines:
        yield Block("p", " ".join(lines))


def _open(settings: dict[str, list[Any]]) -> str:
    return "; ".join(
        f"{name} ({', '.join(map(_shown, values))})" for name, values in settings.items()
    )


def _places(claim: dict[str, Any], results: Path) -> str:
    """The combinations of open settings at which a claim is reproduced."""
    rows = read(claim["experiment"], results)["rows"]
    own = [row for row in rows if claim.get("claim") in row["claims"]]
    held = [row for row in own if row["claims"][claim["claim"]]["verdict"] == "reproduced"]
    if not own:
        return ""
    listed = [
        ", ".join(f"{name} {_shown(value)}" for name, value in row["settings"].items())
        for row in held[:SHOWN]
    ]
    more = f"; and {len(held) - SHOWN} more" if len(held) > SHOWN else ""
    where = f": {'; '.join(listed)}{more}" if listed else ""
    return f"{len(held)} of {len(own)} settings{where}"


def _shown(value: Any) -> str:
    return "/".join(map(str, value)) if isinstance(value, list) else str(value)


def as_text(blocks: list[Block], results: Path) -> str:
    """Formats a report as Markdown; its figures lie in the folder of the results, above it."""
    marks = {"h1": "# ", "h2": "## ", "h3": "### ", "p": ""}
    lines = [
        f"![{Path(text).stem}](../{Path(text).relative_to(results).as_posix()})"
        if kind == "figure"
        else f"{marks[kind]}{as_markdown(text)}"
        for kind, text in blocks
    ]
    return "\n\n".join(lines) + "\n"
