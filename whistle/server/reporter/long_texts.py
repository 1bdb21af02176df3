"""Long texts in pages: they are escaped piece by piece while the page is sent, so that no copy of the page holds them.

`set_apart` is for Jinja's `finalize`: while a template is rendered, a mark that nobody can guess stands for each of
them.
"""

import re
import secrets
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import flask
from markupsafe import Markup

LONG = 8192  # characters; shorter texts are escaped as usual
PIECE = 16_384  # bytes escaped at a time
ESCAPED = ((b"&", b"&amp;"), (b"<", b"&lt;"), (b">", b"&gt;"), (b'"', b"&#34;"), (b"'", b"&#39;"))  # as MarkupSafe does
NAME = "long_texts"  # of the request's marks and texts


@dataclass(frozen=True)
class Text:
    """A text in a page, in UTF-8."""

    raw: bytes

    def __len__(self) -> int:
        """Bytes when it is escaped."""
        return len(self.raw) + sum((len(to) - len(of)) * self.raw.count(of) for of, to in ESCAPED)

    def pieces(self) -> Iterator[bytes]:
        """It, escaped."""
        for start in range(0, len(self.raw), PIECE):
            piece = self.raw[start : start + PIECE]
            for of, to in ESCAPED:
                piece = piece.replace(of, to)
            yield piece


def set_apart(value: Any) -> Any:
    """A mark for a long text, and other values as they are."""
    if type(value) is not str or len(value) <= LONG:
        return value
    marked: dict[str, Text] = flask.g.setdefault(NAME, {})
    mark = secrets.token_hex(16)
    marked[mark] = Text(value.encode())
    return Markup(mark)  # noqa: S704  hexadecimal


def fields_apart(fields: Sequence[tuple[str, str]]) -> list[tuple[str, Any]]:
    """A form's fields with marks for long texts: what a template holds would stay in memory until Python collects."""
    return [(name, set_apart(value)) for name, value in fields]


def split(html: str) -> list[bytes | Text]:
    """A rendered page with its long texts in their places."""
    marked: dict[str, Text] = flask.g.pop(NAME, {})
    if not marked:
        return [html.encode()]
    found = re.split(f"({'|'.join(marked)})", html)
    return [marked.get(each) or each.encode() for each in found]


def pieces(parts: Sequence[bytes | Text]) -> Iterator[bytes]:
    """All of it, escaped."""
    for part in parts:
        if isinstance(part, Text):
            yield from part.pieces()
        else:
            yield part
