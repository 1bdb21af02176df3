"""A server and a courier in memory, so that workstations can talk through sticks."""

import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

from sqlalchemy import event

from tests.parties import DAY, Organisation, Person, organisation, report, reporter, sealed, sender
from whistle.protocol.case import attachment, envelope, message
from whistle.protocol.case.attachment import Attachment
from whistle.protocol.case.message import FollowUp, Signed
from whistle.protocol.code.retrieval import Reporter
from whistle.protocol.transfer import bundle
from whistle.protocol.transfer.listing import Listing
from whistle.protocol.trust.manifest import SignedManifest
from whistle.workstation.exchange import received
from whistle.workstation.exchange.exchange import Exchanged, exchange
from whistle.workstation.vault.identities import Period
from whistle.workstation.workstation import Workstation

PASSPHRASE = "seven quiet otters swim"
Today = Callable[[], date]


def statements(workstation: Workstation) -> list[str]:
    """Every statement that a vault's database is given from now on."""
    given: list[str] = []
    event.listen(
        workstation.vault.session.get_bind(), "before_cursor_execute", lambda _, __, sql, *___: given.append(sql)
    )
    return given


@dataclass
class Carrier:
    """The server's content, and the sticks that are carried to it."""

    org: Organisation
    heaps: dict[bytes, tuple[str, bytes]] = field(default_factory=dict)
    blocks: dict[bytes, tuple[str, bytes]] = field(default_factory=dict)
    days: dict[bytes, date] = field(default_factory=dict)
    taken: set[bytes] = field(default_factory=set)
    stored: set[bytes] = field(default_factory=set)
    manifests: list[SignedManifest] = field(default_factory=list)
    today: date = DAY

    def put(self, body: bytes, day: date | None = None, heap: str = "reviewers", id: bytes | None = None) -> bytes:
        """Store an envelope."""
        id = id or os.urandom(16)
        self.heaps[id] = (heap, body)
        self.days[id] = day or self.today
        return id

    def put_blocks(self, blocks: Iterable[tuple[bytes, bytes]], heap: str = "reviewers") -> None:
        """Store blocks."""
        for id, body in blocks:
            self.blocks[id] = (heap, body)
            self.days[id] = self.today

    def inbox(self, stick: Path, **changes: Any) -> Path:
        """Write everything of the reviewers' heap on the stick."""
        members: dict[str, bytes] = {}
        chain = self.manifests or [self.org.known]
        for known in chain:
            stem = "manifest.json" if known is chain[-1] else f"manifest-{known.manifest.serial}.json"
            members |= {stem: known.data, stem + ".minisig": known.signature}
        signed = [bundle.member(name, data) for name, data in members.items()]
        for id, (heap, body) in self.heaps.items():
            if heap == "reviewers":
                members[bundle.envelope_name(id)] = body
                signed.append(bundle.member(bundle.envelope_name(id), body, self.days[id]))
        for id, (heap, body) in self.blocks.items():
            if heap == "reviewers":
                members[bundle.block_name(id)] = body
                signed.append(bundle.member(bundle.block_name(id), body, self.days[id]))
        [part] = bundle.split(signed)
        told = {"taken": tuple(sorted(self.taken)), "stored": tuple(sorted(self.stored))}
        listing = Listing("workstation", self.today, tuple(part), 1, 1, **{**told, **changes})
        path = stick / "inbox" / "inbox-0001-of-0001.tar"
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(b"".join(bundle.stream(listing, lambda member: [members[member.name]])))
        return path

    def push(self, stick: Path) -> list[Listing]:
        """Import a stick's outbox as the server does."""
        listings = []
        for path in sorted((stick / "outbox").glob("*.tar")):
            with path.open("rb") as file:
                reader = bundle.Reader(file)
                for member, body in reader:
                    assert member.id is not None and member.heap is not None
                    store = self.heaps if member.is_envelope else self.blocks
                    data = body.read()
                    if member.id in store and store[member.id][1] != data:
                        self.taken.add(member.id)
                        continue
                    store[member.id] = (member.heap, data)
                    self.days.setdefault(member.id, self.today)
                    self.stored.add(member.id)
                listings.append(reader.listing)
        return listings

    def round(self, workstation: Workstation, stick: Path) -> Exchanged:
        """Pull onto the stick, exchange at the workstation, push."""
        self.inbox(stick)
        done = exchange(workstation, stick)
        self.push(stick)
        return done


@dataclass
class World:
    """An organisation with its carrier, and folders for workstations and sticks."""

    folder: Path
    org: Organisation = field(default_factory=organisation)
    stations: dict[str, Workstation] = field(default_factory=dict)
    day: date = DAY

    def __post_init__(self) -> None:
        self.carrier = Carrier(self.org)
        self.stick = self.folder / "stick"
        self.stick.mkdir()

    def station(self, id: str) -> Workstation:
        """The workstation of a reviewer, with the root pinned."""
        if id not in self.stations:
            made = station(self.folder / id, self.org.people[id], lambda: self.day)
            made.trust.pin([self.org.root.public])
            self.stations[id] = made
        return self.stations[id]

    def round(self, *ids: str) -> list[Exchanged]:
        """Exchange a stick with each of these workstations."""
        return [self.carrier.round(self.station(id), self.stick) for id in ids]

    def report(self, who: Reporter | None = None, **changes: Any) -> Reporter:
        """Somebody reports; the envelope is on the server."""
        who = who or reporter()
        signed = message.sign(report(who, self.org, **changes), who.signing)
        self.send(signed, signed.message.readers)
        return who

    def send(self, signed: Signed, readers: tuple[str, ...]) -> bytes:
        """Store a signed message, sealed to these readers."""
        return self.carrier.put(sealed(signed, self.org, readers))

    def follow_up(self, who: Reporter, readers: tuple[str, ...] = ("ombuds", "ethics"), **changes: Any) -> Signed:
        """The reporter adds something."""
        fields: dict[str, Any] = {"without": (), "text": "It happened again.", **changes}
        found = FollowUp(
            case=who.case.hex(), readers=readers, keys=self.org.known.keys, sender=sender(who), sealed="device",
            day=DAY, language="en", **fields,
        )  # fmt: skip
        signed = message.sign(found, who.signing)
        self.send(signed, readers)
        return signed

    def replies(self, who: Reporter) -> list[Signed]:
        """What the reporter finds under the words, opened."""
        found = []
        for id in who.lookup_ids(self.org.manifest.slots):
            if id in self.carrier.heaps and self.carrier.heaps[id][0] == "reporters":
                body = self.carrier.heaps[id][1]
                found.append(envelope.open_(body, [who.mailbox], self.org.manifest.slots))
        return found

    def close(self) -> None:
        """Lock all workstations."""
        for each in self.stations.values():
            each.close()


def station(folder: Path, person: Person, today: Today) -> Workstation:
    """A workstation with this person's keys."""
    pairs = zip(person.periods, person.identities, strict=True)
    periods = [Period(period.first, period.last, identity) for period, identity in pairs]
    return Workstation.create(
        folder, PASSPHRASE, name=person.role, role=person.role, languages=["en"], profile="test", today=today,
        signing=person.secret, periods=periods,
    )  # fmt: skip


def attach(content: bytes, name: str = "photo.jpg") -> tuple[list[tuple[bytes, bytes]], Attachment]:
    """A sealed attachment: its blocks and its record."""
    sealer = attachment.Sealer()
    blocks = sealer.update(content)
    last, record = sealer.finish(name, "application/octet-stream")
    return blocks + last, record


def held_ids(workstation: Workstation, day: date) -> list[bytes]:
    """The ids of the envelopes and blocks that a workstation has received of a server day."""
    return sorted({bundle.member_id(name) for name in received.held(workstation, day)})
