"""The operator's commands: make, run and purge the server that reporters meet."""

import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from whistle.cli.problem import Problem
from whistle.server.errors import BadManifest, ConfigError, StartError
from whistle.store import StoreError

F = TypeVar("F", bound=Callable[..., Any])
FOLDER = click.Path(path_type=Path, file_okay=False)

folder_option = click.option(
    "--folder",
    envvar="WHISTLE_SERVER",
    type=FOLDER,
    required=True,
    help="The server's own folder (or WHISTLE_SERVER).",
)


@click.group()
def server() -> None:
    """The server that reporters meet."""


def plainly(command: F) -> F:
    """Say the server's errors as the command line says them."""

    @functools.wraps(command)
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        try:
            return command(*args, **kwargs)
        except StartError as error:
            raise Problem(str(error), error.hint) from error
        except ConfigError as error:
            raise Problem(str(error), "mend whistle.toml; whistle server init makes a folder with a new one") from error
        except BadManifest as error:
            raise Problem(str(error), "see that --keys names what the root published, whole") from error
        except StoreError as error:
            raise Problem(str(error), "check the database's address and the disk's room") from error

    return wrapped  # type: ignore[return-value]


@server.command()
@folder_option
@click.option("--keys", type=FOLDER, help="The published folder: root-1.pub and the manifests. May come later.")
@click.option("--name", default="Whistle", show_default=True, help="The organisation's name, in English.")
@click.option("--bind", metavar="ADDRESS:PORT", default="127.0.0.1:8080", show_default=True, help="Where to listen.")
@plainly
def init(folder: Path, keys: Path | None, name: str, bind: str) -> None:
    """Make a server's folder, or add the first keys to one."""
    from whistle.server import folder as folders
    from whistle.server.config import FILE

    if not (folder / FILE).exists() or keys is None:
        folders.make(folder, name, bind, folders.slots_of(keys) if keys else 8)
        click.echo(f"Made {folder / FILE}; read it and change what is not right.")
    if keys is None:
        click.echo("Next: publish a manifest with whistle root sign, then: whistle server init --keys FOLDER")
        return
    click.echo("The roots' fingerprint, to compare with whoever keeps them:")
    click.echo(f"  {folders.install(folder, keys)}")
    click.echo("Next: whistle server run")


@server.command()
@folder_option
@plainly
def run(folder: Path) -> None:
    """Serve reporters and couriers until stopped."""
    from whistle.server import run as running

    running.harden()
    config = running.check(folder)
    click.echo(f"Whistle listens at {config.bind}.  Stop it with Ctrl-C.")
    running.serve(config)


@server.command()
@folder_option
@plainly
def purge(folder: Path) -> None:
    """Do at once what the server does each night: turn over, sweep, remove what has been kept long enough."""
    from whistle.server import housekeeping, run
    from whistle.server.config import Config
    from whistle.server.instance import open_instance

    run.harden()
    instance = open_instance(Config.load(folder))
    try:
        removed = housekeeping.clean(instance)
        for warning in housekeeping.warnings(instance):
            click.echo(f"Warning: {warning}.")
    finally:
        instance.store.close()
    for day in removed:
        click.echo(f"Removed what reviewers have of {day.isoformat()}.")
    click.echo("Done.")
