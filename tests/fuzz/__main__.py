"""Fuzzes every reader of files: `python -m tests.fuzz --minutes 30`; Linux.

Each reader gets damaged files of `damage`, in a process with a limit of memory and of time, and the
same share of the time. It must return content that is right, or raise an error of this package's
own. Anything else is a finding: its input stays, and the exit code is 1.
"""

import argparse
import sys
import time
from pathlib import Path

from tests.fuzz.readers import READERS
from tests.fuzz.worker import Worker, attempt, place_of


class Tally:
    """Counts what came of the inputs of a reader."""

    def __init__(self):
        """Starts with nothing."""
        self.inputs = self.refused = self.findings = self.memory = 0
        self.slowest, self.slowest_seed, self.spent = 0.0, 0, 0.0

    def add(self, seed, outcome):
        """Counts one more."""
        self.inputs += 1
        self.refused += outcome.refused
        self.findings += bool(outcome.wrong)
        self.memory = max(self.memory, outcome.memory)
        if outcome.seconds > self.slowest:
            self.slowest, self.slowest_seed = outcome.seconds, seed


def fuzz(seconds, folder, names=tuple(READERS), seed=0, most=None):
    """Tries inputs until the time is up, or `most` of them; returns the tally of each reader."""
    tallies = {name: Tally() for name in names}
    end = time.monotonic() + seconds
    with Worker(folder, names) as worker:
        while time.monotonic() < end and most != sum(t.inputs for t in tallies.values()):
            name = min(names, key=lambda name: tallies[name].spent)
            tally, began = tallies[name], time.monotonic()
            number = seed + tally.inputs
            outcome = worker.attempt(name, number)
            tally.add(number, outcome)
            tally.spent += time.monotonic() - began
            if outcome.wrong:
                print(f"FINDING: {name}, seed {number}, {place_of(folder, name, number)}")
                print(outcome.wrong, flush=True)
    return tallies


def report(tallies):
    """Formats a line for each reader."""
    head = f"{'reader':24}{'inputs':>8}{'refused':>8}{'findings':>9}{'MiB':>7}{'slowest':>9}  seed"
    lines = [
        f"{name:24}{t.inputs:8}{t.refused:8}{t.findings:9}{t.memory / 2**20:7.0f}"
        f"{t.slowest:7.2f} s  {t.slowest_seed}"
        for name, t in tallies.items()
    ]
    total = sum(t.inputs for t in tallies.values())
    findings = sum(t.findings for t in tallies.values())
    return "\n".join([head, *lines, f"{total} inputs, {findings} findings"])


def main():
    """Runs the command line; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--minutes", type=float, default=30)
    parser.add_argument("--reader", choices=READERS, help="only this one")
    parser.add_argument("--seed", type=int, default=0, help="of the first input of each reader")
    parser.add_argument("--once", action="store_true", help="only the input of that seed, here")
    parser.add_argument("--folder", type=Path, default=Path(".cache/fuzz"), help="for findings")
    options = parser.parse_args()
    names = [options.reader] if options.reader else list(READERS)
    if options.once:
        outcomes = [attempt(options.folder, name, options.seed) for name in names]
        print(*outcomes, *(outcome.wrong for outcome in outcomes), sep="\n")
        return int(any(outcome.wrong for outcome in outcomes))
    tallies = fuzz(options.minutes * 60, options.folder, names, options.seed)
    print(report(tallies))
    return int(any(tally.findings for tally in tallies.values()))


if __name__ == "__main__":
    sys.exit(main())
