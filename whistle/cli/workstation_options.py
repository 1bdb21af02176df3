"""Options that the workstation's commands share: its folder and its passphrase.  Its errors as Problems."""

import functools
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import click

from whistle.cli import passphrase as passphrases
from whistle.cli.errors import Problem
from whistle.courier import CourierError
from whistle.protocol.untrusted_text import one_line
from whistle.workstation.duties import plan
from whistle.workstation.errors import WorkstationError
from whistle.workstation.vault.storage import Vault
from whistle.workstation.workstation import Workstation

F = TypeVar("F", bound=Callable[..., Any])


class CheckedPath(click.Path):
    """A path; a wrong one is reported as a Problem, like all errors."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """The path, checked."""
        try:
            return super().convert(value, param, ctx)
        except click.BadParameter as exc:
            message = exc.message.rstrip(".")
            raise Problem(one_line(message[:1].lower() + message[1:]), "check the name") from exc


FILE = CheckedPath(path_type=Path, exists=True, dir_okay=False)
NEW_FILE = CheckedPath(path_type=Path, dir_okay=False)
FOLDER = CheckedPath(path_type=Path, file_okay=False)
ANYTHING = CheckedPath(path_type=Path, exists=True)

folder_option = click.option(
    "--folder",
    envvar="WHISTLE_WORKSTATION",
    type=FOLDER,
    default=lambda: Path.home() / ".whistle-workstation",
    show_default="~/.whistle-workstation",
    help="The workstation's own folder (or WHISTLE_WORKSTATION).",
)
to_option = click.option("--to", required=True, type=FOLDER, help="The folder to write into.")


def translate_errors(command: F) -> F:
    """Turn the errors of workstation and courier into Problems."""

    @functools.wraps(command)
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        try:
            return command(*args, **kwargs)
        except WorkstationError as exc:
            raise Problem(exc.message, exc.hint or "nothing was changed") from exc
        except CourierError as exc:
            raise Problem(str(exc), exc.hint) from exc
        except UnicodeError as exc:
            if sys.stderr.isatty():
                click.echo(err=True)  # a question for a passphrase may stand on this line
            raise Problem(
                "what was typed or read is no text in UTF-8", "set the terminal to UTF-8, or save the file so"
            ) from exc

    return wrapped  # type: ignore[return-value]


def with_workstation(command: Callable[..., Any]) -> Any:
    """Unlock the workstation for a command, which gets it as its first argument."""

    @folder_option
    @passphrases.option
    @translate_errors
    @functools.wraps(command)
    def wrapped(folder: Path, passphrase_fd: int | None, *args: Any, **kwargs: Any) -> Any:
        with opened(folder, passphrase_fd) as (station, _):
            return command(station, *args, **kwargs)

    return wrapped


@contextmanager
def opened(folder: Path, descriptor: int | None) -> Iterator[tuple[Workstation, str]]:
    """The unlocked workstation and its passphrase; what should be known today goes to stderr."""
    Vault.check(folder)
    secret = passphrases.ask(descriptor)
    station = Workstation.open(folder, secret)
    try:
        tell(station)
        yield station, secret
    finally:
        station.close()


def tell(station: Workstation) -> None:
    """Print on standard error what a reviewer should know today."""
    for notice in station.notices():
        click.echo(notice, err=True)
    if near := plan.alarm(station):
        click.echo(f"Cases with something due: {near}. `whistle workstation duties` lists them.", err=True)


def say(lines: list[str]) -> None:
    """Print lines on standard output."""
    for line in lines:
        click.echo(line)
