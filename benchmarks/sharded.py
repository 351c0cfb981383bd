"""The sweep of `benchmarks.sweep` in a process that may use so many cores, one device on each."""

import os
from collections.abc import Callable
from typing import Any

from benchmarks import sweep


def jaxnets(task: str, networks: int, cores: int) -> Callable[[], dict[str, Any]]:
    allowed = sorted(os.sched_getaffinity(0))
    os.sched_setaffinity(0, allowed[:cores])
    return sweep.jaxnets(task, networks)
