"""Passphrases come from a prompt that shows nothing or from a file descriptor, never from an argument."""

import os
from collections.abc import Callable
from typing import Any

import click

from whistle.cli.errors import Problem
from whistle.protocol.trust.keyfile import SHORTEST, normalized

LONGEST = 1024  # bytes
GIVEN = "give its line: --passphrase-fd 3 3<file"
LENGTH = f"a passphrase has at least {SHORTEST} characters"
DICE = "six or more words chosen by dice are easy to keep and hard to guess"

option: Callable[[Any], Any] = click.option(
    "--passphrase-fd", type=click.IntRange(0), metavar="N", help="Read the passphrase's line from this file descriptor."
)


def ask(descriptor: int | None, what: str = "Passphrase") -> str:
    """The passphrase as it was typed, without the line end.  Raises Problem if there is none."""
    return _asked(what, False) if descriptor is None else _given(descriptor)


def ask_new(descriptor: int | None, what: str) -> str:
    """A new passphrase in NFC; at a prompt it is asked for twice, until it is long enough.  Raises Problem."""
    if descriptor is not None:
        passphrase = normalized(_given(descriptor))
        if len(passphrase) < SHORTEST:
            raise Problem(LENGTH, DICE)
        return passphrase
    while len(passphrase := normalized(_asked(what, True))) < SHORTEST:
        click.echo(f"Sorry: {LENGTH}; {DICE}.", err=True)
    return passphrase


def _asked(what: str, twice: bool) -> str:
    try:
        return _checked(click.prompt(what, hide_input=True, confirmation_prompt=twice, err=True))
    except UnicodeError as exc:
        click.echo(err=True)  # ends the line of the question
        raise Problem("the passphrase is no text in UTF-8", "set the terminal to UTF-8") from exc


def _given(descriptor: int) -> str:
    try:
        line = _checked(_line(descriptor).decode("utf-8"))
    except (OSError, UnicodeDecodeError) as exc:
        raise Problem("no passphrase could be read", GIVEN) from exc
    if not line:
        raise Problem("the passphrase is empty", GIVEN)
    return line


def _checked(passphrase: str) -> str:
    if len(passphrase.encode()) > LONGEST:
        raise Problem("the passphrase is too long", f"it has at most {LONGEST} bytes, at every door")
    return passphrase


def _line(descriptor: int) -> bytes:
    """A line without its end, or more than LONGEST bytes of it; nothing after the line is read."""
    line = b""
    while len(line) <= LONGEST + 1 and (letter := os.read(descriptor, 1)) not in (b"", b"\n"):
        line += letter
    return line.removesuffix(b"\r")
