"""Signals that ask a program to end are kept until what is being done has been saved."""

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

ASKED = (signal.SIGINT, signal.SIGTERM)


class Interrupted(KeyboardInterrupt):
    """A training that was asked to end, and saved where it was."""

    def __init__(self, message: str, signal_number: int):
        super().__init__(message)
        self.code = 128 + signal_number
        """The exit code of a process that such a signal ends: 130 or 143."""


class Pending:
    """The signal that came while it was held back, or None."""

    def __init__(self) -> None:
        self.signal: int | None = None

    def receive(self, number: int, _: FrameType | None) -> None:
        """Remembers the first signal; the second ends the process at once."""
        if self.signal is not None:
            signal.signal(number, signal.SIG_DFL)
            os.kill(os.getpid(), number)
        self.signal = number


@contextmanager
def defer_signals() -> Iterator[Pending]:
    """Holds SIGINT and SIGTERM back; the old handlers are there again afterwards.

    Only the main thread can: in any other, signals act as before.
    """
    pending = Pending()
    if threading.current_thread() is not threading.main_thread():
        yield pending
        return
    old = {number: signal.signal(number, pending.receive) for number in ASKED}
    try:
        yield pending
    finally:
        for number, handler in old.items():
            signal.signal(number, handler)
