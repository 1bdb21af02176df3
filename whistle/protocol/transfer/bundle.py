"""What a courier carries: a strict tar whose first member, bundle.json, lists all others (SPEC 8).

Whatever differs from the list, in name, order, size or hash, and whatever is there beside it, refuses the whole part.
A reader therefore goes through a part twice, `verify` first, or keeps nothing until the end was reached.
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


def envelope_name(id_: bytes) -> str:
    """The member's name of the envelope with this id."""
    return f"envelopes/{id_.hex()}.age"


def block_name(id_: bytes) -> str:
    """The member's name of the block with this id."""
    return f"blocks/{id_.hex()}"


def member_id(name: str) -> bytes:
    """The id in the name of an envelope or block. Raises BundleError for any other name."""
    match = NAME.fullmatch(name)
    if not match or match[1]:
        raise BundleError("neither an envelope nor a block")
    return bytes.fromhex(match[4] or match[5])


def member(name: str, data: bytes, day: datetime.date | None = None, heap: Heap | None = None) -> Member:
    """The member that has this content."""
    return Member(name, len(data), hashlib.sha256(data).digest(), day, heap)


def split(members: Iterable[Member], limit: int = MAX_PART, count: int = MAX_MEMBERS) -> list[list[Member]]:
    """Members in a bundle's order, cut into parts of at most `limit` bytes and `count` members; at least one part."""
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
    """The tar file, no piece empty; `source` gives a content, BundleError when it is not the listed one."""
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
    """A member's content while it is read; the piece that ends it comes only when size and hash are as listed."""

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
    """A part while it streams in: `.digest` (SHA-256 of bundle.json), `.listing`, then members in order, once.

    Only when the iteration has ended was all of the part there and nothing else; until then nothing may be used.
    """

    def __init__(self, source: tar.Readable) -> None:
        """Reads bundle.json, nothing further; what is in it is read with `listing`. Raises Malformed."""
        self._tar = tar.Reader(source)
        entry = self._tar.next()
        if entry is None or entry.name != LISTING or entry.size > MAX_LISTING:
            raise BundleError("a bundle begins with its list")
        self._list = entry.read()
        self.digest = hashlib.sha256(self._list).digest()

    @functools.cached_property
    def listing(self) -> Listing:
        """The list. Raises Malformed for anything that this version does not write."""
        return parse(self._list)

    def __iter__(self) -> Iterator[tuple[Member, Body]]:
        for member in self.listing.members:
            entry = self._tar.next()
            if entry is None or (entry.name, entry.size) != (member.name, member.size):
                raise BundleError("a listed member is missing, or another stands in its place")
            body = Body(entry, member)
            yield member, body
            for _ in body.pieces():
                pass
        if self._tar.next() is not None:
            raise BundleError("the bundle holds more than its list")


def verify(source: tar.Readable) -> Listing:
    """Reads a whole part and keeps nothing of it but its list. Raises Malformed when anything is not as listed."""
    reader = Reader(source)
    for _ in reader:
        pass
    return reader.listing
