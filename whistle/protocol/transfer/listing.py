"""bundle.json, the list with which every bundle begins (SPEC 8.2).

It gives the order, size and hash of the files that follow, and what workstation and server tell each other besides.
"""

import datetime
import functools
import itertools
import re
from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any, Literal

from whistle.protocol import canonical, schema
from whistle.protocol.errors import Malformed
from whistle.protocol.transfer import tar
from whistle.protocol.transfer.statement import ImportStatement

MAX_PART = 4 * 1024**3 - 1  # bytes; what FAT can hold
MAX_MEMBERS = 20_000  # in one part
MAX_IDS = 50_000  # in `taken` and in `stored`
MAX_STATEMENTS = 5_000
MAX_LISTING = 10 * 1024**2  # bytes of bundle.json
MAX_MANIFEST = 2 * 1024**2  # bytes; SPEC 7
MAX_MANIFESTS = 64 * 1024**2  # bytes of all manifests and signatures in a part; held in memory by its reader
MAX_SIGNATURE = 4096  # bytes
BLOCK = 262_144  # bytes
ENVELOPE_UNIT = 4096  # bytes; an envelope is `slots` of these
MAX_SLOTS = 255

NAME = re.compile(
    r"(manifest(?:-([1-9][0-9]{0,8}))?\.json(\.minisig)?)|envelopes/([0-9a-f]{32})\.age|blocks/([0-9a-f]{32})"
)

Heap = Literal["reviewers", "reporters"]
Destination = Literal["workstation", "server"]


class BundleError(Malformed):
    """The part is not what its own list says, or not a bundle at all; nothing of it may be used."""


def hex_bytes(size: int) -> schema.Form:
    """``size`` bytes, written in JSON as lower-case hexadecimal."""
    form = schema.hexadecimal(size)
    return lambda value: bytes.fromhex(form(value))


def rank(name: str) -> tuple[int, int, str]:
    """The sort key of a name in a bundle; BundleError for a name that no bundle can have."""
    match = NAME.fullmatch(name)
    if not match:
        raise BundleError("the bundle lists an invalid name")
    if match[1]:
        return 0, int(match[2] or 0), name
    return (1 if match[4] else 2), 0, name


def _name(value: Any) -> str:
    name: str = schema.text(100)(value)
    rank(name)
    return name


@dataclass(frozen=True)
class Member:
    """A listed file: size in bytes, SHA-256; for envelopes and blocks the server's day or the heap they go to."""

    name: str = schema.field(_name)
    size: int = schema.field(schema.integer(1, MAX_PART))
    sha256: bytes = schema.field(hex_bytes(32))
    day: datetime.date | None = schema.field(schema.day, default=None)
    heap: Heap | None = schema.field(schema.one_of("reviewers", "reporters"), default=None)

    @functools.cached_property
    def id(self) -> bytes | None:
        """The id of an envelope or block, None for the manifest's files."""
        match = NAME.fullmatch(self.name)
        digits = match and (match[4] or match[5])
        return bytes.fromhex(digits) if digits else None

    @property
    def is_envelope(self) -> bool:
        """Whether it is an envelope, by its name."""
        return self.name.startswith("envelopes/")

    @property
    def is_block(self) -> bool:
        """Whether it is a block, by its name."""
        return self.name.startswith("blocks/")

    def fits(self) -> bool:
        """Whether such a file can have this size."""
        if self.is_block:
            return self.size == BLOCK
        if self.is_envelope:
            return self.size % ENVELOPE_UNIT == 0 and 2 <= self.size // ENVELOPE_UNIT <= MAX_SLOTS
        return self.size <= (MAX_SIGNATURE if self.name.endswith(".minisig") else MAX_MANIFEST)


@dataclass(frozen=True)
class Listing:
    """bundle.json. `taken`: ids that something else has; `stored`: ids that the server now has."""

    to: Destination = schema.field(schema.one_of("workstation", "server"))
    created: datetime.date = schema.field(schema.day)
    members: tuple[Member, ...] = schema.field(schema.list_of(schema.record(Member), MAX_MEMBERS))
    part: int = schema.field(schema.integer(1, 9999))
    of: int = schema.field(schema.integer(1, 9999))
    taken: tuple[bytes, ...] = schema.field(schema.list_of(hex_bytes(16), MAX_IDS), default=())
    stored: tuple[bytes, ...] = schema.field(schema.list_of(hex_bytes(16), MAX_IDS), default=())
    imports: tuple[ImportStatement, ...] = schema.field(
        schema.list_of(ImportStatement.from_record, MAX_STATEMENTS), default=()
    )

    def to_bytes(self) -> bytes:
        """Canonical JSON. Raises Malformed when `parse` would refuse it."""
        data = canonical.dumps({"v": 1, "kind": "bundle", **_plain(self)})
        parse(data)
        return data

    def length(self) -> int:
        """Bytes of the whole tar file."""
        return tar.span(len(self.to_bytes())) + sum(tar.span(member.size) for member in self.members) + len(tar.END)


def parse(data: bytes) -> Listing:
    """bundle.json as a Listing. Raises Malformed for anything that this version does not write."""
    if len(data) > MAX_LISTING:
        raise BundleError("the bundle's list is too long")
    kind, record = schema.parse_object(data)
    if kind != "bundle":
        raise BundleError("not the list of a bundle")
    listing = schema.parse(Listing, record)
    _check(listing)
    return listing


def _plain(value: Any) -> Any:
    if isinstance(value, Listing | Member):
        shown = [(each.name, getattr(value, each.name), each.default) for each in fields(value)]
        return {name: _plain(item) for name, item, default in shown if item != default}
    if isinstance(value, ImportStatement):
        return value.record()
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    return value.hex() if isinstance(value, bytes) else schema.to_json(value)


def _check(listing: Listing) -> None:
    names = [member.name for member in listing.members]
    if listing.part > listing.of:
        raise BundleError("the bundle's part number is greater than the number of parts")
    ranks = [rank(name) for name in names]
    if not (_ascends(listing.taken) and _ascends(listing.stored) and _ascends(ranks)):
        raise BundleError("something in the bundle's list is repeated or out of order")
    stems = {name.removesuffix(".minisig") for name in names if name.startswith("manifest")}
    if any(not {stem, stem + ".minisig"} <= set(names) for stem in stems):
        raise BundleError("a manifest in the bundle lacks its signature, or a signature its manifest")
    if not all(_is_for(listing.to, member) for member in listing.members):
        raise BundleError("a member has a day or a heap that it must not have")
    if (listing.taken or listing.stored) if listing.to == "server" else listing.imports:
        raise BundleError("the bundle's list holds what only travels the other way")
    if not all(member.fits() for member in listing.members):
        raise BundleError("a member has an impossible size")
    if sum(member.size for member in listing.members if member.id is None) > MAX_MANIFESTS:
        raise BundleError("the manifests in the bundle are too large together")


def _is_for(to: Destination, member: Member) -> bool:
    """Envelopes and blocks may have the server's day on the way from it, and a heap on the way to it; nothing else."""
    if member.id is None:
        return member.day is None and member.heap is None
    return (member.heap is None) if to == "workstation" else (member.day is None)


def _ascends(values: Sequence[Any]) -> bool:
    return all(first < second for first, second in itertools.pairwise(values))
