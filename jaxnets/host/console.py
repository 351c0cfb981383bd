"""Standard output and error that may be closed: a run goes on when nobody reads it any more."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


@contextmanager
def output_may_close() -> Iterator[None]:
    """Lets the block print although its readers end (`| head`), or were never there (`>&-`).

    What they would have read is dropped. Without this a long run would end at its next line, and
    the first file that it opens would take the number of the closed output.
    """
    before = sys.stdout, sys.stderr
    sys.stdout, sys.stderr = map(_may_close, before)
    try:
        yield
        sys.stdout.flush()
    finally:
        sys.stdout, sys.stderr = before


def _may_close(stream: Any) -> Any:
    if stream is None:  # Python's way to say that it was closed from the start
        return open(os.devnull, "w", encoding="utf-8")
    return _Output(stream)


class _Output:
    """A stream whose reader may end."""

    def __init__(self, stream: Any):
        self.stream = stream

    def __getattr__(self, name: str) -> Any:
        return getattr(self.stream, name)

    def write(self, text: str) -> int:
        """Writes a text, unless nobody reads it."""
        with self._reader_may_end():
            self.stream.write(text)
        return len(text)

    def flush(self) -> None:
        """Writes what is buffered, unless nobody reads it."""
        with self._reader_may_end():
            self.stream.flush()

    @contextmanager
    def _reader_may_end(self) -> Iterator[None]:
        """After any error, sends what is buffered to nowhere; all but a broken pipe are raised."""
        try:
            yield
        except OSError as error:
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, self.stream.fileno())
            os.close(nowhere)
            if not isinstance(error, BrokenPipeError):
                raise
