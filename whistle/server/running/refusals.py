"""Answers that are given without the application: small, the same for everybody, and nothing of the request in them."""

import http
import re
from collections.abc import Mapping

from markupsafe import Markup

from whistle.protocol import canonical
from whistle.server import headers
from whistle.server.limits import AGAIN
from whistle.server.reporter import fields
from whistle.translations.translation import Translation

PROGRAMS = re.compile(rb"[A-Z]+ /(api|courier)/")
LANGUAGE = re.compile(rb"[A-Z]+ /([A-Za-z-]{2,16})/")
PAGE = Markup(
    '<!doctype html>\n<html lang="{code}" dir="{direction}">\n<head>\n<meta charset="utf-8">\n'
    '<meta name="viewport" content="width=device-width, initial-scale=1">\n<title>{heading}</title>\n</head>\n'
    "<body>\n<main>\n<h1>{heading}</h1>\n<p>{line}</p>\n</main>\n</body>\n</html>\n"
)


def refusal(status: http.HTTPStatus) -> bytes:
    """The response to a malformed request, or to an error outside any view."""
    return _answer(status, "text/plain", f"{status.value} {status.phrase}\n".encode())


class Busy:
    """The answers to requests of which too many wait, made once: a page in each language, a record for programs."""

    def __init__(self, translations: Mapping[str, Translation]) -> None:
        self._pages = {code: _page(translation) for code, translation in translations.items()}
        hint = f"nothing of this was stored; try again in {AGAIN} seconds"
        self._record = _busy("application/json", canonical.dumps({"error": "too many requests wait", "hint": hint}))

    def answer(self, head: bytes) -> bytes:
        """The answer to a request with this head."""
        if PROGRAMS.match(head):
            return self._record
        asked = LANGUAGE.match(head)
        return self._pages.get(asked[1].decode() if asked else "", next(iter(self._pages.values())))


def _page(t: Translation) -> bytes:
    line = t("notice.reload_text", wait=fields.duration(t, AGAIN))
    page = PAGE.format(code=t.code, direction=t.direction, heading=t("notice.limit"), line=line)
    return _busy("text/html; charset=utf-8", page.encode())


def _busy(kind: str, body: bytes) -> bytes:
    return _answer(http.HTTPStatus.SERVICE_UNAVAILABLE, kind, body, ("Retry-After", str(AGAIN)))


def _answer(status: http.HTTPStatus, kind: str, body: bytes, *more: tuple[str, str]) -> bytes:
    first = [("Connection", "close"), ("Content-Type", kind), ("Content-Length", str(len(body)))]
    lines = [f"{name}: {value}" for name, value in (*first, *more, *headers.OURS[0])]
    return "\r\n".join([f"HTTP/1.1 {status.value} {status.phrase}", *lines, "", ""]).encode() + body
