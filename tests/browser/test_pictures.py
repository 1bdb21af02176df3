"""Pictures that a reporter asks to be cleaned, in real browsers: what shows arrives, what was hidden does not."""

import json
import select
import subprocess
from pathlib import Path

import flask
import pytest

from tests import parties
from tests.browser.serving import Line
from tests.browser.walks import HERE, PAIRS, TEXTS, browser, content_of, go_on, scene, turn, walk
from tests.patience import PATIENCE
from tests.server.visitor import reported

PLANTED = b"52.5200N-13.4050E-SN12345-Jane"

pytestmark = pytest.mark.browser


def begun(command: list[str]) -> "subprocess.Popen[str]":
    """The walk, once it has told something: a Firefox that is driven from outside sometimes stands still while files
    are handed to it, and nothing has been sent by then, so another one begins."""
    for _ in range(3):
        walking = subprocess.Popen(command, stdin=-1, stdout=-1, stderr=-1, text=True)
        if select.select([walking.stdout], [], [], PATIENCE / 6)[0]:
            return walking
        walking.terminate()
        walking.communicate(timeout=PATIENCE)
    raise AssertionError("three browsers stood still")


@pytest.mark.parametrize(("name", "language"), PAIRS)
def test_pictures_are_cleaned_unless_unticked(
    app: flask.Flask, org: parties.Organisation, served: tuple[str, Line], tmp_path: Path, name: str, language: str
) -> None:
    """Stored pictures hold nothing of what was planted, look the same and stay turned; one that would look different,
    and another file, each hold the whole up until they are let go, cleaned all the same or as they are."""
    given = {**browser(name), "address": served[0], "language": language, "text": TEXTS[language]}
    command = ["node", str(HERE / "pictures.mjs"), json.dumps({**given, "folder": str(tmp_path)})]
    with begun(command) as walking:
        held = turn(walking)
        assert "notes.txt" in held["told"] and "odd.jpg" in held["told"] and "photo.jpg" not in held["told"]
        assert {"en": "no longer the same as the originals", "ar": "لا تبقى الملفات مطابقة للأصل"}[language] in held[
            "hint"
        ]
        go_on(walking)
        held = turn(walking)
        assert "odd.jpg" in held["told"] and "notes.txt" not in held["told"]
        assert not any(path.startswith("/api/block") or path == "/api/store" for path in served[1].asked)
        go_on(walking)
        assert turn(walking) == {"sent": True}
        report = reported(app, org)
        stored = {each.name: content_of(app, each) for each in report.attachments}
        for file, content in stored.items():
            (tmp_path / f"stored-{file}").write_bytes(content)
        go_on(walking)
        assert walking.stdout
        last = json.loads(walking.stdout.read())
        assert not walking.wait(PATIENCE), walking.stderr and walking.stderr.read()[-3000:]
    assert last["found"] == []
    assert last["same"] == {"photo.jpg": True, "screen.png": True}
    assert last["turned"] == {"given": [64, 96], "stored": [64, 96]}
    assert {file for file in stored if PLANTED in (tmp_path / file).read_bytes()} == {*stored}
    assert {file for file, content in stored.items() if PLANTED in content} == {"notes.txt"}


@pytest.mark.parametrize("name", ["chrome", "firefox"])
def test_cleaned_pictures_look_as_they_did(name: str) -> None:
    """Whatever is odd about a picture, a browser shows it in the same size and colours once it is cleaned; those that
    it would show otherwise are not cleaned, and in each of the browsers some of these would look different."""
    told = walk(HERE / "looks.mjs", **browser(name))
    assert told["different"] == [] and told["same"] > 50 and told["refused"] > 20
    assert told["otherwise"] > 5


def test_the_plain_way_does_not_take_pictures_along_unasked(served: tuple[str, Line], tmp_path: Path) -> None:
    """Where pictures are to be cleaned, the plain way sends none before the box is unticked."""
    file = tmp_path / "photo.jpg"
    file.write_bytes(b"\xff\xd8\xff" + PLANTED)
    address, line = served
    line.fault = lambda path, number: "404" if path == "/static/words.js" else ""
    told = scene("chrome", "held", address, file=str(file))
    assert "Nothing was sent: the plain way sends files as they are" in told["told"]
    assert told["words"] and sum(PLANTED in each for each in line.sent) == 1
