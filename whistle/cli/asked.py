"""What people type about themselves and their organisation, checked where it is typed: ids, days, addresses."""

import datetime
import re
from collections.abc import Callable
from typing import TypeVar
from urllib.parse import urlsplit

import click

from whistle.cli.errors import Problem
from whistle.protocol import schema
from whistle.protocol.errors import Malformed
from whistle.protocol.invisible_text import is_blank, strip_invisible
from whistle.protocol.trust.manifest import WEEKDAYS

T = TypeVar("T")
LONGEST_NAME = 128  # characters, as in the manifest
LONGEST_SENTENCE = 2000  # characters
MOST_LANGUAGES = 32
FIRST, LAST = datetime.date(2000, 1, 1), datetime.date(2999, 1, 1)  # days on which a manifest may begin
LANGUAGE = re.compile(r"[a-z]{2,3}(-[a-z0-9]{2,8}){0,3}")
CODES = "languages are codes like en, ar or pt-br (English is en), each once"
NAME = "Your name, as colleagues know it (it is published in the list of readers)"
ROLE = "Your role, as reporters will see it (it is published too)"
DAYS = f"days are {', '.join(WEEKDAYS)}, or their first three letters"


class Day(click.ParamType[datetime.date]):
    """A day of a manifest, like 2026-11-22."""

    name = "DAY"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> datetime.date:
        """The day."""
        try:
            day = datetime.date.fromisoformat(str(value))
        except ValueError:
            self.fail(f"{str(value)!r} is no day; write it as 2026-12-31", param, ctx)
        if not FIRST <= day < LAST:
            self.fail(f"{value} is too far away; mind the year", param, ctx)
        return day


class Id(click.ParamType[str]):
    """The id of a reviewer, courier or channel."""

    name = "ID"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """The id."""
        try:
            return str(schema.identifier(value))
        except Malformed:
            self.fail(f"{str(value)!r} is no id; it has small letters, digits and hyphens, at most 32", param, ctx)


class Pair(click.ParamType[tuple[str, str]]):
    """An id and what is said of it: ID=VALUE."""

    name = "ID=VALUE"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, str]:
        """Both."""
        id, sign, rest = str(value).partition("=")
        if not sign or not rest:
            self.fail(f"{str(value)!r} is not written as ID=…", param, ctx)
        return Id().convert(id, param, ctx), rest


class Bind(click.ParamType[str]):
    """Where a server listens: ADDRESS:PORT, or unix:PATH."""

    name = "ADDRESS:PORT"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """The same."""
        text = str(value)
        found = re.fullmatch(r"(?:[0-9A-Za-z.-]+|\[[0-9A-Fa-f:.]+\]):([0-9]{1,5})", text)
        if not re.fullmatch(r"unix:[^\0\n]+", text) and not (found and 0 < int(found[1]) < 65_536):
            self.fail(f"{text!r} is no address to listen at; write it like 127.0.0.1:8080", param, ctx)
        return text


class Weekdays(click.ParamType[tuple[str, ...]]):
    """Days of the week, with commas or spaces between them."""

    name = "DAY,…"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, ...]:
        """Their names."""
        try:
            return value if isinstance(value, tuple) else weekdays(str(value))
        except ValueError as exc:
            self.fail(str(exc), param, ctx)


def weekdays(text: str) -> tuple[str, ...]:
    """Days of the week, each once, by their names or the first three letters.  Raises ValueError with what they are."""
    known = {name: day for day in WEEKDAYS for name in (day, day[:3])}
    typed = text.lower().replace(",", " ").split()
    if not typed or set(typed) - set(known):
        raise ValueError(DAYS)
    return tuple(dict.fromkeys(known[each] for each in typed))


def languages(text: str) -> tuple[str, ...]:
    """Codes of languages, each once.  Raises ValueError with what they are."""
    typed = tuple(dict.fromkeys(text.lower().replace(",", " ").replace("_", "-").split()))
    if not typed or len(typed) > MOST_LANGUAGES or not all(LANGUAGE.fullmatch(code) for code in typed):
        raise ValueError(CODES)
    return typed


def name(text: str) -> str:
    """A name or role as the manifest takes it.  Raises ValueError with what it is."""
    if is_blank(text) or strip_invisible(text) != text or not text.isprintable() or len(text) > LONGEST_NAME:
        raise ValueError(f"it is one line of 1 to {LONGEST_NAME} characters that can be seen")
    return text.strip()


def sentence(text: str) -> str:
    """A sentence of the manifest.  Raises ValueError with what it is."""
    shown = re.sub("[\u200c\u200d]", "", text)  # joiners, which some scripts need
    if is_blank(text) or not shown.isprintable() or len(text) > LONGEST_SENTENCE:
        raise ValueError(f"it is one line of at most {LONGEST_SENTENCE} characters")
    return text.strip()


def prompt(question: str, read: Callable[[str], T], default: str | None = None) -> T:
    """Ask at the terminal until what was typed can be read; `read` raises ValueError with what to type."""
    while True:
        try:
            return read(click.prompt(question, default=default, err=True))
        except ValueError as exc:
            click.echo(f"Sorry: {exc}.", err=True)


def check_address(server: str, proxy: str | None) -> None:
    """Whether these can be a server's address and a SOCKS proxy's.  Raises Problem."""
    if not _is_address(server, ("http", "https")):
        raise Problem("the server's address is no address", "it begins with https://, or http:// for an onion address")
    if ".onion" in server and not proxy:
        raise Problem("an onion address needs Tor", "add --proxy socks5h://127.0.0.1:9050")
    if proxy and not _is_address(proxy, ("socks5h",)):
        hint = "write it as socks5h://127.0.0.1:9050: names are looked up there"
        raise Problem("the proxy must be a SOCKS proxy", hint)


def _is_address(text: str, schemes: tuple[str, ...]) -> bool:
    try:
        parts = urlsplit(text)
        named = bool(parts.hostname) and parts.port != 0
    except ValueError:  # of a port or an IPv6 address
        return False
    plain = text.isascii() and text.isprintable() and " " not in text and "@" not in parts.netloc
    return parts.scheme in schemes and named and plain
