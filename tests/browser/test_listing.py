"""The workstation's list in a real browser: by keyboard alone, and axe finds nothing."""

from pathlib import Path

import pytest

from tests.browser.desk import Desk, desk
from tests.browser.remote import Remote, remote
from tests.workstation.hostile_files import png

pytestmark = pytest.mark.browser
MOST_TABS = 60
FOCUSED = "(document.activeElement.name || document.activeElement.className) + ' ' + document.activeElement.innerText"


def tab_to(page: Remote, wanted: str) -> None:
    """Go on by the tabulator until what is wanted has the focus."""
    for _ in range(MOST_TABS):
        page("keys", "Tab")
        if wanted in str(page("told", FOCUSED)):
            return
    raise AssertionError(f"{wanted} is not reached")


def test_the_list_is_worked_through_by_keyboard(tmp_path: Path) -> None:
    """Titles, a filter, its end, muting and acknowledging; the first stop leads past the header."""
    files = [(f"{number}.png", png()) for number in range(16)]  # so two cases
    with desk(tmp_path, files) as found, remote("chrome", found.address, scene="desk") as page:
        home = f"{found.address}/t/"
        page("goto", home)
        page("keys", "Tab")
        assert "skip" in page("told", FOCUSED)
        name_one(page, found)
        tab_to(page, "Filter")
        page("keys", "Enter")
        tab_to(page, "label")
        page("select", "#filter-label", "retaliation")
        tab_to(page, "Show these")
        page("leads", "the focus", "enter")
        page("see", ".chosen form")
        assert "1 of 2 cases" in page("text", "main") and "Copy room, 3 May" in page("text", "main")
        page("look", "desk-filtered")
        tab_to(page, "name ")
        page("type", "#filter-name", "Copy room")
        page("leads", "the focus", "enter")
        page("see", ".kept [aria-current]")
        tab_to(page, "case ")
        page("keys", "Space")
        tab_to(page, "label ")
        page("type", "#label", "urgent, they say")
        page("leads", "the focus", "enter")  # adds it, and neither acknowledges nor mutes
        page("see", ".said.good")
        assert "1 case labelled: urgent, they say" in page("text", "main")
        page("look", "desk-kept")
        tab_to(page, "case ")
        page("keys", "Space")
        tab_to(page, "Acknowledge receipt")
        page("leads", "the focus", "enter")
        page("see", "#acknowledge")
        page("look", "desk-acknowledge")
        tab_to(page, "tray")
        page("leads", "the focus", "enter")
        page("see", ".said.good")
        tab_to(page, "Clear the filter")
        page("leads", "the focus", "enter")
        page("gone", ".chosen form")
        tab_to(page, "case ")
        page("keys", "Space")
        tab_to(page, "Mute")
        page("leads", "the focus", "enter")
        page("see", ".said.good")
        assert "1 case · 1 muted" in page("text", "main")
        page("look", "desk-list")
        set_aside(page, found)


def name_one(page: Remote, found: Desk) -> None:
    """Give a case a title and a label."""
    page("goto", found.address + found.files[0].partition("/file/")[0])
    tab_to(page, "title")
    page("type", "#own-title", "Copy room, 3 May")
    tab_to(page, "labels")
    page("type", "#own-labels", "retaliation, تحرش")
    page("leads", "the focus", "enter")
    page("see", ".said.good")
    page("look", "desk-case")
    page("goto", f"{found.address}/t/")


def set_aside(page: Remote, found: Desk) -> None:
    """What waits in the tray goes with no exchange."""
    page("goto", f"{found.address}/t/tray")
    tab_to(page, "Set it aside")
    page("leads", "the focus", "enter")
    page("see", "#aside")
    page("look", "desk-tray")
    tab_to(page, "Put it back")
    page("leads", "the focus", "enter")
    page("gone", "#aside")
