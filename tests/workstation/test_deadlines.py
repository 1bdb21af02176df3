"""Deadlines: legal duties, what fulfils them, and the order of cases."""

import datetime
import re

import pytest

from tests.parties import DAY
from tests.workstation.carrying import PASSPHRASE, World
from tests.workstation.test_hostile import a_reply, by_ethics, case_of
from whistle.protocol.case.message import Status
from whistle.protocol.code.retrieval import Reporter, place_ids
from whistle.workstation import backup
from whistle.workstation.app.app import create_app
from whistle.workstation.cases import compose, overview, transcript
from whistle.workstation.duties import deadlines
from whistle.workstation.duties.clocks import Office
from whistle.workstation.duties.deadlines import Answer, Deadline
from whistle.workstation.errors import Refused
from whistle.workstation.exchange import outbox
from whistle.workstation.language import t
from whistle.workstation.vault import keyfile

WEEK = DAY + datetime.timedelta(days=7)


def due(world: World, who: Reporter, id: str = "ombuds") -> list[tuple[str, datetime.date, bool]]:
    """The deadlines of a case that a list shows, but check-ins."""
    shown = deadlines.nearest(case_of(world, who, id).deadlines)
    return [(each.what, each.day, each.written) for each in shown if each.what != deadlines.CHECK_IN]


def later(days: int) -> datetime.date:
    """A day, counted from the report."""
    return DAY + datetime.timedelta(days=days)


@pytest.mark.parametrize(
    ("answers", "expected"),
    [
        ([], Deadline(WEEK, "acknowledge")),
        ([("acknowledgement", None)], Deadline(WEEK, "acknowledge", written=True)),
        ([("acknowledgement", 2)], Deadline(datetime.date(2027, 2, 24), "feedback")),
        ([("acknowledgement", 9)], Deadline(datetime.date(2027, 2, 28), "feedback")),
        ([("acknowledgement", -3)], Deadline(datetime.date(2027, 2, 22), "feedback")),
        ([("acknowledgement", 2), ("feedback", None)], Deadline(datetime.date(2027, 2, 24), "feedback", written=True)),
        ([("feedback", None)], Deadline(WEEK, "acknowledge", written=True)),
        ([("feedback", 2)], None),
    ],
    ids=["none", "on its way", "in time", "late", "before the report", "feedback on its way", "only feedback", "done"],
)
def test_the_duties(answers: list[tuple[str, int | None]], expected: Deadline | None) -> None:
    """Seven days to acknowledge; three months from then, or from the seventh day, for feedback."""
    given = [Answer(mark, None if days is None else later(days)) for mark, days in answers]
    assert list(deadlines.nearest(deadlines.duties(DAY, given, Office()))) == ([expected] if expected else [])


def test_a_reply_counts_when_it_is_said_to_be_stored(world: World) -> None:
    """A reply that is written or on a stick fulfils nothing, and one that is sent again waits again."""
    who = world.report()
    world.round("ombuds")
    station = world.station("ombuds")
    signed = compose.reply(station, case_of(world, who), "We have it.", mark="acknowledgement")
    assert due(world, who) == [("acknowledge", WEEK, True)]
    world.day = later(5)
    world.round("ombuds")  # it goes; no stick has come back yet
    assert due(world, who) == [("acknowledge", WEEK, True)]
    world.day = later(6)
    world.round("ombuds")
    assert due(world, who) == [("feedback", datetime.date(2027, 2, 28), False)]
    saved = backup.save(station, world.folder / "usb", PASSPHRASE, keyfile.CHEAP_LOG_N).folder
    restored = backup.restore(saved, world.folder / "new", PASSPHRASE, PASSPHRASE, "test", lambda: world.day)
    assert [each.what for each in overview.load(restored, who.case.hex()).deadlines] == ["check-in", "feedback"]
    restored.close()
    outbox.send_again(station, [signed.hash])
    assert due(world, who) == [("acknowledge", WEEK, True)]


def test_a_reply_whose_place_was_taken_counts_with_the_next(world: World) -> None:
    """A reply that never reached the reporter's place fulfils nothing; signed again, it does once it is stored."""
    who = world.report()
    world.round("ombuds", "ethics")
    world.carrier.put(bytes(8 * 4096), heap="reporters", id=place_ids(who.replies, 0)[0])
    compose.reply(world.station("ombuds"), case_of(world, who), "We have it.", mark="acknowledgement")
    world.round("ombuds", "ombuds")
    assert due(world, who) == [("acknowledge", WEEK, True)]
    world.day = later(4)
    world.round("ombuds")
    assert due(world, who) == [("feedback", datetime.date(2027, 2, 26), False)]
    world.day = later(9)
    world.round("ethics")
    assert due(world, who, "ethics") == [("feedback", datetime.date(2027, 2, 22), False)]  # the server's day


def test_a_colleagues_reply_counts_on_the_servers_day(world: World) -> None:
    """Whatever day it names; and one that is marked neither way fulfils nothing."""
    who = world.report()
    world.day = world.carrier.today = later(3)
    world.send(a_reply(world, who, day=DAY), ("ombuds",))
    world.round("ombuds")
    assert due(world, who) == [("acknowledge", WEEK, False)]
    marked = a_reply(world, who, day=datetime.date(2026, 11, 1), n=1, mark="acknowledgement")
    world.send(marked, ("ombuds",))
    world.round("ombuds")
    assert due(world, who) == [("feedback", datetime.date(2027, 2, 25), False)]
    case = case_of(world, who)
    assert "Acknowledgement of receipt by" in transcript.headline(world.station("ombuds"), case, case.entries[-1])


def test_whose_word_a_duty_that_is_met_rests_on_is_told(world: World) -> None:
    """A colleague's own program can send the copy for colleagues alone: no page claims that the reporter got theirs."""
    who, station = world.report(), world.station("ombuds")
    world.send(a_reply(world, who, mark="acknowledgement"), ("ombuds",))
    world.round("ombuds")
    assert not world.replies(who)
    [line] = [line for line in transcript.lines(station, case_of(world, who)) if line.startswith("Done: ")]
    assert "acknowledged on 2026-11-22, by" in line and line.endswith("is stored is only its author’s word.")
    page = create_app(station, world.stick, token="t").test_client()
    name = re.findall(r"/t/case/([0-9a-f]{32})", page.get("/t/").text)[0]
    assert "is stored is only its author’s word." in page.get(f"/t/case/{name}").text
    compose.reply(station, case_of(world, who), "It is done.", mark="feedback")
    world.round("ombuds", "ombuds")
    done = [line for line in transcript.lines(station, case_of(world, who)) if line.startswith("Done: ")]
    assert len(done) == 2 and "Feedback was given" in done[1] and "The courier said" in done[1]


def test_whoever_is_let_in_knows_what_was_done(world: World) -> None:
    """A granted reply counts from its own day, so that no duty begins again."""
    who = world.report()
    world.round("ombuds")
    compose.reply(world.station("ombuds"), case_of(world, who), "We have it.", mark="acknowledgement")
    world.round("ombuds", "ombuds")
    world.day = later(40)
    compose.grant(world.station("ombuds"), case_of(world, who), "counsel")
    world.round("ombuds", "counsel")
    assert due(world, who, "counsel") == [("feedback", datetime.date(2027, 2, 22), False)]


def test_an_agreed_day_stands_beside_the_duty(world: World) -> None:
    """Neither an agreed day nor closing the case hides a duty, and the nearest day decides the order."""
    who, other = world.report(), world.report()
    world.round("ombuds")
    station = world.station("ombuds")
    compose.status(station, case_of(world, other), "open", deadline=later(5))
    compose.status(station, case_of(world, who), "open", deadline=later(300))
    assert due(world, who) == [("acknowledge", WEEK, False), ("agreed", later(300), False)]
    assert [case.id for case in overview.queue(station)] == [other.case.hex(), who.case.hex()]
    told = [line for line in transcript.lines(station, case_of(world, who)) if line.startswith("Due:")]
    feedback = "Due: tell what was done by 2027-02-28"
    assert told == [f"Due: acknowledge receipt by {WEEK}", feedback, f"Due: as agreed by {later(300)}"]
    compose.status(station, case_of(world, who), "closed", deadline=later(300))
    assert due(world, who) == [("acknowledge", WEEK, False)]


def test_a_day_in_the_past_is_refused(world: World) -> None:
    """A past day cannot be agreed on; a missed one stays visible until another is agreed on."""
    who = world.report()
    world.round("ombuds")
    station = world.station("ombuds")
    with pytest.raises(Refused, match="in the past"):
        compose.status(station, case_of(world, who), "open", deadline=later(-1))
    compose.status(station, case_of(world, who), "open", deadline=DAY)
    world.day = later(2)
    compose.status(station, case_of(world, who), "waiting", deadline=DAY)
    assert ("agreed", DAY, False) in due(world, who)
    with pytest.raises(Refused, match="in the past"):
        compose.status(station, case_of(world, who), "waiting", deadline=later(1))


def test_a_follow_up_to_a_closed_case_comes_first(world: World) -> None:
    """Until somebody who has seen it states where the case stands."""
    closed, urgent = world.report(), world.report()
    world.round("ombuds")
    station = world.station("ombuds")
    compose.status(station, case_of(world, closed), "closed")
    compose.status(station, case_of(world, urgent), "open", labels=["urgent"])
    first, last = closed.case.hex(), urgent.case.hex()
    assert [case.id for case in overview.queue(station)] == [last, first]
    world.follow_up(closed)
    world.round("ombuds")
    assert [case.id for case in overview.queue(station)] == [first, last]
    assert f"New: {t('transcript.reopened')}" in transcript.lines(station, case_of(world, closed))
    overview.mark_read(station, case_of(world, closed))
    assert overview.queue(station)[0].reopened
    compose.status(station, case_of(world, closed), "closed", text="We knew that.")
    assert [case.id for case in overview.queue(station)] == [last, first]


def test_a_colleague_who_closes_unseen_hides_nothing(world: World) -> None:
    """A message that a colleague had not seen when closing reopens the case, in whatever order the two arrive."""
    who = world.report()
    world.round("ombuds")
    closing = by_ethics(world, who, Status, status="closed", text="", seen=tuple(world.station("ombuds").hashes(
        who.case.hex()
    )))  # fmt: skip
    follow_up = world.follow_up(who)
    world.round("ombuds")  # the follow-up comes first
    world.send(closing, ("ombuds",))
    world.round("ombuds")
    assert case_of(world, who).status == "closed" and case_of(world, who).reopened
    again = by_ethics(
        world, who, Status, status="closed", text="", seq=1, prev=closing.hash, seen=(follow_up.hash,)
    )  # fmt: skip
    world.send(again, ("ombuds",))
    world.round("ombuds")
    assert not case_of(world, who).reopened and not case_of(world, who).faults
