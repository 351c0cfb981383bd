"""`python -m benchmarks --compare`: each row against its entry before and its goal.

A loss is a ratio to the peer whose middle half lies above the middle half of the entry before, on
the same processor. Times themselves are not compared: machines differ more than programs.
"""

from dataclasses import dataclass
from pathlib import Path

from benchmarks.history import HISTORY, entries, latest
from benchmarks.report import interval, short
from benchmarks.results import Judged, Result


@dataclass
class Line:
    row: str
    now: Judged
    before: Judged | None
    remark: str

    @property
    def lost(self) -> bool:
        return self.remark == "LOSS"


def compare(names: list[str], folder: Path = HISTORY) -> list[Line]:
    """Compares the newest result of each row with the one before it."""
    return [line for name in names for line in _of_row(name, folder)]


def _of_row(name: str, folder: Path) -> list[Line]:
    now = latest(name, folder)
    if now is None:
        return []
    past = [entry for entry in entries(name, folder) if entry != now]
    before = next((e for e in reversed(past) if e.machine == now.machine), None)
    return [_line(now, before, bool(past), judged) for judged in now.judged]


def _line(now: Result, before: Result | None, any_past: bool, judged: Judged) -> Line:
    olds = before.judged if before else []
    same = [old for old in olds if (old.ours, old.against) == (judged.ours, judged.against)]
    old = same[0] if same else None
    if not now.quiet:
        remark = f"loaded: others took {now.load} cores, no result"
    elif old is None:
        remark = "first on this processor" if any_past else "first"
    else:
        remark = verdict(judged, old)
    return Line(now.row, judged, old, remark)


def verdict(now: Judged, before: Judged) -> str:
    """Tells a loss or a gain from chance: the middle halves of both do not meet."""
    if now.ratio.low > before.ratio.high:
        return "LOSS"
    return "gain" if now.ratio.high < before.ratio.low else "as before"


def table(lines: list[Line]) -> str:
    """Formats the lines, one a goal."""
    found = ["| row | ours over | now | before | goal | |", "|---|---|---|---|---|---|"]
    for line in lines:
        goal = "" if line.now.at_most is None else short(line.now.at_most)
        missed = "" if line.now.met else " (missed)"
        before = "" if line.before is None else interval(line.before.ratio)
        over = f"{line.now.ours} over {line.now.peer}"
        cells = (line.row, over, interval(line.now.ratio), before, goal + missed, line.remark)
        found.append("| " + " | ".join(cells) + " |")
    return "\n".join(found)
