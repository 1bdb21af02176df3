"""A courier that falsely reports a reply as stored: the reply is kept, missed, and sent again."""

import datetime
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import parties
from tests.office import Office, working
from tests.server.visitor import Visitor, turn
from tests.workstation.carrying import PASSPHRASE
from whistle.protocol.case.message import Reply
from whistle.protocol.code import words
from whistle.protocol.code.retrieval import derive
from whistle.protocol.transfer import bundle
from whistle.protocol.transfer.listing import Listing
from whistle.server.instance import NAME
from whistle.server.running.housekeeping import clean
from whistle.workstation import backup
from whistle.workstation.cases import compose
from whistle.workstation.exchange import deliveries, outbox
from whistle.workstation.vault import keyfile
from whistle.workstation.workstation import Workstation

ANSWER = "We read it, and we believe you."


@pytest.fixture
def office(tmp_path: Path) -> Iterator[Office]:
    """An office with a running server."""
    with working(tmp_path) as made:
        yield made


@pytest.fixture
def visitor(office: Office) -> Visitor:
    """Somebody who reported; the report has reached the reviewers."""
    told = Visitor(office.app).tell("It happened again.")
    office.round()
    return told


@pytest.fixture
def mine(office: Office) -> Workstation:
    """The ombudsperson's workstation."""
    return office.stations["ombuds"]


def answer(office: Office, visitor: Visitor) -> str:
    """The ombudsperson answers; the case."""
    case = derive(words.decode(visitor.words)).case.hex()
    compose.reply(office.stations["ombuds"], office.case("ombuds", case), ANSWER)
    office.exchange("ombuds")
    return case


def claim(office: Office, created: datetime.date) -> None:
    """The courier throws the outbox away, and reports that the server has all of it."""
    stick = office.stick("ombuds")
    stored: set[bytes] = set()
    for path in (stick / "outbox").iterdir():
        with path.open("rb") as file:
            stored |= {member.id for member in bundle.Reader(file).listing.members if member.id}
        path.unlink()
    listing = Listing("workstation", created, (), 1, 1, stored=tuple(sorted(stored)))
    for path in (stick / "inbox").iterdir():
        path.unlink()
    (stick / "inbox" / "inbox.tar").write_bytes(b"".join(bundle.stream(listing, lambda _: [])))
    office.exchange("ombuds")


def found(office: Office, visitor: Visitor) -> int:
    """How often the reporter finds the answer."""
    told = " ".join(words.encode(words.decode(visitor.words)))
    return Visitor(office.app).come_back(told).html.count(ANSWER)


def deliver(office: Office) -> None:
    """An honest round: what waits goes to the server, and its copy comes back."""
    office.exchange("ombuds")
    office.courier.push(office.stick("ombuds"))
    office.courier.pull(office.stick("ombuds"))
    office.exchange("ombuds")


def test_what_was_only_claimed_is_missed_and_sent_again(office: Office, visitor: Visitor, mine: Workstation) -> None:
    """It no longer waits, but its bytes are kept, the exchange says that no copy came, and it can be sent again."""
    answer(office, visitor)
    claim(office, office.clock.day)
    assert outbox.pending(mine) == [] and found(office, visitor) == 0
    assert "no copy came back yet" in next(iter(deliveries.all_of(mine).values())).words(office.clock.day)
    office.clock.day += datetime.timedelta(days=13)
    assert deliveries.missed(mine) == []
    office.clock.day += datetime.timedelta(days=1)
    [missed] = deliveries.missed(mine)
    assert "NOT CONFIRMED" in missed.words(office.clock.day)
    assert outbox.send_again(mine, [missed.hash]) == 1
    deliver(office)
    assert found(office, visitor) == 1 and outbox.pending(mine) == []
    [known] = deliveries.all_of(mine).values()
    assert known.back == office.clock.day and "its copy came back" in known.words(office.clock.day)


def test_sending_again_what_arrived_changes_nothing(office: Office, visitor: Visitor, mine: Workstation) -> None:
    """Even when the reviewers' copy was removed since, the reporter finds one answer, and nothing is signed anew."""
    case = answer(office, visitor)
    deliver(office)
    [known] = deliveries.all_of(mine).values()
    assert known.back == office.clock.day
    for days in (0, 1, 8):
        instance = office.app.extensions[NAME]
        turn(instance, office.clock.day + datetime.timedelta(days=days))
        office.round()
        clean(instance)
        assert outbox.send_again(mine, deliveries.all_of(mine)) == 1
        deliver(office)
        assert outbox.pending(mine) == [] and found(office, visitor) == 1
    assert office.app.extensions[NAME].store.days() == []
    replies = [entry for entry in office.case("ombuds", case).entries if isinstance(entry.content, Reply)]
    assert len(replies) == 1


def test_junk_under_the_id_of_a_copy_confirms_nothing(office: Office, visitor: Visitor, mine: Workstation) -> None:
    """A copy came back only if it is the same to the last byte."""
    answer(office, visitor)
    [item] = outbox.items(mine)
    [copy] = deliveries.copies(item)
    junk, both = {copy: os.urandom(32)}, {each.id for each in item.envelopes}
    outbox.reconcile(mine, junk, set(), set(), office.clock.day)
    assert len(outbox.pending(mine)) == 1
    outbox.reconcile(mine, junk, both, set(), office.clock.day)
    [known] = deliveries.all_of(mine).values()
    assert known.back is None


def test_a_claim_that_a_copy_was_taken_is_no_harm(office: Office, visitor: Visitor, mine: Workstation) -> None:
    """The copy's id is random, so nothing is signed anew for it; it goes on waiting, under another."""
    case = derive(words.decode(visitor.words)).case.hex()
    note = compose.note(mine, office.case("ombuds", case), "For colleagues.")
    [copy] = deliveries.copies(outbox.item(mine, note.hash))
    assert outbox.reconcile(mine, {}, set(), {copy}, office.clock.day) == []
    assert deliveries.all_of(mine) == {} and outbox.pending(mine) == [note.hash]
    assert copy not in deliveries.copies(outbox.item(mine, note.hash))


def test_it_is_kept_as_long_as_the_server_keeps_replies(office: Office, visitor: Visitor, mine: Workstation) -> None:
    """After 400 days, by this computer's clock and by the stick's, neither the list nor the envelopes are left."""
    answer(office, visitor)
    claim(office, office.clock.day)
    [hash_] = deliveries.all_of(mine)
    kept, late = office.clock.day + datetime.timedelta(days=400), office.clock.day + datetime.timedelta(days=401)
    for today, written in ((kept, kept), (late, kept), (kept, late)):  # the clock is wrong, or the courier's is
        office.clock.day = today
        outbox.reconcile(mine, {}, set(), set(), written)
        assert all(each.body for each in outbox.item(mine, hash_).envelopes)
    office.clock.day = late
    outbox.reconcile(mine, {}, set(), set(), late)
    assert deliveries.all_of(mine) == {} and outbox.item(mine, hash_) is None


def test_a_backup_brings_back_what_is_not_confirmed(office: Office, visitor: Visitor, mine: Workstation) -> None:
    """The index is restored whole; envelopes of confirmed messages are not in the backup."""
    answer(office, visitor)
    deliver(office)
    [confirmed] = deliveries.all_of(mine)
    answer(office, visitor)
    claim(office, office.clock.day)
    saved = backup.save(mine, office.where / "usb", PASSPHRASE, keyfile.CHEAP_LOG_N).folder
    again = backup.restore(saved, office.where / "again", PASSPHRASE, PASSPHRASE, "test", lambda: parties.DAY)
    [claimed] = set(deliveries.all_of(again)) - {confirmed}
    assert deliveries.all_of(again) == deliveries.all_of(mine)
    assert outbox.send_again(again, [confirmed, claimed]) == 1 and outbox.pending(again) == [claimed]
    assert list(deliveries.all_of(again)) == [confirmed]
    again.close()
