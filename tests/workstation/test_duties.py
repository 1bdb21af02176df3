"""Duties: an office's clocks, holidays and absence; what is due as a list and as a calendar; acknowledging all."""

import datetime
import re
from pathlib import Path

import pytest
from flask.testing import FlaskClient

from tests.parties import DAY
from tests.workstation.carrying import PASSPHRASE, World
from tests.workstation.test_app import get, post
from tests.workstation.test_commands import Desk
from tests.workstation.test_hostile import case_of
from whistle.protocol.case.message import Away
from whistle.protocol.code.retrieval import Reporter, reference
from whistle.translations import catalogues
from whistle.workstation import backup
from whistle.workstation.app import listing
from whistle.workstation.app.app import create_app
from whistle.workstation.cases import case_list, compose, transcript
from whistle.workstation.duties import clocks, deadlines, office, plan, templates
from whistle.workstation.duties.clocks import Clock, Office
from whistle.workstation.duties.deadlines import Answer
from whistle.workstation.tray import tray
from whistle.workstation.vault import check, filing

SATURDAY = datetime.date(2026, 11, 28)  # DAY is a Sunday, a week earlier
LAST = DAY + datetime.timedelta(days=7)
FORM = {
    "acknowledge-count": "7", "acknowledge-unit": "days", "feedback-count": "3", "feedback-unit": "months",
    "agreed-count": "0", "agreed-unit": "days", "weekend": ["5", "6"],
}  # fmt: skip


@pytest.fixture
def page(world: World) -> FlaskClient:
    """The page of the ombudsperson."""
    return create_app(world.station("ombuds"), world.stick, saved=world.folder / "saved", token="t").test_client()


def told(world: World, *languages: str) -> list[Reporter]:
    """Reports in these languages in the ombudsperson's vault."""
    reporters = [world.report(language=each) for each in languages]
    world.round("ombuds")
    return reporters


@pytest.mark.parametrize(
    ("set_", "acknowledge", "feedback"),
    [
        (Office(), "2026-11-29", "2027-02-28"),
        (Office(acknowledge=Clock(5, "working days")), "2026-11-27", "2027-02-27"),
        (Office(acknowledge=Clock(5, "working days"), free=("2026-11-24", "11-26")), "2026-12-01", "2027-03-01"),
        (Office(acknowledge=Clock(5, "working days"), weekend=(4, 5)), "2026-11-29", "2027-02-28"),
        (Office(feedback=Clock(60, "days")), "2026-11-29", "2027-01-28"),
    ],
    ids=["directive", "working days", "holidays", "another weekend", "feedback in days"],
)
def test_each_duty_has_its_own_clock(set_: Office, acknowledge: str, feedback: str) -> None:
    """Both stand beside each other until the first is done."""
    both = deadlines.duties(DAY, [], set_)
    assert [(each.what, each.day.isoformat()) for each in both] == [
        ("acknowledge", acknowledge),
        ("feedback", feedback),
    ]
    assert [each.what for each in deadlines.duties(DAY, [Answer("acknowledgement", DAY)], set_)] == ["feedback"]
    assert clocks.from_record(clocks.to_record(set_)) == set_


def test_what_falls_on_a_free_day_or_an_absence_is_to_be_done_before() -> None:
    """The day itself stays; agreed days may want a lead; where nothing is left before, the day itself counts."""
    set_ = Office(free=("11-27",), agreed=Clock(2, "working days"))
    assert set_.act_by("acknowledge", SATURDAY).isoformat() == "2026-11-26"
    assert set_.act_by("agreed", datetime.date(2026, 12, 1)).isoformat() == "2026-11-26"
    away = Office(away=Away(datetime.date(2026, 11, 23), SATURDAY))
    assert away.act_by("feedback", SATURDAY).isoformat() == "2026-11-20"
    assert office.reason(away, "feedback", SATURDAY) == "you are away then"
    assert "closed" in office.reason(set_, "acknowledge", SATURDAY)
    long = Office(away=Away(DAY - datetime.timedelta(days=90), SATURDAY))
    assert long.act_by("feedback", SATURDAY) == SATURDAY


WRONG: list[tuple[dict[str, object], str]] = [
    ({"acknowledge-count": "0"}, "one day at least"),
    ({"acknowledge-count": "000001" + "9" * 5000}, "at most 365 days"),
    ({"feedback-count": "13"}, "at most"),
    ({"agreed-count": "٣"}, "write a number"),
    ({"feedback-unit": "years"}, "write a number"),
    ({"weekend": [*"0123456"]}, "leave one day"),
    ({"free": "25 December <b>"}, "line of its own"),
    ({"free": "02-30"}, "this is not a day"),
    ({"free": "2026-01-01 to 2026-12-31"}, "at most 60 days"),
    ({"first": "2026-12-24"}, "first and the last day"),
    ({"first": "2026-12-24", "last": "2026-12-01"}, "not before its first"),
    ({"first": "2026-12-24", "last": "2026-12-24", "cover": "ombuds"}, "somebody else"),
]


def test_clocks_that_cannot_be_are_refused_in_words(world: World, page: FlaskClient) -> None:
    """What was typed is shown again, and what was set stays."""
    told(world, "en")
    for wrong, why in WRONG:
        said = post(page, "office", **{**FORM, **wrong})
        assert "This cannot be set" in said and why in said.lower(), wrong
        assert "free" not in wrong or str(wrong["free"]).replace("<b>", "&lt;b&gt;") in said
    assert office.of(world.station("ombuds")) == Office()


def test_clocks_set_on_the_page_move_every_case_and_survive_a_backup(world: World, page: FlaskClient) -> None:
    """At once, in the list, the case and the page of duties; a restored workstation has them too."""
    [who] = told(world, "en")
    assert f'by <time datetime="{LAST}"' in get(page, "duties") and "acknowledge receipt by" in get(page)
    changed = {**FORM, "acknowledge-count": "3", "acknowledge-unit": "working days", "free": "2026-11-24\r\n12-25"}
    said = post(page, "office", **changed)
    assert "Saved. All days" in said and "2026-11-24\n12-25" in said
    station, new = world.station("ombuds"), datetime.date(2026, 11, 26)
    assert case_of(world, who).deadlines[0].day == new == case_list.rows(station)[0][0].deadlines[0].day
    assert f'by <time datetime="{new}"' in get(page, "duties")
    folder = backup.save(station, world.folder, PASSPHRASE, log_n=12).folder
    restored = backup.restore(folder, world.folder / "again", PASSPHRASE, PASSPHRASE, "test", lambda: world.day)
    try:
        assert office.of(restored) == office.of(station) != Office() and check.faults(restored) == []
    finally:
        restored.close()


def test_the_list_holds_what_is_late_first_and_the_days_to_come(world: World, page: FlaskClient) -> None:
    """Each thing with what to do; what is written says so; what is muted or done is not there."""
    done, junk, late = told(world, "en", "en", "en")
    station = world.station("ombuds")
    compose.reply(station, case_of(world, done), "Done.", mark="feedback")
    world.round("ombuds", "ombuds")
    filing.mute(station, case_of(world, junk))
    world.day = world.carrier.today = DAY + datetime.timedelta(days=9)
    [new] = told(world, "en")
    compose.status(station, case_of(world, new), "open", deadline=world.day, claimed="ombuds")
    found = [(each.reference, each.what) for each in plan.due(station) if each.what != deadlines.CHECK_IN]
    assert found == [
        (reference(late.case), "acknowledge"),
        (reference(new.case), "agreed"),
        (reference(new.case), "acknowledge"),
        (reference(late.case), "feedback"),
        (reference(new.case), "feedback"),
    ]
    shown = get(page, "duties")
    assert re.findall(r"<h2[^>]*>([^<]+)</h2>", shown)[:3] == ["Late", "Today", "Tuesday, 8 December 2026"]
    assert "2 days late" in shown and "1 late." in shown and "3 to do within 2 weeks, 3 later" in shown
    assert "Do it by" not in shown and "Yours" in shown and "Nobody answers it yet" in shown
    assert "1 muted case has something late" in shown and reference(junk.case) not in shown
    tray.reply(station, case_of(world, late), "We have it.", (), "acknowledgement")
    assert "The reply is written" in get(page, "duties")
    assert get(page, "duties?weeks=26").count(">by <time") == 6 and get(page, "duties?page=2")


def test_an_absence_is_told_to_colleagues_in_a_note(world: World, page: FlaskClient) -> None:
    """In the cases that this reviewer answers and whoever stands in reads; nothing else leaves this vault."""
    mine, strange, other = world.report(without=()), world.report(readers=("ombuds",)), world.report(without=())
    world.round("ombuds")
    station = world.station("ombuds")
    for who in (mine, strange):
        compose.status(station, case_of(world, who), "open", claimed="ombuds")
    away = {"first": "2026-11-27", "last": "2026-12-06", "cover": "ethics"}
    assert "(2)" in get(page, "office")
    said = post(page, "office", **FORM, **away, tell="on")
    assert "a note in 1 case." in said and "does not read these" in said
    [note] = tray.items(station)
    assert (
        note.case == mine.case.hex()
        and "away from 27 November 2026 to 6 December 2026" in note.text
        and "ethics" in note.text
    )
    assert ">26 November 2026</time>: you are away then" in get(page, "duties")
    world.day = datetime.date(2026, 12, 1)
    assert "away until 6 December 2026" in get(page, "duties")
    assert other.case.hex() != note.case


def test_an_absence_stands_in_colleagues_cases_and_duties_until_it_is_over_or_taken_back(
    world: World, page: FlaskClient
) -> None:
    """As the word of whoever is away; whoever stands in is told so, and no duty moves."""
    who, station = world.report(without=()), world.station("ombuds")
    world.round("ombuds", "ethics")
    compose.status(station, case_of(world, who), "open", claimed="ombuds")
    theirs = create_app(world.station("ethics"), world.stick, saved=world.folder / "s", token="t").test_client()
    away = {"first": "2026-11-27", "last": "2026-12-06", "cover": "ethics"}
    before = {}
    for day, form in ((SATURDAY, away), (SATURDAY, {"first": "", "last": "", "cover": ""})):
        post(page, "office", **FORM, **form, tell="on")
        world.round("ombuds", "ombuds", "ethics")
        world.day = world.carrier.today = day
        duties, [name] = get(theirs, "duties"), re.findall(r"/t/case/([0-9a-f]{32})", get(theirs))
        before[bool(form["first"])] = case_of(world, who, "ethics").deadlines
        for shown in (duties, get(theirs, f"case/{name}")):
            assert ("away until 6 December 2026; you stand in" in shown) == bool(form["first"])
        assert check.faults(world.station("ethics")) == [] and not case_of(world, who, "ethics").faults
    assert before[True] == before[False]
    lines = transcript.lines(station, case_of(world, who))
    assert not [line for line in lines if line.startswith("Away")] and any("I am here again" in line for line in lines)


def test_the_calendar_file_tells_nothing_unless_told_to(world: World, page: FlaskClient) -> None:
    """One event a day, the same one at each export; with references only when they are asked for."""
    first, second = told(world, "en", "en")
    filing.name(world.station("ombuds"), first.case.hex(), "Copy room", [])
    path = world.folder / "usb.ics"
    assert "2 days, without" in post(page, "duties/calendar", where=str(path))
    text = path.read_bytes().decode()
    assert path.stat().st_mode & 0o077 == 0 and text.count("BEGIN:VEVENT") == 2 and "\r\nEND:VCALENDAR\r\n" in text
    assert set(re.findall(r"SUMMARY:(.*)\r", text)) == {"Whistle: something is due"}
    assert re.findall(r"DTSTART;VALUE=DATE:(\d+)", text) == ["20261127", "20270226"]  # before the weekends
    held = [reference(each.case) for each in (first, second)] + [each.case.hex() for each in (first, second)]
    assert not any(each in text or each.replace("-", "") in text for each in held) and "Copy" not in text
    post(page, "duties/calendar", where=str(path))
    assert path.read_bytes().decode() == text
    assert "4 duties" in post(page, "duties/calendar", where=str(path), named="on")
    assert reference(first.case) in path.read_text("utf-8") and "Copy" not in path.read_text("utf-8")
    for wrong in ("", "whistle.ics", str(world.folder), str(world.folder / "x.exe")):
        assert "alert" in post(page, "duties/calendar", where=wrong)
    [own] = re.findall(r'name="where" value="([^"]+)"', get(page, "duties"))
    assert "2 days" in post(page, "duties/calendar", where=own) and "calendar / " in get(page, "saved")


def test_all_that_is_new_is_acknowledged_in_one_act(
    world: World, page: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each in its reporter's language, with the reference in it; after one page that says so, and only once."""
    reporters = told(world, "en", "ar", "zh", "fr", "ru", "es", "sw")
    monkeypatch.setattr(listing, "AT_ONCE", 2)
    asked = post(page, "duties/acknowledge")
    assert "Acknowledge 2 reports" in asked and "acknowledge the other 5 afterwards" in asked
    monkeypatch.setattr(listing, "AT_ONCE", 7)
    asked = post(page, "duties/acknowledge")
    assert "Acknowledge 7 reports" in asked and "they write <bdi>Swahili</bdi>; there is no text in it" in asked
    fields = dict(re.findall(r'name="(text-\w+)"[^>]*>([^<]*)</textarea>', asked))
    assert len(fields) == 6 and get(page, "tray").count('id="tray-') == 0
    said = post(page, "acknowledge", case=re.findall(r'name="case" value="(\w+)"', asked), **fields)
    assert "the acknowledgement of 7 cases" in said
    world.round("ombuds")
    texts = [case_of(world, who).replies[0].text for who in reporters]
    assert [text[:6] for text in texts] == ["Thank ", "شكرًا ", "谢谢您。我们", "Merci.", "Спасиб", "Gracia", "Thank "]
    for who, text in zip(reporters, texts, strict=True):
        assert reference(who.case) in text and "{" not in text
        assert (case_of(world, who).status, case_of(world, who).claimed) == ("new", "")  # nobody has read it yet
    assert "Everything that is new is acknowledged" in post(page, "duties/acknowledge")


def test_the_command_lists_exports_and_acknowledges(world: World) -> None:
    """The same without the page; the arguments hold nothing secret."""
    english, arabic = told(world, "en", "ar")
    station = world.station("ombuds")
    station.close()
    (world.folder / "terminal").mkdir()
    desk, folder = Desk(world.folder / "terminal"), ("--folder", station.vault.folder)
    said = desk.run("duties", *folder, "--weeks", 60).output
    assert said.count(reference(english.case)) == 2 and "Acknowledge receipt" in said
    calendar = world.folder / "terminal" / "due.ics"
    desk.run("duties", *folder, "--calendar", calendar)
    assert Path(calendar).read_text("utf-8").count("SUMMARY:Whistle: something is due") >= 1
    assert "acknowledgement of 2 case(s)" in desk.run("duties", *folder, "--acknowledge").output
    assert "acknowledgement of 0 case(s)" in desk.run("duties", *folder, "--acknowledge").output
    waiting = desk.run("tray", *folder).output
    assert "Thank you. We have" in waiting and "شكرًا لك. وصلنا" in waiting and reference(arabic.case) in waiting


def test_every_text_that_comes_with_it_can_be_filled_in(world: World) -> None:
    """Six languages have the same occasions and the same fields of the case; days are written as each writes them."""
    [who] = told(world, "en")
    texts, station = templates.shipped(), world.station("ombuds")
    assert {key[1] for key in texts} == {"ar", "en", "es", "fr", "ru", "zh"} and len(texts) == 42
    for (occasion, language), text in texts.items():
        fields, english = (
            {name for name in catalogues.FIELD.findall(each) if name in templates.FIELDS}
            for each in (text, texts[occasion, "en"])
        )
        assert fields == english and len(catalogues.FIELD.findall(text)) == len(
            catalogues.FIELD.findall(texts[occasion, "en"])
        ), (occasion, language)
        filled = templates.fill(station, case_of(world, who), text, language)
        assert not any(f"{{{name}}}" in filled for name in templates.FIELDS)
    day = datetime.date(2026, 12, 3)
    words = {each: templates.in_words(day, each) for each in ("ar", "en", "es", "fr", "ru", "zh", "ar-EG", "tlh")}
    assert words["en"] == words["tlh"] == "3 December 2026" and words["zh"] == "2026年12月3日"
    assert words["ru"] == "3 декабря 2026\u202fг." or words["ru"] == "3 декабря 2026 г."
    assert (
        "ديسمبر" in words["ar"]
        and words["fr"] == "3 décembre 2026"
        and templates.in_words(datetime.date(2026, 12, 1), "fr-CH") == "1er décembre 2026"
        and "diciembre" in words["es"]
    )


def test_what_is_due_soon_is_told_on_every_page(world: World, page: FlaskClient) -> None:
    """Within fourteen days, within two, and late; of muted cases nothing."""
    [who], desk = told(world, "en"), world.station("ombuds")
    for ahead, words in {
        0: "1 within fourteen days",
        5: "1 within two days",
        7: "1 within two days",
        8: "1 late",
    }.items():
        world.day = DAY + datetime.timedelta(days=ahead)
        assert plan.alarm(desk) == words and f"Duties</a> <strong>{words}</strong>" in get(page, "tray")
    filing.mute(desk, case_of(world, who))
    case_list.refresh(desk)
    assert plan.alarm(desk) == "" and "Duties</a></span>" in get(page)
