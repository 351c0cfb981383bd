"""Runs that take long enough to be timed, and the memory that they need."""

import resource
import sys
import time
from collections.abc import Callable
from functools import partial

EPOCHS = 3
LEAST = 0.2
"""Seconds of a run, of as many calls as that takes."""


def memory() -> float:
    """Returns the most memory that this process has had, in MB."""
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most / (2**20 if sys.platform == "darwin" else 2**10)


def run_of(call: Callable[[], object], units: float, before: float) -> Callable[[], dict]:
    """Returns a harness's run: seconds a unit, and the memory beyond `before` (imports alone).

    `call` does `units` units of work, and waits for them.
    """

    def run() -> dict:
        calls, start = 0, time.perf_counter()
        while (seconds := time.perf_counter() - start) < LEAST:
            call()
            calls += 1
        return {"seconds": seconds / calls / units, "MB": round(memory() - before, 1)}

    return run


def epochs_of(call: Callable[[int], object], units: float, before: float) -> Callable[[], dict]:
    """Returns a harness's run: seconds a unit of an epoch, without what is done once a run.

    `call(epochs)` trains from the start, and each epoch does `units` units of work: the time of one
    epoch is subtracted from that of several.
    """

    def run() -> dict:
        once, several = (_seconds(partial(call, epochs)) for epochs in (1, EPOCHS))
        seconds = (several - once) / (EPOCHS - 1)
        return {"seconds": seconds / units, "MB": round(memory() - before, 1)}

    return run


def _seconds(call: Callable[[], object]) -> float:
    start = time.perf_counter()
    call()
    return time.perf_counter() - start
