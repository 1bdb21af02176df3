"""What the program does not send, and a page of the server's that is slow: each is told, and what was typed stays."""

import threading
from pathlib import Path

import flask
import pytest

from tests import parties
from tests.browser.remote import remote
from tests.browser.serving import Line, serving
from tests.browser.test_line import to_the_form
from tests.browser.walks import BROWSERS, LOGIC
from tests.patience import PATIENCE, until
from tests.server.test_asking import GATE, SITE
from tests.server.visitor import opened, reported, site
from whistle.protocol.case.message import FollowUp, Report
from whistle.protocol.reporter.questions import Question

pytestmark = pytest.mark.browser
TEXT = "Money was taken."
RUNS = """new Promise((done) => {
    const looking = () => window.whistle ? setTimeout(done, 0, true) : setTimeout(looking, 50);
    looking();
})"""  # the program has begun
MANY = """() => {
    const chosen = new DataTransfer();
    for (let n = 0; n < 501; n++) chosen.items.add(new File(["x"], `${n}.txt`));
    document.querySelector("#files").files = chosen.files;
    return chosen.files.length;
}"""


@pytest.mark.parametrize("name", LOGIC)
def test_more_files_than_a_form_takes(tmp_path: Path, org: parties.Organisation, name: str) -> None:
    """Too many files, or too large ones, are told before any is sealed; with fewer the same form goes through."""
    app = site(tmp_path, org, max_upload=1 << 20)
    large, small = tmp_path / "large.bin", tmp_path / "small.bin"
    large.write_bytes(bytes((1 << 20) + 1))
    small.write_bytes(bytes(1000))
    with serving(app) as (address, line), remote(name, address, axe=name == "chrome") as page:
        page("tell", TEXT, [str(large)])
        page("send", "send")
        page("see", "#files-error")
        assert "1 MB" in page("text", "#files-error")
        assert page("told", f"({MANY})()") == 501
        page("send", "send")
        page("see", "#files-error")
        assert "500" in page("text", "#files-error")
        page("look", "too-many")
        assert page("value", "#text") == TEXT
        assert "/api/block" not in line.asked
        page("pick", "#files", str(small))
        page("uncleaned")
        page("send", "send")
        page("see", ".code")
    assert reported(app, org).text == TEXT


def test_a_request_for_advice(tmp_path: Path, org: parties.Organisation) -> None:
    """To ask is not yet to say anything; what an answer hides again is not sent; one press makes it a report.

    New words ask for advice as well, unless a box makes that a report too.
    """
    when = Question("when", {"en": "When?"}, {}, "date")
    app = site(tmp_path, org, questions={"harassment": (SITE, GATE, when)})
    with serving(app) as (address, _), remote("chrome", address) as page:
        page("home")
        page("go", "advice")
        page("send", "send")
        page("see", "#text-error")
        page("look", "empty-advice")
        assert not opened(app, org, "ethics")
        page("click", "[name=answer-site][value=north]")
        page("type", "[name=answer-gate]", "Seven.")
        page("click", "[name=answer-site][value=south]")
        page("select", "select[name=answer-when]", "long-ago")
        page("click", "input[name=answer-when]")
        page("send", "send")
        page("see", ".code")
        shown = page("text", ".code ol").split()
        words = "site Which site?\nsite=north North\nsite=south South\nwhen When?"
        answers = {"site": "south", "when": "long-ago ongoing", "asked": words, "way": "advice"}
        assert (reported(app, org).text, reported(app, org).answers) == ("", answers)
        typed = " ".join(word for word in shown if not word.isdigit())
        page("comeBack", typed)
        page("press", "make-report")
        page("says", "Your follow-up is stored")
        for ticked in (False, True):
            page("comeBack", typed)
            page("press", "exposed")
            page("see", "#way")
            if ticked:
                page("click", "#way")
            page("look", f"exposed-advice-{ticked}")
            page("send", "renew")
            page("see", ".code")
    renewed = [each.message for each in opened(app, org, "ethics") if isinstance(each.message, Report)]
    given = [each.answers for each in renewed if each.continues]
    assert len(given) == 2 and {"way": "advice"} in given and None in given
    [made] = [each.message for each in opened(app, org, "ethics") if isinstance(each.message, FollowUp)]
    assert made.answers == {"way": "report"}


@pytest.mark.parametrize("name", BROWSERS)
def test_a_page_that_is_slow(app: flask.Flask, org: parties.Organisation, served: tuple[str, Line], name: str) -> None:
    """Who sends before the program has all of its pages is told that something is being done; then it goes on."""
    address, line = served
    gate = threading.Event()
    line.fault = lambda path, number: "" if path != "/en/kit.js" or gate.wait(PATIENCE) else "cut"
    with remote(name, address, axe=False) as page:
        to_the_form(page)
        page("type", "#text", TEXT)
        page("told", RUNS)
        page("send", "send")
        page("see", "[data-said]")
        assert page("text", "[data-said]") == "Checking the list of readers."
        gate.set()
        page("see", ".code")
        assert not page("told", "!!document.querySelector('[data-said]')")
    assert reported(app, org).text == TEXT


@pytest.mark.parametrize("name", LOGIC)
def test_a_page_that_did_not_come_at_first(
    app: flask.Flask, org: parties.Organisation, served: tuple[str, Line], name: str
) -> None:
    """What failed while somebody was still writing is tried again when they send, and nothing is said of it."""
    address, line = served
    failed: list[str] = []

    def once(path: str, body: bytes) -> bytes:
        if path.endswith("/kit.js") and not failed:
            failed.append(path)
            return b""
        return body

    line.answer = once
    with remote(name, address, axe=False) as page:
        page("tell", TEXT)
        until(lambda: bool(failed), "the page was asked for")
        page("send", "send")
        page("see", ".code, main .summary")
        assert not page("told", "!!document.querySelector('main .summary')")
    assert reported(app, org).sealed == "browser"


def test_a_list_that_was_renewed_and_cannot_be_shown(
    app: flask.Flask, org: parties.Organisation, served: tuple[str, Line]
) -> None:
    """When the form with the present readers does not come, the page says so, and what was typed stays."""
    address, line = served
    with remote("chrome", address, axe=False) as page:
        page("tell", TEXT)
        page("see", ".sealing b")
        known = org.next(collection=("friday",))
        with app.app_context():
            assert app.extensions["whistle"].published.install([(known.data, known.signature)]) == "installed"
        page("told", "document.querySelector('[name=keys]').value = '9'")  # as of a page that is out of date
        line.fault = lambda path, number: "lost" if path == "/en/" else ""
        page("send", "send")
        page("see", "main .summary")
        assert "What you typed is still here" in page("text", "main .summary")
        assert page("value", "#text") == TEXT
    assert not opened(app, org, "ombuds")
