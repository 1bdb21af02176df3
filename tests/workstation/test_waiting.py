"""Nothing is lost by the order, delay or choice of a courier: what waits is held, and what is stated is true."""

import datetime
import hashlib
import itertools
import json
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests import parties
from tests.parties import DAY, reporter
from tests.workstation.backups import texts
from tests.workstation.carrying import PASSPHRASE, World, attach, held_ids
from tests.workstation.test_hostile import by_ethics, case_of
from whistle.protocol.case import envelope, message
from whistle.protocol.case.message import Grant, Note, Signed
from whistle.protocol.code.retrieval import Reporter
from whistle.protocol.transfer import bundle
from whistle.protocol.transfer.statement import day_hash
from whistle.protocol.trust.manifest import SignedManifest
from whistle.workstation import backup
from whistle.workstation.cases import case_list, compose, overview
from whistle.workstation.exchange import batches, imports, outbox, waiting
from whistle.workstation.vault import keyfile

NEW = "newcomer"


def joined(world: World) -> SignedManifest:
    """The next manifest, which lists somebody new; no courier brings it yet."""
    new = world.org.people[NEW] = parties.person(NEW, "Newcomer")
    return world.org.next(reviewers=(*world.org.manifest.reviewers, new.listed()))


def by(world: World, who: Reporter, id: str, kind: type[Any] = Note, **changes: Any) -> Signed:
    """A message by a reviewer's own program, to everybody in the case."""
    fields = {
        "case": who.case.hex(), "readers": ("ombuds", "ethics", NEW), "without": (), "keys": world.org.known.keys,
        "sender": id, "day": DAY, "seq": 0, "prev": None, "seen": (), "text": "From the start.", **changes,
    }  # fmt: skip
    return message.sign(kind(**fields), world.org.people[id].secret.signing)


def granted(world: World, who: Reporter) -> None:
    """The ethics office lets the newcomer in."""
    grant = by(world, who, "ethics", Grant, grantee=NEW, lane=9)
    world.send(grant, ("ombuds",))


def stated(world: World, id: str = "ombuds") -> set[bytes]:
    """The hashes that a workstation states for the day."""
    return {each.hash for each in outbox.statements(world.station(id))}


def held(world: World) -> bytes:
    """The hash of what the server has of the day."""
    heap = {**world.carrier.heaps, **world.carrier.blocks}
    pairs = [(id, hashlib.sha256(body).digest()) for id, (kind, body) in heap.items() if kind == "reviewers"]
    return day_hash(pairs)


def kinds(world: World, who: Reporter, id: str = "ombuds") -> list[str]:
    """What a case holds."""
    return [each.signed.message.kind for each in overview.load(world.station(id), who.case.hex()).entries]


def test_a_message_whose_signers_manifest_is_held_back_is_not_lost(world: World, tmp_path: Path) -> None:
    """It waits, its day is stated, the server removes it, a backup is restored; the later manifest brings it in."""
    who = world.report()
    later = joined(world)
    granted(world, who)
    world.send(by(world, who, NEW, keys=later.keys), ("ombuds",))
    [done] = world.round("ombuds")
    assert (done.imported.waiting, done.imported.damaged, done.imported.no_room) == (1, 0, 0)
    assert stated(world) == {held(world)} and kinds(world, who) == ["report", "grant"]
    saved = backup.save(world.station("ombuds"), tmp_path / "usb", PASSPHRASE, keyfile.CHEAP_LOG_N).folder
    opened = backup.open_backup(saved, PASSPHRASE)
    spec = Path(message.__file__).parents[1].joinpath("SPEC.md").read_text("utf-8")
    rows = [json.loads(line) for text in texts(opened, "rows/").values() for line in text.splitlines()]
    index = vars(opened.index)
    named = {*index, *index["counts"], *index["tables"], *vars(opened.index.parts[0]), *itertools.chain(*rows)}
    assert index["tables"]["waiting"] and all(f"`{name}`" in spec for name in named)
    world.stations.pop("ombuds").close()
    restored = backup.restore(saved, tmp_path / "restored", PASSPHRASE, PASSPHRASE, "test", lambda: DAY)
    world.stations["ombuds"] = restored
    world.carrier.heaps.clear()
    world.carrier.manifests = [world.org.known, later]
    [done] = world.round("ombuds")
    assert done.imported.waiting == 0 and kinds(world, who) == ["report", "grant", "note"]


def test_an_original_whose_signers_manifest_is_held_back_is_not_lost(world: World) -> None:
    """A grant that holds a message of somebody not listed yet waits with it."""
    who = reporter()
    report = message.sign(parties.report(who, world.org), who.signing)
    later = joined(world)
    first = by(world, who, "ombuds", Grant, readers=("ombuds", "ethics", NEW), grantee=NEW, lane=8)
    note = by(world, who, NEW, keys=later.keys)
    inside = tuple(message.original(each) for each in (report, first, note))
    readers = ("ombuds", "ethics", NEW, "counsel")
    more = {"readers": readers, "grantee": "counsel", "lane": 9, "seq": 1, "prev": first.hash, "keys": later.keys}
    whole = by(world, who, "ombuds", Grant, **more).message
    assert isinstance(whole, Grant)
    folded, blocks = envelope.fold(replace(whole, originals=inside), 8)
    world.carrier.put_blocks(blocks)
    world.send(message.sign(folded, world.org.people["ombuds"].secret.signing), ("counsel",))
    [done] = world.round("counsel")
    assert done.imported.waiting == 1 and world.station("counsel").case_ids() == []
    world.carrier.manifests = [world.org.known, later]
    world.round("counsel")
    assert sorted(kinds(world, who, "counsel")) == ["grant", "grant", "note", "report"]


def test_a_stranger_who_fills_the_room_displaces_nothing(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Anybody can claim a later manifest: there is little room for that, which no colleague's messages need."""
    monkeypatch.setattr(waiting, "UNPROVEN", 3 * waiting.LEAST)
    for _ in range(5):
        claimed = by(world, reporter(), "ethics", keys=message.Keys(99, "0" * 64)).message
        junk = message.Signed(claimed.line, bytes(64), claimed)
        world.send(junk, ("ombuds",))
    who = reporter()
    world.send(by(world, who, "ethics", readers=("ombuds", "ethics")), ("ombuds",))
    [done] = world.round("ombuds")
    assert (done.imported.waiting, done.imported.no_room) == (4, 2)
    assert any(line.startswith("No room to wait: 2 messages.") for line in done.imported.lines())
    assert held(world) not in stated(world)
    world.report(who)
    world.round("ombuds")
    assert kinds(world, who) == ["report", "note"]
    world.day = DAY + waiting.LONGEST + datetime.timedelta(days=1)
    world.carrier.heaps.clear()
    assert world.round("ombuds")[0].imported.waiting == 3  # one clock alone does not decide
    world.carrier.today = world.day
    assert world.round("ombuds")[0].imported.waiting == 0


def test_what_found_no_room_comes_again(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of many notes to a case that is not here, those without room are not stated; once the case is here, all come."""
    monkeypatch.setattr(waiting, "PROVEN", 3 * waiting.LEAST)
    who, before = reporter(), None
    for seq in range(6):
        note = by(world, who, "ethics", readers=("ombuds", "ethics"), seq=seq, prev=before)
        world.send(note, ("ombuds",))
        before = note.hash
    for _ in range(2):
        [done] = world.round("ombuds")
        assert (done.imported.waiting, done.imported.no_room) == (3, 3)
    assert held(world) not in stated(world)
    world.report(who)
    [done] = world.round("ombuds")
    assert (done.imported.waiting, done.imported.no_room, len(done.imported.kept)) == (0, 0, 7)
    assert stated(world) == {held(world)}


def test_many_messages_are_judged_in_batches(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """A part is not held in memory whole, and what an early batch misses comes with a later one."""
    monkeypatch.setattr(batches, "BATCH", 3000)
    who = reporter()
    later = joined(world)
    world.org.known = later
    granted(world, who)
    for seq in range(8):
        world.send(by(world, who, NEW, seq=seq, prev="0" * 64 if seq else None), ("ombuds",))
    world.report(who)
    [done] = world.round("ombuds")
    assert done.imported.waiting == 0 and sorted(kinds(world, who)) == ["grant", *["note"] * 8, "report"]


def test_what_had_no_room_is_read_again_once_the_rest_is_here(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a long part, messages that were judged before the report they belong to come in with the same exchange."""
    monkeypatch.setattr(batches, "BATCH", 3000)
    monkeypatch.setattr(waiting, "PROVEN", 2 * waiting.LEAST)
    who, before = reporter(), None
    for seq in range(9):
        note = by(world, who, "ethics", readers=("ombuds", "ethics"), seq=seq, prev=before)
        world.carrier.put(parties.sealed(note, world.org, ("ombuds",)), id=bytes([seq] * 16))
        before = note.hash
    report = message.sign(parties.report(who, world.org), who.signing)
    world.carrier.put(parties.sealed(report, world.org, ("ombuds",)), id=b"\xff" * 16)
    [done] = world.round("ombuds")
    assert (done.imported.waiting, done.imported.no_room, len(done.imported.kept)) == (0, 0, 10)
    assert stated(world) == {held(world)}


def test_a_name_that_a_courier_made_up_does_not_spoil_a_day(world: World) -> None:
    """What the newest whole list of a day named is stated beside all that ever came."""
    world.report()
    world.carrier.put_blocks(attach(b"a file")[0])
    foreign = world.carrier.put(os.urandom(8 * 4096))
    world.round("ombuds")
    spoilt = held(world)
    assert stated(world) == {spoilt}
    del world.carrier.heaps[foreign]
    world.round("ombuds")
    assert stated(world) == {spoilt, held(world)}
    assert len(held_ids(world.station("ombuds"), DAY)) == 3


def test_a_day_in_several_parts_is_one_list(world: World) -> None:
    """The parts of a bundle are one list, also where one of them was read before."""
    foreign = world.carrier.put(os.urandom(8 * 4096))
    world.round("ombuds")
    del world.carrier.heaps[foreign]
    who = world.report()
    world.carrier.put_blocks(attach(b"a file")[0])
    one = split(world)
    for _ in range(2):
        done = batches.Imported()
        for path in one:
            imports.import_part(world.station("ombuds"), path, done)
        assert held(world) in stated(world)
    assert kinds(world, who) == ["report"]


def split(world: World) -> list[Path]:
    """The inbox in two parts: envelopes, then blocks."""
    whole = world.carrier.inbox(world.stick)
    with whole.open("rb") as file:
        reader = bundle.Reader(file)
        files = {member.name: body.read() for member, body in reader}
    members = reader.listing.members
    halves = [[each for each in members if not each.is_block], [each for each in members if each.is_block]]
    paths = []
    for number, half in enumerate(halves, 1):
        listing = replace(reader.listing, members=tuple(half), part=number, of=2)
        path = whole.with_name(f"part-{number}")
        path.write_bytes(b"".join(bundle.stream(listing, lambda member: [files[member.name]])))
        paths.append(path)
    return paths


def test_a_reader_who_is_cut_off_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A grant that is kept from a reader whom it names makes all messages wait there, and its case says so."""
    monkeypatch.setitem(parties.ROLES, "chief", "Chief")
    world = World(tmp_path, parties.organisation())
    everybody = ("ombuds", "ethics", "counsel")
    who = world.report(readers=everybody)
    world.round("ombuds", "counsel")
    inside = message.original(case_of(world, who).messages[0])
    rogue = {"readers": (*everybody, "chief"), "grantee": "chief", "lane": 9, "originals": (inside,)}
    world.send(by_ethics(world, who, Grant, **rogue), ("ombuds", "chief"))
    world.round("ombuds")
    compose.note(world.station("ombuds"), case_of(world, who), "Do you read this?")
    world.round("ombuds", "counsel")
    [told] = case_of(world, who, "counsel").faults
    assert told.startswith("a message of ombuds cannot be shown yet") and "ask ombuds or another reader" in told
    assert case_list.rows(world.station("counsel"))[0][0].faults
    compose.grant_whole(world.station("ombuds"), case_of(world, who), "counsel")
    world.round("ombuds", "counsel")
    case = case_of(world, who, "counsel")
    assert [entry.content.kind for entry in case.entries] == ["report", "grant", "note", "grant"] and not case.faults
    world.close()
