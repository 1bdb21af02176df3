"""What every page of the reporter's keeps to: no trace, no inline script, one title, one address, little weight."""

import datetime
import re
from collections.abc import Callable
from pathlib import Path

import flask
import pytest

from tests import parties
from tests.server.visitor import Clock, Visitor, config, site, still
from whistle.server import create_app
from whistle.server.config import Rate

OFTEN = Rate("1000000 per second", "1000000 per second")
PAGE = 30 * 1024  # bytes of a page with its style sheet

WAYS: dict[str, Callable[[Visitor], Visitor]] = {
    "land": lambda visitor: visitor,
    "channel": lambda visitor: visitor.step("report", {"channel": ""}),
    "channel-missing": lambda visitor: visitor.step("advice", {"channel": ""}).step("tell"),
    "tell": lambda visitor: visitor.step("advice", {"channel": "harassment"}),
    "tell-empty": lambda visitor: visitor.tell(""),
    "words": lambda visitor: visitor.tell(),
    "keep": lambda visitor: visitor.tell().step("keep"),
    "keep-wrong": lambda visitor: visitor.tell().step("keep").step("kept"),
    "done": lambda visitor: visitor.tell().step("leave"),
    "replies": lambda visitor: visitor.step("replies"),
    "exposed": lambda visitor: visitor.come_back(visitor.tell().words).step("exposed"),
    "withdraw": lambda visitor: visitor.come_back(visitor.tell().words).step("withdraw"),
    "withdrawn": lambda visitor: visitor.come_back(visitor.tell().words).step("withdraw").step("withdraw-now"),
    "added": lambda visitor: visitor.come_back(visitor.tell().words).step("follow-up", {"text": "More."}),
    "missing": lambda visitor: visitor.open("/nowhere/at/all"),
}
PADDED: dict[str, Callable[[Visitor], Visitor]] = {
    "case": lambda visitor: visitor.come_back(visitor.tell().words),
    "nothing": lambda visitor: visitor.come_back(" ".join(["1"] * 11 + ["4"])),
    "typed wrong": lambda visitor: visitor.come_back("one two"),
}
EVERY = {**WAYS, **PADDED}


@pytest.fixture(params=EVERY)
def visitor(request: pytest.FixtureRequest, app: flask.Flask) -> Visitor:
    """Somebody on each page in turn."""
    return EVERY[request.param](Visitor(app))


def test_keeps_what_every_page_promises(app: flask.Flask, visitor: Visitor) -> None:
    """No cookie, nothing kept, one title, one address for all steps, nothing from elsewhere."""
    answer, page = visitor.answer, visitor.page
    assert answer.headers["Cache-Control"] == "no-store"
    assert "Set-Cookie" not in answer.headers
    assert page.title == "North Office"
    assert {form.action for form in page.forms} <= {"/en/"}
    assert {form.method for form in page.forms} <= {"post"}
    leave = app.extensions["whistle"].config.leave
    turned_to = {"tel:112", "https://staff.example"}
    inside = {f"#{id}" for id in page.ids} | {link for link in page.links if link.startswith("data:image/svg+xml,")}
    assert set(page.links) <= {"/en/", "/ar/", "#main", *turned_to} | inside
    assert not [tag for tag, given in page.tags if tag in ("iframe", "img") or "style" in given]
    assert not [link for link in page.links if " " in link]
    assert page.form("away").action == "/en/"
    assert [given["data-to"] for tag, given in page.tags if given.get("id") == "leave"] == [leave]


def test_a_script_stands_only_where_something_is_typed(visitor: Visitor) -> None:
    """The program is loaded by the forms for a report and for the words, from this host; elsewhere none may run."""
    scripts = [given["src"] for tag, given in visitor.page.tags if tag == "script"]
    [title] = re.findall(r"<h1>(.*)</h1>", visitor.html)
    is_typed = title in ("Tell us what happened", "Ask for advice", "Read replies")
    assert scripts == ["/static/whistle.js", "/en/kit.js", "/static/words.js"] * is_typed
    assert ("script-src 'self'" in visitor.answer.headers["Content-Security-Policy"]) == bool(scripts)
    assert "unsafe" not in visitor.answer.headers["Content-Security-Policy"]


def test_every_form_keeps_out_of_the_browsers_profile(visitor: Visitor) -> None:
    """Each form forbids a browser to keep what is in it, and begins with what makes Chromium not keep what it sends."""
    tags = visitor.page.tags
    hidden = {"type": "password", "size": "1", "value": "********", "autocomplete": "off", "hidden": ""}
    for place, (tag, given) in enumerate(tags):
        if tag == "form":
            assert given["autocomplete"] == "off" and tags[place + 1] == ("input", hidden)


def test_ties_every_control_to_its_label_and_hints(visitor: Visitor) -> None:
    """Ids are unique, and whatever a page points to by id is there."""
    page = visitor.page
    assert len(page.ids) == len(set(page.ids))
    pointed = {id for _, given in page.tags for id in given.get("aria-describedby", "").split()}
    pointed |= {given["for"] for tag, given in page.tags if tag == "label"}
    pointed |= {link[1:] for link in page.links if link.startswith("#")}
    assert pointed <= set(page.ids)
    shown = [given["id"] for tag, given in page.tags if tag in ("input", "textarea", "select") and "id" in given]
    assert set(shown) == {given["for"] for tag, given in page.tags if tag == "label"}


@pytest.mark.parametrize("language", ["en", "ar"])
@pytest.mark.parametrize("way", WAYS)
def test_weighs_little(app: flask.Flask, way: str, language: str) -> None:
    """A page, with the style sheet that stands in it, is at most 30 KB."""
    assert len(WAYS[way](Visitor(app, language)).answer.get_data()) <= PAGE


@pytest.mark.parametrize("way", PADDED)
def test_the_answer_to_a_lookup_always_has_the_same_length(app: flask.Flask, way: str) -> None:
    """Whether the words find something, nothing, or are none, the page has 256 KiB."""
    assert len(PADDED[way](Visitor(app)).answer.get_data()) == 262_144


@pytest.mark.parametrize(
    ("asked", "where"), [("ar-SY,ar;q=0.9,en;q=0.5", "/ar/"), ("de", "/en/"), ("", "/en/")], ids=["ar", "de", "none"]
)
def test_the_bare_address_answers_in_the_language_of_the_browser(app: flask.Flask, asked: str, where: str) -> None:
    """Or else in the first, and at once: it is that language's own first page."""
    client = app.test_client()
    answer = client.get("/", headers={"Accept-Language": asked})
    assert (answer.status_code, answer.data) == (200, client.get(where).data)


def test_arabic_runs_from_the_right(app: flask.Flask) -> None:
    """An Arabic page says so, and has the organisation's Arabic name."""
    visitor = Visitor(app, "ar")
    assert ("html", {"lang": "ar", "dir": "rtl"}) in visitor.page.tags
    assert visitor.page.title == "مكتب الشمال"


def test_a_text_that_nobody_translated_keeps_its_direction(app: flask.Flask) -> None:
    """A question that is there in English only stands apart on an Arabic page, its mark at its own end."""
    html = Visitor(app, "ar").step("report", {"channel": "harassment"}).html
    assert "<bdi>When was it?</bdi>" in html and "<bdi>A rough date will do.</bdi>" in html


def test_nothing_is_kept_before_send(app: flask.Flask) -> None:
    """Walking about, and a form that was filled in and never sent, leave the server's folder as it was."""
    folder = app.extensions["whistle"].config.folder
    before = contents(folder)
    visitor = Visitor(app).step("report", {"channel": ""}).step("tell")
    visitor.step("tell", {"channel": "fraud", "text": "SECRET"})
    assert visitor.page.form("send") and contents(folder) == before


def contents(folder: Path) -> dict[Path, bytes]:
    """Every file of a folder but the notes of SQLite on who reads."""
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file() and path.suffix != ".sqlite-shm"}


def test_what_may_give_somebody_away_is_said_before_writing(app: flask.Flask) -> None:
    """Work's computers and networks, what only few know, and who seals are named on the first page; the form warns
    again of the computer before anything can be typed."""
    said = Visitor(app).text
    for part in ("never those at work", "if only you or a few people know it", "Tor Browser", "The form says which"):
        assert part in said
    form = Visitor(app).step("report", {"channel": "fraud"}).html
    assert 0 < form.index("on a computer or a network at work?") < form.index("<textarea")


def test_says_who_reads_where_and_when(app: flask.Flask) -> None:
    """The first page names the readers, says whether their computers are online, and the days of pick-up."""
    text = Visitor(app).text
    assert "Readers: Ombudsperson and Ethics office. They read on a computer that is never online." in text
    assert "Readers: Staff counsel. They read on a computer that is online." in text
    assert "Messages are picked up on Monday and Thursday." in text


def test_guidance_is_a_step_that_names_no_topic(app: flask.Flask) -> None:
    """Every topic is in the page at once; what is opened there is not asked for."""
    visitor = Visitor(app)
    visitor.step("guidance")
    assert "Think of yourself" in visitor.text and "<em>your own</em>" in visitor.html
    assert visitor.html.count("<details") == 1 and '<a href="#' not in visitor.html.partition("<main")[2]


def test_help_is_found_by_country_without_asking_for_it(app: flask.Flask) -> None:
    """All countries are in the page, named in its language; numbers can be dialled."""
    visitor = Visitor(app)
    visitor.step("places")
    assert "France" in visitor.text and 'href="tel:3919"' in visitor.html and 'href="tel:112"' in visitor.html
    assert "Elected by all." in visitor.text  # the organisation's outside places
    arabic = Visitor(app, "ar")
    arabic.step("places")
    assert "فرنسا" in arabic.text


@pytest.mark.parametrize(
    ("days", "status", "said"),
    [(83, 200, "Tell us what happened. You can add files."), (84, 200, "should have been renewed by 13 February 2027"),
     (114, 503, "We cannot take messages now")],
    ids=["last-day", "grace", "closed"],
)  # fmt: skip
def test_an_old_list_of_readers_is_told_and_then_closes(
    app: flask.Flask, clock: Clock, days: int, status: int, said: str
) -> None:
    """Past the manifest's end a notice is shown, and 30 days later only other places and the replies."""
    clock.day += datetime.timedelta(days=days)
    visitor = Visitor(app)
    assert (visitor.answer.status_code, said in visitor.text) == (status, True)
    assert "Council of staff" in visitor.text


def test_before_the_first_manifest_nothing_is_taken(tmp_path: Path) -> None:
    """A server without a manifest says that it is not open yet, whatever is sent to it."""
    (tmp_path / "keys").mkdir()
    visitor = Visitor(create_app(config(tmp_path), Clock()))
    assert "not open yet" in visitor.text
    answer = visitor.client.post("/en/", data={"step": "look", "words": " ".join(["1"] * 11 + ["4"])})
    assert answer.status_code == 503


def test_too_much_at_once_is_told_kindly(tmp_path: Path, org: parties.Organisation) -> None:
    """Whoever meets a limit reads why and for how long, and has the text back; programs are told in seconds."""
    app = still(site(tmp_path, org, rates={**config(tmp_path).rates, "send": Rate("1 per hour", "1 per 2 minutes")}))
    Visitor(app).tell()
    visitor = Visitor(app).tell("A long story.")
    assert visitor.answer.status_code == 429 and visitor.answer.headers["Retry-After"] == "91"
    assert "Too much is arriving just now" in visitor.text and "Something is missing" not in visitor.text
    assert "None of this was stored. Please try again in 2 minutes" in visitor.text
    assert ("text", "A long story.") in visitor.page.form("send").fields


def test_a_first_page_that_is_asked_for_too_often(tmp_path: Path, org: parties.Organisation) -> None:
    """The page that says so has a heading of its own, and for how long it is."""
    app = still(site(tmp_path, org, rates={**config(tmp_path).rates, "page": Rate("1 per minute", "1 per minute")}))
    visitor = Visitor(app, "ar").open("/ar/")
    assert visitor.answer.status_code == 429 and visitor.answer.headers["Retry-After"] == "31"
    assert "يصل إلينا الآن أكثر مما نستطيع استقباله" in visitor.text and "لم يُحفظ شيء" in visitor.text


def test_what_is_refused_leaves_room_for_reports(tmp_path: Path, org: parties.Organisation) -> None:
    """Any number of empty, broken or unreadable forms closes reporting to nobody; what is stored counts, and once."""
    rates = {"send": Rate("2 per hour", "2 per hour"), "page": OFTEN, "lookup": OFTEN}
    app = still(site(tmp_path, org, rates={**config(tmp_path).rates, **rates}))
    client, flooding = app.test_client(), Visitor(app)
    words = flooding.tell().words
    for _ in range(20):
        flooding.tell("")
        flooding.tell("For nobody.", without=["ombuds", "ethics"])
        flooding.come_back(words).step("follow-up", {"text": ""})
        client.post("/en/", data={"step": "send"})
        client.post("/en/", data=b"--b", content_type="multipart/form-data; boundary=b")
        client.post("/api/store", data=bytes(100), content_type="application/octet-stream")
    visitor = Visitor(app).tell("The second.")
    assert "Keep these twelve words" in visitor.text
    assert Visitor(app).tell("The third.").answer.status_code == 429


def test_too_many_files_at_once_are_told_kindly(
    tmp_path: Path, org: parties.Organisation, monkeypatch: pytest.MonkeyPatch
) -> None:
    """When no more files can come in, they are not kept, and the text is given back."""
    for name in ("SMALL", "LARGE"):
        monkeypatch.setattr(f"whistle.server.reporter.routes.{name}", 100)
    app = still(site(tmp_path, org, rates={**config(tmp_path).rates, "upload": Rate("1 per hour", "1 per hour")}))
    assert Visitor(app).tell(files=[("a", b"one")]).answer.status_code == 200
    visitor = Visitor(app).tell("A long story.", files=[("a", b"one")])
    assert "Too much is arriving just now" in visitor.text and "None of this was stored" in visitor.text
    assert "Choose your files again" in visitor.text
    assert ("text", "A long story.") in visitor.page.form("send").fields


def test_a_fault_of_ours_shows_nothing_of_it(app: flask.Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    """An error inside gives a page that says what to do, and nothing of what was sent or what went wrong."""

    def broken(*_: object) -> None:
        raise RuntimeError("the secret of the third floor")

    monkeypatch.setattr("whistle.server.sealing.arrival.first_report", broken)
    app.config["PROPAGATE_EXCEPTIONS"] = False
    visitor = Visitor(app).tell("the third floor")
    assert visitor.answer.status_code == 500
    assert "Something went wrong on our side" in visitor.text and "third floor" not in visitor.html
