"""A courier that brings altered bytes under the right names causes no loss: the server keeps the originals."""

import datetime
import hashlib
import os
from collections.abc import Iterator
from dataclasses import replace
from io import BytesIO
from pathlib import Path

import pytest

from tests import parties
from tests.office import Office, working
from tests.server.visitor import turn
from tests.workstation.carrying import attach
from whistle.courier import Courier
from whistle.protocol.case import message
from whistle.protocol.case.attachment import Attachment
from whistle.protocol.case.message import Grant, Note
from whistle.protocol.transfer import bundle
from whistle.protocol.transfer.listing import rank
from whistle.protocol.trust.manifest import SignedManifest
from whistle.server.instance import NAME
from whistle.server.running.housekeeping import clean, warnings
from whistle.store import Heap, Sealed
from whistle.workstation import backup
from whistle.workstation.cases import compose, overview, saved_files
from whistle.workstation.cases.sealed_files import Upload
from whistle.workstation.exchange import outbox, received
from whistle.workstation.vault import keyfile
from whistle.workstation.workstation import Workstation

PHOTO = bytes(range(256)) * 3000  # three blocks
PASSPHRASE = "seven quiet otters swim"


@pytest.fixture
def office(tmp_path: Path) -> Iterator[Office]:
    """An office with a running server."""
    with working(tmp_path) as made:
        yield made


@pytest.fixture
def other(office: Office) -> Courier:
    """A second courier, with a folder of its own."""
    return office.another(office.courier._settings.server, "other")


@pytest.fixture
def case(office: Office) -> str:
    """A report with a photo, for two reviewers, in the reviewers' heap."""
    who, (blocks, record) = parties.reporter(), attach(PHOTO)
    told = parties.report(who, office.org, attachments=(record,))
    body = parties.sealed(message.sign(told, who.signing), office.org, told.readers)
    store = office.app.extensions[NAME].store
    for id, block in blocks:
        store.put_block(id, block, Heap.REVIEWERS)
    envelope = Sealed(bytes(16), Heap.REVIEWERS, body)
    store.commit([envelope], [id for id, _ in blocks])
    return who.case.hex()


def alter(courier: Courier, kind: str) -> None:
    """Change a byte in all files of this kind that the courier has, so that it cannot notice."""
    for path in sorted((courier._folder / "mirror").rglob(f"{kind}/*")):
        data = bytearray(path.read_bytes())
        data[len(data) // 2] ^= 1
        path.write_bytes(data)
        path.rename(path.with_suffix("." + hashlib.sha256(data).hexdigest()))


def round_by(office: Office, courier: Courier, kind: str = "") -> list[str]:
    """Everyone exchanges with this courier, which first alters this kind of files; returns what they see."""
    if kind:
        courier.pull(office.stick("ombuds"))
        alter(courier, kind)
    said: list[str] = []
    for id in office.stations:
        courier.pull(office.stick(id))
        said += office.exchange(id).lines()
        courier.push(office.stick(id))
    return said


def days_later(office: Office, days: int) -> list[datetime.date]:
    """Let days pass at the server; returns the days that it removed because all had stated them."""
    instance = office.app.extensions[NAME]
    turn(instance, office.clock.day + datetime.timedelta(days=days))
    return clean(instance)


def photo(office: Office, reviewer: str, case: str, to: Path) -> bytes:
    """The photo as this reviewer saves it."""
    [entry] = office.case(reviewer, case).entries
    record: Attachment = entry.attachments[0]
    return saved_files.save(record, office.stations[reviewer].blocks, to / reviewer).read_bytes()


@pytest.mark.parametrize("kind", ["envelopes", "blocks"])
@pytest.mark.parametrize("mended", ["another courier", "pull --again"])
def test_what_a_courier_alters_is_not_removed(
    office: Office, other: Courier, case: str, kind: str, mended: str, tmp_path: Path
) -> None:
    """A day for which all state altered bytes stays until the right ones were imported and stated; then it goes."""
    days_later(office, 1)
    round_by(office, office.courier, kind)
    hidden = kind == "envelopes"
    assert all((case in office.stations[id].case_ids()) != hidden for id in ("ombuds", "ethics"))
    assert days_later(office, 40) == []
    if mended == "another courier":
        said = round_by(office, other)
    else:
        for id in office.stations:
            office.courier.pull(office.stick(id), again=True)
        said = round_by(office, office.courier)
    assert any("another content" in line for line in said)
    store = office.app.extensions[NAME].store
    day = parties.DAY.isoformat()
    stated = {hash_ for each in office.stations.values() for hash_ in received.day_hashes(each, day)}
    assert stated == {store.day_hash(parties.DAY)}
    assert {photo(office, id, case, tmp_path) for id in ("ombuds", "ethics")} == {PHOTO}
    assert days_later(office, 6) == []
    assert days_later(office, 1) == [parties.DAY]


def test_altered_blocks_after_the_right_ones_destroy_nothing(
    office: Office, other: Courier, case: str, tmp_path: Path
) -> None:
    """The first content stays beside the last one, in the vault and in a backup; the attachment opens."""
    days_later(office, 1)
    round_by(office, office.courier)
    other.pull(office.stick("ombuds"))
    alter(other, "blocks")
    (office.stick("ombuds") / "outbox").rename(tmp_path / "held back")
    other.pull(office.stick("ombuds"))
    assert any("3 things came again" in line for line in office.exchange("ombuds").lines())
    assert photo(office, "ombuds", case, tmp_path) == PHOTO
    saved = backup.save(office.stations["ombuds"], tmp_path / "usb", PASSPHRASE, keyfile.CHEAP_LOG_N).folder
    again = backup.restore(saved, tmp_path / "restored", PASSPHRASE, PASSPHRASE, "test", lambda: office.clock.day)
    [entry] = overview.load(again, case).entries
    assert saved_files.content(entry.attachments[0], again.blocks) == PHOTO
    again.close()
    round_by(office, office.courier)
    [stated] = received.day_hashes(office.stations["ombuds"], parties.DAY.isoformat())
    assert stated == office.app.extensions[NAME].store.day_hash(parties.DAY)


def test_a_block_of_ones_own_goes_out_as_it_was_sealed(office: Office, case: str) -> None:
    """A courier that brings another block under the id of one that waits to be sent does not change what is sent."""
    days_later(office, 1)
    round_by(office, office.courier)
    station = office.stations["ombuds"]
    compose.note(station, office.case("ombuds", case), "See this.", [Upload("a.jpg", "image/jpeg", BytesIO(PHOTO))])
    before = set(sent_out(station, office.stick("ombuds")))
    for id in [bundle.member_id(name) for name, _ in before if name.startswith("blocks/")]:
        station.blocks.write(id, os.urandom(bundle.BLOCK))
    assert set(sent_out(station, office.stick("ombuds"))) == before and len(before) == 4


def sent_out(station: Workstation, stick: Path) -> Iterator[tuple[str, bytes]]:
    """Names and hashes of all that lies in the outbox when it is written."""
    outbox.write(station, stick)
    for path in (stick / "outbox").iterdir():
        with path.open("rb") as file:
            yield from ((member.name, member.sha256) for member in bundle.verify(file).members)


def test_the_operator_hears_of_a_day_that_not_all_state(office: Office, case: str) -> None:
    """After 60 days there is time left to send another courier."""
    days_later(office, 1)
    round_by(office, office.courier, "envelopes")
    days_later(office, 58)
    assert not [line for line in warnings(office.app.extensions[NAME]) if "another courier" in line]
    days_later(office, 1)
    assert [line for line in warnings(office.app.extensions[NAME]) if "another courier" in line]


def add_a_name(stick: Path) -> None:
    """Lay an envelope that no server ever had into what a courier wrote for a day."""
    [path] = (stick / "inbox").iterdir()
    with path.open("rb") as file:
        reader = bundle.Reader(file)
        files = {member.name: body.read() for member, body in reader}
    name, junk = bundle.envelope_name(os.urandom(16)), os.urandom(8 * 4096)
    members = [*reader.listing.members, bundle.member(name, junk, parties.DAY)]
    files[name] = junk
    listing = replace(reader.listing, members=tuple(sorted(members, key=lambda member: rank(member.name))))
    path.write_bytes(b"".join(bundle.stream(listing, lambda member: [files[member.name]])))


def test_a_name_that_a_courier_made_up_delays_removal_and_no_more(office: Office, case: str) -> None:
    """A day with a foreign name is not removed; once the list came without it, it is stated and goes."""
    days_later(office, 1)
    for id in office.stations:
        office.courier.pull(office.stick(id))
        add_a_name(office.stick(id))
        office.exchange(id)
        office.courier.push(office.stick(id))
    assert days_later(office, 40) == []
    round_by(office, office.courier)
    assert days_later(office, 6) == []
    assert days_later(office, 1) == [parties.DAY]


def test_a_courier_that_holds_back_a_manifest_loses_nothing(office: Office, case: str) -> None:
    """A newcomer's note comes before the manifest that lists them, and its day is removed; then the manifest comes."""
    ombuds, new = office.stations["ombuds"], parties.person("newcomer", "Newcomer")
    office.org.people["newcomer"] = new
    old = office.org.known
    office.install(reviewers=(*office.org.manifest.reviewers, new.listed()))
    known = office.org.known
    everybody = ("ombuds", "ethics", "newcomer")
    common = {"case": case, "readers": everybody, "without": (), "keys": known.keys, "day": parties.DAY}
    first = {"seq": 0, "prev": None, "seen": ()}
    grant = Grant(**common, **first, sender="ethics", grantee="newcomer", lane=9)
    note = Note(**common, **first, sender="newcomer", text="From the start.")
    store = office.app.extensions[NAME].store
    for number, told in enumerate((grant, note), 1):
        signed = message.sign(told, office.org.people[told.sender].secret.signing)
        body = parties.sealed(signed, office.org, ("ombuds", "ethics"))
        store.commit([Sealed(bytes([number] * 16), Heap.REVIEWERS, body)], [])
    days_later(office, 1)
    for id in office.stations:
        office.courier.pull(office.stick(id))
        without_manifest(office.stick(id), old)
        assert office.exchange(id).damaged == 0
        office.courier.push(office.stick(id))
    assert [each.message.kind for each in office.case("ombuds", case).entries] == ["report", "grant"]
    hash_ = store.day_hash(parties.DAY)
    assert hash_ and store.record_imports([("newcomer", parties.DAY, hash_)])  # who has it all
    assert days_later(office, 7) == [parties.DAY] and ombuds.trust.serials() == [1]
    office.round("ombuds")
    assert [each.message.kind for each in office.case("ombuds", case).entries] == ["report", "grant", "note"]


def without_manifest(stick: Path, known: SignedManifest) -> None:
    """Put an earlier manifest into the place of those that a courier wrote."""
    [path] = (stick / "inbox").iterdir()
    with path.open("rb") as file:
        reader = bundle.Reader(file)
        files = {member.name: body.read() for member, body in reader}
    files |= {"manifest.json": known.data, "manifest.json.minisig": known.signature}
    sealed = [member for member in reader.listing.members if member.id]
    members = [bundle.member(name, files[name]) for name in ("manifest.json", "manifest.json.minisig")]
    listing = replace(reader.listing, members=(*members, *sealed))
    path.write_bytes(b"".join(bundle.stream(listing, lambda member: [files[member.name]])))
