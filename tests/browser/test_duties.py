"""Duties, clocks, texts for replies and a case's page in a real browser: by keyboard alone, and axe finds nothing."""

import datetime
from pathlib import Path

import pytest

from tests.browser.remote import Remote, remote
from tests.browser.serving import serving
from tests.browser.test_listing import tab_to
from tests.parties import DAY
from tests.workstation.carrying import World
from tests.workstation.test_hostile import case_of
from whistle.workstation.app.app import create_app
from whistle.workstation.app.pages import name_of
from whistle.workstation.cases import compose, overview
from whistle.workstation.vault import filing

pytestmark = pytest.mark.browser


def test_duties_are_done_by_keyboard(tmp_path: Path) -> None:
    """The list, the office's clocks, a text for a reply, and the line where the new begins."""
    world = World(tmp_path)
    late, arabic = world.report(text="A bill was paid twice."), world.report(language="ar", text="دُفعت الفاتورة مرتين.")
    world.round("ombuds")
    station = world.station("ombuds")
    filing.name(station, late.case.hex(), "Copy room, 3 May", ["retaliation"])
    overview.mark_read(station, case_of(world, late))
    compose.note(station, case_of(world, late), "Ask the cashier.")
    compose.status(station, case_of(world, late), "open", claimed="ombuds", deadline=DAY + datetime.timedelta(days=20))
    world.follow_up(late)
    world.round("ombuds")
    world.day = DAY + datetime.timedelta(days=9)
    world.report(text="Another one.")
    world.round("ombuds")
    app = create_app(station, world.stick, saved=tmp_path / "saved", token="t")
    with app.app_context():
        names = {each: name_of(each.case.hex()) for each in (late, arabic)}
    with serving(app) as (address, _), remote("chrome", address, scene="desk") as page:
        home = f"{address}/t/"
        page("goto", f"{home}duties")
        page("look", "desk-duties")
        tab_to(page, "Acknowledge all that is new: 3")
        page("leads", "the focus", "enter")
        page("see", "#acknowledge")
        set_clocks(page, home)
        page("goto", f"{home}case/{names[arabic]}")
        page("select", "#reply-template", "ar/acknowledgement")
        tab_to(page, "Add this text")
        page("leads", "the focus", "enter")
        page("see", ".said.good")
        assert "ورقمه المرجعي:" in str(page("told", "document.querySelector('#reply-text').value"))
        page("goto", f"{home}case/{names[late]}")
        page("see", "#new")
        page("look", "desk-case-new")
        page("goto", f"{home}backup")
        page("see", "#elsewhere")
        page("look", "desk-backup")
    world.close()


def set_clocks(page: Remote, home: str) -> None:
    """Change the office's clocks, and look at the texts."""
    page("goto", f"{home}office")
    page("look", "desk-office")
    page("type", "#free", "12-25")
    tab_to(page, "Save")
    page("leads", "the focus", "enter")
    page("see", ".said.good")
    page("goto", f"{home}templates?occasion=retaliation&language=ar")
    page("look", "desk-templates")
