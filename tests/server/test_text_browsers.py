"""Text browsers: from the first page to a reply by keyboard, as somebody uses them who hears pages."""

import fcntl
import os
import pty
import re
import select
import shlex
import struct
import subprocess
import termios
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import flask
import pytest

from tests import parties
from tests.patience import PATIENCE
from tests.server.visitor import Page, Visitor, answer, reported, site
from tests.serving import running
from tests.stock.programs import need
from whistle.protocol.code import retrieval, words

HIGH, WIDE = 400, 100  # a screen that shows a whole page
CONTROLS = ("a", "input", "textarea", "select", "button")
TEXTS = {"ar": "أُخذ مال المدرسة.", "en": "Money for the school was taken.", "zh": "学校的钱被拿走了。"}
REPLIES = {"ar": "شكرا. من كان في الغرفة؟", "en": "Thank you. Who else was there?", "zh": "谢谢，还有谁在场？"}
PAIRS = [(program, language) for program in ("w3m", "lynx") for language in TEXTS]
Act = tuple[int, str]  # the place of a control among those of its page, and what is typed there; "" presses it


def place(page: Page, **wanted: str) -> int:
    """The place of the first control with these attributes among those that a text browser stops at."""
    stops = [
        {**given, "tag": tag}
        for tag, given in page.tags
        if tag in CONTROLS and given.get("type") != "hidden" and (tag != "a" or "href" in given)
    ]
    return next(at for at, given in enumerate(stops) if wanted.items() <= given.items())


def w3m(folder: Path, pages: Sequence[Sequence[Act]]) -> tuple[list[str], bytes]:
    """Its arguments, and keys that it takes one after the other; a text is written by an editor."""
    typed = "".join(text for page in pages for _, text in page)
    (folder / "editor").write_text(f'#!/bin/sh\nprintf %s {shlex.quote(typed)} > "$1"\n', "utf-8")
    (folder / "editor").chmod(0o700)
    keys = b""
    for page in pages:
        here = -1
        for at, _ in page:
            keys, here = keys + b"\t" * (at - here) + b"\r", at
    options = ["confirm_qq=0", f"editor={folder / 'editor'}", "display_charset=UTF-8"]
    return [part for option in options for part in ("-o", option)], keys + b"\x0cQ"  # once more all of it, and out


def lynx(folder: Path, pages: Sequence[Sequence[Act]]) -> tuple[list[str], bytes]:
    """Its arguments: it takes keys from a file."""
    keys: list[str] = []
    for page in pages:
        here = 0
        for at, text in page:
            keys += ["<tab>"] * (at - here) + (["<space>" if each == " " else each for each in text] or ["<return>"])
            here = at
    (folder / "pressed").write_text("".join(f"key {key}\n" for key in [*keys, "Q"]), "utf-8")
    return [f"-cmd_script={folder / 'pressed'}"], b""


def screen(program: str, folder: Path, address: str, *pages: Sequence[Act]) -> str:
    """What a browser has shown, each run of spaces and of what moves the cursor as one space."""
    options, keys = {"w3m": w3m, "lynx": lynx}[program](folder, pages)
    command = [need("setsid"), "--ctty", "--wait", need(program), *options, address]
    environment = {"PATH": os.environ["PATH"], "TERM": "vt100", "LANG": "C.UTF-8", "HOME": str(folder)}
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", HIGH, WIDE, 0, 0))
    with subprocess.Popen(command, stdin=theirs, stdout=theirs, stderr=theirs, env=environment) as process:
        os.close(theirs)
        try:
            seen = b"".join(shown(ours, keys))
        finally:
            process.kill()
            os.close(ours)
    return re.sub(r"(\x1b\[[0-9;?]*[A-Za-z]|\x1b[()][A-Z0-9]|\x1b[=>]|[\x00-\x20])+", " ", seen.decode())


def shown(terminal: int, keys: bytes) -> Iterator[bytes]:
    """What comes on a terminal; the keys are pressed when the first of it is there."""
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        if not select.select([terminal], [], [], 1)[0]:
            continue
        try:
            seen = os.read(terminal, 65536)
        except OSError:  # how Linux says that the other side is closed
            return
        yield seen
        if keys:
            os.write(terminal, keys)
            keys = b""
    raise TimeoutError


@pytest.mark.parametrize(("program", "language"), PAIRS)
def test_from_the_first_page_to_a_reply(tmp_path: Path, org: parties.Organisation, program: str, language: str) -> None:
    """A report is sent, the words are read from the screen and typed again, and the reply is shown."""
    need(program)
    app = site(tmp_path, org, name=dict.fromkeys(TEXTS, "North Office"))
    text = TEXTS[language] if program == "w3m" else TEXTS["en"]  # whose file of keys has ASCII alone
    first, form, back = (Visitor(app, language), Visitor(app, language), Visitor(app, language))
    form.step("report")
    back.step("replies")
    with running(app) as address:
        home = f"{address}/{language}/"
        begin = place(first.page, tag="button", value="report")
        field = place(form.page, name="text")
        send = place(form.page, tag="a", href=f"/{language}/") - 1  # before what leads back to the start
        told = screen(program, tmp_path, home, [(begin, "")], [(field, text), (send, "")])
        code = kept(told)
        answer(app, org, retrieval.derive(code), reported(app, org), REPLIES[language])
        assert reported(app, org).text == text
        numbers = " ".join(map(str, words.numbers(code)))
        asked = place(first.page, tag="button", value="replies")
        typed, look = place(back.page, name="words"), place(back.page, value="look")
        told = screen(program, tmp_path, home, [(asked, "")], [(typed, numbers), (look, "")])
    assert REPLIES[language] in told


def kept(told: str) -> bytes:
    """The code of the words on a screen, by their numbers."""
    shown = [re.findall(rf" {place}\. ?(?:\D+ )?(\d+)(?= )", told)[-1] for place in range(1, words.COUNT + 1)]
    return words.decode(" ".join(shown))


def test_a_field_without_a_name_is_none(app: flask.Flask) -> None:
    """Lynx sends such fields too: a form means the same with and without them."""
    client = app.test_client()
    plain = client.post("/en/", data={"step": "report", "channel": "fraud"})
    nameless = client.post("/en/", data={"": "********", "step": "report", "channel": "fraud"})
    assert nameless.status_code == 200
    assert "You chose: " in Visitor(app).took(nameless).text == Visitor(app).took(plain).text
