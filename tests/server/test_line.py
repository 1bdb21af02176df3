"""What a slow line carries: how many requests a page is, of how many bytes, and which of them wait for one another."""

import base64
import datetime
import gzip
import hashlib
import json
import re
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlencode

import flask
import pytest
from flask.testing import FlaskClient

from tests import parties
from tests.server.visitor import Clock, Page, Visitor, site
from whistle.protocol.code import retrieval, words
from whistle.server.instance import here
from whistle.server.reporter import client_kit, render

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
    form = Visitor(app).step("report", {"channel": "harassment"})
    told = Visitor(app).tell()
    seen = [first, Visitor(app).step("report", {"channel": ""}), form, told, told.step("keep"), told.step("kept")]
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


def several(folder: Path, org: parties.Organisation, count: int) -> flask.Flask:
    """The server of an organisation with so many channels, in six languages."""
    [first, second] = org.manifest.channels
    more = [replace(second, id=f"{second.id}-{number}") for number in range(2, count)]
    return site(
        folder,
        replace(org, known=org.sign(channels=(first, second, *more))),
        name=dict.fromkeys(("en", "ar", "es", "fr", "ru", "zh"), "North Office"),
    )


@pytest.mark.parametrize("way", ["report", "advice"])
def test_a_few_channels_cost_no_page(app: flask.Flask, way: str) -> None:
    """The first page shows who reads each, and has a button for it that leads to its form."""
    first = Visitor(app)
    assert first.text.count("Readers: ") == 2
    forms = [form for form in first.page.forms if way in form.steps]
    assert [form.action for form in forms] == ["/en/", "/en/"]
    for form, title in zip(forms, ("Harassment", "Fraud"), strict=True):
        answer = first.client.post(form.action, data={**dict(form.fields), "step": way})
        told = Visitor(app).took(answer)
        assert f"You chose: {title}." in told.text and ("way", way) in told.page.form("send").fields


def test_a_channel_that_is_gone_is_chosen_anew(app: flask.Flask) -> None:
    """Whoever had the first page of an earlier list gets the channels of now."""
    assert "Who should read your report?" in Visitor(app).step("report", {"channel": "gone"}).text


def test_many_channels_have_a_page_of_their_own(tmp_path: Path, org: parties.Organisation) -> None:
    """From four on: the first page would be long."""
    visitor = Visitor(several(tmp_path, org, 4))
    assert len([form for form in visitor.page.forms if "report" in form.steps]) == 1
    visitor.step("report")
    assert visitor.page.form("tell") and visitor.text.count("Readers: ") == 4


@pytest.mark.parametrize("language", ["en", "ar", "es", "fr", "ru", "zh"])
def test_a_first_page_with_channels_is_no_longer_than_others(
    tmp_path: Path, org: parties.Organisation, language: str
) -> None:
    """Three channels with their readers fit into it."""
    assert len(Visitor(several(tmp_path, org, 3), language).answer.data) == render.PAGE


def test_the_length_of_a_choice_does_not_tell_it(tmp_path: Path, org: parties.Organisation) -> None:
    """Whichever channel is chosen, for a report or for advice, as many bytes go either way, and to one address."""
    seen = set()
    for count in (3, 4):
        (tmp_path / str(count)).mkdir()
        first = Visitor(several(tmp_path / str(count), org, count))
        for way in ("report", "advice"):
            page = first.page if count == 3 else first.open("/en/").step(way).page
            for fields, step in [(form.fields, way) for form in page.forms if way in form.steps] or chosen(page):
                body = urlencode([*fields, ("step", step)])
                answer = first.client.post("/en/", data=body, content_type="application/x-www-form-urlencoded")
                assert b'value="send"' in answer.data
                seen.add((count, len(body), len(answer.data)))
    assert len(seen) == 2


def chosen(page: Page) -> list[tuple[list[tuple[str, str]], str]]:
    """The fields of the page of channels, with each of them chosen."""
    radios = [given["value"] for tag, given in page.tags if tag == "input" and given.get("type") == "radio"]
    return [([*page.form("tell").fields, ("channel", radio)], "tell") for radio in radios]


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
