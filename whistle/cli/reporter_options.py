"""Options of the reporter's commands: the server's address, a proxy, the roots to trust, and the language."""

import datetime
import functools
import itertools
import os
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import click

from whistle.cli import prompts
from whistle.cli.errors import Problem, Say, WrongUsage, english, failed, stopped
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
    "Whoever controls the server could show another key, and read what you send.",
    "Compare these digits with those that the organisation shows elsewhere: on paper, or told by somebody you know.",
)
NO_PROXY = "No --proxy: the server and the network can see where you are."
SPOKEN = "whistle.language"  # in the context's meta
LANGUAGE = "The language that you read and write; that of this computer unless given."
F = TypeVar("F", bound=Callable[..., Any])
Trust = Callable[[manifests.Get], tuple[PublicKey, ...]]


def own_language() -> str:
    """The language of the group's option, or of this computer."""
    return str(click.get_current_context().meta[SPOKEN])


def checked_language(ctx: click.Context, param: click.Parameter, value: str | None) -> str | None:
    """The code of a language, if one is given; that of the report may be another one than Whistle has."""
    try:
        return value and str(schema.identifier(value))
    except Malformed as exc:
        raise click.BadParameter("a language is a code like en or ar") from exc


def spoken(domain: str = catalogues.REPORTER) -> Translation:
    """What a reporter reads, in the language that was asked for, or in English."""
    return catalogues.load(negotiate([(own_language(), 1.0)], _languages()), domain)


def saying() -> Say:
    """What gives texts that stand in English in the code in that language.

    A value that is an exception is said in that language too, if it is known there.
    """
    t = spoken(catalogues.COMMAND)

    def say(text: str, **values: object) -> str:
        values = {name: say(str(each)) if isinstance(each, Exception) else each for name, each in values.items()}
        key = catalogues.key_of(text, catalogues.COMMAND)
        return t.text(key, None, **values) if key else english(text, **values)

    return say


def _asked_for(arguments: Sequence[str]) -> str:
    """The language of the option wherever it stands, so that help and errors are in it too, or of this computer."""
    given = [value for name, value in itertools.pairwise(arguments) if name == "--language"]
    given += [each.partition("=")[2] for each in arguments if each.startswith("--language=")]
    named = next(filter(None, map(os.environ.get, ("LC_ALL", "LC_MESSAGES", "LANG"))), "")
    here = negotiate([(re.split("[.@]", named)[0].replace("_", "-"), 1.0)], _languages())
    return next(iter(given), here)


def _languages() -> list[str]:
    """Those that Whistle has, English first."""
    return sorted(catalogues.files(catalogues.COMMAND), key=lambda code: (code != catalogues.ENGLISH, code))


@contextmanager
def _errors_said() -> Iterator[None]:
    """Errors in the language that was asked for, those of click too."""
    say = saying()
    try:
        yield
    except click.exceptions.NoArgsIsHelpError:
        raise
    except Problem as exc:
        raise exc.said(say) from exc
    except click.UsageError as exc:
        raise _wrong(exc).said(say) from exc
    except click.exceptions.Abort as exc:
        raise stopped().said(say) from exc
    except OSError as exc:
        raise failed(exc).said(say) from exc


def _wrong(error: click.UsageError) -> WrongUsage:
    """What was mistyped; what was given beyond that is not told, as it may be words or text."""
    command = error.ctx.command_path if error.ctx else "whistle reporter"
    told, why, values = "{why}", click.ClickException(error.message), ""
    name = error.param.get_error_hint(error.ctx) if isinstance(error, click.BadParameter) and error.param else ""
    if isinstance(error, click.NoSuchOption):
        told, name = "there is no option {name}", error.option_name
    elif isinstance(error, click.exceptions.NoSuchCommand):
        told = "there is no such command"
    elif isinstance(error, click.MissingParameter):
        told = "{name} is missing"
    elif isinstance(error, click.BadParameter):
        kind = error.param.type if error.param else None
        told = "{name}: {why}"
        if isinstance(kind, click.Path):
            told = "{name} names what is not there, or cannot be read"
        elif isinstance(kind, click.Choice):
            told, values = "{name} takes: {values}", ", ".join(map(str, kind.choices))
    elif isinstance(error, click.BadOptionUsage):
        told, name = "{name} takes a value, or takes none", error.option_name
    elif error.message.startswith("Got unexpected extra"):
        told = "more was given than this command takes"
    return WrongUsage(told, "see what it takes: {command} --help", name=name, why=why, values=values, command=command)


class Spoken(click.Command):
    """A command whose help is in the language that was asked for."""

    def format_usage(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The line of usage."""
        pieces = " ".join(self.collect_usage_pieces(ctx))
        formatter.write_usage(ctx.command_path, pieces, prefix=f"{saying()('Usage:')} ")

    def format_help_text(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """What it is for, each paragraph translated."""
        formatter.write_paragraph()
        with formatter.indentation():
            formatter.write_text("\n\n".join(map(saying(), paragraphs(self))))

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Its options."""
        say, rows = saying(), list[tuple[str, str]]()
        for option in (param for param in self.get_params(ctx) if isinstance(param, click.Option)):
            if record := option.get_help_record(ctx):
                rows.append((record[0], say(option.help or "") + f" [{say('required')}]" * option.required))
        with formatter.section(say("Options")):
            formatter.write_dl(rows)


class SpokenGroup(Spoken, click.Group):
    """A group of such commands; their errors are in that language too."""

    command_class = Spoken

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Parse its own options."""
        ctx.meta[SPOKEN] = _asked_for(args)
        with _errors_said():
            return super().parse_args(ctx, args)

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command."""
        with _errors_said():
            return super().invoke(ctx)

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Its options, and its commands with the first paragraph of each."""
        super().format_options(ctx, formatter)
        say = saying()
        with formatter.section(say("Commands")):
            formatter.write_dl([(name, say(paragraphs(each)[0])) for name, each in self.commands.items()])


def paragraphs(command: click.Command) -> list[str]:
    """The paragraphs of a command's English help, a line each."""
    return [" ".join(each.split()) for each in (command.help or "").split("\n\n")]


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
            told = "The list of readers should have been renewed by {day}."
            click.echo(saying()(told, day=signed.manifest.expires), err=True)
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
            message, hint = exc.texts
            raise Problem(message, hint, **exc.values) from exc
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
        say = saying()
        with closing(Link(Server(server, proxy), functools.partial(_waits, say))) as link:
            if not proxy:
                click.echo(say(NO_PROXY), err=True)
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
    say = saying()
    reason = _said(say, error)
    click.echo(say("{reason}. Nothing is lost as long as this window stays open.", reason=reason), err=True)
    return click.confirm(spoken().text("command.again"), default=True, err=True)


def _compared(get: manifests.Get) -> tuple[PublicKey, ...]:
    """The published roots, after somebody has compared their digits."""
    say, roots = saying(), manifests.offered(get)
    click.echo(say("The list of readers is signed by a key with these digits:"), err=True)
    click.echo(f"  {manifest.fingerprint(roots)}", err=True)
    for line in UNPINNED:
        click.echo(say(line), err=True)
    if not prompts.at_a_terminal():
        raise Problem("nobody compared the digits of the root", "give --digits, or --root with the key's file")
    if not click.confirm(say("Are they the same?"), default=False, err=True):
        raise Problem("the digits are not the same, or were not compared", manifests.SUSPECT)
    return roots


def _waits(say: Say, error: ReporterError, seconds: int) -> None:
    click.echo(say("{reason}; trying again in {seconds} s.", reason=_said(say, error), seconds=seconds), err=True)


def _said(say: Say, error: ReporterError) -> str:
    return prompts.first_capital(say(error.texts[0], **error.values))
