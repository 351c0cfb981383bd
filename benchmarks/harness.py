"""Races of contenders in separate processes that run in turn (A B C, A B C, ...), one at a time.

A contender is a factory `module:function` that prepares everything and returns `run()`, which does
the work once and returns its seconds, or a dict of `seconds` and notes. The first run warms up and
is not counted. A benchmark module exports its `RACES`, functions that build a `Race`; its factories
import what they time, so that the process that compares them stays small.
"""

import importlib
import json
import os
import statistics
import subprocess
import sys
import time
from dataclasses import dataclass, field
from typing import Any, NamedTuple

FOLDER = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


@dataclass
class Contender:
    label: str
    factory: str
    options: dict[str, Any] = field(default_factory=dict)
    env: dict[str, str] = field(default_factory=dict)


class Goal(NamedTuple):
    """The contender `ours` against the fastest of the peers whose labels start with `peer`."""

    ours: str
    peer: str
    at_most: float | None = None
    at_least: float | None = None
    """The ratio of speeds, peer time over our time."""
    quality: tuple[str, ...] = ()
    """Notes whose mean must reach the peer's mean less one standard deviation of the peer's."""


class Race(NamedTuple):
    title: str
    contenders: list[Contender]
    goals: list[Goal]
    rounds: int = 7


@dataclass
class Timing:
    label: str
    prepare: float
    """Seconds for data, compilation and the first run."""
    seconds: list[float]
    notes: dict[str, list[Any]]
    """What else the runs report, one value a round."""

    @property
    def median(self) -> float:
        return statistics.median(self.seconds)


def ratio(ours: Timing, peer: Timing) -> float:
    """Returns the median over the rounds of our time over the peer's in the same round."""
    return statistics.median(a / b for a, b in zip(ours.seconds, peer.seconds, strict=True))


def best(timings: list[Timing], prefix: str) -> Timing:
    """Returns the fastest contender, by median, whose label starts with the prefix."""
    return min((t for t in timings if t.label.startswith(prefix)), key=lambda t: t.median)


class _Worker:
    def __init__(self, contender: Contender):
        self.label = contender.label
        spec = json.dumps([contender.factory, contender.options])
        self.process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.harness", spec],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=FOLDER,
            env=os.environ | contender.env,
        )
        self.prepare = self.wake()["prepare"]

    def wake(self) -> dict[str, Any]:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write("run\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        if not line:
            raise RuntimeError(f"benchmark process of {self.label!r} ended; see its error above")
        return json.loads(line)

    def close(self) -> None:
        self.process.communicate("")


def race(contenders: list[Contender], rounds: int = 5) -> list[Timing]:
    """Times every contender `rounds` times, interleaved."""
    workers = [_Worker(c) for c in contenders]
    results: list[list[dict[str, Any]]] = [[] for _ in workers]
    for _ in range(rounds):
        for worker, result in zip(workers, results, strict=True):
            result.append(worker.wake())
    for worker in workers:
        worker.close()
    return [
        Timing(
            worker.label,
            worker.prepare,
            [row.pop("seconds") for row in rows],
            {name: [row[name] for row in rows] for name in rows[0]},
        )
        for worker, rows in zip(workers, results, strict=True)
    ]


def _work(spec: str) -> None:
    out = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    factory, options = json.loads(spec)
    module, _, function = factory.partition(":")
    start = time.perf_counter()
    run = None
    for _ in sys.stdin:
        if run is None:
            run = getattr(importlib.import_module(module), function)(**options)
            run()
            answer = {"prepare": time.perf_counter() - start}
        else:
            result = run()
            answer = result if isinstance(result, dict) else {"seconds": result}
        print(json.dumps(answer), file=out, flush=True)


if __name__ == "__main__":
    _work(sys.argv[1])
