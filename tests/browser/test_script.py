"""The reporter's pages in real browsers with script on, against a real server: nothing that is told reaches it open."""

import hashlib
import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import flask
import pytest

from tests import parties
from tests.browser.serving import Line, serving
from tests.server.visitor import answer, opened, reported, site, store_of
from tests.stock.programs import need, need_package
from whistle.protocol import attachment, manifest, retrieval, words
from whistle.protocol.attachment import Attachment
from whistle.protocol.message import FollowUp, Report
from whistle.store import Heap

HERE = Path(__file__).parent
BROWSERS = {"chrome": "chromium", "firefox": "firefox-esr"}
TEXTS = {"en": "Money for the school was taken.", "ar": "أُخذ مال المدرسة."}

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def org() -> parties.Organisation:
    """The organisation, with all secrets."""
    return parties.organisation()


@pytest.fixture
def app(tmp_path: Path, org: parties.Organisation) -> flask.Flask:
    """Its server."""
    return site(tmp_path, org)


@pytest.fixture
def served(app: flask.Flask) -> Iterator[tuple[str, Line]]:
    """Its address, and what stands before it."""
    with serving(app) as found:
        yield found


def browser(name: str) -> dict[str, Any]:
    """A browser as the walks are given it, or a skipped test."""
    need_package("puppeteer-core")
    return {"browser": name, "program": need(BROWSERS[name]), "pictures": os.environ.get("WHISTLE_PICTURES")}


def attached(app: flask.Flask, name: str, content: bytes) -> Attachment:
    """A file to reporters, laid on the server."""
    sealer = attachment.Sealer()
    blocks = sealer.update(content)
    last, record = sealer.finish(name, "text/plain")
    for id, block in blocks + last:
        store_of(app).put_block(id, block, Heap.REPORTERS, parties.DAY)
    store_of(app).commit([], [id for id, _ in blocks + last], parties.DAY)
    return record


def content_of(app: flask.Flask, record: Attachment) -> bytes:
    """The content of an attachment to reviewers."""
    opener = attachment.Opener(record)
    blocks = [store_of(app).block(id, Heap.REVIEWERS) or b"" for id in attachment.block_ids(record)]
    return b"".join([*(opener.update(block) for block in blocks), opener.finish()])


def turn(walking: "subprocess.Popen[str]") -> dict[str, Any]:
    """What a walk tells before it waits."""
    assert walking.stdout and walking.stdin
    said = walking.stdout.readline()
    assert said, walking.communicate()[1][-3000:]
    found = json.loads(said)
    assert isinstance(found, dict)
    return found


def go_on(walking: "subprocess.Popen[str]") -> None:
    """Let it."""
    assert walking.stdin
    walking.stdin.write("\n")
    walking.stdin.flush()


@pytest.mark.parametrize("language", TEXTS)
@pytest.mark.parametrize("name", BROWSERS)
def test_the_whole_story(
    app: flask.Flask, org: parties.Organisation, served: tuple[str, Line], tmp_path: Path, name: str, language: str
) -> None:
    """Told, kept, answered, added, moved and withdrawn in the browser: readers read it, and the server was sent
    neither text, words, names of files nor keys."""
    address, line = served
    content, file, answered = os.urandom(300_000), "evidence-of-it.txt", b"Signed by all of us."
    (tmp_path / file).write_bytes(content)
    given = {
        **browser(name),
        "address": address,
        "language": language,
        "text": TEXTS[language],
        "more": "One more thing that I saw.",
        "file": str(tmp_path / file),
        "answered": "answer.txt",
        "axe": name == "chrome",
    }
    command = ["node", str(HERE / "story.mjs"), json.dumps(given)]
    with subprocess.Popen(command, stdin=-1, stdout=-1, stderr=-1, text=True) as walking:
        first = turn(walking)
        report = reported(app, org, "ethics")
        assert (report.text, report.sealed, report.without) == (TEXTS[language], "browser", ("ombuds",))
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
        assert not walking.wait(60), walking.stderr and walking.stderr.read()[-3000:]
    assert json.loads(last)["found"] == []
    assert "Thank you. Who else was there?" in second["told"] and "Ethics office" in second["told"]
    assert second["hash"] in (None, hashlib.sha256(answered).hexdigest())
    sealed = [each.message for each in opened(app, org, "ethics")]
    assert [each.text for each in sealed if isinstance(each, FollowUp)] == ["One more thing that I saw."]
    moved = [each for each in sealed if isinstance(each, Report) and each.continues]
    assert not moved  # it was withdrawn again
    sent = b"\n".join(line.sent)
    code = [words.decode(said["words"]) for said in (first,)]
    secrets = [TEXTS[language].encode(), b"more thing that I saw", file.encode(), record.identity.encode()]
    secrets += [code[0], code[0].hex().encode(), report.attachments[0].identity.encode(), who.sent, who.replies]
    for said in (first["words"], second["renewed"]):
        secrets += [said.encode(), said.replace(" ", "+").encode(), " ".join(said.split()[:3]).encode()]
        secrets.append(" ".join(map(str, words.numbers(words.decode(said)))).encode())
    assert [each for each in secrets if each in sent] == []
