"""Importing what a courier brought, bundle by bundle, each as a whole or not at all.

A part whose bytes differ from its own list is *altered* and rejected as a whole.  Of a sound part, the blocks are saved
first, then, in one transaction, the messages, what was received of each server day, and that this part was imported.
A message whose dependency has not arrived waits, and is judged again with each later part.
"""

import base64
import datetime
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, BinaryIO

from whistle.protocol.age import HybridIdentity
from whistle.protocol.case import envelope, message
from whistle.protocol.case.message import Report, Signed
from whistle.protocol.errors import Malformed, NotForMe
from whistle.protocol.file_names import safe_name
from whistle.protocol.transfer import bundle
from whistle.protocol.transfer.listing import Listing, Member
from whistle.workstation.cases import compose
from whistle.workstation.errors import Refused, Untrusted
from whistle.workstation.exchange import admission, outbox, received
from whistle.workstation.exchange.admission import Breach, Damaged, LeftOut, Waiting
from whistle.workstation.workstation import Workstation

REMEMBERED = 400  # imported parts that are remembered, so that reading a stick again costs nothing
LONGEST_WAIT = 300  # messages of one reviewer that may wait at once, so that nobody crowds out others
SHOWN = 20  # findings in a result; anyone can cause some
UNDONE = {
    "undone/replies": compose.send_again,
    "undone/grants": compose.grant_again,
}  # what to do, by record
Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Source:
    """A part while it is read."""

    file: BinaryIO
    reader: bundle.Reader
    known: Callable[[Member], bool]  # whether this very content came before


@dataclass
class Arrival:
    """A message from an envelope, and that envelope's server day."""

    signed: Signed
    server: datetime.date | None


@dataclass
class Imported:
    """The result of an import.  `findings` are lines for the reviewer; they reveal nothing of what messages say."""

    parts: int = 0
    manifests: int = 0
    blocks: int = 0
    kept: list[Signed] = field(default_factory=list)
    not_mine: int = 0
    repeated: int = 0
    damaged: int = 0
    waiting: int = 0
    altered: list[str] = field(default_factory=list)
    findings: list[str] = field(default_factory=list)

    def add(self, part: "Imported") -> None:
        """Add the result of one more part, once it is committed."""
        for name in (each.name for each in fields(self) if each.name != "waiting"):
            setattr(self, name, getattr(self, name) + getattr(part, name))
        self.waiting = part.waiting  # a total already

    @property
    def cases(self) -> list[str]:
        """The cases with new messages."""
        return list(dict.fromkeys(signed.message.case for signed in self.kept))

    def lines(self) -> list[str]:
        """The result in words."""
        said = [f"{counted(len(self.kept), 'new message')} in {counted(len(self.cases), 'case')}."]
        if self.damaged:
            said.append(f"Damaged as sent, which anyone can do: {counted(self.damaged, 'envelope')}.")
        if self.waiting:
            said.append(f"Waiting for something that has not come yet: {counted(self.waiting, 'message')}.")
        if self.manifests:
            said.append("A new manifest was taken.")
        found = list(dict.fromkeys(self.findings))
        more = [f"… and {len(found) - SHOWN} more."] if len(found) > SHOWN else []
        return [*said, *self.altered, *found[:SHOWN], *more]


def counted(number: int, what: str) -> str:
    """A count with its noun, in the plural where needed."""
    return f"{number} {what}{'' if number == 1 else 's'}"


def import_files(workstation: Workstation, paths: Iterable[Path], progress: Progress | None = None) -> Imported:
    """Import the parts in these files.  Raises Untrusted or Refused for a stick that must not be imported."""
    result = Imported()
    for path in sorted(paths):
        try:
            import_part(workstation, path, result, progress)
        except Malformed as exc:
            result.altered.append(
                f"{safe_name(path.name)} was altered or is damaged ({exc}): nothing of it was taken. "
                "Ask the courier for it again."
            )
        except OSError as exc:
            raise Untrusted(
                f"the stick cannot be read: {exc.strerror}", "take it out, put it in again, try again"
            ) from exc
    _catch_up(workstation, result)
    return result


def import_part(workstation: Workstation, path: Path, result: Imported, progress: Progress | None = None) -> None:
    """Import one part.  Raises Malformed if it is not what its list says, OSError.

    Messages are opened on the first reading and committed only after all of the part proved to be as listed; blocks
    are saved on a second reading.
    """
    with path.open("rb") as file:
        reader = bundle.Reader(file)
        if reader.digest.hex() in workstation.vault.get("imported", []):
            return
        part = Imported(parts=1)
        with workstation.change():
            listing = reader.listing
            if listing.to != "workstation":
                raise Refused(
                    f"{safe_name(path.name)} is on its way to the server", "import what lies in the folder inbox"
                )
            source = Source(file, reader, _known_content(workstation, listing.members))
            _remember(workstation, listing, reader.digest, part)
            arrivals = _read(workstation, source, part, progress)
            if any(member.is_block for member in listing.members):
                _save_blocks(workstation, source, part)
            judge_all(workstation, arrivals, part)
            _note_undone(workstation, listing, part)
    result.add(part)


def _read(workstation: Workstation, source: Source, result: Imported, progress: Progress | None) -> list[Arrival]:
    """Save the reports of a part; returns its other messages, which are to be judged after them.

    Manifests are accepted first, blocks are skipped.
    """
    identities = workstation.identities()
    files: dict[str, bytes] = {}
    left: list[Arrival] = []
    members = source.reader.listing.members
    for count, (member, body) in enumerate(source.reader, start=1):
        if progress:
            progress(count, len(members))
        if member.id is None:
            files[member.name] = body.read()
            continue
        _take_manifests(workstation, files, result)  # they precede all envelopes
        slots = workstation.trust.newest().manifest.slots
        if member.is_block:
            continue
        if member.size != envelope.size(slots):
            raise Malformed("an envelope has the wrong size")  # a day's hash does not tell blocks from envelopes
        if not source.known(member):
            left += _opened(workstation, identities, body.read(), member.day, result)
    _take_manifests(workstation, files, result)
    return left


def _opened(
    workstation: Workstation,
    identities: Sequence[HybridIdentity],
    body: bytes,
    day: datetime.date | None,
    result: Imported,
) -> list[Arrival]:
    """The message of an envelope, to be judged later; a report is saved at once if possible."""
    try:
        signed = envelope.open_(body, identities, len(body) // envelope.SLOT)
    except NotForMe:
        result.not_mine += 1
        return []
    except Malformed:
        result.damaged += 1
        return []
    arrival = Arrival(signed, day)
    return [] if isinstance(signed.message, Report) and _take(workstation, arrival, result) else [arrival]


def _save_blocks(workstation: Workstation, source: Source, result: Imported) -> None:
    """Save the blocks of a part that was as listed on the first reading."""
    source.file.seek(0)
    reader = bundle.Reader(source.file)
    if reader.digest != source.reader.digest:  # a malicious stick may; each member is checked again too
        raise Malformed("it changed while it was read")
    for member, body in reader:
        if member.is_block and member.id:
            result.blocks += 1
            if not (source.known(member) and workstation.blocks.has(member.id)):
                workstation.blocks.write(member.id, body.read())


def _known_content(workstation: Workstation, members: Iterable[Member]) -> Callable[[Member], bool]:
    """A function that tells whether a member's very content came before this import."""
    held = {day: received.held(workstation, day.isoformat()) for day in {member.day for member in members} if day}
    return lambda member: member.day is not None and received.was_received(held[member.day], member)


def _take_manifests(workstation: Workstation, files: dict[str, bytes], result: Imported) -> None:
    result.manifests += workstation.trust.take(files)
    files.clear()


def judge_all(workstation: Workstation, arrivals: Sequence[Arrival], result: Imported) -> None:
    """Judge new and waiting messages until no more can be saved."""
    left = sorted([*_waiting(workstation), *arrivals], key=lambda arrival: admission.order(arrival.signed))
    before = -1
    while left and before != len(left):
        before = len(left)
        left = [arrival for arrival in left if not _take(workstation, arrival, result)]
    left = _limit_waiting(left)
    workstation.vault.put("waiting", [_record(arrival) for arrival in left])
    result.waiting = len(left)


def _take(workstation: Workstation, arrival: Arrival, result: Imported) -> bool:
    """Save a message or refuse it; False if it has to wait."""
    signed = arrival.signed
    case = signed.message.case
    if signed.hash in workstation.hashes(case):
        result.repeated += 1
        return True
    try:
        verdict = admission.judge(workstation, signed)
    except Waiting:
        return False
    except Damaged:
        result.damaged += 1
        return True
    except LeftOut:
        result.not_mine += 1
        return True
    except Breach as breach:
        result.findings.append(f"Refused: {breach.message}.")
        workstation.note_fault(case, breach.message)
        return True
    for original in verdict.originals:
        if workstation.save(original, "grant"):
            result.kept.append(original)
    workstation.save(signed, "envelope", arrival.server)
    result.kept.append(signed)
    for remark in verdict.remarks:
        workstation.note_fault(case, remark)
    return True


def _limit_waiting(waiting: Iterable[Arrival]) -> list[Arrival]:
    """The messages that may go on waiting: LONGEST_WAIT from each sender."""
    counts: Counter[str] = Counter()
    kept = []
    for arrival in waiting:
        sender = getattr(arrival.signed.message, "sender", "")
        counts[str(sender)] += 1
        kept += [arrival] if counts[str(sender)] <= LONGEST_WAIT else []
    return kept


def _waiting(workstation: Workstation) -> list[Arrival]:
    found = []
    for kept in workstation.vault.get("waiting", []):
        line = kept["line"].encode()
        signed = Signed(line, base64.b64decode(kept["signature"]), message.parse(line))
        found.append(Arrival(signed, kept["server"] and datetime.date.fromisoformat(kept["server"])))
    return found


def _record(arrival: Arrival) -> dict[str, Any]:
    return {
        "line": arrival.signed.line.decode(),
        "signature": base64.b64encode(arrival.signed.signature).decode(),
        "server": arrival.server and arrival.server.isoformat(),
    }


def _remember(workstation: Workstation, listing: Listing, digest: bytes, result: Imported) -> None:
    replaced = received.remember(workstation, listing.members)
    before = [] if replaced else workstation.vault.get("imported", [])  # an imported part may matter again
    workstation.vault.put("imported", [*before, digest.hex()][-REMEMBERED:])
    if replaced:
        result.findings.append(
            f"{counted(replaced, 'thing')} came again with another content: the courier or the stick altered it, "
            "then or now. Both were kept; nothing is lost while the server has it."
        )


def _note_undone(workstation: Workstation, listing: Listing, result: Imported) -> None:
    """Reconcile the outbox with what came back, and note what has to be signed because of this part."""
    arrivals = {member.id: member.sha256 for member in listing.members if member.id and member.is_envelope}
    taken = outbox.reconcile(workstation, arrivals, set(listing.stored), set(listing.taken), listing.created)
    if listing.created > workstation.today():
        result.findings.append(
            f"This computer's clock says {workstation.today()}, but the stick was written on {listing.created}."
        )
    counts, begun = Counter(signed.message.case for signed in result.kept), set(workstation.begun())
    grown = [case for case, new in counts.items() if new > 1 or case not in begun]  # only there can a grantee miss any
    for name, new in zip(UNDONE, (taken, grown), strict=True):
        workstation.vault.put(name, list(dict.fromkeys([*_undone(workstation, name), *new])))


def _catch_up(workstation: Workstation, result: Imported) -> None:
    """Sign replies again whose places were taken, and grant messages that omit a grantee, if that can be signed now."""
    with workstation.change():
        for name, do in UNDONE.items():
            noted = _undone(workstation, name)
            left = [each for each in noted if not _done(workstation, do, each, result)]
            if noted:
                workstation.vault.put(name, left)


def _done(workstation: Workstation, do: Callable[[Workstation, str], object], what: str, result: Imported) -> bool:
    try:
        do(workstation, what)
    except (Refused, Untrusted) as exc:  # reading must go on while nothing can be signed
        result.findings.append(f"Not done yet: {exc.message}. {exc.hint}")
        return False
    if do is compose.send_again:
        result.findings.append("The place of a reply was taken; it was signed again for the next place.")
    return True


def _undone(workstation: Workstation, name: str) -> list[str]:
    found: list[str] = workstation.vault.get(name, [])
    return found
