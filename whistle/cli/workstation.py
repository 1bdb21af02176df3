"""The reviewer's commands: make a workstation, exchange with sticks, back up and restore, open the local page."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import click

from whistle.cli import case, prompts
from whistle.cli import passphrase as passphrases
from whistle.cli.errors import Problem
from whistle.cli.progress import Progress
from whistle.cli.workstation_options import (
    ANYTHING,
    FILE,
    FOLDER,
    NEW_FILE,
    folder_option,
    opened,
    say,
    tell,
    translate_errors,
    with_workstation,
)
from whistle.local_page import window
from whistle.local_page.window import BROWSER, NOTHING, WINDOW
from whistle.protocol import age
from whistle.protocol.errors import ProtocolError
from whistle.protocol.trust import enrolment
from whistle.workstation import backup as backups
from whistle.workstation import files
from whistle.workstation.care import check_ins
from whistle.workstation.cases import overview
from whistle.workstation.duties import calendar_file, office, plan, templates
from whistle.workstation.errors import WorkstationError
from whistle.workstation.exchange import exchange as exchanges
from whistle.workstation.exchange.batches import Imported
from whistle.workstation.exchange.imports import import_files
from whistle.workstation.profile import check_profile
from whistle.workstation.tray import tray
from whistle.workstation.trust import read_roots
from whistle.workstation.vault import check as checks
from whistle.workstation.vault import keyfile
from whistle.workstation.vault.storage import Vault
from whistle.workstation.workstation import Workstation

PROFILE = "WHISTLE_VAULT_PROFILE"
LABELS = {
    "import": "taking in",
    "backup": "writing the backup",
    "try": "trying the backup",
    "restore": "restoring",
    "check": "checking",
}
root_option = click.option(
    "--root", "roots", multiple=True, type=FILE, help="A root's published key, root-1.pub; once for each root."
)


@click.group()
def workstation() -> None:
    """Open, read and answer reports, offline."""
    try:
        age.self_test()
    except ProtocolError as exc:
        raise Problem(str(exc), "install another version of the library `cryptography`") from exc


@workstation.command()
@folder_option
@passphrases.option
@click.option("--name", help="Your name, as colleagues know it. It is published. Asked for otherwise.")
@click.option("--role", help="Your role, as reporters will see it. It is published. Asked for otherwise.")
@click.option("--language", "languages", multiple=True, default=("en",), help="A code like en; once for each you read.")
@click.option(
    "--public", type=NEW_FILE, help="Where to write the file for root; KEY.reviewer in this folder otherwise."
)
@click.option("--backup", "backup_to", type=FOLDER, help="Where to write the backup; asked for otherwise.")
@click.option("--no-backup", is_flag=True, help="Make no backup now. Without one a broken disk loses everything.")
@root_option
@translate_errors
def init(
    folder: Path,
    passphrase_fd: int | None,
    name: str | None,
    role: str | None,
    languages: tuple[str, ...],
    public: Path | None,
    backup_to: Path | None,
    no_backup: bool,
    roots: tuple[Path, ...],
) -> None:
    """Make a workstation.

    It gets a vault, keys for six quarters, a backup, and a public file for root.
    """
    Vault.free(folder)
    pinned = read_roots(roots)
    name = name or prompts.prompt(prompts.NAME, prompts.name)
    role = role or prompts.prompt(prompts.ROLE, prompts.name)
    if not no_backup:
        backup_to = backup_to or Path(click.prompt("A folder for the backup, on another disk", err=True))
    profile = os.environ.get(PROFILE, "standard")
    check_profile(name, role, languages)
    try:
        languages = prompts.languages(" ".join(languages))
    except ValueError as exc:
        raise Problem("these are no languages for the manifest", str(exc)) from exc
    secret = passphrases.ask_new(passphrase_fd, "A new passphrase, six words or more")
    station = Workstation.create(folder, secret, name=name, role=role, languages=languages, profile=profile)
    try:
        if profile != "standard":
            click.echo(f"This vault is for tests only: its passphrase is cheap to guess ({PROFILE}).", err=True)
        if pinned:
            click.echo(f"The roots' digits: {station.trust.pin(pinned)}")
            click.echo("Compare them with whoever keeps the root, aloud.")
        with _after_all("its public file", "`whistle workstation public --to FILE` writes it"):
            _write_public(station, public or Path(f"{station.signing.public.key_id.hex()}.reviewer"))
        if backup_to is not None:
            with _after_all(
                "its backup", "`whistle workstation backup --to FOLDER` makes it; do so before anything else"
            ):
                _backup(station, backup_to, secret)
    finally:
        station.close()


@contextmanager
def _after_all(what: str, hint: str) -> Iterator[None]:
    """Report what is missing, since the new workstation exists and cannot be made again."""
    try:
        yield
    except WorkstationError as exc:
        raise Problem(f"the workstation is made, but not {what}: {exc.message}", hint) from exc


@workstation.command()
@with_workstation
@click.option("--to", "path", required=True, type=NEW_FILE, help="The file to write.")
def public(station: Workstation, path: Path) -> None:
    """Write the public file for root again.

    It holds keys for this quarter and five ahead.
    """
    new = station.renew()
    if new:
        click.echo(f"{new} new period(s) were made: make a new backup too.")
    _write_public(station, path)


@workstation.command("import")
@with_workstation
@click.argument("place", type=ANYTHING)
@root_option
def import_(station: Workstation, place: Path, roots: tuple[Path, ...]) -> None:
    """Take in a bundle: a FILE, or all that lies on a stick."""
    _pin(station, roots)
    result = import_files(station, exchanges.parts(place), _progress("import"))
    say(result.lines())
    _refuse_altered(result)


@workstation.command()
@with_workstation
@click.argument("stick", type=FOLDER, required=False)
@root_option
def exchange(station: Workstation, stick: Path | None, roots: tuple[Path, ...]) -> None:
    """Take in what lies on STICK, and write on it what is to go."""
    _pin(station, roots)
    stick = stick or prompts.stick(station.vault.folder)
    done = exchanges.exchange(station, stick, _progress("import"))
    prompts.flush(stick)
    say([*done.lines(), "You may remove the stick."])
    _refuse_altered(done.imported)


@workstation.command()
@folder_option
@passphrases.option
@click.option("--to", type=FOLDER, help="The stick or folder to write into; that of the last time otherwise.")
@click.option("--fresh", is_flag=True, help="Start anew: write all of it again, then remove what was there before.")
@translate_errors
def backup(folder: Path, passphrase_fd: int | None, to: Path | None, fresh: bool) -> None:
    """Make a backup, or bring an earlier one up to date.

    It lies in the folder `whistle-backup` of the stick or folder. Only what is new is written; until all of that is
    there, the backup before stays whole. Stock `age`, `tar` and `jq` open it with the passphrase of the vault.
    """
    with opened(folder, passphrase_fd) as (station, secret):
        _backup(station, to or backups.only(station), secret, fresh)


@workstation.command("try-backup")
@folder_option
@passphrases.option
@click.argument("source", type=FOLDER, metavar="BACKUP")
@translate_errors
def try_backup(folder: Path, passphrase_fd: int | None, source: Path) -> None:
    """Say whether a BACKUP would bring this workstation back.

    It is restored into a temporary vault under a key that nobody keeps, compared with this one, and removed.
    """
    with opened(folder, passphrase_fd) as (station, secret):
        tried = backups.try_backup(station, source, secret, _progress("try"))
    if not tried.works:
        raise Problem(tried.lines()[0], "write all of it again: whistle workstation backup --fresh --to FOLDER")
    say(tried.lines())


@workstation.command()
@folder_option
@passphrases.option
@click.argument("source", type=FOLDER, metavar="BACKUP")
@click.option("--partly", is_flag=True, help="Restore what is left of a damaged backup.")
@translate_errors
def restore(folder: Path, passphrase_fd: int | None, source: Path, partly: bool) -> None:
    """Bring a workstation back from a BACKUP.

    The passphrase is that of the backup, and locks the new vault too.
    """
    Vault.free(folder)
    secret = passphrases.ask(passphrase_fd, "The passphrase of the backup")
    profile, progress = os.environ.get(PROFILE, "standard"), _progress("restore")
    lacks = (lambda lacking: say(lacking.lines())) if partly else None
    backups.restore(source, folder, secret, secret, profile, partly=lacks, progress=progress).close()
    click.echo("Restored. Exchange a stick that the courier fills from today on: before that, nothing can be written.")


@workstation.command()
@with_workstation
@click.option("--accept", is_flag=True, help="Believe today's date, after a day on which the clock was wrong.")
def clock(station: Workstation, accept: bool) -> None:
    """Show or accept this computer's date.

    Nothing is signed while it is before the latest day on which the vault was used.
    """
    if accept:
        station.trust.accept_clock()
    click.echo(f"Today is {station.today()}; the vault was last used on {station.trust.seen_day()}.")


@workstation.command()
@with_workstation
def check(station: Workstation) -> None:
    """Say whether everything is there and whole.

    It reads the database, every message and every piece of a file, and names what lacks its other half.
    """
    found = checks.faults(station, _progress("check"))
    say(found)
    if found:
        raise Problem("not all of this workstation is whole", "restore the newest backup into a new folder")
    click.echo("Everything is there and whole.")


@workstation.command()
@with_workstation
@click.option("--weeks", type=click.IntRange(1, 60), default=plan.WEEKS, help="How far to look ahead; 2.")
@click.option("--calendar", type=NEW_FILE, help="Write a calendar file, .ics, that says only that something is due.")
@click.option("--named", is_flag=True, help="The calendar file says what is due too, with references.")
@click.option("--acknowledge", is_flag=True, help="Acknowledge all that is new, each in its reporter's language.")
@click.option("--check-in", "ask", is_flag=True, help="Ask all reporters how they are for whom that is due.")
def duties(station: Workstation, weeks: int, calendar: Path | None, named: bool, acknowledge: bool, ask: bool) -> None:
    """List what is due, late first, or acknowledge all that is new, or ask reporters how they are.

    Clocks, holidays and absence are set on the page: `whistle workstation open`.
    """
    found, today, clocks = plan.due(station), station.today(), office.of(station)
    if acknowledge:
        _acknowledge(station, plan.to_acknowledge(found))
        return
    if ask:
        prepared = check_ins.prepare(station, plan.to_check_in(found, today))
        say([*prepared.left, f"In the tray: the check-in of {prepared.done} case(s). They go with the next exchange."])
        return
    if calendar is not None:
        count = calendar_file.write(calendar.absolute(), found, today, named)
        click.echo(f"Written to {calendar}: {count} {'duties' if named else 'days'}.")
        return
    for each in plan.until(found, today, weeks):
        why = office.reason(clocks, each.what, each.day)
        early = f"; do it by {each.by}: {why}" if why and each.day >= today else ""
        when = f"by {each.day}, {plan.left(each, today)}{early}"
        click.echo("  ".join(filter(None, [each.reference, when, plan.to_do(each), each.title])))
    if not plan.until(found, today, weeks):
        click.echo(f"Nothing is due within {weeks} week(s).")


def _acknowledge(station: Workstation, cases: list[str]) -> None:
    done, texts = 0, templates.all_of(station)
    for id in cases:
        case = overview.load(station, id)
        try:
            language = templates.language_for(station, case.report.language if case.report else "")
            text = texts.get((templates.ACKNOWLEDGEMENT, language), "")
            filled = templates.fill(station, case, text, language)
            tray.reply(station, case, filled, (), templates.ACKNOWLEDGEMENT, follow=False)
            done += 1
        except WorkstationError as exc:
            click.echo(f"Not acknowledged: {case.reference}: {exc.message}.")
    click.echo(f"In the tray: the acknowledgement of {done} case(s). They go with the next exchange.")


@workstation.command("open")
@folder_option
@passphrases.option
@click.argument("stick", type=FOLDER, required=False)
@click.option("--port", type=click.IntRange(0, 65535), default=0, help="The port on 127.0.0.1; any free one otherwise.")
@click.option("--saved", type=FOLDER, help="Where saved files go; ~/Whistle otherwise.")
@click.option("--courier", type=FOLDER, help="Connected: a courier's folder; this computer goes to the server itself.")
@click.option("--every", type=click.IntRange(1, 60), default=5, metavar="MINUTES", help="Connected: how often; 5.")
@click.option("--window", "how", flag_value=WINDOW, help="Show it in a window, else in the browser; so at a terminal.")
@click.option("--browser", "how", flag_value=BROWSER, help="Show it in the browser.")
@click.option("--no-browser", "how", flag_value=NOTHING, help="Only say where it is.")
@click.option("--idle", type=click.IntRange(1, 1440), default=15, metavar="MINUTES", help="Lock after so long; 15.")
@root_option
@translate_errors
def open_(
    folder: Path,
    passphrase_fd: int | None,
    stick: Path | None,
    port: int,
    saved: Path | None,
    courier: Path | None,
    every: int,
    how: str | None,
    idle: int,
    roots: tuple[Path, ...],
) -> None:
    """Show the workstation's page, which asks for the passphrase.

    The page is for this computer and this user alone; Ctrl-C ends and locks it, and so does closing its window. There
    is a window with whistle[window] installed. STICK is where it is mounted. With --passphrase-fd or --root the vault
    is unlocked at once. With --courier, while the page is unlocked, it looks for new messages by itself, and says in
    the page when one is urgent.
    """
    from whistle.workstation.app import local_server  # Flask is loaded only for the page

    at_once = passphrase_fd is not None or roots
    station = _unlocked(folder, passphrase_fd, roots) if at_once else folder
    try:
        server, address, desk = local_server.serve(
            station, stick, port, saved, courier, idle * 60, os.environ.get(PROFILE, "standard"), every * 60
        )
    except BaseException:
        if isinstance(station, Workstation):
            station.close()
        raise
    del station  # so that a lock leaves nothing of it
    click.echo(f"The workstation is {'open' if at_once else 'locked; unlock it in its page'}: {address}")
    click.echo("Ctrl-C ends and locks it.")
    try:
        window.serve(server, address, how or (WINDOW if prompts.is_shown() else NOTHING), click.launch)
    finally:
        server.server_close()
        desk.close()
        click.echo("Locked.")


def _unlocked(folder: Path, descriptor: int | None, roots: tuple[Path, ...]) -> Workstation:
    Vault.check(folder)
    station = Workstation.open(folder, passphrases.ask(descriptor))
    try:
        _pin(station, roots)
        tell(station)
    except BaseException:
        station.close()
        raise
    return station


def _pin(station: Workstation, roots: tuple[Path, ...]) -> None:
    if roots:
        click.echo(f"The roots' digits: {station.trust.pin(read_roots(roots))}")


def _refuse_altered(result: Imported) -> None:
    if result.altered:
        raise Problem("not all that lies there was taken", "ask the courier to write what is named above again")


def _write_public(station: Workstation, path: Path) -> None:
    data = station.public_file()
    files.write(path.absolute(), data, 0o644)
    click.echo(f"Your digits: {enrolment.digits(data)}")
    click.echo(f"Hand {path} to the root keeper, who compares them.")


def _backup(station: Workstation, to: Path, secret: str, fresh: bool = False) -> None:
    cheap = os.environ.get(PROFILE) == "test"
    log_n = keyfile.CHEAP_LOG_N if cheap else keyfile.LOG_N
    saved = backups.save(station, to, secret, log_n, fresh, _progress("backup"))
    prompts.flush(saved.folder)
    say([*saved.lines(), "Everything is written. Keep it apart from this computer; a stick may be taken out."])


def _progress(step: str) -> Callable[[int, int], None]:
    shown = Progress(LABELS)
    return lambda done, total: shown(step, done, total)


for command in case.COMMANDS:
    workstation.add_command(command)
