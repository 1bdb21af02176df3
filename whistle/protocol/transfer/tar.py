"""Tar files that can be written in only one way (SPEC 8.1).

A header is a function of name and size alone, so a reader takes the two fields, writes the header again and compares
the 512 bytes. This refuses links, folders, devices, owners, dates, pax and GNU extensions, sparse files and negative
sizes without naming any of them. Stock `tar` reads what is written here (POSIX.1-1988, "ustar").
"""

import re
from collections.abc import Iterator
from typing import Protocol

from whistle.protocol.errors import Malformed

RECORD = 512  # bytes; headers and padding come in these
END = bytes(2 * RECORD)
MODE_AND_OWNER = b"0000644\0" + b"0000000\0" * 2  # and group
SIZE_END_AND_DATE = b"\0" + b"%011o\0" % 0
REST = b"0".ljust(101, b"\0") + b"ustar\x0000".ljust(72, b"\0") + b"0000000\0" * 2 + bytes(167)
SUM = sum(MODE_AND_OWNER) + sum(SIZE_END_AND_DATE) + sum(b" " * 8) + sum(REST)  # the checksum counts as spaces
PIECE = 65_536  # bytes read at a time
MAX_SIZE = 8**11 - 1  # bytes; eleven octal digits

NAME = re.compile(r"[a-z0-9][a-z0-9./-]{0,98}[a-z0-9]")
SIZE = re.compile(rb"[0-7]{11}")


class TarError(Malformed):
    """The tar file does not have the one form that is written here, or ends too early."""


class Readable(Protocol):
    """A source of bytes; `read` may return fewer than asked for, but none only at the end."""

    def read(self, size: int, /) -> bytes: ...


def header(name: str, size: int) -> bytes:
    """The 512 bytes before a regular file: mode 0644, owner 0, date 0. Raises TarError for other names or sizes."""
    if not NAME.fullmatch(name) or ".." in name or "//" in name or not 0 <= size <= MAX_SIZE:
        raise TarError("a name or size that no bundle's member can have")
    named, sized = name.encode("ascii"), b"%011o" % size
    checksum = SUM + sum(named) + sum(sized)
    return b"%b%b%b%b%06o\0 %b" % (named.ljust(100, b"\0"), MODE_AND_OWNER, sized, SIZE_END_AND_DATE, checksum, REST)


def padding(size: int) -> bytes:
    """The zeros that follow `size` bytes of content."""
    return bytes(-size % RECORD)


def span(size: int) -> int:
    """How many bytes a member of `size` bytes takes in the tar file, with header and padding."""
    return RECORD + size + len(padding(size))


class Entry:
    """A member while it is read: `name`, `size` in bytes, and `left`, the bytes not yet read."""

    def __init__(self, stream: Readable, name: str, size: int) -> None:
        self.name = name
        self.size = size
        self.left = size
        self._stream = stream

    def read(self, size: int = -1, /) -> bytes:
        """Up to `size` bytes, b"" at the end of the member. Raises TarError when the file is cut off."""
        length = self.left if size < 0 else min(size, self.left)
        data = read_exactly(self._stream, length)
        self.left -= length
        return data

    def pieces(self) -> Iterator[bytes]:
        """The rest of the content, at most 64 KiB at a time."""
        while piece := self.read(PIECE):
            yield piece


class Reader:
    """Reads members in order, in constant memory; refuses anything that `header` and `END` would not have written."""

    def __init__(self, stream: Readable) -> None:
        self._stream = stream
        self._entry: Entry | None = None

    def next(self) -> Entry | None:
        """The next member, or None at the end; TarError if anything follows it. Skips unread content."""
        self._finish_entry()
        block = read_exactly(self._stream, RECORD)
        if not any(block):
            if any(read_exactly(self._stream, len(END) - RECORD)) or self._stream.read(1):
                raise TarError("the tar file continues after its end")
            return None
        self._entry = Entry(self._stream, *_name_and_size(block))
        return self._entry

    def _finish_entry(self) -> None:
        if self._entry is None:
            return
        for _ in self._entry.pieces():
            pass
        if any(read_exactly(self._stream, len(padding(self._entry.size)))):
            raise TarError("the padding between two members is not zeros")
        self._entry = None


def read_exactly(stream: Readable, size: int) -> bytes:
    """`size` bytes from a stream that may return them in pieces. Raises TarError if there are fewer."""
    pieces = []
    while size:
        piece = stream.read(size)
        if not piece:
            raise TarError("the tar file is cut off")
        pieces.append(piece)
        size -= len(piece)
    return b"".join(pieces)


def _name_and_size(block: bytes) -> tuple[str, int]:
    raw_name, raw_size = block[:100].rstrip(b"\0"), block[124:135]
    if not raw_name.isascii() or not SIZE.fullmatch(raw_size):
        raise TarError("the tar file holds something other than plain files")
    name, size = raw_name.decode("ascii"), int(raw_size, 8)
    if header(name, size) != block:
        raise TarError("the tar file holds something other than plain files")
    return name, size
