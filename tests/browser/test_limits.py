"""Where more arrives than the server takes: why, for how long, and that nothing is stored, with script on and off."""

import os
from pathlib import Path

import flask
import pytest

from tests import parties
from tests.browser.remote import remote
from tests.browser.serving import Line, without_script
from tests.browser.walks import BROWSERS, LOGIC, PAIRS, TEXTS
from tests.patience import until
from tests.server.test_receiving import on_disk
from tests.server.visitor import Visitor, config, still
from whistle.server.config import Rate
from whistle.server.instance import NAME

pytestmark = pytest.mark.browser
TOLD = """() => new Promise((done) => {
    const looking = () => /try again/.test(document.body.innerText) ? done(true) : setTimeout(looking, 50);
    looking();
})"""
OFTEN = Rate("1000 per second", "1000 per second")


def limit(app: flask.Flask, tmp_path: Path, **rates: Rate) -> None:
    """Let the server have other limits from now on, and a clock that stands still."""
    still(app)
    app.extensions["whistle_limits"]._config = config(tmp_path, rates={**config(tmp_path).rates, **rates})


@pytest.mark.parametrize(("name", "language"), PAIRS)
def test_it_is_asked_before_an_upload(
    app: flask.Flask, org: parties.Organisation, served: tuple[str, Line], tmp_path: Path, name: str, language: str
) -> None:
    """With script on the server is asked while the first block is on its way; no more is sent, that one goes, and what
    was typed stays, and goes when there is room."""
    address, line = served
    Visitor(app).tell("The first.")
    limit(app, tmp_path, send=Rate("1 per hour", "1 per hour"))
    Visitor(app).tell("The second.")
    file = tmp_path / "file.bin"
    file.write_bytes(os.urandom(600_000))
    with remote(name, address, language, axe=name == "chrome") as page:
        page("tell", TEXTS[language], [str(file)])
        page("see", "#clean")
        page("click", "#clean")  # no picture, and so not to be cleaned
        page("send", "send")
        page("see", "main .summary")
        said = page("text", "main .summary")
        page("look", "limited")
        assert ("Too much is arriving just now" if language == "en" else "يصل إلينا الآن أكثر مما نستطيع") in said
        assert ("None of this was stored" if language == "en" else "لم يُحفظ شيء من هذا") in said
        assert ("60 minutes" if language == "en" else "60 دقيقة") in said
        assert not page("told", "!!document.querySelector('main .summary [data-do=plain]')")
        assert page("value", "#text") == TEXTS[language]
        assert line.asked.count("/api/block") <= 1 and "/api/store" not in line.asked
        until(lambda: on_disk(app.extensions[NAME]) == 0, "the block is dropped")
        limit(app, tmp_path, send=OFTEN)
        page("click", "main .summary [data-do=again]")
        page("see", ".code")


@pytest.mark.parametrize("name", LOGIC)
def test_a_short_wait_is_told(
    app: flask.Flask, org: parties.Organisation, served: tuple[str, Line], tmp_path: Path, name: str
) -> None:
    """A wait of minutes stands there with its cause, and that nothing is stored; who stops it keeps the text."""
    address, _ = served
    limit(app, tmp_path, send=Rate("1 per 4 minutes", "1 per 4 minutes"))
    Visitor(app).tell("The first.")
    with remote(name, address, axe=name == "chrome") as page:
        page("tell", TEXTS["en"])
        page("see", ".sealing b")
        page("send", "send")
        page("see", "main section[aria-labelledby=sending]")
        page("told", f"({TOLD})()")
        said = page("text", "main section[aria-labelledby=sending]")
        page("look", "limited-waiting")
        assert "Too much is arriving at our server just now. We try again in 4 minutes" in said
        assert "Nothing of your message is stored yet." in said and "does not answer" not in said
        page("click", "[data-do=cancel]")
        page("see", "[data-said]")
        assert page("value", "#text") == TEXTS["en"]
        limit(app, tmp_path, send=OFTEN)
        page("send", "send")
        page("see", ".code")


@pytest.mark.parametrize("name", BROWSERS)
def test_what_is_stopped_is_gone(app: flask.Flask, served: tuple[str, Line], tmp_path: Path, name: str) -> None:
    """The blocks of an upload that somebody stops, or that the server refuses at its end, do not stay on its disk."""
    address, line = served
    instance = app.extensions[NAME]
    line.fault = lambda path, number: "503" if path == "/api/store" else ""
    file = tmp_path / "file.bin"
    file.write_bytes(os.urandom(600_000))
    with remote(name, address, axe=False) as page:
        page("tell", TEXTS["en"], [str(file)])
        page("see", "#clean")
        page("click", "#clean")
        page("send", "send")
        page("see", "[data-do=plain]")
        assert on_disk(instance) >= 6
        page("click", "[data-do=cancel]")
        page("see", "[data-said]")
        until(lambda: on_disk(instance) == 0, "the blocks are dropped")
        line.fault = lambda path, number: "507" if path == "/api/store" else ""
        page("send", "send")
        page("see", "main .summary")
        assert "Our server is full. Nothing was stored" in page("text", "main .summary")
        assert on_disk(instance) == 0
    assert line.asked.count("/api/drop") == 2


@pytest.mark.parametrize(("name", "language"), PAIRS)
def test_the_plain_way(
    app: flask.Flask, org: parties.Organisation, served: tuple[str, Line], tmp_path: Path, name: str, language: str
) -> None:
    """With script off the form comes back with a heading that says so, for how long, and what was typed."""
    address, line = served
    line.answer = without_script
    limit(app, tmp_path, send=Rate("1 per 4 minutes", "1 per 4 minutes"))
    Visitor(app).tell("The first.")
    with remote(name, address, language, axe=name == "chrome") as page:
        page("tell", TEXTS[language])
        page("leads", "form:has([name=step][value=send]) > button")
        said = page("text", "main .summary")
        page("look", "limited-plain")
        assert ("Too much is arriving just now" if language == "en" else "يصل إلينا الآن أكثر مما نستطيع") in said
        assert ("Please try again in 4 minutes" if language == "en" else "نرجو المحاولة مرة أخرى بعد 4 دقائق") in said
        assert "Something is missing" not in said
        assert page("value", "#text") == TEXTS[language]
        limit(app, tmp_path, send=OFTEN)
        page("leads", "form:has([name=step][value=send]) > button")
        page("see", ".code")
