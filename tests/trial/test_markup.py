"""The Nu Html Checker on every page of the reporter's in six languages, and on what the program builds its pages of.

It is a Java program of 30 MB: give vnu.jar, as `npm pack vnu-jar` brings it, with WHISTLE_VNU.
"""

import json
import os
import re
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import flask
import pytest

from tests import parties
from tests.patience import WHOLE
from tests.server.test_pages import EVERY, OFTEN
from tests.server.visitor import Visitor, config, site
from tests.stock.programs import need
from whistle.server import places, topics
from whistle.server.config import usual_questions

SIX = ("en", "ar", "es", "fr", "ru", "zh")
CHECKER = os.environ.get("WHISTLE_VNU", "")
MORE: dict[str, Callable[[Visitor], Visitor]] = {
    "advice": lambda visitor: visitor.step("advice", {"channel": "fraud"}),
    "guidance": lambda visitor: visitor.step("guidance"),
    "places": lambda visitor: visitor.step("places"),
    "away": lambda visitor: visitor.step("away"),
}
WHOLE_PAGE = '<!doctype html><html lang="{}"><head><meta charset="utf-8"><title>x</title></head><body>{}</body></html>'


def pages(app: flask.Flask, language: str) -> Iterator[tuple[str, str]]:
    """Every page by a name, and each part of the program's, with values in place of its marks."""
    for name, way in {**EVERY, **MORE}.items():
        yield name, way(Visitor(app, language)).html
    script = app.test_client().get(f"/{language}/kit.js").get_data(as_text=True)
    parts = re.findall(r'<template id="([a-z-]+)">(.*?)</template>', json.loads(script.partition("=")[2])["html"], re.S)
    for name, part in parts:
        if name != "settings":
            filled = re.sub(r"⟦(\w+)⟧", lambda mark: {"list": "en", "language": "en"}.get(mark[1], "1"), part)
            yield f"part-{name}", WHOLE_PAGE.format(language, filled)


def test_the_checker_finds_no_error(tmp_path: Path, org: parties.Organisation) -> None:
    """On any page, with the questions, guidance and places that come with Whistle."""
    if not CHECKER:
        pytest.skip("WHISTLE_VNU names no vnu.jar")
    java, folder = need("java"), tmp_path / "html"
    folder.mkdir()
    app = site(
        tmp_path,
        org,
        name=dict.fromkeys(SIX, "North Office"),
        questions={channel.id: usual_questions(channel.id, SIX) for channel in org.manifest.channels},
        guidance=topics.read(tmp_path),
        places=places.read(tmp_path),
        rates=dict.fromkeys(config(tmp_path).rates, OFTEN),
    )
    for language in SIX:
        for name, text in pages(app, language):
            (folder / f"{language}-{name.replace(' ', '-')}.html").write_text(text, "utf-8")
    command = [java, "-Xss2m", "-jar", CHECKER, "--errors-only", "--format", "gnu", *map(str, folder.iterdir())]
    done = subprocess.run(command, capture_output=True, text=True, timeout=WHOLE, check=False)
    assert (done.stdout + done.stderr, done.returncode) == ("", 0)


@pytest.fixture
def org() -> parties.Organisation:
    """The organisation, with all secrets."""
    return parties.organisation()
