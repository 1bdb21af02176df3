"""The reporter's pages in a real browser with script off."""

import json
import os
import subprocess
import threading
from pathlib import Path

import pytest
from werkzeug.serving import make_server

from tests import parties
from tests.patience import TRIAL, WHOLE
from tests.server.visitor import Visitor, answer, reported, site
from tests.stock.programs import need, need_package
from whistle.protocol.code import retrieval, words
from whistle.server import places, topics
from whistle.server.config import usual_questions

SIX = ("en", "ar", "es", "fr", "ru", "zh")
SCRIPT = Path(__file__).with_name("pages.mjs")

pytestmark = pytest.mark.browser


def test_walks_through_every_page_and_axe_finds_nothing(tmp_path: Path) -> None:
    """With script off every language is walked to the end; nothing is wider than a phone, and axe is silent."""
    chromium, _ = need("chromium"), need_package("puppeteer-core")
    org = parties.organisation()
    asked = {channel.id: usual_questions(channel.id, SIX) for channel in org.manifest.channels}
    shown = {"guidance": topics.read(tmp_path), "places": places.read(tmp_path), "questions": asked}
    app = site(tmp_path, org, name=dict.fromkeys(SIX, "North Office"), **shown)
    code = words.decode(Visitor(app).tell().words)
    answer(app, org, retrieval.derive(code), reported(app, org), "Thank you.\n\nWho else was in the room?")
    server = make_server("127.0.0.1", 0, app, threaded=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        given = [f"http://127.0.0.1:{server.port}", chromium, " ".join(words.encode(code)), "yes" if TRIAL else "no"]
        pictures = os.environ.get("WHISTLE_PICTURES")  # a folder to put pictures of every page into
        command = ["node", str(SCRIPT), *given, *([pictures] if pictures else [])]
        done = subprocess.run(command, capture_output=True, text=True, timeout=WHOLE, check=False)
    finally:
        server.shutdown()
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == []
