"""Importing what a courier brought, bundle by bundle, each as a whole or not at all.

A part whose bytes differ from its own list is *altered* and rejected as a whole.  Of a sound part, the blocks are saved
first, then, in one transaction, the messages, what was received of each server day, and that this part was imported.
A message whose dependency has not arrived waits, and is judged again when that may have come.
"""

import datetime
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from sqlalchemy import delete, insert, select

from whistle.protocol.age import HybridIdentity
from whistle.protocol.case import envelope
from whistle.protocol.errors import Malformed, NotForMe
from whistle.protocol.file_names import safe_name
from whistle.protocol.transfer import bundle
from whistle.protocol.transfer.listing import Listing, Member
from whistle.workstation.cases import case_list, compose
from whistle.workstation.errors import Refused, Untrusted
from whistle.workstation.exchange import outbox, received
from whistle.workstation.exchange.batches import Imported, Judge
from whistle.workstation.exchange.waiting import Arrival
from whistle.workstation.language import t
from whistle.workstation.vault import search
from whistle.workstation.vault.models import Part, Undone
from whistle.workstation.workstation import UNSYNCED, Workstation

REMEMBERED = 400  # imported parts that are remembered, so that reading a stick again costs nothing
ROUNDS = 3  # in which parts are read whose messages found no room, since what they wait for may have come with others
UNDONE: dict[str, Callable[[Workstation, str], object]] = {  # what to do, by what was noted
    "reply": compose.send_again,
    "grant": compose.grant_again,
}
Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Source:
    """A part while it is read."""

    file: BinaryIO
    reader: bundle.Reader
    was_received: Callable[[Member], bool]  # whether this very content came before


def import_files(workstation: Workstation, paths: Iterable[Path], progress: Progress | None = None) -> Imported:
    """Import the parts in these files.  Raises Untrusted or Refused for a stick that must not be imported."""
    result, left = Imported(), sorted(paths)
    for _ in range(ROUNDS):
        result.no_room = 0
        left = [path for path in left if _import(workstation, path, result, progress)]
    if result.written and not result.altered:
        workstation.trust.note_written(max(result.written))
    _catch_up(workstation, result)
    case_list.refresh(workstation)
    search.fill(workstation, blocks=bool(result.blocks))
    return result


def _import(workstation: Workstation, path: Path, result: Imported, progress: Progress | None) -> bool:
    """Import one part, or report why not; True if it must be read again, since messages in it found no room to wait."""
    before = result.no_room
    try:
        import_part(workstation, path, result, progress)
    except Malformed as exc:
        result.altered.append(t("imports.altered", name=safe_name(path.name), why=str(exc)))
    except OSError as exc:
        raise Untrusted(t("exchange.unreadable", reason=exc.strerror), t("exchange.unreadable_hint")) from exc
    return result.no_room > before


def import_part(workstation: Workstation, path: Path, result: Imported, progress: Progress | None = None) -> None:
    """Import one part.  Raises Malformed if it does not match its list, OSError.

    Messages are opened on the first reading and committed only once the whole part matches its list; blocks are saved
    on a second reading.
    """
    with path.open("rb") as file:
        reader = bundle.Reader(file)
        if _was_imported(workstation, reader.digest):
            with workstation.change():
                received.read_again(workstation, reader.listing)
            result.written.append(reader.listing.created)
            return
        part = Imported(parts=1, written=[reader.listing.created])
        with workstation.change():
            listing = reader.listing
            if listing.to != "workstation":
                raise Refused(t("imports.wrong_way", name=safe_name(path.name)), t("imports.wrong_way_hint"))
            source = Source(file, reader, _known_content(workstation, listing.members))
            judge = Judge(workstation, listing.created, part)
            _read(workstation, source, judge, progress)
            blocks = {member.id for member in listing.members if member.is_block and member.id}
            if blocks:
                _save_blocks(workstation, source, part)
            judge.finish(blocks)
            _remember(workstation, listing, judge.no_room, reader.digest, part)
            _note_undone(workstation, listing, part)
    result.add(part)


def _read(workstation: Workstation, source: Source, judge: Judge, progress: Progress | None) -> None:
    """Have the messages of a part judged, reports at once.  Manifests are accepted first, blocks are skipped."""
    identities: dict[datetime.date | None, Sequence[HybridIdentity]] = {}
    files: dict[str, bytes] = {}
    members = source.reader.listing.members
    for count, (member, body) in enumerate(source.reader, start=1):
        if progress:
            progress(count, len(members))
        if member.id is None:
            files[member.name] = body.read()
            continue
        _take_manifests(workstation, files, judge.result)  # they precede all envelopes
        slots = workstation.trust.newest().manifest.slots
        if member.is_block:
            continue
        if member.size != envelope.size(slots):
            raise Malformed("an envelope has the wrong size")  # a day's hash does not tell blocks from envelopes
        if not source.was_received(member):
            if member.day not in identities:
                identities[member.day] = workstation.identities(member.day)
            _open(identities[member.day], body.read(), member, judge)
    _take_manifests(workstation, files, judge.result)


def _open(identities: Sequence[HybridIdentity], body: bytes, member: Member, judge: Judge) -> None:
    """Have the message of an envelope judged."""
    try:
        signed = envelope.open_(body, identities, len(body) // envelope.SLOT)
    except NotForMe:
        judge.result.not_mine += 1
    except Malformed:
        judge.result.damaged += 1
    else:
        judge.add(Arrival(signed, member.day, member))


def _save_blocks(workstation: Workstation, source: Source, result: Imported) -> None:
    """Save the blocks of a part that matched its list on the first reading."""
    source.file.seek(0)
    reader = bundle.Reader(source.file)
    if reader.digest != source.reader.digest:  # a malicious stick may; each member is checked again too
        raise Malformed("it changed while it was read")
    for member, body in reader:
        if member.is_block and member.id:
            result.blocks += 1
            if not (source.was_received(member) and workstation.blocks.has(member.id)):
                workstation.blocks.write(member.id, body.read())


def _known_content(workstation: Workstation, members: Iterable[Member]) -> Callable[[Member], bool]:
    """A function that tells whether a member's very content came before this import."""
    held = {day: received.held(workstation, day) for day in {member.day for member in members} if day}
    return lambda member: member.day is not None and received.was_received(held[member.day], member)


def _take_manifests(workstation: Workstation, files: dict[str, bytes], result: Imported) -> None:
    result.manifests += workstation.trust.take(files)
    files.clear()


def _remember(
    workstation: Workstation, listing: Listing, left_out: Collection[Member], digest: bytes, result: Imported
) -> None:
    """Record what this part brought, except the members that found no room: they must come again."""
    replaced = received.remember(workstation, listing, left_out)
    session = workstation.vault.session
    if replaced:
        session.execute(delete(Part))  # an imported part may matter again
    if not left_out:
        session.add(Part(digest=digest))
        session.flush()
        newest = select(Part.id).order_by(Part.id.desc()).limit(REMEMBERED)
        session.execute(delete(Part).where(Part.id.not_in(newest)), **UNSYNCED)
    if replaced:
        result.findings.append(t("imports.replaced", replaced))


def _note_undone(workstation: Workstation, listing: Listing, result: Imported) -> None:
    """Reconcile the outbox with what came back, and note what has to be signed because of this part."""
    arrivals = {member.id: member.sha256 for member in listing.members if member.id and member.is_envelope}
    taken = outbox.reconcile(workstation, arrivals, set(listing.stored), set(listing.taken), listing.created)
    if listing.created > workstation.today():
        result.findings.append(t("imports.clock", today=workstation.today(), written=listing.created))
    counts, begun = Counter(each.case for each in result.kept), set(workstation.begun())
    grown = [case for case, new in counts.items() if new > 1 or case not in begun]  # only there can a grantee miss any
    for what, new in zip(UNDONE, (taken, grown), strict=True):
        noted = set(_undone(workstation, what))
        _note(workstation, what, [hash for hash in new if hash not in noted])


def _catch_up(workstation: Workstation, result: Imported) -> None:
    """Sign again what was taken, and grant messages that omit a grantee, if that can be signed now."""
    with workstation.change():
        for what, do in UNDONE.items():
            noted = _undone(workstation, what)
            left = [hash for hash in noted if not _done(workstation, do, hash, result)]
            if left != noted:
                workstation.vault.session.execute(delete(Undone).where(Undone.what == what), **UNSYNCED)
                _note(workstation, what, left)


def _done(workstation: Workstation, do: Callable[[Workstation, str], object], what: str, result: Imported) -> bool:
    try:
        done = do(workstation, what)
    except (Refused, Untrusted) as exc:  # reading must go on while nothing can be signed
        result.findings.append(t("imports.not_yet", why=exc.message, hint=exc.hint))
        return False
    if do is compose.send_again and done is not None:
        moved = t("imports.moved")
        stuck = t("imports.stuck")
        result.findings.append(moved if done else stuck)
    return True


def _note(workstation: Workstation, what: str, hashes: Sequence[str]) -> None:
    if hashes:
        workstation.vault.session.execute(insert(Undone), [{"what": what, "hash": hash} for hash in hashes])


def _undone(workstation: Workstation, what: str) -> list[str]:
    noted = select(Undone.hash).where(Undone.what == what).order_by(Undone.id)
    return list(workstation.vault.session.scalars(noted))


def _was_imported(workstation: Workstation, digest: bytes) -> bool:
    return workstation.vault.session.scalar(select(Part.id).where(Part.digest == digest)) is not None
