"""The messages that wait for a report, a grant, pieces, or the manifest that lists their signer.

They are stored with their signatures, so that their server day can be stated: stated means held.  Room is bounded: some
for each sender whom a known key proves, and a little for all others together, which any stranger can fill.  What finds
no room is not stated, so that it stays at the server and comes again.
"""

import datetime
from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass

from sqlalchemy import delete, select, update

from whistle.protocol.case import message
from whistle.protocol.case.attachment import block_ids
from whistle.protocol.case.message import Body, ByReviewer, Signed
from whistle.protocol.transfer.listing import Member
from whistle.workstation.errors import WorkstationError
from whistle.workstation.vault.models import WaitingMessage
from whistle.workstation.workstation import Workstation

PROVEN = 2 * 1024**2  # bytes of lines, for each sender
UNPROVEN = 2 * 1024**2  # bytes, for all others together
ALL = 32 * 1024**2  # bytes
LEAST = 4096  # bytes that a message counts for, however short
LONGEST = datetime.timedelta(days=400)  # that an unproven message waits for its manifest
NOBODY = ""  # the sender under which unproven messages are counted

CASE, PIECES, MANIFEST = "case", "pieces", "manifest"


class Waiting(WorkstationError):
    """A dependency has not arrived: the CASE, PIECES of a grant, or a MANIFEST that lists the signer.

    `proven`: whether a known key of the sender made the signature.
    """

    def __init__(self, message: str, dependency: str, proven: bool = True) -> None:
        super().__init__(message)
        self.dependency = dependency
        self.proven = proven


@dataclass(frozen=True)
class Arrival:
    """A message from an envelope and that envelope's server day; its `member` in the part, None if it waited."""

    signed: Signed
    server: datetime.date | None
    member: Member | None = None


@dataclass
class _Entry:
    """What is held in memory of a waiting message."""

    case: str
    sender: str
    size: int
    since: datetime.date
    lacks: str


class Room:
    """The waiting messages of a vault.  Use within one change, and `save` at its end."""

    def __init__(self, workstation: Workstation) -> None:
        self._session, self._workstation = workstation.vault.session, workstation
        self._today = workstation.today()
        columns = [WaitingMessage.hash, *(getattr(WaitingMessage, name) for name in _Entry.__annotations__)]
        kept = self._session.execute(select(*columns).order_by(WaitingMessage.id))
        self._index = {row.hash: _Entry(*row[1:]) for row in kept}
        self._cases: set[str] = set()  # in which something began or ceased to wait
        self._used = Counter[str]()
        for entry in self._index.values():
            self._used[entry.sender] += entry.size

    def __len__(self) -> int:
        return len(self._index)

    def due(self, cases: Collection[str], blocks: Collection[bytes], manifests: bool) -> list[Arrival]:
        """The messages whose dependency may have come with these cases, blocks or manifests."""
        arrivals = []
        for hash, entry in self._index.items():
            if (entry.lacks == CASE and entry.case in cases) or (entry.lacks == MANIFEST and manifests):
                arrivals.append(self._read(hash))
            elif entry.lacks == PIECES and blocks:
                arrival = self._read(hash)
                arrivals += [arrival] if _needs(arrival.signed, blocks) else []
        return arrivals

    def keep(self, arrival: Arrival, why: Waiting) -> bool:
        """Let a message wait, or go on waiting for another reason; False if there is no room."""
        signed = arrival.signed
        content = signed.message
        assert isinstance(content, ByReviewer)
        before = self._index.get(signed.hash)
        if before is None:
            sender = content.sender if why.proven else NOBODY
            size = max(len(signed.line), LEAST)
            room = PROVEN if why.proven else UNPROVEN
            if self._used[sender] + size > room or self._used.total() + size > ALL:
                return False
            self._used[sender] += size
            self._index[signed.hash] = entry = _Entry(content.case, sender, size, self._today, why.dependency)
            bytes_ = {"line": signed.line, "signature": signed.signature}
            self._session.add(WaitingMessage(hash=signed.hash, server=arrival.server, **vars(entry), **bytes_))
        else:
            if arrival.member and _is_before(arrival.server, self._read(signed.hash).server):
                self._change(signed.hash, server=arrival.server)  # the earliest day counts (SPEC 7.5)
            if before.lacks != why.dependency:
                before.lacks = why.dependency
                self._change(signed.hash, lacks=why.dependency)
        self._cases.add(content.case)
        return True

    def remove(self, hash: str) -> None:
        """Remove a message that was saved or refused; nothing if it does not wait."""
        entry = self._index.pop(hash, None)
        if entry is not None:
            self._used[entry.sender] -= entry.size
            self._session.execute(delete(WaitingMessage).where(WaitingMessage.hash == hash))
            self._cases.add(entry.case)

    def tidy(self, written: datetime.date) -> None:
        """Remove unproven messages whose manifest never came, by this clock and the day the stick was `written`."""
        limit = min(self._today, written) - LONGEST
        for hash, entry in list(self._index.items()):
            if entry.sender == NOBODY and entry.since < limit:
                self.remove(hash)

    def save(self) -> None:
        """Record in each case how many messages of each sender wait for it."""
        counts: dict[str, Counter[str]] = {case: Counter() for case in self._cases}
        for entry in self._index.values():
            if entry.lacks == CASE and entry.case in counts:
                counts[entry.case][entry.sender] += 1
        for case, waits in counts.items():
            self._workstation.note_waiting(case, waits)

    def _read(self, hash: str) -> Arrival:
        columns = WaitingMessage.line, WaitingMessage.signature, WaitingMessage.server
        row = self._session.execute(select(*columns).where(WaitingMessage.hash == hash)).one()
        return Arrival(Signed(row.line, row.signature, message.parse(row.line)), row.server)

    def _change(self, hash: str, **values: object) -> None:
        self._session.execute(update(WaitingMessage).where(WaitingMessage.hash == hash).values(**values))


def _is_before(day: datetime.date | None, other: datetime.date | None) -> bool:
    return day is not None and (other is None or day < other)


def _needs(signed: Signed, blocks: Collection[bytes]) -> bool:
    rest = signed.message.rest if isinstance(signed.message, Body) else None
    return rest is not None and any(id in blocks for id in block_ids(rest))
