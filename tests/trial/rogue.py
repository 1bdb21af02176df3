"""What people do who play foul: a reader's modified program, a courier that works on sticks, one who only knows ids."""

import datetime
import hashlib
import os
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

from whistle.protocol.age import HybridIdentity, HybridRecipient
from whistle.protocol.case import attachment, envelope, message
from whistle.protocol.case.attachment import Attachment, block_ids
from whistle.protocol.case.message import Body, Have, Message, Note, Reply, Signed
from whistle.protocol.code.retrieval import place_ids
from whistle.protocol.errors import ProtocolError
from whistle.protocol.transfer import bundle
from whistle.protocol.transfer.listing import Heap, Listing, Member
from whistle.workstation.cases import chain, overview
from whistle.workstation.exchange import outbox
from whistle.workstation.workstation import Workstation

Keep = Callable[[Member, bytes], bool]
Alter = Callable[[Member, bytes], bytes]


class Rogue:
    """A reviewer's modified program: it signs and sends whatever its owner likes, with the keys of their own vault."""

    def __init__(self, station: Workstation, case: str) -> None:
        self.station, self.id = station, case

    def sign(self, kind: type[Message], **changes: Any) -> Signed:
        """A message like an honest one, but for the changes; it is the next of the chain unless they say otherwise."""
        case, me = overview.load(self.station, self.id), self.station.me
        fields: dict[str, Any] = {
            "case": case.id, "readers": case.allowed, "without": case.without,
            "keys": self.station.trust.newest().keys, "sender": me, "day": self.station.today(),
            **chain.follow(case.messages, me),
        }  # fmt: skip
        if kind is Reply and case.sender:
            have = Have(len(case.by_reporter), max(each.day for each in case.by_reporter))
            lane = case.named.index(me) if me in case.named else 0
            fields |= {"to": case.sender.mailbox, "lane": lane, "n": 0, "have": have, "language": "en"}
        return self.signed(kind(**{**fields, **changes}))

    def signed(self, content: Message) -> Signed:
        """The message with its owner's signature."""
        return message.sign(content, self.station.signing.signing)

    def seal(self, signed: Signed, to: Iterable[str]) -> bytes:
        """An envelope for these reviewers, whoever the message names."""
        known = self.station.trust.newest().manifest
        return envelope.seal(signed, known.recipients(list(to), self.station.today()), known.slots)

    def answer(self, signed: Signed) -> outbox.Sealed:
        """A reply's envelope for its place."""
        content, sender = signed.message, overview.load(self.station, self.id).sender
        assert isinstance(content, Reply) and sender
        place = place_ids(bytes.fromhex(sender.replies), content.lane)[content.n]
        slots = self.station.trust.newest().manifest.slots
        body = envelope.seal(signed, [HybridRecipient.from_text(sender.mailbox)], slots)
        return outbox.Sealed(place, "reporters", body)

    def send(
        self,
        signed: Signed,
        to: Iterable[str],
        blocks: Iterable[bytes] = (),
        past_reporter: bool = False,
        heap: Heap = "reviewers",
    ) -> None:
        """Lay it on the next stick, for these reviewers; a reply goes to its place too, unless past the reporter."""
        to = list(to)
        copies = [outbox.Sealed(os.urandom(16), "reviewers", self.seal(signed, to))] if to else []
        if isinstance(signed.message, Reply) and not past_reporter:
            copies.insert(0, self.answer(signed))
        outbox.add(self.station, signed.hash, copies, blocks, heap)

    def say(self, kind: type[Message], to: Iterable[str], **changes: Any) -> Signed:
        """Sign and send in one."""
        signed = self.sign(kind, **changes)
        self.send(signed, to)
        return signed

    def keep(self, signed: Signed) -> None:
        """Lay it into one's own vault, as an honest program does."""
        self.station.save(signed, "own")

    def rest(self, whole: Body) -> tuple[Body, list[bytes]]:
        """The message with its content in an attachment, and the ids of that one's blocks, which lie in the vault."""
        folded, blocks = envelope.fold(whole, self.station.trust.newest().manifest.slots)
        assert folded.rest
        for id, body in blocks:
            self.station.blocks.write(id, body)
        return folded, block_ids(folded.rest)

    def seal_junk(self) -> bytes:
        """An envelope that nobody can open."""
        slots = self.station.trust.newest().manifest.slots
        return envelope.seal(self.sign(Note, text="junk"), [HybridIdentity.generate().recipient], slots)

    def reads(self, body: bytes) -> Signed | None:
        """What is in an envelope, if its owner can open it."""
        try:
            slots = self.station.trust.newest().manifest.slots
            return envelope.open_(body, self.station.identities(), slots)
        except ProtocolError:
            return None


def attach(content: bytes, name: str) -> tuple[Attachment, list[tuple[bytes, bytes]]]:
    """An attachment's record, and its blocks."""
    sealer = attachment.Sealer()
    blocks = sealer.update(content)
    last, record = sealer.finish(name, "text/plain")
    return record, [*blocks, *last]


def rewrite(
    folder: Path,
    keep: Keep = lambda *_: True,
    alter: Alter = lambda _, body: body,
    day_of: Callable[[Member], datetime.date | None] = lambda member: member.day,
    manifests: bool = True,
    **changes: Any,
) -> None:
    """Write all bundles of a stick's folder anew, as a courier can: without some members, or with other contents."""
    for path in sorted(folder.glob("*.tar")):
        with path.open("rb") as file:
            reader = bundle.Reader(file)
            files = {member.name: body.read() for member, body in reader}
        members, bodies = [], {}
        for member in reader.listing.members:
            if (member.id or manifests) and (member.id is None or keep(member, files[member.name])):
                body = bodies[member.name] = alter(member, files[member.name])
                sha256 = hashlib.sha256(body).digest()
                members.append(replace(member, size=len(body), sha256=sha256, day=day_of(member)))
        listing = replace(reader.listing, members=tuple(members), **changes)
        path.write_bytes(_bytes(listing, bodies))


def lay(folder: Path, listing: Listing, files: dict[str, bytes], name: str = "foul.tar") -> None:
    """Put one bundle of one's own into a stick's folder, in place of all others."""
    folder.mkdir(parents=True, exist_ok=True)
    for path in folder.iterdir():
        path.unlink()
    (folder / name).write_bytes(_bytes(listing, files))


def squatted(content: bytes, heap: Heap, *names: str) -> tuple[tuple[Member, ...], dict[str, bytes]]:
    """Members, and files, that put one content under each of these names."""
    members = [bundle.member(name, content, heap=heap) for name in sorted(names)]
    return tuple(members), dict.fromkeys(names, content)


def _bytes(listing: Listing, files: dict[str, bytes]) -> bytes:
    return b"".join(bundle.stream(listing, lambda member: [files[member.name]]))
