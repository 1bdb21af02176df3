"""The operator's commands: make, run and purge the server that reporters meet."""

import contextlib
import datetime
import functools
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from whistle.cli.errors import Problem
from whistle.cli.prompts import Bind
from whistle.server.errors import BadManifest, CannotPrint, ConfigError, StartError
from whistle.store import BackupError, Check, Limits, StoreError, WrongDay

if TYPE_CHECKING:
    from whistle.server.instance import Instance

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


def translate_errors(command: F) -> F:
    """Turn the server's errors into Problems."""

    @functools.wraps(command)
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        try:
            return command(*args, **kwargs)
        except (StartError, ConfigError, CannotPrint) as error:
            raise Problem(str(error), error.hint) from error
        except BadManifest as error:
            raise Problem(str(error), "see that --keys names what the root published, whole") from error
        except BackupError as error:
            raise Problem(str(error), error.hint) from error
        except StoreError as error:
            raise Problem(str(error), "check the database's address and the disk's room") from error

    return wrapped  # type: ignore[return-value]


@server.command()
@click.argument("language")
def guidance(language: str) -> None:
    """Print the guidance that comes with Whistle, as a start for your own: FOLDER/guidance/LANGUAGE.md."""
    from whistle.server import topics

    if language not in topics.defaults():
        raise Problem(f"there is no guidance in {language}", f"choose one of {', '.join(topics.defaults())}")
    click.echo(topics.default(language), nl=False)


@server.command()
@folder_option
@click.argument("target", metavar="FOLDER", type=FOLDER)
@click.option(
    "--address",
    "addresses",
    metavar="URL",
    multiple=True,
    required=True,
    help="Where reporters go: https://…, an onion address, or both, each with --address.",
)
@click.option("--language", "languages", metavar="CODE", multiple=True, help="Only in this language, as fr.")
@click.option("--country", "countries", metavar="CODE", multiple=True, help="With its numbers to call, as FR.")
@click.option(
    "--font", "own", type=click.Path(path_type=Path, exists=True, dir_okay=False), multiple=True, help="A font's file."
)
@translate_errors
def poster(
    folder: Path,
    target: Path,
    addresses: tuple[str, ...],
    languages: tuple[str, ...],
    countries: tuple[str, ...],
    own: tuple[Path, ...],
) -> None:
    """Make posters, cards and slips to print, as PDF in FOLDER, in every language that this server offers.

    They show the address, a code to scan, the digits to compare, and the other places to turn to from whistle.toml.
    Cards are for both sides of a sheet.  Slips have lines for the twelve words, and do not say what they are for.
    """
    from whistle.server.config import Config

    try:
        from whistle.server.printing import files
    except ImportError as error:
        raise Problem("what makes PDF files is not installed", "pip install 'whistle[poster]'") from error
    try:
        made = files.make(Config.load(folder), target, addresses, languages, countries, own)
    except OSError as error:
        raise Problem("the files cannot be written", "check that you may write there, and the disk's room") from error
    for path in made:
        click.echo(path)
    click.echo("Print them on A4 in their own size; compare the digits with the root's before you hang them up.")


@server.command()
@folder_option
@click.option("--keys", type=FOLDER, help="The published folder: root-1.pub and the manifests. May come later.")
@click.option("--name", default="Whistle", show_default=True, help="The organisation's name, in English.")
@click.option("--bind", type=Bind(), default="127.0.0.1:8080", show_default=True, help="Where to listen.")
@translate_errors
def init(folder: Path, keys: Path | None, name: str, bind: str) -> None:
    """Make a server's folder, or add the first keys to one."""
    from whistle.server.config import FILE
    from whistle.server.running import setup as folders

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
@translate_errors
def run(folder: Path) -> None:
    """Serve reporters and couriers until stopped."""
    from whistle.server.running import gunicorn as running
    from whistle.server.running import housekeeping
    from whistle.server.running.socket_lock import socket_lock

    running.harden()
    config = running.check(folder)
    with _opened(folder, may_be_away=True) as instance:
        for warning in housekeeping.at_start(instance):
            click.echo(f"Warning: {warning}.")
    for caution in running.cautions(config):
        click.echo(f"Warning: {caution}.")
    with socket_lock(config.bind):
        click.echo(f"Whistle listens at {config.bind}.  Stop it with Ctrl-C.")
        running.serve(config)


@server.command()
@folder_option
@translate_errors
def purge(folder: Path) -> None:
    """Do at once what the server does each night: turn over, sweep, remove what has been kept long enough."""
    from whistle.server.running import housekeeping

    with _opened(folder) as instance:
        removed = housekeeping.clean(instance)
        _refuse_leap(instance)
        for warning in housekeeping.warnings(instance):
            click.echo(f"Warning: {warning}.")
    for day in removed:
        click.echo(f"Removed what reviewers have of {day.isoformat()}.")
    click.echo("Done.")


@server.command()
@folder_option
@click.option(
    "--accept",
    "day",
    metavar="YYYY-MM-DD",
    type=click.DateTime(["%Y-%m-%d"]),
    help="The clock is right: this is the day now, in UTC, by another calendar than this machine's.",
)
@translate_errors
def clock(folder: Path, day: datetime.datetime | None) -> None:
    """Show whether the clock is believed; accept its day after a leap.

    The server remembers the last day that it saw. Where the clock is more than two days from it, as after a holiday
    during which the server was off, or when the clock is wrong, it takes reports as ever but removes nothing until you
    accept the day. A clock that is put right needs no accepting.
    """
    with _opened(folder) as instance:
        if day is not None and instance.store.clock().leapt:
            _accept(instance, day.date())
        _refuse_leap(instance)
        now = instance.store.clock()
    seen = now.last.isoformat() if now.last else "none yet"
    click.echo(f"The clock says {now.says.isoformat()} (UTC); the last day seen is {seen}. All is well.")


@server.command()
@folder_option
@click.argument("target", metavar="FOLDER", type=FOLDER)
@translate_errors
def backup(folder: Path, target: Path) -> None:
    """Make FOLDER a backup of the server, also while it runs.

    FOLDER is empty, or holds the backup of yesterday: days that are over are written once, today's things each time.
    It holds whatever is sealed, the keys' public halves and the manifests, but not whistle.toml and the guidance.  What
    was withdrawn or removed by now is not in it any more; other copies that you make of FOLDER keep it.
    """
    from whistle.server.running import backup as backups

    with _opened(folder) as instance:
        counts = backups.save(instance, target)
    if counts.lost:
        click.echo(f"Warning: {counts.lost} blocks cannot be read.  See: whistle server check", err=True)
    click.echo(f"Backed up: {counts.envelopes} envelopes, {counts.blocks} blocks.")
    click.echo(f"{counts.kept} files were there already, {counts.written} are new.")


@server.command()
@folder_option
@click.argument("source", metavar="FOLDER", type=FOLDER)
@translate_errors
def restore(folder: Path, source: Path) -> None:
    """Fill a new server from a backup in FOLDER.

    Make the new server's folder first (whistle server init), with the same `slots`.  Whatever was withdrawn after the
    backup was made is there again, and what came after it is not.
    """
    from whistle.server.running import backup as backups
    from whistle.server.running import housekeeping
    from whistle.store import open_backup

    saved = open_backup(source)
    with _opened(folder) as instance:
        fingerprint, envelopes, blocks = backups.load(instance, saved)
        leap = housekeeping.leapt(instance.clock)
    click.echo(f"Restored: {envelopes} envelopes, {blocks} blocks.")
    if fingerprint:
        click.echo("The roots' fingerprint, to compare with whoever keeps them:")
        click.echo(f"  {fingerprint}")
    if leap:
        click.echo(f"Warning: {leap}.")
    click.echo("Next: whistle server check, then: whistle server run")


@server.command()
@folder_option
@translate_errors
def check(folder: Path) -> None:
    """Count what is stored, open nothing, and name what lacks its other half; also while the server runs.

    If a disk is nearly full, it says what has filled it.
    """
    from whistle import store
    from whistle.server.running.fullness import fullness

    with _opened(folder) as instance:
        result, full = store.check(instance.store), fullness(instance)
    click.echo(f"{result.envelopes} envelopes and {result.blocks} blocks are stored.")
    for line in full:
        click.echo(f"Warning: {line}.")
    for title, halves in _halves(result):
        click.echo(f"{title}: {len(halves)}")
        for day, name in sorted(halves, key=str)[:NAMED]:
            click.echo(f"  {day.isoformat() if day else 'of no day'} {name}")
        if len(halves) > NAMED:
            click.echo(f"  and {len(halves) - NAMED} more")
    if result.bodiless or result.blockless:
        raise Problem("something that was stored is lost", "restore the newest backup that is whole into a new folder")
    if not result.is_whole:
        raise Problem(
            "something that nobody can reach is left over",
            "whistle server purge removes such blocks; such bodies are sealed and do no harm",
        )
    click.echo("Everything has its other half.")


NAMED = 20  # of each kind


def _halves(result: Check) -> list[tuple[str, frozenset[tuple[datetime.date | None, str]]]]:
    """What lacks its other half, by kind, with a title each."""
    kinds = [
        ("Envelopes without a body", result.bodiless),
        ("Rows of blocks without a block", result.blockless),
        ("Bodies without a row", result.rowless_bodies),
        ("Blocks without a row", result.rowless_blocks),
    ]
    return [(title, halves) for title, halves in kinds if halves]


@contextlib.contextmanager
def _opened(folder: Path, may_be_away: bool = False) -> "Iterator[Instance]":
    """The server's store and manifests, in this process."""
    from whistle.server.config import Config
    from whistle.server.instance import open_instance
    from whistle.server.running import gunicorn

    gunicorn.harden()
    instance = open_instance(Config.load(folder), may_be_away=may_be_away)
    try:
        yield instance
    finally:
        instance.store.close()


def _accept(instance: "Instance", day: datetime.date) -> None:
    try:
        instance.store.accept(day)
    except WrongDay as error:
        raise Problem(
            f"{error} (UTC), not {day.isoformat()}: nothing was changed",
            "set this machine's clock right if it is wrong; a clock that is right needs no accepting",
        ) from error


def _refuse_leap(instance: "Instance") -> None:
    """Raise Problem if the clock has leapt, and print what would be removed if its day is accepted."""
    now, waiting = instance.store.clock(), instance.store.oldest_waiting()
    if not now.leapt or now.last is None:
        return
    if now.says < now.last:
        click.echo("If you accept this day, all that came after it counts for it from then on; nothing undoes that.")
    oldest = now.says - datetime.timedelta(days=Limits().reviewers)
    if waiting and waiting < oldest:
        click.echo(f"If you accept this day, what came before {oldest.isoformat()} and was never collected is removed.")
    raise Problem(
        f"the clock says {now.says.isoformat()} (UTC), the last day seen is {now.last.isoformat()}: nothing is removed",
        "if the clock is wrong, set it right; if another calendar says the same: whistle server clock --accept DAY",
    )
