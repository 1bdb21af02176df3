"""Pages beside the cases in a real browser: axe finds nothing, and a case is exported by keyboard alone."""

from pathlib import Path

import pytest

from tests.browser.desk import desk
from tests.browser.remote import remote
from tests.browser.serving import serving
from tests.browser.test_listing import tab_to
from tests.workstation.hostile_files import png
from whistle.workstation.app.app import create_app

pytestmark = pytest.mark.browser


def test_pages_beside_the_cases(tmp_path: Path) -> None:
    """Each is looked at by axe; an export and what was saved of it are reached and removed by keyboard."""
    with desk(tmp_path, [("photo.png", png())]) as found, remote("chrome", found.address, scene="desk") as page:
        for path in ("sent", "workstation"):
            page("goto", f"{found.address}/t/{path}")
            page("look", f"desk-{path}")
        above = "document.querySelector('.acts').getBoundingClientRect().bottom <= "
        assert page("told", above + "document.querySelector('nav').getBoundingClientRect().top")  # Lock is in sight
        nothing = create_app(tmp_path / "none", None, saved=tmp_path / "saved", token="t", profile="test")
        with serving(nothing) as (address, _):
            page("goto", f"{address}/t/")
            page("see", "#new")
            page("look", "desk-begin")
        page("goto", found.address + found.files[0].partition("/file/")[0])
        tab_to(page, "Export the case")
        page("leads", "the focus", "enter")
        page("see", ".said.good")
        page("look", "desk-case-exported")
        page("goto", f"{found.address}/t/saved")
        page("look", "desk-saved")
        tab_to(page, "file ")
        page("keys", "Space")
        tab_to(page, "Remove what is ticked")
        page("leads", "the focus", "enter")
        page("see", ".said.good")
