"""Every claim in one table, and every figure on one page, from the saved results."""

import html
import json
from pathlib import Path
from typing import Any

from experiments.lab import EXPERIMENTS, RESULTS, markdown, title, write_text


def notes(results: Path = RESULTS) -> list[dict[str, Any]]:
    """The saved notes, in the order of `EXPERIMENTS`."""
    paths = [results / f"{name}.json" for name in EXPERIMENTS]
    return [json.loads(path.read_text()) for path in paths if path.exists()]


def scorecard(results: Path = RESULTS) -> str:
    """Writes `scorecard.md` and `scorecard.json`, and returns the table."""
    head = ["row", "the lecture says", "lecture", "ours", "samples", "verdict", "experiment"]
    claims = [
        {key: claim[key] for key in ("row", "statement", "lecture", "ours", "samples", "status")}
        | {"experiment": note["experiment"]}
        for note in notes(results)
        for claim in note["claims"]
    ]
    claims.sort(key=lambda claim: claim["row"])
    table = markdown(head, [list(claim.values()) for claim in claims])
    about = sorted({f"{note['date']} on {note['machine']}" for note in notes(results)})
    text = f"# Scorecard\n\nMeasured {', '.join(about)}.\n\n{table}\n"
    write_text(results / "scorecard.md", text)
    write_text(results / "scorecard.json", json.dumps(claims, indent=1))
    return table


def gallery(results: Path = RESULTS) -> Path:
    """Writes `index.html`: every figure with its claims, the lecture's number beside ours."""
    page = results / "index.html"
    sections = "\n".join(_section(note) for note in notes(results))
    write_text(page, _PAGE.format(sections=sections))
    return page


def _section(note: dict[str, Any]) -> str:
    name = note["experiment"]
    rows = "\n".join(_row(claim) for claim in note["claims"])
    config = ", ".join(f"{key}={value}" for key, value in note["config"].items())
    versions = ", ".join(f"{key} {value}" for key, value in note["versions"].items())
    return _SECTION.format(
        name=name,
        title=html.escape(title(name)),
        rows=rows,
        config=html.escape(config),
        about=html.escape(f"{note['seconds']} s on {note['machine']}, {note['date']}, {versions}"),
    )


def _row(claim: dict[str, Any]) -> str:
    cells = [claim[key] for key in ("row", "statement", "lecture", "ours", "samples")]
    body = "".join(f"<td>{html.escape(str(cell))}</td>" for cell in cells)
    mark = claim["status"].replace(" ", "-")
    return f'<tr>{body}<td class="{mark}">{claim["status"]}</td></tr>'


_PAGE = """<!doctype html>
<html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>jaxnets: what the lectures claim</title>
<style>
body {{ font: 16px/1.5 system-ui, sans-serif; max-width: 62rem; margin: 2rem auto; padding: 0 1rem;
       color: #1a1a1a; }}
img {{ max-width: 100%; }}
table {{ border-collapse: collapse; width: 100%; font-size: 0.9rem; }}
th, td {{ text-align: left; vertical-align: top; padding: 0.3rem 0.6rem;
         border-bottom: 1px solid #ddd; }}
.reproduced {{ color: #00664d; font-weight: 600; white-space: nowrap; }}
.not-reproduced {{ color: #a33c00; font-weight: 600; }}
.not-tested {{ color: #666; }}
.note {{ color: #666; font-size: 0.85rem; }}
</style>
<h1>What the lectures claim, and what we measured</h1>
{sections}
</html>
"""

_SECTION = """<h2 id="{name}">{title}</h2>
<img src="{name}.png" alt="{title}">
<table><tr><th>row<th>the lecture says<th>lecture<th>ours<th>samples<th>verdict</tr>
{rows}
</table>
<p class="note">{config}<br>{about}; again: <code>make {name}</code></p>
"""
