"""What is on its way to the server.  Nothing leaves the outbox before a stick comes back and reports that it arrived.

An item belongs to one message: its envelopes and the blocks of its attachments.  An envelope has arrived when a courier
lists it as stored, or when it comes back among what the server gives to reviewers; `deliveries` keeps it nevertheless.
No envelope travels in an earlier part than any block, and a courier stops at a part that fails, so once the envelopes
have arrived, the blocks have too.  A message of which a piece is missing here stays behind, alone.
"""

import datetime
import hashlib
import secrets
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, cast

from sqlalchemy import delete, select

from whistle import durable
from whistle.protocol.transfer import bundle, statement, tar
from whistle.protocol.transfer.listing import MAX_MEMBERS, MAX_PART, Heap, Listing, Member, rank
from whistle.protocol.transfer.statement import ImportStatement
from whistle.workstation import files
from whistle.workstation.errors import Refused, Untrusted
from whistle.workstation.exchange import deliveries, received
from whistle.workstation.exchange.deliveries import Received
from whistle.workstation.language import t
from whistle.workstation.vault.models import Outgoing, OutgoingBlock, OutgoingEnvelope, Undone
from whistle.workstation.workstation import UNSYNCED, Workstation

STATED = 400  # server days, at most, for which the workstation states what it holds, each with up to two hashes

ENVELOPES = 16 * 1024**2  # bytes in one part; the server holds a part's envelopes in memory (SPEC 8.2)
ON_ITS_WAY = Outgoing.said.is_(None)
MOVES = 8  # of one message of which something was taken; after that people must act


@dataclass(frozen=True)
class Sealed:
    """An envelope on its way."""

    id: bytes
    heap: Heap
    body: bytes


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
    new = Outgoing(hash=hash, day=workstation.today(), attempt=attempt)
    for each in envelopes:
        row = OutgoingEnvelope(id=each.id, heap=each.heap, sha256=_sha256(each.body), body=each.body)
        new.envelopes.append(row)
    for id in blocks:
        new.blocks.append(OutgoingBlock(id=id, heap=heap, sha256=_sha256(workstation.blocks.read(id))))
    with workstation.change():
        workstation.vault.session.add(new)


def pending(workstation: Workstation) -> list[str]:
    """The hashes of the messages that are on their way."""
    return list(workstation.vault.session.scalars(select(Outgoing.hash).where(ON_ITS_WAY).order_by(Outgoing.id)))


def item(workstation: Workstation, hash: str) -> Outgoing | None:
    """A message that is on its way or was delivered, with its envelopes and blocks; None if it is not here."""
    return workstation.vault.session.scalar(select(Outgoing).where(Outgoing.hash == hash))


def items(workstation: Workstation) -> Iterator[Outgoing]:
    """The messages that are on their way, one at a time."""
    for hash in pending(workstation):
        if (found := item(workstation, hash)) is not None:
            yield found


def reconcile(
    workstation: Workstation, arrivals: Received, stored: set[bytes], taken: set[bytes], written: datetime.date
) -> list[str]:
    """Remove what has arrived; returns the hashes of messages of which something was taken, to be signed again.

    `arrivals` are the server's envelopes with their SHA-256.  `stored`, `taken` and `written`, the day on which the
    stick was written, are the courier's claims.
    """
    again, today = [], workstation.today()
    with workstation.change():
        deliveries.reconcile(workstation, arrivals, written)
        for each in items(workstation):
            _note_arrived(each, arrivals, stored, taken, today)
            if _note_taken(each, taken):
                again.append(each.hash)
            if _waiting(each):
                continue
            if any(one.heap == "reporters" for one in each.envelopes):  # what is given up, or aside, is not among them
                workstation.note_stored(each.hash, today)
            if each.envelopes:
                each.said = today
            else:
                workstation.vault.session.delete(each)
    return again


def send_again(workstation: Workstation, hashes: Iterable[str]) -> int:
    """Put messages reported as delivered into the outbox again, byte for byte; returns how many.

    A server that already has them ignores them.
    """
    with workstation.change():
        taken = deliveries.take(workstation, hashes)
        for hash in taken:
            workstation.note_stored(hash, None)
    return len(taken)


def _note_arrived(
    item: Outgoing, arrivals: Received, stored: set[bytes], taken: set[bytes], today: datetime.date
) -> None:
    """Note in an item which of its envelopes have arrived."""
    copies = deliveries.copies(item)
    back = deliveries.is_back(copies, arrivals)
    item.back = item.back or (today if back else None)
    # A copy that came back once and is taken now is the same that was removed since (SPEC 9.5).
    arrived = stored | {id for id in copies if back or (id in taken and item.back)}
    for envelope in _arrived(_waiting(item), arrived):
        envelope.arrived = True


def _note_taken(item: Outgoing, taken: set[bytes]) -> bool:
    """Give what was taken of an item another id, or give it up; True if its message is to be signed again.

    A courier may lie, or somebody who saw the ids may have put something there.  So the same bytes go once more to a
    reply's own place, and the last attempt never gives up its place.  A copy's id is random, so it gets another.
    """
    lost = [each for each in _waiting(item) if each.id in taken]
    for envelope in lost:
        if envelope.heap == "reviewers":
            envelope.id = secrets.token_bytes(len(envelope.id))
        elif item.again and item.attempt <= MOVES:
            item.envelopes.remove(envelope)
    blocks = {each.id for each in item.blocks}
    return not item.again and (bool(blocks & taken) or any(each.heap == "reporters" for each in lost))


def next_attempt(workstation: Workstation, hash: str) -> int:
    """Note that a message is signed again, or is given up; returns the number of the attempt, from 2 to MOVES + 2."""
    found = item(workstation, hash)
    if found is None:
        return 2
    found.again = True
    return found.attempt + 1


def stuck(workstation: Workstation) -> list[str]:
    """The hashes of the messages that were signed again as often as this program does by itself, and are not there."""
    moved = Outgoing.again, Outgoing.attempt > MOVES, Outgoing.aside.is_(False)
    return list(
        workstation.vault.session.scalars(select(Outgoing.hash).where(ON_ITS_WAY, *moved).order_by(Outgoing.id))
    )


def begin_anew(workstation: Workstation, hash: str) -> int:
    """Note that the author of a stuck message, or of one that was set aside, has it signed again; returns the new one's
    attempt.  A stuck one's own place is tried once more.
    """
    found = item(workstation, hash)
    if found is None or hash not in (*stuck(workstation), *set_aside(workstation)):
        raise Refused(t("outbox.not_stuck"), t("outbox.sent_hint"))
    found.attempt, found.aside = MOVES, False
    return 1


def torn(workstation: Workstation) -> list[str]:
    """The hashes of the messages on their way of which a piece of a file is missing here, so that they cannot go."""
    wanted = select(OutgoingBlock.id, Outgoing.hash).join(Outgoing).where(ON_ITS_WAY).order_by(Outgoing.id)
    rows = workstation.vault.session.execute(wanted).all()
    missing = set(workstation.blocks.missing(id for id, _ in rows))
    return list(dict.fromkeys(hash for id, hash in rows if id in missing))


def set_aside(workstation: Workstation) -> list[str]:
    """The hashes of the messages that were set aside."""
    return list(workstation.vault.session.scalars(select(Outgoing.hash).where(Outgoing.aside).order_by(Outgoing.id)))


def put_aside(workstation: Workstation, hash: str) -> None:
    """Give up a message that cannot go.  The readers' copy still goes, so that no number is missing in their chain.

    Raises Refused for one that is neither stuck nor torn.
    """
    found = item(workstation, hash)
    if found is None or hash not in (*stuck(workstation), *torn(workstation)):
        raise Refused(t("outbox.can_go"), t("outbox.sent_hint"))
    with workstation.change():
        found.aside, found.blocks = True, []
        found.envelopes = [each for each in found.envelopes if each.heap == "reviewers"]
        if not _waiting(found):
            found.said = workstation.today()
        undone = delete(Undone).where(Undone.what == "reply", Undone.hash == hash)
        workstation.vault.session.execute(undone, **UNSYNCED)


def _waiting(item: Outgoing) -> list[OutgoingEnvelope]:
    """The envelopes of an item that have not arrived."""
    return [each for each in item.envelopes if not each.arrived]


def _arrived(envelopes: Sequence[OutgoingEnvelope], arrived: set[bytes]) -> list[OutgoingEnvelope]:
    """Those that have arrived.  A reply's place may hold another reply that a restored backup does not
    know: it is this one only if the readers' copy, whose id is random, is there too.
    """
    there = [each for each in envelopes if each.id in arrived]
    copied = all(each in there for each in envelopes if each.heap == "reviewers")
    return [each for each in there if copied or each.heap == "reviewers"]


def statements(workstation: Workstation) -> list[ImportStatement]:
    """Signed statements of what this workstation holds of each server day; none while nothing may be signed.

    One that holds nothing says so: else the courier would take what others on this stick hold for what all have.
    """
    try:
        workstation.trust.check_clock()
        workstation.trust.check_exchanged()
        me, key = workstation.me, workstation.signing.signing
    except (Refused, Untrusted):  # no manifest yet, not listed, the clock is behind, or restored just now
        return []
    days = received.days(workstation, STATED)
    stated = [(day, hash) for day in days for hash in received.day_hashes(workstation, day)]
    nothing = [(workstation.today(), statement.day_hash(()))]
    return [statement.sign(me, day, hash, key) for day, hash in stated or nothing]


def write(workstation: Workstation, stick: Path) -> int:
    """Replace this vault's parts in the stick's outbox with all that is pending; returns how many parts."""
    folder = stick / "outbox"
    if folder.is_symlink():
        raise Untrusted(t("outbox.link"), t("outbox.link_hint"))
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
    behind = torn(workstation)
    for each in items(workstation):
        if each.hash in behind:
            continue
        for envelope in _waiting(each):
            body = envelope.body
            assert body is not None
            name = bundle.envelope_name(envelope.id)
            contents[name] = (bundle.member(name, body, heap=_heap(envelope)), _constant(body))
        for block in each.blocks:
            name = bundle.block_name(block.id)
            read = partial(_block, workstation, block.id, block.sha256)
            contents[name] = (bundle.member(name, read(), heap=_heap(block)), read)
    return contents


def _heap(row: OutgoingEnvelope | OutgoingBlock) -> Heap:
    return cast(Heap, row.heap)


def _constant(body: bytes) -> Any:
    return lambda: body


def _block(workstation: Workstation, id: bytes, sha256: bytes) -> bytes:
    """A block as it was sealed here, even if a courier brought another."""
    try:
        if not workstation.blocks.has_several(id):
            return workstation.blocks.read(id)
        versions = workstation.blocks.versions(id)
        return next((each for each in versions if _sha256(each) == sha256), None) or workstation.blocks.read(id)
    except FileNotFoundError as exc:
        raise Refused(t("outbox.missing"), t("outbox.missing_hint")) from exc


def _sha256(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()


def _write(path: Path, pieces: Iterator[bytes]) -> None:
    durable.stage(path, pieces, 0o644).replace(path)  # ciphertext, which the courier must be able to read
