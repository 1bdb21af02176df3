"""The desk from right to left in a real browser: nothing is wider than a phone, and axe finds nothing."""

from pathlib import Path

import pytest

from tests.browser.desk import desk
from tests.browser.remote import remote
from tests.patience import TRIAL
from tests.workstation.conftest import arabic
from tests.workstation.hostile_files import photograph

__all__ = ["arabic"]
pytestmark = pytest.mark.browser
PAGES = ("", "workstation", *(("duties", "office", "templates", "backup", "sent", "tray", "saved") if TRIAL else ()))


@pytest.mark.usefixtures("arabic")
def test_the_desk_reads_from_right_to_left(tmp_path: Path) -> None:
    """Pages, and the frame of a file, which is told the language and the direction."""
    with (
        desk(tmp_path, [("photo of the copy room.jpg", photograph())]) as found,
        remote("chrome", found.address, scene="desk", language="ar") as page,
    ):
        page("goto", f"{found.address}/t/workstation")
        page("leads", ".languages button[value=ar]")
        for path in PAGES:
            page("goto", f"{found.address}/t/{path}")
            assert page("told", "getComputedStyle(document.body).direction") == "rtl", path
            page("look", f"desk-{path}")
        assert found.look(page, 0) == "shown"
        page("seeInFrame", "section h2")
        shown = "[document.documentElement.lang, getComputedStyle(document.body).direction, document.body.innerText]"
        language, direction, text = page("inFrame", shown)
        assert (language, direction) == ("ar", "rtl") and "«Show it sharp»" in text and "Jane Roe" in text
        page("lookInFrame", "desk-file")
        page("look", "desk-file")
