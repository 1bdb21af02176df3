"""The locked page in a real browser: sound in every size and scheme; pages that nobody uses show nothing."""

import threading
from pathlib import Path

import pytest

from tests.browser.remote import Remote, remote
from tests.workstation.carrying import PASSPHRASE, World
from whistle.workstation.app import local_server

pytestmark = pytest.mark.browser
IDLE = 3600  # seconds; nobody waits for them, since the test moves the clock
# What an hour does to a page: its own animations are over.
LATER = "document.getAnimations().forEach((each) => each.finish())"
VISIBLE = (
    "[...document.querySelectorAll('main *')].filter((each) => each.checkVisibility({ visibilityProperty: true }))"
    ".map((each) => each.textContent).join(' ')"
)


def away(page: Remote, typed: str) -> None:
    """A case's page hides what it shows once nobody used it, and gives what was typed back after unlocking."""
    assert "third floor" in page("told", VISIBLE) and "Nobody used" not in page("told", VISIBLE)
    page("type", "#reply-text", typed)
    page("told", LATER)
    shown = page("told", VISIBLE)
    assert "third floor" not in shown and "Nobody used this page" in shown and "Put the reply into the tray" in shown
    assert not page("told", "document.querySelector('#reply-text').checkVisibility({ visibilityProperty: true })")


def test_the_locked_page_and_one_that_is_left_alone(tmp_path: Path) -> None:
    """Typed blind, refused, unlocked; a case's page hides everything but its buttons; what was typed comes back."""
    world = World(tmp_path)
    world.report(text="The third floor, in May.")
    world.round("ombuds")
    folder = world.station("ombuds").vault.folder
    world.close()
    server, address, desk = local_server.serve(folder, None, saved=tmp_path / "saved", idle=IDLE)
    desk.clocks = (lambda: 0.0,)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        with remote("chrome", address.rstrip("/")) as page:
            page("goto", address)
            page("look", "locked")
            page("type", "#passphrase", "not the passphrase")
            style = "getComputedStyle(document.querySelector('#passphrase'))"
            assert page("told", f"{style}.webkitTextSecurity") == "disc"
            page("leads", "#unlock button")
            page("look", "locked-wrong")
            page("type", "#passphrase", PASSPHRASE)
            page("leads", "#unlock button")
            page("look", "open")
            page("leads", ".queue a")
            away(page, "We look into it, quietly.")
            page("look", "away")
            desk.clocks = (lambda: IDLE + 1.0,)
            page("leads", "#reply > button")
            assert "was not sent. It is kept, sealed" in page("text", "main")
            page("look", "locked-kept")
            page("type", "#passphrase", PASSPHRASE)
            page("leads", "#unlock button")
            assert page("value", "#reply-text") == "We look into it, quietly."
            page("leads", ".acts .quiet")
            assert "Unlock the workstation" in page("text", "main")
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
        desk.close()
