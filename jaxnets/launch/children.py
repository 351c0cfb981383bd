"""Processes that live and end together: their output, their ends, and their signs of life."""

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
"""What the others have to end by themselves when one has died."""
STUCK_CODE = 124
"""The exit code when a process is stuck, as `timeout` has it."""
_writing = threading.Lock()


class End(NamedTuple):
    """Why all had to end: the process, or the signal that the launcher got."""

    what: str
    code: int
    asked: bool = False
    """Whether it was asked for by a signal, so that nothing is started again."""


class Child(NamedTuple):
    """A running process of the program."""

    number: int
    popen: subprocess.Popen
    beat: Path
    threads: tuple[threading.Thread, ...]


def start(
    commands: Mapping[int, Mapping[str, str]],
    command: Sequence[str],
    folder: Path,
    ended: SimpleQueue,
) -> list[Child]:
    """Starts the command once for each number with its environment, each with cores of its own.

    When one ends, `(number, return code)` is put into `ended`.
    """
    children = []
    for place, (number, environment) in enumerate(commands.items()):
        beat = folder / str(number)
        with _on_its_cores(place, len(commands)):
            popen = subprocess.Popen(
                list(command),
                env={**environment, BEAT: str(beat), "PYTHONUNBUFFERED": "1"},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                start_new_session=True,
            )
        threads = (
            _in_background(_wait, popen, number, ended),
            _in_background(_relay, popen.stdout, sys.stdout.buffer, number),
            _in_background(_relay, popen.stderr, sys.stderr.buffer, number),
        )
        children.append(Child(number, popen, beat, threads))
    return children


@contextmanager
def _on_its_cores(place: int, of: int) -> Iterator[None]:
    """What is started within may use its equal share of the cores; all of them, if it is alone."""
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


def _in_background(function: Any, *arguments: Any) -> threading.Thread:
    thread = threading.Thread(target=function, args=arguments, daemon=True)
    thread.start()
    return thread


def _wait(popen: subprocess.Popen, number: int, ended: SimpleQueue) -> None:
    ended.put((number, popen.wait()))


def _relay(source: IO[bytes], sink: IO[bytes], number: int) -> None:
    """Passes lines on as they come, each after the number of its process."""
    rest = b""
    while chunk := source.read1(2**16):  # type: ignore[attr-defined]
        *lines, rest = re.split(rb"(?<=[\r\n])", rest + chunk)
        _write(sink, lines, number)
    _write(sink, [rest + b"\n"] if rest else [], number)


def _write(sink: IO[bytes], lines: list[bytes], number: int) -> None:
    with _writing, suppress(BrokenPipeError):
        sink.write(b"".join(b"[%d] %s" % (number, line) for line in lines))
        sink.flush()


def watch(children: list[Child], processes: int, stuck: float, ended: SimpleQueue) -> End | None:
    """Waits until all have ended well (None), one has not, one is stuck, or a signal has come.

    A signal is put into `ended` as an int.
    """
    began = time.monotonic()
    left = {child.number: child for child in children}
    beats = dict.fromkeys(left, (0.0, began))
    while left:
        with suppress(Empty):
            event = ended.get(timeout=LOOK_SECONDS)
            if isinstance(event, int):
                name = signal.Signals(event).name
                return End(f"{name}, passed on to all processes", 128 + event, asked=True)
            number, code = event
            del left[number]
            if code:
                after = f"after {time.monotonic() - began:.1f} s"
                return _ended(f"process {number} of {processes}", code, after)
        for number, child in left.items():
            beats[number] = _looked(child.beat, *beats[number])
            silent = time.monotonic() - beats[number][1]
            if beats[number][0] and silent > stuck:
                what = f"process {number} of {processes} is stuck"
                return End(f"{what}: no sign of life for {silent:.0f} s", STUCK_CODE)
    return None


def _ended(who: str, code: int, after: str) -> End:
    if code > 0:
        return End(f"{who} ended with exit code {code} {after}", code)
    name = signal.Signals(-code).name
    return End(f"{who} was killed by {name} (signal {-code}) {after}", 128 - code)


def _looked(beat: Path, changed: float, seen: float) -> tuple[float, float]:
    """When the file was last changed, by its own clock, and when that was seen, by ours."""
    with suppress(FileNotFoundError):
        now = beat.stat().st_mtime
        if now != changed:
            return now, time.monotonic()
    return changed, seen


def end(children: list[Child], seconds: float, ended: SimpleQueue, by: int) -> None:
    """Sends all a signal, and kills those that still run after that time or at another signal."""
    _send(children, by)
    until = time.monotonic() + seconds
    with suppress(Empty):
        while any(child.popen.poll() is None for child in children):
            if isinstance(ended.get(timeout=max(0.0, until - time.monotonic())), int):
                break
    _send(children, signal.SIGKILL)


def finish(children: list[Child]) -> None:
    """Waits until all have ended and what they wrote has been passed on.

    What they have started themselves may keep the output open: it is waited for only so long.
    """
    for child in children:
        child.popen.wait()
        for thread in child.threads:
            thread.join(LOOK_SECONDS)


def _send(children: list[Child], by: int) -> None:
    for child in children:
        with suppress(ProcessLookupError):
            os.killpg(child.popen.pid, by)
