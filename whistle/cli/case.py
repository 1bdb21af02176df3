"""The reviewer's commands on cases: show, reply, note, status, grant, save and export."""

import datetime
import mimetypes
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, BinaryIO

import click

from whistle.cli.errors import Problem
from whistle.cli.workstation_options import FILE, say, to_option, with_workstation
from whistle.protocol.case.message import CHECK_IN, MARKS
from whistle.protocol.untrusted_text import one_line, plain, quoted
from whistle.workstation.cases import case_export, case_list, compose, overview, transcript
from whistle.workstation.cases.case_list import Filter
from whistle.workstation.cases.overview import Case
from whistle.workstation.cases.sealed_files import Upload
from whistle.workstation.duties import templates
from whistle.workstation.exchange import deliveries, outbox
from whistle.workstation.language import t
from whistle.workstation.tray import tray
from whistle.workstation.vault import removal
from whistle.workstation.workstation import Workstation

NEITHER = "neither"
LET_IN = (
    "will read all of this case from the next exchange on: the report, its files, every reply and every note so far, "
    "and what comes later. The reporter is told who they are."
)
AGAIN = "gets all of this case once more with the next exchange."
TEXT = click.File("r", encoding="utf-8")
case_argument = click.argument("reference", metavar="CASE")
attach_option = click.option(
    "--attach", "attached", multiple=True, type=FILE, help="A file to send with it; once for each file."
)
text_option = click.option("--text-file", type=TEXT, default="-", help="Where the text is; standard input otherwise.")
reason_option = click.option(  # not the reason itself: every user of a computer can read the arguments of a program
    "--reason-file", type=TEXT, help="Where it says why, for those who read the case; - is standard input."
)

yes_option = click.option("--yes", is_flag=True, help="Do not ask.")


@click.command()
@click.option("--muted", is_flag=True, help="Those that were muted in the page, instead of the others.")
@with_workstation
def cases(station: Workstation, muted: bool) -> None:
    """List the cases, those that want something first.

    Closed ones to which the reporter wrote again stand first, then urgent ones, then those that are new or unanswered,
    then the others, each by what is due; other closed ones last.
    """
    for case in case_list.rows(station, kept=Filter(muted=muted))[0]:
        due = "; ".join(map(transcript.due, case.deadlines)) or "nothing due"
        new = f"{case.unread} new" if case.unread else ""
        marks = ["URGENT" if case.urgent else "", t("transcript.reopened").upper() if case.reopened else ""]
        parts = [case.reference, transcript.status(case.status), *marks, new, due]
        click.echo("  ".join(filter(None, [*parts, transcript.channel_title(station, case.channel), case.title])))
    if not muted and (hidden := case_list.counts(station, muted=True)).cases:
        click.echo(f"Muted: {hidden.cases}, with something new: {hidden.unread}; `whistle workstation cases --muted`")
    if station.trust.serials():
        click.echo("Reviewers: " + ", ".join(each.id for each in station.trust.newest().manifest.active()))


@click.command()
@with_workstation
@case_argument
def show(station: Workstation, reference: str) -> None:
    """Show a CASE.

    It is named by its reference or the beginning of that, here and everywhere.
    """
    case = overview.find(station, reference)
    say(transcript.lines(station, case))
    overview.mark_read(station, case)


@click.command()
@with_workstation
@case_argument
@text_option
@attach_option
@click.option(
    "--as",
    "counts",
    type=click.Choice([*MARKS, CHECK_IN, NEITHER]),
    help="What it counts as once it is delivered; the first reply of a case acknowledges unless you say otherwise.",
)
def reply(station: Workstation, reference: str, text_file: Any, attached: tuple[Path, ...], counts: str | None) -> None:
    """Answer the reporter.

    They cannot see what they wrote: do not quote it. Feedback tells what was done or is planned, and why; it fulfils
    the duty of the three months, and acknowledges too.
    """
    case = overview.find(station, reference)
    mark = compose.usual_mark(case) if counts is None else counts.replace(NEITHER, "")
    with _uploads(attached) as uploads:
        number = tray.reply(station, case, _text(text_file), uploads, mark)
    _in_tray(number, f" as {mark}" if mark else "")


@click.command("text")
@with_workstation
@case_argument
@click.argument("name", required=False)
def text_(station: Workstation, reference: str, name: str | None) -> None:
    """Print a text to begin a reply with, filled in as far as the CASE tells; without a NAME, list the texts.

    Fill in what is left in curly brackets, then send it: `whistle workstation reply CASE --text-file FILE`.
    """
    case = overview.find(station, reference)
    if name is None:
        say([f"{each}  {occasion}" for _, some in templates.offered(station, case) for each, occasion in some])
        return
    begun = templates.begun(station, case, name, {})
    if not begun:
        raise Problem("there is no text of this name", "`whistle workstation text CASE` lists them")
    click.echo(begun["text"])


@click.command()
@with_workstation
@case_argument
@text_option
@attach_option
def note(station: Workstation, reference: str, text_file: Any, attached: tuple[Path, ...]) -> None:
    """Say something to the other readers."""
    case = overview.find(station, reference)
    with _uploads(attached) as uploads:
        number = tray.note(station, case, _text(text_file), uploads)
    _in_tray(number)


@click.command()
@with_workstation
@case_argument
@click.option(
    "--set", "state", required=True, type=click.Choice(list(transcript.STATUS)), help="Where the case stands."
)
@click.option("--label", "labels", multiple=True, help="`urgent` puts it first; once for each label.")
@click.option("--deadline", type=click.DateTime(["%Y-%m-%d"]), metavar="DAY", help="An agreed day, such as 2026-12-31.")
@click.option("--claim", is_flag=True, help="You answer it.")
@reason_option
@yes_option
def status(
    station: Workstation,
    reference: str,
    state: str,
    labels: tuple[str, ...],
    deadline: datetime.datetime | None,
    claim: bool,
    reason_file: Any,
    yes: bool,
) -> None:
    """State where a CASE stands, once that is confirmed.

    What is not named stays as it was.
    """
    case = overview.find(station, reference)
    old = case.standing
    day = deadline.date() if deadline else old.deadline if old else None
    answers = tray.answered_by(station, case)
    claimed = station.me if claim or (tray.claims(station, case.id) and not answers) else answers
    kept = labels or case.stated
    said: dict[str, Any] = {"labels": kept, "deadline": day, "claimed": claimed, "text": _text(reason_file)}
    whole = compose.unsigned_status(station, case, state, **said)
    say(["Those who read the case will see, and the reporter will not:", *quoted(transcript.stated(whole))])
    _confirm(f"State this of case {case.reference}?", yes)
    _in_tray(tray.status(station, case, state, **said))


@click.command()
@with_workstation
@case_argument
@click.argument("reviewer")
@click.option("--again", is_flag=True, help="To somebody who reads it already: send all of it again.")
@reason_option
@yes_option
def grant(station: Workstation, reference: str, reviewer: str, again: bool, reason_file: Any, yes: bool) -> None:
    """Let REVIEWER into a CASE, once that is confirmed.

    They can then read all that was said so far, and the reporter sees who they are. With --again, send all of it to
    somebody who reads the case already and asks for it, since a message of it has not come there.
    """
    case, reason = overview.find(station, reference), _text(reason_file)
    compose.check_grant(station, case, reviewer, again)
    whom = transcript.person(station, reviewer)
    click.echo(f"{whom} {AGAIN if again else LET_IN} Once that has been carried, it cannot be undone.")
    _confirm(f"Send all of case {case.reference} again?" if again else f"Let {whom} into case {case.reference}?", yes)
    _in_tray(tray.grant(station, case, reviewer, reason, again))


@click.command("tray")
@with_workstation
@click.argument("number", type=int, required=False)
@click.option("--take-back", is_flag=True, help="Remove NUMBER: nothing of it is left.")
@click.option("--text-file", type=TEXT, help="Where NUMBER's new text is; - is standard input.")
@click.option("--go", is_flag=True, help="NUMBER goes with the next exchange as it is, though it waits for your word.")
@click.option("--set-aside", is_flag=True, help="No exchange tries NUMBER any more; it is kept as it is.")
@click.option("--put-back", is_flag=True, help="NUMBER, which was set aside, waits for the next exchange again.")
def tray_(station: Workstation, number: int | None, text_file: Any, **chosen: bool) -> None:
    """Show what waits for the next exchange, unsigned: all of it, or NUMBER.

    Until then it can be changed or taken back; what was carried cannot.
    """
    asked = [name for name, is_set in chosen.items() if is_set] + (["change"] if text_file else [])
    if len(asked) > 1:
        raise click.UsageError("one thing at a time")
    if number is None:
        if asked:
            raise Problem("the number is missing", "`whistle workstation tray` lists what is in the tray")
        found = [*tray.items(station), *tray.items(station, aside=True)]
        say([line for each in found for line in transcript.tray_lines(station, each)] or ["The tray is empty."])
        if stuck := len({*outbox.stuck(station), *outbox.torn(station)}):
            click.echo(f"Stuck, and signed already: {stuck}. `whistle workstation sent CASE --again` sends them again,")
            click.echo("`whistle workstation sent CASE --set-aside` gives them up.")
        return
    _with_item(station, number, asked[0] if asked else "", text_file)


def _with_item(station: Workstation, number: int, what: str, text_file: Any) -> None:
    """Do this with NUMBER in the tray, or show it."""
    if what == "take_back":
        say([f"Taken back: {transcript.waiting(station, tray.take_back(station, number))}."])
    elif what == "set_aside":
        tray.set_aside(station, number)
        click.echo("Set aside: no exchange tries it. `whistle workstation tray` shows it, --put-back has it go again.")
    elif what == "change":
        tray.change(station, number, _text(text_file))
        _in_tray(number)
    elif what:
        {"go": tray.release, "put_back": tray.put_back}[what](station, number)
        _in_tray(number)
    else:
        say(transcript.tray_lines(station, tray.item(station, number)))


@click.command("sent")
@with_workstation
@click.argument("case", required=False)
@click.option("--again", is_flag=True, help="Send them again: those of CASE, or all that are not confirmed.")
@click.option("--set-aside", is_flag=True, help="Give up what of CASE cannot go; colleagues still get their copy.")
def sent_(station: Workstation, case: str | None, again: bool, set_aside: bool) -> None:
    """Show what a courier says was delivered, in a CASE or in all.

    Nobody but the courier says so, and a copy that came back shows only that no accident happened. When a reporter
    says that no answer came, send it again: a server that has it changes nothing.
    """
    if set_aside:
        _give_up(station, case)
        return
    searched = [overview.find(station, case)] if case else overview.queue(station)
    delivered = deliveries.all_of(station)
    chosen = [(each, entry) for each in searched for entry in each.entries if entry.signed.hash in delivered]
    if not again:
        for of, entry in chosen:
            words = delivered[entry.signed.hash].words(station.today())
            click.echo(f"{of.reference}  {entry.content.kind} of {entry.arrived}: {words}")
        if not chosen:
            click.echo("No courier has said of anything that it was delivered.")
        return
    whole = [entry.signed.hash for _, entry in chosen if not delivered[entry.signed.hash].aside]
    hashes = [hash for hash in whole if case or delivered[hash].missed(station.today())]
    stuck = [hash for of in searched if case for hash in _of(station, of, outbox.stuck, outbox.set_aside)]
    for hash in stuck:
        compose.send_again(station, hash, insist=True)
    count = outbox.send_again(station, hashes)
    if stuck:
        click.echo(f"{len(stuck)} message(s) that were stuck go again, signed for the next place.")
    click.echo(f"{count} message(s) go again; {len(outbox.pending(station))} wait for the next exchange.")
    if count < len(hashes):
        raise Problem(f"{len(hashes) - count} message(s) are not here any more", "write the reply anew")


@click.group()
def attachments() -> None:
    """The files that came with a case."""


@attachments.command()
@with_workstation
@case_argument
@to_option
def save(station: Workstation, reference: str, to: Path) -> None:
    """Save all files of a CASE.

    They leave the vault: mind where.  An ending that a double click may run gets `.unsafe` behind it.
    """
    saved, failed = case_export.save_all(station, overview.find(station, reference), to)
    say([f"Saved: {plain(path.name)}" for path in saved])
    if failed:
        raise Problem(f"{len(failed)} file(s) could not be saved: {failed[0]}", "import the next stick and try again")


@click.command()
@with_workstation
@case_argument
@to_option
def export(station: Workstation, reference: str, to: Path) -> None:
    """Write a CASE as a text with its files.

    It leaves the vault: mind where.
    """
    case: Case = overview.find(station, reference)
    folder, failed = case_export.export(station, case, to)
    click.echo(f"Written to {folder}")
    if failed:
        raise Problem(
            f"{len(failed)} file(s) could not be saved: {failed[0]}",
            "import the next stick, then export to another folder",
        )


@click.command()
@with_workstation
@case_argument
@yes_option
def delete(station: Workstation, reference: str, yes: bool) -> None:
    """Delete a closed CASE from this vault, for good.

    Colleagues keep theirs; each backup does until the next one is made in its place.
    """
    case = overview.find(station, reference)
    removal.check(station, case)
    _confirm(f"Delete case {case.reference} with its {len(case.entries)} message(s)?", yes)
    removal.remove(station, case)
    click.echo(f"Deleted. Each backup still holds case {case.reference} until the next one is made in its place.")


def _of(station: Workstation, case: Case, *kinds: Callable[[Workstation], list[str]]) -> list[str]:
    found = dict.fromkeys(hash for kind in kinds for hash in kind(station))
    return [hash for hash in found if station.message(hash).message.case == case.id]


def _give_up(station: Workstation, named: str | None) -> None:
    if named is None:
        raise Problem("the case is missing", "say which: whistle workstation sent CASE --set-aside")
    hashes = _of(station, overview.find(station, named), outbox.stuck, outbox.torn)
    for hash in hashes:
        outbox.put_aside(station, hash)
    click.echo(f"{len(hashes)} message(s) set aside. Their text stays in the case; colleagues get their copy.")


def _confirm(question: str, yes: bool) -> None:
    if not yes:
        click.confirm(question, abort=True, err=True)


def _in_tray(number: int, how: str = "") -> None:
    click.echo(f"In the tray{how}, number {number}: the next exchange signs, seals and carries it. Until then")
    click.echo("`whistle workstation tray` shows it and takes it back.")


def _text(file: Any) -> str:
    if file is None:
        return ""
    if file.isatty():
        click.echo("Write, then end with Ctrl-D on a line of its own.", err=True)
    text: str = file.read()
    return text.strip("\n")


@contextmanager
def _uploads(paths: tuple[Path, ...]) -> Iterator[list[Upload]]:
    with ExitStack() as stack:
        yield [Upload(path.name, _type(path), stack.enter_context(_opened(path))) for path in paths]


def _opened(path: Path) -> BinaryIO:
    if not path.is_file():
        raise Problem(f"{one_line(path.name)} is no file that can be sent", "save it as a file first")
    try:
        return path.open("rb")
    except OSError as exc:
        raise Problem(f"{one_line(path.name)} cannot be read: {exc.strerror}", "nothing was signed") from exc


def _type(path: Path) -> str:
    return mimetypes.guess_type(path.name)[0] or "application/octet-stream"


COMMANDS = (cases, show, reply, text_, note, status, grant, tray_, sent_, attachments, export, delete)
