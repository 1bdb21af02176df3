"""Somebody frightened who skims: ticks one box, looks beside Send, and must never be wrong about who reads it."""

import flask
import pytest

from tests import parties
from tests.browser.remote import Remote, remote
from tests.browser.serving import Line
from tests.browser.test_back import told
from tests.browser.walks import PAIRS, TEXTS
from tests.server.test_reading import successors
from tests.server.visitor import opened, reported
from whistle.protocol.case.message import FollowUp, Report
from whistle.protocol.code import words
from whistle.translations import catalogues

pytestmark = pytest.mark.browser
BESIDE = "main form .reading"


def blocked(path: str, number: int) -> str:
    """A browser that loads no program, as with script off."""
    return "404" if path == "/static/whistle.js" else ""


def who(language: str, reads: str, out: str = "", key: str = "will") -> str:
    """How a page says it."""
    t = catalogues.load(language)
    left = t.text("reading.out", names=out) if out else t.text("reading.nobody_out")
    return f"{t.text(f'reading.{key}', names=reads) if reads else t.text('reading.nobody')} {left}"


def waits(page: Remote, said: str, where: str = BESIDE) -> None:
    """Until the page says that, there and nothing else."""
    spoken = f"document.querySelector({where!r})?.innerText.replace(/\\s+/g, ' ').trim()"
    page("told", f"""new Promise((done) => {{
        const look = () => {spoken} === {said!r} ? done(1) : setTimeout(look, 100);
        look();
    }})""")  # fmt: skip


def sends(page: Remote, script: bool, step: str) -> None:
    """Press Send; the next page is one of the server's or of the program's."""
    button = f'form:has([name="step"][value="{step}"]) > button'
    page("click" if script else "leads", button)


def presses(page: Remote, script: bool, step: str) -> None:
    """Press a button that goes on."""
    page("press" if script else "go", step)


@pytest.mark.parametrize(("name", "language"), PAIRS)
@pytest.mark.parametrize("script", [True, False], ids=["script", "plain"])
def test_a_report_about_a_reader(
    app: flask.Flask, org: parties.Organisation, served: tuple[str, Line], name: str, script: bool, language: str
) -> None:
    """The accused is left out by one tick; every page after it says so, and what is sealed is what was said."""
    address, line = served
    if not script:
        line.fault = blocked
    t, now = catalogues.load(language), who(language, "Ethics office", "Ombudsperson")
    with remote(name, address, language, axe=name == "chrome") as page:
        page("tell", TEXTS[language])
        for role in ("Ombudsperson", "Ethics office", "Staff counsel"):  # as a screen reader hears them
            page("see", f'aria/{t.text("tell.leave_out", name=role)}[role="checkbox"]')
        both = t.text("reading.before", names=t.plain_list(("Ombudsperson", "Ethics office")))
        if script:
            waits(page, who(language, t.plain_list(("Ombudsperson", "Ethics office"))))
        else:
            waits(page, f"{both} {t.text('reading.changes')}")
        page("click", "#without")
        waits(page, now if script else t.text("reading.changes"))  # the accused is named as a reader nowhere
        assert page("told", f"document.querySelector({BESIDE!r}).getAttribute('aria-live')") == "polite"
        page("look", "who-ticked")
        page("click", "#without-2")
        waits(page, who(language, "", t.plain_list(("Ombudsperson", "Ethics office"))) if script
              else t.text("reading.changes"))  # fmt: skip
        sends(page, script, "send")
        page("see", ".summary")
        page("look", "who-nobody")
        assert page("value", "#text") == TEXTS[language]
        if not script:
            all_out = who(language, "", t.plain_list(("Ombudsperson", "Ethics office")))
            waits(page, f"{t.text('reading.chosen')} {all_out} {t.text('reading.changes')}")
        page("click", "#without-2")
        waits(page, now if script else t.text("reading.changes"))
        sends(page, script, "send")
        page("see", ".code")
        waits(page, now, "main .reading")
        page("look", "who-words")
        code = page("told", "[...document.querySelectorAll('.code strong')].map((each) => each.textContent).join(' ')")
        presses(page, script, "keep")
        page("see", ".field.short")
        presses(page, script, "kept")
        page("see", ".code")
        waits(page, now, "main .reading")
        presses(page, script, "leave")
        page("gone", ".code")
        waits(page, now, "main .reading")
        page("look", "who-done")
        page("home")
        page("go", "replies")
        page("type", "#words", code)
        presses(page, script, "look")
        page("see", "main form:has([value=follow-up])")
        waits(page, who(language, "Ethics office", "Ombudsperson", "can"), "main > h1 + .reading")
        waits(page, now)  # of a follow-up
        page("look", "who-case")
    report = reported(app, org, "ethics")
    assert (report.text, report.readers, report.without) == (TEXTS[language], ("ethics",), ("ombuds",))
    assert not opened(app, org, "ombuds")


@pytest.mark.parametrize(("name", "script"), [("chrome", True), ("firefox", False)], ids=["script", "plain"])
def test_successors_of_all_readers(
    app: flask.Flask, org: parties.Organisation, served: tuple[str, Line], name: str, script: bool
) -> None:
    """Where others came after all readers of a case, each can be left out of a follow-up and of a report under new
    words; the page follows, and says it again once it is stored."""
    address, line = served
    if not script:
        line.fault = blocked
    typed = " ".join(words.encode(told(app, TEXTS["en"]).code))
    org = successors(org, app.extensions["whistle"])
    unticked = "Will read it, except whoever you leave out above: New reader and Boss. "
    changes = "The boxes count as they are when you press Send. The next page then shows who will read it."
    now = who("en", "New reader", "Boss")
    with remote(name, address, axe=name == "chrome") as page:
        page("home")
        page("go", "replies")
        page("type", "#words", typed)
        presses(page, script, "look")
        page("see", "main form:has([value=follow-up])")
        page("see", 'aria/Leave out Boss[role="checkbox"]')
        assert not page("told", "!!document.querySelector('[value=counsel], .group.could')")
        waits(page, who("en", "New reader and Boss") if script else unticked + changes)
        page("click", "[name=without][value=boss]")
        waits(page, now if script else changes)
        page("look", "who-successors")
        page("type", "#text", "More.")
        sends(page, script, "follow-up")
        page("gone", "#text")
        waits(page, now, "main .reading")
        page("look", "who-added")
        presses(page, script, "look")
        presses(page, script, "exposed")
        page("see", "blockquote")
        waits(page, who("en", "New reader and Boss") if script else unticked + changes)
        page("click", "[name=without][value=boss]")
        page("click", "[name=without][value=new]")
        sends(page, script, "renew")
        page("see", "#without-error")
        assert "Council of staff" in page("text", "main")
        page("look", "who-exposed")
        page("click", "[name=without][value=new]")
        sends(page, script, "renew")
        page("see", ".code")
        waits(page, now, "main .reading")
    sealed = {type(each.message): each.message for each in opened(app, org, "new")}
    assert sealed.keys() == {FollowUp, Report} and {each.readers for each in sealed.values()} == {("new",)}
    assert sealed[Report].without == ("boss",) and not opened(app, org, "boss")
