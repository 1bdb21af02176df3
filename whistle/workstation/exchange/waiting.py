"""The messages that wait for a report, a grant, pieces, or the manifest that lists their signer.

They are stored with their signatures, so that their server day can be stated: stated means held.  Room is bounded: some
for each sender whom a known key proves, and a little for all others together, which any stranger can fill.  What finds
no room is not stated, so that it stays at the server and comes again.
"""

import base64
import datetime
from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from whistle.protocol.case import message
from whistle.protocol.case.attachment import block_ids
from whistle.protocol.case.message import Body, ByReviewer, Signed
from whistle.protocol.transfer.listing import Member
from whistle.workstation.errors import WorkstationError
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


class Room:
    """The waiting messages of a vault.  Use within one change, and `save` at its end."""

    def __init__(self, workstation: Workstation) -> None:
        self._vault, self._workstation = workstation.vault, workstation
        self._today = workstation.today()
        kept = self._vault.get("waiting", {})
        self._index: dict[str, dict[str, Any]] = kept if isinstance(kept, dict) else {}
        self._changed = not isinstance(kept, dict)
        self.older = [_arrival(record) for record in kept] if self._changed else []  # as earlier versions kept them
        self._cases: set[str] = set()  # in which something began or ceased to wait
        self._used = Counter[str]()
        for entry in self._index.values():
            self._used[entry["sender"]] += entry["size"]

    def __len__(self) -> int:
        return len(self._index)

    def due(self, cases: Collection[str], blocks: Collection[bytes], manifests: bool) -> list[Arrival]:
        """The messages whose dependency may have come with these cases, blocks or manifests."""
        arrivals = []
        for hash, entry in self._index.items():
            if (entry["for"] == CASE and entry["case"] in cases) or (entry["for"] == MANIFEST and manifests):
                arrivals.append(self._read(hash))
            elif entry["for"] == PIECES and blocks:
                arrival = self._read(hash)
                arrivals += [arrival] if _needs(arrival.signed, blocks) else []
        return arrivals

    def keep(self, arrival: Arrival, why: Waiting) -> bool:
        """Let a message wait, or go on waiting for another reason; False if there is no room."""
        signed = arrival.signed
        content = signed.message
        assert isinstance(content, ByReviewer)
        before = self._index.get(signed.hash)
        sender = content.sender if why.proven else NOBODY
        size = max(len(signed.line), LEAST)
        if before is None:
            room = PROVEN if why.proven else UNPROVEN
            if self._used[sender] + size > room or self._used.total() + size > ALL:
                return False
            self._used[sender] += size
            self._vault.put(f"waiting/{signed.hash}", _record(arrival))
            before = {"case": content.case, "sender": sender, "size": size, "since": self._today.isoformat()}
        elif arrival.member and _is_before(arrival.server, self._read(signed.hash).server):
            self._vault.put(f"waiting/{signed.hash}", _record(arrival))  # the earliest day counts (SPEC 7.5)
        self._index[signed.hash] = {**before, "for": why.dependency}
        self._cases.add(content.case)
        self._changed = True
        return True

    def remove(self, hash: str) -> None:
        """Remove a message that was saved or refused; nothing if it does not wait."""
        entry = self._index.pop(hash, None)
        if entry is not None:
            self._used[entry["sender"]] -= entry["size"]
            self._vault.remove(f"waiting/{hash}")
            self._cases.add(entry["case"])
            self._changed = True

    def tidy(self, written: datetime.date) -> None:
        """Remove unproven messages whose manifest never came, by this clock and the day the stick was `written`."""
        limit = (min(self._today, written) - LONGEST).isoformat()
        for hash, entry in list(self._index.items()):
            if entry["sender"] == NOBODY and entry["since"] < limit:
                self.remove(hash)

    def save(self) -> None:
        """Write the index if it has changed, and record in each case how many messages of each sender wait for it."""
        if not self._changed:
            return
        self._vault.put("waiting", self._index)
        counts: dict[str, Counter[str]] = {case: Counter() for case in self._cases}
        for entry in self._index.values():
            if entry["for"] == CASE and entry["case"] in counts:
                counts[entry["case"]][entry["sender"]] += 1
        for case, waits in counts.items():
            self._workstation.note_waiting(case, waits)

    def _read(self, hash: str) -> Arrival:
        return _arrival(self._vault.get(f"waiting/{hash}"))


def records(workstation: Workstation) -> list[str]:
    """The names of the records that a backup needs."""
    return [f"waiting/{hash}" for hash in workstation.vault.get("waiting", {}) if isinstance(hash, str)]


def _is_before(day: datetime.date | None, other: datetime.date | None) -> bool:
    return day is not None and (other is None or day < other)


def _needs(signed: Signed, blocks: Collection[bytes]) -> bool:
    rest = signed.message.rest if isinstance(signed.message, Body) else None
    return rest is not None and any(id in blocks for id in block_ids(rest))


def _arrival(kept: dict[str, Any]) -> Arrival:
    line = kept["line"].encode()
    signed = Signed(line, base64.b64decode(kept["signature"]), message.parse(line))
    return Arrival(signed, kept["server"] and datetime.date.fromisoformat(kept["server"]))


def _record(arrival: Arrival) -> dict[str, Any]:
    return {
        "line": arrival.signed.line.decode(),
        "signature": base64.b64encode(arrival.signed.signature).decode(),
        "server": arrival.server and arrival.server.isoformat(),
    }
