"""Child processes that run and end together: their output, exit codes and heartbeats."""

import os
import signal
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any, NamedTuple

from jaxnets.launch import guard
from jaxnets.launch.guard import MARK, Descendants
from jaxnets.launch.relay import Output, forward
from jaxnets.parallel.processes import BEAT

LOOK_SECONDS = 1.0
END_SECONDS = 5.0
"""How long the others have to end by themselves after one has died."""
STUCK_CODE = 124
"""The exit code when a process is stuck, as that of `timeout`."""
ABORTED = "JAX aborts a process that loses another, or whose place a second program takes"
GUARD = "import os, runpy; runpy.run_path(os.environ['JAXNETS_GUARD'], run_name='__main__')"
"""The guard is not called by its name, so that `pkill -f jaxnets.launch` does not end it too."""


class End(NamedTuple):
    """Explains why all processes had to end: by one of them, or by a signal to the launcher."""

    what: str
    code: int
    by_signal: bool = False
    """Whether a signal requested it, so that nothing is restarted."""


class Child(NamedTuple):
    """Represents a running process of the program."""

    number: int
    popen: subprocess.Popen
    beat: Path
    threads: tuple[threading.Thread, ...]


class Family:
    """The processes of a launcher, which end with it, and a guard that sees to it."""

    def __init__(self, events: SimpleQueue):
        """Prepares for processes; when one ends, `(number, return code)` is put into `events`."""
        self.events, self.mark = events, uuid.uuid4().hex
        self.outputs = Output(sys.stdout), Output(sys.stderr)
        self.children: list[Child] = []

    def __enter__(self) -> "Family":
        self.guard = subprocess.Popen(
            [sys.executable, "-I", "-S", "-c", GUARD, self.mark],
            env=os.environ | {"JAXNETS_GUARD": guard.__file__, MARK: ""},
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
            text=True,
        )
        return self

    def __exit__(self, *_: object) -> None:
        self.end()
        with suppress(BrokenPipeError):
            self.guard.communicate()

    def start(
        self,
        environments: Mapping[int, Mapping[str, str]],
        command: Sequence[str],
        folder: Path,
    ) -> None:
        """Starts the command once for each number, with its environment and its own cores.

        Raises:
            OSError: it cannot be started.
        """
        for place, (number, environment) in enumerate(environments.items()):
            beat = folder / str(number)
            with _restrict_cores(place, len(environments)):
                popen = subprocess.Popen(
                    list(command),
                    env={**environment, MARK: self.mark, BEAT: str(beat), "PYTHONUNBUFFERED": "1"},
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.PIPE,
                    start_new_session=True,
                )
            out, err = self.outputs
            threads = (
                _start_thread(_wait, popen, number, self.events),
                _start_thread(forward, popen.stdout, out, number),
                _start_thread(forward, popen.stderr, err, number),
            )
            self.children.append(Child(number, popen, beat, threads))
            self._tell_guard()

    def watch(self, processes: int, stuck: float) -> End | None:
        """Waits until all processes succeed (None), one fails or is stuck, or a signal arrives.

        The launcher puts signals into `events` as ints.
        """
        began = time.monotonic()
        left = {child.number: child for child in self.children}
        beats = dict.fromkeys(left, (0.0, began))
        while left:
            with suppress(Empty):
                event = self.events.get(timeout=LOOK_SECONDS)
                if isinstance(event, int):
                    return stopped_by(event)
                number, code = event
                del left[number]
                if code:
                    after = f"after {time.monotonic() - began:.1f} s"
                    return _describe_end(f"process {number} of {processes}", code, after)
            for number, child in left.items():
                beats[number] = _last_beat(child.beat, *beats[number])
                heard = max(beats[number][1], *(o.heard.get(number, 0.0) for o in self.outputs))
                if time.monotonic() - heard > stuck:
                    silent = time.monotonic() - heard
                    who = f"process {number} of {processes}"
                    return _describe_stuck(who, silent, never=not beats[number][0])
        return None

    def stop(self, seconds: float, by: int) -> None:
        """Sends a signal to all, and kills what still runs after `seconds` or another signal."""
        family = self._descendants()
        family.send(by)
        until = time.monotonic() + seconds
        while family.left() and time.monotonic() < until:
            with suppress(Empty):
                event = self.events.get(timeout=guard.LOOK_SECONDS)
                if isinstance(event, int):
                    self.events.put(event)  # whoever restarts has to know of it
                    break
        family.send(signal.SIGKILL)

    def end(self) -> None:
        """Ends what the processes have started and left, and waits for their output."""
        self._descendants().end(END_SECONDS)
        for child in self.children:
            child.popen.wait()
            for thread in child.threads:
                thread.join(END_SECONDS)
        self.children = []
        self._tell_guard()

    def _descendants(self) -> Descendants:
        return Descendants({child.popen.pid for child in self.children}, self.mark)

    def _tell_guard(self) -> None:
        groups = " ".join(str(child.popen.pid) for child in self.children)
        with suppress(BrokenPipeError):
            print(groups, file=self.guard.stdin, flush=True)


def stopped_by(number: int) -> End:
    """Describes the end by a signal to the launcher."""
    name = signal.Signals(number).name
    return End(f"{name}, forwarded to all processes", 128 + number, by_signal=True)


@contextmanager
def _restrict_cores(place: int, of: int) -> Iterator[None]:
    """Restricts processes started in the block to an equal share of the cores."""
    if of == 1 or not hasattr(os, "sched_setaffinity"):
        yield
        return
    cores = sorted(os.sched_getaffinity(0))
    share = cores[place * len(cores) // of : (place + 1) * len(cores) // of]
    os.sched_setaffinity(0, share or {cores[place % len(cores)]})
    try:
        yield
    finally:
        os.sched_setaffinity(0, cores)


def _start_thread(function: Any, *arguments: Any) -> threading.Thread:
    thread = threading.Thread(target=function, args=arguments, daemon=True)
    thread.start()
    return thread


def _wait(popen: subprocess.Popen, number: int, events: SimpleQueue) -> None:
    events.put((number, popen.wait()))


def _describe_end(who: str, code: int, after: str) -> End:
    if code > 0:
        return End(f"{who} ended with exit code {code} {after}", code)
    name = signal.Signals(-code).name
    why = f" ({ABORTED})" if -code == signal.SIGABRT else ""
    return End(f"{who} was killed by {name} (signal {-code}) {after}{why}", 128 - code)


def _describe_stuck(who: str, silent: float, never: bool) -> End:
    why = " and no output (jaxnets.parallel.start() sends them, --stuck sets the time)"
    return End(f"{who} is stuck: no heartbeat for {silent:.0f} s{why * never}", STUCK_CODE)


def _last_beat(beat: Path, changed: float, seen: float) -> tuple[float, float]:
    """Returns when the file was last modified, by its clock, and when this was seen, by ours."""
    with suppress(FileNotFoundError):
        now = beat.stat().st_mtime
        if now != changed:
            return now, time.monotonic()
    return changed, seen
