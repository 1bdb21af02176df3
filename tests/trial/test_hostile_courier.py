"""The hostile courier: one that takes, keeps back, reorders, alters, repeats and lies, and may be a reader too.

A real server, sticks and workstations; each test plays one attack and says what each honest party then reads.
"""

import datetime
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

import pytest

from tests import parties
from tests.trial.counts import full
from tests.trial.rogue import Rogue, lay, rewrite
from tests.trial.stage import Stage, Told, staged
from whistle.protocol.case.message import FollowUp, Grant, Note, Reply
from whistle.protocol.code.retrieval import place_ids
from whistle.protocol.transfer import bundle
from whistle.protocol.transfer.listing import Heap, Listing, Member, rank
from whistle.server.instance import NAME
from whistle.server.running.housekeeping import clean
from whistle.workstation.cases import compose, overview, saved_files
from whistle.workstation.cases.sealed_files import Upload
from whistle.workstation.exchange import deliveries, outbox, waiting

ANSWER = "We read it, and we believe you."
NEW = "newcomer"


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    """An organisation with a running server."""
    with staged(tmp_path, None) as made:
        yield made


@pytest.fixture
def told(stage: Stage) -> Told:
    """A report that its two readers have."""
    return stage.tell()


def read_once(told: Told) -> None:
    """The reporter reads the answer, once, on the page and with the program."""
    assert [shown.count(ANSWER) for shown in told.everywhere()] == [1, 1]


def waiting_to_go(told: Told, reviewer: str = "ombuds") -> list[tuple[Heap, str, str]]:
    """Heap, id and kind of all that a workstation has on its way."""
    return [
        (each.heap, each.id.hex(), kind)
        for item in outbox.items(told.office.stations[reviewer])
        for kind, rows in (("envelopes", item.envelopes), ("blocks", item.blocks))
        for each in rows
    ]


def test_a_place_that_is_taken_moves_an_answer_and_loses_nothing(stage: Stage, told: Told) -> None:
    """A courier who is a reader lays junk in a colleague's next two places.

    The reporter reads the answer once, and that two things could not be checked; its author has nothing left to send.
    """
    names = [bundle.envelope_name(id) for id in place_ids(told.who.replies, 0)[:2]]
    stage.foul_push(stage.junk(), "reporters", *names)
    told.reply("ombuds", ANSWER)
    for _ in range(3):
        stage.office.round("ombuds")
    assert outbox.pending(stage.office.stations["ombuds"]) == [] and told.faults("ombuds") == []
    read_once(told)
    assert all("2 " in shown and "could not be checked" in shown for shown in told.everywhere())


def test_a_courier_that_says_taken_burns_nothing(stage: Stage, told: Told) -> None:
    """A courier delivers nothing and says that the place, the copy and the file's blocks are taken.

    With an honest courier all arrives, and reporter and colleague read it once.
    """
    upload = Upload("plan.txt", "text/plain", BytesIO(b"the plan"))
    compose.reply(stage.office.stations["ombuds"], told.case("ombuds"), ANSWER, [upload])
    stage.office.exchange("ombuds")
    claimed = {bytes.fromhex(id) for _, id, _ in waiting_to_go(told)}
    stage.foul_inbox("ombuds", taken=tuple(sorted(claimed)))
    for _ in range(3):
        stage.office.round("ombuds", "ethics")
    assert outbox.pending(stage.office.stations["ombuds"]) == []
    read_once(told)
    assert "\n".join(told.shown("ethics")).count(ANSWER) >= 1 and told.faults("ethics") == []


def test_after_eight_moves_people_are_told(stage: Stage, told: Told) -> None:
    """A courier says on every visit that everything is taken.

    After eight moves the author reads that it was sent nine times, and to use another courier; that one delivers it.
    """
    compose.reply(stage.office.stations["ombuds"], told.case("ombuds"), ANSWER)
    for moves in range(outbox.MOVES + 3):
        assert bool(told.faults("ombuds")) == (moves > outbox.MOVES)
        stage.office.clock.day += datetime.timedelta(days=1)  # no list is the same as another
        stage.foul_inbox("ombuds", taken=tuple(sorted(place_ids(told.who.replies, 0))))
    [line] = told.faults("ombuds")
    assert "sent nine times" in line and "another courier" in line
    stage.office.round("ombuds")
    read_once(told)


def test_one_taken_block_stops_nothing_else(stage: Stage, told: Told) -> None:
    """Somebody who saw the stick lays other blocks under the ids of an answer's file.

    All else of that push arrives; the file goes in other blocks, and reporter and colleague open it.
    """
    upload = Upload("plan.txt", "text/plain", BytesIO(b"the plan"))
    compose.reply(stage.office.stations["ombuds"], told.case("ombuds"), ANSWER, [upload])
    told.note("ombuds", "For colleagues.")
    stage.office.exchange("ombuds")
    for heap, id, kind in waiting_to_go(told):
        if kind == "blocks":
            stage.foul_push(bytes(bundle.BLOCK), heap, f"blocks/{id}")
    for _ in range(3):
        stage.office.round("ombuds", "ethics")
    read_once(told)
    saved = stage.office.where / "saved"
    assert told.program("--save", str(saved)).exit_code == 0
    assert [path.read_bytes() for path in saved.iterdir()] == [b"the plan"]
    ethics = stage.office.stations["ethics"]
    assert any("For colleagues." in line for line in told.shown("ethics"))
    assert saved_files.content(list(overview.files(told.case("ethics")))[-1][1], ethics.blocks) == b"the plan"


def test_what_a_courier_only_says_is_stored_is_missed(stage: Stage, told: Told) -> None:
    """A courier throws the outbox away and says that all of it is stored.

    The author reads after 14 days that it is not confirmed, sends it again, and the reporter reads it.
    """
    mine = stage.office.stations["ombuds"]
    compose.reply(mine, told.case("ombuds"), ANSWER)
    stage.office.exchange("ombuds")
    stored = sorted(bytes.fromhex(id) for _, id, _ in waiting_to_go(told))
    stage.foul_inbox("ombuds", stored=tuple(stored))
    assert outbox.pending(mine) == [] and ANSWER not in told.page()
    stage.office.clock.day += datetime.timedelta(days=14)
    [missed] = deliveries.missed(mine)
    assert "NOT CONFIRMED" in missed.words(stage.office.clock.day)
    outbox.send_again(mine, [missed.hash])
    stage.office.round("ombuds", "ombuds")
    read_once(told)


def test_copies_that_a_courier_throws_away_are_told(stage: Stage, told: Told) -> None:
    """A courier delivers an answer to the reporter, throws the colleagues' copy away and says that it is stored.

    The reporter reads it; a colleague reads with its author's next note that one of theirs has not come; granted again,
    the answer is there and nothing is asked for any more.
    """
    mine = stage.office.stations["ombuds"]
    compose.reply(mine, told.case("ombuds"), ANSWER)
    stage.office.exchange("ombuds")
    every = sorted(bytes.fromhex(id) for _, id, _ in waiting_to_go(told))
    rewrite(stage.office.stick("ombuds") / "outbox", lambda member, _: member.heap == "reporters")
    stage.office.courier.push(stage.office.stick("ombuds"))
    stage.foul_inbox("ombuds", stored=tuple(every))
    read_once(told)
    told.note("ombuds")
    stage.office.round("ombuds", "ethics")
    [line] = told.faults("ethics")
    assert line.startswith("ombuds's message number 1 in this case has not come; if it does not come with the next")
    compose.grant_whole(mine, told.case("ombuds"), "ethics")
    stage.office.round("ombuds", "ethics")
    assert told.faults("ethics") == [] and any(ANSWER in line for line in told.shown("ethics"))


def test_a_follow_up_kept_from_one_reader_shows_until_it_comes(stage: Stage, told: Told) -> None:
    """A courier who is a reader keeps the reporter's second message from a colleague.

    That one reads, with another colleague's note, that a message has not come; an honest courier brings it.
    """
    spy = told.rogue("ethics")
    told.come_back().step("follow-up", {"text": "It happened again on Monday."})
    stage.office.round("ethics")
    told.note("ethics")
    stage.office.round("ethics")
    stage.office.courier.pull(stage.office.stick("ombuds"))
    rewrite(stage.office.stick("ombuds") / "inbox", lambda _, body: not _is(spy, body, FollowUp))
    stage.office.exchange("ombuds")
    [line] = told.faults("ombuds")
    assert line.startswith(
        "ethics says they have read a message in this case that has not come here; if it does not come"
    )
    stage.office.courier.push(stage.office.stick("ombuds"))
    stage.office.round("ombuds")
    assert told.faults("ombuds") == [] and any("again on Monday" in each for each in told.shown("ombuds"))


def test_a_manifest_that_comes_late_loses_no_message(stage: Stage, told: Told) -> None:
    """A courier keeps the manifest back that lists a new colleague, until the server has removed what this one wrote.

    The reader is told that something waits, and reads the note as soon as the manifest comes.
    """
    office = stage.office
    office.org.people[NEW] = parties.person(NEW, "Newcomer")
    office.install(reviewers=(*office.org.manifest.reviewers, office.org.people[NEW].listed()))
    office.stations[NEW] = office._station(NEW)
    office.round("ethics")
    told.grant("ethics", NEW)
    told.note(NEW, "I am new here.")
    office.round(NEW)
    for days in (0, 1, 8):
        stage.days(days)
        for id in office.stations:
            office.courier.pull(office.stick(id))
            if id == "ombuds":
                rewrite(office.stick(id) / "inbox", manifests=False)
            result = office.exchange(id)
            if id == "ombuds" and days == 0:
                assert "Waiting for something that has not come yet: 1 message." in result.lines()
            office.courier.push(office.stick(id))
        clean(office.app.extensions[NAME])
    store = office.app.extensions[NAME].store
    assert parties.DAY not in [each.day for each in store.days()]
    assert not any("I am new here." in line for line in told.shown("ombuds"))
    office.round("ombuds")
    assert any("I am new here." in line for line in told.shown("ombuds"))
    assert told.faults("ombuds") == []


def test_of_many_notes_that_wait_none_vanishes(stage: Stage, told: Told, monkeypatch: pytest.MonkeyPatch) -> None:
    """A courier brings more notes of a case than find room, and the case itself last.

    The reader is told how many found no room, states no such day, and reads all of them in the end.
    """
    count, rogue, office = full("WAITING", 305, 9), told.rogue("ethics"), stage.office
    monkeypatch.setattr(waiting, "PROVEN", count * 2 // 3 * waiting.LEAST)
    for _ in range(count):
        rogue.keep(rogue.say(Note, ["counsel"], text="One of many.", readers=("ombuds", "ethics", "counsel")))
    office.round("ethics", "counsel")
    result = office.round("counsel")[0]
    assert result.no_room == count - count * 2 // 3
    assert f"No room to wait: {result.no_room} messages. The server keeps them" in "\n".join(result.lines())
    whole = tuple(compose.message.original(each) for each in told.case("ombuds").messages)
    told.rogue("ombuds").say(
        Grant,
        ["ethics", "counsel"],
        grantee="counsel",
        lane=8,
        originals=whole,
        readers=("ombuds", "ethics", "counsel"),
    )
    office.round("ombuds", "counsel", "counsel")
    assert [line for line in told.shown("counsel") if "One of many." in line] == ["| One of many."] * count


def test_a_made_up_name_keeps_no_day(stage: Stage, told: Told) -> None:
    """A courier adds what no server ever had to a day.

    Once an honest list of that day has come, the workstation's statement is true, and the server removes the day.
    """
    office = stage.office
    for id in office.stations:
        office.courier.pull(office.stick(id))
        add_junk(stage, office.stick(id) / "inbox")
        office.exchange(id)
    for days in (1, 8):
        stage.days(days)
        office.round()
        clean(office.app.extensions[NAME])
    assert parties.DAY not in [each.day for each in office.app.extensions[NAME].store.days()]
    assert any("It happened again." in line for line in told.shown("ethics"))


def add_junk(stage: Stage, inbox: Path) -> None:
    """Put an envelope of a courier's own among those of the day."""
    [path] = sorted(inbox.glob("*.tar"))
    with path.open("rb") as file:
        reader = bundle.Reader(file)
        files = {member.name: body.read() for member, body in reader}
    foul = bundle.member(bundle.envelope_name(bytes(16)), body := stage.junk(), parties.DAY)
    files[foul.name] = body
    members = sorted([*reader.listing.members, foul], key=lambda each: rank(each.name))
    lay(inbox, Listing("workstation", stage.office.clock.day, tuple(members), 1, 1), files)


@pytest.mark.parametrize("kind", ["envelopes", "blocks"])
def test_what_a_courier_alters_is_neither_believed_nor_lost(stage: Stage, kind: str) -> None:
    """A courier brings other bytes under the right names.

    Nothing of them is shown; with an honest courier the reader is told that the content is another, and has all of it.
    """
    files = [("photo.txt", b"the photo")]
    told = Told(stage, stage.visitor().tell("It happened again.", files=files).words)
    office = stage.office
    office.courier.pull(office.stick("ombuds"))
    rewrite(office.stick("ombuds") / "inbox", alter=lambda member, body: _flipped(member, body, kind))
    office.exchange("ombuds")
    assert (told.id in office.stations["ombuds"].case_ids()) == (kind == "blocks")
    office.courier.push(office.stick("ombuds"))
    said = office.round("ombuds")[0].lines()
    assert any("another content" in line for line in said)
    [entry] = told.case("ombuds").entries
    assert saved_files.content(entry.attachments[0], office.stations["ombuds"].blocks) == b"the photo"


def test_an_old_stick_again_changes_nothing(stage: Stage, told: Told) -> None:
    """A courier brings an old stick after the new ones.

    Nothing that a reader has is gone, contradicts itself or is asked for.
    """
    office, inbox = stage.office, stage.office.stick("ombuds") / "inbox"
    old = {path.name: path.read_bytes() for path in inbox.iterdir()}
    told.reply("ombuds", ANSWER)
    told.reply("ethics", "So do I.")
    before = told.shown("ombuds")
    for path in inbox.iterdir():
        path.unlink()
    for name, data in old.items():
        (inbox / name).write_bytes(data)
    office.exchange("ombuds")
    assert told.shown("ombuds") == before and told.faults("ombuds") == []
    told.reply("ombuds", "And again.")
    assert told.faults("ethics") == [] and all("And again." in shown for shown in told.everywhere())


def test_a_reply_that_goes_before_its_report_waits(stage: Stage) -> None:
    """A courier brings the answer first and the report after it.

    The reader is told that something waits, and then reads both, with nothing to look into.
    """
    told = Told(stage, stage.visitor().tell("It happened again.").words)
    office, spy = stage.office, None
    office.round("ethics")
    spy = told.rogue("ethics")
    compose.reply(office.stations["ethics"], told.case("ethics"), ANSWER)
    office.round("ethics")
    office.courier.pull(office.stick("ombuds"))
    rewrite(office.stick("ombuds") / "inbox", lambda _, body: _is(spy, body, Reply))
    assert "Waiting for something that has not come yet: 1 message." in office.exchange("ombuds").lines()
    office.round("ombuds")
    assert any(ANSWER in line for line in told.shown("ombuds")) and told.faults("ombuds") == []


def test_a_grant_that_is_kept_back_is_asked_for_and_then_explains(stage: Stage, told: Told) -> None:
    """Two readers let the same colleague in, and a courier keeps one of the two grants from the other reader.

    That one reads that something has not come, and that the colleague's answer may lie in another's lane; both lines go
    when the grant comes.
    """
    office = stage.office
    for id in ("ethics", "ombuds"):
        compose.grant(office.stations[id], told.case(id), "counsel")
    office.round("ethics", "counsel")
    compose.reply(office.stations["counsel"], told.case("counsel"), ANSWER)
    office.round("counsel")
    office.courier.pull(office.stick("ombuds"))
    spy = told.rogue("ethics")
    rewrite(office.stick("ombuds") / "inbox", lambda _, body: not _is(spy, body, Grant))
    office.exchange("ombuds")
    lines = "\n".join(told.faults("ombuds"))
    assert "lies in another reviewer's lane" in lines and "has not come here" in lines
    office.round("ombuds")
    assert told.faults("ombuds") == [] and all(ANSWER in shown for shown in told.everywhere())


def _is(spy: Rogue, body: bytes, kind: type) -> bool:
    signed = spy.reads(body)
    return signed is not None and isinstance(signed.message, kind)


def _flipped(member: Member, body: bytes, kind: str) -> bytes:
    if not member.name.startswith(kind):
        return body
    middle = len(body) // 2
    return body[:middle] + bytes([body[middle] ^ 1]) + body[middle + 1 :]
