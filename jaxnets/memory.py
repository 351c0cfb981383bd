"""Memory that does not suffice, told in terms of what the caller can change."""

import re
from collections.abc import Iterator
from contextlib import contextmanager

import jax

SIZE = re.compile(r"(\d+) bytes|([\d.]+ ?[KMGTPE]i?B)")


class OutOfMemory(MemoryError):
    """What was computed, the bytes that it asked for, and what to lower."""


@contextmanager
def explained(what: str, remedy: str) -> Iterator[None]:
    """Turns XLA's RESOURCE_EXHAUSTED and the host's MemoryError into an `OutOfMemory`.

    Raises:
        OutOfMemory: from the error that came first; all others pass.
    """
    try:
        yield
    except (MemoryError, jax.errors.JaxRuntimeError) as error:
        if isinstance(error, OutOfMemory) or not _is_want_of_memory(error):
            raise
        asked = _asked(str(error))
        raise OutOfMemory(f"{what} do not fit in memory ({asked}): {remedy}") from error


def _is_want_of_memory(error: Exception) -> bool:
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
