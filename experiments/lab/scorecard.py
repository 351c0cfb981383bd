"""Every claim in one table, from the saved results."""

import json
from pathlib import Path

from jaxnets.storage.atomic import write_text

from .claims import markdown
from .escape import as_markdown
from .notes import read_all
from .run import COMMAND, RESULTS


def scorecard(results: Path = RESULTS) -> str:
    """Writes `scorecard.md` and `scorecard.json`; returns the table, and what is damaged."""
    notes, damaged = read_all(results, COMMAND)
    head = ["row", "the lecture says", "lecture", "ours", "samples", "verdict", "experiment"]
    claims = [
        {key: claim[key] for key in ("row", "statement", "lecture", "ours", "samples", "status")}
        | {"experiment": note["experiment"]}
        for note in notes
        for claim in note["claims"]
    ]
    claims.sort(key=lambda claim: claim["row"])
    lines = [markdown(head, [list(claim.values()) for claim in claims])]
    lines += [f"Not shown: {as_markdown(reason)}" for reason in damaged]
    table = "\n\n".join(lines)
    about = sorted({f"{note['date']} on {note['machine']}" for note in notes})
    text = f"# Scorecard\n\nMeasured {as_markdown(', '.join(about))}.\n\n{table}\n"
    write_text(results / "scorecard.md", text)
    write_text(results / "scorecard.json", json.dumps(claims, indent=1))
    return table
