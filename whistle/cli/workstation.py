"""The reviewer's commands: a workstation with its vault, what comes and goes by stick, its backup, its page."""

import os
import sys
from collections.abc import Callable
from pathlib import Path

import click

from whistle.cli import casework
from whistle.cli import passphrase as passphrases
from whistle.cli.problem import Problem
from whistle.cli.progress import Progress
from whistle.cli.unlocked import FILE, FOLDER, folder_option, plainly, say, to_option, unlocked
from whistle.protocol import age, enrolment
from whistle.protocol.errors import ProtocolError
from whistle.workstation import backup as backups
from whistle.workstation import durable, keyfile
from whistle.workstation import exchange as exchanges
from whistle.workstation.importing import import_files
from whistle.workstation.trust import read_roots
from whistle.workstation.workstation import Workstation

try:
    import resource
except ImportError:  # Windows
    resource = None  # type: ignore[assignment]

PROFILE = "WHISTLE_VAULT_PROFILE"
LABELS = {"import": "taking in", "backup": "writing the backup"}
root_option = click.option("--root", "roots", multiple=True, type=FILE, help="A root's published key, root-1.pub.")


@click.group()
def workstation() -> None:
    """Open, read and answer reports, offline."""
    if resource is not None:
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # a crash leaves no memory on the disk
    try:
        age.self_test()
    except ProtocolError as exc:
        raise Problem(str(exc), "install another version of the library `cryptography`") from exc


@workstation.command()
@folder_option
@passphrases.option
@click.option("--name", prompt="Your name, as colleagues know it", help="As the manifest will have it.")
@click.option("--role", prompt="Your role, as reporters will see it", help="As reporters will see it.")
@click.option("--language", "languages", multiple=True, default=("en",), help="A language that you read.")
@click.option("--public", type=click.Path(path_type=Path, dir_okay=False), help="Where to write the file for root.")
@click.option("--backup", "backup_to", type=FOLDER, help="Where to write the backup; asked for otherwise.")
@click.option("--no-backup", is_flag=True, help="Make no backup now. Without one a broken disk loses everything.")
@root_option
@plainly
def init(
    folder: Path,
    passphrase_fd: int | None,
    name: str,
    role: str,
    languages: tuple[str, ...],
    public: Path | None,
    backup_to: Path | None,
    no_backup: bool,
    roots: tuple[Path, ...],
) -> None:
    """Make a workstation: a vault, keys for six quarters, a backup, and a public file for root."""
    pinned = read_roots(roots)
    secret = passphrases.ask(passphrase_fd, "A new passphrase, six words or more", new=True)
    profile = os.environ.get(PROFILE, "standard")
    station = Workstation.create(folder, secret, name=name, role=role, languages=languages, profile=profile)
    try:
        if pinned:
            click.echo(f"The roots' digits: {station.trust.pin(pinned)}")
            click.echo("Compare them with whoever keeps the root, aloud.")
        _write_public(station, public or Path(f"{station.signing.public.key_id.hex()}.reviewer"))
        if not no_backup:
            to = backup_to or Path(click.prompt("A folder for the backup, on another disk", err=True))
            _backup(station, to, secret)
    finally:
        station.close()


@workstation.command()
@unlocked
@click.option("--to", "path", required=True, type=click.Path(path_type=Path, dir_okay=False), help="The file to write.")
def public(station: Workstation, path: Path) -> None:
    """Write the public file for root again, with keys for five quarters ahead."""
    new = station.renew()
    if new:
        click.echo(f"{new} new period(s) were made: make a new backup too.")
    _write_public(station, path)


@workstation.command("import")
@unlocked
@click.argument("place", type=click.Path(path_type=Path, exists=True))
@root_option
def import_(station: Workstation, place: Path, roots: tuple[Path, ...]) -> None:
    """Take in a bundle: a FILE, or all that lies on a stick."""
    _pin(station, roots)
    result = import_files(station, exchanges.parts(place), _progress("import"))
    say(result.lines())


@workstation.command()
@unlocked
@click.argument("stick", type=FOLDER)
@root_option
def exchange(station: Workstation, stick: Path, roots: tuple[Path, ...]) -> None:
    """Take in what lies on STICK, and write on it what is to go."""
    _pin(station, roots)
    say(exchanges.exchange(station, stick, _progress("import")).lines())
    click.echo("You may remove the stick.")


@workstation.command()
@folder_option
@passphrases.option
@to_option
@plainly
def backup(folder: Path, passphrase_fd: int | None, to: Path) -> None:
    """Write a backup that stock `age`, `jq` and `tar` can open, locked with the same passphrase."""
    secret = passphrases.ask(passphrase_fd)
    station = Workstation.open(folder, secret)
    try:
        _backup(station, to, secret)
    finally:
        station.close()


@workstation.command()
@folder_option
@passphrases.option
@click.argument("source", type=FOLDER, metavar="BACKUP")
@plainly
def restore(folder: Path, passphrase_fd: int | None, source: Path) -> None:
    """Make a workstation again from a BACKUP, locked with the same passphrase."""
    secret = passphrases.ask(passphrase_fd)
    backups.restore(source, folder, secret, secret, os.environ.get(PROFILE, "standard")).close()
    click.echo("Restored. Exchange a stick with the courier to get what came since.")


@workstation.command()
@unlocked
@click.option("--accept", is_flag=True, help="Believe today's date, after a day on which the clock was wrong.")
def clock(station: Workstation, accept: bool) -> None:
    """Show the day by this computer's clock, and the latest on which the vault was used."""
    if accept:
        station.trust.accept_clock()
    click.echo(f"Today is {station.today()}; the vault was last used on {station.trust.seen_day()}.")


@workstation.command("open")
@unlocked
@click.argument("stick", type=FOLDER, required=False)
@click.option("--port", type=click.IntRange(0, 65535), default=0, help="The port on 127.0.0.1; any free one otherwise.")
@click.option("--saved", type=FOLDER, help="Where saved files go; ~/Whistle otherwise.")
@click.option("--courier", type=FOLDER, help="Connected: a courier's folder; this computer goes to the server itself.")
@click.option("--browser/--no-browser", default=True, help="Show the page in the browser.")
@root_option
def open_(
    station: Workstation,
    stick: Path | None,
    port: int,
    saved: Path | None,
    courier: Path | None,
    browser: bool,
    roots: tuple[Path, ...],
) -> None:
    """Unlock the vault and show a local page; Ctrl-C locks it again. STICK is where the stick is mounted."""
    from whistle.workstation import serving  # Flask is loaded only for the page

    _pin(station, roots)
    server, address = serving.serve(station, stick, port, saved, courier)
    click.echo(f"The workstation is open: {address}")
    click.echo("Ctrl-C locks it.")
    if browser and sys.stdout.isatty():
        click.launch(address)
    try:
        server.serve_forever()  # Ctrl-C ends it
    finally:
        server.server_close()
        station.close()
        click.echo("Locked.")


def _pin(station: Workstation, roots: tuple[Path, ...]) -> None:
    if roots:
        click.echo(f"The roots' digits: {station.trust.pin(read_roots(roots))}")


def _write_public(station: Workstation, path: Path) -> None:
    data = station.public_file()
    durable.write(path.absolute(), data, 0o644)
    click.echo(f"Your digits: {enrolment.digits(data)}")
    click.echo(f"Hand {path} to the root keeper, who compares them.")


def _backup(station: Workstation, to: Path, secret: str) -> None:
    cheap = os.environ.get(PROFILE) == "test"
    log_n = keyfile.CHEAP_LOG_N if cheap else keyfile.LOG_N
    folder = backups.write(station, to, secret, log_n, _progress("backup"))
    click.echo(f"The backup lies in {folder}. Keep it apart from this computer.")


def _progress(step: str) -> Callable[[int, int], None]:
    shown = Progress(LABELS)
    return lambda done, total: shown(step, done, total)


for each in casework.COMMANDS:
    workstation.add_command(each)
