"""What other processes take from the machine while a race runs, in cores.

All processor time that Linux counts (`/proc/stat`, of which a virtual machine's neighbours are a
part, `steal`) less that of this process and of those that it has started.
"""

import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

PROC = Path("/proc")
QUIET = 0.1
"""The most cores that others may take while a quiet race runs."""


class Sample(NamedTuple):
    seconds: float
    everyone: float
    """Processor seconds of all processes."""
    ours: float
    """Processor seconds of this process and its descendants."""


def sample(proc: Path = PROC, root: int | None = None) -> Sample | None:
    """Reads the clocks; None where there is no `/proc/stat`."""
    if not (proc / "stat").exists():
        return None
    ticks = os.sysconf("SC_CLK_TCK")
    fields = [int(field) for field in (proc / "stat").read_text().splitlines()[0].split()[1:9]]
    user, nice, system, _, _, *interrupts = fields
    everyone = user + nice + system + sum(interrupts)
    ours = sum(_own_ticks(proc, os.getpid() if root is None else root))
    return Sample(time.perf_counter(), everyone / ticks, ours / ticks)


def _own_ticks(proc: Path, root: int) -> Iterator[int]:
    """Yields the ticks of a process and its descendants, with children that have ended."""
    processes = dict(_processes(proc))
    family = {root}
    while more := {pid for pid, (parent, _) in processes.items() if parent in family} - family:
        family |= more
    for pid in family & processes.keys():
        yield processes[pid][1]


def _processes(proc: Path) -> Iterator[tuple[int, tuple[int, int]]]:
    for folder in proc.iterdir():
        if folder.name.isdigit():
            try:
                text = (folder / "stat").read_text()
            except OSError:  # it has ended
                continue
            fields = text.rpartition(")")[2].split()
            yield int(folder.name), (int(fields[1]), sum(map(int, fields[11:15])))


def others(before: Sample | None, after: Sample | None) -> float | None:
    """Computes how many cores other processes took between two samples."""
    if before is None or after is None:
        return None
    theirs = (after.everyone - before.everyone) - (after.ours - before.ours)
    return round(max(0.0, theirs / max(after.seconds - before.seconds, 1e-9)), 3)


def watched(work: Callable[[], object]) -> float | None:
    """Does the work, and returns how many cores others took meanwhile; None if nobody counts."""
    before = sample()
    work()
    return others(before, sample())


def is_quiet(load: float | None) -> bool:
    """Tells whether others took next to nothing; where nobody counts, it is taken on trust."""
    return load is None or load <= QUIET
