"""A client for the server's binary interface for reporters (SPEC 9.1); it checks every answer."""

import datetime
import itertools
import struct
from collections.abc import Sequence
from dataclasses import dataclass, field

from whistle.protocol.case import envelope
from whistle.protocol.case.attachment import BLOCK, Block
from whistle.protocol.code.retrieval import TOKEN
from whistle.protocol.reporter import submission
from whistle.protocol.trust.manifest import MAX_FILE
from whistle.reporter.connection import Link
from whistle.reporter.errors import BadServer

PAD = 262_144  # bytes of every answer to a lookup
HEAD = struct.Struct(">IB")  # how many entries follow, and whether there are more
ENTRY = struct.Struct(f">{TOKEN}sBII")  # id, state, day, length of the body
STATES = ("waiting", "collected", "removed")
WITHDRAWN = ("withdrawn", "collected", "unknown")
EPOCH = datetime.date(1970, 1, 1)
LAST = (datetime.date(2999, 12, 31) - EPOCH).days
TOGETHER = 8  # blocks in one answer


@dataclass(frozen=True)
class Found:
    """What is stored under an id: its state, the day of that state, and a body if it is for the reporter."""

    id: bytes
    state: str
    day: datetime.date
    body: bytes = field(repr=False)


class Api:
    """A reporter's requests.  Each method raises Away, Declined or BadServer; any may be repeated."""

    def __init__(self, link: Link) -> None:
        self._link = link

    def published(self, name: str) -> bytes | None:
        """A public file: a manifest, its signature, a root's key; None if there is none."""
        return self._link.get(name, MAX_FILE)

    def ready(self) -> None:
        """Check that the server accepts messages now, before anything is sent."""
        self._link.post("/api/ready", b"", 0)

    def drop(self, ids: Sequence[bytes]) -> None:
        """Remove blocks that no report has named; if this does not arrive, the server removes them within a day."""
        if ids:
            self._link.mention("/api/drop", b"".join(ids))

    def put_block(self, upload: bytes, block: Block) -> None:
        """Store a block for the report that follows; `upload` is random, the same for all of its blocks."""
        self._link.post("/api/block", b"".join((upload, *block)), 0)

    def store(self, token: bytes, envelopes: Sequence[bytes], blocks: Sequence[bytes], serial: int) -> None:
        """Store a message, or a report with its slip, with blocks stored before; repeating it changes nothing.

        `serial` is that of the manifest by which they were sealed.  Raises Lost when blocks are not there any more,
        Declined when a newer manifest is in force.
        """
        sealed_by = {submission.SERIAL: str(serial)}
        self._link.post("/api/store", submission.encode(token, envelopes, blocks), 0, sealed_by)

    def look(self, ids: Sequence[bytes], slots: int) -> list[Found]:
        """Look up the sorted ids of one reporter, with as many questions as it takes."""
        found: list[Found] = []
        after, more = b"", True
        while more:
            answer = self._link.post("/api/lookup", after + b"".join(ids), PAD)
            entries, more = _parse_look(answer, {id for id in ids if id > after}, envelope.size(slots))
            found += entries
            after = found[-1].id if found else after
        return found

    def blocks(self, ids: Sequence[bytes]) -> list[bytes | None]:
        """Fetch at most 64 blocks of replies; None for each that is not there."""
        return _parse_blocks(self._link.post("/api/blocks", b"".join(ids), len(ids) * (1 + BLOCK)), len(ids))

    def withdraw(self, token: bytes) -> str:
        """Withdraw a report and its slip; returns withdrawn, collected (too late) or unknown."""
        answer = self._link.post("/api/withdraw", token, 1)
        if len(answer) != 1 or answer[0] >= len(WITHDRAWN):
            raise _unknown()
        return WITHDRAWN[answer[0]]


def _parse_look(data: bytes, expected: set[bytes], size: int) -> tuple[list[Found], bool]:
    """The entries of an answer, all with ids that are `expected`, and whether there are more."""
    if len(data) != PAD:
        raise _unknown()
    (count, more), at = HEAD.unpack_from(data), HEAD.size
    entries: list[Found] = []
    for _ in range(min(count, len(expected) + 1)):
        entry = _entry(data, at)
        if entry.id not in expected or len(entry.body) not in (0, size):
            raise _unknown()
        entries.append(entry)
        at += ENTRY.size + len(entry.body)
    ids = [entry.id for entry in entries]
    ascends = all(first < second for first, second in itertools.pairwise(ids))
    if len(entries) != count or more > 1 or more > count or not ascends or data[at:].strip(b"\0"):
        raise _unknown()
    return entries, bool(more)


def _entry(data: bytes, at: int) -> Found:
    if at + ENTRY.size > len(data):
        raise _unknown()
    id, state, day, length = ENTRY.unpack_from(data, at)
    start = at + ENTRY.size
    if state >= len(STATES) or day > LAST or start + length > len(data):
        raise _unknown()
    return Found(id, STATES[state], EPOCH + datetime.timedelta(days=day), data[start : start + length])


def _parse_blocks(data: bytes, count: int) -> list[bytes | None]:
    blocks: list[bytes | None] = []
    at = 0
    while len(blocks) < count and at < len(data) and data[at] <= 1:
        length = BLOCK * data[at]
        blocks.append(data[at + 1 : at + 1 + length] if length else None)
        at += 1 + length
    if len(blocks) != count or at != len(data):
        raise _unknown()
    return blocks


def _unknown() -> BadServer:
    return BadServer(
        "the server's answer is not of the known form", "try again; if it stays so, ask whoever gave you the address"
    )
