"""What an answer could tell of a visitor, or a visitor make the server tell: hosts, marks, lengths, times, limits."""

import io
import itertools
from collections.abc import Callable
from pathlib import Path

import flask
import pytest

from tests import parties
from tests.server.visitor import Visitor, config, site, still
from whistle.server.config import Rate
from whistle.server.reporter import case, render

ODD = (
    "/",
    "/en",
    "/en/",
    "//en/",
    "/en//",
    "//evil.example/en/",
    "/static",
    "/nowhere",
    "/manifest.json/",
    "/api/lookup/",
    "/courier/days/",
    "/EN/",
    "/%2f%2fevil.example/",
)
HOSTS = ("evil.example", "evil.example:99", 'evil"><b>', "[evil", "evil example")


@pytest.mark.parametrize("host", HOSTS)
def test_no_answer_repeats_the_host_or_the_query(app: flask.Flask, host: str) -> None:
    """Whatever host and query are asked for, no address, header or text of the answer holds them."""
    client = app.test_client()
    for path, method in itertools.product(ODD, ("GET", "HEAD", "POST", "OPTIONS", "PUT")):
        answered = client.open(f"{path}?q=SECRET", method=method, headers={"Host": host, "X-Forwarded-Host": host})
        said = str(answered.headers) + answered.get_data(as_text=True)
        assert "SECRET" not in said and "evil" not in said
        assert answered.headers.get("Location", "/en/") == "/en/"


CONDITIONS = {
    "none_match": {"If-None-Match": "*"},
    "modified": {"If-Modified-Since": "Wed, 21 Oct 2037 07:28:00 GMT"},
    "range": {"Range": "bytes=0-9"},
    "if_range": {"Range": "bytes=5-", "If-Range": "Wed, 21 Oct 2037 07:28:00 GMT"},
    "match": {"If-Match": '"x"'},
    "cookie": {"Cookie": "id=1; session=eyJ9"},
}


@pytest.mark.parametrize("sent", CONDITIONS.values(), ids=CONDITIONS)
@pytest.mark.parametrize("path", ["/en/", "/en/kit.js", "/static/whistle.js", "/manifest.json"])
def test_nothing_kept_from_an_earlier_visit_changes_an_answer(
    app: flask.Flask, path: str, sent: dict[str, str]
) -> None:
    """A tag, a date or a range of an earlier visit is answered as a first visit is, and no answer gives any."""
    client = app.test_client()
    first, again = client.get(path), client.get(path, headers=sent)
    assert (again.status_code, again.data, list(again.headers)) == (200, first.data, list(first.headers))
    assert not {"ETag", "Last-Modified", "Date", "Age", "Expires", "Accept-Ranges", "Set-Cookie"} & set(first.headers)


SHOWN: dict[str, Callable[[Visitor], Visitor]] = {
    "form_of_a_channel": lambda visitor: visitor.step("report", {"channel": "harassment"}),
    "form_of_another": lambda visitor: visitor.step("report", {"channel": "fraud"}),
    "refused": lambda visitor: visitor.tell("x" * 5000, without=["ombuds", "ethics"]),
    "words": lambda visitor: visitor.tell(),
    "words_in_chinese": lambda visitor: visitor.tell().step("words", {"list": "zh"}),
    "asked_back": lambda visitor: visitor.tell().step("keep"),
    "wrong": lambda visitor: visitor.tell().step("keep").step("kept"),
    "done": lambda visitor: visitor.tell().step("leave"),
    "missing": lambda visitor: visitor.open("/nowhere"),
}


@pytest.mark.parametrize("way", SHOWN.values(), ids=SHOWN)
def test_a_length_tells_neither_channel_nor_words(app: flask.Flask, way: Callable[[Visitor], Visitor]) -> None:
    """All pages of a report have one length, whatever they show."""
    assert len(way(Visitor(app)).answer.get_data()) == render.PAGE


@pytest.mark.parametrize("step", ["look", "withdraw", "withdraw-now", "stop", "exposed", "download", "follow-up"])
@pytest.mark.parametrize("known", [True, False], ids=["known", "unknown"])
def test_no_step_tells_by_its_time_what_words_find(
    app: flask.Flask, monkeypatch: pytest.MonkeyPatch, step: str, known: bool
) -> None:
    """Every answer about words, known or not, waits for the beat."""
    typed = Visitor(app).tell().words if known else " ".join(["1"] * 11 + ["4"])
    beats: list[float] = []
    monkeypatch.setattr(case, "on_the_beat", lambda beat, work: beats.append(beat) or work())
    app.test_client().post("/en/", data={"step": step, "words": typed, "attempt": "00" * 32})
    assert len(beats) == 1


def limited(tmp_path: Path, org: parties.Organisation, **rates: Rate) -> flask.Flask:
    """A server with small limits."""
    return still(site(tmp_path, org, rates={**config(tmp_path).rates, **rates}))


TWICE = Rate("2 per hour", "2 per hour")


@pytest.mark.parametrize("step", ["withdraw", "stop", "exposed"])
def test_no_step_is_a_cheaper_look(tmp_path: Path, org: parties.Organisation, step: str) -> None:
    """Whatever step words are tried with, it counts as a lookup."""
    client = limited(tmp_path, org, lookup=TWICE).test_client()
    asked = [client.post("/en/", data={"step": step, "words": "1 " * 12}).status_code for _ in range(3)]
    assert asked == [200, 200, 429]


def test_broken_forms_count_too(tmp_path: Path, org: parties.Organisation) -> None:
    """A form that breaks off costs its sender as much as a whole one; and the case is not looked up for nothing."""
    app = limited(tmp_path, org, send=TWICE, lookup=TWICE)
    client = app.test_client()
    body = b"".join(
        b'--b\r\nContent-Disposition: form-data; name="%b"\r\n\r\n%b\r\n' % pair
        for pair in ((b"step", b"follow-up"), (b"text", b"A long story."), (b"words", b"1 " * 12), (b"more", b""))
    )
    said = [
        client.post("/en/", data=body, content_type="multipart/form-data; boundary=b").get_data(as_text=True)
        for _ in range(3)
    ]
    assert all("One of the words is wrong" in page for page in said[:2])
    assert "Too much is arriving just now" in said[2] and "A long story." in said[2]
    assert "One of the words is wrong" not in said[2]


def test_a_text_survives_any_refusal(app: flask.Flask) -> None:
    """Where a form cannot be shown again, what was typed is."""
    visitor = Visitor(app)
    body = b'--b\r\nContent-Disposition: form-data; name="step"\r\n\r\nrenew\r\n'
    body += b'--b\r\nContent-Disposition: form-data; name="text"\r\n\r\nA <long> story.\r\n--b\r\nbroken'
    stream = io.BytesIO(body)
    answered = visitor.client.post("/en/", input_stream=stream, content_length=len(body) + 10,
                                   content_type="multipart/form-data; boundary=b")  # fmt: skip
    assert answered.status_code == 422 and "A &lt;long&gt; story." in answered.get_data(as_text=True)
