"""The sweep of `benchmarks.sweep` in a process limited to some cores, with one device on each."""

import os
from collections.abc import Callable
from functools import partial
from typing import Any

from benchmarks import sweep
from benchmarks.harness import Contender, Goal, Race


def jaxnets(task: str, networks: int, cores: int) -> Callable[[], dict[str, Any]]:
    allowed = sorted(os.sched_getaffinity(0))
    os.sched_setaffinity(0, allowed[:cores])
    return sweep.jaxnets(task, networks)


def _race(task: str, networks: int) -> Race:
    cores = os.cpu_count() or 1
    contenders = [
        Contender(
            f"jaxnets sweep, {n} core(s)",
            f"{__name__}:jaxnets",
            {"task": task, "networks": networks, "cores": n},
        )
        for n in (1, cores)
    ]
    ours, alone = (contender.label for contender in reversed(contenders))
    goals = [Goal(ours, alone, at_least=0.8 * cores)] if cores > 1 else []
    layers = {"planar": "2-10-1, full batch", "image": "784-64-10"}[task]
    title = f"sweep of {networks} networks {layers}, on one core and on all"
    return Race(title, contenders, goals, row=f"sharded-{task}")


RACES = [partial(_race, "planar", 256), partial(_race, "image", 64)]
