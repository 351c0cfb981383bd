"""`python -m benchmarks growth [--axis NAME]`: what a unit of work costs as the work grows.

Every value of an axis is a race of ours and its peers in processes of their own, whose memory is
measured too. Saves `benchmarks/curves/AXIS/DATE.json`, and makes `docs/performance.md` and its
figures from the newest curves that count. All axes take about half an hour on two cores.
"""

import argparse
import sys
from collections.abc import Sequence
from importlib.util import find_spec

from benchmarks.growth import roofline
from benchmarks.growth.axes import AXES, Axis
from benchmarks.growth.curves import Curve, Point, save
from benchmarks.growth.report import curve_lines, write_page
from benchmarks.harness import Contender, measure
from benchmarks.peers.cplusplus import NO_COMPILER
from benchmarks.results import circumstances

OURS = "jaxnets"
NEEDED = {"fastText": "fasttext", "gensim": "gensim", "PyTorch": "torch", "stacked": "torch"}


def contenders(axis: Axis, value: int) -> list[Contender]:
    """Builds ours and the peers at a value."""
    factories = {OURS: axis.ours} | axis.peers
    options = {"axis": axis.name, "value": value}
    return [
        Contender(label, factory, options, missing=_missing(label))
        for label, factory in factories.items()
    ]


def _missing(label: str) -> str:
    if label.startswith("C++"):
        return NO_COMPILER
    needed = next((module for name, module in NEEDED.items() if label.startswith(name)), None)
    return "" if needed is None or find_spec(needed) else f"needs {needed}"


def grow(axis: Axis, values: Sequence[int], rounds: int, attempts: int) -> Curve:
    """Measures an axis."""
    points: list[Point] = []
    for value in values:
        timings, loads = measure(contenders(axis, value), rounds, attempts)
        load = min((load for load in loads if load is not None), default=None)
        points += [Point(value, t.label, t.seconds, max(t.notes["MB"]), load) for t in timings]
        print(f"{axis.name} {value:,}: {_row(points[-len(timings) :])}", flush=True)
    peak, speed = roofline.flops(), roofline.bandwidth()
    bounds = [
        (value, roofline.bound(axis.flops(value), axis.bytes(value), peak, speed))
        for value in values
    ]
    missing = {c.label: c.missing for c in contenders(axis, values[0]) if c.missing}
    return Curve(axis.name, axis.unit, OURS, circumstances(), peak, speed, bounds, points, missing)


def _row(points: list[Point]) -> str:
    return ", ".join(f"{p.label} {1e6 * p.median:.3g} us, {p.megabytes:.0f} MB" for p in points)


def main(arguments: Sequence[str]) -> None:
    parser = argparse.ArgumentParser("python -m benchmarks growth", description=__doc__)
    parser.add_argument("--axis", choices=AXES, action="append", help="by default all")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--try", type=int, dest="most", metavar="N", help="N values, not saved")
    parser.add_argument("--render", action="store_true", help="only make docs/performance.md")
    chosen = parser.parse_args(arguments)
    for name in () if chosen.render else chosen.axis or AXES:
        axis = AXES[name]
        curve = grow(axis, axis.values[: chosen.most], chosen.rounds, 1 if chosen.most else 2)
        print("\n".join(curve_lines(curve)), flush=True)
        if not chosen.most:
            print(f"saved: {save(curve)}")
    if not chosen.most:
        write_page()


if __name__ == "__main__":
    main(sys.argv[1:])
