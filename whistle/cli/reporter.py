"""The reporter's commands: seal on one's own device, come back with twelve words; nothing is stored there."""

import functools
import mimetypes
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from whistle import reporter as reporters
from whistle.cli import output, prompts
from whistle.cli.errors import Problem
from whistle.cli.progress import Progress
from whistle.cli.reporter_options import (
    FILE,
    LANGUAGE,
    Instance,
    SpokenGroup,
    Trust,
    ask_again,
    checked_language,
    own_language,
    pinned,
    read_instance,
    saying,
    spoken,
    translate_errors,
    with_server,
)
from whistle.protocol import age
from whistle.protocol.code.retrieval import Reporter
from whistle.protocol.errors import ProtocolError
from whistle.protocol.reporter import answers, compose, submission
from whistle.protocol.reporter.compose import Continued, Draft
from whistle.protocol.reporter.questions import (
    ADVICE,
    ASKED,
    CHECK_IN,
    EARLIER,
    HOW,
    REPORT,
    URGENT,
    WAY,
    Questions,
)
from whistle.protocol.reporter.reply_validation import FoundReply
from whistle.protocol.trust.manifest import RECOVERY
from whistle.protocol.trust.manifest_chain import offered
from whistle.protocol.untrusted_text import one_line
from whistle.reporter import Api, CannotSave, CaseView, Course, File, manifests

NOT_SAVED = "Not saved: {name} (from {who}, {day}): {why}; {hint}"
NOTHING = ("nothing is stored under these words", "check their order, and the server's address")

language_option = click.option("--language", default=own_language, callback=checked_language, help=LANGUAGE)
spoken_option = click.option("--language", callback=checked_language, help=LANGUAGE, expose_value=False)
files_argument = click.argument("files", nargs=-1, type=FILE)
words_option = click.option("--words-fd", type=prompts.Descriptor(), help="Read your words from this file descriptor.")
text_option = click.option(
    "--text-fd", type=prompts.Descriptor(), help="Read the text from this file descriptor; - is standard input."
)


@click.group(cls=SpokenGroup)
@spoken_option
def reporter() -> None:
    """Report, and read replies, from your own device. It keeps nothing there but what you save."""
    try:
        age.self_test()
    except ProtocolError as exc:
        raise Problem("{why}", "install another version of the library `cryptography`", why=exc) from exc


earlier_option = click.option(
    "--earlier", default="", metavar="REFERENCE", help="It has to do with another report of yours: its case reference."
)


def report_options(command: Callable[..., Any]) -> Any:
    """Add the options of a new report to a command."""
    for option in (
        click.option("--channel", metavar="ID", help="Which channel; asked for where there are several."),
        click.option("--leave-out", "without", multiple=True, metavar="ID", help="Somebody who must not read it."),
        click.option("--advice", is_flag=True, help="You ask for advice."),
        click.option("--urgent", is_flag=True, help="Something is about to happen: it is to be read first."),
        earlier_option,
        language_option,
        text_option,
        click.option(
            "--answer-fd",
            "given",
            multiple=True,
            type=prompts.Answer(),
            help="Read the answer to one of the channel's questions from a file descriptor.",
        ),
        files_argument,
    ):
        command = option(command)
    return command


@reporter.command()
@report_options
@pinned
@with_server
def send(api: Api, trust: Trust, text_fd: int | None, files: tuple[Path, ...], **chosen: Any) -> None:
    """Seal a report, with FILES if you name any, and send it. You get twelve words."""
    t = spoken()
    instance = read_instance(api.published, trust)
    draft = _draft(instance, manifests.questions(api.published), text_fd, bool(files), **chosen)
    with _opened(files) as uploads:
        who = reporters.send(api, instance.writer, draft, uploads, _course())
    click.echo(t.text("command.stored"))
    _say(output.reading(t, instance.manifests, *instance.writer.readers(draft)))
    click.echo(t.text("command.words") + "\n")
    _say(output.twelve(t, who, draft.language))


@reporter.command()
@click.option(
    "--save",
    type=click.Path(path_type=Path, file_okay=False),
    help="Save files and receipts in this folder.",
)
@spoken_option
@words_option
@pinned
@with_server
def replies(api: Api, trust: Trust, words_fd: int | None, save: Path | None) -> None:
    """Where your report stands, and the replies to it."""
    t = spoken()
    instance = read_instance(api.published, trust)
    who = prompts.reporter(words_fd, t.text("replies.words"), saying())
    view = _look_up(api, instance, who)
    _say(output.case(t, view, who, instance.manifests, instance.day, functools.partial(reporters.whole, api)))
    if save:
        _save(api, view, save)


def _save(api: Api, view: CaseView, folder: Path) -> None:
    """Save the replies' files; one that cannot be saved does not stop the others.  Raises Problem at the end."""
    t, say, failed = spoken(), saying(), 0
    for found in view.replies:
        reply = found
        with suppress(ProtocolError):  # then what is said of it stands among the replies
            reply = reporters.whole(api, found)
        for name, saving in _to_save(api, reply, folder):
            try:
                path = saving()
            except CannotSave as exc:
                failed += 1
                who = output.person(t, reply.reviewer)
                why, hint = (say(text, **exc.values) for text in exc.texts)
                click.echo(say(NOT_SAVED, name=one_line(name), who=who, day=reply.day, why=why, hint=hint), err=True)
            else:
                click.echo(t.text("command.saved", name=path.name))
    if failed:
        told = "{count} file(s) could not be saved"
        raise Problem(told, "the others were; what was not is named above", count=failed)


def _to_save(api: Api, reply: FoundReply, folder: Path) -> Iterator[tuple[str, Callable[[], Path]]]:
    """What came with a reply: the name of each file, and what saves it."""
    for record in reply.attachments:
        yield record.name, functools.partial(reporters.save, api, record, folder, _progress())
    if reply.receipt:
        yield reporters.RECEIPT, functools.partial(reporters.save_receipt, reply.receipt, folder)


def audience_options(command: Callable[..., Any]) -> Any:
    """Add the options that say whom a later message goes to when none of the case's own readers is left."""
    present = "To the channel's present readers, when none of your case's is left."
    left_out = "With --instead: who must not get it."
    for option in (
        click.option("--leave-out", "without", multiple=True, metavar="ID", help=left_out),
        click.option("--instead", is_flag=True, help=present),
    ):
        command = option(command)
    return command


@reporter.command("follow-up")
@click.option("--as-report", is_flag=True, help="Make your request for advice a report; add something if you want.")
@audience_options
@click.option(
    "--check-in",
    "how",
    type=click.Choice(HOW),
    help="Whether anything has happened to you because you reported; a text need not come with it.",
)
@earlier_option
@language_option
@text_option
@words_option
@files_argument
@pinned
@with_server
def follow_up(
    api: Api, trust: Trust, words_fd: int | None, text_fd: int | None, files: tuple[Path, ...], **chosen: Any
) -> None:
    """Add something to your report, with FILES if you name any."""
    t = spoken()
    _check_descriptors(words_fd, text_fd)
    instance = read_instance(api.published, trust)
    who = prompts.reporter(words_fd, t.text("replies.words"), saying())
    view = _look_up(api, instance, who)
    if chosen["as_report"] and not (view.slip and view.slip.way):
        raise Problem("this is no request for advice", "leave --as-report out to add something")
    instead, left_out = _present(instance, view, chosen["instead"], chosen["without"])
    draft = Draft("", chosen["language"], "", readers=instead)
    readers, without = instance.writer.follow_up_readers(draft, view)
    _say(output.reading(t, instance.manifests, readers, dict.fromkeys((*without, *left_out))), err=True)
    begun = [t.text("advice.message")] if chosen["as_report"] else []
    said = {CHECK_IN: chosen["how"] or "", EARLIER: chosen["earlier"], **({WAY: REPORT} if begun else {})}
    is_said = chosen["how"] and text_fd is None and not prompts.at_a_terminal()
    written = "" if is_said else prompts.text(text_fd, t.text("command.write"))
    draft = replace(draft, text="\n\n".join(filter(None, (*begun, written))), answers=said)
    with _opened(files) as uploads:
        reporters.follow_up(api, instance.writer, draft, uploads, who, view, _course())
    click.echo(t.text("command.follow_up"))


@reporter.command()
@audience_options
@language_option
@text_option
@words_option
@pinned
@with_server
def renew(api: Api, trust: Trust, words_fd: int | None, text_fd: int | None, language: str, **chosen: Any) -> None:
    """Move your case to new words, if somebody may have seen the old ones.

    It goes to the readers of your case, never to anybody whom you left out of it. Add something if you want.
    """
    t = spoken()
    _check_descriptors(words_fd, text_fd)
    instance = read_instance(api.published, trust)
    who = prompts.reporter(words_fd, t.text("replies.words"), saying())
    view = _look_up(api, instance, who)
    instead, left_out = _present(instance, view, chosen["instead"], chosen["without"])
    slip = view.slip
    assert slip  # or `_present` had raised
    readers = instead or compose.follow_up_readers(view, instance.writer.known.manifest)
    old = Continued(who, slip)
    marks = {WAY: slip.way} if slip.way else {}
    draft = Draft(slip.channel, language, "", marks, readers=readers, without=left_out, continues=old)
    _say(output.reading(t, instance.manifests, *instance.writer.readers(draft)), err=True)
    text = "\n\n".join(filter(None, (t.text("exposed.message"), prompts.text(text_fd, t.text("command.write")))))
    new = reporters.send(api, instance.writer, replace(draft, text=text), (), _course())
    click.echo(t.text("command.renewed") + "\n")
    _say(output.twelve(t, new, language))
    click.echo(t.text("command.old_words"))
    if slip.way:
        click.echo(f"{t.text('exposed.advice')} {t.text('command.advice')}")


@reporter.command()
@spoken_option
@words_option
@click.option("--yes", is_flag=True, help="Do not ask.")
@with_server
def withdraw(api: Api, words_fd: int | None, yes: bool) -> None:
    """Take your report back, while nobody has picked it up."""
    t = spoken()
    who = prompts.reporter(words_fd, t.text("replies.words"), saying())
    if not yes:
        click.echo(t.text("command.withdraw"), err=True)
        if not prompts.at_a_terminal():
            raise Problem("nobody is there to be asked", "give --yes to withdraw it without a question")
        click.confirm(t.text("command.withdraw_now"), default=False, abort=True, err=True)
    outcome = api.withdraw(who.report_token)
    if outcome == "collected":
        raise Problem("it was already picked up, so it cannot be withdrawn", "ask the readers to stop: a follow-up")
    if outcome == "unknown":
        raise Problem(*NOTHING)
    click.echo(t.text("command.withdrawn"))


@reporter.command()
@click.option(
    "--manifest",
    "folder",
    required=True,
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    help="A folder with manifest.json, manifest.json.minisig and perhaps questions.json, as the server publishes them.",
)
@report_options
@pinned
@translate_errors
def seal(folder: Path, trust: Trust, text_fd: int | None, files: tuple[Path, ...], **chosen: Any) -> None:
    """Seal a report on a computer without network: a block of text to paste into the server's form.

    The block goes to standard output, all else to standard error.
    """
    t, get = spoken(), manifests.from_folder(folder)
    instance = read_instance(get, trust)
    draft = _draft(instance, manifests.questions(get), text_fd, bool(files), **chosen)
    try:
        with _opened(files) as uploads:
            who, sealed = reporters.seal(instance.writer, draft, uploads)
        block = submission.armored(sealed)
    except submission.TooLarge as exc:
        raise Problem("this is too large for a block of text", "leave files out, or use `send`") from exc
    click.echo(t.text("command.sealed_words") + "\n", err=True)
    _say([*output.twelve(t, who, draft.language), ""], err=True)
    click.echo(t.text("command.sealed_paste") + "\n", err=True)
    click.echo(block, nl=False)


def _draft(
    instance: Instance,
    questions: Questions,
    text_fd: int | None,
    files: bool,
    *,
    channel: str | None,
    without: tuple[str, ...],
    language: str,
    advice: bool,
    urgent: bool,
    earlier: str,
    given: tuple[tuple[str, int], ...],
) -> Draft:
    """A new report from the options and from answers at the terminal.  Raises Problem, Refused."""
    t, manifest = spoken(), instance.writer.known.manifest
    way = ADVICE if advice else REPORT
    channels = {each.id: output.title(each.title, language) for each in manifest.channels}
    usual = compose.channels_for(manifest, way)
    if channel is None:
        channels = {each.id: channels[each.id] for each in usual}
        channel = usual[0].id if len(usual) == 1 else None
    chosen = prompts.channel(channels, channel, t.text("command.which"), saying())
    people = output.people(t, manifest, offered(manifest, instance.day))
    left_out = _left_out(people, compose.readers_of(manifest, chosen, ()), without)
    draft = Draft(chosen, language, "", without=left_out)
    _say(output.reading(t, instance.manifests, *instance.writer.readers(draft)), err=True)
    asked = answers.for_way(questions.get(chosen, ()), way)
    if (text_fd or 0) in [number for _, number in given]:
        raise click.UsageError("text and answers come from descriptors of their own")
    text, told = prompts.text(text_fd, t.text("command.write")), prompts.answers(asked, given, t, language)
    own = answers.words_of(told, answers.words(asked, language))
    marks = {WAY: ADVICE} if advice else {}
    marks |= {URGENT: "yes"} if urgent else {}
    marks |= {ASKED: own} if own else {}
    marks |= {EARLIER: earlier} if earlier else {}
    return Draft(chosen, language, text, {**told, **marks}, without=left_out)


def _left_out(people: dict[str, str], readers: Iterable[str], without: tuple[str, ...]) -> tuple[str, ...]:
    """Who must not read it, from the option or asked for at the terminal."""
    t = spoken()
    if not without and prompts.at_a_terminal():
        for id, name in people.items():
            about = t.text(f"command.{'will_read' if id in readers else 'could'}", name=name)
            click.echo(f"  {id}: {name if id == RECOVERY else about}", err=True)
    return prompts.left_out(t.text("command.leave_out"), people, without)


def _present(
    instance: Instance, view: CaseView, instead: bool, without: tuple[str, ...]
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """If nobody who reads the case is left: the channel's present readers, and who of them is left out.

    Otherwise two empty tuples, and the follow-up goes to the case's own readers.  Raises Problem.
    """
    t, manifest = spoken(), instance.writer.known.manifest
    if view.slip is None:
        raise Problem("nothing here tells any more who reads your case, or whom you left out", "send a new report")
    if compose.follow_up_readers(view, manifest):
        return (), ()
    readers = compose.readers_of(manifest, view.slip.channel, view.slip.without)
    people = {id: output.names(t, instance.manifests, [id]) for id in readers}
    if not readers or not (instead or prompts.at_a_terminal()):
        raise Problem("nobody who reads your case is a reader any more", "with --instead it goes to the present ones")
    for id, name in people.items():
        click.echo(f"  {id}: {name}", err=True)
    left_out = prompts.left_out(t.text("command.others"), people, without)
    return tuple(id for id in readers if id not in left_out) or _nobody(), left_out


def _check_descriptors(words_fd: int | None, text_fd: int | None) -> None:
    if words_fd is not None and words_fd == (text_fd or 0):
        raise click.UsageError("words and text come from two descriptors")


def _nobody() -> tuple[str, ...]:
    raise compose.NobodyLeft("everybody was left out")


def _look_up(api: Api, instance: Instance, who: Reporter) -> CaseView:
    view = reporters.look(api, who, instance.manifests, instance.day)
    if view is None:
        raise Problem(*NOTHING)
    return view


@contextmanager
def _opened(paths: tuple[Path, ...]) -> Iterator[list[File]]:
    kind = mimetypes.guess_type
    with ExitStack() as stack:
        yield [
            File(path.name, kind(path.name)[0] or "application/octet-stream", stack.enter_context(path.open("rb")))
            for path in paths
        ]


def _course() -> Course:
    return Course(_progress(), ask_again)


def _progress() -> Progress:
    say = saying()
    return Progress({"send": say("sending"), "fetch": say("fetching")})


def _say(lines: Iterable[str], err: bool = False) -> None:
    for line in lines:
        click.echo(line, err=err)
