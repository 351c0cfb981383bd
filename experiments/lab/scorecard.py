"""Every claim in one table, from the saved results: Markdown for people, JSON and CSV for programs.

The columns of `scorecard.csv` are `COLUMNS`, a row for each part of a claim; `scorecard.json` has
the claims with their parts.
"""

import csv
import dataclasses
import io
import json
import math
from collections import Counter
from pathlib import Path
from typing import Any

from jaxnets.claims import with_q_values
from jaxnets.storage.atomic import write_text

from .claims import markdown
from .escape import as_markdown
from .fingerprint import digest, library_digest
from .notes import read_all
from .run import COMMAND, RESULTS, load

NUMBERS = ("estimate", "low", "high", "margin", "reference", "p", "n")
COLUMNS = (
    *("row", "claim", "statement", "verdict", "part", "kind", *NUMBERS, "q", "unit", "share"),
    *("converged", "exploratory", "experiment", "config", "date", "machine", "digest", "age"),
)
HEAD = [
    *("row", "the lecture says", "lecture", "ours", "n", "q", "holds in", "converged", "verdict"),
    *("experiment", "age"),
]


def scorecard(results: Path = RESULTS) -> str:
    """Writes `scorecard.md`, `.json` and `.csv`; returns the table, and what is damaged.

    Claims whose experiment was run with other settings than its own are not judged.
    """
    claims, damaged = claims_of(results)
    lines = [markdown(HEAD, [_cells(claim) for claim in claims])]
    lines += [f"Not shown: {as_markdown(reason)}" for reason in damaged]
    table = "\n\n".join(lines)
    about = sorted({f"{claim['date']} on {claim['machine']}" for claim in claims})
    text = f"Measured {as_markdown(', '.join(about))}.\n\n{_summary(claims)}\n\n{table}\n"
    write_text(results / "scorecard.md", f"# Scorecard\n\n{text}")
    write_text(results / "scorecard.json", json.dumps(claims, indent=1))
    write_text(results / "scorecard.csv", _csv(claims))
    return f"{table}\n\n{_summary(claims)}"


def claims_of(results: Path) -> tuple[list[dict[str, Any]], list[str]]:
    """Reads the claims of all results with their q-values, and says which results are damaged."""
    notes, damaged = read_all(results, COMMAND)
    claims = sorted((claim for n in notes for claim in of_note(n)), key=lambda c: c["row"])
    for claim, q in zip(claims, with_q_values([_number(c.get("p")) for c in claims]), strict=True):
        claim["q"] = None if math.isnan(q) else q
    return claims, damaged


def of_note(note: dict[str, Any]) -> list[dict[str, Any]]:
    """Lists the claims of a note, each with what the note says of all.

    Where the experiment was run with other settings than its own, they are not judged.
    """
    about = {name: note[name] for name in ("experiment", "config", "date", "machine", "seconds")}
    about["age"] = _age(note)
    changed = changed_settings(note)
    if changed:
        reason = f"not the experiment's own settings: {', '.join(changed)}"
        about |= {"status": "not judged", "verdict": "not judged", "p": None, "parts": []}
        about |= {"ours": reason, "multiverse": {}}
    return [claim | about for claim in note["claims"]]


FILES = ("corpus", "image", "weights")
"""Settings that name files: a result says by digest which."""


def changed_settings(note: dict[str, Any]) -> list[str]:
    """Lists the settings of a result that are not its experiment's own; files do not count."""
    own = json.loads(json.dumps(dataclasses.asdict(load(note["experiment"]).Config())))
    return [
        f"{name}={note['config'].get(name)}"
        for name, value in own.items()
        if note["config"].get(name) != value and name not in FILES
    ]


def _age(note: dict[str, Any]) -> str:
    """Says which code a result is older than, "" for none."""
    if note.get("program") != digest(note["experiment"]):
        return "older than its experiment"
    if note.get("library") != library_digest(note["experiment"]):
        return "older than jaxnets"
    return ""


def _number(value: Any) -> float:
    return math.nan if value is None else float(value)


def _cells(claim: dict[str, Any]) -> list[Any]:
    q = claim["q"]
    verdict = f"{claim['status']}{' (exploratory)' if claim.get('exploratory') else ''}"
    return [
        *(claim["row"], claim["statement"], claim["lecture"], claim["ours"], claim["samples"]),
        "" if q is None else f"{q:.2g}",
        share(claim),
        claim.get("converged", ""),
        verdict,
        claim["experiment"],
        claim["age"],
    ]


def share(claim: dict[str, Any]) -> str:
    """Says in how many of the open settings a claim holds, and in how many it fails."""
    tried = claim.get("multiverse")
    if tried:
        left = f"; {tried['unjudged']} not judged" if tried.get("unjudged") else ""
        left += f"; {tried['left']} not run" if tried["left"] else ""
        left += f"; not tried: {', '.join(tried['untried'])}" if tried["untried"] else ""
        held, failed = tried["reproduced"], tried["refuted"]
        return f"{held} of {tried['settings']} settings, fails in {failed}{left}"
    return f"open: {', '.join(claim['open'])}" if claim.get("open") else ""


def _summary(claims: list[dict[str, Any]]) -> str:
    counts = Counter(claim["status"] for claim in claims)
    verdicts = ", ".join(f"{count} {status}" for status, count in counts.most_common())
    return f"{len(claims)} claims: {verdicts}."


def _csv(claims: list[dict[str, Any]]) -> str:
    text = io.StringIO()
    rows = csv.DictWriter(text, COLUMNS, restval="", extrasaction="ignore", lineterminator="\n")
    rows.writeheader()
    for claim in claims:
        about = claim | {
            "verdict": claim["status"],
            "share": share(claim),
            "config": json.dumps(claim["config"]),
        }
        for part in claim.get("parts") or [{}]:
            numbers = {name: part.get(name) for name in (*NUMBERS, "part", "kind", "unit")}
            rows.writerow(about | numbers)
    return text.getvalue()
