"""The courier's commands: carry sealed bundles between server and stick."""

import contextlib
import datetime
import functools
import os
import signal
import stat
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

import click

from whistle import courier as couriers
from whistle.cli import passphrase, prompts
from whistle.cli.errors import Problem
from whistle.cli.progress import Progress
from whistle.courier import mail, notices, run, schedule
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
@click.argument("stick", type=click.Path(path_type=Path, file_okay=False), required=False)
@folder_option
@translate_errors
def exchange(stick: Path | None, folder: Path) -> None:
    """Both: push, then pull. Run it again if it broke off; it goes on where it was.

    Without STICK, the known stick that is in is used; at a terminal a new one is asked about first.
    """
    stick = stick or prompts.stick(folder)
    done = couriers.Courier(folder, Progress(LABELS)).exchange(stick)
    _say_pushed(done.pushed)
    _say_pulled(done.pulled)
    if done.warning is not None:
        left = f"ends in {done.warning} days" if done.warning >= 0 else "has ended"
        click.echo(f"The manifest {left}: tell whoever keeps the root.")
    if done.leapt:
        click.echo(couriers.LEAPT)
    prompts.flush(stick)
    click.echo("You may remove the stick.")


@courier.command("open")
@folder_option
@click.option("--stick", type=click.Path(path_type=Path, file_okay=False), help="A folder to use without asking.")
@click.option("--port", type=click.IntRange(0, 65_535), default=0, metavar="N", help="Any free one unless given.")
@click.option("--browser/--no-browser", default=True, help="Open it in the browser; so unless told otherwise.")
@translate_errors
def open_(folder: Path, stick: Path | None, port: int, browser: bool) -> None:
    """Show a page with one button, for this computer and this user alone; Ctrl-C ends it."""
    from whistle.courier.page.app import create_app  # Flask is loaded only for the page
    from whistle.local_page import listening

    app = create_app(folder, stick)
    try:
        server, address = listening.serve(app, port, app.config["WHISTLE_PATH"])
    except listening.PortTaken as exc:
        raise Problem(str(exc), exc.hint) from exc
    click.echo(f"The courier's page: {address}")
    click.echo("Ctrl-C ends it.")
    if browser and sys.stdout.isatty():
        click.launch(address)
    with _ended_by_signals():
        server.serve_forever()  # closes what it listens at
    click.echo("Ended.")


@courier.command("run")
@folder_option
@click.option("--stick", type=click.Path(path_type=Path, file_okay=False), help="Where the stick is, once it is in.")
@click.option("--known-stick", is_flag=True, help="Whichever known stick is in; name it first with: courier open.")
@click.option("--at", "times", type=prompts.Times(), help="When to exchange; each hour from 8 to 18 unless given.")
@click.option(
    "--on", "days", type=prompts.Weekdays(), help="On which days; those that the manifest promises unless given."
)
@click.option("--notice-at", "hour", type=prompts.Times(), default="17:00", show_default=True, help="The daily notice.")
@click.option(
    "--notice", type=click.Choice(["line", "desktop"]), default="line", show_default=True, help="How to give it."
)
@click.option("--mail-to", metavar="ADDRESS", help="Give notices by mail instead.")
@click.option("--mail-from", metavar="ADDRESS", help="The sender; the same address unless given.")
@click.option("--relay", metavar="HOST[:PORT]", help="Where mail is handed in, with TLS; port 587 unless given.")
@click.option("--relay-user", metavar="NAME", help="Who logs in at the relay; nobody unless given.")
@click.option("--relay-password-fd", type=prompts.Descriptor(), help="Read the password's line from there.")
@click.option(
    "--relay-password-file", type=click.Path(path_type=Path), help="Or from this file, which nobody else can read."
)
@click.option(
    "--relay-ca", type=click.Path(path_type=Path, exists=True, dir_okay=False), help="A relay's own authority."
)
@click.option(
    "--alarm-after",
    type=click.IntRange(1),
    default=run.PATIENCE,
    show_default=True,
    metavar="DAYS",
    help="Alarm if nobody exchanged at the workstation for so long.",
)
@translate_errors
def run_(
    folder: Path,
    stick: Path | None,
    known_stick: bool,
    times: tuple[datetime.time, ...] | None,
    days: tuple[str, ...] | None,
    hour: tuple[datetime.time, ...],
    notice: str,
    alarm_after: int,
    **by_mail: Any,
) -> None:
    """Exchange by itself at set times, with STICK or for a workstation on this machine.

    It goes whether or not there is anything, and says once a day that it runs, whatever came. Ctrl-C ends it.
    """
    way = _mail(**by_mail) or (notices.Desktop() if notice == "desktop" else notices.Lines(click.echo))
    if len(hour) != 1:
        raise click.UsageError("--notice-at is one time of the day")
    if stick and known_stick:
        raise click.UsageError("--stick and --known-stick exclude each other")
    place = run.known(folder) if known_stick else run.named(stick or couriers.own_stick(folder))
    with _ended_by_signals():
        run.Run(
            folder,
            place,
            schedule.Schedule(times or schedule.HOURS, days or ()),
            notices.Notices(folder, way, hour[0], click.echo),
            click.echo,
            alarm_after,
        ).forever()
    click.echo("Ended.")


@contextlib.contextmanager
def _ended_by_signals() -> Iterator[None]:
    """Let Ctrl-C and SIGTERM end what is inside, and nothing else."""

    def end(*_: object) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, end)
    try:
        yield
    except KeyboardInterrupt:
        pass
    finally:
        signal.signal(signal.SIGTERM, before)


def _mail(
    mail_to: str | None,
    mail_from: str | None,
    relay: str | None,
    relay_user: str | None,
    relay_password_fd: int | None,
    relay_password_file: Path | None,
    relay_ca: Path | None,
) -> mail.Mail | None:
    """The way by mail, if it is asked for. Raises Problem."""
    if not mail_to or not relay:
        if mail_to or relay:
            raise click.UsageError("mail needs both --mail-to and --relay")
        return None
    sender = mail_from or mail_to
    if not all(mail.ADDRESS.fullmatch(each) for each in (mail_to, sender)):
        raise Problem("this is no address for mail", "write it as name@example.org")
    match = mail.HOST.fullmatch(relay)
    port = int(match[2] or mail.PORT) if match else 0
    if not match or not 0 < port < 65_536:
        raise Problem("this is no relay", "write it as mail.example.org, or mail.example.org:465")
    password = ""
    if relay_user is not None:
        if (relay_password_fd is None) == (relay_password_file is None):
            raise click.UsageError("--relay-user needs one of --relay-password-fd and --relay-password-file")
        password = _password(relay_password_file) if relay_password_file else passphrase.ask(relay_password_fd)
    server = mail.Relay(match[1], port, port == mail.IMPLICIT, relay_user, password, relay_ca)
    return mail.Mail(server, sender, mail_to)


def _password(path: Path) -> str:
    try:
        with path.open("rb") as file:
            mode, line = os.fstat(file.fileno()).st_mode, file.readline(passphrase.LONGEST)
        text = line.decode("utf-8").rstrip("\r\n")
    except (OSError, UnicodeDecodeError) as exc:
        raise Problem("the password's file cannot be read", "it is one line of text") from exc
    if os.name == "posix" and stat.S_IMODE(mode) & 0o077:
        raise Problem("others can read the password's file", "take that away from them: chmod 600 FILE")
    return text


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
