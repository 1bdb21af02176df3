"""The root keeper's commands, for an offline machine: make a root's key, sign the manifest, show it."""

import datetime
import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from whistle.ceremony import organisation
from whistle.ceremony import root as roots
from whistle.ceremony.root import Draft, Keys
from whistle.cli import passphrase
from whistle.cli.errors import Problem
from whistle.cli.prompts import Day, Id, OwnedFile, Pair, Weekdays
from whistle.protocol.case.message import MAX_SLOTS
from whistle.protocol.errors import ProtocolError
from whistle.protocol.trust import enrolment, manifest
from whistle.protocol.trust.enrolment import CourierKey, ReviewerKeys
from whistle.protocol.trust.minisign import SecretKey
from whistle.protocol.untrusted_text import one_line

F = TypeVar("F", bound=Callable[..., Any])
E = TypeVar("E", ReviewerKeys, CourierKey)
SLOTS = click.IntRange(2, MAX_SLOTS)
FILE = click.Path(path_type=Path, exists=True, dir_okay=False)

key_option = click.option(
    "--key",
    type=click.Path(path_type=Path, dir_okay=False),
    default="root.key",
    show_default=True,
    help="The key file.",
)
keys_option = click.option(
    "--keys",
    type=click.Path(path_type=Path, file_okay=False),
    default="keys",
    show_default=True,
    help="The folder of what is published.",
)


@click.group()
def root() -> None:
    """Root keys and the manifest: the signed list of who may read."""


def translate_errors(command: F) -> F:
    """Turn root's errors into Problems."""

    @functools.wraps(command)
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        try:
            return command(*args, **kwargs)
        except roots.RootError as exc:
            raise Problem(str(exc), exc.hint) from exc

    return wrapped  # type: ignore[return-value]


@root.command()
@key_option
@keys_option
@passphrase.option
@translate_errors
def init(key: Path, keys: Path, passphrase_fd: int | None) -> None:
    """Make a root: a key file for its keeper, a public key to publish. Run again for a second and third keeper."""
    if key.exists():
        raise Problem("there is a key file already", "name another with --key")
    published = Keys.read(keys)
    secret = SecretKey.generate()
    sealed = roots.key_file(secret, passphrase.ask_new(passphrase_fd, "A passphrase for the root's key"))
    public = published.add_root(secret.public)
    roots.write_secret(key, sealed)
    click.echo(f"The key file: {key}. Keep it offline, and a copy of it in another place.")
    click.echo(f"The public key: {public}.")
    click.echo(f"The roots' digits, to print and to compare: {manifest.fingerprint(Keys.read(keys).roots)}")


@root.command()
@key_option
@keys_option
@click.option("--reviewer", "reviewers", multiple=True, type=FILE, help="A reviewer's public file, new or renewed.")
@click.option("--roll", "rolled", multiple=True, type=Pair(), help="A FILE of new keys of the reviewer with this id.")
@click.option(
    "--retire",
    "retired",
    multiple=True,
    type=Id(),
    help="A reviewer to whom nothing more is sealed; their courier is dismissed with them.",
)
@click.option("--namesakes", is_flag=True, help="A new reviewer with a known name or role is somebody else.")
@click.option(
    "--courier",
    "couriers",
    multiple=True,
    type=OwnedFile(),
    help="A courier's public file; with =REVIEWER, that of this reviewer, which goes when they are retired.",
)
@click.option("--dismiss", "dismissed", multiple=True, type=Id(), help="A courier who carries nothing more.")
@click.option("--organisation", "decisions", type=FILE, help="A TOML file: channels, collection days, recovery.")
@click.option("--channel", "channels", multiple=True, type=Pair(), help="Who reads a channel: ID=READER,…")
@click.option("--collection", type=Weekdays(), help="Days of the week on which a courier comes: monday,thursday.")
@click.option("--slots", type=SLOTS, default=roots.SLOTS, show_default=True, help="In the first only.")
@click.option("--from", "begins", type=Day(), help="The first day; today unless given, or that of a later one.")
@click.option("--days", type=click.IntRange(1, manifest.MAX_DAYS), default=manifest.MAX_DAYS, show_default=True)
@click.option("--stick", type=click.Path(path_type=Path, file_okay=False, exists=True), help="Also into its outbox.")
@click.option("--yes", is_flag=True, help="All digits were compared already.")
@passphrase.option
@translate_errors
def sign(key: Path, keys: Path, begins: datetime.date | None, days: int, stick: Path | None, **options: Any) -> None:
    """Draft the next manifest, show it, and sign it once all digits were compared."""
    published = Keys.read(keys)
    if not published.roots:
        raise Problem("there is no root in this folder", "make one with: whistle root init")
    draft = Draft(published.manifests, options["slots"], options["namesakes"])
    first = begins or max([_today(), *(signed.manifest.begins for signed in published.manifests)])
    _people(draft, first, options)
    _channels(draft, options)
    data = draft.encode(first, first + datetime.timedelta(days=days))
    _show(manifest.parse(data))
    if not options["yes"]:
        click.confirm("Were all digits compared aloud, and is this the list to sign?", abort=True, err=True)
    secret = roots.read_key_file(_key_bytes(key), passphrase.ask(options["passphrase_fd"], "The root's passphrase"))
    signed = published.sign(data, secret)
    click.echo(f"Signed manifest {signed.manifest.serial}: {keys / roots.NEWEST} and its signature.")
    for warning in roots.warnings(signed, signed.manifest.begins):
        click.echo(f"Warning: {warning}")
    if stick:
        click.echo(f"For the courier: {roots.write_outbox(stick, Keys.read(keys), _today())}.")


@root.command()
@keys_option
@translate_errors
def show(keys: Path) -> None:
    """The roots' digits, the newest manifest, and what needs to be seen to."""
    published = Keys.read(keys)
    if not published.roots:
        raise Problem("there is no root in this folder", "make one with: whistle root init")
    click.echo(f"The roots' digits: {manifest.fingerprint(published.roots)}")
    if published.newest is None:
        click.echo("No manifest was signed yet.")
        return
    _show(published.newest.manifest)
    for warning in roots.warnings(published.newest, _today()):
        click.echo(f"Warning: {warning}")


def _people(draft: Draft, day: datetime.date, options: dict[str, Any]) -> None:
    for path in options["reviewers"]:
        _digits(path, draft.enrol(_public(path, ReviewerKeys)))
    for id, value in options["rolled"]:
        _digits(Path(value), draft.roll(id, _public(Path(value), ReviewerKeys), day))
    for path, reviewer in options["couriers"]:
        _digits(path, draft.admit(_public(path, CourierKey), reviewer=reviewer))
    for id in options["dismissed"]:
        draft.dismiss(id)
    _retire(draft, options["retired"])


def _retire(draft: Draft, ids: tuple[str, ...]) -> None:
    for id in ids:
        gone = draft.retire(id)
        carried = f", and the courier {', '.join(gone)} is dismissed with them" if gone else ""
        click.echo(f"{id} is retired{carried}.")
    unknown = [courier.id for courier in draft.couriers.values() if not courier.reviewer]
    if ids and unknown:
        click.echo(f"Whose courier is not said: {', '.join(unknown)}. If one was theirs, sign again with --dismiss ID.")


def _channels(draft: Draft, options: dict[str, Any]) -> None:
    if options["decisions"]:
        organisation.read(options["decisions"]).apply(draft)
    for id, value in options["channels"]:
        organisation.set_readers(draft, id, [reader.strip() for reader in value.split(",")])
    if options["collection"]:
        draft.collection = options["collection"]


def _today() -> datetime.date:
    return datetime.datetime.now(datetime.UTC).date()


def _public(path: Path, kind: type[E]) -> E:
    try:
        public = enrolment.read(path.read_bytes())
    except (ProtocolError, OSError) as exc:
        raise Problem(f"{path.name} is no public file, or it is damaged", "ask for it again; sign nothing yet") from exc
    if not isinstance(public, kind):
        raise Problem(f"{path.name} is another kind of public file", "--reviewer for reviewers, --courier for couriers")
    return public


def _digits(path: Path, id: str) -> None:
    click.echo(f"{id}: {enrolment.digits(path.read_bytes())}  ({path.name})")


def _key_bytes(key: Path) -> bytes:
    try:
        return key.read_bytes()
    except OSError as exc:
        raise Problem("the root's key file cannot be read", "name it with --key") from exc


def _show(shown: manifest.Manifest) -> None:
    click.echo(f"Manifest {shown.serial}, from {shown.begins} to {shown.expires}, {shown.slots} slots.")
    for channel in shown.channels:
        click.echo(f"  channel {channel.id}: {', '.join(channel.readers)} ({channel.workstation})")
    for reviewer in shown.reviewers:
        state = "retired" if reviewer.retired else f"keys until {max(p.last for p in reviewer.recipients)}"
        click.echo(f"  reviewer {reviewer.id}: {one_line(reviewer.name)}, {one_line(reviewer.role)}; {state}")
    if shown.recovery:
        click.echo(f"  recovery: {one_line(shown.recovery.name)}")
    for courier in shown.couriers:
        whose = f"; {courier.reviewer}'s" if courier.reviewer else ""
        click.echo(f"  courier {courier.id}: {one_line(courier.name)}{whose}")
    click.echo(f"  collection: {', '.join(shown.collection) or 'no fixed days'}")
