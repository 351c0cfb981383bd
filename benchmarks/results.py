"""What a race found, as data: every measured time, the machine, the versions and its load.

The median and the quartiles of times and of ratios are computed from what was measured. An entry
that is carried over from a text has them as they were written, and says where they come from.
"""

import json
import os
import platform
import re
import statistics
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from datetime import date
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks.harness import FOLDER, Goal, Race, Timing
from benchmarks.load import is_quiet

PACKAGES = (
    *("jax", "jaxlib", "flax", "optax", "numpy", "torch", "scikit-learn"),
    *("gensim", "numba", "fasttext-wheel"),
)

LIST = re.compile(r"\[\s+([^\[\]{}]*?)\s+\]")
"""A list of numbers or texts, which takes one line."""


class Spread(NamedTuple):
    """The median and the quartiles of some measurements."""

    median: float
    low: float
    high: float


def spread(values: Sequence[float]) -> Spread:
    """Computes the median and the quartiles; of fewer than three values the extremes."""
    if len(values) < 3:
        return Spread(statistics.median(values), min(values), max(values))
    low, median, high = statistics.quantiles(values, n=4, method="inclusive")
    return Spread(median, low, high)


@dataclass
class Circumstances:
    """Where and when something was measured."""

    date: str
    machine: str
    cores: int
    versions: dict[str, str]
    commit: str


def circumstances() -> Circumstances:
    """Describes this machine, these versions and this checkout."""
    return Circumstances(
        date=str(date.today()),
        machine=processor(),
        cores=os.cpu_count() or 1,
        versions=dict(_versions()),
        commit=_commit(),
    )


@dataclass
class Measured:
    """One contender's times, or what a text says about them."""

    label: str
    prepare: float | None
    seconds: list[float]
    time: Spread
    notes: dict[str, list[Any]] = field(default_factory=dict)


@dataclass
class Judged:
    """One goal: our time over the peer's in the same round, or the quality of both."""

    ours: str
    against: str
    """The peers of the goal, by the beginning of their labels."""
    peer: str
    """The fastest of them."""
    ratio: Spread
    at_most: float | None
    instead: str = ""
    quality: str = ""
    """A sentence about the quality that was asked for, if one was."""
    quality_met: bool = True

    @property
    def met(self) -> bool:
        return (self.at_most is None or self.ratio.median <= self.at_most) and self.quality_met


@dataclass
class Result:
    row: str
    title: str
    date: str
    machine: str
    cores: int
    versions: dict[str, str]
    commit: str
    rounds: int
    loads: list[float | None]
    """The cores that others took in each attempt; the quietest attempt counts."""
    measured: list[Measured]
    judged: list[Judged]
    missing: dict[str, str] = field(default_factory=dict)
    """Contenders that could not run, and why."""
    provenance: str = ""
    """Where the numbers come from, unless this race measured them."""

    @property
    def load(self) -> float | None:
        return min(self.loads, key=lambda load: load or 0.0) if self.loads else None

    @property
    def quiet(self) -> bool:
        return is_quiet(self.load)


def result_of(race: Race, timings: list[Timing], loads: list[float | None]) -> Result:
    """Gathers what a race found on this machine."""
    return Result(
        row=race.name,
        title=race.title,
        **asdict(circumstances()),
        rounds=len(timings[0].seconds) if timings else 0,
        loads=loads,
        measured=[
            Measured(t.label, round(t.prepare, 2), t.seconds, spread(t.seconds), t.notes)
            for t in timings
        ],
        judged=list(judge(race.goals, timings)),
        missing={c.label: c.missing for c in race.contenders if c.missing},
    )


def judge(goals: list[Goal], timings: list[Timing]) -> Iterator[Judged]:
    """Compares by each goal whose contenders ran."""
    for goal in goals:
        ours = [t for t in timings if t.label == goal.ours]
        if ours and any(t.label.startswith(goal.peer) for t in timings):
            peer = best(timings, goal.peer)
            yield Judged(
                goal.ours,
                goal.peer,
                peer.label,
                spread(ratios(ours[0], peer)),
                1 / goal.at_least if goal.at_least else goal.at_most,
                goal.instead,
                *_quality(goal, ours[0], peer),
            )


def ratio(ours: Timing, peer: Timing) -> float:
    """Computes the median of `ratios`."""
    return statistics.median(ratios(ours, peer))


def ratios(ours: Timing, peer: Timing) -> list[float]:
    """Divides our time by the peer's of the same round."""
    return [a / b for a, b in zip(ours.seconds, peer.seconds, strict=True)]


def best(timings: list[Timing], prefix: str) -> Timing:
    """Returns the fastest contender, by median, whose label starts with the prefix."""
    peers = (t for t in timings if t.label.startswith(prefix))
    return min(peers, key=lambda t: t.median)


def _quality(goal: Goal, ours: Timing, peer: Timing) -> tuple[str, bool]:
    sentences, met = [], True
    for name in goal.quality:
        values = peer.notes[name]
        slack = statistics.stdev(values) if len(values) > 1 else 0.0
        mean, least = statistics.mean(ours.notes[name]), statistics.mean(values) - slack
        sentences.append(f"{name} {mean:.4f} (at least {least:.4f})")
        met &= mean >= least
    return ", ".join(sentences), met


def processor() -> str:
    """Returns the processor's name, with what tells its generation where the name does not."""
    path = Path("/proc/cpuinfo")
    lines = path.read_text().splitlines() if path.exists() else []
    known = {name.strip(): text.strip() for name, _, text in (r.partition(":") for r in lines)}
    name = known.get("model name") or platform.processor() or platform.machine()
    numbers = [known[part] for part in ("cpu family", "model") if part in known]
    return f"{name} (family {numbers[0]}, model {numbers[1]})" if len(numbers) == 2 else name


def _versions() -> Iterator[tuple[str, str]]:
    yield "python", platform.python_version()
    for name in PACKAGES:
        try:
            yield name, version(name)
        except PackageNotFoundError:
            continue


def _commit() -> str:
    command = ["git", "describe", "--always", "--dirty", "--exclude=*"]
    done = subprocess.run(command, cwd=FOLDER, capture_output=True, text=True)
    return done.stdout.strip() if done.returncode == 0 else "unknown"


def to_json(result: Result) -> str:
    return compact(asdict(result))


def compact(fields: dict[str, Any]) -> str:
    """Formats data as JSON: five digits, and a list of numbers or texts on a line of its own."""
    rounded = json.loads(json.dumps(fields), parse_float=lambda text: _short(float(text)))
    text = json.dumps(rounded, indent=1, ensure_ascii=False) + "\n"
    return LIST.sub(lambda found: "[" + " ".join(found[1].split()) + "]", text)


def _short(value: float) -> float:
    return float(f"{value:.5g}")


def from_json(text: str) -> Result:
    fields = json.loads(text)
    fields["measured"] = [
        Measured(**row | {"time": Spread(*row["time"])}) for row in fields["measured"]
    ]
    fields["judged"] = [
        Judged(**row | {"ratio": Spread(*row["ratio"])}) for row in fields["judged"]
    ]
    return Result(**fields)
