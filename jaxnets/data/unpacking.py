"""Compressed streams, unpacked in pieces and never further than asked for."""

from typing import IO, Any

PIECE = 2**20
"""Packed bytes read at a time."""
MOST = 1032
"""The most bytes that deflate can unpack from one."""


class Unpacked:
    """A stream that a decompressor of zlib, bz2 or lzma unpacks."""

    def __init__(self, packed: IO[bytes], decompressor: Any):
        """Reads from `packed` as needed."""
        self.packed, self.decompressor = packed, decompressor

    def read(self, n: int) -> bytes:
        """Returns the next `n` bytes, or fewer if the stream ends before."""
        content = bytearray()
        while len(content) < n and not self.decompressor.eof:
            packed = self._next()
            piece = self.decompressor.decompress(packed, n - len(content))
            content += piece
            if not packed and not piece:
                break
        return bytes(content)

    def is_complete(self) -> bool:
        """Tells whether the end of the stream was reached, its checksum included."""
        return self.decompressor.eof

    def _next(self) -> bytes:
        rest = getattr(self.decompressor, "unconsumed_tail", b"")
        if rest or not getattr(self.decompressor, "needs_input", True):
            return rest
        return self.packed.read(PIECE)
