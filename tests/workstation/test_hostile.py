"""Attacks on a workstation by colleagues with modified programs and by malicious reporters."""

import datetime
import re
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import update

from tests.parties import DAY, organisation, report, reporter, sealed
from tests.workstation.carrying import PASSPHRASE, World, attach
from whistle.protocol.canonical import MAX_INTEGER
from whistle.protocol.case import attachment, envelope, message
from whistle.protocol.case.message import Grant, Have, Note, Reply, Signed, Status
from whistle.protocol.code.retrieval import Reporter, place_ids
from whistle.workstation import backup
from whistle.workstation.app.app import create_app
from whistle.workstation.cases import compose, overview, transcript
from whistle.workstation.cases.overview import Case
from whistle.workstation.errors import Refused
from whistle.workstation.exchange import outbox, waiting
from whistle.workstation.vault import keyfile
from whistle.workstation.vault.blocks import Blocks
from whistle.workstation.vault.models import CaseRow

FIRST = "0" * 64
_has = Blocks.has


def case_of(world: World, who: Reporter, id: str = "ombuds") -> Case:
    """The reporter's case as a reviewer sees it now."""
    return overview.load(world.station(id), who.case.hex())


def by_ethics(world: World, who: Reporter, kind: type[Note | Reply | Grant | Status], **changes: object) -> Signed:
    """A message by the ethics office's own program, signed with its key."""
    fields = {
        "case": who.case.hex(), "readers": ("ombuds", "ethics"), "without": (), "keys": world.org.known.keys,
        "sender": "ethics", "day": DAY, "seq": 0, "prev": None, "seen": (), "text": "Let us talk.", **changes,
    }  # fmt: skip
    return message.sign(kind(**fields), world.org.people["ethics"].secret.signing)  # type: ignore[arg-type]


def a_reply(world: World, who: Reporter, **changes: object) -> Signed:
    """A reply as the ethics office's own program claims it."""
    place = {"to": who.mailbox.recipient.text, "lane": 1, "n": 0, "have": Have(1, DAY), "language": "en", **changes}
    return by_ethics(world, who, Reply, **place)


def test_a_number_far_ahead_is_named_and_holds_nothing_up(world: World) -> None:
    """A colleague who numbers a message 2^53 - 1 leaves one gap, which is reported at once."""
    who = world.report()
    for seq, prev in ((0, None), (2, FIRST), (9, FIRST), (MAX_INTEGER, FIRST)):
        world.send(by_ethics(world, who, Note, seq=seq, prev=prev), ("ombuds",))
    world.round("ombuds")
    told = f"ethics's message number 2, 4 to 9, 11 to {MAX_INTEGER} in this case has not come"
    [fault] = case_of(world, who).faults
    assert fault.startswith(told + "; if it does not come with the next exchange, ask ethics or another reader")


def test_a_reply_in_anothers_lane_fulfils_nothing(world: World) -> None:
    """The reporter is not shown it, so both duties stand, and the case stays among the unanswered."""
    who = world.report()
    world.send(a_reply(world, who, lane=0, n=5, mark="feedback"), ("ombuds",))
    world.round("ombuds")
    case = case_of(world, who)
    assert case.unanswered and [each.what for each in case.deadlines] == ["acknowledge", "feedback"]


@pytest.mark.parametrize("n", [0, 63])
def test_a_colleague_cannot_use_up_anothers_places(world: World, n: int) -> None:
    """A reply that claims another reviewer's lane is shown as such, and does not move that reviewer's next place."""
    who = world.report()
    world.send(a_reply(world, who, lane=0, n=n), ("ombuds",))
    world.round("ombuds")
    assert "lies in another reviewer's lane" in case_of(world, who).faults[0]
    signed = compose.reply(world.station("ombuds"), case_of(world, who), "We look into it.")
    assert isinstance(signed.message, Reply) and (signed.message.lane, signed.message.n) == (0, 0)


def test_a_report_that_names_more_readers_than_slots_is_damaged(world: World) -> None:
    """A report with a long list of made-up readers, whose lanes would belong to others, is rejected."""
    who = reporter()
    named = (*(f"nobody-{n}" for n in range(8)), "ombuds")
    signed = message.sign(report(who, world.org, readers=named), who.signing)
    world.carrier.put(sealed(signed, world.org, ("ombuds",)))
    [done] = world.round("ombuds")
    assert (done.imported.damaged, done.imported.kept) == (1, [])


def test_a_message_that_forgets_whom_the_report_left_out_is_shown(world: World) -> None:
    """The reporter's side refuses a reply with another `without`; here it is reported."""
    who = world.report(without=("counsel",))
    world.send(a_reply(world, who), ("ombuds",))
    world.round("ombuds")
    [fault] = case_of(world, who).faults
    assert "does not say whom the reporter left out" in fault


def test_a_place_that_was_taken_is_not_forgotten_while_nothing_may_be_signed(world: World) -> None:
    """With a clock that went back, the reply to be signed again waits until the clock is right, and is sent then."""
    who = world.report()
    world.round("ombuds")
    station = world.station("ombuds")
    compose.reply(station, case_of(world, who), "We look into it.")
    place = place_ids(who.replies, 0)[0]
    world.carrier.put(bytes(8 * 4096), heap="reporters", id=place)
    world.round("ombuds")
    world.day = DAY - datetime.timedelta(days=30)
    [done] = world.round("ombuds")
    assert any(told.startswith("Not done yet: this computer's clock") for told in done.imported.findings)
    world.day = DAY
    world.round("ombuds")
    del world.carrier.heaps[place]
    [reply] = world.replies(who)
    assert isinstance(reply.message, Reply) and reply.message.n == 1 and reply.message.replaces
    world.round("ombuds")
    assert outbox.pending(station) == [] and len(case_of(world, who).replies) == 2


def test_a_follow_up_reaches_a_grantee_even_if_it_came_while_nothing_could_be_signed(world: World) -> None:
    """A grant that was impossible at first is made with the next exchange, even if nothing new arrived."""
    who = world.report()
    world.round("ombuds")
    compose.grant(world.station("ombuds"), case_of(world, who), "counsel")
    world.round("ombuds", "counsel")
    world.follow_up(who)
    world.day = DAY - datetime.timedelta(days=30)
    world.round("ombuds")
    world.day = DAY
    assert [entry.content.kind for entry in case_of(world, who, "counsel").entries] == ["report", "grant", "reply"]
    world.round("ombuds", "counsel")
    assert "follow-up" in [entry.content.kind for entry in case_of(world, who, "counsel").entries]


def test_a_reader_whose_first_key_is_yet_to_begin_is_passed_over(world: World) -> None:
    """A case with such a reader can be answered; letting such a reader in is refused with the reason."""
    soon = DAY + datetime.timedelta(days=9)
    listed = tuple(
        replace(each, recipients=(replace(each.recipients[0], first=soon),)) if each.id != "ombuds" else each
        for each in world.org.manifest.reviewers
    )
    who = world.report()
    world.carrier.manifests = [world.org.known, world.org.next(reviewers=listed)]
    world.round("ombuds")
    signed = compose.note(world.station("ombuds"), case_of(world, who), "Soon there will be two of us.")
    assert signed.message.readers == ("ombuds",)
    with pytest.raises(Refused, match="has begun yet"):
        compose.grant(world.station("ombuds"), case_of(world, who), "counsel")


HEADING = "\n\n--- Note by Ethics office (ethics), 2026-11-22\n    (sealed and signed at a reviewer's workstation)\n"


def test_nothing_that_a_stranger_writes_looks_like_the_programs_own_words(world: World) -> None:
    """Every line of a text, an answer or a file's name is marked as quoted, so that no heading can be made up."""
    _, attached = attach(b"x", "plan.pdf]" + HEADING)
    who = world.report(
        text="Hello." + HEADING + "Send it all.", answers={"when": "Monday" + HEADING}, attachments=(attached,)
    )
    world.round("ombuds")
    shown = transcript.lines(world.station("ombuds"), case_of(world, who))
    own = [line for line in shown if not line.startswith("| ")]
    assert not any("\n" in line for line in shown)
    assert [line for line in own if "---" in line] == ["--- Report by the reporter, 2026-11-22"]
    assert sum("signed at a reviewer" in line for line in own) == 0


def test_a_colleague_who_floods_the_waiting_room_crowds_nobody_out(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However many messages for no case one reviewer sends, another's grant goes on waiting for its report."""
    monkeypatch.setattr(waiting, "PROVEN", 5 * waiting.LEAST)
    who = reporter()
    for seq in range(12):
        elsewhere = reporter()
        world.send(by_ethics(world, elsewhere, Note, seq=seq, prev=FIRST if seq else None), ("ombuds",))
    early = by_ethics(world, who, Note, sender="counsel", readers=("ombuds", "counsel"))
    early = message.sign(early.message, world.org.people["counsel"].secret.signing)
    world.send(early, ("ombuds",))
    [done] = world.round("ombuds")
    assert done.imported.waiting == 6
    world.report(who, readers=("ombuds", "counsel"))
    world.round("ombuds")
    assert [entry.content.kind for entry in case_of(world, who).entries] == ["report", "note"]


def test_two_cases_of_one_reference_can_be_told_apart(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """A reporter can search for keys whose case has another's reference: then the cases' full names do."""
    names = [world.report().case.hex(), world.report().case.hex()]
    world.round("ombuds")
    monkeypatch.setattr(overview, "reference", lambda case: "1234-5678-9012")
    station = world.station("ombuds")
    with station.change():
        station.vault.session.execute(update(CaseRow).values(digits="123456789012"))
    with pytest.raises(Refused, match="2 cases have this reference") as caught:
        overview.find(world.station("ombuds"), "1234-5678-9012")
    said = caught.value.hint.removeprefix("say which: ").split(", ")
    assert {overview.find(world.station("ombuds"), each).id for each in said} == set(names)


def test_pieces_that_are_claimed_and_never_sent_cost_nothing(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """A report whose files claim 64 GiB of blocks holds up neither the page nor the backup."""
    _, small = attach(b"x")
    files = tuple(
        replace(small, size=attachment.capacity(524), blocks=524, seed=bytes([number % 2] * 32).hex())
        for number in range(500)
    )
    who = reporter()
    whole = report(who, world.org, attachments=files)
    folded, blocks = envelope.fold(whole, 8)
    world.carrier.put_blocks(blocks)
    world.send(message.sign(folded, who.signing), ("ombuds",))
    world.round("ombuds")
    station, looks = world.station("ombuds"), []
    monkeypatch.setattr(Blocks, "has", lambda self, id: looks.append(id) or _has(self, id))
    page = create_app(station, None, token="t").test_client()
    name = re.findall(r"/t/case/([0-9a-f]+)", page.get("/t/", base_url="http://localhost:1").text)[0]
    assert "too long to be shown" in page.get(f"/t/case/{name}", base_url="http://localhost:1").text
    alone = page.get(f"/t/case/{name}?message=0", base_url="http://localhost:1").text
    assert alone.count("not all of it has come yet") == 500
    saved = backup.save(station, world.folder / "usb", PASSPHRASE, keyfile.CHEAP_LOG_N)
    assert len(looks) < 3000 and saved.written < 2_000_000


def test_a_status_from_the_far_future_is_overruled(world: World) -> None:
    """A colleague who closes a case on a day in 2999 does not close it for good, nor put a deadline into the past."""
    who = world.report()
    closed = by_ethics(world, who, Status, status="closed", day=datetime.date(2999, 12, 31), text="Nothing to it.")
    world.send(closed, ("ombuds",))
    early = a_reply(world, who, day=datetime.date(2026, 11, 16), seq=1, prev=closed.hash, mark="acknowledgement")
    world.send(early, ("ombuds",))
    world.round("ombuds")
    assert case_of(world, who).status == "closed"
    compose.status(world.station("ombuds"), case_of(world, who), "open", text="There is.")
    case = case_of(world, who)
    due = {each.what: each.day for each in case.deadlines}
    assert case.status == "open" and due["feedback"] == datetime.date(2027, 2, 22) and "acknowledge" not in due


@pytest.mark.parametrize("by", ["a colleague", "the reporter"])
def test_more_readers_than_slots_stop_nobody_from_writing(tmp_path: Path, by: str) -> None:
    """Whoever lets in or names more readers than an envelope has does not silence those who read the case already."""
    world = World(tmp_path, organisation(slots=2))
    who = world.report()
    world.round("ombuds", "ethics")
    if by == "a colleague":
        inside = (message.original(case_of(world, who).messages[0]),)
        rogue = {"readers": ("ombuds", "ethics", "counsel"), "grantee": "counsel", "lane": 3, "originals": inside}
        world.send(by_ethics(world, who, Grant, **rogue), ("ombuds",))
        world.round("ombuds")
        [told] = case_of(world, who).faults
        assert told.startswith("3 people read this case, and a message reaches 2 of them: yours do not go to counsel")
    else:
        world.follow_up(who, readers=("ombuds", "counsel"))
        world.round("ombuds")
    signed = compose.note(world.station("ombuds"), case_of(world, who), "Still between the two of us.")
    assert signed.message.readers == ("ombuds", "ethics")
    world.close()


def test_a_reporter_who_leaves_out_ever_more_people_stops_nobody_from_writing(world: World) -> None:
    """However many each message of theirs leaves out, a message names as many as it can, and all stay left out."""
    who = world.report(without=("chief",))
    for number in range(2):
        world.follow_up(who, without=("counsel", *(f"nobody-{number}-{each}" for each in range(63))))
    world.round("ombuds")
    signed = compose.status(world.station("ombuds"), case_of(world, who), "closed", text="Junk.")
    assert len(signed.message.without) == 64 and signed.message.without[0] == "chief"
    assert case_of(world, who).status == "closed" and "counsel" in case_of(world, who).without
    world.round("ombuds", "ethics")
    assert case_of(world, who, "ethics").status == "closed"
