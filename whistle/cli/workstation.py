"""The reviewer's commands: open, read and answer reports, offline."""

import datetime
import functools
import mimetypes
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, TypeVar

import click

from whistle.cli import passphrase as passphrases
from whistle.cli.problem import Problem
from whistle.cli.progress import Progress
from whistle.protocol import enrolment
from whistle.workstation import backup as backups
from whistle.workstation import cases as case_list
from whistle.workstation import durable, exporting, keyfile, outbox, record, writing
from whistle.workstation import exchange as exchanges
from whistle.workstation.cases import Case
from whistle.workstation.errors import WorkstationError
from whistle.workstation.importing import import_files
from whistle.workstation.trust import read_roots
from whistle.workstation.workstation import Workstation
from whistle.workstation.writing import Upload

PROFILE = "WHISTLE_VAULT_PROFILE"
LABELS = {"import": "taking in", "backup": "writing the backup"}
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
root_option = click.option("--root", "roots", multiple=True, type=FILE, help="A root's published key, root-1.pub.")
attach_option = click.option("--attach", "attached", multiple=True, type=FILE, help="A file to send with it.")
to_option = click.option("--to", required=True, type=FOLDER, help="The folder to write into.")
text_option = click.option(
    "--text-file", type=click.File("r", encoding="utf-8"), default="-", help="Where the text is; else standard input."
)


@click.group()
def workstation() -> None:
    """Open, read and answer reports, offline."""


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
        for notice in station.trust.notices():
            click.echo(notice, err=True)
        yield station
    finally:
        station.close()


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
    _say(result.lines())


@workstation.command()
@unlocked
@click.argument("stick", type=FOLDER)
@root_option
def exchange(station: Workstation, stick: Path, roots: tuple[Path, ...]) -> None:
    """Take in what lies on STICK, and write on it what is to go."""
    _pin(station, roots)
    _say(exchanges.exchange(station, stick, _progress("import")).lines())
    click.echo("You may remove the stick.")


@workstation.command()
@unlocked
def cases(station: Workstation) -> None:
    """List the cases: urgent and new ones first, then by deadline."""
    for case in case_list.queue(station):
        due = f"{record.DUE[case.deadline.what]} by {case.deadline.day}" if case.deadline else "nothing due"
        new = f"{case.unread} new" if case.unread else ""
        parts = [case.reference, record.STATUS[case.status], "URGENT" if case.urgent else "", new, due]
        click.echo("  ".join(filter(None, [*parts, record.channel(station, case)])))
    if station.trust.serials():
        click.echo("Reviewers: " + ", ".join(each.id for each in station.trust.newest().manifest.active()))


@workstation.command()
@unlocked
@click.argument("case")
def show(station: Workstation, case: str) -> None:
    """Show a CASE, named by its reference or the beginning of that."""
    found = case_list.find(station, case)
    _say(record.lines(station, found))
    case_list.mark_read(station, found)


@workstation.command()
@unlocked
@click.argument("case")
@text_option
@attach_option
def reply(station: Workstation, case: str, text_file: Any, attached: tuple[Path, ...]) -> None:
    """Answer the reporter. They cannot see what they wrote: do not quote it."""
    found = case_list.find(station, case)
    with _uploads(attached) as uploads:
        writing.reply(station, found, _text(text_file), uploads)
    click.echo(f"Signed and sealed; {len(outbox.pending(station))} message(s) wait for the next exchange.")


@workstation.command()
@unlocked
@click.argument("case")
@text_option
@attach_option
def note(station: Workstation, case: str, text_file: Any, attached: tuple[Path, ...]) -> None:
    """Say something to the other readers of a CASE."""
    found = case_list.find(station, case)
    with _uploads(attached) as uploads:
        writing.note(station, found, _text(text_file), uploads)
    click.echo("Signed and sealed for those who read the case.")


@workstation.command()
@unlocked
@click.argument("case")
@click.option("--set", "state", required=True, type=click.Choice(list(record.STATUS)), help="Where the case stands.")
@click.option("--label", "labels", multiple=True, help="`urgent` puts it first.")
@click.option("--deadline", type=click.DateTime(["%Y-%m-%d"]), help="A day that you agreed on.")
@click.option("--claim", is_flag=True, help="You answer it.")
@click.option("--reason", default="", help="Why; the other readers see it.")
def status(
    station: Workstation,
    case: str,
    state: str,
    labels: tuple[str, ...],
    deadline: datetime.datetime | None,
    claim: bool,
    reason: str,
) -> None:
    """State where a CASE stands."""
    found = case_list.find(station, case)
    day = deadline.date() if deadline else None
    claimed = station.me if claim else ""
    writing.status(station, found, state, labels=labels, deadline=day, claimed=claimed, text=reason)
    click.echo("Signed and sealed for those who read the case.")


@workstation.command()
@unlocked
@click.argument("case")
@click.argument("reviewer")
@click.option("--reason", default="", help="Why; the readers see it.")
def grant(station: Workstation, case: str, reviewer: str, reason: str) -> None:
    """Let REVIEWER into a CASE, with all that was said so far."""
    writing.grant(station, case_list.find(station, case), reviewer, reason)
    click.echo(f"{reviewer} will read the case after the next exchange.")


@workstation.group()
def attachments() -> None:
    """The files that came with a case."""


@attachments.command()
@unlocked
@click.argument("case")
@to_option
def save(station: Workstation, case: str, to: Path) -> None:
    """Save all files of a CASE. They leave the vault: mind where."""
    saved, failed = exporting.save_all(station, case_list.find(station, case), to)
    _say([f"Saved: {record.plain(path.name)}" for path in saved])
    if failed:
        raise Problem(f"{len(failed)} file(s) could not be saved: {failed[0]}", "import the next stick and try again")


@workstation.command()
@unlocked
@click.argument("case")
@to_option
def export(station: Workstation, case: str, to: Path) -> None:
    """Write a CASE as a text with its files. It leaves the vault: mind where."""
    found: Case = case_list.find(station, case)
    click.echo(f"Written to {exporting.export(station, found, to).name}")


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
@click.option("--browser/--no-browser", default=True, help="Show the page in the browser.")
@root_option
def open_(
    station: Workstation, stick: Path | None, port: int, saved: Path | None, browser: bool, roots: tuple[Path, ...]
) -> None:
    """Unlock the vault and show a local page; Ctrl-C locks it again. STICK is where the stick is mounted."""
    from whistle.workstation import serving  # Flask is loaded only for the page

    _pin(station, roots)
    server, address = serving.serve(station, stick, port, saved)
    click.echo(f"The workstation is open: {address}")
    click.echo("Ctrl-C locks it.")
    if browser and sys.stdout.isatty():
        click.launch(address)
    try:
        server.serve_forever()
    except KeyboardInterrupt:
        click.echo("Locked.")
    finally:
        server.server_close()


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


def _say(lines: list[str]) -> None:
    for line in lines:
        click.echo(line)


def _text(file: Any) -> str:
    if file is sys.stdin and sys.stdin.isatty():
        click.echo("Write, then end with Ctrl-D on a line of its own.", err=True)
    text: str = file.read()
    return text.strip("\n")


@contextmanager
def _uploads(paths: tuple[Path, ...]) -> Iterator[list[Upload]]:
    with ExitStack() as stack:
        kind = mimetypes.guess_type
        yield [
            Upload(path.name, kind(path.name)[0] or "application/octet-stream", stack.enter_context(path.open("rb")))
            for path in paths
        ]
