"""What a reporter types: words, text and choices, from a terminal or from file descriptors, never from arguments."""

import os
import sys
from collections.abc import Mapping, Sequence

import click

from whistle.cli.errors import Problem
from whistle.protocol.case.message import MAX_REST
from whistle.protocol.code import words
from whistle.protocol.code.retrieval import Reporter, derive
from whistle.protocol.code.words import WordsError
from whistle.protocol.invisible_text import is_blank

MAX_WORDS = 4096  # bytes
PLAINLY = "type them in order, with spaces between them; their numbers will do as well"


class Descriptor(click.ParamType[int]):
    """A number of a file descriptor, or `-` for standard input."""

    name = "N"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """The number."""
        text = "0" if value == "-" else str(value)
        if not text.isascii() or not text.isdecimal() or len(text) > 6:
            self.fail("give the number of a file descriptor, or - for standard input", param, ctx)
        return int(text)


class Answer(click.ParamType[tuple[str, int]]):
    """A question's id and the file descriptor from which its answer is read."""

    name = "ID=N"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, int]:
        """Both."""
        id, _, number = str(value).partition("=")
        if not id or not number:
            self.fail("give a question and a file descriptor, like when=4", param, ctx)
        return id, Descriptor().convert(number, param, ctx)


def at_a_terminal() -> bool:
    """Whether somebody is there to be asked."""
    return sys.stdin.isatty()


def reporter(descriptor: int | None) -> Reporter:
    """Who the twelve words make; asked for again, at a terminal, until they are such.  Raises Problem."""
    if descriptor is not None:
        try:
            return derive(words.decode(_read(descriptor, MAX_WORDS)))
        except WordsError as exc:
            raise Problem(_reason(exc), PLAINLY) from exc
    while at_a_terminal():
        try:
            return derive(words.decode(click.prompt("Your twelve words", err=True)))
        except WordsError as exc:
            click.echo(f"{_reason(exc).capitalize()}. {_near(exc)}", err=True)
    raise Problem("no words could be asked for", "give them: --words-fd 3 3<file")


def text(descriptor: int | None) -> str:
    """The whole text.  Raises Problem."""
    if descriptor is None and at_a_terminal():
        click.echo("Write, then end with Ctrl-D on a line of its own.", err=True)
    return _read(0 if descriptor is None else descriptor, MAX_REST).strip()


def answers(asked: Mapping[str, tuple[str, str]], given: Sequence[tuple[str, int]]) -> dict[str, str]:
    """Answers by their questions' ids: from descriptors, or asked for at a terminal; each may be left out.

    `asked` has a label and a hint for each.  Raises Problem.
    """
    if wrong := [id for id, _ in given if id not in asked]:
        known = f"it asks: {', '.join(asked)}" if asked else "it asks nothing but the text"
        raise Problem(f"the channel has no question {wrong[0]!r}", known)
    if len({id for id, _ in given}) < len(given) or len({number for _, number in given}) < len(given):
        raise click.UsageError("each answer comes once, from a descriptor of its own")
    found = {id: _read(number, MAX_REST).strip() for id, number in given}
    for id, (label, hint) in asked.items() if at_a_terminal() and not given else ():
        if hint:
            click.echo(hint, err=True)
        found[id] = str(click.prompt(f"{label} (Enter leaves it out)", default="", show_default=False, err=True))
    return {id: answer for id, answer in found.items() if not is_blank(answer)}


def one_of(what: str, offered: Mapping[str, str], given: str | None, option: str) -> str:
    """The id of one of several things, asked for at a terminal where there are several and none is given."""
    if given in offered:
        return str(given)
    for id, about in offered.items():
        click.echo(f"  {id}: {about}", err=True)
    if given is not None:
        raise Problem(f"there is no such {what}", f"{option} is one of those above")
    if not at_a_terminal():
        raise Problem(f"choose a {what}", f"give {option} with one of those above")
    return str(click.prompt(f"Which {what}?", type=click.Choice(list(offered)), show_choices=False, err=True))


def some_of(question: str, offered: Mapping[str, str], given: tuple[str, ...], option: str) -> tuple[str, ...]:
    """The ids of some, or of none; asked for at a terminal unless they are given."""
    typed = given
    if not given and at_a_terminal():
        typed = tuple(click.prompt(question, default="", show_default=False, err=True).replace(",", " ").split())
    if set(typed) - set(offered):
        raise Problem("somebody was named whom the list does not have", f"{option} takes: {', '.join(offered)}")
    return typed


def _read(descriptor: int, limit: int) -> str:
    try:
        with os.fdopen(descriptor, "rb", closefd=False) as file:
            data = file.read(limit + 1)
        text = data.decode("utf-8")
    except OSError as exc:
        raise Problem("nothing could be read there", "give a descriptor that is open: --text-fd 3 3<file") from exc
    except UnicodeDecodeError as exc:
        raise Problem("this is no text in UTF-8", "send it as a file instead") from exc
    if len(data) > limit:
        raise Problem("this is too long", "send it as a file instead")
    return text


def _reason(error: WordsError) -> str:
    """What is wrong with words, none of them named."""
    if error.reason == "count":
        return f"twelve words are needed, and these are {error.found}"
    if error.reason == "unknown":
        return "one of these is not a word of the list"
    return "one of the words is wrong, or two of them are swapped"


def _near(error: WordsError) -> str:
    """Which words may be meant; said at the terminal only, where they were typed."""
    if error.reason != "unknown" or not sys.stderr.isatty():
        return "Please try again."
    near = f" Did you mean {', '.join(error.neighbours)}?" if error.neighbours else ""
    return f"It is the one that begins with {error.word[:4]!r}.{near}"
