"""Reporters' safety at the desk: check-ins, checks of the risk, cases that name each other."""

import datetime
from dataclasses import replace
from typing import Any

import pytest
from flask.testing import FlaskClient

from tests.parties import DAY, ROLES, reporter
from tests.workstation.carrying import PASSPHRASE, World
from tests.workstation.test_app import get, post
from tests.workstation.test_ended_keys import dismissed, late
from tests.workstation.test_hostile import a_reply, by_ethics, case_of
from whistle.protocol.case import continuation, message
from whistle.protocol.case.message import CHECK_IN, CheckIns, FollowUp, Have, Note, Reply, Status
from whistle.protocol.code.retrieval import Reporter, reference
from whistle.workstation import backup
from whistle.workstation.app import pages
from whistle.workstation.app.app import create_app
from whistle.workstation.care import check_ins, links, signs
from whistle.workstation.cases import case_list, compose, overview, transcript
from whistle.workstation.duties import clocks, deadlines, office, plan, templates
from whistle.workstation.errors import Refused
from whistle.workstation.tray import tray

MONTH, SOON = 30, 14  # days
HAPPENED = {"check-in": "happened"}


def later(days: int) -> datetime.date:
    """A day, counted from the report."""
    return DAY + datetime.timedelta(days=days)


def turn(world: World, days: int) -> None:
    """So many days have passed since the report."""
    world.day = world.carrier.today = later(days)


@pytest.fixture
def who(world: World) -> Reporter:
    """Somebody whose report the ombudsperson and the ethics office have, acknowledged by the former."""
    who = world.report(language="ar")
    world.round("ombuds", "ethics")
    compose.reply(world.station("ombuds"), case_of(world, who), "We have it.", mark="acknowledgement")
    world.round("ombuds", "ombuds", "ethics")
    return who


def page_of(world: World, id: str = "ombuds") -> FlaskClient:
    """The page of a reviewer."""
    return create_app(world.station(id), world.stick, saved=world.folder / "saved", token="t").test_client()


def name_in(page: FlaskClient, who: Reporter) -> str:
    """The name of a case in the addresses of a page."""
    with page.application.app_context():
        return pages.name_of(who.case.hex())


def care(world: World, who: Reporter, id: str = "ombuds") -> list[tuple[str, int, bool]]:
    """The check-in and the check of the risk that are due in a case, in days from the report."""
    due = [each for each in case_of(world, who, id).deadlines if each.what in (deadlines.CHECK_IN, deadlines.RISK)]
    return [(each.what, (each.day - DAY).days, each.written) for each in due]


def test_the_next_check_in_of_a_plan() -> None:
    """One that was delivered counts for all days up to it and soon after; one on its way, for what is due by then."""
    planned, day = [later(30), later(90), later(180)], deadlines.check_in
    assert [each.day for each in day(planned, [], later(200))] == [later(30)]
    assert [each.day for each in day(planned, [later(16)], later(16))] == [later(90)]
    assert [each.day for each in day(planned, [later(15)], later(16))] == [later(30)]
    assert [each.day for each in day(planned, [later(100), later(20)], later(100))] == [later(180)]
    assert day(planned, [later(170)], later(170)) == [] == day([], [None], DAY)
    assert [each.written for each in day(planned, [None], later(20))] == [True]
    assert [each.written for each in day(planned, [later(30), None], later(40))] == [False]


def test_reporters_are_asked_by_the_office_or_as_was_planned(world: World, who: Reporter) -> None:
    """After so many days; colleagues see the plan, another status leaves it, and a backup keeps it."""
    assert care(world, who) == care(world, who, "ethics") == [("check-in", MONTH, False)]
    station = world.station("ombuds")
    office.save(station, replace(office.of(station), check_ins=(10,)))
    assert case_list.rows(station)[0][0].deadlines[0].day == later(10) and care(world, who, "ethics")[0][1] == MONTH
    page = page_of(world)
    name = name_in(page, who)
    said = post(page, f"case/{name}/check-ins", plan="days", days="2026-12-31، 2027-01-31")
    assert "In the tray" in said
    tray.claim(station, case_of(world, who))
    world.round("ombuds", "ethics")
    days = (datetime.date(2026, 12, 31), datetime.date(2027, 1, 31))
    for id in ("ombuds", "ethics"):
        case = case_of(world, who, id)
        assert case.standing and case.standing.check_ins == CheckIns(days) and case.claimed == "ombuds"
        assert "Check-ins: 2026-12-31, 2027-01-31." in "\n".join(transcript.lines(world.station(id), case))
    folder = backup.save(station, world.folder, PASSPHRASE, log_n=12).folder
    restored = backup.restore(folder, world.folder / "again", PASSPHRASE, PASSPHRASE, "test", lambda: world.day)
    assert overview.load(restored, who.case.hex()).check_ins == days and office.of(restored).check_ins == (10,)
    restored.close()
    post(page, f"case/{name}/check-ins", plan="none", days="")
    world.round("ombuds", "ethics")
    assert care(world, who) == care(world, who, "ethics") == []
    for typed in ("soon", "2026-02-30", " ".join(f"2027-01-{day:02}" for day in range(1, 18))):
        assert "Not done" in post(page, f"case/{name}/check-ins", plan="days", days=typed) and not tray.items(station)


def test_nobody_is_asked_before_a_report_is_acknowledged_or_who_asked_for_advice(world: World) -> None:
    """Junk would get it otherwise; asking for advice starts nothing."""
    junk, adviser = world.report(), world.report(answers={"way": "advice"})
    world.round("ombuds")
    compose.reply(world.station("ombuds"), case_of(world, adviser), "Call us.", mark="acknowledgement")
    world.round("ombuds", "ombuds")
    assert case_of(world, adviser).answers and care(world, junk) == care(world, adviser) == []


def test_all_check_ins_that_are_due_are_prepared_by_one_press(world: World, who: Reporter) -> None:
    """In the reporter's language, and marked; once it is delivered the next one is due.  Who waits for a reply is not
    asked, and neither is anybody twice.
    """
    page, station = page_of(world), world.station("ombuds")
    turn(world, 13)
    assert "check-in that is due" not in get(page, "duties")
    waits = world.report()
    world.round("ombuds")
    compose.reply(station, case_of(world, waits), "We have it.", mark="acknowledgement")
    world.round("ombuds", "ombuds")
    world.follow_up(waits, answers={"check-in": "unsure"})
    turn(world, MONTH + 14)
    world.round("ombuds")
    shown = get(page, "duties")
    assert "Put all 2 check-ins that are due" in shown and "Ask the reporter how they are" in shown
    said = post(page, "duties/check-in")
    assert "A check-in is in the tray" in said and "the reporter wrote, and nobody has replied" in said
    [item] = tray.items(station)
    filled = templates.all_of(station)["check-in", "ar"].replace("{role}", "Ombudsperson")
    assert (item.case, item.text, item.fields["mark"]) == (who.case.hex(), filled, CHECK_IN)
    assert care(world, who) == [("check-in", MONTH, True)]
    with pytest.raises(Refused, match="in the tray already"):
        check_ins.put(station, case_of(world, who))
    world.round("ombuds", "ombuds")
    assert care(world, who) == [("check-in", 90, False)]
    sent = {each.message.mark: each.message.receipt for each in world.replies(who) if isinstance(each.message, Reply)}
    assert sent[CHECK_IN] is None and sent["acknowledgement"] and len(sent) == 2
    world.round("ethics")
    assert care(world, who, "ethics") == [("check-in", 90, False)]


def test_a_reporter_who_was_harmed_stands_first_until_somebody_replies(world: World, who: Reporter) -> None:
    """At each desk; a check-in, which asks the same of everybody, is no reply to it."""
    urgent = world.report(answers={"urgent": "yes"})
    world.follow_up(who, text="", answers=HAPPENED)
    world.round("ombuds", "ethics")
    for id in ("ombuds", "ethics"):
        assert {row.id: row.urgent for row in case_list.rows(world.station(id))[0]} == dict.fromkeys(
            (who.case.hex(), urgent.case.hex()), True
        )
    page, station = page_of(world), world.station("ombuds")
    shown = get(page, f"case/{name_in(page, who)}")
    assert "something has happened to them since they reported" in shown and "Something happened" in shown
    assert "Something happened" in "\n".join(transcript.lines(station, case_of(world, who)))
    compose.reply(world.station("ethics"), case_of(world, who, "ethics"), "How are you?", mark=CHECK_IN)
    world.round("ethics", "ombuds")
    assert case_of(world, who).harmed and case_of(world, who).unanswered and not case_of(world, urgent).harmed
    tray.reply(station, case_of(world, who), "We are with you.")
    assert not case_of(world, who).harmed
    world.round("ombuds", "ethics")
    assert not case_of(world, who, "ethics").harmed
    world.follow_up(who, answers={"check-in": "nothing"})
    world.round("ombuds")
    assert not case_of(world, who).harmed and case_of(world, who).unanswered


def test_nobody_answers_a_check_in_for_the_reporter(world: World, who: Reporter) -> None:
    """A follow-up in the case that somebody else signs is nonsense; in a colleague's note it says nothing."""
    fields = case_of(world, who).by_reporter[0]
    named = {
        name: getattr(fields, name) for name in ("case", "readers", "without", "keys", "sender", "day", "language")
    }
    false = FollowUp(**named, sealed="device", answers={"check-in": "nothing"})
    world.send(message.sign(false, world.org.people["ethics"].secret.signing), ("ombuds",))
    world.send(by_ethics(world, who, Note, answers=HAPPENED), ("ombuds",))
    [done] = world.round("ombuds")
    assert done.imported.damaged == 1
    case = case_of(world, who)
    assert not case.harmed and case.risk is None and len(case.by_reporter) == 1


def test_a_check_in_that_the_reporter_does_not_see_is_none(world: World, who: Reporter) -> None:
    """What a colleague lays into another's lane, or signs after their key ended, asks nobody; a plan of theirs counts
    for nothing either.
    """
    turn(world, MONTH)
    world.send(a_reply(world, who, lane=0, n=5, mark=CHECK_IN), ("ombuds",))
    world.round("ombuds")
    assert care(world, who) == [("check-in", MONTH, False)]


RISK, ASKED = ("risk", 20, False), ("check-in", MONTH, False)
LATE_PLAN = CheckIns((later(-300),))
ENDING: dict[str, tuple[list[dict[str, Any]], list[tuple[str, int, bool]], str]] = {
    "copy": ([{"mark": CHECK_IN}], [RISK, ("check-in", 90, False)], "Check-in by Ethics office"),
    "plan": ([{"check_ins": CheckIns(())}], [RISK], "Status by Ethics office"),
    "past": ([{"mark": CHECK_IN}, {"check_ins": LATE_PLAN}], [RISK], "Status by Ethics office"),
    "risk": ([{"answers": {"power": "no"}}], [ASKED], "Note by Ethics office"),
}


@pytest.mark.parametrize("way", ENDING)
def test_a_colleague_who_ends_reminders_is_named(world: World, who: Reporter, way: str) -> None:
    """By a check-in that the reporter never got, a plan without days or of days before it, or a check of the risk that
    names no day: each is shown as its author's message.
    """
    station = world.station("ombuds")
    compose.note(station, case_of(world, who), "", answers={"power": "yes"}, again=later(20))
    world.round("ombuds")
    turn(world, MONTH)
    assert care(world, who) == [RISK, ASKED]
    messages, left, shown = ENDING[way]
    prev = None
    for seq, changes in enumerate(messages):
        place: dict[str, Any] = {"seq": seq, "prev": prev, "day": world.day, **changes}
        if "mark" in changes:
            signed = a_reply(world, who, **place)
        elif "check_ins" in changes:
            signed = by_ethics(world, who, Status, status="open", **place)
        else:
            signed = by_ethics(world, who, Note, **place)
        prev = signed.hash
        world.send(signed, ("ombuds",))
    world.round("ombuds")
    assert care(world, who) == left and len(world.replies(who)) == 1
    case = case_of(world, who)
    assert shown in transcript.headline(station, case, case.entries[-1])


def test_a_plan_that_a_dismissed_reviewer_dates_back_has_no_effect(world: World) -> None:
    """Whoever has left silences nobody's check-ins."""
    who = world.report()
    world.round("ombuds")
    compose.reply(world.station("ombuds"), case_of(world, who), "We have it.", mark="acknowledgement")
    world.round("ombuds", "ombuds")
    turn(world, 4)
    world.carrier.manifests = [world.org.known, dismissed(world)]
    silent = by_ethics(world, who, Status, status="closed", check_ins=CheckIns(()), text="")
    late(world, silent)
    world.round("ombuds")
    assert care(world, who) == [("check-in", MONTH, False)] and case_of(world, who).entries[-1].ended


def test_a_check_of_the_risk_is_a_note_and_is_looked_at_again(world: World, who: Reporter) -> None:
    """Colleagues have it; the newest one counts, and ends it if it names no day."""
    page, station = page_of(world), world.station("ombuds")
    name = name_in(page, who)
    assert "no question is answered" in post(page, f"case/{name}/risk", power="", guess="", danger="", again="30")
    assert "no number of days" in post(page, f"case/{name}/risk", power="yes", guess="", danger="", again="1e3")
    said = post(page, f"case/{name}/risk", power="yes", guess="unknown", danger="no", again="20", text="Ask her union.")
    assert "In the tray" in said
    tray.change(station, tray.items(station)[0].id, "Ask the union.")
    world.round("ombuds", "ethics")
    for id in ("ombuds", "ethics"):
        risk = case_of(world, who, id).risk
        assert risk and (risk.answers, risk.again, risk.text) == (
            {"power": "yes", "guess": "unknown", "danger": "no"}, later(20), "Ask the union.",
        )  # fmt: skip
        assert ("risk", 20, False) in care(world, who, id)
    assert len(world.replies(who)) == 1  # the reporter gets nothing of it
    turn(world, 19)
    assert [each.what for each in plan.due(station) if each.by <= later(20)] == ["risk"]
    post(page_of(world, "ethics"), f"case/{name}/risk", power="no", guess="", danger="", again="")
    world.round("ethics", "ombuds")
    assert care(world, who) == care(world, who, "ethics") == [("check-in", MONTH, False)]


def test_a_case_that_names_another_is_linked_as_its_reporters_claim(world: World, who: Reporter) -> None:
    """A stranger who knows a reference proves nothing by it and learns nothing; two that name each other do."""
    mine = reference(who.case)
    typed = f"  {mine.translate(str.maketrans('0123456789', '٠١٢٣٤٥٦٧٨٩'))} "
    new, elsewhere = world.report(answers={"earlier": typed}), world.report(answers={"earlier": "1111 2222 3333"})
    world.report(answers={"earlier": "12345"})
    world.round("ombuds", "ethics")
    station = world.station("ombuds")

    def said(about: Reporter) -> list[tuple[str, str]]:
        return [(link.text.partition(".")[0], link.case) for link in links.of(station, case_of(world, about))]

    assert said(new) == [(f"The reporter says that this has to do with case {mine}", who.case.hex())]
    assert said(who) == [
        (f"Somebody says in case {reference(new.case)} that it has to do with this one", new.case.hex())
    ]
    assert "which is not on this computer" in said(elsewhere)[0][0] and len(case_list.rows(station)[0]) == 4
    assert set(case_of(world, new).allowed) == {"ombuds", "ethics"} and not world.replies(new)
    world.follow_up(who, answers={"earlier": reference(new.case)})
    world.round("ombuds")
    for one, other in ((new, who), (who, new)):
        both = f"This case and case {reference(other.case)} name each other"
        assert [(text.partition(":")[0], case) for text, case in said(one)] == [(both, other.case.hex())]
    page = page_of(world)
    assert "name each other" in get(page, f"case/{name_in(page, who)}")


def test_two_cases_of_one_reference_prove_nothing(world: World, who: Reporter, monkeypatch: pytest.MonkeyPatch) -> None:
    """Somebody who made a case of the same reference at great expense is not taken for its reporter."""
    new = world.report(answers={"earlier": reference(who.case)})
    world.follow_up(who, answers={"earlier": reference(new.case)})
    world.round("ombuds")
    station, false = world.station("ombuds"), reporter()
    world.report(false, answers={"earlier": reference(who.case)})
    world.round("ombuds")
    session = station.vault.session
    with station.change():
        row = session.query(case_list.CaseRow).filter_by(hash=false.case.hex()).one()
        row.digits = signs.digits(reference(new.case))
    assert not any("name each other" in link.text for link in links.of(station, case_of(world, who)))


def test_a_case_that_continues_another_is_told_in_the_old_one(world: World, who: Reporter) -> None:
    """As signed where the old key signed it, as a claim where another did."""
    new, thief = reporter(), reporter()
    world.report(new, continues=continuation.prove(who.signing, who.case, new.case))
    world.report(thief, continues=continuation.prove(thief.signing, who.case, thief.case))
    world.round("ombuds")
    found = {link.case: link.text for link in links.of(world.station("ombuds"), case_of(world, who))}
    assert "signed that" in found[new.case.hex()] and "Somebody says" in found[thief.case.hex()]


def test_many_who_name_a_case_are_counted(world: World, who: Reporter, monkeypatch: pytest.MonkeyPatch) -> None:
    """A stranger who floods a case with names takes no more than a line."""
    monkeypatch.setattr(links, "MOST", 2)
    for _ in range(4):
        world.report(answers={"earlier": reference(who.case)})
    world.round("ombuds")
    told = links.of(world.station("ombuds"), case_of(world, who))
    assert len(told) == 3 and told[-1].text == "2 more cases are named."


def test_what_is_typed_for_the_offices_check_ins(world: World) -> None:
    """Numbers of days; an office that was kept before there were check-ins has the usual ones."""
    assert clocks.parse_check_ins(" 90, 30،180") == (30, 90, 180) and clocks.parse_check_ins("") == ()
    for wrong in ("0", "soon", "99999", ",".join(map(str, range(1, 18)))):
        with pytest.raises(ValueError, match="numbers of days"):
            clocks.parse_check_ins(wrong)
    record = clocks.to_record(clocks.DIRECTIVE)
    del record["check_ins"]
    assert clocks.from_record(record).check_ins == (30, 90, 180)


def test_each_language_has_a_text_for_a_check_in() -> None:
    """It asks, and nothing in it is left for whoever writes."""
    texts = {language: text for (occasion, language), text in templates.shipped().items() if occasion == "check-in"}
    assert set(texts) == {"ar", "en", "es", "fr", "ru", "zh"} and ROLES
    for text in texts.values():
        assert templates.FIELD.findall(text) == ["role"] and ("?" in text or "？" in text or "؟" in text)


def test_no_colleague_answers_in_advance(world: World) -> None:
    """A reply that claims to know what was written after it hides neither harm nor what a report is owed."""
    hurt, adviser = world.report(), world.report(answers={"way": "advice"})
    for who in (hurt, adviser):
        world.send(a_reply(world, who, have=Have(1_000_000, DAY), mark="feedback"), ("ombuds",))
    world.round("ombuds")
    turn(world, SOON)
    world.follow_up(hurt, answers=HAPPENED)
    world.follow_up(adviser, answers={"way": "report"})
    world.round("ombuds")
    assert case_of(world, hurt).harmed and case_of(world, hurt).urgent
    assert [each.what for each in case_of(world, adviser).deadlines] == ["acknowledge", "feedback"]
