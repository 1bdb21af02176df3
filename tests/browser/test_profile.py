"""What an ordinary window leaves in the browser's profile, which whoever gets at the device later can read.

Each story ends with a form that keeps nothing out of a profile: once that has been written, the rest was.
"""

import http.server
import re
import secrets
import string
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import flask
import pytest
from werkzeug.serving import make_server

from tests import parties
from tests.browser.profile import contents, found_in, written
from tests.browser.remote import Remote, remote
from tests.browser.serving import Line
from tests.browser.walks import BROWSERS, attached
from tests.patience import TRIAL, until
from tests.server.visitor import Visitor, answer, reported
from tests.workstation.carrying import PASSPHRASE, World, attach
from tests.workstation.hostile_files import pdf, wav
from whistle.protocol.code import retrieval, words
from whistle.workstation.app.app import create_app

pytestmark = pytest.mark.browser
CONTROL = b"""<!doctype html><title>Control</title><form method="post"><textarea name="said"></textarea>
<button>Send</button></form>"""
COUNT = 12  # words
LISTED = "file-1.pdf"  # under which name a browser lists the reply's file, whatever it is called
SCRIPT = re.compile(rb"<script.*</script>")


class Control(http.server.BaseHTTPRequestHandler):
    """A page of which a browser keeps all that it keeps of any page."""

    def do_GET(self) -> None:
        """The form; to a form that was sent as well."""
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.end_headers()
        self.wfile.write(CONTROL)

    do_POST = do_GET

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


@pytest.fixture
def control() -> Iterator[str]:
    """Its address."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Control)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/"
    server.shutdown()
    thread.join()
    server.server_close()


class Planted:
    """Texts that are nowhere else, each by what it is."""

    def __init__(self) -> None:
        self.texts: dict[str, str] = {}

    def __call__(self, what: str) -> str:
        """A new one, of random letters."""
        self.texts[what] = "".join(secrets.choice(string.ascii_lowercase) for _ in range(16))
        return self.texts[what]

    def file(self, folder: Path, what: str) -> str:
        """A file that has such a name, in a folder that has such a name, with such content."""
        path = folder / self(f"folder of {what}") / f"{self(what)}.txt"
        path.parent.mkdir()
        path.write_text(self(f"content of {what}"))
        return str(path)

    def code(self, what: str, code: bytes) -> None:
        """Twelve words and their numbers, three at a time."""
        for kind, shown in (("words", words.encode(code)), ("numbers", map(str, words.numbers(code)))):
            all_of = list(shown)
            for place in range(0, COUNT, 3):
                self.texts[f"{what}, {kind} {place}"] = " ".join(all_of[place : place + 3])

    def left(self, profile: Path) -> dict[str, list[str]]:
        """Which of them the profile holds, and in which files."""
        hits = found_in(profile, self.texts.values())
        return {what: hits[text] for what, text in self.texts.items() if text in hits}


class Window:
    """An ordinary window with a new profile, of somebody with script on or off."""

    def __init__(self, name: str, page: Remote, profile: Path, control: str, off: bool) -> None:
        self.page, self.off = page, off
        self._name, self._profile, self._control = name, profile, control

    def follow(self, selector: str, then: str) -> None:
        """Press what leads on, and see what is to be there then."""
        self.page("leads" if self.off else "click", selector)
        self.page("see", then)

    def send(self, step: str, then: str) -> None:
        """Send the form of a step that has a text."""
        self.follow(f'form:has([name="step"][value="{step}"]) > button', then)

    def pick(self, path: str) -> None:
        """Choose a file, to be sent as it is."""
        self.page("pick", "#files", path)
        if not self.off:
            self.page("uncleaned")

    def until_written(self) -> None:
        """Wait until what is done now in another tab is in the profile: what was done before is there, if ever."""
        planted = Planted()
        sent, typed = planted("sent"), planted("typed")
        self.page("control", self._control, sent, typed)
        forms = [written(text) for text in ([sent, typed] if self._name == "chrome" else [typed])]

        def is_written() -> bool:
            now = [content for _, content in contents(self._profile, "*ession*/*")]
            return all(any(form in content for form in each for content in now) for each in forms)

        until(is_written, "a page that forbids nothing is in the profile", 0.2)
        self.page("front")


@contextmanager
def window(
    name: str, address: str, folder: Path, control: str, end: str, off: bool = True, **more: Any
) -> Iterator[Window]:
    """It; in the end it is closed, or killed."""
    profile = folder / "profile"
    with remote(name, address, profile=str(profile), axe=False, scene="profile", **more) as page:
        yield Window(name, page, profile, control, off)
        if end == "killed":
            page("kill")


def tell(found: Window, planted: Planted, folder: Path) -> bytes:
    """Report, with everything that a form can hold and an error on the way; the code of the words."""
    page = found.page
    page("home")
    page("go", "report")
    page("type", "#text", planted("text"))
    page("type", "[name^=answer-]", planted("answer"))
    page("click", "#without")
    evidence = planted.file(folder, "evidence")
    found.pick(evidence)
    planted.texts["attempt"] = page("value", "[name=attempt]")
    planted.texts["left out"] = page("value", "#without")
    found.until_written()
    page("click", "#without-2")
    found.send("send", ".summary")
    page("click", "#without-2")
    page("pick", "#files", evidence)
    found.send("send", ".code")
    return shown(page)


def shown(page: Remote) -> bytes:
    """The code of the words on the page."""
    strong = "[...document.querySelectorAll('.code strong')].map((each) => each.textContent).join(' ')"
    return words.decode(page("told", strong))


def keep(found: Window, planted: Planted, code: bytes) -> None:
    """Type three words, wrong and then right."""
    found.follow("main button[value=keep]", ".field.short")
    found.page("type", ".field.short input", planted("wrong word"))
    found.follow("main button[value=kept]", ".code")
    found.follow("main button[value=keep]", ".field.short")
    names = found.page("told", "[...document.querySelectorAll('.field.short input')].map((each) => each.name)")
    for name in names:
        word = words.encode(code)[int(name.split("-")[1]) - 1]
        found.page("type", f"#{name}", word)
        planted.texts[f"{name}, sent"] = f"{name}={word}"
    found.until_written()
    found.follow("main button[value=kept]", "main:not(:has(.field.short)):not(:has(.code))")


def come_back(found: Window, planted: Planted, code: bytes) -> None:
    """Type something else than the words, and then the words."""
    page = found.page
    page("home")
    page("go", "replies")
    page("type", "#words", planted("no words"))
    found.follow("main button[value=look]", ".summary")
    page("told", "document.querySelector('#words').value = ''")
    page("type", "#words", " ".join(words.encode(code)))
    found.until_written()
    found.follow("main button[value=look]", "main [value=exposed]")


def go_on(found: Window, planted: Planted, folder: Path) -> None:
    """Add a follow-up with a file, move to new words, and take that back."""
    page = found.page
    page("type", "#text", planted("follow-up"))
    found.pick(planted.file(folder, "more evidence"))
    found.until_written()
    found.send("follow-up", "main [value=look]")
    found.follow("main [value=look]", "main article")
    found.follow("main [value=exposed]", "main form:has([name=step][value=renew])")
    page("type", "#text", planted("who saw them"))
    found.send("renew", ".code")
    renewed = shown(page)
    planted.code("the new words", renewed)
    found.follow("main button[value=leave]", "main:not(:has(.code))")
    come_back(found, planted, renewed)
    found.follow("main [value=withdraw]", "main [value=withdraw-now]")
    found.follow("main [value=withdraw-now]", "main:not(:has([value=withdraw-now]))")


def fetch(found: Window, folder: Path) -> None:
    """Save the reply's file."""
    saved = folder / "saved"
    saved.mkdir()
    found.page("downloads", str(saved))
    found.page("click", "main button[value=download]")
    until(lambda: bool(found_in(folder / "profile", [LISTED])), "the browser lists what it saved", 1)
    found.until_written()


@pytest.mark.parametrize(
    ("name", "script", "end"),
    [
        ("chrome", "off", "killed"),
        ("chrome", "on", "killed"),
        ("firefox", "on", "closed"),
        *([("firefox", "off", "killed"), ("chrome", "off", "closed")] if TRIAL else []),
    ],
)
def test_a_browser_keeps_nothing_of_what_was_written(
    app: flask.Flask,
    org: parties.Organisation,
    served: tuple[str, Line],
    control: str,
    tmp_path: Path,
    name: str,
    script: str,
    end: str,
) -> None:
    """A profile of the ordinary kind holds no text, answer, word, number, reply, content or name of a file, and not
    who was left out; with script off, Chromium's holds where the files that were sent are. What was saved is listed."""
    address, line = served
    if script == "off" and name == "firefox":  # no preference turns it off and leaves it to those who lead the browser
        line.answer = lambda path, body: SCRIPT.sub(b"", body)
    planted = Planted()
    with window(name, address, tmp_path, control, end, script == "off") as found:
        if script == "off" and name == "chrome":
            found.page("scriptOff")
        code = tell(found, planted, tmp_path)
        planted.code("the words", code)
        keep(found, planted, code)
        record = attached(app, f"{planted('file of the reply')}.pdf", planted("its content").encode())
        answer(app, org, retrieval.derive(code), reported(app, org, "ethics"), planted("reply"), attachments=(record,))
        come_back(found, planted, code)
        go_on(found, planted, tmp_path)
        come_back(found, planted, code)
        fetch(found, tmp_path)
    left = planted.left(tmp_path / "profile")
    paths = {f"{what}{each}" for what in ("", "folder of ") for each in ("evidence", "more evidence")}
    known = paths if (name, script) == ("chrome", "off") else set()
    assert {what: files for what, files in left.items() if what not in known} == {}


@pytest.mark.parametrize(("name", "end"), [("chrome", "killed"), *([("firefox", "closed")] if TRIAL else [])])
def test_a_browser_keeps_nothing_of_the_desk(control: str, tmp_path: Path, name: str, end: str) -> None:
    """A profile of the ordinary kind holds nothing of what was read at the desk, of files that were looked at, of a
    passphrase, or typed into a form that was refused, which is given back."""
    planted, world = Planted(), World(tmp_path)
    text, sound = planted("content of a text").encode(), planted("content of a recording").encode()
    page_text = b"BT /F 9 Tf (" + planted("content of a PDF").encode() + b") Tj ET"
    recording = (wav(sound + bytes(9_000_000)), f"{planted('name of a recording')}.wav")
    files = [(text, "a.txt"), (pdf(content=page_text), "a.pdf"), recording]
    sealed = [attach(*file) for file in files]
    for blocks, _ in sealed:
        world.carrier.put_blocks(blocks)
    world.report(text=planted("report"), attachments=tuple(record for _, record in sealed))
    app = create_app(world.station("ombuds"), world.stick, saved=tmp_path / "saved", token="t")
    app.config["WHISTLE_MOST"] = 4
    world.round("ombuds")
    server = make_server("127.0.0.1", 0, app, threaded=True)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        with window(name, f"http://127.0.0.1:{server.server_port}", tmp_path, control, end) as found:
            page = found.page
            page("goto", f"http://127.0.0.1:{server.server_port}/t/")
            page("leads", ".acts .quiet")
            for secret, wanted in ((planted("wrong passphrase"), "#unlock-error"), (PASSPHRASE, ".queue")):
                page("type", "#passphrase", secret)
                found.until_written()
                found.follow("#unlock > button", wanted)
            planted.texts["passphrase"] = PASSPHRASE
            page("leads", ".queue a")
            case = page("told", "location.href")
            for link in page("told", "[...document.querySelectorAll('.files a')].map((each) => each.href)"):
                page("goto", link)
                page("see", "#look[data-state=shown]")
            found.until_written()
            page("goto", case)
            for form in ("reply", "note"):
                page("type", f"#{form}-text", planted(form))
                page("pick", f"#{form}-files", planted.file(tmp_path, f"file of {form}"))
                found.until_written()
                found.follow(f"#{form} > button", f"#{form}-error")
                assert page("value", f"#{form}-text") == planted.texts[form]
                found.follow(f"#{form} > [name=keep]", f"form[action$='discard/{form}']")  # a draft, shown again
                assert page("value", f"#{form}-text") == planted.texts[form]
            for field in ("labels", "deadline", "text"):
                page("type", f"#status-{field}", planted(field))
            found.until_written()
            found.follow("#status > button", "#status-error")
            assert page("value", "#status-text") == planted.texts["text"]
            found.until_written()
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
        app.config["WHISTLE_DESK"].close()
        world.close()
    assert planted.left(tmp_path / "profile") == {}


@pytest.mark.parametrize("name", BROWSERS)
def test_a_private_window_keeps_not_even_the_visit(
    app: flask.Flask, org: parties.Organisation, served: tuple[str, Line], control: str, tmp_path: Path, name: str
) -> None:
    """A profile holds neither our address nor what was saved, where all was done in a private window."""
    address, saved = served[0], tmp_path / "saved"
    saved.mkdir()
    code = words.decode(Visitor(app).tell().words)
    record = attached(app, "answer.pdf", b"Signed by all of us.")
    answer(app, org, retrieval.derive(code), reported(app, org), "Thank you.", attachments=(record,))
    preferences = {"browser.privatebrowsing.autostart": True, "browser.download.dir": str(saved)}
    private: dict[str, Any] = {"isPrivate": True} if name == "chrome" else {"preferences": preferences}
    with window(name, address, tmp_path, control, "closed", off=False, **private) as found:
        found.page.open(" ".join(words.encode(code)))
        found.page("downloads", str(saved))
        found.page("click", "main button[value=download]")
        until(lambda: (saved / LISTED).exists(), "the file is saved")
        if name == "chrome":  # beside a window that is not private; Firefox has none then
            found.until_written()
    assert found_in(tmp_path / "profile", [address.removeprefix("http://"), LISTED]) == {}
