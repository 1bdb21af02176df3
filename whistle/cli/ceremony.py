"""The ceremony's command: a new organisation, step by step, in one session at one terminal."""

import datetime
import os
from collections.abc import Callable
from pathlib import Path

import click

from whistle.ceremony import first_report, server_process, steps, travel
from whistle.ceremony.first_report import TrialError
from whistle.ceremony.organisation import Decisions
from whistle.ceremony.root import Keys, RootError, free_id, id_of
from whistle.ceremony.server_process import ServingError
from whistle.ceremony.steps import Layout, Person
from whistle.cli import passphrase as passphrases
from whistle.cli import prompts
from whistle.cli.errors import Problem
from whistle.courier import CourierError
from whistle.protocol.age.passphrase import LOG_N
from whistle.protocol.errors import ProtocolError
from whistle.protocol.trust import enrolment, manifest
from whistle.protocol.trust.manifest import Channel, SignedManifest
from whistle.protocol.trust.minisign import SecretKey
from whistle.server.errors import ServerError
from whistle.store import StoreError
from whistle.translations import defaults
from whistle.workstation.errors import WorkstationError
from whistle.workstation.workstation import Workstation

PROFILE = "WHISTLE_VAULT_PROFILE"  # `test` makes keys that are cheap to guess
CHEAP_LOG_N = 8
FIRST = "first"  # the workstation's folder is called after it
RENEW = datetime.timedelta(days=25)  # before the manifest's end
STEPS = 7
BEGIN = """
This makes a new organisation in the folder {folder}, on this machine, in {steps} steps. Be alone and offline for it,
but for the trial, which runs a server for a moment. Have pen and paper: there are two passphrases to choose, and
digits to write down. Whatever goes wrong, remove the folder and begin again.
"""
END = """
Done. What to do next:

  1. Print the roots' digits and hang them where people will see them:
     {digits}
  2. {root}: {root_copy}
     It signs who may read; it is not needed until {renew}, when the next manifest has to be signed: whistle root sign
     Once two copies lie in other places, remove it from this machine.
  3. {workstation}: {backup}
  4. {server}: move the whole folder to the machine that will serve, read its whistle.toml, and start it there:
     whistle server run --folder {server}
     {courier}: the whole folder goes to the courier's machine. When the server's address is known, there:
     whistle courier move --folder {courier} --server https://…
     {keys}: publish root-1.pub, which others pin; it goes to every reviewer's and courier's machine.
  5. Read reports: whistle workstation open --folder {workstation} {stick}
     Carry: whistle courier exchange --folder {courier} {stick}
     The trial report waits there under {reference}; close it.
  6. More reviewers: whistle workstation init on their machines, then
     whistle root sign --key {root} --keys {keys} --reviewer FILE --channel {channel}={reader},…
"""


@click.command()
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False))
@click.option("--port", type=click.IntRange(1, 65535), default=8080, show_default=True, help="For the trial.")
def ceremony(folder: Path, port: int) -> None:
    """Lead through a new organisation in FOLDER: root, workstation, courier, manifest, server, first trial report."""
    if folder.exists():
        raise Problem("this folder exists already", "name one that does not; nothing in it was touched")
    try:
        _lead(folder, port, os.environ.get(PROFILE, "standard"))
    except (RootError, ServingError, TrialError, CourierError, WorkstationError) as exc:
        raise Problem(str(exc), exc.hint or "remove the folder and begin again") from exc
    except (ServerError, StoreError, ProtocolError) as exc:
        raise Problem(str(exc), "remove the folder and begin again") from exc


def _lead(folder: Path, port: int, profile: str) -> None:
    server_process.check_free(port, "--port")
    layout = steps.Layout(folder)
    click.echo(BEGIN.format(folder=folder, steps=STEPS).strip())
    log_n = LOG_N if profile == "standard" else CHEAP_LOG_N
    root_passphrase, secret = _root(layout, log_n)
    passphrase, person, public = _workstation(layout, root_passphrase, profile)
    _step(3, "The courier: it carries what it cannot open.")
    name = prompts.prompt("What the published manifest calls the courier", prompts.name, "Courier")
    carrier = steps.make_courier(layout, f"http://{server_process.HOST}:{port}", name)
    _step(4, "The manifest: the signed list of who may read what.")
    decisions = _decisions(person)
    carries = _carries(decisions)
    _compare(public, carrier)
    signed = steps.sign(layout, secret, [public, carrier], decisions, _today(), carries=carries)
    click.echo(f"Signed manifest {signed.manifest.serial}, until {signed.manifest.expires}.")
    _step(5, "The server: what reporters will meet.")
    steps.make_server(layout, prompts.prompt("The organisation's name, as reporters know it", prompts.sentence), port)
    _step(6, "A trial report: sealed, carried, opened.")
    reference = _try(layout, port, signed, passphrase)
    click.echo("It came through: sealed here, carried by the courier, opened in the vault.")
    _step(7, "What must travel: the root's key, and a backup of the vault.")
    click.echo(_what_next(layout, signed, reference, _copies(layout, passphrase, log_n)))


def _root(layout: Layout, log_n: int) -> tuple[str, SecretKey]:
    _step(1, "The root: the key that signs who may read.")
    passphrase = passphrases.ask_new(None, "A passphrase for the root")
    secret = steps.make_root(layout, passphrase, log_n)
    digits = manifest.fingerprint(Keys.read(layout.keys).roots)
    click.echo(f"The roots' digits. Write them down: {digits}")
    return passphrase, secret


def _workstation(layout: Layout, root_passphrase: str, profile: str) -> tuple[str, Person, bytes]:
    _step(2, "The workstation: where reports are read.")
    person, passphrase = _person(root_passphrase)
    station = steps.make_workstation(layout, FIRST, person, passphrase, profile)
    try:
        return passphrase, person, station.public_file()
    finally:
        station.close()


def _try(layout: Layout, port: int, signed: SignedManifest, passphrase: str) -> str:
    with server_process.serving(layout.server, port) as url:
        case = first_report.report(url, signed, signed.manifest.channels[0].id, _today())
        return first_report.fetch(layout, FIRST, passphrase, case)


def _copies(layout: Layout, passphrase: str, log_n: int) -> dict[str, str]:
    """Copy the root's key and a backup to other disks, and compare; returns the closing lines on both."""

    def back_up(folder: Path) -> Path:
        station = Workstation.open(layout.workstation(FIRST), passphrase)
        try:
            return travel.back_up(station, folder, passphrase, log_n)
        finally:
            station.close()

    def root_to(folder: Path) -> Path:
        return travel.copy(layout.root, folder)

    root = _copied("A folder on a stick for a copy of the root's key", layout, root_to)
    backup = _copied("A folder on another disk for a backup of the vault", layout, back_up)
    how = f"whistle workstation backup --folder {layout.workstation(FIRST)} --to …"
    return {
        "root_copy": f"copied to {root} and compared; keep it apart" if root else "copy it to a stick of its own.",
        "backup": f"its backup lies in {backup}, and its keys were opened." if backup else f"make a backup: {how}",
    }


def _copied(question: str, layout: Layout, copy: Callable[[Path], Path]) -> Path | None:
    """Ask for a folder until a copy into it succeeds; None if it is left for later."""
    while typed := click.prompt(f"{question} (Enter: later)", default="", show_default=False, err=True).strip():
        try:
            path = copy(_elsewhere(Path(typed).expanduser(), layout))
        except (RootError, WorkstationError) as exc:
            click.echo(f"Sorry: {exc}; {exc.hint}.", err=True)
        except (OSError, RuntimeError):  # an unknown home, no permission, a name that is too long
            click.echo("Sorry: this folder cannot be used; check the name, and that you may write there.", err=True)
        else:
            click.echo(f"Copied and compared: {path}")
            return path
    return None


def _elsewhere(folder: Path, layout: Layout) -> Path:
    """The folder, unless it is in the ceremony's own, whose parts go to other machines.  Raises RootError."""
    if folder.resolve().is_relative_to(layout.folder.resolve()):
        raise RootError("this folder is part of the new organisation's", "name one on a stick, or on another disk")
    return folder


def _what_next(layout: Layout, signed: SignedManifest, reference: str, copies: dict[str, str]) -> str:
    channel = signed.manifest.channels[0]
    return END.format(
        digits=manifest.fingerprint(Keys.read(layout.keys).roots),
        renew=signed.manifest.expires - RENEW,
        reference=reference,
        channel=channel.id,
        reader=channel.readers[0],
        workstation=layout.workstation(FIRST),
        **copies,
        **{name: getattr(layout, name) for name in ("root", "keys", "courier", "server", "stick")},
    )


def _person(root_passphrase: str) -> tuple[Person, str]:
    name = prompts.prompt(prompts.NAME, prompts.name)
    role = prompts.prompt(prompts.ROLE, prompts.name)
    languages = prompts.prompt("Languages that you read, by their codes", prompts.languages, "en")
    passphrase = passphrases.ask_new(None, "A passphrase for the vault, another one")
    while passphrase == root_passphrase:
        click.echo("That is the root's. Whoever learned one would have both.")
        passphrase = passphrases.ask_new(None, "A passphrase for the vault, another one")
    return Person(name, role, languages), passphrase


def _decisions(person: Person) -> Decisions:
    title = prompts.prompt("A first channel: what reports are about, as reporters see it", prompts.sentence, "Reports")
    language = person.languages[0]
    usual = defaults.texts(defaults.PURPOSE, defaults.name_of(defaults.TITLE, title)).get(language)
    purpose = prompts.prompt("One sentence on what belongs there, as reporters see it", prompts.sentence, usual)
    online = click.confirm("Will reports be read on a computer that is online? Reporters are told", err=True)
    days = prompts.prompt("Days on which a courier comes", prompts.weekdays, "monday thursday")
    titles = defaults.in_languages(defaults.TITLE, title, language)
    purposes = defaults.in_languages(defaults.PURPOSE, purpose, language)
    workstation = "connected" if online else "offline"
    channel = Channel(id_of(title, "reports"), titles, purposes, (free_id(person.role),), workstation)
    return Decisions((channel,), days)


def _carries(decisions: Decisions) -> str:
    """The id of the reviewer who owns the courier; empty if somebody else does."""
    (channel,) = decisions.channels
    question = "Is the courier this reviewer's own? If the reviewer is retired one day, it is dismissed with them"
    return channel.readers[0] if click.confirm(question, default=channel.workstation == "connected", err=True) else ""


def _compare(*files: bytes) -> None:
    click.echo("These are the digits of what will be listed. With several people in the room, each compares their own:")
    for data, whose in zip(files, ("reviewer", "courier"), strict=True):
        click.echo(f"  {whose}: {enrolment.digits(data)}")
    click.confirm("Are they right?", abort=True, err=True)


def _step(number: int, what: str) -> None:
    click.echo()
    click.secho(f"{number} of {STEPS}  {what}", bold=True)


def _today() -> datetime.date:
    return datetime.datetime.now(datetime.UTC).date()
