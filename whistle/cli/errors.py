"""Errors on the command line: one line that says what is wrong, one that says what to do."""

from collections.abc import Callable

import click

Say = Callable[..., str]  # an English text with names in braces and a value for each; gives it in some language
ERROR, HINT = "whistle: error: {message}", "hint: {hint}"


def english(text: str, **values: object) -> str:
    """A text with its values filled in; one without values may hold braces of its own."""
    return text.format(**values) if values else text


class Problem(click.ClickException):
    """A refused or failed action; values take the place of names in braces in both texts.

    Neither line may hold plaintext, keys, words or addresses.
    Shown on stderr as ``whistle: error: …`` and ``hint: …``; the exit status is 1.
    """

    exit_code = 1

    def __init__(self, message: str, hint: str, **values: object) -> None:
        super().__init__(english(message, **values))
        self.hint = english(hint, **values)
        self.lines = ERROR.format(message=self.message), HINT.format(hint=self.hint)
        self._unfilled = message, hint, values

    def said(self, say: Say) -> "Problem":
        """The same in another language."""
        message, hint, values = self._unfilled
        found = type(self)(say(message, **values), say(hint, **values))
        found.lines = say(ERROR, message=found.message), say(HINT, hint=found.hint)
        return found

    def show(self, file: object = None) -> None:
        """Print the two lines on stderr, whatever ``file`` is."""
        for line in self.lines:
            click.echo(line, err=True)


def stopped() -> Problem:
    """Somebody pressed Ctrl-C, or said no."""
    return Problem("stopped before the end", "nothing more was changed; run the command again when you are ready")


def failed(error: OSError) -> Problem:
    """A file or a folder could not be used; which one is not told."""
    hint = "check that the folder exists, that you may write to it and that its disk has room"
    return Problem("{why}", hint, why=error.strerror or type(error).__name__)


class WrongUsage(Problem):
    """A command that was mistyped; the exit status is 2."""

    exit_code = 2
