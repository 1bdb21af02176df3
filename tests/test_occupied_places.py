"""What somebody else lies in the way of: places, copies and blocks that were taken, by readers and by couriers."""

import datetime
import os
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

import pytest

from tests import parties
from tests.office import Office, working
from tests.server.visitor import Visitor, store_of
from tests.workstation.test_app import get, post
from whistle.protocol.case.message import Note, Reply
from whistle.protocol.code import words
from whistle.protocol.code.retrieval import Reporter, derive, place_ids
from whistle.protocol.reporter import submission
from whistle.protocol.transfer import bundle
from whistle.protocol.transfer.listing import Heap, Listing
from whistle.store import State
from whistle.workstation.app.app import create_app
from whistle.workstation.cases import compose, overview, saved_files
from whistle.workstation.cases.sealed_files import Upload
from whistle.workstation.exchange import outbox
from whistle.workstation.workstation import Workstation

ANSWER = "We read it, and we believe you."
OCTETS = "application/octet-stream"


@pytest.fixture
def office(tmp_path: Path) -> Iterator[Office]:
    """An office with a running server."""
    with working(tmp_path) as made:
        yield made


@pytest.fixture
def visitor(office: Office) -> Visitor:
    """Somebody who reported; the report has reached the reviewers."""
    told = Visitor(office.app).tell("It happened again.")
    office.round("ombuds", "ethics")
    return told


@pytest.fixture
def who(visitor: Visitor) -> Reporter:
    """All that follows from the reporter's words; a reader knows `replies` of it."""
    return derive(words.decode(visitor.words))


@pytest.fixture
def mine(office: Office) -> Workstation:
    """The ombudsperson's workstation."""
    return office.stations["ombuds"]


def answer(office: Office, who: Reporter, *uploads: Upload) -> None:
    """The ombudsperson answers; the answer is on the stick."""
    compose.reply(office.stations["ombuds"], office.case("ombuds", who.case.hex()), ANSWER, uploads)
    office.exchange("ombuds")


def junk(office: Office) -> bytes:
    """An envelope that is none of this case's."""
    other = parties.reporter()
    signed = compose.message.sign(parties.report(other, office.org), other.signing)
    return parties.sealed(signed, office.org, ("counsel",))


def squat(office: Office, name: str, content: bytes, heap: Heap) -> None:
    """A courier pushes what some reader wants to have lain there."""
    foul = office.where / "foul" / "outbox"
    foul.mkdir(parents=True, exist_ok=True)
    listing = Listing("server", office.clock.day, (bundle.member(name, content, heap=heap),), 1, 1)
    (foul / "foul.tar").write_bytes(b"".join(bundle.stream(listing, lambda _: [content])))
    assert office.courier.push(foul.parent).stored


def lie(office: Office, taken: set[bytes]) -> None:
    """The courier pushes nothing and says that these were taken."""
    listing = Listing("workstation", office.clock.day, (), 1, 1, taken=tuple(sorted(taken)))
    inbox = office.stick("ombuds") / "inbox"
    for path in inbox.iterdir():
        path.unlink()
    (inbox / "inbox.tar").write_bytes(b"".join(bundle.stream(listing, lambda _: [])))
    office.clock.day += datetime.timedelta(days=1)  # no list is the same as another
    office.exchange("ombuds")


def found(office: Office, visitor: Visitor) -> str:
    """What the reporter reads."""
    return Visitor(office.app).come_back(" ".join(words.encode(words.decode(visitor.words)))).html


def waiting(station: Workstation, heap: Heap) -> dict[bytes, str]:
    """By id, the message of each envelope that is on its way to a heap."""
    return {each.id: item.hash for item in outbox.items(station) for each in item.envelopes if each.heap == heap}


def test_a_reader_neither_removes_nor_writes_a_reply(office: Office, visitor: Visitor, who: Reporter) -> None:
    """What a reader knows of a reply's place is no token: nothing is withdrawn there, and nothing lands there."""
    answer(office, who)
    office.courier.push(office.stick("ombuds"))
    client, [first, free, *_] = office.app.test_client(), place_ids(who.replies, 0)
    for token in (first, free, who.report_id, who.slip_id):
        body = submission.encode(token, [junk(office), junk(office)], [])
        assert client.post("/api/store", data=body, content_type=OCTETS).status_code == 204
        for known in (token, token + first, first + token):
            client.post("/api/withdraw", data=known, content_type=OCTETS)
    there = {each.id: each.state for each in store_of(office.app).lookup([first, who.slip_id, free])}
    assert there == {first: State.WAITING, who.slip_id: State.WAITING}
    assert ANSWER in found(office, visitor)


def test_a_place_that_a_courier_took(office: Office, visitor: Visitor, who: Reporter, mine: Workstation) -> None:
    """The reply goes to the next place, and once more to its own, which it gives up when that stays taken."""
    squat(office, bundle.envelope_name(place_ids(who.replies, 0)[0]), junk(office), "reporters")
    answer(office, who)
    office.courier.push(office.stick("ombuds"))
    office.round("ombuds")
    assert set(waiting(mine, "reporters")) == set(place_ids(who.replies, 0)[:2])
    assert ANSWER in found(office, visitor)
    office.round("ombuds", "ombuds")
    page = found(office, visitor)
    assert outbox.pending(mine) == [] and page.count(ANSWER) == 1 and "could not be checked" in page


def test_a_courier_that_lies_burns_nothing(office: Office, visitor: Visitor, who: Reporter, mine: Workstation) -> None:
    """Of one that was only said to be taken both copies arrive, and the reporter is shown one."""
    answer(office, who)
    lie(office, {place_ids(who.replies, 0)[0]})
    assert set(waiting(mine, "reporters")) == set(place_ids(who.replies, 0)[:2])
    office.courier.push(office.stick("ombuds"))
    stored = store_of(office.app).lookup(place_ids(who.replies, 0))
    assert len(stored) == 2 and found(office, visitor).count(ANSWER) == 1
    office.round("ombuds")
    assert outbox.pending(mine) == []


def test_after_eight_moves_people_are_told(office: Office, visitor: Visitor, who: Reporter, mine: Workstation) -> None:
    """A reply is not moved for ever: its case says what to do, and another courier still delivers it."""
    answer(office, who)
    for _ in range(outbox.MOVES + 1):
        assert not office.case("ombuds", who.case.hex()).faults
        lie(office, set(place_ids(who.replies, 0)))
    [fault] = office.case("ombuds", who.case.hex()).faults
    assert "sent nine times" in fault and "another courier" in fault
    assert len(office.case("ombuds", who.case.hex()).replies) == outbox.MOVES + 1
    for _ in range(2):
        lie(office, set(place_ids(who.replies, 0)))
    assert len(office.case("ombuds", who.case.hex()).replies) == outbox.MOVES + 1
    assert set(waiting(mine, "reporters")) == {place_ids(who.replies, 0)[outbox.MOVES]}
    page = create_app(mine, office.stick("ombuds"), token="t").test_client()
    [old] = outbox.stuck(mine)
    assert "Stuck: your reply" in get(page, "tray")
    assert "not stuck" in post(page, "stuck", message="00" * 32).lower()
    assert "Signed again, for the next place." in post(page, "stuck", message=old)
    assert "not stuck" in post(page, "stuck", message=old).lower()
    assert office.case("ombuds", who.case.hex()).replies[-1].replaces == old and outbox.stuck(mine) == []
    office.exchange("ombuds")
    office.courier.push(office.stick("ombuds"))
    assert found(office, visitor).count(ANSWER) == 1


def test_one_taken_block_stops_nothing_else(office: Office, visitor: Visitor, who: Reporter, mine: Workstation) -> None:
    """All else of the push is stored, and the file goes again in other blocks: reporter and colleagues can open it."""
    answer(office, who, Upload("plan.pdf", "application/pdf", BytesIO(b"the plan")))
    ours = [(each.id, each.heap) for item in outbox.items(mine) for each in item.blocks]
    assert {heap for _, heap in ours} == {"reporters", "reviewers"}
    for id, heap in ours:
        squat(office, f"blocks/{id.hex()}", os.urandom(bundle.BLOCK), heap)
    pushed = office.courier.push(office.stick("ombuds"))
    assert set(pushed.taken) == {id for id, _ in ours} and len(pushed.stored) >= 3
    office.round("ombuds", "ombuds", "ethics")
    assert outbox.pending(mine) == []
    page = Visitor(office.app).come_back(" ".join(words.encode(words.decode(visitor.words))))
    assert page.html.count(ANSWER) == 1 and "plan.pdf" in page.html
    case, ethics = office.case("ethics", who.case.hex()), office.stations["ethics"]
    files = [file for entry, file in overview.files(case) if isinstance(entry.content, Note)]
    assert saved_files.content(files[-1], ethics.blocks) == b"the plan"
    replies = [each for each in case.entries if isinstance(each.content, Reply)]
    assert [bool(each.content.replaces) for each in replies if isinstance(each.content, Reply)] == [False, True]


def test_a_copy_whose_id_was_taken_goes_under_another(office: Office, who: Reporter, mine: Workstation) -> None:
    """Somebody who saw a stick laid junk under a note's random id; the colleagues get the note all the same."""
    compose.note(mine, office.case("ombuds", who.case.hex()), "For colleagues.")
    office.exchange("ombuds")
    [copy] = waiting(mine, "reviewers")
    squat(office, bundle.envelope_name(copy), junk(office), "reviewers")
    office.courier.push(office.stick("ombuds"))
    office.round("ombuds", "ombuds", "ethics")
    assert outbox.pending(mine) == []
    assert "note" in [each.content.kind for each in office.case("ethics", who.case.hex()).entries]
