"""Ends all that a launcher started: on its request or, as a process of its own, after its death.

It imports nothing but the standard library, so that the process starts at once.
"""

import os
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

MARK = "JAXNETS_LAUNCH"
"""The environment variable by which a launcher's descendants are known in any session."""
END_SECONDS = 2.0
"""How long they have to end by themselves once their launcher is gone."""
LOOK_SECONDS = 0.05
KILLS = 20
"""How often those that still run are killed: they may start others meanwhile."""
PROC = Path("/proc")


class Descendants:
    """The processes of some groups and, on Linux, all that inherited a mark."""

    def __init__(self, groups: set[int], mark: str):
        self.groups, self.mark = groups, f"{MARK}={mark}".encode()

    def left(self) -> set[int]:
        """Returns what runs: processes or, where there is no /proc, groups as negative numbers."""
        if not (PROC / "self" / "environ").exists():
            return {-group for group in self.groups if _exists(-group)}
        return {process for process in _running() if self._has(process)}

    def send(self, number: int) -> None:
        """Sends a signal to all of them."""
        groups = {-group for group in self.groups}
        for target in groups | {p for p in self.left() if p > 0 and _group(p) not in self.groups}:
            with suppress(ProcessLookupError, PermissionError):
                os.kill(target, number)

    def end(self, seconds: float) -> None:
        """Asks all to end, and kills those that still run after `seconds`."""
        if not self.left():
            return
        self.send(signal.SIGTERM)
        self._wait(seconds)
        for _ in range(KILLS):
            if self.left():
                self.send(signal.SIGKILL)
                self._wait(LOOK_SECONDS)

    def _wait(self, seconds: float) -> None:
        until = time.monotonic() + seconds
        while self.left() and time.monotonic() < until:
            time.sleep(LOOK_SECONDS)

    def _has(self, process: int) -> bool:
        if _group(process) in self.groups:
            return True
        try:
            return self.mark in (PROC / str(process) / "environ").read_bytes().split(b"\0")
        except OSError:
            return False


def _running() -> Iterator[int]:
    """Yields all processes but those that have ended and are not yet waited for."""
    for entry in PROC.iterdir():
        if entry.name.isdigit() and _stat(int(entry.name))[:1] not in ([], ["Z"], ["X"]):
            yield int(entry.name)


def _group(process: int) -> int:
    return int((_stat(process) or ["", "", "0"])[2])


def _stat(process: int) -> list[str]:
    """Returns state, parent and group of a process, and more; nothing if it is gone."""
    try:
        return (PROC / str(process) / "stat").read_text().rpartition(")")[2].split()
    except OSError:
        return []


def _exists(target: int) -> bool:
    try:
        os.kill(target, 0)
    except ProcessLookupError:
        return False
    except PermissionError:  # of a group on macOS: only zombies are left
        return False
    return True


def main(mark: str) -> None:
    """Reads the groups that run now, a line each time they change, until the launcher is gone."""
    for name in ("SIGINT", "SIGTERM", "SIGHUP"):
        signal.signal(getattr(signal, name), signal.SIG_IGN)
    groups: set[int] = set()
    for line in sys.stdin:
        groups = {int(group) for group in line.split()}
    Descendants(groups, mark).end(END_SECONDS)


if __name__ == "__main__":
    main(sys.argv[1])
