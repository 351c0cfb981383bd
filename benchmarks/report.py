"""`RESULTS.md`, made from the newest entry of each row of the history."""

import statistics
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from benchmarks.history import HISTORY, entries, ordered
from benchmarks.results import Judged, Measured, Result, Spread

HEAD = """# Benchmarks

`make bench` measures, and makes this file from `benchmarks/history/`, a small file for each row and
date with every measured time; `make bench ROW=NAME` runs one row, `make bench-compare` shows each
against its entry before. Each contender runs in its own process, in turn; a ratio is the median
over rounds of two times of the same round, with its quartiles in brackets. `prepare` is data,
compilation and the first run together; `compile` in the notes is compilation alone. A race runs
once more while other processes take more than a tenth of a core, and does not count if they never
stop. Where a peer is faster, the row says what to take. Entries with "(text)" come from a text
before there were such files.

## All rows

"""


def write(known: Iterable[str], folder: Path = HISTORY) -> str:
    """Returns the text of `RESULTS.md`: a table of all goals, then a section for each row."""
    newest = [found[-1] for row in ordered(known, folder) if (found := entries(row, folder))]
    return HEAD + summary(newest) + "\n" + "\n".join(map(section, newest))


def summary(results: list[Result]) -> str:
    """Formats one line a goal: the ratio to the strongest peer, and whether the goal is met."""
    lines = ["| row | ours over the strongest peer | ratio | goal | | measured |", "|---" * 6 + "|"]
    for result in results:
        for judged in result.judged:
            goal = "" if judged.at_most is None else f"at most {short(judged.at_most)}"
            over = f"{judged.ours} over {judged.peer}"
            when = f"{result.date} (text)" if result.provenance else result.date
            cells = (f"`{result.row}`", over, short(judged.ratio.median), goal, _word(judged), when)
            lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def _word(judged: Judged) -> str:
    if judged.at_most is None and not judged.quality:
        return ""
    return "met" if judged.met else "**not met**"


def section(result: Result) -> str:
    """Formats a row: times, goals, what could not run, and where it was measured."""
    lines = [f"## {result.title}\n", f"`{result.row}`: {_circumstances(result)}\n"]
    if result.measured:
        lines += ["| contender | median | quartiles | prepare | notes |", "|---|---|---|---|---|"]
        lines += [*map(_contender, result.measured), ""]
    lines += [f"- {label}: not measured, {why}" for label, why in result.missing.items()]
    lines += [line for judged in result.judged for line in _goal(judged)]
    return "\n".join(lines).rstrip() + "\n"


def _circumstances(result: Result) -> str:
    if result.provenance:
        return f"{result.date}, {result.provenance}"
    versions = ", ".join(f"{name} {number}" for name, number in result.versions.items())
    load = "unknown" if result.load is None else f"{result.load:.2f} cores"
    loud = "" if result.quiet else "; **loaded: no result**"
    return (
        f"{result.date}, {result.cores} cores of {result.machine}; commit {result.commit}; "
        f"{result.rounds} rounds, others' load {load}{loud}; {versions}."
    )


def _contender(measured: Measured) -> str:
    low, high = map(duration, measured.time[1:])
    prepare = "" if measured.prepare is None else f"{measured.prepare:.1f} s"
    notes = ", ".join(f"{name} {_note(values)}" for name, values in measured.notes.items())
    median = duration(measured.time.median)
    return f"| {measured.label} | {median} | {low}..{high} | {prepare} | {notes} |"


def _goal(judged: Judged) -> Iterator[str]:
    ratio = judged.ratio
    text = f"{interval(ratio)} of the time"
    if judged.at_most is not None:
        text += f" (goal: at most {short(judged.at_most)})"
    text += f", {judged.quality}" if judged.quality else ""
    word = _word(judged)
    yield f"- {judged.ours} over {judged.peer}: {text}" + (f": {word}" if word else "")
    if ratio.low > 1:
        yield f"  - Take instead: {judged.instead or judged.peer}."


def _note(values: list[Any]) -> str:
    """Formats a note: numbers that differ as mean ± standard deviation, else the last value."""
    if isinstance(values[-1], float) and len(set(values)) > 1:
        return f"{statistics.mean(values):.4f} ± {statistics.stdev(values):.4f}"
    return str(values[-1])


def duration(seconds: float) -> str:
    return f"{seconds:.3f} s" if seconds >= 1 else f"{seconds * 1e3:.3f} ms"


def short(ratio: float) -> str:
    return f"{ratio:.2f}" if ratio >= 0.1 else f"{ratio:.2g}"


def interval(ratio: Spread) -> str:
    """Formats a median, with its quartiles in brackets if they are known."""
    known = ratio.low < ratio.high
    middle = f" [{short(ratio.low)}, {short(ratio.high)}]" if known else ""
    return short(ratio.median) + middle
