"""What this package says to people, by key: on a page in the reviewer's language, on a terminal in English.

A page's request says which language that is; nobody else has to pass it on.  What is kept in the vault is kept by key
(`stored`), so that it is shown in the language of whoever reads it.  The choice lies beside the vault, since the page
that asks for the passphrase is in that language too: a copy of the folder shows it.
"""

import datetime
import functools
import json
import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from pathlib import Path
from typing import Any

from markupsafe import Markup, escape

from whistle import durable
from whistle.protocol.untrusted_text import plain
from whistle.translations import catalogues
from whistle.translations.catalogues import ENGLISH, WORKSTATION
from whistle.translations.errors import CatalogueError
from whistle.translations.negotiation import negotiate
from whistle.translations.translation import Translation

FILE = "language"  # beside the vault
LONGEST = 16  # bytes of a code
ISOLATED = "\u2068{}\u2069"  # first strong isolate: a value's direction does not disturb the sentence around it
RIGHT_TO_LEFT = ("R", "AL")  # of letters
ENDS = ".!?…。！？؟"  # of sentences
MARK = "\x1e"  # before a stored text; in no sentence

_page: ContextVar[Translation | None] = ContextVar("page", default=None)


class Text(str):
    """A text of the catalogue with its values filled in, safe to show; it remembers what it was made of."""

    key: str
    n: int | None
    values: Mapping[str, object]

    @classmethod
    def of(cls, key: str, n: int | None, values: Mapping[str, object]) -> "Text":
        """The text in the language of this page, or in English."""
        filled = {name: _filled(value) for name, value in values.items()}
        text = cls(current().text(key, n, **filled))
        text.key, text.n, text.values = key, n, values
        return text

    def __html__(self) -> Markup:
        return escape(str(self))


def t(key: str, n: int | None = None, **values: object) -> Text:
    """A text as plain text; `n` chooses the form of a plural.  KeyError if there is none."""
    return Text.of(key, n, values)


def current() -> Translation:
    """The language of this page, or English."""
    return _page.get() or translation(ENGLISH)


def day(day: datetime.date) -> str:
    """A day as this page writes it; on a terminal as 2026-12-31."""
    page = _page.get()
    return page.day(day) if page else day.isoformat()


def time(day: datetime.date) -> Markup:
    """A day as HTML that programs can read too.

    Without its day of the week, since a language may bend that name within a sentence.
    """
    return Markup('<time datetime="{}">{}</time>').format(day.isoformat(), current().day(day))


def listed(items: Iterable[str]) -> str:
    """Names in a row, as plain text."""
    return current().plain_list([_filled(item) for item in items])


def days(some: Iterable[datetime.date]) -> Text:
    """Days in a row."""
    return Text(current().plain_list([day(each) for each in some]))


def shown(line: str) -> str:
    """A line that is safe to show: one of ours as it is, any other without controls and direction marks."""
    return line if isinstance(line, Text) else plain(line)


def sentence(words: str) -> str:
    """An error's words as a sentence; a file's name at its beginning stays as it is."""
    if not words:
        return words
    first = words[:1] if "." in words.partition(" ")[0] else words[:1].upper()
    whole = Text(first + words[1:])
    if whole[-1] not in ENDS:
        whole = t("language.sentence", words=whole)
    return whole if isinstance(words, Text) else str(whole)


def size(count: int) -> str:
    """A size in bytes, for people."""
    if count < 1_000:
        return t("language.bytes", count)
    if count < 1_000_000:
        return t("language.kilobytes", size=count // 1_000)
    if count < 1_000_000_000:
        return t("language.megabytes", size=count // 1_000_000)
    return t("language.gigabytes", size=count // 1_000_000_000)


def stored(text: str) -> str:
    """What to keep of a text: its key and values, or the text itself if it is none of the catalogue."""
    if not isinstance(text, Text) or not hasattr(text, "key"):
        return str(text)
    values = {name: _packed(value) for name, value in text.values.items()}
    return MARK + json.dumps({"key": text.key, "n": text.n, "values": values, "said": str(text)})


def restored(kept: str) -> str:
    """A stored text in the language of this page; as it was said then, if there is no such key any more."""
    if not kept.startswith(MARK):
        return kept  # of versions before this one
    record: dict[str, Any] = json.loads(kept.removeprefix(MARK))
    try:
        return Text.of(record["key"], record["n"], {name: _unpacked(each) for name, each in record["values"].items()})
    except KeyError:
        return str(record["said"])


@functools.cache
def translation(code: str) -> Translation:
    """A language that is part of Whistle.  Raises CatalogueError if it is not whole."""
    return catalogues.load(code, WORKSTATION)


@functools.cache
def is_whole(code: str) -> bool:
    """Whether a language has every text: only then it is offered."""
    with suppress(CatalogueError, KeyError):
        return bool(translation(code))
    return False


def offered() -> Sequence[Translation]:
    """The languages to choose from, English first."""
    codes = [ENGLISH, *(code for code in catalogues.files(WORKSTATION) if code != ENGLISH)]
    return [translation(code) for code in codes if is_whole(code)]


def wanted(accepted: Iterable[tuple[str, float]]) -> str:
    """The language that a browser asks for, if it is offered, else English."""
    code = negotiate(accepted, [ENGLISH, *catalogues.files(WORKSTATION)])
    return code if is_whole(code) else ENGLISH


@contextmanager
def on_page(code: str) -> Iterator[None]:
    """Speak this language meanwhile, and write days as it does."""
    before = _page.set(translation(code))
    try:
        yield
    finally:
        _page.reset(before)


def kept(folder: Path) -> str:
    """The language that was chosen for the workstation in a folder; empty if none was."""
    try:
        code = (folder / FILE).read_bytes()[:LONGEST].decode("ascii", "replace").strip()
    except OSError:
        return ""
    return code if code in catalogues.files(WORKSTATION) and is_whole(code) else ""


def keep(folder: Path, code: str) -> None:
    """Keep the choice.  Raises OSError."""
    durable.write(folder / FILE, f"{code}\n".encode(), 0o600)


def _filled(value: object) -> str:
    if isinstance(value, Text):
        return value
    if isinstance(value, datetime.date):
        return day(value)
    safe, page = plain(str(value)), _page.get()
    if page is None or not isinstance(value, str):
        return safe
    other = page.direction == "rtl" or any(unicodedata.bidirectional(char) in RIGHT_TO_LEFT for char in safe)
    return ISOLATED.format(safe) if other else safe


def _packed(value: object) -> object:
    if isinstance(value, datetime.date):
        return {"day": value.isoformat()}
    return {"text": stored(value)} if isinstance(value, Text) else value


def _unpacked(value: Any) -> object:
    if not isinstance(value, dict):
        return value
    return datetime.date.fromisoformat(value["day"]) if "day" in value else restored(value["text"])
