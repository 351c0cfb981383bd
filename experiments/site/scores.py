"""What was found about a claim: from the results if there are any, else from the scorecard."""

import json
import re
from pathlib import Path
from typing import NamedTuple

from ..lab.escape import as_markdown


class Score(NamedTuple):
    """What was measured for a claim and its verdict, as Markdown."""

    ours: str
    samples: str
    verdict: str


NOT_MEASURED = Score("", "", "not measured yet")


def of_experiment(name: str, root: Path) -> dict[tuple[str, str], Score]:
    """Returns the scores of an experiment by row, such as `A1, L2`, and statement."""
    note = root / "results" / f"{name}.json"
    if note.is_file():
        return _of_note(json.loads(note.read_text(encoding="utf-8")))
    return {key: score for key, (owner, score) in _of_scorecard(root).items() if owner == name}


def _of_note(note: dict) -> dict[tuple[str, str], Score]:
    return {
        (claim["row"], claim["statement"]): Score(
            *(as_markdown(claim[field]) for field in ("ours", "samples", "status"))
        )
        for claim in note["claims"]
    }


def _of_scorecard(root: Path) -> dict[tuple[str, str], tuple[str, Score]]:
    found: dict[tuple[str, str], tuple[str, Score]] = {}
    header: list[str] = []
    for line in (root / "docs" / "scorecard.md").read_text(encoding="utf-8").splitlines():
        cells = [cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]]
        if not cells:
            header = []
        elif not header:
            header = cells
        elif "experiment" in header and set(cells[0]) != {"-"}:
            row = dict(zip(header, cells, strict=True))
            key = row["row"], _plain(row["the lecture says"])
            found[key] = row["experiment"], Score(row["ours"], row["n"], row["verdict"])
    return found


def _plain(text: str) -> str:
    """Undoes `as_markdown`."""
    text = re.sub(r"\\([\\`|\]])", r"\1", text)
    return text.replace("&lt;", "<").replace("&amp;", "&")
