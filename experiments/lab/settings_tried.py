"""In how many of the settings that a lecture leaves open a claim holds, from a saved multiverse."""

import json
from pathlib import Path
from typing import Any

from .fingerprint import digest

Counts = dict[str, int]


def tried(name: str, results: Path) -> list[dict[str, Any]]:
    """Reads the combinations of a saved multiverse; one of another program does not count."""
    path = results / "multiverse" / f"{name}.json"
    if not path.exists():
        return []
    note = json.loads(path.read_text(encoding="utf-8"))
    return note["rows"] if note.get("program") == digest(name) else []


def counts_of(name: str, results: Path) -> dict[str, Counts]:
    """Counts, for each claim of an experiment, the settings with each verdict, and all of them."""
    counts: dict[str, Counts] = {}
    for row in tried(name, results):
        for claim, found in row["claims"].items():
            count = counts.setdefault(claim, {"settings": 0, "reproduced": 0, "refuted": 0})
            count["settings"] += 1
            count[found["verdict"]] = count.get(found["verdict"], 0) + 1
    return counts
