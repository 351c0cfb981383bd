"""Deferred signals: a program that is asked to stop saves its work first."""

import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType, TracebackType
from typing import Any

Handler = Callable[[int, FrameType | None], Any]

STOP_SIGNALS: tuple[signal.Signals, ...] = tuple(
    getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)
)
"""Ctrl-C, a request to end, and a terminal that was closed (where the system has it)."""


class Interrupted(KeyboardInterrupt):
    """Raised by a run that was asked to stop, after it saved its state."""

    def __init__(self, message: str, signal_number: int):
        super().__init__(message)
        self.code = 128 + signal_number
        """The exit code of a process that was stopped by this signal: 130, 143 or 129."""


class PendingSignal:
    """Stores the signal received while signals were deferred, or None."""

    def __init__(self) -> None:
        self.signal: int | None = None

    def receive(self, number: int, _: FrameType | None) -> None:
        """Stores the first signal; a second one ends the process immediately."""
        if self.signal is not None:
            signal.signal(number, signal.SIG_DFL)
            signal.raise_signal(number)
        self.signal = number


@contextmanager
def defer_signals() -> Iterator[PendingSignal]:
    """Defers SIGINT, SIGTERM and SIGHUP, and restores the old handlers afterwards.

    A signal is never lost: if one came, leaving the block raises Interrupted, whatever else the
    block raised. A handler that the program had installed itself is called before that. SIGHUP
    stays ignored under nohup. This works only in the main thread; in any other it does nothing.

    A program that does not catch Interrupted ends with its exit code.

    Raises:
        Interrupted: a signal came.
    """
    pending, failure = PendingSignal(), None
    with handle_signals(pending.receive, STOP_SIGNALS) as old:
        try:
            yield pending
        except BaseException as error:
            failure = error
    if pending.signal is not None:
        _call_own(old[pending.signal], pending.signal)
        if not isinstance(failure, Interrupted):
            cause, failure = failure, _interrupted(pending.signal, failure)
            failure.__cause__ = cause
    if isinstance(failure, Interrupted):
        _exit_with_its_code()
    if failure is not None:
        raise failure


@contextmanager
def interrupt_on_signals() -> Iterator[None]:
    """Lets SIGTERM and SIGHUP raise Interrupted, as Ctrl-C raises KeyboardInterrupt.

    A program then cleans up, and ends with 143 or 129.
    """
    with handle_signals(_raise, STOP_SIGNALS[1:]):
        yield


@contextmanager
def handle_signals(
    handler: Handler, numbers: tuple[signal.Signals, ...]
) -> Iterator[dict[int, Any]]:
    """Installs a handler for the block, and yields the old ones; only in the main thread.

    A SIGHUP that is ignored stays so. A handler that was not installed from Python stays too,
    since Python could not restore it.
    """
    old: dict[int, Any] = {}
    main = threading.current_thread() is threading.main_thread()
    try:
        for number in numbers if main else ():
            found = signal.getsignal(number)
            ignored = found == signal.SIG_IGN and number not in (signal.SIGINT, signal.SIGTERM)
            if found is not None and not ignored:
                old[number] = found
                signal.signal(number, handler)
        yield old
    finally:
        _restore(list(old.items()))


def _restore(handlers: list[tuple[int, Any]]) -> None:
    """Restores all, the first of them last, even if one is called meanwhile and raises."""
    if handlers:
        number, handler = handlers.pop()
        try:
            signal.signal(number, handler)
        finally:
            _restore(handlers)


def _raise(number: int, _: FrameType | None) -> None:
    raise Interrupted(f"stopped by signal {number}", number)


def _call_own(handler: Any, number: int) -> None:
    """Calls a handler that the program installed, unless it would only raise an interrupt."""
    if callable(handler) and handler not in (signal.default_int_handler, _raise):
        handler(number, None)


def _exit_with_its_code() -> None:
    """Lets a program that does not catch Interrupted end with its code, where Python has 1."""
    show = sys.excepthook

    def show_and_exit(
        kind: type[BaseException], error: BaseException, trace: TracebackType | None
    ) -> None:
        show(kind, error, trace)
        if isinstance(error, Interrupted):
            sys.exit(error.code)

    sys.excepthook = show_and_exit


def _interrupted(number: int, failure: BaseException | None) -> Interrupted:
    found = "; all is saved" if failure is None else f" after {type(failure).__name__}: {failure}"
    return Interrupted(f"stopped by signal {number}{found}", number)
