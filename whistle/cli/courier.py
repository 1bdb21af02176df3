"""The courier's commands: carry sealed bundles between server and stick."""

import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from whistle import courier as couriers
from whistle.cli import prompts
from whistle.cli.errors import Problem
from whistle.cli.progress import Progress
from whistle.protocol.errors import ProtocolError
from whistle.protocol.trust import enrolment, manifest
from whistle.protocol.trust.minisign import PublicKey

LABELS = {"push": "sending the outbox", "pull": "fetching", "write": "writing the stick"}
F = TypeVar("F", bound=Callable[..., Any])

folder_option = click.option(
    "--folder",
    envvar="WHISTLE_COURIER",
    type=click.Path(path_type=Path, file_okay=False),
    required=True,
    help="The courier's own folder (or WHISTLE_COURIER).",
)
stick_argument = click.argument("stick", type=click.Path(path_type=Path, file_okay=False))


@click.group()
def courier() -> None:
    """Carry sealed bundles between server and stick."""


def translate_errors(command: F) -> F:
    """Turn the courier's errors into Problems."""

    @functools.wraps(command)
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        try:
            return command(*args, **kwargs)
        except couriers.CourierError as exc:
            raise Problem(str(exc), exc.hint) from exc

    return wrapped  # type: ignore[return-value]


@courier.command()
@folder_option
@click.option("--server", required=True, metavar="URL", help="The server's address.")
@click.option("--name", required=True, help="What the published manifest will call this courier.")
@click.option(
    "--root",
    "roots",
    multiple=True,
    required=True,
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="A root's published key, root-1.pub; once for each root.",
)
@click.option("--proxy", metavar="URL", help="SOCKS proxy; socks5h://127.0.0.1:9050 is Tor's usual one.")
@translate_errors
def init(folder: Path, server: str, name: str, roots: tuple[Path, ...], proxy: str | None) -> None:
    """Make a courier: a key that opens nothing, and a public file for root."""
    prompts.check_address(server, proxy)
    pinned = tuple(_root(path) for path in roots)
    try:
        name = prompts.name(name)
    except ValueError as exc:
        raise Problem("this is no name for the manifest", str(exc)) from exc
    public = couriers.create(folder, couriers.Settings(server, name, pinned, proxy))
    click.echo(f"The roots' digits: {manifest.fingerprint(pinned)}")
    click.echo("Compare them with whoever keeps the root, aloud.")
    click.echo(f"This courier's digits: {enrolment.digits(public)}")
    click.echo(f"Hand {folder / couriers.PUBLIC} to the root keeper, who compares them.")


@courier.command()
@folder_option
@click.option("--server", required=True, metavar="URL", help="The server's new address.")
@click.option("--proxy", metavar="URL", help="SOCKS proxy; none unless given.")
@translate_errors
def move(folder: Path, server: str, proxy: str | None) -> None:
    """The server has another address: keep key, mirror and receipts, and go there."""
    prompts.check_address(server, proxy)
    couriers.move(folder, server, proxy)
    click.echo("This courier goes to the new address from now on.")


@courier.command()
@stick_argument
@folder_option
@click.option("--everything", is_flag=True, help="Also what was sent before, to a server that lost it.")
@translate_errors
def push(stick: Path, folder: Path, everything: bool) -> None:
    """Send what the workstation wrote on STICK to the server."""
    _say_pushed(couriers.Courier(folder, Progress(LABELS)).push(stick, everything))


@courier.command()
@stick_argument
@folder_option
@click.option("--everything", is_flag=True, help="All that the server has, also what the workstation has already.")
@click.option("--again", is_flag=True, help="Trust nothing that this courier fetched before: fetch it all anew.")
@translate_errors
def pull(stick: Path, folder: Path, everything: bool, again: bool) -> None:
    """Fetch what is new from the server and write it on STICK."""
    _say_pulled(couriers.Courier(folder, Progress(LABELS)).pull(stick, everything, again))


@courier.command()
@stick_argument
@folder_option
@translate_errors
def exchange(stick: Path, folder: Path) -> None:
    """Both: push, then pull. Run it again if it broke off; it goes on where it was."""
    done = couriers.Courier(folder, Progress(LABELS)).exchange(stick)
    _say_pushed(done.pushed)
    _say_pulled(done.pulled)
    if done.warning is not None:
        left = f"ends in {done.warning} days" if done.warning >= 0 else "has ended"
        click.echo(f"The manifest {left}: tell whoever keeps the root.")
    if done.leapt:
        click.echo(couriers.LEAPT)
    click.echo("You may remove the stick.")


def _root(path: Path) -> PublicKey:
    try:
        return PublicKey.from_file(path.read_bytes())
    except (ProtocolError, OSError) as exc:
        raise Problem("this is no root's public key", "it is a file of two lines, as published: root-1.pub") from exc


def _say_pushed(pushed: couriers.Pushed) -> None:
    click.echo(f"Sent {pushed.parts} new part(s) of the outbox; the server has {len(pushed.stored)} of its things.")
    if pushed.taken:
        click.echo(f"{len(pushed.taken)} thing(s) found their place taken; the workstation will send them again.")
    if pushed.manifest not in ("none", "same"):
        click.echo(f"The manifest in the outbox: {pushed.manifest}.")


def _say_pulled(pulled: couriers.Pulled) -> None:
    if pulled.altered:
        click.echo(f"{pulled.altered} file(s) here were no longer what the server sent. Is this machine's disk sound?")
    click.echo(f"Fetched {pulled.fetched}; on the stick: {pulled.envelopes} envelope(s), {pulled.blocks} block(s).")
