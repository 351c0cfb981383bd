"""Actionable out-of-memory errors, in terms of what the caller can change."""

import re

SIZE = re.compile(r"(\d+) bytes|([\d.]+ ?[KMGTPE]i?B)")


class OutOfMemoryError(MemoryError):
    """Memory that does not suffice: for what, the bytes asked for, and what to lower."""


def out_of_memory_hint(error: Exception, what: str, remedy: str) -> OutOfMemoryError:
    """Turns XLA's RESOURCE_EXHAUSTED or the host's MemoryError into one that says what to do.

    Raises:
        Exception: the error itself, if it is about something else or has its hint already.
    """
    if isinstance(error, OutOfMemoryError) or not _is_out_of_memory(error):
        raise error
    return OutOfMemoryError(f"{what} do not fit in memory ({_asked(str(error))}): {remedy}")


def _is_out_of_memory(error: Exception) -> bool:
    text = str(error)
    return (
        isinstance(error, MemoryError)
        or "RESOURCE_EXHAUSTED" in text
        or "out of memory" in text.lower()
    )


def _asked(text: str) -> str:
    """The size that an error names, in bytes and for people."""
    found = SIZE.search(text)
    if not found:
        return "it does not say how many bytes were asked for"
    if found[2]:
        return f"{found[2]} asked for at once"
    gibibytes = int(found[1]) / 2**30
    return f"{found[1]} bytes asked for at once, {gibibytes:,.2f} GiB"
