"""Races of contenders in separate processes that run in turn (A B C, A B C, ...), one at a time.

While others work on the machine, all rounds are run once more, a few times at most; the quietest
attempt counts.

A contender is a factory `module:function` that prepares everything and returns `run()`, which does
the work once and returns its seconds, or a dict of `seconds` and notes. The first run warms up and
is not counted. A benchmark module exports its `RACES`, functions that build a `Race`; its factories
import what they time, so that the process that compares them stays small.
"""

import importlib
import json
import os
import re
import statistics
import subprocess
import sys
import time
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

from benchmarks.load import is_quiet, watched

ATTEMPTS = 3
FOLDER = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


@dataclass
class Contender:
    label: str
    factory: str
    options: dict[str, Any] = field(default_factory=dict)
    env: dict[str, str] = field(default_factory=dict)
    missing: str = ""
    """Why it cannot run on this machine, if so."""


def without(contenders: list[Contender], why: str) -> list[Contender]:
    """Marks contenders as missing, unless `why` is empty."""
    return [replace(contender, missing=contender.missing or why) for contender in contenders]


class Goal(NamedTuple):
    """The contender `ours` against the fastest of the peers whose labels start with `peer`."""

    ours: str
    peer: str
    at_most: float | None = None
    at_least: float | None = None
    """The ratio of speeds, peer time over our time."""
    quality: tuple[str, ...] = ()
    """Notes whose mean must reach the peer's mean less one standard deviation of the peer's."""
    instead: str = ""
    """What a user should take where the peer is faster; by default the peer."""


class Race(NamedTuple):
    title: str
    contenders: list[Contender]
    goals: list[Goal]
    rounds: int = 7
    row: str = ""
    """A short name, for files and `make bench ROW=`; by default made of the title."""

    @property
    def name(self) -> str:
        return self.row or re.sub(r"[^a-z0-9]+", "-", self.title.lower()).strip("-")


class Attempt(NamedTuple):
    load: float | None
    """The cores that other processes took meanwhile; None where nobody counts them."""
    rows: list[list[dict[str, Any]]]
    """What the runs returned, `[contenders][rounds]`."""


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
    """Times every contender `rounds` times, interleaved, whatever else the machine does."""
    return measure(contenders, rounds, attempts=1)[0]


def measure(
    contenders: list[Contender], rounds: int, attempts: int = ATTEMPTS
) -> tuple[list[Timing], list[float | None]]:
    """Times every contender that is not missing; returns the loads of all attempts, too."""
    workers: list[_Worker] = []
    try:
        for contender in contenders:
            if not contender.missing:
                workers.append(_Worker(contender))
        tried = _attempts(workers, rounds, attempts if workers else 1)
    finally:
        for worker in workers:
            worker.close()
    chosen = quietest(tried)
    return list(map(_timing, workers, chosen.rows)), [attempt.load for attempt in tried]


def _attempts(workers: list[_Worker], rounds: int, attempts: int) -> list[Attempt]:
    tried: list[Attempt] = []
    while len(tried) < attempts and not (tried and is_quiet(tried[-1].load)):
        tried.append(_attempt(workers, rounds))
    return tried


def _attempt(workers: list[_Worker], rounds: int) -> Attempt:
    rows: list[list[dict[str, Any]]] = [[] for _ in workers]

    def all_rounds() -> None:
        for _ in range(rounds):
            for worker, row in zip(workers, rows, strict=True):
                row.append(worker.wake())

    return Attempt(watched(all_rounds), rows)


def quietest(tried: list[Attempt]) -> Attempt:
    """Returns the attempt during which others worked least."""
    return min(tried, key=lambda attempt: attempt.load or 0.0)


def _timing(worker: _Worker, rows: list[dict[str, Any]]) -> Timing:
    seconds = [row.pop("seconds") for row in rows]
    notes = {name: [row[name] for row in rows] for name in rows[0]}
    return Timing(worker.label, worker.prepare, seconds, notes)


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
