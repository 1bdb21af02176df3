"""Another site in a real browser: what it sends here is a first visit; our own forms go through, old browsers' too."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import flask
import pytest
from werkzeug.serving import make_server

from tests import parties
from tests.browser.remote import remote
from tests.browser.serving import Line, serving, without_script
from tests.browser.walks import BROWSERS, TEXTS, spread
from tests.server.visitor import opened, reported

pytestmark = pytest.mark.browser
ATTEMPT = "ab" * 32
PLANTED = "PLANTED TEXT"
FORM = """<form id="evil" method="post" action="{action}" enctype="{kind}">
<input name="step" value="{step}"><input name="attempt" value="{attempt}"><input name="text" value="{text}">
<input name="channel" value="harassment"><input name="shown" value="harassment"><input name="keys" value="1">
<input name="words" value="1 2 3 4 5 6 7 8 9 10 11 12"></form>"""
ASKED = """() => Promise.all(["{here}/en/", "{here}/api/block", "{here}/api/drop"].flatMap((url) =>
    ["no-cors", "cors"].map((mode) => {{
        const body = new Blob([new Uint8Array(16)], {{ type: "application/octet-stream" }});
        return fetch(url, {{ method: "POST", mode, body, credentials: "include" }}).then(() => 1, () => 0);
    }}))).then((all) => all.length)"""
KINDS = ("application/x-www-form-urlencoded", "multipart/form-data", "text/plain")


@contextmanager
def another_site(page: Callable[[], str], host: str) -> Iterator[str]:
    """The address of a site that shows a page."""
    server = make_server(host, 0, lambda environ, start: flask.Response(page(), mimetype="text/html")(environ, start))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://{host}:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.mark.parametrize(("name", "host"), spread(["localhost", "127.0.0.1"]))
def test_another_site_brings_nothing(
    app: flask.Flask, org: parties.Organisation, served: tuple[str, Line], name: str, host: str
) -> None:
    """Forms, frames and requests of a page elsewhere, be it on another port of the same host, leave nothing here."""
    address, line = served
    shown = [""]
    with another_site(lambda: shown[0], host) as evil, remote(name, address, axe=False) as page:
        for step, kind in [("tell", KINDS[0]), ("send", KINDS[1]), ("send", KINDS[2]), ("renew", KINDS[0])]:
            shown[0] = FORM.format(action=f"{address}/en/", kind=kind, step=step, attempt=ATTEMPT, text=PLANTED)
            page("goto", evil)
            page("leads", "#evil", "submit")
            page("see", "main h1")  # a browser may show an empty page in between
            assert page("told", "document.querySelector('h1').innerText") == "Talk to us without saying who you are"
            html = page("told", "document.documentElement.outerHTML")
            assert PLANTED not in html and ATTEMPT not in html
        shown[0] = f'<iframe src="{address}/en/"></iframe>'
        page("goto", evil)
        assert not page("told", "(() => { try { return frames[0].document.body.innerText; } catch { return ''; } })()")
        page("told", f"({ASKED.format(here=address)})()")
    assert "/api/store" not in line.asked
    assert not opened(app, org, "ombuds")
    stored = app.extensions["whistle"].store
    assert not stored.days()


@pytest.mark.parametrize(
    ("name", "told", "script"),
    [
        *[(name, "by itself", script) for name in BROWSERS for script in ("on", "off")],
        ("chrome", "by its origin alone", "on"),
        ("firefox", "by its origin alone", "off"),
    ],
)
def test_our_own_forms_go_through(
    app: flask.Flask, org: parties.Organisation, name: str, told: str, script: str
) -> None:
    """From the first page to the words, also where the browser is as old as to send nothing but an origin."""
    seen: set[tuple[str | None, bool]] = set()

    def old(environ: dict[str, Any], start: Any) -> Any:
        if environ["REQUEST_METHOD"] == "POST":
            own = environ.get("HTTP_ORIGIN") == f"http://{environ['HTTP_HOST']}"
            seen.add((environ.get("HTTP_SEC_FETCH_SITE"), own))
            if told == "by its origin alone":
                environ.pop("HTTP_SEC_FETCH_SITE", None)
        return app(environ, start)

    with serving(old) as (address, line), remote(name, address, axe=False) as page:
        line.answer = without_script if script == "off" else line.answer
        page("tell", TEXTS["en"])
        page("click" if script == "on" else "leads", "form:has([name=step][value=send]) > button")
        page("see", ".code")
        if (name, script) == ("chrome", "off"):  # Firefox asks its user first
            words = page("text", ".code")
            page("reload")
            assert page("text", ".code") == words
    assert seen == {("same-origin", True)}
    assert reported(app, org).text == TEXTS["en"]
