"""In how many of the settings that a lecture leaves open a claim holds, from a saved multiverse."""

import json
from pathlib import Path
from typing import Any, TypedDict

from .claim_files import registered
from .fingerprint import digest
from .notes import DamagedResult


class Count(TypedDict):
    """How often a claim was what, among the settings that were tried."""

    settings: int
    reproduced: int
    refuted: int
    unjudged: int
    """Settings in which nothing could be measured, or that had too few seeds to decide."""
    left: int
    """Combinations that have not been run yet, or could not be run."""
    untried: list[str]
    """Open settings that no field of the experiment changes."""


def digests_of(name: str) -> dict[str, Any]:
    """What a multiverse was run with: the experiment's program, and its claims' files."""
    claims = {claim.name: claim.digest for claim in registered(name).values()}
    return {"program": digest(name), "registered": claims}


def read(name: str, results: Path) -> dict[str, Any]:
    """Reads the `rows` of a saved multiverse, how many are `planned`, and of which `base`.

    There are none where the program or the claims have changed since. Older files do not say what
    their combinations changed: their base is None.

    Raises:
        DamagedResult: the file is not what `make multiverse` writes.
    """
    path = results / "multiverse" / f"{name}.json"
    none: dict[str, Any] = {"rows": [], "planned": 0, "base": None}
    if not path.exists():
        return none
    try:
        note = json.loads(path.read_text(encoding="utf-8"))
        own = {part: note[part] for part in ("program", "registered")}
        found = {"base": None} | {part: note[part] for part in none.keys() & note.keys()}
        return found if own == digests_of(name) else none
    except (ValueError, KeyError, TypeError) as error:
        raise DamagedResult(f"{path} is damaged: delete it, then run the multiverse") from error


def counts_of(name: str, results: Path) -> dict[str, Count]:
    """Counts, for each claim of an experiment, the settings with each verdict, and all of them."""
    counts: dict[str, Count] = {}
    note = read(name, results)
    rows, planned = note["rows"], note["planned"]
    for claim in registered(name).values() if rows else ():
        found = [row["claims"][claim.name] for row in rows if claim.name in row["claims"]]
        verdicts = [one["verdict"] for one in found]
        if verdicts:
            counts[claim.name] = {
                "settings": len(verdicts),
                "reproduced": verdicts.count("reproduced"),
                "refuted": verdicts.count("refuted"),
                "unjudged": verdicts.count("not judged"),
                "left": planned - len(rows),
                "untried": sorted(claim.open.keys() - rows[0]["settings"].keys()),
            }
    return counts
