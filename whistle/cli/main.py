"""The command ``whistle``: a group of commands for each actor, loaded only when it is used."""

import contextlib
import importlib
import io
import sys

import click

from whistle import __version__, hardening
from whistle.cli import errors
from whistle.cli.errors import Problem

ACTORS = {
    "demo": "everything on this machine, to try it",
    "ceremony": "a new organisation, step by step",
    "root": "root keys and the manifest",
    "workstation": "open, read and answer reports, offline",
    "courier": "carry sealed bundles between server and stick",
    "server": "the server that reporters meet",
    "reporter": "seal a report on your own device, read replies",
}

UNIX = frozenset({"fcntl", "grp", "pwd", "resource"})  # modules that Windows has not


class Actors(click.Group):
    """Loads ``whistle.cli.<actor>`` and takes from it the command of the same name."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The actors, in the order in which a newcomer needs them."""
        return list(ACTORS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The actor's command, or None if there is no such actor."""
        if cmd_name not in ACTORS:
            return None
        try:
            command = getattr(importlib.import_module(f"whistle.cli.{cmd_name}"), cmd_name)
        except ModuleNotFoundError as error:
            if error.name not in UNIX:
                raise
            raise Problem(
                f"whistle {cmd_name} needs Linux or another Unix, since it runs a server",
                "run it there; on this computer these work: whistle workstation, courier, reporter, root",
            ) from error
        assert isinstance(command, click.Command)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the actors without loading any of them."""
        with formatter.section("Commands"):
            formatter.write_dl(list(ACTORS.items()))


@click.command(cls=Actors, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="whistle")
def cli() -> None:
    """Anonymous reporting with end-to-end encryption."""


def main(arguments: list[str] | None = None) -> None:
    """Run the command line; exit with 0, 1 for a refused or failed action, 2 for wrong usage."""
    hardening.no_memory_on_disk()
    hardening.lock_memory()
    try:
        cli.main(arguments, prog_name="whistle", standalone_mode=False)
    except click.exceptions.Abort:
        errors.stopped().show()
        sys.exit(1)
    except Problem as problem:
        problem.show()
        sys.exit(problem.exit_code)
    except click.exceptions.NoArgsIsHelpError as asked:
        asked.show()
        sys.exit(asked.exit_code)
    except click.ClickException as error:
        command = error.ctx.command_path if isinstance(error, click.UsageError) and error.ctx else "whistle"
        Problem(error.format_message().rstrip("."), f"see what it takes: {command} --help").show()
        sys.exit(error.exit_code)
    except click.exceptions.Exit as done:
        sys.exit(done.exit_code)
    except OSError as error:
        errors.failed(error).show()
        sys.exit(1)


def workstation() -> None:
    """What a double click starts: the workstation's page in a window; what goes wrong is shown in one too."""
    told = io.StringIO()
    try:
        with contextlib.redirect_stderr(told):
            main(["workstation", "open", "--window"])
    except SystemExit as end:
        if end.code:
            _show_problem(told.getvalue())
        raise
    except Exception as exc:  # its text may quote a message
        _show_problem(f"whistle: error: something went wrong here: {type(exc).__name__}")
        sys.exit(1)


def _show_problem(told: str) -> None:
    from whistle.local_page import problem

    lines = [line.partition("error: ")[2] or line.partition("hint: ")[2] for line in told.splitlines()]
    problem.show([line for line in lines if line] or ["Whistle could not be started."], click.launch)
