"""What a slow line carries: how many requests a page is, of how many bytes, and which of them wait for one another."""

import base64
import datetime
import gzip
import hashlib
import json
import re
from dataclasses import replace
from pathlib import Path

import flask
import pytest
from flask.testing import FlaskClient

from tests import parties
from tests.server.visitor import Clock, Visitor, site
from whistle.protocol.code import retrieval, words
from whistle.server.instance import here
from whistle.server.reporter import client_kit

PROGRAM = {"/static/whistle.js": 65_000, "/static/words.js": 28_000, "/static/pictures.js": 11_000}  # bytes as sent
KIT = 30 * 1024  # bytes
PACKED = {"Accept-Encoding": "gzip, deflate, br"}
STEPS = ("land", "channel", "tell", "words", "keep", "done", "replies", "case")


@pytest.fixture
def single(tmp_path: Path, org: parties.Organisation) -> flask.Flask:
    """The server of an organisation with one channel."""
    [first, _] = org.manifest.channels
    alone = replace(org, known=org.sign(channels=(first,)))
    (tmp_path / "single").mkdir()
    return site(tmp_path / "single", alone)


def loaded(visitor: Visitor) -> list[str]:
    """What a browser asks for to show a page, besides the page."""
    tags = [(tag, given) for tag, given in visitor.page.tags if tag in ("script", "link", "img", "style")]
    addresses = [given.get("src", given.get("href", "")) for _, given in tags]
    return [address for address in addresses if address and not address.startswith("data:")]


def test_a_page_is_one_request(app: flask.Flask) -> None:
    """Its style and icon stand inside; where something is typed the program comes with all that it needs, at once."""
    program = ["/static/whistle.js", "/en/kit.js", "/static/words.js"]
    first = Visitor(app)
    form = Visitor(app).step("report").step("tell", {"channel": "harassment"})
    told = Visitor(app).tell()
    seen = [first, Visitor(app).step("report"), form, told, told.step("keep"), told.step("kept")]
    assert [loaded(visitor) for visitor in seen[:3]] == [[], [], program]
    assert all(not loaded(visitor) for visitor in seen[3:])
    assert loaded(Visitor(app).step("replies")) == program
    assert not re.search(r"url\(|@import", first.html.partition("<body>")[0])


def test_the_style_is_allowed_by_its_hash_alone(client: FlaskClient) -> None:
    """The policy names the one sheet that stands in the page, and nothing else of style may apply."""
    answer = client.get("/en/")
    [sheet] = re.findall(r"<style>(.*?)</style>", answer.get_data(as_text=True), re.DOTALL)
    policy = dict(part.split(" ", 1) for part in answer.headers["Content-Security-Policy"].split("; "))
    hashed = base64.b64encode(hashlib.sha256(sheet.encode()).digest()).decode()
    assert policy["style-src"] == f"'sha256-{hashed}'" and "--focus" in sheet


def test_the_only_channel_costs_no_page(single: flask.Flask) -> None:
    """From the first address to the words there are three pages."""
    visitor = Visitor(single).open("/").step("report").step("send", {"text": "Money was taken."})
    assert len(words.decode(visitor.words)) == retrieval.CODE


@pytest.mark.parametrize("path", PROGRAM)
def test_the_program_is_sent_compressed(client: FlaskClient, path: str) -> None:
    """In at most so many bytes, the same for whoever takes it as it is."""
    plain, packed = client.get(path), client.get(path, headers=PACKED)
    assert packed.headers["Content-Encoding"] == "gzip" and "Content-Encoding" not in plain.headers
    assert gzip.decompress(packed.data) == plain.data and len(packed.data) <= PROGRAM[path]
    assert plain.headers["Content-Type"] == packed.headers["Content-Type"] == "text/javascript; charset=utf-8"


def test_the_kit_is_small_and_its_length_tells_no_language(client: FlaskClient, org: parties.Organisation) -> None:
    """It brings the manifest in force, as it was signed, and the day; compressed it has one length."""
    lengths = set()
    for language in ("en", "ar"):
        plain, packed = client.get(f"/{language}/kit.js"), client.get(f"/{language}/kit.js", headers=PACKED)
        lengths.add(len(packed.data))
        assert gzip.decompress(packed.data) == plain.data
        name, _, value = plain.get_data(as_text=True).partition("=")
        given = json.loads(value)
        assert name == "whistleKit" and given["day"] == parties.DAY.isoformat()
        assert (given["manifest"].encode(), given["signature"].encode()) == (org.known.data, org.known.signature)
    [length] = lengths
    assert length <= KIT


def test_what_a_visitor_sent_is_never_compressed(app: flask.Flask) -> None:
    """A length after compression could tell what stands beside it: pages and programs' answers come as they are."""
    visitor = Visitor(app)
    visitor.client.environ_base["HTTP_ACCEPT_ENCODING"] = PACKED["Accept-Encoding"]
    answers = [visitor.open("/en/").answer, visitor.tell().answer, visitor.come_back(visitor.words).answer]
    answers.append(visitor.client.get("/manifest.json"))
    assert not [answer for answer in answers if "Content-Encoding" in answer.headers]
    assert b"Money" not in visitor.client.get("/en/kit.js?Money").data


def test_a_kit_is_made_once_and_is_never_stale(
    tmp_path: Path, org: parties.Organisation, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is made anew for another language, on the next day, and when there is another manifest."""
    clock, made = Clock(), []
    pages = client_kit._pages
    monkeypatch.setattr(client_kit, "_pages", lambda visit, signed: made.append(visit.t.code) or pages(visit, signed))
    app = site(tmp_path, org, clock)
    client = app.test_client()
    first = client.get("/en/kit.js").data
    assert client.get("/en/kit.js").data == first != client.get("/ar/kit.js").data
    assert made == ["en", "ar"]
    clock.day += datetime.timedelta(days=1)
    assert clock.day.isoformat().encode() in client.get("/en/kit.js").data
    after = org.next(collection=("friday",))
    with app.app_context():
        here().published.install([(after.data, after.signature)])
    assert json.loads(client.get("/en/kit.js").data.partition(b"=")[2])["signature"].encode() == after.signature
    assert made == ["en", "ar", "en", "en"]
