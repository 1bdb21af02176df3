"""*Leave this page* on a slow line: nothing can be read from the press on, nothing is asked, nothing comes back."""

import contextlib
import threading
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from werkzeug.serving import make_server

from tests import parties
from tests.browser.remote import Remote, remote
from tests.browser.serving import serving
from tests.browser.walks import BROWSERS
from tests.patience import PATIENCE, until
from tests.server.visitor import Visitor, site

pytestmark = pytest.mark.browser
TEXT = "The treasurer took it."


@dataclass
class Gate:
    """Holds whatever asks for something, from when it is shut until it is opened."""

    asked: threading.Event = field(default_factory=threading.Event)
    opened: threading.Event = field(default_factory=threading.Event)

    def shut(self) -> None:
        """Hold from now on."""
        self.asked.clear()
        self.opened.clear()

    def passing(self) -> None:
        """Wait until it is open."""
        if not self.opened.is_set():
            self.asked.set()
            assert self.opened.wait(PATIENCE)


@dataclass
class Elsewhere:
    """Where leaving leads; keeps what it was told of where a visitor came from."""

    gate: Gate
    told: list[str] = field(default_factory=list)

    def __call__(self, environ: dict[str, Any], start: Any) -> Iterable[bytes]:
        """Answer, once the gate is open."""
        if environ["PATH_INFO"] == "/weather":
            self.gate.passing()
            self.told.append(environ.get("HTTP_REFERER", ""))
        start("200 OK", [("Content-Type", "text/html"), ("Cache-Control", "no-store")])
        return [b"<!doctype html><title>Weather</title><link rel=icon href=data:,><p>Fair."]


@contextlib.contextmanager
def elsewhere(gate: Gate) -> Iterator[tuple[str, Elsewhere]]:
    """Its address, and itself."""
    app = Elsewhere(gate)
    server = make_server("127.0.0.1", 0, app, threaded=True)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/weather", app
    finally:
        gate.opened.set()
        server.shutdown()
        thread.join()
        server.server_close()


@dataclass
class Leaver:
    """Somebody at a browser who leaves, again and again."""

    page: Remote
    gate: Gate
    away: str

    def goes(self, how: str) -> None:
        """Leave: the page is readable before the press, and blank from it on, until something else is there."""
        if how == "keyboard":
            self.page("tabToLeave")
        assert not self.blank
        self.gate.shut()
        self.page("leave", how)
        assert self.gate.asked.wait(PATIENCE)
        until(lambda: self.blank, "a blank page while no answer has come")  # a busy machine paints late
        self.gate.opened.set()
        self.page("at", self.away)

    @property
    def blank(self) -> bool:
        """Whether nothing is in sight."""
        return bool(self.page("isBlank"))


@pytest.mark.parametrize("script", ["on", "off"])
@pytest.mark.parametrize("name", BROWSERS)
def test_everything_is_gone_at_the_press(tmp_path: Path, org: parties.Organisation, name: str, script: str) -> None:
    """By mouse and by keyboard, from the form, the sending, the words and the case; Back never shows what was there."""
    gate = Gate()
    gate.opened.set()
    with elsewhere(gate) as (away, there):
        app = site(tmp_path, org, leave=away)
        code = Visitor(app).tell().words
        with serving(app) as (address, line), remote(name, address, axe=False) as page:
            leaver = Leaver(page, gate, away)
            held = {"/en/"} if script == "off" else set()

            def fault(path: str, _: int) -> str:
                if path in held:
                    gate.passing()
                return "404" if script == "off" and path == "/static/whistle.js" else ""

            line.fault = fault
            for how in ("mouse", "keyboard"):
                page("tell", TEXT)
                leaver.goes(how)
                page("back")
                assert TEXT not in page("told", "document.documentElement.outerHTML")
            page("tell", TEXT)
            page("leads" if script == "off" else "click", "form:has([value=send]) > button")
            page("see", ".code")
            leaver.goes("mouse")
            page("home")
            page("go", "replies")
            page("type", "#words", code)
            page("leads" if script == "off" else "click", "main [value=look]")
            page("see", "main form:has([value=follow-up])")
            leaver.goes("keyboard")
            if script == "on":
                page("tell", TEXT)
                held.add("/api/store")
                gate.shut()
                page("send", "send")
                page("see", "progress")
                assert gate.asked.wait(PATIENCE)
                leaver.goes("mouse")
            assert page("dialogs") == 0
        assert set(there.told) == {""}


@pytest.mark.parametrize("name", BROWSERS)
def test_a_number_is_called_without_a_question(tmp_path: Path, org: parties.Organisation, name: str) -> None:
    """Beside words that are not yet written down, whoever calls is not asked; whoever goes away then still is."""
    with serving(site(tmp_path, org)) as (address, _), remote(name, address, axe=False) as page:
        page("tell", TEXT)
        page("click", "form:has([value=send]) > button")
        page("see", ".code")
        page("click", '.danger a[href="tel:112"]')
        page("see", ".code")
        assert page("dialogs") == 0
        page("told", "setTimeout(() => { location.href = '/ar/'; }) > 0")
        page("at", f"{address}/ar/")
        assert page("dialogs") == 1
