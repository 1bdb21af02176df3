"""A slow line: the form is there before the program, which comes without moving anything and asks for little."""

import threading
from dataclasses import replace

import flask
import pytest

from tests import parties
from tests.browser.remote import Remote, remote
from tests.browser.serving import Line
from tests.browser.walks import PAIRS, TEXTS
from tests.patience import PATIENCE
from tests.server.visitor import opened, reported

pytestmark = pytest.mark.browser
IN_CHARGE = ".sealing b"  # the digits, which stand there once the program has tested itself
PLACES = """[scrollY, document.documentElement.scrollHeight, document.activeElement.id, ...[
    ...document.querySelectorAll("main form > *, main label, .leave"),
].map((each) => each.getBoundingClientRect().y)]"""

# The widest words, with the largest number, in columns from 320 pixels on: none goes on in a second line or leaves its
# box, and numbers are as large as the page's text at least.
BROKEN = """[320, 360, 480, 800].flatMap((width) => {
    document.body.style.inlineSize = `${width}px`;
    return [...document.querySelectorAll(".code li > *")].filter((each) => {
        each.textContent = each.matches("strong") ? "mushroom" : "2048";
        const [box, item] = [each, each.parentElement].map((one) => one.getBoundingClientRect());
        const [size, text] = [each, document.body].map((one) => parseFloat(getComputedStyle(one).fontSize));
        return box.height > 2 * size || box.left < item.left || box.right > item.right || size < text;
    }).map((each) => `${width} ${each.tagName}`);
})"""


def to_the_form(page: Remote) -> None:
    """From the first page to the form, without waiting for what it loads."""
    page("home")
    page("click", "[value=report]")
    page("see", "#text")


@pytest.mark.parametrize(("name", "language"), PAIRS)
def test_the_form_is_there_before_the_program(
    app: flask.Flask, org: parties.Organisation, served: tuple[str, Line], name: str, language: str
) -> None:
    """What was typed before the program came stays, nothing moves when it comes, and Send asks once for all."""
    address, line = served
    gate = threading.Event()
    line.fault = lambda path, number: "" if path != "/static/whistle.js" or gate.wait(PATIENCE) else "cut"
    with remote(name, address, language, axe=name == "chrome") as page:
        to_the_form(page)
        page("type", "#text", TEXTS[language])
        before = page("told", PLACES)
        assert not page("told", f"!!document.querySelector('{IN_CHARGE}')")
        gate.set()
        page("see", IN_CHARGE)
        assert page("told", PLACES) == before and before[2] == "text"
        assert page("value", "#text") == TEXTS[language]
        page("look", "in-charge")
        loaded = [f"/{language}/", f"/{language}/kit.js", "/static/whistle.js", "/static/words.js"]
        assert sorted(line.asked[2:]) == loaded[1:] and set(line.asked[:2]) == {loaded[0]}
        page("send", "send")
        page("see", ".code")
        assert line.asked[5:] == ["/api/store"]
        assert page("told", BROKEN) == []
    assert (reported(app, org).text, reported(app, org).sealed) == (TEXTS[language], "browser")


def test_a_list_that_was_renewed_while_somebody_wrote(
    app: flask.Flask, org: parties.Organisation, served: tuple[str, Line]
) -> None:
    """Nothing is stored for who has gone since the page was loaded; the form comes again with the readers of now."""
    address, line = served
    with remote("chrome", address, axe=False) as page:
        page("tell", TEXTS["en"])
        page("see", IN_CHARGE)
        [ombuds, *others] = org.manifest.reviewers
        [channel, *more] = org.manifest.channels
        gone = {"reviewers": (replace(ombuds, retired=True), *others)}
        known = org.next(**gone, channels=(replace(channel, readers=("ethics",)), *more))
        with app.app_context():
            assert app.extensions["whistle"].published.install([(known.data, known.signature)]) == "installed"
        page("send", "send")
        page("see", "#without-error")
        assert line.asked.count("/api/store") == 1 and not opened(app, org, "ethics")
        assert page("value", "#text") == TEXTS["en"]
        assert "Ombudsperson" not in page("text", "main form")
        page("send", "send")
        page("see", ".code")
    report = reported(app, org, "ethics")
    assert (report.readers, report.text) == (("ethics",), TEXTS["en"])
    assert not opened(app, org, "ombuds")


def test_the_length_of_another_choice_does_not_tell_it(
    app: flask.Flask, org: parties.Organisation, served: tuple[str, Line]
) -> None:
    """Whichever channel is chosen where nobody is left, or comes again with a newer list, as many bytes ask for it."""
    address, line = served
    with remote("chrome", address, axe=False) as page:
        page("tell", TEXTS["en"])
        elsewhere(page, "fraud", "ombuds", "ethics")
        known = org.next()
        with app.app_context():
            assert app.extensions["whistle"].published.install([(known.data, known.signature)]) == "installed"
        page("send", "send")
        page("see", "#without-error")
        elsewhere(page, "harassment", "counsel")
        page("click", "[name=without][value=ombuds]")
        page("see", IN_CHARGE)
        page("send", "send")
        page("see", ".code")
    report = reported(app, org)
    assert (report.readers, report.text, report.sealed) == (("ombuds",), TEXTS["en"], "browser")
    assert not any(b"Money" in sent for sent in line.sent)
    bodies = [sent.rpartition(b"\n")[2] for sent in line.sent]
    asked = [body for body in bodies if body.startswith(b"step=tell&")]
    assert [b"fraud" in body for body in asked] == [True, True, False] and len(set(map(len, asked))) == 1


def elsewhere(page: Remote, channel: str, *left_out: str) -> None:
    """Leave out everybody who would read it, and choose another channel; the text stays."""
    for id in left_out:
        page("click", f"[name=without][value={id}]")
    page("see", IN_CHARGE)
    page("send", "send")
    page("see", "#other")
    page("click", f"#other [value^={channel}]")
    page("click", "#other [data-do]")
    page("see", f"form:has([name=shown][value={channel}])")
    assert page("value", "#text") == TEXTS["en"]


def test_coming_back_is_one_question(served: tuple[str, Line], app: flask.Flask) -> None:
    """What does not wait for the words is there when they are typed; the manifest of now comes beside the answer."""
    address, line = served
    with remote("chrome", address, axe=False) as page:
        page("tell", TEXTS["en"])
        page("see", IN_CHARGE)
        page("send", "send")
        page("see", ".code")
        words = page("told", "[...document.querySelectorAll('.code small')].map((each) => each.textContent).join(' ')")
        page("press", "leave")
        page("home")
        page("go", "replies")
        page("type", "#words", words)
        before = len(line.asked)
        page("press", "look")
        page("see", "main form:has([value=follow-up])")
    assert sorted(line.asked[before:]) == ["/api/lookup", "/manifest.json", "/manifest.json.minisig"]
