"""The rarer pages of the way without script, each as the server answered it, in a real browser."""

from collections.abc import Iterator

import flask
import pytest

from tests import parties
from tests.browser.remote import remote
from tests.browser.serving import Line
from tests.browser.test_back import collected, retired
from tests.server.visitor import Visitor, answer, hide, opened, turn
from whistle.protocol.case.message import Report
from whistle.protocol.code import retrieval, words
from whistle.protocol.code.retrieval import Reporter

pytestmark = pytest.mark.browser


def told(visitor: Visitor) -> tuple[str, Reporter]:
    """The words of a new report, and who they make."""
    code = visitor.tell().words
    return code, retrieval.derive(words.decode(code))


def states(
    app: flask.Flask, org: parties.Organisation, visitor: Visitor, monkeypatch: pytest.MonkeyPatch
) -> Iterator[str]:
    """The name of each page that the visitor has before them, one after the other."""
    visitor.open("/nowhere/")
    yield "missing"
    visitor.took(visitor.client.post(visitor.here, data=b"x", content_type="multipart/form-data; boundary=x"))
    yield "refused"
    visitor.took(visitor.client.post(visitor.here, data={"step": "report"}, headers={"Origin": "null"}))
    yield "from elsewhere"
    code, _ = told(visitor)
    visitor.come_back(code).step("withdraw")
    yield "withdraw"
    visitor.step("withdraw-now")
    yield "withdrawn"
    visitor.come_back(code)
    yield "removed"
    code, who = told(visitor)
    visitor.come_back(code).step("withdraw")
    late = visitor.page.form("withdraw-now")
    messages = [each.message for each in opened(app, org, "ombuds")]
    report = next(each for each in messages if isinstance(each, Report) and each.case == who.case.hex())
    answer(app, org, who, report, "Thank you.")
    collected(app)
    visitor.took(visitor.client.post(visitor.here, data={**dict(late.fields), "step": "withdraw-now"}))
    yield "too late"
    visitor.step("stop")
    yield "stop"
    visitor.step("stop-now")
    yield "added"
    visitor.come_back(code).step("exposed").step("renew", {"text": "She saw them."})
    yield "new words"
    visitor.step("keep").step("kept")
    yield "words kept wrong"
    visitor.step("leave")
    yield "left"
    with app.app_context():
        app.extensions["whistle"].published.install([retired(org, "ombuds", "ethics")])
    visitor.come_back(code)
    yield "instead"
    visitor.step("follow-up", {"text": "One thing more.", "without": "counsel"})
    yield "nobody"
    turn(app.extensions["whistle"], org.manifest.expires.replace(year=org.manifest.expires.year + 1))
    visitor.open(visitor.here)
    yield "closed"
    visitor.step("replies").step("look", {"words": code})
    yield "closed case"
    turn(app.extensions["whistle"], parties.DAY)
    hide(monkeypatch, who.slip_id)
    visitor.come_back(code)
    yield "no slip"


@pytest.mark.parametrize("language", ["en", "ar"])
def test_axe_finds_nothing_on_rare_pages(
    app: flask.Flask,
    org: parties.Organisation,
    served: tuple[str, Line],
    monkeypatch: pytest.MonkeyPatch,
    language: str,
) -> None:
    """Refusals, late steps, cases without readers and the closed door: sound in every size and scheme, no mark left."""
    address, line = served
    visitor = Visitor(app, language)
    line.answer = lambda path, body: visitor.html.encode() if path == f"/{language}/" else body
    seen = set()
    with remote("chrome", address, language) as page:
        for name in states(app, org, visitor, monkeypatch):
            html = visitor.html
            page("home")
            assert page("text", "h1") in " ".join(visitor.text.split()), name
            page("look", f"rare-{name.replace(' ', '-')}")
            assert html not in seen, f"{name} is a page that was seen before"
            seen.add(html)
    assert len(seen) == 17
