"""Long texts: escaped as they are sent, and all forms together hold a bounded number of bytes of them."""

import contextlib
import gc
import threading
import tracemalloc
from collections.abc import Iterator
from dataclasses import replace

import flask
import pytest
from flask.testing import FlaskClient
from markupsafe import escape
from werkzeug.test import TestResponse

from tests.patience import PATIENCE, until
from tests.server.visitor import Page
from whistle.server import limits
from whistle.server.limits import AGAIN
from whistle.server.queues import Queue, Room
from whistle.server.reporter import long_texts, routes
from whistle.server.reporter.render import PAGE, rendered
from whistle.server.sealing import multipart
from whistle.server.sealing.multipart import FREE

MIB = 1024 * 1024
HOSTILE = "\"'><&é\U0001f600</textarea>{{x}}" * 900
BOUNDARY = "long"


def posted(client: FlaskClient, text: str, **more: str) -> TestResponse:
    """What a form is answered that has no attempt, so that its text comes back."""
    fields = {"step": "send", "channel": "harassment", "text": text, **more}
    parts = [
        f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'
        for name, value in fields.items()
    ]
    kind = f"multipart/form-data; boundary={BOUNDARY}"
    body = "".join(parts) + f"--{BOUNDARY}--\r\n"
    return client.post("/en/", data=body.encode(), content_type=kind, headers={"Sec-Fetch-Site": "same-origin"})


def test_a_long_text_is_escaped_like_a_short_one(client: FlaskClient, monkeypatch: pytest.MonkeyPatch) -> None:
    """It comes back as it was, byte for byte what it would be without being set apart; the length is announced."""
    apart = posted(client, HOSTILE, **{"answer-when": HOSTILE[::-1]})
    assert len(apart.data) == apart.content_length and apart.content_length % PAGE == 0
    assert escape(HOSTILE).encode() in apart.data
    assert ("text", HOSTILE) in Page(apart.text).form("send").fields
    monkeypatch.setattr(long_texts, "LONG", 10**9)
    usual = posted(client, HOSTILE, **{"answer-when": HOSTILE[::-1]})
    random = len(' value="') + 64  # the new attempt
    assert len(apart.data) == len(usual.data)
    assert sum(one != other for one, other in zip(apart.data, usual.data, strict=True)) <= random


def test_nobody_guesses_the_mark_of_a_text(app: flask.Flask) -> None:
    """What a page says elsewhere is never taken for a long text's place."""
    with app.test_request_context():
        mark = str(long_texts.set_apart("a" * 10_000))
        other = str(long_texts.set_apart("b" * 10_000))
        assert mark != other and len(mark) == 32
        found = long_texts.split(f"<p>{mark[:-1]}</p>{other}<p>")
        assert [each if isinstance(each, bytes) else b"*" for each in found] == [
            f"<p>{mark[:-1]}</p>".encode(),
            b"*",
            b"<p>",
        ]
        assert long_texts.split(mark) == [mark.encode()], "the next page knows nothing of it"


def test_what_is_rendered_for_the_script_is_whole(app: flask.Flask) -> None:
    """No mark is left in what is not sent as a page."""
    with app.test_request_context("/en/"):
        visit = routes._visit("en")
        html = rendered(visit, "notice.html", heading="h", lines=(HOSTILE,))
    assert str(escape(HOSTILE)) in html


def test_a_page_holds_a_long_text_once(app: flask.Flask, client: FlaskClient) -> None:
    """While a page with a megabyte of quotation marks is sent, none of the five that it becomes is held."""
    posted(client, "warm")
    with app.test_request_context():
        tracemalloc.start()
        try:
            parts = long_texts.split(str(long_texts.set_apart('"' * MIB)))
            length = sum(map(len, long_texts.pieces(parts)))
            most = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
    assert length == 5 * MIB == sum(map(len, parts)) and most < 2.5 * MIB


@pytest.mark.parametrize(("step", "size"), [("send", 100_000), ("send", 1_100_000), ("stop", 1_100_000)])
def test_nothing_of_a_form_waits_for_the_collector(client: FlaskClient, step: str, size: int) -> None:
    """What stands in a circle stays in memory until Python looks for such, which may be hundreds of forms later."""
    posted(client, "warm", step=step)
    gc.collect()
    gc.disable()
    gc.freeze()  # what is there already is not looked through
    try:
        posted(client, "w" * size, step=step).close()
        left = gc.get_objects()
        texts = [each for each in gc.get_referents(*left) if type(each) is str and "w" * 90_000 in each]
    finally:
        gc.unfreeze()
        gc.enable()
    assert not texts and not [each for each in left if isinstance(each, multipart._Form | multipart._Text)]


@pytest.fixture
def room(app: flask.Flask) -> Iterator[Room]:
    """The room for all forms' long texts: two of 100 KB fit, and nobody waits."""
    found = limits.of(app)
    found.texts = Room(240_000)
    found._config = replace(found._config, patience=0.0)
    yield found.texts
    assert found.texts.left == found.texts.size, "all of it is given back"


def test_what_finds_no_room_is_told_when_to_come_again(client: FlaskClient, room: Room) -> None:
    """A page that says so; nothing was stored, the browser still has the form, and a short text needs no room."""
    text = "x" * 100_000
    with contextlib.closing(posted(client, text)) as one, contextlib.closing(posted(client, text)) as two:
        assert (one.status_code, two.status_code) == (422, 422)
        assert room.left < 40_000, "what waits for its reader is held"
        refused = posted(client, text)
        assert (refused.status_code, refused.headers["Retry-After"]) == (503, str(AGAIN))
        assert "reload this page" in refused.text and "None of this was stored" in refused.text
        short = posted(client, "y" * (FREE - 1000))
        assert short.status_code == 422 and "y" * (FREE - 1000) in short.text
    assert posted(client, text).status_code == 422


@pytest.mark.parametrize("text", ["x" * 1_100_000, "x" * 99_000 + "\0", "x" * 99_000], ids=["long", "odd", "refused"])
def test_a_form_that_is_refused_keeps_no_room(
    client: FlaskClient, room: Room, monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    """Whatever becomes of it; the fixture counts."""
    room.left = room.size = 2 * MIB
    if text.endswith("\0"):
        monkeypatch.setattr(routes, "_answer", lambda *_: 1 / 0)
    with contextlib.closing(posted(client, text)) as answer:
        assert answer.status_code == (500 if text.endswith("\0") else 422)


def test_who_finds_no_room_waits_for_it(client: FlaskClient, app: flask.Flask, room: Room) -> None:
    """The form that waits goes on as soon as another's answer was sent."""
    found = limits.of(app)
    found._config = replace(found._config, patience=float(PATIENCE))
    one, two = (posted(client, "x" * 100_000) for _ in range(2))
    answers: list[TestResponse] = []
    waiting = threading.Thread(target=lambda: answers.append(posted(app.test_client(), "z" * 100_000)))
    waiting.start()
    until(lambda: room.waited() > 0, "the third form waits for room")
    assert not answers
    one.close()
    waiting.join(PATIENCE)
    assert answers[0].status_code == 422
    answers[0].close()
    two.close()


def test_a_queue_serves_in_order(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only the first tries, and whoever leaves wakes the next, whether they succeeded or gave up."""
    queue, order, is_open = Queue(), [], threading.Event()

    def go(number: int) -> None:
        def attempt() -> float | None:
            order.append(number)
            return None if is_open.is_set() else float(PATIENCE)

        queue.wait(attempt, float("inf"), lambda: number == 1 and is_open.is_set())

    threads = []
    for number in range(4):
        threads.append(threading.Thread(target=go, args=(number,), daemon=True))
        threads[-1].start()
        until(lambda: len(queue._places) == len(threads), "it waits")
    until(lambda: bool(order), "the first has tried")
    is_open.set()
    queue.wake()
    for thread in threads:
        thread.join(PATIENCE)
    assert order == [0, 0, 2, 3]
