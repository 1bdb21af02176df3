"""A form from a page of somebody else's is a first visit; one from ours is taken, whatever stands in front of us."""

import io
from pathlib import Path
from typing import Any

import flask
import pytest

from tests import parties
from tests.server.test_receiving import on_disk
from tests.server.visitor import TEXT, Page, Visitor, opened, site
from whistle.server.config import Config
from whistle.server.instance import NAME
from whistle.server.reporter import routes
from whistle.server.running.gunicorn import cautions

HERE = "http://localhost"
THEIRS: dict[str, dict[str, str]] = {
    "cross-site": {"Sec-Fetch-Site": "cross-site"},
    "same-site": {"Sec-Fetch-Site": "same-site"},
    "cross-site that claims our origin": {"Sec-Fetch-Site": "cross-site", "Origin": HERE},
    "unknown": {"Sec-Fetch-Site": "elsewhere"},
    "empty": {"Sec-Fetch-Site": ""},
    "another origin": {"Origin": "https://evil.example"},
    "another port": {"Origin": f"{HERE}:8081"},
    "a longer name": {"Origin": f"{HERE}.evil.example"},
    "a name before ours": {"Origin": "http://evil@localhost"},
    "null": {"Origin": "null"},
    "none": {"Origin": ""},
    "no origin": {"Origin": "http://[localhost"},
}
OURS: dict[str, dict[str, str]] = {
    "same origin": {"Sec-Fetch-Site": "same-origin"},
    "typed": {"Sec-Fetch-Site": "none"},
    "text browser": {},
    "old browser": {"Origin": HERE},
    "behind TLS": {"Origin": "https://localhost"},
    "the usual port": {"Origin": HERE, "Host": "localhost:80"},
    "capitals": {"Origin": "http://LocalHost"},
    "new browser behind a proxy that changes the host": {
        "Sec-Fetch-Site": "same-origin",
        "Origin": "https://us.example",
    },
    "proxy that says what it changed": {"Origin": "https://us.example", "X-Forwarded-Host": "us.example"},
}
STEPS = (*routes.STEPS, "", "nothing")


def fields(visitor: Visitor) -> dict[str, str]:
    """What an honest form of a report holds."""
    visitor.open("/en/").step("report", {"channel": "harassment"})
    return {**dict(visitor.page.form("send").fields), "text": TEXT}


@pytest.mark.parametrize("headers", THEIRS.values(), ids=THEIRS)
def test_a_form_from_elsewhere_is_a_first_visit(
    app: flask.Flask, org: parties.Organisation, headers: dict[str, str]
) -> None:
    """Whatever step it is for, the first page comes and nothing that it brought; nothing is stored or looked up."""
    visitor = Visitor(app)
    words = visitor.tell("Mine.").words
    told = {**fields(visitor), "words": words, "attempt": "ab" * 32, "text": "FOREIGN TEXT", "word-1": "FOREIGN TEXT"}
    before = on_disk(app.extensions[NAME])
    for step in STEPS:
        for kind in ("application/x-www-form-urlencoded", "multipart/form-data"):
            data: dict[str, Any] = {**told, "step": step}
            if kind == "multipart/form-data":
                data["files"] = (io.BytesIO(bytes(300_000)), "FOREIGN TEXT.txt")
            visitor.took(visitor.client.post("/en/", data=data, headers=headers, content_type=kind))
            assert visitor.answer.status_code == 200 and "Talk to us without saying who you are" in visitor.text
            assert "FOREIGN TEXT" not in visitor.html and "ab" * 32 not in visitor.html and words not in visitor.html
            asked = "Sec-Fetch-Site" not in headers
            assert ("A form from another address was not taken" in visitor.text) == asked
    assert len(opened(app, org, "ombuds")) == 1 and on_disk(app.extensions[NAME]) == before
    assert "Nobody has picked it up yet" in visitor.come_back(words).text


@pytest.mark.parametrize("headers", OURS.values(), ids=OURS)
def test_our_own_forms_are_taken(app: flask.Flask, headers: dict[str, str]) -> None:
    """Browsers old and new, with and without script, and behind proxies that say what they change."""
    visitor = Visitor(app)
    visitor.took(visitor.client.post("/en/", data=fields(visitor), headers=headers))
    assert "Keep these twelve words" in visitor.text


@pytest.mark.parametrize("path", ["ready", "block", "drop", "store", "lookup", "blocks", "withdraw"])
def test_no_other_site_asks_as_a_program(app: flask.Flask, path: str) -> None:
    """Whatever type a browser may be brought to send, a page of another site gets nothing done."""
    client = app.test_client()
    for headers in THEIRS.values():
        answered = client.post(f"/api/{path}", data=b"", content_type="application/octet-stream", headers=headers)
        assert answered.status_code == 403 and set(answered.get_json()) == {"error", "hint"}
        assert "Access-Control-Allow-Origin" not in answered.headers
    assert client.post(f"/api/{path}", data=b"", content_type="application/octet-stream").status_code != 403


def test_a_proxy_that_changes_the_host(tmp_path: Path, org: parties.Organisation) -> None:
    """An old browser behind it is told at its first step, before anything is written; where the host is named, all is
    well."""
    old = {"Origin": "https://report.example.org", "Host": "127.0.0.1:8080"}
    visitor = Visitor(site(tmp_path, org))
    visitor.took(visitor.client.post("/en/", data={"step": "report"}, headers=old))
    assert "Please use Tor Browser or a newer browser" in visitor.text and "<textarea" not in visitor.html
    (tmp_path / "named").mkdir()
    visitor = Visitor(site(tmp_path / "named", org, hosts=("report.example.org",)))
    visitor.took(visitor.client.post("/en/", data=fields(visitor), headers=old))
    assert "Keep these twelve words" in visitor.text
    visitor.took(visitor.client.post("/en/", data=fields(visitor), headers={"Origin": "https://evil.example"}))
    assert "Keep these twelve words" not in visitor.text


def test_the_operator_is_told_of_it(
    app: flask.Flask, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """When a browser says that a page is ours and its origin is none of ours, the log says so, once and of nobody."""
    monkeypatch.setattr(routes, "_warned", [])
    headers = {"Sec-Fetch-Site": "same-origin", "Origin": "https://secret.example"}
    for _ in range(3):
        app.test_client().post("/en/", data={"step": "report"}, headers=headers)
    assert len(caplog.records) == 1
    assert "changes the host that visitors ask for" in caplog.text and "secret" not in caplog.text


def test_the_start_says_so(tmp_path: Path) -> None:
    """Where a proxy stands in front and no host is named, the operator is told what it must do; else nothing."""
    for wrong in ({"trusted_proxies": 1, "proof_of_work": True}, {"behind_tor": False}):
        [said] = cautions(Config(tmp_path, **wrong))  # type: ignore[arg-type]
        assert "proxy_set_header Host $host" in said and "hosts = " in said
        assert not cautions(Config(tmp_path, hosts=("report.example.org",), **wrong))  # type: ignore[arg-type]
    assert not cautions(Config(tmp_path, proof_of_work=True))


def test_the_start_says_that_floods_cost_nothing(tmp_path: Path) -> None:
    """Behind tor, as long as the operator has not said that tor asks for proof of work; elsewhere it says nothing."""
    [said] = cautions(Config(tmp_path))
    assert "HiddenServicePoWDefensesEnabled 1" in said and "proof_of_work = true" in said
    assert not cautions(Config(tmp_path, behind_tor=False, hosts=("report.example.org",)))


def test_what_an_address_brings_is_not_looked_at(app: flask.Flask) -> None:
    """No text comes in with an address, in any language."""
    for language in ("en", "ar"):
        answered = app.test_client().get(f"/{language}/?step=tell&text=FOREIGN&attempt={'ab' * 32}&channel=harassment")
        page = Page(answered.get_data(as_text=True))
        assert "FOREIGN" not in answered.get_data(as_text=True) and page.form("report")
