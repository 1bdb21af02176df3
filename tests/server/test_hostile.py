"""Markup, directions and broken names from wherever they can come, and fields that no page of ours sends."""

import dataclasses
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import flask
import pytest

from tests import parties
from tests.server.test_replies import attached
from tests.server.visitor import Page, Visitor, answer, opened, reported, site, store_of
from whistle.protocol.case.message import Report
from whistle.protocol.code import retrieval, words
from whistle.protocol.reporter import submission
from whistle.protocol.reporter.compose import Draft, Writer
from whistle.protocol.trust.manifest import Recovery
from whistle.server import topics
from whistle.server.config import Emergency, Outside, Question, Step
from whistle.server.places import Line, Place
from whistle.server.topics import Topic

EVIL = "\"'><evil onload=x>{{7*7}}{% evil %}<!--</textarea></template></title>&lt;\u202e\u2066\u200f"
TEXTS = {"en": EVIL, "ar": EVIL}


@pytest.fixture
def app(tmp_path: Path, org: parties.Organisation) -> flask.Flask:
    """A server whose operator and root wrote markup into all that they may write."""
    channels = tuple(dataclasses.replace(each, title=TEXTS, purpose=TEXTS) for each in org.manifest.channels)
    reviewers = tuple(dataclasses.replace(each, name=EVIL, role=EVIL + "2") for each in org.manifest.reviewers)
    recovery = Recovery(EVIL, parties.person("spare", "Spare").periods[0].recipient)
    evil = dataclasses.replace(org, known=org.sign(channels=channels, reviewers=reviewers, recovery=recovery))
    return site(
        tmp_path,
        evil,
        name=TEXTS,
        leave=f"https://a.example/{EVIL}",
        emergency=(Emergency(EVIL, TEXTS),),
        outside=(Outside(TEXTS, EVIL, TEXTS),),
        plan=(Step(7, TEXTS),),
        questions={"harassment": (Question("when", TEXTS, TEXTS),)},
        guidance={"en": (Topic(EVIL, EVIL),)},
        places=(Place("FR", EVIL, (Line(EVIL, EVIL, "violence"),)),),
    )


def clean(page: Page, html: str) -> None:
    """Nothing of it has become markup, a handler or a comment."""
    names = {name for _, given in page.tags for name in given}
    assert not [tag for tag, _ in page.tags if tag in ("evil", "img", "iframe", "object", "base", "form2")]
    assert not [name for name in names if name.startswith("on") or not re.fullmatch(r"[a-z-]+", name)]
    scripts = [given.get("src", "").rpartition("/")[2] for tag, given in page.tags if tag == "script"]
    assert scripts in ([], ["whistle.js", "kit.js", "words.js"])
    assert [tag for tag, _ in page.tags if tag == "style"] == ["style"] * ("<head>" in html)
    assert html.count("<!--") <= 1 and "49" not in re.sub(r"\d{2,}-?|#\d+", "", html)


WAYS: dict[str, Callable[[Visitor], Visitor]] = {
    "land": lambda visitor: visitor,
    "guidance": lambda visitor: visitor.step("guidance"),
    "places": lambda visitor: visitor.step("places"),
    "channel": lambda visitor: visitor.step("report", {"channel": ""}),
    "tell": lambda visitor: visitor.step("report", {"channel": "harassment"}),
    "given back": lambda visitor: visitor.tell(EVIL, **{"answer-when": EVIL, "without": ["ombuds", "ethics"]}),
    "unknown channel": lambda visitor: visitor.step("report", {"channel": EVIL, "way": EVIL}),
    "still unknown": lambda visitor: visitor.step("report", {"channel": EVIL}).step("tell", {"channel": EVIL}),
    "forged": lambda visitor: visitor.tell(EVIL, shown=EVIL, way=EVIL, keys=EVIL, attempt=EVIL),
    "words": lambda visitor: visitor.tell(EVIL).step("words", {"list": EVIL}),
    "asked back": lambda visitor: visitor.tell(EVIL).step("keep").step("kept", {"word-1": EVIL}),
    "wrong words": lambda visitor: visitor.come_back(EVIL),
    "words that are none": lambda visitor: visitor.come_back("abandon " * 11 + EVIL.replace(" ", "")),
    "follow-up": lambda visitor: visitor.come_back(visitor.tell().words).step("follow-up", {"attempt": EVIL}),
    "exposed": lambda visitor: visitor.come_back(visitor.tell().words).step("exposed"),
    "step": lambda visitor: visitor.took(visitor.client.post("/en/", data={"step": EVIL, "text": EVIL})),
}


@pytest.mark.parametrize("language", ["en", "ar"])
@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
def test_no_text_becomes_markup(app: flask.Flask, way: Callable[[Visitor], Visitor], language: str) -> None:
    """Whatever the operator, the root or a visitor wrote is shown as text, on every page."""
    visitor = way(Visitor(app, language))
    clean(visitor.page, visitor.html)
    assert visitor.page.title.startswith("\"'>")


@pytest.mark.parametrize("language", ["en", "ar"])
def test_no_text_becomes_markup_in_the_program(app: flask.Flask, language: str) -> None:
    """Nor in what the browser's program builds its pages of."""
    script = app.test_client().get(f"/{language}/kit.js").get_data(as_text=True)
    html = json.loads(script.partition("=")[2])["html"]
    clean(Page(html), html)


def test_no_reply_becomes_markup(app: flask.Flask, org: parties.Organisation) -> None:
    """Nor does anything of a reply: its text, its language, the names and types of its files."""
    visitor = Visitor(app).tell("x")
    who = retrieval.derive(words.decode(visitor.words))
    record = dataclasses.replace(attached(app, b"<script>alert(1)</script>"), name=EVIL + ".html", type="text/html")
    answer(app, org, who, reported(app, org), EVIL, attachments=(record,))
    visitor.come_back(visitor.words)
    clean(visitor.page, visitor.html)
    assert "<evil" in visitor.page.text
    given = visitor.step("download").answer
    assert given.headers["Content-Type"] == "application/octet-stream"
    disposition = given.headers["Content-Disposition"]
    assert disposition.startswith("attachment; filename") and len(disposition.splitlines()) == 1
    assert disposition.isascii() and disposition.isprintable() and "/" not in disposition


MARKDOWN = {
    "raw": "<script>x</script><img src=x onerror=x><svg/onload=x><style>*{}</style><iframe src=x></iframe>",
    "links": "[a](javascript:x) [b](data:text/html,x) [c](vbscript:x) [d](JaVa\tScript:x) <javascript:x>",
    "references": "[a][1]\n\n[1]: javascript:x 'onclick=x'\n\n![i](http://x.example/beacon.png)",
    "attributes": '<a href="https://x.example" onclick="x" style="x" target="_top" class="x" id="main">a</a>',
    "nested": "<p title='<script>'>x</p> <abbr title='\"><script>x</script>'>y</abbr>",
    "comments": "<!-- --><!--[if IE]><script>x</script><![endif]--> <?php x ?> <![CDATA[<script>x</script>]]>",
    "entities": "&#60;script&#62;x&#60;/script&#62; [a](&#x6A;avascript:x) <a href='java&#10;script:x'>a</a>",
    "forms": "<form action=https://x.example><input name=words><button formaction=x>go</button></form>",
    "headings": "# a {: onclick=x }\n\n[TOC]\n\n## <b onclick=x>b</b>",
    "unclosed": "<a href='https://x.example'><p><strong>x <script",
}


@pytest.mark.parametrize("text", MARKDOWN.values(), ids=MARKDOWN)
def test_guidance_is_plain(text: str) -> None:
    """Of hostile Markdown only plain elements are left, and links that lead to plain addresses."""
    page = Page(str(topics.render(text)))
    assert {tag for tag, _ in page.tags} <= topics.TAGS
    for tag, given in page.tags:
        assert set(given) <= set(topics.ATTRIBUTES.get(tag, ()))
        assert re.match(r"(https?|mailto|tel):|(?!\w+:)", given.get("href", ""))


def fields(**changes: str) -> dict[str, str]:
    """A report as a page sends it, with changes."""
    usual = {"step": "send", "attempt": "ab" * 32, "keys": "1", "channel": "harassment", "shown": "harassment"}
    return {**usual, "text": "What happened.", **changes}


FORGED: dict[str, dict[str, Any]] = {
    "attempt_missing": fields(attempt=""),
    "attempt_short": fields(attempt="ab"),
    "attempt_capitals": fields(attempt="AB" * 32),
    "attempt_with_line": fields(attempt="ab" * 32 + "\n"),
    "attempt_other_digits": fields(attempt="\u0661" * 64),
    "keys_old": fields(keys="0"),
    "keys_ahead": fields(keys="2"),
    "keys_odd": fields(keys="01"),
    "keys_missing": fields(keys=""),
    "channel_unknown": fields(channel="board", shown="board"),
    "channel_missing": fields(channel="", shown=""),
    "everybody_left_out": {**fields(), "without": ["ombuds", "ethics", "counsel", "recovery", "nobody"]},
    "nothing": fields(text=" \r\n\t"),
}


@pytest.mark.parametrize("data", FORGED.values(), ids=FORGED)
def test_a_forged_form_stores_nothing_and_loses_nothing(
    org: parties.Organisation, tmp_path: Path, data: dict[str, Any]
) -> None:
    """A field that no page of ours sends gets the form back with the text, and stores nothing."""
    app = site(tmp_path, org)
    page = Page(app.test_client().post("/en/", data=data, content_type="multipart/form-data").get_data(as_text=True))
    assert ("text", data["text"].replace("\r\n", "\n")) in [
        (name, value.replace("\r\n", "\n")) for name, value in page.form("send").fields
    ]
    assert store_of(app).days() == []


def test_of_a_field_that_comes_twice_the_first_counts(org: parties.Organisation, tmp_path: Path) -> None:
    """A step, an attempt or a text that comes twice changes what is done by nothing; all names of left out count."""
    app = site(tmp_path, org)
    data = {name: [value, "leave"] for name, value in fields().items()} | {"without": ["ethics", "stranger", "counsel"]}
    page = Page(app.test_client().post("/en/", data=data, content_type="multipart/form-data").get_data(as_text=True))
    assert page.form("keep")
    report = reported(app, org)
    assert (report.text, report.readers, report.without) == ("What happened.", ("ombuds",), ("counsel", "ethics"))


CODES = ["", "0 " * 12, "2049 " * 12, "1 " * 11, "1 " * 13, "-1 " * 12, "1e3 " * 12, "\0", "abandon" * 12, "1 " * 6000]


@pytest.mark.parametrize("step", ["words", "keep", "kept", "look", "withdraw-now", "stop-now", "renew", "download"])
def test_tampered_words_do_nothing(org: parties.Organisation, tmp_path: Path, step: str) -> None:
    """Hidden words that were altered are no fault of ours and store nothing."""
    app = site(tmp_path, org)
    for code in CODES:
        data = {"step": step, "words": code, "attempt": "ab" * 32, "file": "0-0-0"}
        assert app.test_client().post("/en/", data=data).status_code in (200, 400)
    assert store_of(app).days() == []


def test_a_follow_up_reaches_no_case_but_its_own(org: parties.Organisation, tmp_path: Path) -> None:
    """Words of one case, in the form of another: the words decide, and nobody who was left out there is written to."""
    app = site(tmp_path, org)
    Visitor(app).tell("Mine.")
    other = Visitor(app).tell("Another's.", without=["ethics"]).words
    visitor = Visitor(app).come_back(other)
    body = {"step": "follow-up", "words": other, "attempt": "cd" * 32, "text": "More.", "without": "ombuds"}
    visitor.client.post("/en/", data={**body, "readers": "ethics,counsel"}, content_type="multipart/form-data")
    assert [type(each.message) for each in opened(app, org, "ethics")] == [Report]
    assert len(opened(app, org, "ombuds")) == 3 and opened(app, org, "counsel") == []


def test_two_forms_with_an_edit_between_are_two_reports(org: parties.Organisation, tmp_path: Path) -> None:
    """The same form is one report however often it comes; an edited one is another, under other words."""
    app = site(tmp_path, org)
    client = app.test_client()

    def send(text: str) -> str:
        answered = client.post("/en/", data=fields(text=text), content_type="multipart/form-data")
        form = Page(answered.get_data(as_text=True)).form("keep")
        return dict(form.fields)["words"]

    first, edited, again = send("One."), send("Two."), send("One.")
    assert first == again != edited
    assert sorted(each.message.text for each in opened(app, org, "ombuds")) == ["One.", "Two."]  # type: ignore[attr-defined]


def test_a_form_that_comes_again_after_its_report_was_withdrawn(org: parties.Organisation, tmp_path: Path) -> None:
    """A reload says that the report was removed, stores nothing, and shows no words as if all were well."""
    app = site(tmp_path, org)
    visitor = Visitor(app).open("/en/").step("report", {"channel": "harassment"})
    form = visitor.page
    typed = visitor.step("send", {"text": "Once."}).words
    visitor.come_back(typed).step("withdraw").step("withdraw-now")
    visitor.page = form
    visitor.step("send", {"text": "Once."})
    assert "Removed on" in visitor.text and "twelve words" not in visitor.text
    visitor.come_back(typed)
    for wrong in ("is a reader any more", "damaged or missing", "Next planned pick-up:", "Replies stay here"):
        assert wrong not in visitor.text
    assert opened(app, org, "ombuds") == []


def test_another_channel_asks_for_the_files_again(org: parties.Organisation, tmp_path: Path) -> None:
    """Whoever sends the form to another channel looks at its readers first, and is told that files are not kept."""
    app = site(tmp_path, org)
    visitor = Visitor(app).tell("Fraud.", files=[("a.txt", b"evidence")], shown="fraud")
    assert "Choose your files again" in visitor.text and store_of(app).days() == []


def test_a_pasted_report_takes_nobodys_place(org: parties.Organisation, tmp_path: Path) -> None:
    """What is pasted under tokens of a report that is here changes nothing of it."""
    app = site(tmp_path, org)
    visitor = Visitor(app).tell("Mine.")
    who = retrieval.derive(words.decode(visitor.words))
    forged = Writer(org.known, parties.DAY, "device").report(Draft("fraud", "en", "Not mine."), who)
    pasted = Visitor(app).tell(submission.armored(forged))
    assert pasted.answer.status_code in (200, 422)
    assert reported(app, org).text == "Mine." and opened(app, org, "counsel") == []


def test_a_file_of_any_name_is_one_file(org: parties.Organisation, tmp_path: Path) -> None:
    """Names with quotes, folders, directions and line ends travel as one plain name, and change no header."""
    app = site(tmp_path, org)
    names = ['a";name="text', "../../etc/passwd", "a\u202egnp.exe", "C:\\x\\y.txt", ".", "a%0d%0ab", "CON", " "]
    visitor = Visitor(app)
    visitor.step("report", {"channel": "harassment"})
    visitor.step("send", {"text": "x"}, [(name, b"x") for name in names])
    assert visitor.answer.status_code == 200
    shown = [each.name for each in reported(app, org).attachments]
    assert len(shown) == len(names) and not any(re.search(r"[\u202e/\\\r\n\x00]", name) for name in shown)
