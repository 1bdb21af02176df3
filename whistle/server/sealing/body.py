"""A request's body, read in pieces."""

import time
from typing import Protocol

from whistle.server.errors import Broken

PIECE = 65_536  # bytes read at a time
DRAIN_BYTES = 8 * 1024**3  # of a refused body
DRAIN_SECONDS = 300.0


class Stream(Protocol):
    """A request's body."""

    def read(self, size: int, /) -> bytes: ...


class Body:
    """A body of known length; `read` raises Broken when it ends early or the socket times out."""

    def __init__(self, stream: Stream, length: int) -> None:
        self.length = length
        self._left = length
        self._stream = stream

    def read(self, size: int = PIECE, /) -> bytes:
        """The next piece, of `size` bytes at most; b"" at the end."""
        if not self._left or not size:
            return b""
        try:
            piece = self._stream.read(min(size, self._left))
        except OSError as error:
            self._left = 0
            raise Broken("the connection timed out") from error
        if not piece:
            self._left = 0
            raise Broken("the form ended early")
        self._left -= len(piece)
        return piece

    def whole(self) -> bytes:
        """The rest of the body, in memory."""
        pieces = []
        while piece := self.read():
            pieces.append(piece)
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    def drain(self) -> None:
        """Read and discard the rest, up to a number of bytes and seconds."""
        end, floor = time.monotonic() + DRAIN_SECONDS, self._left - DRAIN_BYTES
        try:
            while self._left > floor and time.monotonic() < end and self.read():
                pass
        except Broken:
            pass
