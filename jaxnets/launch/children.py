"""Child processes that run and end together: their output, exit codes and heartbeats."""

import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import IO, Any, NamedTuple

from jaxnets.parallel.processes import BEAT

LOOK_SECONDS = 1.0
END_SECONDS = 5.0
"""How long the others have to end by themselves after one has died."""
STUCK_CODE = 124
"""The exit code when a process is stuck, as that of `timeout`."""
_write_lock = threading.Lock()


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


def start(
    commands: Mapping[int, Mapping[str, str]],
    command: Sequence[str],
    folder: Path,
    events: SimpleQueue,
) -> list[Child]:
    """Starts the command once for each number, with its environment and its own cores.

    When a process ends, `(number, return code)` is put into `events`.
    """
    children = []
    for place, (number, environment) in enumerate(commands.items()):
        beat = folder / str(number)
        with _restrict_cores(place, len(commands)):
            popen = subprocess.Popen(
                list(command),
                env={**environment, BEAT: str(beat), "PYTHONUNBUFFERED": "1"},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                start_new_session=True,
            )
        threads = (
            _start_thread(_wait, popen, number, events),
            _start_thread(_relay, popen.stdout, sys.stdout.buffer, number),
            _start_thread(_relay, popen.stderr, sys.stderr.buffer, number),
        )
        children.append(Child(number, popen, beat, threads))
    return children


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


def _relay(source: IO[bytes], sink: IO[bytes], number: int) -> None:
    """Forwards lines as they arrive, each prefixed with the number of its process."""
    rest = b""
    while chunk := source.read1(2**16):  # type: ignore[attr-defined]
        *lines, rest = re.split(rb"(?<=[\r\n])", rest + chunk)
        _write(sink, lines, number)
    _write(sink, [rest + b"\n"] if rest else [], number)


def _write(sink: IO[bytes], lines: list[bytes], number: int) -> None:
    with _write_lock, suppress(BrokenPipeError):
        sink.write(b"".join(b"[%d] %s" % (number, line) for line in lines))
        sink.flush()


def watch(children: list[Child], processes: int, stuck: float, events: SimpleQueue) -> End | None:
    """Waits until all processes succeed (None), one fails or is stuck, or a signal arrives.

    The launcher puts signals into `events` as ints.
    """
    began = time.monotonic()
    left = {child.number: child for child in children}
    beats = dict.fromkeys(left, (0.0, began))
    while left:
        with suppress(Empty):
            event = events.get(timeout=LOOK_SECONDS)
            if isinstance(event, int):
                name = signal.Signals(event).name
                return End(f"{name}, forwarded to all processes", 128 + event, by_signal=True)
            number, code = event
            del left[number]
            if code:
                after = f"after {time.monotonic() - began:.1f} s"
                return _describe_end(f"process {number} of {processes}", code, after)
        for number, child in left.items():
            beats[number] = _last_beat(child.beat, *beats[number])
            silent = time.monotonic() - beats[number][1]
            if beats[number][0] and silent > stuck:
                what = f"process {number} of {processes} is stuck"
                return End(f"{what}: no heartbeat for {silent:.0f} s", STUCK_CODE)
    return None


def _describe_end(who: str, code: int, after: str) -> End:
    if code > 0:
        return End(f"{who} ended with exit code {code} {after}", code)
    name = signal.Signals(-code).name
    return End(f"{who} was killed by {name} (signal {-code}) {after}", 128 - code)


def _last_beat(beat: Path, changed: float, seen: float) -> tuple[float, float]:
    """Returns when the file was last modified, by its clock, and when this was seen, by ours."""
    with suppress(FileNotFoundError):
        now = beat.stat().st_mtime
        if now != changed:
            return now, time.monotonic()
    return changed, seen


def stop(children: list[Child], seconds: float, events: SimpleQueue, by: int) -> None:
    """Sends a signal to all, and kills those that still run after `seconds` or another signal."""
    _send(children, by)
    until = time.monotonic() + seconds
    with suppress(Empty):
        while any(child.popen.poll() is None for child in children):
            if isinstance(events.get(timeout=max(0.0, until - time.monotonic())), int):
                break
    _send(children, signal.SIGKILL)


def join(children: list[Child]) -> None:
    """Waits until all processes have ended and their output has been forwarded.

    Their own children may keep the output open, so the wait for it is limited.
    """
    for child in children:
        child.popen.wait()
        for thread in child.threads:
            thread.join(LOOK_SECONDS)


def _send(children: list[Child], by: int) -> None:
    for child in children:
        with suppress(ProcessLookupError):
            os.killpg(child.popen.pid, by)
