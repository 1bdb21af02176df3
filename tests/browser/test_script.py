"""The reporter's pages in real browsers with script on, against a real server: nothing that is told reaches it open."""

import hashlib
import json
import os
import subprocess
from pathlib import Path

import flask
import pytest

from tests import parties
from tests.browser.serving import Line
from tests.browser.walks import (
    BROWSERS,
    HERE,
    LOGIC,
    PAIRS,
    TEXTS,
    attached,
    browser,
    content_of,
    go_on,
    scene,
    spread,
    turn,
)
from tests.patience import PATIENCE, TRIAL
from tests.server.visitor import answer, opened, reported
from whistle.protocol.case.message import FollowUp, Report
from whistle.protocol.code import retrieval, words
from whistle.protocol.reporter import submission
from whistle.protocol.reporter.compose import Draft, Writer
from whistle.protocol.trust import manifest

LARGE = 300 if TRIAL else 12  # MiB
STORIES = [*PAIRS, *(("chrome", language) for language in ("es", "fr", "ru", "zh") if TRIAL)]
SAFER = 5_000_000 if TRIAL else 200_000  # bytes

pytestmark = pytest.mark.browser


@pytest.mark.parametrize(("name", "language"), STORIES)
def test_the_whole_story(
    app: flask.Flask, org: parties.Organisation, served: tuple[str, Line], tmp_path: Path, name: str, language: str
) -> None:
    """Told, kept, answered, added, moved and withdrawn in the browser: readers read it, and the server was sent
    neither text, words, names of files nor keys."""
    address, line = served
    text = TEXTS.get(language, TEXTS["en"])
    content, file, answered = os.urandom(300_000), "evidence-of-it.txt", b"Signed by all of us."
    (tmp_path / file).write_bytes(content)
    given = {
        **browser(name),
        "address": address,
        "language": language,
        "text": text,
        "more": "One more thing that I saw.",
        "file": str(tmp_path / file),
        "answered": "file-1.txt",
        "axe": name == "chrome",
    }
    command = ["node", str(HERE / "story.mjs"), json.dumps(given)]
    with subprocess.Popen(command, stdin=-1, stdout=-1, stderr=-1, text=True) as walking:
        first = turn(walking)
        report = reported(app, org, "ethics")
        assert (report.text, report.sealed, report.without) == (text, "browser", ("ombuds",))
        assert not opened(app, org, "ombuds")
        assert content_of(app, report.attachments[0]) == content
        assert manifest.fingerprint([org.root.public]) in first["sealing"]
        who = retrieval.derive(words.decode(first["words"]))
        record = attached(app, "answer.txt", answered)
        answer(app, org, who, report, "Thank you.\n\nWho else was there?", attachments=(record,))
        go_on(walking)
        second = turn(walking)
        go_on(walking)
        assert walking.stdout
        last = walking.stdout.read()
        assert not walking.wait(PATIENCE), walking.stderr and walking.stderr.read()[-3000:]
    assert json.loads(last)["found"] == []
    assert "Thank you. Who else was there?" in second["told"] and "Ethics office" in second["told"]
    assert second["hash"] == hashlib.sha256(answered).hexdigest()
    sealed = [each.message for each in opened(app, org, "ethics")]
    assert [each.text for each in sealed if isinstance(each, FollowUp)] == ["One more thing that I saw."]
    moved = [each for each in sealed if isinstance(each, Report) and each.continues]
    assert not moved  # it was withdrawn again
    sent = b"\n".join(line.sent)
    code = [words.decode(said["words"]) for said in (first,)]
    secrets = [text.encode(), b"more thing that I saw", file.encode(), record.identity.encode()]
    secrets += [code[0], code[0].hex().encode(), report.attachments[0].identity.encode(), who.sent, who.replies]
    for said in (first["words"], second["renewed"]):
        secrets += [said.encode(), said.replace(" ", "+").encode(), " ".join(said.split()[:3]).encode()]
        secrets.append(" ".join(map(str, words.numbers(words.decode(said)))).encode())
    assert [each for each in secrets if each in sent] == []


@pytest.mark.parametrize("name", BROWSERS)
def test_a_line_that_breaks(
    app: flask.Flask, org: parties.Organisation, served: tuple[str, Line], tmp_path: Path, name: str
) -> None:
    """A large file arrives though connections break in the middle of it, and every block is stored once."""
    address, line = served
    line.fault = lambda path, number: {3: "cut", 17: "cut", 18: "cut", 40: "503"}.get(
        number * (path == "/api/block"), ""
    )
    file = tmp_path / "large.bin"
    file.write_bytes(os.urandom(1 << 20) * LARGE)
    told = scene(name, "upload", address, file=str(file))
    [record] = reported(app, org).attachments
    assert content_of(app, record) == file.read_bytes()
    assert line.asked.count("/api/block") == record.blocks + 4
    assert told["label"] == "sending" and told["spoken"]  # how far it is, for those who listen
    assert retrieval.derive(words.decode(told["words"])).case.hex() == reported(app, org).case


@pytest.mark.parametrize(("name", "fault"), spread(["500", "lost"]))
def test_a_server_with_faults(
    app: flask.Flask, org: parties.Organisation, served: tuple[str, Line], name: str, fault: str
) -> None:
    """The page says that the server does not answer, and that a stop may be too late now; who stops keeps the text and
    can send it again."""
    address, line = served
    line.fault = lambda path, number: fault if path == "/api/store" and number <= 3 else ""
    told = scene(name, "stop", address)
    assert "Our server does not answer. We try again in" in told["waiting"]
    assert "This is the last step. If you stop or leave now, it may be too late" in told["waiting"]
    assert "We cannot say whether our server did it all the same." in told["stopped"]
    assert "the readers may get it twice" in told["stopped"]
    texts = [each.message.text for each in opened(app, org, "ethics") if isinstance(each.message, Report)]
    assert texts == [told["text"]] * (1 if fault == "500" else 2)


def test_a_stop_in_time(app: flask.Flask, org: parties.Organisation, served: tuple[str, Line], tmp_path: Path) -> None:
    """Who stops before the last step is told only that it was stopped, and nothing is stored but once."""
    address, line = served
    line.fault = lambda path, number: "503" if path == "/api/block" and number <= 4 else ""
    file = tmp_path / "small.bin"
    file.write_bytes(b"x")
    told = scene("chrome", "stop", address, file=str(file))
    assert "Our server does not answer. We try again in" in told["waiting"] and "last step" not in told["waiting"]
    assert told["stopped"] == "You stopped it. What you typed is still here."
    assert told["text"] == reported(app, org).text


@pytest.mark.parametrize("fault", ["altered", "missing"])
def test_another_list_of_readers(
    app: flask.Flask, org: parties.Organisation, served: tuple[str, Line], fault: str
) -> None:
    """Nothing is sealed to a list that no root signed, nor without one; the plain way is taken only when chosen."""
    address, line = served
    if fault == "missing":
        line.fault = lambda path, number: "404" if path == "/en/kit.js" else ""
    else:
        swapped = (b"Ombudsperson", b"ombudsperson")
        line.answer = lambda path, body: body.replace(*swapped) if path == "/en/kit.js" else body
    told = scene("chrome", "plain", address)
    assert "This did not work in your browser" in told["told"]
    for said in ("not signed as it must be", "Nothing was sent in any other way"):
        assert (said in told["told"]) == (fault == "altered")
    assert "Our server locks your message as it arrives" in told["sealing"]
    assert told["text"] == TEXTS["en"] == reported(app, org).text
    assert reported(app, org).sealed == "arrival"
    assert "/api/store" not in line.asked


@pytest.mark.parametrize("name", LOGIC)
def test_the_list_of_another_root(
    app: flask.Flask, org: parties.Organisation, served: tuple[str, Line], name: str
) -> None:
    """A list that is sound in itself, but that another root signed, is not sealed to."""
    address, line = served
    other = parties.organisation().known
    script = {"day": parties.DAY.isoformat(), "manifest": other.data.decode(), "signature": other.signature.decode()}

    def swapped(path: str, body: bytes) -> bytes:
        if path != "/en/kit.js":
            return body
        given = json.loads(body.partition(b"=")[2])
        return b"whistleKit=" + json.dumps({**given, **script}).encode()

    line.answer = swapped
    told = scene(name, "plain", address)
    assert "not signed as it must be" in told["told"]
    assert told["text"] == reported(app, org).text and reported(app, org).sealed == "arrival"
    assert "/api/store" not in line.asked


def test_a_program_that_comes_in_parts(app: flask.Flask, org: parties.Organisation, served: tuple[str, Line]) -> None:
    """Where a list of words is missing nothing is sealed, and the form can be sent the plain way."""
    address, line = served
    line.fault = lambda path, number: "404" if path == "/static/words.js" else ""
    told = scene("chrome", "plain", address)
    assert "This did not work in your browser" in told["told"]
    assert told["text"] == TEXTS["en"] == reported(app, org).text


def test_an_altered_answer(served: tuple[str, Line]) -> None:
    """An answer to a lookup that is none is said to be none; the words stay where they were typed."""
    address, line = served
    line.fault = lambda path, number: "altered" if path == "/api/lookup" else ""
    typed = " ".join(words.encode(bytes(16)))
    told = scene("chrome", "look", address, words=typed)
    assert "This did not work in your browser" in told["told"]
    assert told["text"] == typed
    assert "/en/" in line.asked and not any(typed.encode() in each or b"words=abandon" in each for each in line.sent)


PASTED = {
    "whole": lambda block: block,
    "quoted": lambda block: "".join(f"> {line}\n" for line in block.splitlines()),
    "smart": lambda block: "\ufeff" + block.replace("-----", "\u2014\u2013-"),
}


@pytest.mark.parametrize("change", PASTED)
@pytest.mark.parametrize("name", LOGIC)
def test_a_report_that_was_sealed_elsewhere(
    app: flask.Flask, org: parties.Organisation, served: tuple[str, Line], change: str, name: str
) -> None:
    """A block of text that another device sealed is not sealed once more; the server takes it as it is."""
    who = parties.reporter()
    draft = Draft(channel="harassment", language="en", text=TEXTS["en"])
    block = submission.armored(Writer(org.known, parties.DAY, "device").report(draft, who))
    told = scene(name, "pasted", served[0], text=PASTED[change](block))
    assert "stored" in told["told"]
    assert reported(app, org).case == who.case.hex() and "/api/store" not in served[1].asked


OPEN = "He told me to change the books."
BESIDE = {
    "a mail with a picture in it": lambda block: ("\n".join([OPEN, *block.splitlines()[1:40]]), ""),
    "a word about it": lambda block: (f"{OPEN} I had a WHISTLE SEALED REPORT before.", ""),
    "a text behind": lambda block: (f"{block}\n{OPEN}", ""),
    "an answer": lambda block: (block, OPEN),
}


@pytest.mark.parametrize("change", BESIDE)
@pytest.mark.parametrize("name", LOGIC)
def test_an_open_text_that_looks_like_a_sealed_one(
    org: parties.Organisation, served: tuple[str, Line], change: str, name: str
) -> None:
    """Open text, among what looks like a part of a sealed report or beside a whole one, stays in the browser."""
    draft = Draft(channel="harassment", language="en", text=TEXTS["en"])
    block = submission.armored(Writer(org.known, parties.DAY, "device").report(draft, parties.reporter()))
    text, answer = BESIDE[change](block)
    told = scene(name, "halfSealed", served[0], text=text, beside=answer)
    assert "attach it as a file" in told["told"] and OPEN in told["text"] + answer
    assert not any(b"change+the+books" in each or b"change the books" in each for each in served[1].sent)


@pytest.mark.parametrize("name", BROWSERS)
def test_a_keyboard_is_enough(app: flask.Flask, org: parties.Organisation, served: tuple[str, Line], name: str) -> None:
    """A report is told, and its words are kept, without a mouse."""
    told = scene(name, "keyboard", served[0])
    assert retrieval.derive(words.decode(told["words"])).case.hex() == reported(app, org).case


def test_a_browser_that_is_made_safer(
    app: flask.Flask, org: parties.Organisation, served: tuple[str, Line], tmp_path: Path
) -> None:
    """Firefox without compilation of script and without WebAssembly, as Tor Browser's Safer level, sends a report."""
    file = tmp_path / "small.bin"
    file.write_bytes(os.urandom(SAFER))
    preferences = {f"javascript.options.{name}": False for name in ("ion", "baselinejit", "wasm", "asmjs")}
    preferences["javascript.options.native_regexp"] = False
    scene("firefox", "upload", served[0], file=str(file), preferences=preferences, axe=False)
    assert content_of(app, reported(app, org).attachments[0]) == file.read_bytes()
