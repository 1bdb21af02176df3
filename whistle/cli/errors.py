"""Errors on the command line: one line that says what is wrong, one that says what to do."""

import click


class Problem(click.ClickException):
    """A refused or failed action.  Neither line may hold plaintext, keys, words or addresses.

    Shown on stderr as ``whistle: error: …`` and ``hint: …``; the exit status is 1.
    """

    exit_code = 1

    def __init__(self, message: str, hint: str) -> None:
        super().__init__(message)
        self.hint = hint

    def show(self, file: object = None) -> None:
        """Print the two lines on stderr, whatever ``file`` is."""
        click.echo(f"whistle: error: {self.message}", err=True)
        click.echo(f"hint: {self.hint}", err=True)
