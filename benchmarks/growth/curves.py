"""What an axis found, as data: `benchmarks/curves/AXIS/DATE.json`."""

import json
import statistics
from dataclasses import asdict, dataclass
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

from benchmarks.history import put, that_count
from benchmarks.load import is_quiet
from benchmarks.results import Circumstances, compact

FOLDER = Path(__file__).parent.parent / "curves"
GROWS = 1.25
"""How much more a unit may cost at the next value before the growth is called worse than linear."""


@dataclass
class Point:
    value: int
    label: str
    seconds: list[float]
    """Seconds a unit of work, one a round."""
    megabytes: float
    load: float | None
    """The cores that others took meanwhile."""

    @property
    def median(self) -> float:
        return statistics.median(self.seconds)


@dataclass
class Curve:
    axis: str
    unit: str
    ours: str
    at: Circumstances
    peak: float
    """Measured operations a second."""
    speed: float
    """Measured bytes a second."""
    bounds: list[tuple[int, float]]
    """The least seconds a unit at each value, by that peak and that speed."""
    points: list[Point]
    missing: dict[str, str]

    @property
    def labels(self) -> list[str]:
        return list(dict.fromkeys(point.label for point in self.points))

    @property
    def quiet(self) -> bool:
        return all(is_quiet(point.load) for point in self.points)

    def of(self, label: str) -> list[Point]:
        return [point for point in self.points if point.label == label]

    @property
    def strongest(self) -> dict[int, Point]:
        """The fastest peer at each value."""
        peers = [point for point in self.points if point.label != self.ours]
        by_value: dict[int, Point] = {}
        for point in sorted(peers, key=lambda point: -point.median):
            by_value[point.value] = point
        return by_value


class Step(NamedTuple):
    """Where a unit costs more at the next value of the axis."""

    start: int
    end: int
    factor: float


def worse_than_linear(curve: Curve, label: str) -> list[Step]:
    """Lists where a unit of work costs more than `GROWS` times that at the value before."""
    found = []
    for a, b in pairwise(sorted(curve.of(label), key=lambda point: point.value)):
        if b.median > GROWS * a.median:
            found.append(Step(a.value, b.value, b.median / a.median))
    return found


def crossings(curve: Curve) -> list[tuple[int, int]]:
    """Lists the values between which the strongest peer overtakes us, or we it."""
    peer = curve.strongest
    ahead = [(p.value, p.median <= peer[p.value].median) for p in curve.of(curve.ours) if peer]
    return [(a[0], b[0]) for a, b in pairwise(sorted(ahead)) if a[1] != b[1]]


def save(curve: Curve, folder: Path = FOLDER) -> Path:
    """Writes a curve; one of a loaded machine to a file that git ignores."""
    return put(folder / curve.axis, curve.at.date, curve.quiet, compact(asdict(curve)))


def latest(axis: str, folder: Path = FOLDER) -> Curve | None:
    """Reads the newest curve of an axis that counts."""
    paths = that_count(folder / axis)
    return from_json(paths[-1].read_text(encoding="utf-8")) if paths else None


def from_json(text: str) -> Curve:
    fields = json.loads(text)
    fields["at"] = Circumstances(**fields["at"])
    fields["points"] = [Point(**point) for point in fields["points"]]
    fields["bounds"] = [(value, seconds) for value, seconds in fields["bounds"]]
    return Curve(**fields)
