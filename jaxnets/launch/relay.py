"""Forwards the output of several processes to one stream, line by line, as it comes."""

import os
import re
import select
import threading
import time
from contextlib import suppress
from typing import IO

LONGEST = 2**16
"""Of a longer line, what has come is passed on before its end."""
BREAK = re.compile(rb"(?>\r\n|\r|\n)(?!\Z)")


class Output:
    """A stream where each line begins with the number of its process."""

    def __init__(self, stream: IO[str] | None):
        self.file = None if stream is None else stream.fileno()
        self.lock = threading.Lock()
        self.open: int | None = None
        """The process whose line has begun and not ended."""
        self.heard: dict[int, float] = {}
        """When each process last wrote."""

    def write(self, number: int, data: bytes) -> None:
        """Writes lines; the last may go on in the next call."""
        self.heard[number] = time.monotonic()
        prefix = b"[%d] " % number
        text = BREAK.sub(rb"\g<0>" + prefix, data)
        with self.lock:
            if self.open != number:
                text = b"\n" * (self.open is not None) + prefix + text
            self.open = None if data.endswith((b"\n", b"\r")) else number
            with suppress(OSError):  # nobody reads, or a full disk: the processes go on
                self._write(text)

    def _write(self, text: bytes) -> None:
        if self.file is None:
            return
        left = memoryview(text)
        while left:
            try:
                left = left[os.write(self.file, left) :]
            except BlockingIOError:
                select.select([], [self.file], [])


def forward(source: IO[bytes], output: Output, number: int) -> None:
    """Forwards what a process writes, until it and all that it started close the stream."""
    rest = b""
    while chunk := os.read(source.fileno(), LONGEST):
        end = max(chunk.rfind(b"\n"), chunk.rfind(b"\r")) + 1
        lines, rest = (rest + chunk[:end], chunk[end:]) if end else (b"", rest + chunk)
        if len(rest) >= LONGEST:
            lines, rest = lines + rest, b""
        if lines:
            output.write(number, lines)
    if rest or output.open == number:
        output.write(number, rest + b"\n")
