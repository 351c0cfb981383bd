"""Every claim in one table, from the saved results."""

import json
from pathlib import Path
from typing import Any

from jaxnets.storage.atomic import write_text

from .claims import markdown
from .registry import EXPERIMENTS
from .run import RESULTS


def notes(results: Path = RESULTS) -> list[dict[str, Any]]:
    """Returns the saved notes in the order of `EXPERIMENTS`."""
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
