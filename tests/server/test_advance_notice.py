"""What is told before anything is written: whether somebody comes today, what follows when, and what stays behind."""

import dataclasses
import datetime
from pathlib import Path

import flask
import pytest

from tests import parties
from tests.server.visitor import Clock, Visitor, config, site, still
from whistle.server.config import Rate

MONDAY = datetime.date(2026, 11, 23)
SAID = {
    "before": (MONDAY - datetime.timedelta(days=1), ("monday", "thursday"), "Monday, 23 November 2026"),
    "on the day": (MONDAY, ("monday", "thursday"), "today, Monday, and then Thursday, 26 November 2026"),
    "once a week": (MONDAY, ("monday",), "today, Monday, and then Monday, 30 November 2026"),
    "after": (MONDAY + datetime.timedelta(days=1), ("monday", "thursday"), "Thursday, 26 November 2026"),
}
PAGES = {
    "land": lambda visitor: visitor,
    "tell": lambda visitor: visitor.step("report", {"channel": "harassment"}),
    "words": lambda visitor: visitor.tell(),
    "replies": lambda visitor: visitor.step("replies"),
    "missing": lambda visitor: visitor.open("/nowhere/"),
}


def serving(folder: Path, org: parties.Organisation, day: datetime.date, days: tuple[str, ...], how: str) -> Visitor:
    """Somebody at a server on a day, whose list has these days of collection and readers who sit there."""
    channels = tuple(dataclasses.replace(each, workstation=how) for each in org.manifest.channels)
    known = org.sign(collection=days, channels=channels)
    return Visitor(site(folder, dataclasses.replace(org, known=known), Clock(day)))


def first_line(visitor: Visitor) -> str:
    """All that is said before the organisation's name."""
    return visitor.text.removeprefix("Skip to the text Leave this page ").partition(" North Office")[0]


@pytest.mark.parametrize("how", ["offline", "connected"])
@pytest.mark.parametrize("case", SAID)
def test_the_first_line_knows_the_day(tmp_path: Path, org: parties.Organisation, case: str, how: str) -> None:
    """It says when the next pick-up is planned, and on such a day also the one after; never that somebody reads."""
    day, days, said = SAID[case]
    visitor = serving(tmp_path, org, day, days, how)
    line = f"Messages wait here to be picked up. Next planned: {said}. In danger now?"
    for name, way in PAGES.items():
        assert first_line(way(visitor.open("/en/"))) == f"{line} Call 112 (police and ambulance).", name
        assert "Nobody reads" not in visitor.text


@pytest.mark.parametrize("case", SAID)
def test_all_other_days_agree_with_the_first_line(tmp_path: Path, org: parties.Organisation, case: str) -> None:
    """The page after a report, and the case, tell the same day."""
    day, days, said = SAID[case]
    visitor = serving(tmp_path, org, day, days, "offline")
    code = visitor.tell().words
    assert f"Next planned time: {said}." in visitor.step("leave").text
    assert f"Next planned pick-up: {said}." in visitor.come_back(code).text


def test_no_fixed_day(tmp_path: Path, org: parties.Organisation) -> None:
    """Where no day is fixed none is named."""
    visitor = serving(tmp_path, org, MONDAY, (), "offline")
    assert first_line(visitor).startswith("Messages wait here to be picked up, on no fixed day. In danger now?")
    assert "planned" not in visitor.tell().text and "planned" not in visitor.step("leave").text


def test_nothing_is_picked_up_where_nothing_is_taken(app: flask.Flask, clock: Clock) -> None:
    """Once the list has ended the first line says so, and names no day."""
    clock.day += datetime.timedelta(days=114)
    assert first_line(Visitor(app)).startswith("We cannot take messages now. In danger now?")


def test_the_plan_stands_before_sending(app: flask.Flask) -> None:
    """Its dates, counted from today, are on the first page, and on the form before the button that sends."""
    promised = ["By 29 November 2026: we confirm that it arrived", "By 20 February 2027: we tell you what came of it"]
    visitor = Visitor(app)
    assert all(said in visitor.text for said in promised)
    text = visitor.step("report", {"channel": "fraud"}).text
    assert all(0 < text.find(said) < text.index("Send Sending files") for said in promised)


def test_without_a_plan_none_is_promised(tmp_path: Path, org: parties.Organisation) -> None:
    """An operator who wrote no plan promises nothing."""
    assert "Our plan" not in Visitor(site(tmp_path, org, plan=())).text


def test_what_the_browser_keeps_is_said_before_anything_is_written(app: flask.Flask) -> None:
    """History, private windows, files' names, and what leaving loses stand before whatever can be typed."""
    visitor = Visitor(app)
    assert 0 < visitor.html.index("keeps this visit in its history") < visitor.html.index('value="advice"')
    loses = "Leaving or going back loses what you typed"
    parts = ("Tor Browser or a private window", "Give files neutral names", loses)
    forms = {
        "tell": lambda: visitor.open("/en/").step("report", {"channel": "harassment"}),
        "case": lambda: visitor.come_back(visitor.tell().words),
        "exposed": lambda: visitor.come_back(visitor.tell().words).step("exposed"),
    }
    for name, way in forms.items():
        way()
        text = visitor.html.replace("<bdi>", "").replace("</bdi>", "")
        for said in (*parts, "“Leave this page” hides everything at once"):
            assert 0 < text.find(said) < text.index("<textarea"), (name, said)


def test_leaving_is_never_refused_and_leads_on(tmp_path: Path, org: parties.Organisation) -> None:
    """The press is answered by an empty page that goes on at once, whatever limits and lists say."""
    clock, once = Clock(), Rate("1 per hour", "1 per hour")
    rates = {**config(tmp_path).rates, "page": once}
    app = still(site(tmp_path, org, clock, leave="https://weather.example/?a=b&c=d", rates=rates))
    page = Visitor(app).page
    clock.day += datetime.timedelta(days=400)
    for _ in range(3):
        visitor = Visitor(app)
        assert visitor.answer.status_code == 429
        visitor.page = page
        visitor.step("away")
        assert visitor.answer.status_code == 200 and visitor.text == "Continue"
        on = ("meta", {"http-equiv": "refresh", "content": "0; url=https://weather.example/?a=b&c=d"})
        assert on in visitor.page.tags
        assert visitor.answer.headers["Referrer-Policy"] == "same-origin"
