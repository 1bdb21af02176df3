"""Walks in a browser, as the tests start and follow them, and what lies on the server meanwhile."""

import json
import os
import subprocess
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import flask

from tests.browser import kept
from tests.patience import PATIENCE, TRIAL, WHOLE
from tests.server.visitor import store_of
from tests.stock.programs import need, need_package
from whistle.protocol.case import attachment
from whistle.protocol.case.attachment import Attachment
from whistle.store import Heap

HERE = Path(__file__).parent
BROWSERS = {"chrome": "chromium", "firefox": "firefox-esr"}
TEXTS = {"en": "Money for the school was taken.", "ar": "أُخذ مال المدرسة."}
# Every browser and every language; all pairs of them only in a trial, since each start of a browser takes seconds.
ALL_PAIRS = [(name, language) for name in BROWSERS for language in TEXTS]
PAIRS = ALL_PAIRS if TRIAL else [("firefox", "en"), ("chrome", "ar")]

LOGIC = tuple(BROWSERS) if TRIAL else ("chrome",)  # for what our program decides alike in every browser


def spread(variants: Iterable[str]) -> list[tuple[str, str]]:
    """Browsers with variants: Chromium with each, Firefox with the first, or in a trial with each, too."""
    return [
        (name, variant)
        for place, variant in enumerate(variants)
        for name in BROWSERS
        if TRIAL or not place or name == "chrome"
    ]


def browser(name: str) -> dict[str, Any]:
    """A browser as the walks are given it, or a skipped test."""
    need_package("puppeteer-core")
    program, pictures = need(BROWSERS[name]), os.environ.get("WHISTLE_PICTURES")
    return {"browser": name, "program": program, "pictures": pictures, "patience": 1000 * PATIENCE}


def walk(script: Path, **given: Any) -> dict[str, Any]:
    """What a walk in a browser tells in the end; it must end well."""
    command = ["node", str(script), json.dumps(given)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=WHOLE, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    found = json.loads(done.stdout)
    assert isinstance(found, dict)
    return found


def scene(name: str, told: str, address: str, **more: Any) -> dict[str, Any]:
    """What one of the walks in which something goes wrong tells."""
    given = {**browser(name), "scene": told, "address": address, "language": "en", "text": TEXTS["en"], **more}
    given["endpoint"] = kept.endpoint(given)
    try:
        found = walk(HERE / "faults.mjs", **given)
    except BaseException:
        kept.discard(given)
        raise
    assert found["found"] == []
    return found


def attached(app: flask.Flask, name: str, content: bytes) -> Attachment:
    """A file to reporters, laid on the server."""
    sealer = attachment.Sealer()
    blocks = sealer.update(content)
    last, record = sealer.finish(name, "text/plain")
    for id, block in blocks + last:
        store_of(app).put_block(id, block, Heap.REPORTERS)
    store_of(app).commit([], [id for id, _ in blocks + last])
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
