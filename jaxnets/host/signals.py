"""Deferred signals: a program that is asked to stop saves its work first."""

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Interrupted(KeyboardInterrupt):
    """Raised by a run that was asked to stop, after it saved its state."""

    def __init__(self, message: str, signal_number: int):
        super().__init__(message)
        self.code = 128 + signal_number
        """The exit code of a process that was stopped by this signal: 130 or 143."""


class PendingSignal:
    """Stores the signal received while signals were deferred, or None."""

    def __init__(self) -> None:
        self.signal: int | None = None

    def receive(self, number: int, _: FrameType | None) -> None:
        """Stores the first signal; a second one ends the process immediately."""
        if self.signal is not None:
            signal.signal(number, signal.SIG_DFL)
            os.kill(os.getpid(), number)
        self.signal = number


@contextmanager
def defer_signals() -> Iterator[PendingSignal]:
    """Defers SIGINT and SIGTERM, and restores the old handlers afterwards.

    This works only in the main thread; in any other it does nothing.
    """
    pending = PendingSignal()
    if threading.current_thread() is not threading.main_thread():
        yield pending
        return
    old = {number: signal.signal(number, pending.receive) for number in STOP_SIGNALS}
    try:
        yield pending
    finally:
        for number, handler in old.items():
            signal.signal(number, handler)
