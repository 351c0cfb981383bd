"""Actionable out-of-memory errors, in terms of what the caller can change."""

import re

SIZE = re.compile(r"(\d+) bytes|([\d.]+ ?[KMGTPE]i?B)")


class OutOfMemoryError(MemoryError):
    """Says what did not fit in memory, how many bytes were requested, and what to lower."""


def out_of_memory_hint(error: Exception, what: str, remedy: str) -> OutOfMemoryError:
    """Turns XLA's RESOURCE_EXHAUSTED or the host's MemoryError into an error that says what to do.

    Raises:
        Exception: the error itself, if it is about something else or already has a hint.
    """
    if isinstance(error, OutOfMemoryError) or not _is_out_of_memory(error):
        raise error
    size = _requested_size(str(error))
    return OutOfMemoryError(f"{what} do not fit in memory ({size}): {remedy}")


def _is_out_of_memory(error: Exception) -> bool:
    text = str(error)
    return (
        isinstance(error, MemoryError)
        or "RESOURCE_EXHAUSTED" in text
        or "out of memory" in text.lower()
    )


def _requested_size(text: str) -> str:
    """Describes the size that an error names, in bytes and GiB."""
    found = SIZE.search(text)
    if not found:
        return "requested bytes unknown"
    if found[2]:
        return f"{found[2]} requested at once"
    gibibytes = int(found[1]) / 2**30
    return f"{found[1]} bytes requested at once, {gibibytes:,.2f} GiB"
