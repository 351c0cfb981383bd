"""Runs every experiment whose result is not up to date, each in its own process."""

import dataclasses
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from importlib.metadata import entry_points
from importlib.util import find_spec
from pathlib import Path
from queue import SimpleQueue
from typing import Any

from jaxnets.host import checks

from .config import configure
from .fingerprint import digest
from .notes import DamagedResult, read
from .registry import EXPERIMENTS, LONGEST, TIMED
from .rules import require_usable
from .run import PROGRAM, RESULTS, has_own_arrays, inputs_of, load

MOST = 4
"""Experiments run at the same time, each of which may take 4 GB."""


Shares = list[set[int] | None]
ALL_CORES: Shares = [None]


def main(settings: list[str], results: Path = RESULTS) -> int:
    """Runs what is missing or out of date; returns 1 if any failed, or 128 + a signal's number.

    Those that measure times run last and alone. On CPUs the others run in parallel, each on its
    share of the cores: one core each wastes less than all cores for one at a time. A setting
    `field=value` applies to the experiments that have the field. Results are written atomically,
    so whatever stops one experiment leaves the others intact.

    Raises:
        ValueError: a setting that no experiment takes, or that one of them cannot use.
    """
    _require_settings(settings)
    waiting = [name for name in EXPERIMENTS if not up_to_date(name, settings, results)]
    print(f"{len(EXPERIMENTS) - len(waiting)} of {len(EXPERIMENTS)} experiments are up to date.")
    untimed = sorted(set(waiting) - set(TIMED), key=[*LONGEST, *EXPERIMENTS].index)
    timed = [name for name in waiting if name in TIMED]
    start, failed, done = time.perf_counter(), [], 0
    try:
        for names, shares in ((untimed, _shares()), (timed, ALL_CORES)):
            for name, code in _run(names, shares, settings):
                done += 1
                minutes = (time.perf_counter() - start) / 60
                print(f"[{done} of {len(waiting)} done, {minutes:.0f} min] {name}", flush=True)
                failed += [name] * bool(code)
    except KeyboardInterrupt as stopped:
        print(
            "\nStopped: the same command resumes with those that have no result.", file=sys.stderr
        )
        return getattr(stopped, "code", 130)
    if failed:
        print(f"\nFailed (the others have run): {', '.join(failed)}", file=sys.stderr)
    return int(bool(failed))


def _require_settings(settings: list[str]) -> None:
    """Raises a ValueError unless some experiment has the field, and all that do can use it."""
    every = [load(name).Config for name in EXPERIMENTS]
    fields = {field.name for config in every for field in dataclasses.fields(config)}
    checks.require_known([setting.partition("=")[0] for setting in settings], fields, "field")
    for name in EXPERIMENTS:
        require_usable(name, configure(load(name).Config(), settings_of(name, settings)))


def _shares() -> Shares:
    """The cores of each experiment that runs in parallel; an accelerator is not shared."""
    accelerated = entry_points(group="jax_plugins") or find_spec("libtpu")
    if accelerated or not hasattr(os, "sched_getaffinity"):
        return ALL_CORES
    cores = sorted(os.sched_getaffinity(0))
    n = min(len(cores), MOST)
    return [set(cores[i * len(cores) // n : (i + 1) * len(cores) // n]) for i in range(n)]


def _run(names: list[str], shares: Shares, settings: list[str]) -> Iterator[tuple[str, int]]:
    """Yields names and exit codes as experiments finish; each share of cores runs one at a time."""
    free: SimpleQueue = SimpleQueue()
    for share in shares:
        free.put(share)
    children = Children()

    def one(name: str) -> int:
        print(f"starting: {name}", flush=True)
        code, output = children.run(_command(name, settings), **captured)
        if output:
            print(output, flush=True)
        return code

    parallel = len(shares) > 1
    captured: dict = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT} if parallel else {}
    if parallel:
        captured |= {"text": True, "env": os.environ | {"TQDM_DISABLE": "1"}}
    with ThreadPoolExecutor(len(shares), initializer=lambda: _pin(free.get())) as threads:
        futures = {threads.submit(one, name): name for name in names}
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


def _command(name: str, settings: list[str]) -> list[str]:
    chosen = [part for setting in settings_of(name, settings) for part in ("--set", setting)]
    return [sys.executable, "-m", PROGRAM, name, *chosen]


def settings_of(name: str, settings: list[str]) -> list[str]:
    """Returns the settings whose field the experiment has."""
    fields = {field.name for field in dataclasses.fields(load(name).Config)}
    return [setting for setting in settings if setting.partition("=")[0] in fields]


def up_to_date(name: str, settings: list[str], results: Path = RESULTS) -> bool:
    """Returns whether the saved result is from this program, these settings and these files.

    The program is the experiment and what it imports from `experiments`; `jaxnets` may be newer.
    """
    try:
        note = read(results / f"{name}.json", name)
    except DamagedResult:
        return False
    module = load(name)
    config = configure(module.Config(), settings_of(name, settings))
    wanted = json.loads(json.dumps(dataclasses.asdict(config)))
    if note["config"] != wanted or note.get("program") != digest(name):
        return False
    if not has_own_arrays(note, name, results):
        return False
    try:
        return note.get("inputs", "") == inputs_of(module, config)
    except (
        FileNotFoundError,
        ModuleNotFoundError,
        ValueError,
    ):  # which the experiment itself will report
        return False
