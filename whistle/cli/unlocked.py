"""What all commands of the workstation share: its folder, its passphrase, and how its errors are said."""

import functools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import click

from whistle.cli import passphrase as passphrases
from whistle.cli.problem import Problem
from whistle.workstation.errors import WorkstationError
from whistle.workstation.workstation import Workstation

F = TypeVar("F", bound=Callable[..., Any])
FILE = click.Path(path_type=Path, exists=True, dir_okay=False)
FOLDER = click.Path(path_type=Path, file_okay=False)

folder_option = click.option(
    "--folder",
    envvar="WHISTLE_WORKSTATION",
    type=FOLDER,
    default=lambda: Path.home() / ".whistle-workstation",
    show_default="~/.whistle-workstation",
    help="The workstation's own folder (or WHISTLE_WORKSTATION).",
)
to_option = click.option("--to", required=True, type=FOLDER, help="The folder to write into.")


def plainly(command: F) -> F:
    """Say the workstation's errors as the command line says them."""

    @functools.wraps(command)
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        try:
            return command(*args, **kwargs)
        except WorkstationError as exc:
            raise Problem(exc.message, exc.hint or "nothing was changed") from exc

    return wrapped  # type: ignore[return-value]


def unlocked(command: Callable[..., Any]) -> Any:
    """A command on an open workstation, which it gets as its first argument."""

    @folder_option
    @passphrases.option
    @plainly
    @functools.wraps(command)
    def wrapped(folder: Path, passphrase_fd: int | None, *args: Any, **kwargs: Any) -> Any:
        with _opened(folder, passphrase_fd) as station:
            return command(station, *args, **kwargs)

    return wrapped


@contextmanager
def _opened(folder: Path, descriptor: int | None) -> Iterator[Workstation]:
    station = Workstation.open(folder, passphrases.ask(descriptor))
    try:
        for notice in station.notices():
            click.echo(notice, err=True)
        yield station
    finally:
        station.close()


def say(lines: list[str]) -> None:
    """Print lines on standard output."""
    for line in lines:
        click.echo(line)
