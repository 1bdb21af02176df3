"""Bundles, which couriers carry: a strict tar file whose first member, bundle.json, lists all others (SPEC 8).

A member that differs from the list in name, order, size or hash, or is not listed, makes the whole part invalid.  A
reader therefore reads a part twice, `verify` first, or uses nothing until it has reached the end.
"""

import datetime
import functools
import hashlib
from collections.abc import Callable, Iterable, Iterator

from whistle.protocol.transfer import tar
from whistle.protocol.transfer.listing import (
    BLOCK,
    ENVELOPE_UNIT,
    MAX_LISTING,
    MAX_MEMBERS,
    MAX_PART,
    NAME,
    BundleError,
    Heap,
    Listing,
    Member,
    parse,
    rank,
)
from whistle.protocol.transfer.statement import ImportStatement

__all__ = [
    "BLOCK",
    "ENVELOPE_UNIT",
    "LISTING",
    "NAME",
    "BundleError",
    "Heap",
    "ImportStatement",
    "Listing",
    "Member",
    "Reader",
    "block_name",
    "envelope_name",
    "member",
    "member_id",
    "parse",
    "split",
    "stream",
    "verify",
]

LISTING = "bundle.json"

Source = Callable[[Member], Iterable[bytes]]


def envelope_name(id: bytes) -> str:
    """The name in a bundle of the envelope with this id."""
    return f"envelopes/{id.hex()}.age"


def block_name(id: bytes) -> str:
    """The name in a bundle of the block with this id."""
    return f"blocks/{id.hex()}"


def member_id(name: str) -> bytes:
    """The id in the name of an envelope or block. Raises BundleError for any other name."""
    match = NAME.fullmatch(name)
    if not match or match[1]:
        raise BundleError("neither an envelope nor a block")
    return bytes.fromhex(match[4] or match[5])


def member(name: str, data: bytes, day: datetime.date | None = None, heap: Heap | None = None) -> Member:
    """The list's entry for a file with this content."""
    return Member(name, len(data), hashlib.sha256(data).digest(), day, heap)


def split(members: Iterable[Member], limit: int = MAX_PART, count: int = MAX_MEMBERS) -> list[list[Member]]:
    """Members in a bundle's order, in parts of at most `limit` bytes and `count` members; at least one part."""
    room = limit - MAX_LISTING - tar.RECORD - len(tar.END)
    parts: list[list[Member]] = [[]]
    used = 0
    for member in sorted(members, key=lambda member: rank(member.name)):
        span = tar.span(member.size)
        if parts[-1] and (used + span > room or len(parts[-1]) == count):
            parts.append([])
            used = 0
        parts[-1].append(member)
        used += span
    return parts


def stream(listing: Listing, source: Source) -> Iterator[bytes]:
    """The tar file in pieces, none empty.  `source` gives a member's content; BundleError if it is not as listed."""
    data = listing.to_bytes()
    yield tar.header(LISTING, len(data)) + data + tar.padding(len(data))
    for member in listing.members:
        yield tar.header(member.name, member.size)
        size, digest = 0, hashlib.sha256()
        for piece in filter(None, source(member)):
            size += len(piece)
            digest.update(piece)
            yield piece
        if size != member.size or digest.digest() != member.sha256:
            raise BundleError("a member changed while the bundle was written")
        if padding := tar.padding(member.size):
            yield padding
    yield tar.END


class Body:
    """A member's content while it is read; its last piece is returned only if size and hash are as listed."""

    def __init__(self, entry: tar.Entry, member: Member) -> None:
        self._entry = entry
        self._member = member
        self._digest = hashlib.sha256()

    def read(self, size: int = -1, /) -> bytes:
        """Up to `size` bytes, b"" at the end. Raises BundleError when the content is not the listed one."""
        piece = self._entry.read(size)
        self._digest.update(piece)
        if not self._entry.left and self._digest.digest() != self._member.sha256:
            raise BundleError("a member's content is not the listed one")
        return piece

    def pieces(self) -> Iterator[bytes]:
        """The rest of the content, at most 64 KiB at a time."""
        while piece := self.read(tar.PIECE):
            yield piece


class Reader:
    """A part as it streams in: `.digest` (SHA-256 of bundle.json), `.listing`, then the members in order, once.

    Nothing may be used before the iteration has ended: only then is it known that the part is complete.
    """

    def __init__(self, source: tar.Readable) -> None:
        """Read bundle.json and nothing further; `listing` parses it. Raises Malformed."""
        self._tar = tar.Reader(source)
        entry = self._tar.next()
        if entry is None or entry.name != LISTING or entry.size > MAX_LISTING:
            raise BundleError("a bundle begins with its list")
        self._list = entry.read()
        self.digest = hashlib.sha256(self._list).digest()

    @functools.cached_property
    def listing(self) -> Listing:
        """The parsed list. Raises Malformed for anything that this version does not write."""
        return parse(self._list)

    def __iter__(self) -> Iterator[tuple[Member, Body]]:
        for member in self.listing.members:
            entry = self._tar.next()
            if entry is None or (entry.name, entry.size) != (member.name, member.size):
                raise BundleError("a listed member is missing or out of place")
            body = Body(entry, member)
            yield member, body
            for _ in body.pieces():
                pass
        if self._tar.next() is not None:
            raise BundleError("the bundle holds more than it lists")


def verify(source: tar.Readable) -> Listing:
    """Read a whole part, keeping only its list. Raises Malformed if anything is not as listed."""
    reader = Reader(source)
    for _ in reader:
        pass
    return reader.listing
