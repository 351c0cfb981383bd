"""Experiments side by side: each in its own process, on its share of the cores."""

import os
import subprocess
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor, as_completed
from importlib.metadata import entry_points
from importlib.util import find_spec
from queue import SimpleQueue
from typing import Any

from .registry import EXPERIMENTS, LONGEST, MINUTES, TIMED

MOST = 4
"""Processes that run at the same time, each of which may take 4 GB."""

Shares = list[set[int] | None]
ALL_CORES: Shares = [None]


def run_each(commands: Mapping[str, list[str]]) -> Iterator[tuple[str, int]]:
    """Runs the command of each experiment; yields its name and its exit code as it finishes.

    Those that measure times run last and alone. On CPUs the others run in parallel, each on its
    share of the cores: one core each wastes less than all cores for one at a time.
    """
    untimed = sorted(commands.keys() - set(TIMED), key=[*LONGEST, *MINUTES, *EXPERIMENTS].index)
    timed = [name for name in commands if name in TIMED]
    yield from _run({name: commands[name] for name in untimed}, _shares())
    yield from _run({name: commands[name] for name in timed}, ALL_CORES)


def _shares() -> Shares:
    """The cores of each experiment that runs in parallel; an accelerator is not shared."""
    accelerated = entry_points(group="jax_plugins") or find_spec("libtpu")
    if accelerated or not hasattr(os, "sched_getaffinity"):
        return ALL_CORES
    cores = sorted(os.sched_getaffinity(0))
    n = min(len(cores), MOST)
    return [set(cores[i * len(cores) // n : (i + 1) * len(cores) // n]) for i in range(n)]


def _run(commands: Mapping[str, list[str]], shares: Shares) -> Iterator[tuple[str, int]]:
    """Yields names and exit codes as commands finish; each share of cores runs one at a time."""
    free: SimpleQueue = SimpleQueue()
    for share in shares:
        free.put(share)
    children = Children()

    def one(name: str) -> int:
        print(f"starting: {name}", flush=True)
        code, output = children.run(commands[name], **captured)
        if output:
            print(output, flush=True)
        return code

    parallel = len(shares) > 1
    captured: dict = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT} if parallel else {}
    if parallel:
        captured |= {"text": True, "env": os.environ | {"TQDM_DISABLE": "1"}}
    with ThreadPoolExecutor(len(shares), initializer=lambda: _pin(free.get())) as threads:
        futures = {threads.submit(one, name): name for name in commands}
        try:
            for future in as_completed(futures):
                yield futures[future], future.result()
        except BaseException:
            threads.shutdown(wait=False, cancel_futures=True)
            children.end()
            raise


class Children:
    """Processes that run now, and that end with this one."""

    def __init__(self) -> None:
        self.running: set[subprocess.Popen] = set()
        self.ended = False

    def run(self, command: list[str], **options: Any) -> tuple[int, str | None]:
        """Runs a command; returns its exit code, and its output if that is captured."""
        with subprocess.Popen(command, **options) as child:
            self.running.add(child)
            if self.ended:
                child.terminate()
            output, _ = child.communicate()
            self.running.discard(child)
        return child.returncode, output

    def end(self) -> None:
        """Asks all that run, or start later, to end."""
        self.ended = True
        for child in tuple(self.running):
            child.terminate()


def _pin(share: set[int] | None) -> None:
    """Pins this thread and what it starts to these cores."""
    if share is not None:
        os.sched_setaffinity(0, share)
