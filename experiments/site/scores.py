"""What was found about a claim: from the results if there are any, else from the scorecard."""

import json
from pathlib import Path
from typing import Any, NamedTuple

from ..lab.escape import cells_of
from ..lab.scorecard import of_note, share


class Score(NamedTuple):
    """What was measured for a claim and its verdict."""

    ours: str
    samples: str
    verdict: str
    share: str = ""
    """In how many of the settings that are left open it holds."""


NOT_MEASURED = Score("", "", "not measured yet")


def of_experiment(name: str, root: Path) -> dict[tuple[str, str], Score]:
    """Returns the scores of an experiment by row, such as `A1, L2`, and statement."""
    note = root / "results" / f"{name}.json"
    if note.is_file():
        return _of_note(json.loads(note.read_text(encoding="utf-8")))
    return {key: score for key, (owner, score) in _of_scorecard(root).items() if owner == name}


def _of_note(note: dict[str, Any]) -> dict[tuple[str, str], Score]:
    return {
        (claim["row"], claim["statement"]): Score(
            claim["ours"], claim["samples"], claim["status"], share(claim)
        )
        for claim in of_note(note)
    }


def _of_scorecard(root: Path) -> dict[tuple[str, str], tuple[str, Score]]:
    found: dict[tuple[str, str], tuple[str, Score]] = {}
    header: list[str] = []
    for line in (root / "docs" / "scorecard.md").read_text(encoding="utf-8").splitlines():
        cells = cells_of(line)
        if not cells:
            header = []
        elif not header:
            header = cells
        elif "experiment" in header and set(cells[0]) != {"-"}:
            row = dict(zip(header, cells, strict=True))
            score = Score(row["ours"], row["n"], _verdict(row), row.get("holds in", ""))
            found[row["row"], row["the lecture says"]] = row["experiment"], score
    return found


def _verdict(row: dict[str, str]) -> str:
    return row["verdict"].removesuffix(" (exploratory)")
