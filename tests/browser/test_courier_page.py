"""The courier's page in a real browser: sound in every size and scheme."""

import datetime
from pathlib import Path

import pytest

from tests.browser.remote import remote
from tests.test_courier import Place, courier, place
from tests.test_courier_page import Sticks, ports, served

__all__ = ["place", "ports"]  # fixtures
pytestmark = pytest.mark.browser


def test_one_button(place: Place, ports: Sticks, tmp_path: Path) -> None:
    """A new stick gets its name, the button brings words and then says to take it out, and axe finds nothing."""
    place.now = datetime.datetime.now(datetime.UTC)
    courier(place, tmp_path / "courier")
    with served(tmp_path / "courier") as found, remote("chrome", found.address.rstrip("/")) as page:
        page("goto", found.address)
        page("look", "courier-none")
        ports.put_in("usb")
        page("seeInFrame", "a")  # the page that is open notices it
        page("leads", "main > p a")
        page("look", "courier-new")
        page("type", "input[name=name]", "Blue")
        page("leads", ".panel button", "click")
        page("seeInFrame", "::-p-text(The stick Blue is in.)")
        page("look", "courier-known")
        page("leads", "form[action$=exchange] button")
        assert "Everything is written. You may take the stick out." in page("text", "main")
        page("look", "courier-done")
        ports.take_out()
        page("leads", "main > p a")
        page("seeInFrame", "::-p-text(There is no stick.)")
        ports.put_in("usb")
        place.between = lambda application, environ, start: (start("500 No", [("Content-Type", "text/plain")]), [])[1]
        page("leads", "main > p a")
        page("leads", "form[action$=exchange] button")
        assert "Not finished: the server answered with an error" in page("text", "[role=alert]")
        page("look", "courier-failed")
