"""Options of the reporter's commands: the server's address, a proxy, the roots to trust; and its errors as Problems."""

import datetime
import functools
import os
import re
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import click

from whistle.cli import prompts
from whistle.cli.errors import Problem
from whistle.protocol import schema
from whistle.protocol.errors import Malformed
from whistle.protocol.reporter import compose
from whistle.protocol.reporter.compose import Writer
from whistle.protocol.trust import manifest
from whistle.protocol.trust.manifest_chain import ManifestChain
from whistle.protocol.trust.minisign import PublicKey
from whistle.reporter import SEALED, Api, Away, Link, ReporterError, Server, manifests
from whistle.translations import catalogues
from whistle.translations.negotiation import negotiate
from whistle.translations.translation import Translation

FILE = click.Path(path_type=Path, exists=True, dir_okay=False)
REFUSED = {
    compose.Empty: ("there is neither text nor a file", "write something, or name a file"),
    compose.HoldsWords: (
        "the text holds twelve secret words: whoever reads it could read your replies",
        "take them out; nothing was sent",
    ),
    compose.HoldsSealedReport: (
        "this is a sealed report, or a part of one: nothing was sent",
        "paste it whole into the form of the page, or attach it as a file if it is something else",
    ),
    compose.NobodyLeft: (
        "nobody is left who could read it",
        "leave out fewer people, or turn to another place",
    ),
    compose.TooLong: ("this is too long for one message", "send the text as a file, or leave out fewer people"),
}
UNPINNED = (
    "Whoever controls the server could show another key, and read what you send.\n"
    "Compare these digits with those that the organisation shows elsewhere: on paper, or told by somebody you know."
)
LANGUAGE = "The language that you read and write; that of this computer unless given."
SPOKEN = "whistle.language"  # in the context's meta
F = TypeVar("F", bound=Callable[..., Any])
Trust = Callable[[manifests.Get], tuple[PublicKey, ...]]


def own_language() -> str:
    """The language of this computer's settings, English if Whistle does not have it."""
    named = next(filter(None, map(os.environ.get, ("LC_ALL", "LC_MESSAGES", "LANG"))), "")
    return negotiate([(re.split("[.@]", named)[0].replace("_", "-"), 1.0)], _languages())


def checked_language(ctx: click.Context, param: click.Parameter, value: str) -> str:
    """The code of a language, which is kept for `spoken`."""
    try:
        ctx.meta[SPOKEN] = str(schema.identifier(value))
    except Malformed as exc:
        raise click.BadParameter("a language is a code like en or ar") from exc
    return str(ctx.meta[SPOKEN])


def spoken() -> Translation:
    """What a reporter reads, in the language of the command's option, or in English."""
    code = str(click.get_current_context().meta[SPOKEN])
    return catalogues.load(negotiate([(code, 1.0)], _languages()))


def _languages() -> list[str]:
    """Those that Whistle has, English first."""
    return sorted(catalogues.shipped(), key=lambda code: (code != catalogues.ENGLISH, code))


def today() -> datetime.date:
    """The UTC day by this computer's clock."""
    return datetime.datetime.now(datetime.UTC).date()


@dataclass(frozen=True)
class Instance:
    """An instance as its trusted manifests describe it, on a day."""

    manifests: ManifestChain
    day: datetime.date

    @functools.cached_property
    def writer(self) -> Writer:
        """The writer that seals for today's readers.  Raises ReporterError if no manifest allows sealing."""
        signed = manifests.sealing(self.manifests, self.day)
        if signed.manifest.standing(self.day) == "grace":
            click.echo(f"The list of readers should have been renewed by {signed.manifest.expires}.", err=True)
        return Writer(signed, self.day, SEALED)


def read_instance(get: manifests.Get, trust: Trust) -> Instance:
    """Fetch the manifests and verify them against the roots from the options.  Raises ReporterError, Problem."""
    day = today()
    return Instance(manifests.succession(get, trust(get), day), day)


def translate_errors(command: F) -> F:
    """Turn the reporter's errors into Problems."""

    @functools.wraps(command)
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        try:
            return command(*args, **kwargs)
        except ReporterError as exc:
            raise Problem(str(exc), exc.hint) from exc
        except compose.Refused as exc:
            raise Problem(*REFUSED[type(exc)]) from exc

    return wrapped  # type: ignore[return-value]


def with_server(command: Callable[..., Any]) -> Any:
    """Add the options for a server to a command, which gets an Api as its first argument."""

    @click.option("--server", required=True, metavar="URL", help="The server's address.")
    @click.option("--proxy", metavar="URL", help="SOCKS proxy; socks5h://127.0.0.1:9050 is Tor's usual one.")
    @translate_errors
    @functools.wraps(command)
    def wrapped(server: str, proxy: str | None, *args: Any, **kwargs: Any) -> Any:
        with closing(Link(Server(server, proxy), _waits)) as link:
            if not proxy:
                click.echo("No --proxy: the server and the network can see where you are.", err=True)
            return command(Api(link), *args, **kwargs)

    return wrapped


def pinned(command: Callable[..., Any]) -> Any:
    """Add the options for roots to a command, which gets `trust`, a function that returns the roots."""

    @click.option("--root", "roots", multiple=True, type=FILE, help="A root's published key, root-1.pub.")
    @click.option("--digits", metavar="DIGITS", help="The digits of the roots, as the organisation shows them.")
    @functools.wraps(command)
    def wrapped(*args: Any, roots: tuple[Path, ...], digits: str | None, **kwargs: Any) -> Any:
        def trust(get: manifests.Get) -> tuple[PublicKey, ...]:
            if roots:
                return tuple(manifests.root(path.read_bytes()) for path in roots)
            return manifests.pinned_by(digits, get) if digits else _compared(get)

        return command(*args, trust=trust, **kwargs)

    return wrapped


def ask_again(error: Away) -> bool:
    """Ask at the terminal whether to try again after many attempts; what was typed is still there."""
    if not prompts.at_a_terminal():
        return False
    click.echo(f"{str(error).capitalize()}. Nothing is lost as long as this window stays open.", err=True)
    return click.confirm("Try again?", default=True, err=True)


def _compared(get: manifests.Get) -> tuple[PublicKey, ...]:
    """The published roots, after somebody has compared their digits."""
    roots = manifests.offered(get)
    click.echo(f"The list of readers is signed by a key with these digits:\n  {manifest.fingerprint(roots)}", err=True)
    click.echo(UNPINNED, err=True)
    if not prompts.at_a_terminal():
        raise Problem("nobody compared the digits of the root", "give --digits, or --root with the key's file")
    if not click.confirm("Are they the same?", default=False, err=True):
        raise Problem("the digits are not the same, or were not compared", manifests.SUSPECT)
    return roots


def _waits(error: ReporterError, seconds: int) -> None:
    click.echo(f"{str(error).capitalize()}; trying again in {seconds} s.", err=True)
