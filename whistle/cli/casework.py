"""The reviewer's commands on one case: show it, answer, say where it stands, let somebody in, take it out."""

import datetime
import mimetypes
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import click

from whistle.cli.problem import Problem
from whistle.cli.unlocked import FILE, say, to_option, unlocked
from whistle.protocol.strangers import plain
from whistle.workstation import cases as case_list
from whistle.workstation import exporting, outbox, record, writing
from whistle.workstation.cases import Case
from whistle.workstation.workstation import Workstation
from whistle.workstation.writing import Upload

attach_option = click.option("--attach", "attached", multiple=True, type=FILE, help="A file to send with it.")
text_option = click.option(
    "--text-file", type=click.File("r", encoding="utf-8"), default="-", help="Where the text is; else standard input."
)


@click.command()
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


@click.command()
@unlocked
@click.argument("case")
def show(station: Workstation, case: str) -> None:
    """Show a CASE, named by its reference or the beginning of that."""
    found = case_list.find(station, case)
    say(record.lines(station, found))
    case_list.mark_read(station, found)


@click.command()
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


@click.command()
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


@click.command()
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
    """State where a CASE stands; what is not named stays as it was."""
    found = case_list.find(station, case)
    old = found.standing
    day = deadline.date() if deadline else old.deadline if old else None
    claimed = station.me if claim else old.claimed if old else ""
    kept = labels or (old.labels if old else ())
    writing.status(station, found, state, labels=kept, deadline=day, claimed=claimed, text=reason)
    click.echo("Signed and sealed for those who read the case.")


@click.command()
@unlocked
@click.argument("case")
@click.argument("reviewer")
@click.option("--reason", default="", help="Why; the readers see it.")
def grant(station: Workstation, case: str, reviewer: str, reason: str) -> None:
    """Let REVIEWER into a CASE, with all that was said so far."""
    writing.grant(station, case_list.find(station, case), reviewer, reason)
    click.echo(f"{reviewer} will read the case after the next exchange.")


@click.group()
def attachments() -> None:
    """The files that came with a case."""


@attachments.command()
@unlocked
@click.argument("case")
@to_option
def save(station: Workstation, case: str, to: Path) -> None:
    """Save all files of a CASE. They leave the vault: mind where."""
    saved, failed = exporting.save_all(station, case_list.find(station, case), to)
    say([f"Saved: {plain(path.name)}" for path in saved])
    if failed:
        raise Problem(f"{len(failed)} file(s) could not be saved: {failed[0]}", "import the next stick and try again")


@click.command()
@unlocked
@click.argument("case")
@to_option
def export(station: Workstation, case: str, to: Path) -> None:
    """Write a CASE as a text with its files. It leaves the vault: mind where."""
    found: Case = case_list.find(station, case)
    folder, failed = exporting.export(station, found, to)
    click.echo(f"Written to {folder}")
    if failed:
        raise Problem(
            f"{len(failed)} file(s) could not be saved: {failed[0]}",
            "import the next stick, then export to another folder",
        )


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


COMMANDS = (cases, show, reply, note, status, grant, attachments, export)
