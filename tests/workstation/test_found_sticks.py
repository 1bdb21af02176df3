"""Sticks that the workstation finds by itself."""

from pathlib import Path

import pytest

from tests.test_courier_page import Sticks, ports
from tests.workstation.carrying import PASSPHRASE, World
from tests.workstation.test_app import post
from whistle import sticks
from whistle.workstation.app.app import create_app
from whistle.workstation.app.desk import Desk
from whistle.workstation.language import t
from whistle.workstation.workstation import Workstation

__all__ = ["ports"]  # a fixture


def test_a_new_stick_is_asked_about_and_a_known_one_is_not(
    world: World, ports: Sticks, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is written before it has a name; then one press exchanges, flushes, and says to take it out."""
    station = world.station("ombuds")
    page = create_app(station, None, token="t").test_client()
    assert "No stick is in." in page.get("/t/sticks").text
    assert "no stick that is known" in post(page, "exchange")
    stick = ports.put_in("usb")
    assert "A stick that is new here" in page.get("/t/").text
    assert "no name for a stick" in post(page, "stick", folder=str(stick), name="")
    assert "no longer there" in post(page, "stick", folder=str(world.folder), name="x")
    assert list(stick.iterdir()) == [] and not (world.folder / sticks.MARK).exists()
    post(page, "stick", folder=str(stick), name="Blue")
    flushed: list[Path] = []
    monkeypatch.setattr(sticks, "flush", flushed.append)
    assert t("session.take_out") in post(page, "exchange") and flushed == [stick]
    assert (stick / "outbox").is_dir() and sticks.marked(stick).name == "Blue"

    def fails(folder: Path) -> None:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(sticks, "flush", fails)
    said = post(page, "exchange")
    assert t("session.take_out") not in said and "Input/output error" in said


def test_a_mark_of_the_courier_is_asked_about_without_a_new_name(world: World, ports: Sticks) -> None:
    """The stick keeps its number and name on both sides."""
    page = create_app(world.station("ombuds"), None, token="t").test_client()
    stick = ports.put_in("usb")
    made = sticks.mark(stick, "Blue")
    assert "Its name is" in page.get("/t/").text and "known here" in post(page, "exchange")
    post(page, "stick", folder=str(stick))
    assert t("session.take_out") in post(page, "exchange") and sticks.marked(stick) == made


def test_a_stick_is_noticed_while_a_page_is_open(world: World, ports: Sticks) -> None:
    """What says so stands in every page but a file's, and is no use by a person: it waits for nothing that goes on,
    leaves the vault to commands, and the lock falls all the same."""
    page = create_app(world.station("ombuds"), None, token="t").test_client()
    desk: Desk = page.application.config["WHISTLE_DESK"]
    now = [0.0]
    desk.clocks = (lambda: now[0],)
    for path in ("", "tray", "duties", "workstation"):
        shown = page.get(f"/t/{path}")
        assert 'src="/t/sticks"' in shown.text and "frame-src 'self'" in shown.headers["Content-Security-Policy"]
    sticks.mark(ports.put_in("usb"), "Blue")
    with desk.turn:  # an exchange is under way
        answer, style = page.get("/t/sticks"), page.get("/t/static/style.css")
    assert "A stick that is new here is in" in answer.text and style.status_code == 200
    assert int(answer.headers["Refresh"]) <= 5 and answer.headers["X-Frame-Options"] == "SAMEORIGIN"
    assert "frame-ancestors 'self'" in answer.headers["Content-Security-Policy"]
    post(page, "stick", folder=str(ports.there[1].mountpoint))
    assert "The stick <bdi>Blue</bdi> is in." in page.get("/t/sticks").text
    Workstation.open(desk.folder, PASSPHRASE).close()  # a command, which opens it in between
    now[0] = desk.idle - 1.0
    page.get("/t/sticks")
    now[0] += 1.0
    desk.tick()
    assert desk.is_locked and "Blue" not in page.get("/t/sticks").text
