"""In how many of the settings that a lecture leaves open a claim holds, from a saved multiverse."""

import json
from pathlib import Path

from .fingerprint import digest

Counts = dict[str, int]


def counts_of(name: str, results: Path) -> dict[str, Counts]:
    """Counts, for each claim of an experiment, the settings with each verdict, and all of them.

    A multiverse of another program of the experiment does not count.
    """
    path = results / "multiverse" / f"{name}.json"
    if not path.exists():
        return {}
    note = json.loads(path.read_text(encoding="utf-8"))
    if note.get("program") != digest(name):
        return {}
    counts: dict[str, Counts] = {}
    for row in note["rows"]:
        for claim, found in row["claims"].items():
            count = counts.setdefault(claim, {"settings": 0, "reproduced": 0, "refuted": 0})
            count["settings"] += 1
            count[found["verdict"]] = count.get(found["verdict"], 0) + 1
    return counts
