"""The look of reporters' programs: the state of what lies under a reporter's ids, and what was written to them.

It is asked for more often than anything else, so it is answered before Flask, whose work was about half of an answer.
"""

import struct
from collections.abc import Iterable
from datetime import date
from typing import Any

import flask
from werkzeug.exceptions import (
    HTTPException,
    InternalServerError,
    LengthRequired,
    MethodNotAllowed,
    RequestEntityTooLarge,
    UnsupportedMediaType,
)
from werkzeug.http import parse_options_header

from whistle.protocol.retrieval import PLACES, TOKEN
from whistle.server import answers, limits
from whistle.server.errors import Broken, Refusal
from whistle.server.headers import Wsgi
from whistle.server.instance import Instance, of
from whistle.server.limits import Limits
from whistle.server.logs import LOG, describe
from whistle.server.receiving import Body
from whistle.store import Found, Heap, Ids, State

PATH = "/api/look"
OCTETS = "application/octet-stream"
PAD = 262_144  # bytes; an answer is a multiple of it, so that up to six replies look like none
EPOCH = date(1970, 1, 1)
STATES = {State.WAITING: 0, State.COLLECTED: 1, State.REMOVED: 2}


class Looks:
    """An application in front of another, to which it leaves whatever is no look."""

    def __init__(self, others: Wsgi, instance: Instance, counting: Limits) -> None:
        self._others = others
        self._instance = instance
        self._limits = counting
        self._size = (2 + 2 * instance.config.slots * PLACES) * TOKEN

    def __call__(self, environ: dict[str, Any], start: Any) -> Iterable[bytes]:
        """Answer a request, by WSGI."""
        if environ.get("PATH_INFO") != PATH:
            return self._others(environ, start)
        try:
            answer = self._answer(environ)
        except (HTTPException, Refusal) as error:
            return answers.to(error)(environ, start)
        except Exception as error:
            LOG.error(describe(error))
            return answers.to(InternalServerError())(environ, start)
        start("200 OK", [("Content-Type", OCTETS), ("Content-Length", str(len(answer)))])
        return [answer]

    def _answer(self, environ: dict[str, Any]) -> bytes:
        if environ["REQUEST_METHOD"] != "POST":
            raise MethodNotAllowed(["POST"])
        self._limits.count("look", environ)
        ids = Ids(body(environ, self._size, self._size))
        if not ids.ascend():
            raise unknown()
        found = self._instance.store.look(ids)
        told = struct.pack(">I", len(found)) + b"".join(map(_entry, found))
        return told.ljust(len(told) + -len(told) % PAD, b"\0")


def body(environ: dict[str, Any], low: int, high: int) -> bytes:
    """The whole body of a program's request, of `low` to `high` bytes."""
    if "HTTP_TRANSFER_ENCODING" in environ:
        raise LengthRequired
    if parse_options_header(environ.get("CONTENT_TYPE"))[0].lower() != OCTETS:
        raise UnsupportedMediaType
    length = _length(environ.get("CONTENT_LENGTH", ""))
    if length > high:
        raise RequestEntityTooLarge
    if length < low:
        raise unknown()
    try:
        return Body(environ["wsgi.input"], length).whole()
    except Broken as error:
        raise unknown() from error


def init(app: flask.Flask) -> None:
    """Answer looks in front of an application that has its instance and its limits."""
    looks = Looks(app.wsgi_app, of(app), limits.of(app))
    app.wsgi_app = looks  # type: ignore[method-assign,assignment]


def _entry(found: Found) -> bytes:
    # Never the report's own body: whoever has the words is not shown what was written.
    shown = found.body if found.body and found.heap == Heap.REPORTERS else b""
    day = (found.state_day - EPOCH).days  # of the state: it came, was collected or removed on that day
    return found.id + struct.pack(">BII", STATES[found.state], day, len(shown)) + shown


def _length(text: str) -> int:
    return int(text) if text.isascii() and text.isdigit() else 0


def unknown() -> Refusal:
    """What is no request that this version knows."""
    return Refusal(400, "the request is not of the known form", "use the version that the operator runs")
