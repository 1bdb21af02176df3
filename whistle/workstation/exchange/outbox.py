"""What is on its way to the server.  Nothing leaves the outbox before a stick comes back and reports that it arrived.

An item belongs to one message: its envelopes and the blocks of its attachments.  An envelope has arrived when a courier
lists it as stored, or when it comes back among what the server gives to reviewers; `deliveries` keeps it nevertheless.
No envelope travels in an earlier part than any block, and a courier stops at a part that fails, so once the envelopes
have arrived, the blocks have too.
"""

import base64
import datetime
import hashlib
import secrets
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from whistle import durable
from whistle.protocol.transfer import bundle, statement, tar
from whistle.protocol.transfer.listing import MAX_MEMBERS, MAX_PART, Heap, Listing, Member, rank
from whistle.protocol.transfer.statement import ImportStatement
from whistle.workstation import files
from whistle.workstation.errors import Refused, Untrusted
from whistle.workstation.exchange import deliveries, received
from whistle.workstation.exchange.deliveries import Received
from whistle.workstation.workstation import Workstation

STATED = 400  # server days, at most, for which the workstation states what it holds, each with up to two hashes

ENVELOPES = 16 * 1024**2  # bytes in one part; the server holds a part's envelopes in memory (SPEC 8.2)
MOVES = 8  # of one message of which something was taken; after that people must act


@dataclass(frozen=True)
class Sealed:
    """An envelope on its way."""

    id: bytes
    heap: Heap
    body: bytes

    def record(self) -> dict[str, str]:
        """As the vault stores it."""
        return {"id": self.id.hex(), "heap": self.heap, "body": base64.b64encode(self.body).decode()}


def add(
    workstation: Workstation,
    hash: str,
    envelopes: Sequence[Sealed],
    blocks: Iterable[bytes],
    heap: Heap,
    attempt: int = 1,
) -> None:
    """Put a message's envelopes and the ids of its blocks in the outbox; the blocks lie in the vault's folder.

    `attempt` counts the messages that say the same, this one included: something of those before was taken.
    """
    item = {
        "envelopes": [sealed.record() for sealed in envelopes],
        "blocks": [{"id": id.hex(), "heap": heap, "sha256": _sha256(workstation.blocks.read(id))} for id in blocks],
        "day": workstation.today().isoformat(),
        "attempt": attempt,
    }
    with workstation.change():
        workstation.vault.put(f"outbox/{hash}", item)
        workstation.vault.put("outbox", [*pending(workstation), hash])


def pending(workstation: Workstation) -> list[str]:
    """The hashes of the messages that are on their way."""
    hashes: list[str] = workstation.vault.get("outbox", [])
    return hashes


def reconcile(
    workstation: Workstation, arrivals: Received, stored: set[bytes], taken: set[bytes], written: datetime.date
) -> list[str]:
    """Remove what has arrived; returns the hashes of messages of which something was taken, to be signed again.

    `arrivals` are the server's envelopes with their SHA-256.  `stored`, `taken` and `written`, the day on which the
    stick was written, are the courier's claims.
    """
    again, left = [], []
    with workstation.change():
        deliveries.reconcile(workstation, arrivals, written)
        for hash in pending(workstation):
            item = workstation.vault.get(f"outbox/{hash}")
            _note_arrived(item, arrivals, stored, taken, workstation.today().isoformat())
            if _note_taken(item, taken):
                again.append(hash)
            if _waiting(item):
                workstation.vault.put(f"outbox/{hash}", item)
                left.append(hash)
                continue
            workstation.vault.remove(f"outbox/{hash}")
            if any(each["heap"] == "reporters" for each in item["envelopes"]):  # what was given up is not among them
                workstation.note_stored(hash, workstation.today())
            if item["envelopes"]:
                deliveries.save(workstation, hash, item)
        workstation.vault.put("outbox", left)
    return again


def send_again(workstation: Workstation, hashes: Iterable[str]) -> int:
    """Put messages reported as delivered into the outbox again, byte for byte; returns how many.

    A server that already has them ignores them.
    """
    with workstation.change():
        items = deliveries.take(workstation, hashes)
        for hash, item in items.items():
            workstation.vault.put(f"outbox/{hash}", item)
            workstation.note_stored(hash, None)
        workstation.vault.put("outbox", [*pending(workstation), *items])
    return len(items)


def _note_arrived(item: deliveries.Item, arrivals: Received, stored: set[bytes], taken: set[bytes], today: str) -> None:
    """Note in an item which of its envelopes have arrived."""
    copies = deliveries.copies(item)
    back = deliveries.is_back(copies, arrivals)
    item["back"] = item.get("back") or (today if back else None)
    # A copy that came back once and is taken now is the same that was removed since (SPEC 9.5).
    arrived = stored | {id for id in copies if back or (id in taken and item["back"])}
    item["arrived"] = [*item.get("arrived", []), *_arrived(_waiting(item), arrived)]


def _note_taken(item: deliveries.Item, taken: set[bytes]) -> bool:
    """Give what was taken of an item another id, or give it up; True if its message is to be signed again.

    A courier may lie, or somebody who saw the ids may have put something there.  So the same bytes go once more to a
    reply's own place, and the last attempt never gives up its place.  A copy's id is random, so it gets another.
    """
    lost = [each for each in _waiting(item) if bytes.fromhex(each["id"]) in taken]
    for envelope in lost:
        if envelope["heap"] == "reviewers":
            envelope["id"] = secrets.token_hex(16)
        elif item.get("again") and item.get("attempt", 1) <= MOVES:
            item["envelopes"].remove(envelope)
    blocks = {bytes.fromhex(each["id"]) for each in item["blocks"]}
    return not item.get("again") and (bool(blocks & taken) or any(each["heap"] == "reporters" for each in lost))


def next_attempt(workstation: Workstation, hash: str) -> int:
    """Note that a message is signed again, or is given up; returns the number of the attempt, from 2 to MOVES + 2."""
    for name in (f"outbox/{hash}", f"sent/{hash}"):
        if item := workstation.vault.get(name):
            workstation.vault.put(name, {**item, "again": True})
            return int(item.get("attempt", 1)) + 1
    return 2


def _waiting(item: deliveries.Item) -> list[dict[str, Any]]:
    """The envelopes of an item that have not arrived."""
    return [each for each in item["envelopes"] if each["id"] not in item.get("arrived", [])]


def _arrived(envelopes: Sequence[dict[str, str]], arrived: set[bytes]) -> list[str]:
    """The ids that have arrived.  A reply's place may hold another reply that a restored backup does not
    know: it is this one only if the readers' copy, whose id is random, is there too.
    """
    there = [each for each in envelopes if bytes.fromhex(each["id"]) in arrived]
    copied = all(each in there for each in envelopes if each["heap"] == "reviewers")
    return [each["id"] for each in there if copied or each["heap"] == "reviewers"]


def statements(workstation: Workstation) -> list[ImportStatement]:
    """Signed statements of what this workstation holds of each server day; none while nothing may be signed."""
    try:
        workstation.trust.check_clock()
        workstation.trust.check_exchanged()
        me, key = workstation.me, workstation.signing.signing
    except (Refused, Untrusted):  # no manifest yet, not listed, the clock is behind, or restored just now
        return []
    days = workstation.vault.get("days", [])[-STATED:]
    signed = []
    for day in days:
        for hash in received.day_hashes(workstation, day):
            signed.append(statement.sign(me, datetime.date.fromisoformat(day), hash, key))
    return signed


def write(workstation: Workstation, stick: Path) -> int:
    """Replace this vault's parts in the stick's outbox with all that is pending; returns how many parts."""
    folder = stick / "outbox"
    if folder.is_symlink():
        raise Untrusted("the stick's outbox is a link to somewhere else", "use another stick; no courier made this one")
    station = workstation.profile["station"]
    contents, stated = _contents(workstation), statements(workstation)
    parts = lay_out([member for member, _ in contents.values()]) if contents or stated else []
    try:
        folder.mkdir(exist_ok=True)
        for path in folder.glob(f"{station}-*.tar*"):  # first: a stick that is pulled out never holds a mixture
            path.unlink()
        for number, members in enumerate(parts, start=1):
            imports = tuple(stated) if number == 1 else ()
            listing = Listing("server", workstation.today(), tuple(members), number, len(parts), imports=imports)
            path = folder / f"{station}-{number:04}-of-{len(parts):04}.tar"
            _write(path, bundle.stream(listing, lambda member: [contents[member.name][1]()]))
        durable.sync_folder(folder)
    except OSError as exc:
        raise files.cannot_write(folder, exc) from exc
    return len(parts)


def lay_out(members: Sequence[Member]) -> list[list[Member]]:
    """Members by part: the blocks in as many parts as they need, the envelopes from the last of these on."""
    envelopes = [member for member in members if member.is_envelope]
    count = ENVELOPES // max((member.size for member in envelopes), default=ENVELOPES)
    first, rest = envelopes[:count], envelopes[count:]
    room = sum(tar.span(member.size) for member in first)
    blocks = bundle.split([member for member in members if member.is_block], MAX_PART - room, MAX_MEMBERS - count)
    rest.sort(key=lambda member: member.name)
    more = [rest[start : start + count] for start in range(0, len(rest), count)]
    return [*blocks[:-1], sorted([*first, *blocks[-1]], key=lambda member: rank(member.name)), *more]


def _contents(workstation: Workstation) -> dict[str, Any]:
    """By name: the member, and a function that returns its bytes."""
    contents: dict[str, Any] = {}
    for hash in pending(workstation):
        item = workstation.vault.get(f"outbox/{hash}")
        for envelope in _waiting(item):
            body = base64.b64decode(envelope["body"])
            name = bundle.envelope_name(bytes.fromhex(envelope["id"]))
            contents[name] = (bundle.member(name, body, heap=envelope["heap"]), _constant(body))
        for block in item["blocks"]:
            id = bytes.fromhex(block["id"])
            name = bundle.block_name(id)
            read = partial(_block, workstation, id, block.get("sha256"))
            contents[name] = (bundle.member(name, read(), heap=block["heap"]), read)
    return contents


def _constant(body: bytes) -> Any:
    return lambda: body


def _block(workstation: Workstation, id: bytes, sha256: str | None) -> bytes:
    """A block as it was sealed here, even if a courier brought another; earlier versions of Whistle kept no hash."""
    if not workstation.blocks.has_several(id):
        return workstation.blocks.read(id)
    versions = workstation.blocks.versions(id)
    return next((each for each in versions if _sha256(each) == sha256), None) or workstation.blocks.read(id)


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _write(path: Path, pieces: Iterator[bytes]) -> None:
    durable.stage(path, pieces, 0o644).replace(path)  # ciphertext, which the courier must be able to read
