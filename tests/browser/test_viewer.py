"""Looking at strangers' files in a real browser: what is shown, what is hidden, and that nothing gets out."""

import re
import struct
from pathlib import Path

import pytest

from tests.browser.desk import Desk, desk, listening
from tests.browser.remote import Remote, remote
from tests.browser.walks import BROWSERS, HERE
from tests.patience import TRIAL, until
from tests.workstation import hostile_files
from tests.workstation.hostile_files import ANY, pdf, photograph, png

pytestmark = pytest.mark.browser
ENDS = ("shown", "refused", "silent")  # of a file that keeps the viewer busy, the last
ASKED = ("/bytes", "/viewer", "/clean", "/look.js", "/style.css", "/away.css", "/favicon.ico")
ATTEMPTS = (HERE / "attempts.js").read_text("utf-8").partition("\n\n")[2].strip()


def stays_usable(page: Remote, found: Desk) -> None:
    """The page around the frame answers, and holds one frame at most."""
    assert page("told", "document.querySelectorAll('iframe').length") <= 1
    assert page("told", "document.querySelector('h1').textContent.length") > 0
    stray = [path for path in found.line.asked if not path.endswith((*ASKED, "/"))]
    assert stray == []


def test_no_hostile_file_reaches_anything(tmp_path: Path) -> None:
    """Files with scripts, links, bombs and lies are shown or refused, one after the other in one window: the listener
    hears nothing, the server is asked by the page alone, and no file makes the page hang or show markup."""
    with listening() as listener:
        files = (hostile_files.many if TRIAL else hostile_files.few)(listener.address)
        assert not TRIAL or len(files) > 100
        given = [(name, content) for name, content, _ in files]
        with desk(tmp_path, given) as found, remote("chrome", found.address, scene="desk") as page:
            for number, (name, _, wanted) in enumerate(files):
                state = found.look(page, number)
                assert state == wanted or (wanted == ANY and state in ENDS), (name, state)
                stays_usable(page, found)
                if state != "silent":
                    inside = page("inFrame", "document.querySelectorAll('img, script, link, svg, iframe, a').length")
                    assert inside == 2, name  # its own two scripts
        assert listener.heard == []


@pytest.mark.parametrize("name", BROWSERS if TRIAL else ["chrome"])
def test_a_program_in_the_frame_reaches_nothing(tmp_path: Path, name: str) -> None:
    """Whoever ran code in the frame could call nobody, keep nothing, leave it for nowhere, and not see the page.

    Firefox has no policy for connections that are opened in advance, and carry nothing: these are not tried there.
    """
    attempts = ATTEMPTS if name == "chrome" else re.sub(".* // not in Firefox\n", "", ATTEMPTS)
    with listening() as listener, desk(tmp_path, [("note.txt", b"Hello.")]) as found:
        with remote(name, found.address, scene="desk", isAttacked=True) as page:
            assert found.look(page, 0) == "shown"
            before = len(found.line.asked)
            assert page("inFrame", f"{attempts}({listener.address!r}, {found.address!r} + '/t/')") == []
            assert found.line.asked[before:] == []
            page("startInFrame", f"void (location.href = {listener.address!r})")
            if name == "chrome":
                page("see", "#look[data-state=gone]")
                assert page("told", "document.querySelectorAll('iframe').length") == 0
            else:  # stays where it is
                assert "Hello." in page("inFrame", "document.body.innerText")
        assert listener.heard == []


@pytest.mark.parametrize("name", BROWSERS)
def test_looking_at_a_photograph_and_a_document(tmp_path: Path, name: str) -> None:
    """They begin grey and blurred, each press shows more, what is hidden in them is listed as text, and a clean copy
    holds pixels and nothing else; by keyboard."""
    document = pdf(root=b"/OpenAction<</S/JavaScript/JS(1)>>", count=2)
    with (
        desk(tmp_path, [("photograph.jpg", photograph()), ("plan.pdf", document)]) as found,
        remote(name, found.address, scene="desk") as page,
    ):
        assert found.look(page, 0) == "shown"
        assert page("inFrame", "document.querySelector('.shown').className") == "shown blurred grey"
        for button, then in ((1, "shown grey"), (2, "shown"), (1, "shown blurred")):
            page("inFrame", f"document.querySelector('.controls button:nth-of-type({button})').focus()")
            page("keys", "Enter")
            assert page("inFrame", "document.querySelector('.shown').className") == then
        page("seeInFrame", "section dl")
        told = page("inFrame", "document.querySelector('section').innerText")
        for text in ("52.520", "Jane Roe", "Roe Cameras", "2026:11:03 10:20:30", "Tool 9"):
            assert text in told
        page("look", "desk-photograph")
        page("lookInFrame", "desk-photograph")
        save(page)
        copy = (found.saved / saved_folder(found) / "photograph-clean.png").read_bytes()
        assert chunks(copy) == [b"IHDR", b"IDAT", b"IEND"]
        assert found.look(page, 1) == "shown"
        page("seeInFrame", "section dl")
        told = page("inFrame", "document.querySelector('section').innerText")
        assert "holds scripts, which do not run here" in told
        assert "1 of 2" in page("inFrame", "document.querySelector('.pager').innerText").replace("\n", " ")
        page("look", "desk-document")
        save(page)
        assert sorted(path.name for path in found.saved.rglob("plan*")) == ["plan-clean-2.png", "plan-clean.png"]


def test_what_was_saved_is_listed_and_removed(tmp_path: Path) -> None:
    """The page of what lies in clear can be used by keyboard, and removes what is ticked."""
    with desk(tmp_path, [("photo.png", png())]) as found, remote("chrome", found.address, scene="desk") as page:
        assert found.look(page, 0) == "shown"
        save(page)
        page("goto", f"{found.address}/t/saved")
        page("look", "desk-saved")
        page("told", "document.querySelector('[type=checkbox]').focus()")
        page("keys", "Space", "Tab")
        page("leads", "the focus", "enter")
        page("see", ".said.good")
        assert "Removed: 1 of 1 files." in page("text")
        assert list(found.saved.rglob("*.png")) == []


def save(page: Remote) -> None:
    """Press for a clean copy, and see that it was made."""
    page("told", "document.querySelector('#look button').focus()")
    page("keys", "Enter")
    until(lambda: "saved, made of pixels alone" in page("text", "#look [role=status]"), "a clean copy")


def saved_folder(found: Desk) -> str:
    """The only case's."""
    [folder] = found.saved.iterdir()
    return folder.name


def chunks(picture: bytes) -> list[bytes]:
    """The names of a PNG's chunks."""
    names, at = [], 8
    while at < len(picture):
        size = struct.unpack_from(">I", picture, at)[0]
        names.append(picture[at + 4 : at + 8])
        at += 12 + size
    return names


def test_a_frame_that_is_silent_is_removed(tmp_path: Path) -> None:
    """A file that keeps the viewer busy for ever does not hold up the page, which takes the frame away and says so."""
    # A browser of its own, which is closed with the process that never ends.
    with (
        desk(tmp_path, [("photo.png", png())]) as found,
        remote("chrome", found.address, scene="desk", preferences={}) as page,
    ):
        page("hurry", 4)
        assert found.look(page, 0) == "shown"
        page("startInFrame", "for (;;);")
        page("see", "#look[data-state=silent]")
        assert page("told", "document.querySelectorAll('iframe').length") == 0
        assert "It can still be saved" in page("text", "#look [role=status]")
