"""Where commands get a passphrase from: a prompt that shows nothing, or a file descriptor; never an argument."""

import os
from collections.abc import Callable
from typing import Any

import click

from whistle.cli.problem import Problem

LONGEST = 1024  # bytes

option: Callable[[Any], Any] = click.option(
    "--passphrase-fd", type=click.IntRange(0), metavar="N", help="Read the passphrase's line from this file descriptor."
)


def ask(descriptor: int | None, what: str = "Passphrase", new: bool = False) -> str:
    """The passphrase, without its line's end; a new one is asked for twice. Raises Problem when there is none."""
    if descriptor is None:
        passphrase: str = click.prompt(what, hide_input=True, confirmation_prompt=new, err=True)
        return passphrase
    try:
        line = _line(descriptor).decode("utf-8")
    except (OSError, UnicodeDecodeError) as exc:
        raise Problem("no passphrase could be read", "give its line: --passphrase-fd 3 3<file") from exc
    if not line:
        raise Problem("the passphrase is empty", "give its line: --passphrase-fd 3 3<file")
    return line


def _line(descriptor: int) -> bytes:
    found = b""
    while len(found) < LONGEST and (letter := os.read(descriptor, 1)) not in (b"", b"\n"):
        found += letter
    return found.removesuffix(b"\r")
