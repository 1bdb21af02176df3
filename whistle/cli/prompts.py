"""What people type: options, answers at a terminal, and text from file descriptors, checked where it is typed.

A reporter's words and text never come from arguments, which other users of the machine could see.
"""

import datetime
import os
import re
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TypeVar
from urllib.parse import urlsplit

import click

from whistle import sticks
from whistle.cli.errors import Problem, Say
from whistle.protocol import schema
from whistle.protocol.case.message import MAX_REST
from whistle.protocol.code import words
from whistle.protocol.code.retrieval import Reporter, derive
from whistle.protocol.code.words import WordsError
from whistle.protocol.errors import Malformed
from whistle.protocol.invisible_text import is_blank, strip_invisible
from whistle.protocol.reporter import answers as protocol
from whistle.protocol.reporter.questions import Question, in_language
from whistle.protocol.trust.manifest import WEEKDAYS
from whistle.protocol.untrusted_text import one_line
from whistle.translations.translation import Translation

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
MAX_WORDS = 4096  # bytes
WORDS_HINT = "type them in order, with spaces between them; their numbers will do as well"


class Day(click.ParamType[datetime.date]):
    """A day of a manifest, like 2026-11-22."""

    name = "DAY"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> datetime.date:
        """The day, checked."""
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
        """The id, checked."""
        try:
            return str(schema.identifier(value))
        except Malformed:
            self.fail(f"{str(value)!r} is no id; it has small letters, digits and hyphens, at most 32", param, ctx)


class Pair(click.ParamType[tuple[str, str]]):
    """An id and a value: ID=VALUE."""

    name = "ID=VALUE"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, str]:
        """The id and the value."""
        id, sign, rest = str(value).partition("=")
        if not sign or not rest:
            self.fail(f"{str(value)!r} is not written as ID=…", param, ctx)
        return Id().convert(id, param, ctx), rest


class OwnedFile(click.ParamType[tuple[Path, str]]):
    """An existing file and the id of the reviewer who owns it, empty if none does: FILE or FILE=REVIEWER."""

    name = "FILE[=REVIEWER]"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> tuple[Path, str]:
        """The path and the id."""
        whole = str(value)
        path, sign, reviewer = (whole, "", "") if Path(whole).is_file() else whole.rpartition("=")
        file = click.Path(path_type=Path, exists=True, dir_okay=False).convert(path if sign else whole, param, ctx)
        return Path(file), Id().convert(reviewer, param, ctx) if sign else ""


class Bind(click.ParamType[str]):
    """Where a server listens: ADDRESS:PORT, or unix:PATH."""

    name = "ADDRESS:PORT"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """The address as it was typed."""
        text = str(value)
        match = re.fullmatch(r"(?:[0-9A-Za-z.-]+|\[[0-9A-Fa-f:.]+\]):([0-9]{1,5})", text)
        if not re.fullmatch(r"unix:[^\0\n]+", text) and not (match and 0 < int(match[1]) < 65_536):
            self.fail(f"{text!r} is no address to listen at; write it like 127.0.0.1:8080", param, ctx)
        return text


class Weekdays(click.ParamType[tuple[str, ...]]):
    """Days of the week, with commas or spaces between them."""

    name = "DAY,…"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, ...]:
        """Their names in full, in English."""
        try:
            return value if isinstance(value, tuple) else weekdays(str(value))
        except ValueError as exc:
            self.fail(str(exc), param, ctx)


class Times(click.ParamType[tuple[datetime.time, ...]]):
    """Times of the day like 08:00, with commas or spaces between them."""

    name = "HH:MM,…"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[datetime.time, ...]:
        """The times, each once."""
        if isinstance(value, tuple):
            return value
        typed = str(value).replace(",", " ").split()
        if not typed or not all(re.fullmatch(r"([01]?[0-9]|2[0-3])(:[0-5][0-9]){1,2}", each) for each in typed):
            self.fail(f"{str(value)!r} is no time; write it like 08:00 or 08:00,12:30", param, ctx)
        return tuple(sorted({datetime.time.fromisoformat(each if each[2:3] == ":" else f"0{each}") for each in typed}))


class Descriptor(click.ParamType[int]):
    """A number of a file descriptor, or `-` for standard input."""

    name = "N"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """The descriptor's number; 0 for `-`."""
        text = "0" if value == "-" else str(value)
        if not text.isascii() or not text.isdecimal() or len(text) > 6:
            self.fail("give the number of a file descriptor, or - for standard input", param, ctx)
        return int(text)


class Answer(click.ParamType[tuple[str, int]]):
    """A question's id and the file descriptor from which its answer is read."""

    name = "ID=N"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, int]:
        """The question's id and the descriptor."""
        id, _, number = str(value).partition("=")
        if not id or not number:
            self.fail("give a question and a file descriptor, like when=4", param, ctx)
        return id, Descriptor().convert(number, param, ctx)


def weekdays(text: str) -> tuple[str, ...]:
    """Days of the week, each once, by name or first three letters.  Raises ValueError that says what is allowed."""
    days = {name: day for day in WEEKDAYS for name in (day, day[:3])}
    typed = text.lower().replace(",", " ").split()
    if not typed or set(typed) - set(days):
        raise ValueError(DAYS)
    return tuple(dict.fromkeys(days[each] for each in typed))


def languages(text: str) -> tuple[str, ...]:
    """Codes of languages, each once.  Raises ValueError that says what is allowed."""
    typed = tuple(dict.fromkeys(text.lower().replace(",", " ").replace("_", "-").split()))
    if not typed or len(typed) > MOST_LANGUAGES or not all(LANGUAGE.fullmatch(code) for code in typed):
        raise ValueError(CODES)
    return typed


def name(text: str) -> str:
    """A name or role as the manifest takes it.  Raises ValueError that says what is allowed."""
    if is_blank(text) or strip_invisible(text) != text or not text.isprintable() or len(text) > LONGEST_NAME:
        raise ValueError(f"it is one line of 1 to {LONGEST_NAME} characters that can be seen")
    return text.strip()


def sentence(text: str) -> str:
    """A sentence of the manifest.  Raises ValueError that says what is allowed."""
    shown = re.sub("[\u200c\u200d]", "", text)  # joiners, which some scripts need
    if is_blank(text) or not shown.isprintable() or len(text) > LONGEST_SENTENCE:
        raise ValueError(f"it is one line of at most {LONGEST_SENTENCE} characters")
    return text.strip()


def prompt(question: str, read: Callable[[str], T], default: str | None = None) -> T:
    """Ask at the terminal until `read` accepts the answer; its ValueError says what is allowed."""
    while True:
        try:
            return read(click.prompt(question, default=default, err=True))
        except ValueError as exc:
            click.echo(f"Sorry: {exc}.", err=True)


def check_address(server: str, proxy: str | None) -> None:
    """Check a server's address and a SOCKS proxy's.  Raises Problem."""
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


def at_a_terminal() -> bool:
    """Whether standard input is a terminal, where somebody can be asked."""
    return sys.stdin.isatty()


def is_shown() -> bool:
    """Whether standard output is a terminal, where somebody reads it."""
    return bool(sys.stdout and sys.stdout.isatty())


def stick(own: Path) -> Path:
    """The known stick that is in; at a terminal a new one is asked about.  Raises Problem.

    `own` is the folder of the program that knows it.
    """
    usable, fresh = sticks.offered(own)
    if not usable and len(fresh) == 1 and at_a_terminal():
        click.echo(f"A stick that is new here: {fresh[0].folder}", err=True)
        if fresh[0].id:
            click.confirm(f"Its name is {fresh[0].name}. Use it from now on?", abort=True, err=True)
        name = fresh[0].name or prompt("A name for it, which whoever finds it can read", sticks.checked)
        sticks.adopt(own, str(fresh[0].folder), name)
        usable, _ = sticks.offered(own)
    if len(usable) != 1:
        what = "more than one known stick is in" if usable else "no known stick is in"
        raise Problem(
            what, "put in one, or name its folder; a new one is given a name at a terminal, or in the local page"
        )
    return usable[0].folder


def flush(stick: Path) -> None:
    """Return once all is on the stick.  Raises Problem."""
    try:
        sticks.flush(stick)
    except OSError as exc:
        raise Problem("not everything is on the stick", "leave it in and exchange again") from exc


def reporter(descriptor: int | None, asked: str, say: Say) -> Reporter:
    """The reporter of twelve words; at a terminal they are asked for until they are valid.  Raises Problem."""
    if descriptor is not None:
        try:
            return derive(words.decode(_read(descriptor, MAX_WORDS)))
        except WordsError as exc:
            raise Problem(_reason(exc), WORDS_HINT, count=exc.found) from exc
    while at_a_terminal():
        try:
            return derive(words.decode(click.prompt(asked, err=True)))
        except WordsError as exc:
            reason = first_capital(say(_reason(exc), count=exc.found))
            click.echo(say("{reason}. {near}", reason=reason, near=_near(exc, say)), err=True)
    raise Problem("no words could be asked for", "give them: --words-fd 3 3< file")


def text(descriptor: int | None, asked: str) -> str:
    """The text from a descriptor, or from standard input.  Raises Problem."""
    if descriptor is None and at_a_terminal():
        click.echo(asked, err=True)
    return _read(0 if descriptor is None else descriptor, MAX_REST).strip()


def answers(
    asked: Sequence[Question], given: Sequence[tuple[str, int]], t: Translation, language: str
) -> dict[str, str]:
    """Answers by question id, from descriptors or asked for at a terminal; each may be left out.  Raises Problem."""
    known = {each.id: each for each in asked}
    if wrong := [id for id, _ in given if id not in known]:
        takes = "it asks: {ids}" if known else "it asks nothing but the text"
        raise Problem("the channel has no question '{id}'", takes, id=wrong[0], ids=", ".join(known))
    if len({id for id, _ in given}) < len(given) or len({number for _, number in given}) < len(given):
        raise click.UsageError("each answer comes once, from a descriptor of its own")
    typed: dict[str, str] = {}
    for id, number in given:
        text = _read(number, MAX_REST).strip()
        typed[id] = protocol.typed(known[id], text)
        if text and not typed[id]:
            takes = "it takes: {ids}" if known[id].options else "write it as 2026-10 or 2026"
            raise Problem("'{id}' has no such answer", takes, id=id, ids=", ".join(known[id].options))
    for question in asked if at_a_terminal() and not given else ():
        if protocol.is_shown(question, typed):
            typed[question.id] = _ask(question, t, language)
    kept = protocol.shown(asked, typed)
    for id in (id for id, text in typed.items() if text and id not in kept):
        if on := known[id].condition:
            takes = "answer '{on}' with one of: {ids}"
            raise Problem(
                "'{id}' is only asked after another answer", takes, id=id, on=on.question, ids=", ".join(on.among)
            )
    return kept


def _ask(question: Question, t: Translation, language: str) -> str:
    """The answer to a question, asked for until there is such a one; empty if it is left out."""
    labels = {each.id: in_language(each.label, language) for each in question.choices}
    labels = labels or {id: t.text(f"answer.{id}") for id in question.options}
    how = {"several": "command.several", "date": "command.date", "people": "answer.people", "sum": "answer.sum"}
    hints = [in_language(question.hint, language), *(f"  {id}: {label}" for id, label in labels.items())]
    hints += [t.text(how[question.type])] if question.type in how else []
    for hint in filter(None, hints):
        click.echo(one_line(hint) if hint[:1] != " " else f"  {one_line(hint)}", err=True)
    label = t.text("command.skip", label=one_line(in_language(question.label, language)))
    while text := str(click.prompt(label, default="", show_default=False, err=True)).strip():
        if answer := protocol.typed(question, text):
            return answer
        click.echo(t.text("command.not_this"), err=True)
    return ""


def channel(offered: Mapping[str, str], given: str | None, asked: str, say: Say) -> str:
    """The id of one of the offered channels, asked for at a terminal if none is given.  Raises Problem."""
    if given in offered:
        return str(given)
    for id, about in offered.items():
        click.echo(f"  {id}: {about}", err=True)
    if given is not None:
        raise Problem("there is no such channel", "--channel is one of those above")
    if not at_a_terminal():
        raise Problem("choose a channel", "give --channel with one of those above")
    while (typed := str(click.prompt(asked, err=True))) not in offered:
        click.echo(say("There is no such channel: type one of those above."), err=True)
    return typed


def left_out(question: str, offered: Mapping[str, str], given: tuple[str, ...]) -> tuple[str, ...]:
    """The ids of some or none of the offered people, asked for at a terminal if none is given.  Raises Problem."""
    typed = given
    if not given and at_a_terminal():
        typed = tuple(click.prompt(question, default="", show_default=False, err=True).replace(",", " ").split())
    if set(typed) - set(offered):
        told = "somebody was named whom the list does not have"
        raise Problem(told, "--leave-out takes: {ids}", ids=", ".join(offered))
    return typed


def _read(descriptor: int, limit: int) -> str:
    try:
        with os.fdopen(descriptor, "rb", closefd=False) as file:
            data = file.read(limit + 1)
        text = data.decode("utf-8")
    except OSError as exc:
        raise Problem("nothing could be read there", "give a descriptor that is open: --text-fd 3 3< file") from exc
    except UnicodeDecodeError as exc:
        raise Problem("this is no text in UTF-8", "send it as a file instead") from exc
    if len(data) > limit:
        raise Problem("this is too long", "send it as a file instead")
    return text


def _reason(error: WordsError) -> str:
    """What is wrong with the words, without naming any; `count` is how many there are."""
    if error.reason == "count":
        return "twelve words are needed, and these are {count}"
    if error.reason == "unknown":
        return "one of these is not a word of the list"
    return "one of the words is wrong, or two of them are swapped"


def _near(error: WordsError, say: Say) -> str:
    """Which words may be meant; shown only at a terminal, where they were typed."""
    if error.reason != "unknown" or not sys.stderr.isatty():
        return say("Please try again.")
    told = say("It is the one that begins with '{start}'.", start=error.word[:4])
    return f"{told} {say('Did you mean {words}?', words=', '.join(error.neighbours))}" if error.neighbours else told


def first_capital(text: str) -> str:
    """A text as the beginning of a line."""
    return text[:1].upper() + text[1:]
